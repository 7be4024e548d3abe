"""The chilled-water loop: a pump, and water that keeps the hall cool for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from twin.config import PositiveFraction, Range, Units, UnitsOrZero
from twin.physics.flow import affinity_power_w, moving_power_w
from twin.physics.thermal import WATER_CP, WATER_DENSITY


@dataclass(slots=True, kw_only=True)
class ChilledWater:
    """Variable-flow primary loop; its flow follows the heat, down to a minimum.

    Pump heat goes into the water.
    """

    rise_k: Annotated[float, Range(0.5, 50.0)]
    """Warming across the coils at design. [K]"""
    volume_l_per_rack: Annotated[float, Range(low=1.0)]
    """A loop of next to no water would turn over many times in the shortest step. [l]"""
    pump_head_kpa: Annotated[float, Range(1.0, 5000.0)]
    pump_efficiency: Annotated[float, Range(0.05, 1.0)]
    pump_exponent: Annotated[float, Range(2.0, 3.0)]
    min_flow: PositiveFraction
    duty_pumps: Units
    spare_pumps: UnitsOrZero

    water_c: float = field(init=False, default=0.0)
    """Water on its way to the coils. [degC]"""
    heat_j_per_k: float = field(init=False, default=0.0)
    flow: float = field(init=False, default=1.0)
    """Most flow the pumps in service give, as a fraction of design. [-]"""
    return_c: float = field(init=False, default=0.0)
    """Water back from the coils. [degC]"""
    pumped_k: float = field(init=False, default=0.0)
    """How much the pump warms it on the way to what takes its heat. [K]"""
    flow_w_per_k: float = field(init=False, default=0.0)
    """Water moved, as a heat capacity rate. [W/K]"""
    _full_pump_w: float = field(init=False, default=0.0)
    _design_w: float = field(init=False, default=0.0)

    def size(self, heat_w: float, racks: int) -> None:
        """Fix the pump for *heat_w* and the volume for the hall."""
        self._design_w = heat_w
        self.return_c = self.water_c + self.rise_k
        self.flow_w_per_k = heat_w / self.rise_k
        volume_m3_per_s = heat_w / (self.rise_k * WATER_CP * WATER_DENSITY)
        self._full_pump_w = moving_power_w(
            self.pump_head_kpa * 1e3, volume_m3_per_s, self.pump_efficiency
        )
        self.heat_j_per_k = racks * self.volume_l_per_rack * 1e-3 * WATER_DENSITY * WATER_CP

    @property
    def pumps(self) -> int:
        """Duty pumps and spares."""
        return self.duty_pumps + self.spare_pumps

    def set_available(self, fraction: float) -> None:
        """Let a fraction of the pumps be in service; spares cover their share."""
        self.flow = min(1.0, fraction * self.pumps / self.duty_pumps)

    def pump_w(self, heat_w: float, valves_open: bool = False) -> float:
        """Pump power while the coils take *heat_w*; with the valves open, all the flow. [W]."""
        if self.flow <= 0.0:
            self.return_c, self.pumped_k, self.flow_w_per_k = self.water_c, 0.0, 0.0
            return 0.0
        flow = heat_w / self._design_w
        if valves_open or flow > self.flow:
            flow = self.flow
        elif flow < self.min_flow:
            flow = self.min_flow if self.min_flow < self.flow else self.flow
        self.flow_w_per_k = flow * self._design_w / self.rise_k
        self.return_c = self.water_c + heat_w / self.flow_w_per_k
        pump_w = affinity_power_w(self._full_pump_w, flow, self.pump_exponent)
        self.pumped_k = pump_w / self.flow_w_per_k
        return pump_w
