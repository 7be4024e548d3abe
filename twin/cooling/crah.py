"""Room air handlers: fans that follow the servers' air, and a coil with a valve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from twin.config import Positive, PositiveFraction, Range, UnitsOrZero
from twin.physics.flow import affinity_power_w, moving_power_w
from twin.physics.thermal import AIR_CP, air_density


@dataclass(slots=True, kw_only=True)
class SupplyFans:
    """Equal units that share the air, all running; spares make each run slower.

    Fan heat stays in the air, and whatever cools the air removes it too.
    """

    unit_kw: Positive
    """Heat one unit carries at design; sets how many there are."""
    spares: UnitsOrZero
    fan_pressure_pa: Annotated[float, Range(1.0, 10_000.0)]
    fan_efficiency: Annotated[float, Range(0.05, 1.0)]
    fan_exponent: Annotated[float, Range(2.0, 3.0)]
    min_speed: PositiveFraction

    units: int = field(init=False, default=0)
    available: float = field(init=False, default=1.0)
    """Fraction of the units in service. [-]"""
    full_flow_w_per_k: float = field(init=False, default=0.0)
    """Air of all installed units at full speed, as a heat capacity rate. [W/K]"""
    full_fan_w: float = field(init=False, default=0.0)

    def size(self, heat_w: float, flow_w_per_k: float, altitude_m: float) -> None:
        """Install units for *heat_w* and *flow_w_per_k*, plus spares.

        The units are chosen for the site: thinner air means more volume at the same
        pressure, hence more fan power.
        """
        duty = max(1, math.ceil(heat_w / (self.unit_kw * 1e3)))
        self.units = duty + self.spares
        self.full_flow_w_per_k = flow_w_per_k * self.units / duty
        volume_m3_per_s = self.full_flow_w_per_k / (air_density(altitude_m) * AIR_CP)
        self.full_fan_w = moving_power_w(self.fan_pressure_pa, volume_m3_per_s, self.fan_efficiency)

    def set_available(self, fraction: float) -> None:
        """Let a fraction of the units be in service."""
        self.available = fraction

    def move(self, wanted_w_per_k: float) -> tuple[float, float]:
        """Return the air moved and the fan power for a wanted air flow. [W/K], [W]."""
        most = self.full_flow_w_per_k * self.available
        if most <= 0.0:
            return 0.0, 0.0
        speed = wanted_w_per_k / most
        if speed < self.min_speed:
            speed = self.min_speed
        elif speed > 1.0:
            speed = 1.0
        fan_w = affinity_power_w(self.full_fan_w * self.available, speed, self.fan_exponent)
        return most * speed, fan_w


@dataclass(slots=True, kw_only=True)
class AirHandlers(SupplyFans):
    """Supply fans with a chilled-water coil and its valve."""

    coil_effectiveness: PositiveFraction
    """Air side, valve fully open: cooling done over cooling possible. [-]"""
