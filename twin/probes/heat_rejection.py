"""Chillers and towers at single points of their curves."""

from __future__ import annotations

from twin.cooling.chiller import part_load_power
from twin.cooling.machines import MACHINES
from twin.cooling.tower import approach_k
from twin.errors import ConfigError, suggest


def chiller_cop(machine: str, chilled_c: float, condenser_c: float, part_load: float) -> float:
    """Return heat removed over compressor power of a chiller of the catalogue."""
    if machine not in MACHINES:
        raise ConfigError(f"machine={machine}: no such chiller; {suggest(machine, MACHINES)}")
    curves = MACHINES[machine]
    capacity_w, power_w = curves.full_load_w(chilled_c, condenser_c)
    return part_load * capacity_w / (power_w * part_load_power(curves, part_load))


def tower_approach_k(wetbulb_c: float, range_k: float, air_fraction: float) -> float:
    """Return the approach of a tower at full water flow and *air_fraction* of its air [K]."""
    return approach_k(wetbulb_c, range_k, 1.0 / air_fraction)
