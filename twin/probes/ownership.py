"""Owning GPUs against renting them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.units import HOURS_PER_YEAR


def cards_billion(config: Mapping[str, Any]) -> float:
    """Return the price of all accelerators alone, in the currency of the prices [1e9]."""
    return int(config["facility"]["gpus"]) * float(config["economics"]["gpu_price"]) / 1e9


def it_billion(config: Mapping[str, Any]) -> float:
    """Return the price of all servers with network and storage [1e9]."""
    share = float(config["economics"]["server_network_fraction"])
    return cards_billion(config) * (1.0 + share)


def rent_billion(config: Mapping[str, Any], years: float, use: float) -> float:
    """Return the rent of all GPUs for *years* at that use, in the currency of the prices [1e9]."""
    hours = years * HOURS_PER_YEAR * use * int(config["facility"]["gpus"])
    return hours * float(config["economics"]["rent_per_gpu_hour"]) / 1e9
