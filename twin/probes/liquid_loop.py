"""The facility-water loop of a liquid-cooled plant at a single point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.cooling.direct_liquid import DirectLiquid
from twin.errors import ConfigError
from twin.physics.thermal import WATER_CP


def water_rise_k(config: Mapping[str, Any], heat_mw: float, flow_kg_per_s: float) -> float:
    """Return by how much the water of the plant's loop warms at full flow [K]."""
    plant = read(config).cooling
    if not isinstance(plant, DirectLiquid):
        raise ConfigError(f"cooling.kind={config['cooling']['kind']}: has no facility water")
    loop = plant.facility_water
    loop.size(flow_kg_per_s * WATER_CP * loop.rise_k, racks=1)
    loop.pump_w(heat_mw * 1e6, valves_open=True)
    return loop.return_c - loop.water_c
