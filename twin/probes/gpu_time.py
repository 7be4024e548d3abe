"""A known amount of GPU time, spent on all GPUs of the facility at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.probes import nameplate

HOURS_PER_WEEK = 168.0


def hours(config: Mapping[str, Any], gpu_weeks: float) -> float:
    """Return how long all GPUs together take for *gpu_weeks* [h]."""
    return gpu_weeks * HOURS_PER_WEEK / float(config["facility"]["gpus"])


def nameplate_mwh(config: Mapping[str, Any], gpu_weeks: float) -> float:
    """Return the energy of that at the nameplate power of all servers [MWh]."""
    return nameplate.servers_mw(config) * hours(config, gpu_weeks)
