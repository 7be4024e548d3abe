"""Memory that the state of a model takes while it is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin.build import read

BYTES_PER_PARAMETER = 16.0
"""16-bit weights and gradients, 32-bit weights and the two moments of Adam (Rajbhandari et al.,
ZeRO, SC'20, section 3.1)."""


def state_gb_per_gpu(parameters: float, gpus: float) -> float:
    """Return the state of a model on each of *gpus* that share it evenly [GB]."""
    return BYTES_PER_PARAMETER * parameters / gpus / 1e9


def servers_needed(config: Mapping[str, Any], parameters: float, state_fraction: float) -> float:
    """Return the fewest servers whose GPUs hold the state in that fraction of their memory."""
    server = read(config).gpu
    room_bytes = state_fraction * server.memory_bytes * server.gpus_per_server
    return float(math.ceil(BYTES_PER_PARAMETER * parameters / room_bytes))
