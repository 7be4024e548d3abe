"""Counts of the fabric that a facility needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read


def switches(config: Mapping[str, Any]) -> float:
    """Return the switches that connect all servers of the facility."""
    design = read(config)
    per_server = design.gpu.gpus_per_server
    design.network.size(-(-design.facility.gpus // per_server), per_server)
    return float(design.network.counts()["switches"])
