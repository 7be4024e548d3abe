"""Room air handlers: fans that follow the servers' air, and a coil with a valve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from twin.config import Positive, PositiveFraction, Range, UnitsOrZero
from twin.errors import require
from twin.physics.flow import affinity_power_w, moving_power_w
from twin.physics.thermal import AIR_CP, air_density, crossflow_effectiveness, crossflow_ntu

_CONDUCTANCE_EXPONENT = 0.82
"""Heat exchange of a coil grows with this power of its flows: between the 0.8 of the air side and
the 0.85 of the water side (Modelica Buildings, ``DryCoilCounterFlow``). [-]"""
_MOST_TRANSFER_UNITS = 50.0
"""Of any coil. [-]"""


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
    """Air side, valve fully open, at design flows: cooling done over cooling possible. [-]"""

    coil_air_w_per_k: float = field(init=False, default=1.0)
    """Air at which the coil has it. [W/K]"""
    _transfer_units: float = field(init=False, default=0.0)
    _capacity_ratio: float = field(init=False, default=0.0)
    """Air over water, as heat capacity rates. [-]"""

    def size_coil(self, air_w_per_k: float, water_w_per_k: float) -> None:
        """Fix the coil for its effectiveness at the design flows.

        Raises
        ------
        ParameterError
            If no coil reaches it with so little water.
        """
        ratio = self._capacity_ratio = air_w_per_k / water_w_per_k
        self.coil_air_w_per_k = air_w_per_k
        least, most = min(1.0, ratio), max(1.0, ratio)
        reachable = crossflow_effectiveness(_MOST_TRANSFER_UNITS, least / most) / most
        require(
            self.coil_effectiveness < reachable,
            "air_handlers.coil_effectiveness",
            self.coil_effectiveness,
            f"< {reachable:.2f}, all that a coil does with water that warms as much as "
            "chilled_water.rise_k",
        )
        self._transfer_units = crossflow_ntu(self.coil_effectiveness * most, least / most)

    def effectiveness(self, air_w_per_k: float) -> float:
        """Air side, valve fully open, at the air moved now; water follows the air. [-]."""
        air = air_w_per_k / self.coil_air_w_per_k
        units = self._transfer_units * math.pow(air, _CONDUCTANCE_EXPONENT - 1.0)
        ratio = self._capacity_ratio
        if ratio <= 1.0:
            return crossflow_effectiveness(units, ratio)
        return crossflow_effectiveness(units, 1.0 / ratio) / ratio
