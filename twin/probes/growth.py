"""A service that grows, and the racks that are built for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from math import exp, log
from typing import Any

from twin.errors import ConfigError

FORECAST_USERS = 1e9
"""Users for whom the workload's ``requests_per_s`` stands."""


def users(config: Mapping[str, Any], day: float) -> float:
    """Return the users on a day of the run, by the growth of its workload."""
    points = config["workload"].get("growth")
    if not points:
        raise ConfigError("workload.growth: is required for this figure")
    for (from_day, low), (to_day, high) in pairwise(points):
        if from_day <= day <= to_day:
            part = (day - from_day) / (to_day - from_day)
            return FORECAST_USERS * exp(log(low) + part * (log(high) - log(low)))
    raise ConfigError(f"inputs.day={day:g}: must lie within workload.growth={points}")


def racks_per_year(config: Mapping[str, Any]) -> float:
    """Return by what factor the racks of the build-out grow in a year."""
    phases = config["facility"].get("phases")
    if not phases:
        raise ConfigError("facility.phases: is required for this figure")
    first, last = phases[0], phases[-1]
    passed = datetime.fromisoformat(last["date"]) - datetime.fromisoformat(first["date"])
    return float((last["racks"] / first["racks"]) ** (365.0 / passed.days))


def computing_per_rack(computing: float, racks: float) -> float:
    """Return what a rack must gain each year where computing grows faster than racks."""
    return computing / racks
