"""What a single dense rack asks of air and of coolant, at its rating."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.cooling.direct_liquid import DirectLiquid
from twin.errors import ConfigError
from twin.physics.thermal import AIR_CP, SEA_LEVEL_AIR_DENSITY, WATER_CP, WATER_DENSITY
from twin.units import SECONDS_PER_MINUTE

LITRES_PER_M3 = 1e3


def airflow_m3_per_s(config: Mapping[str, Any], air_rise_k: float) -> float:
    """Return the sea-level air that carries all heat of a rack while warming so much [m3/s]."""
    return read(config).rack.rated_w / (SEA_LEVEL_AIR_DENSITY * AIR_CP * air_rise_k)


def coolant_l_per_min(config: Mapping[str, Any], l_per_min_per_kw: float) -> float:
    """Return the coolant of a rack [L/min]."""
    return read(config).rack.rated_kw * l_per_min_per_kw


def coolant_rise_k(config: Mapping[str, Any], l_per_min_per_kw: float) -> float:
    """Return by how much that coolant, as water, warms if it takes all heat of the rack [K]."""
    litres_per_s = coolant_l_per_min(config, l_per_min_per_kw) / SECONDS_PER_MINUTE
    return read(config).rack.rated_w / (litres_per_s / LITRES_PER_M3 * WATER_DENSITY * WATER_CP)


def residual_air_kw(config: Mapping[str, Any]) -> float:
    """Return the heat of a rack that its coolant leaves to the air [kW]."""
    design = read(config)
    plant = design.cooling
    if not isinstance(plant, DirectLiquid):
        raise ConfigError(f"cooling.kind={config['cooling']['kind']}: cools with air alone")
    return (1.0 - plant.capture_fraction) * design.rack.rated_kw
