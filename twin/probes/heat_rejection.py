"""Chillers, towers and dry coolers at single points of their curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.cooling.chiller import full_load_w, part_load_power
from twin.cooling.direct_liquid_dry import DirectLiquidDry
from twin.cooling.dry_cooler import DryCooler, relative_conductance
from twin.cooling.machines import MACHINES
from twin.cooling.tower import approach_k
from twin.errors import ConfigError, suggest


def chiller_cop(machine: str, chilled_c: float, condenser_c: float, part_load: float) -> float:
    """Return heat removed over compressor power of a chiller of the catalogue."""
    if machine not in MACHINES:
        raise ConfigError(f"machine={machine}: no such chiller; {suggest(machine, MACHINES)}")
    curves = MACHINES[machine]
    capacity_w, power_w = full_load_w(curves, chilled_c, condenser_c)
    return part_load * capacity_w / (power_w * part_load_power(curves, part_load))


def tower_approach_k(wetbulb_c: float, range_k: float, air_fraction: float) -> float:
    """Return the approach of a tower at full water flow and *air_fraction* of its air [K]."""
    return approach_k(wetbulb_c, range_k, 1.0 / air_fraction)


def dry_cooler_heat_kw(
    config: Mapping[str, Any], design_kw: float, water_in_c: float, water_out_c: float, air_c: float
) -> float:
    """Return what a cooler sized for *design_kw* takes from its water in air at *air_c* [kW]."""
    cooler = _dry_cooler(config, design_kw, water_in_c - water_out_c)
    return cooler.exchange_w_per_k(cooler.water_w_per_k, 1.0) * (water_in_c - air_c) / 1e3


def dry_cooler_fan_kw(config: Mapping[str, Any], design_kw: float, range_k: float) -> float:
    """Return the power of its fans at full speed, at sea level [kW]."""
    return _dry_cooler(config, design_kw, range_k).fan_w(1.0) / 1e3


def dry_cooler_conductance(config: Mapping[str, Any], water: float, air: float) -> float:
    """Return the conductance of its coil at these fractions of its flows, over design."""
    share = _dry_cooler(config, 1000.0, 5.56).air_resistance_share
    return relative_conductance(water, air, share)


def _dry_cooler(config: Mapping[str, Any], design_kw: float, range_k: float) -> DryCooler:
    """Return the dry cooler of the plant, sized for this load instead of the facility's."""
    plant = read(config).cooling
    if not isinstance(plant, DirectLiquidDry):
        raise ConfigError(f"cooling.kind={config['cooling']['kind']}: has no dry cooler")
    cooler = plant.cooler
    cooler.size(design_kw * 1e3 / cooler.margin, range_k, altitude_m=0.0)
    return cooler
