"""Owning GPUs against renting them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.results.run_folder import Run
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


def cost_at_full_use(config: Mapping[str, Any], run: Run) -> float:
    """Return the cost of a GPU-hour if every hour of the run's GPUs were used [currency/h]."""
    held = float(run.summary["gpu_allocated_fraction"])
    return float(run.summary["cost_per_gpu_hour"]) * held


def break_even(config: Mapping[str, Any], run: Run) -> float:
    """Return the allocated fraction from which owning is cheaper than renting.

    Energy is that of the run; at other use it would differ, by less than capital does not.
    """
    prices = read(config).economics
    fraction = prices.break_even_fraction(
        cost_at_full_use(config, run), str(run.summary["currency"])
    )
    return float("nan") if fraction is None else fraction
