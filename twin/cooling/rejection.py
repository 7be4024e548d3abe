"""From the evaporator to the sky: chillers, condenser water, towers and their basin.

Compressor power depends on the condenser water, whose temperature depends on the
heat rejected, which contains the compressor power. The ring is closed by repeated
substitution: a kelvin of condenser water changes the tower's range by a few
hundredths, so two or three rounds reach 1e-5 K. Whatever is left of the ring does
not touch the ledger: the last round's heat, and no other, goes into the basin.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.config import Positive, PositiveFraction
from twin.cooling.chillers import Chillers
from twin.cooling.tower import CoolingTower
from twin.physics.flow import moving_power_w
from twin.physics.thermal import WATER_CP, WATER_DENSITY, ramp_factor

_TOLERANCE_K = 1e-5
_MOST_ROUNDS = 12


@dataclass(slots=True, kw_only=True)
class CondenserWater:
    """Constant-speed pump per running chiller, and the water held in basins and pipes."""

    range_k: Positive
    """Cooling of the water in the tower with all units full. [K]"""
    pump_head_kpa: Positive
    pump_efficiency: PositiveFraction
    basin_minutes: Positive
    """Water held, as minutes of the duty units' flow. [min]"""

    water_c: float = field(init=False, default=0.0)
    """Water entering the condensers. [degC]"""
    heat_j_per_k: float = field(init=False, default=0.0)
    unit_flow_w_per_k: float = field(init=False, default=0.0)
    unit_pump_w: float = field(init=False, default=0.0)

    def size(self, unit_heat_w: float, units: int) -> None:
        """Fix flow, pump and volume for *units* condensers of *unit_heat_w* each."""
        self.unit_flow_w_per_k = unit_heat_w / self.range_k
        volume_m3_per_s = self.unit_flow_w_per_k / (WATER_CP * WATER_DENSITY)
        self.unit_pump_w = moving_power_w(
            self.pump_head_kpa * 1e3, volume_m3_per_s, self.pump_efficiency
        )
        self.heat_j_per_k = units * self.unit_flow_w_per_k * 60.0 * self.basin_minutes


@dataclass(slots=True)
class Rejected:
    """What the heat-rejection side did in one step; powers are means over it."""

    chiller_w: float = 0.0
    pump_w: float = 0.0
    fan_w: float = 0.0
    ambient_w: float = 0.0
    """Heat the towers and their fans gave to the outdoors. [W]"""
    stored_j: float = 0.0
    water_kg_per_s: float = 0.0
    free_fraction: float = 0.0
    """Share of the step in which the load was carried without a compressor. [-]"""


IDLE = Rejected()


@dataclass(slots=True)
class HeatRejection:
    """Chillers, condenser water and tower working as one."""

    chillers: Chillers
    condenser: CondenserWater
    tower: CoolingTower
    _supply_c: float = field(init=False, default=0.0)
    """Water leaving the tower in the last step, where the next search starts. [degC]"""

    def size(self, load_w: float, chilled_c: float, wetbulb_c: float, altitude_m: float) -> None:
        """Size everything for an evaporator load at the design wet bulb."""
        tower, chillers, condenser = self.tower, self.chillers, self.condenser
        entering_c, _ = tower.supply_c(wetbulb_c, tower.terms(wetbulb_c), condenser.range_k, 1.0)
        chillers.size(load_w, chilled_c, entering_c)
        unit_w, power_w = chillers.unit_w(chilled_c, entering_c)
        condenser.size(unit_w + power_w, chillers.duty_units)
        tower.size(chillers.duty_units, unit_w + power_w, altitude_m)
        condenser.water_c = self._supply_c = entering_c

    def most_w(self, chilled_c: float) -> float:
        """Most heat that chillers and towers in service can take now. [W]."""
        chillers = self.chillers
        limit = min(chillers.can_run, self.tower.units_served())
        unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
        return limit * unit_w * chillers.curves.part_load_max

    def step(
        self, load_w: float, chilled_c: float, wetbulb_c: float, drybulb_c: float, dt_s: float
    ) -> Rejected | None:
        """Lift *load_w* from water that leaves at *chilled_c* and reject it.

        Returns None, with nothing changed, where the load is above what can be taken
        now (:meth:`most_w`). Temperatures off a curve are held and reported by the
        curve's owner.
        """
        if load_w <= 0.0:
            return IDLE
        chillers = self.chillers
        unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
        limit = min(chillers.can_run, self.tower.units_served())
        if load_w > limit * unit_w * chillers.curves.part_load_max:
            return None
        units = min(chillers.staged(load_w, unit_w), limit)
        return self._run(load_w, units, chilled_c, wetbulb_c, drybulb_c, dt_s)

    def _run(
        self,
        load_w: float,
        units: int,
        chilled_c: float,
        wetbulb_c: float,
        drybulb_c: float,
        dt_s: float,
    ) -> Rejected:
        """Close the ring between compressor, condenser water and tower."""
        condenser, tower, chillers = self.condenser, self.tower, self.chillers
        flow = units * condenser.unit_flow_w_per_k
        pump_w = units * condenser.unit_pump_w
        cells = min(units, tower.in_service)
        water_fraction = units / cells
        terms = tower.terms(wetbulb_c)
        steps = dt_s * flow / condenser.heat_j_per_k
        weight = steps * ramp_factor(-steps)
        basin_c = condenser.water_c
        found_c = self._supply_c
        for _ in range(_MOST_ROUNDS):
            supply_c = found_c
            entering_c = basin_c + weight * (supply_c - basin_c)
            chiller_w = chillers.power_w(load_w, units, chilled_c, entering_c)
            heat_w = load_w + chiller_w + pump_w
            found_c, air = tower.supply_c(wetbulb_c, terms, heat_w / flow, water_fraction)
            if -_TOLERANCE_K < found_c - supply_c < _TOLERANCE_K:
                break
        self._supply_c = supply_c
        tower_w = flow * (entering_c + heat_w / flow - supply_c)
        condenser.water_c = basin_c + steps * (supply_c - entering_c)
        fan_w = tower.fan_w(cells, air)
        return Rejected(
            chiller_w,
            pump_w,
            fan_w,
            tower_w + fan_w,
            condenser.heat_j_per_k * (condenser.water_c - basin_c),
            tower.water_kg_per_s(max(tower_w, 0.0), drybulb_c, flow),
        )
