"""From the evaporator to the sky: chillers, condenser water, towers and their basin.

Compressor power depends on the condenser water, whose temperature depends on the
heat rejected, which contains the compressor power. The ring is closed by repeated
substitution: a kelvin of condenser water changes the tower's range by a few
hundredths, so two or three rounds reach 1e-5 K. Whatever is left of the ring does
not touch the ledger: the last round's heat, and no other, goes into the basin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Protocol

from twin.config import Positive, PositiveFraction, Range
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.chillers import Chillers, running_units
from twin.cooling.tower import WATER_FRACTION_RANGE, CoolingTower
from twin.physics.flow import affinity_power_w, moving_power_w
from twin.physics.thermal import WATER_CP, WATER_DENSITY, ramp_factor

_TOLERANCE_K = 1e-5
_MOST_ROUNDS = 12
_HOLDING_AIR = 0.9
"""Fans that hold the water with less of their air are taken to hold it in the next step. [-]"""


@dataclass(slots=True, kw_only=True)
class CondenserWater:
    """Constant-speed pump per running chiller, and the water held in basins and pipes."""

    range_k: Annotated[float, Range(0.5, 50.0)]
    """Cooling of the water in the tower with all units full. [K]"""
    pump_head_kpa: Annotated[float, Range(1.0, 5000.0)]
    pump_efficiency: Annotated[float, Range(0.05, 1.0)]
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

    def pump_w(self, pumps: int, flow: float) -> float:
        """Power of *pumps* that move *flow* pumps' design flow: always all of theirs. [W]."""
        return pumps * self.unit_pump_w


@dataclass(slots=True, kw_only=True)
class TowerWater(CondenserWater):
    """Variable-speed pumps between towers and an exchanger: the flow follows the heat.

    No chiller's condenser asks for a constant flow there. The least flow is what a cell
    needs to wet its fill.

    References
    ----------
    .. [1] Modelica Buildings Library, ``CoolingTowerLoop`` of ``DHC.Plants.Combined.Controls``:
       tower pumps keep the temperature difference of the exchanger's two sides alike, down to
       the least speed that maintains minimum tower flow; the next one starts at 80 % speed.
    """

    pump_exponent: Annotated[float, Range(2.0, 3.0)]
    min_flow: Annotated[float, Range(WATER_FRACTION_RANGE[0], 1.0)]
    """Least flow through a cell over its design flow; 1 is a pump of constant speed. [-]"""
    stage_up_flow: PositiveFraction
    """Flow of the running pumps at which one more of the duty ones runs, with its cell. [-]"""
    stage_up_k: Annotated[float, Range(0.0, 5.0)]
    """Water that would come to rest this far above its set point starts one more, spare or not;
    it stops when the others hold the set point. [K]"""

    def pumps(self, wanted: float, duty: int, served: int) -> int:
        """Pumps that run for *wanted* design flows; spare cells only where it takes them."""
        most = duty if duty < served else served
        staged = running_units(wanted, 1.0, self.stage_up_flow, most)
        if staged < most or most == served:
            return staged
        return max(staged, running_units(wanted, 1.0, 1.0, served))

    def flow(self, wanted: float, cells: int, pumps: int) -> float:
        """Flow through *cells*, as design flows of a pump, where the heat asks for *wanted*."""
        return min(max(wanted, self.min_flow * cells), float(pumps))

    def pump_w(self, pumps: int, flow: float) -> float:
        """Power of *pumps* that share *flow* pumps' design flow. [W]."""
        return affinity_power_w(pumps * self.unit_pump_w, flow / pumps, self.pump_exponent)


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
IDLE_WITHOUT_COMPRESSOR = Rejected(free_fraction=1.0)


@dataclass(slots=True)
class Exchange:
    """A heat exchanger that lets tower water cool the chilled water directly."""

    return_c: float
    """Chilled water coming back from the hall. [degC]"""
    approach_k: float
    wanted_c: float
    """Tower water asked for: colder would cool the chilled water too far. [degC]"""


@dataclass(slots=True)
class Running:
    """What runs in a step."""

    units: int
    """Chillers."""
    cells: int
    """Tower cells, each with its condenser pump's design flow or its share of it."""
    pumps: int
    """Condenser pumps."""
    flow: float
    """What they move together, as design flows of one."""


class Rejection(Protocol):
    """What a plant asks of the machinery that takes the heat out of its water loop."""

    longest_step_s: float
    """Longest step in which nothing there decides anew, after :meth:`coldest_c`. [s]"""

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Size for a load, a water set point and the design (dry bulb, wet bulb)."""

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Coldest water that can be made in the coming step; -inf where there is no floor."""

    def most_w(self, chilled_c: float) -> float:
        """Most heat that can be taken now. [W]."""

    def step(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected | None:
        """Take a load out of water that leaves at *chilled_c*; None if that is too much."""

    def pass_time(self, dt_s: float) -> None:
        """Let time pass for restarts and least times."""


class OutdoorRejection(Rejection, Protocol):
    """The same of what has a floor: water is no colder than the outdoors lets it be."""

    reach_keys: ClassVar[str]
    """Keys of the plant that decide how cold it is."""

    def reached_c(self, load_w: float, weather_c: tuple[float, float]) -> float:
        """Coldest water in which a load comes to rest with all machines at full. [degC]."""


@dataclass(slots=True, kw_only=True)
class WetRejection:
    """Condenser water and towers, and the ring that whatever drives them has to close."""

    condenser: CondenserWater
    tower: CoolingTower
    longest_step_s: float = field(init=False, default=math.inf)
    _supply_c: float = field(init=False, default=0.0)
    """Water leaving the tower in the last step, where the next search starts. [degC]"""
    _air: float = field(init=False, default=1.0)
    """Air of the fans in the last step, as a fraction of design. [-]"""
    _at_most: Running | None = field(init=False, default=None)
    """What runs where the towers alone cannot hold the water; None: what the load asks for."""

    def _compressor_w(self, load_w: float, units: int, chilled_c: float, water_c: float) -> float:
        """Return the power of the machines between chilled and condenser water: none here."""
        return 0.0

    def _alone_c(
        self, water: ChilledWater, wetbulb_c: float, running: Running, approach_k: float
    ) -> float:
        """Water the towers give at full fan speed, through an exchanger and with no other help.

        They take all that the other water has to give. The range of the last step would not do:
        it swings with the heat, the water made with the range, and the heat with that water.
        """
        tower, condenser, other = self.tower, self.condenser, water.flow_w_per_k
        pumps_k = condenser.pump_w(running.pumps, running.flow) / other
        above_k = water.return_c + pumps_k - wetbulb_c - approach_k
        flows = running.flow * condenser.unit_flow_w_per_k / other
        fraction = running.flow / running.cells
        return tower.unaided_c(wetbulb_c, tower.terms(wetbulb_c), fraction, above_k, flows)

    def _run(
        self,
        load_w: float,
        running: Running,
        chilled_c: float,
        weather_c: tuple[float, float],
        dt_s: float,
        exchange: Exchange | None,
    ) -> Rejected:
        """Close the ring between compressor, condenser water and tower."""
        condenser, tower = self.condenser, self.tower
        wetbulb_c = weather_c[1]
        flow = running.flow * condenser.unit_flow_w_per_k
        pump_w = condenser.pump_w(running.pumps, running.flow)
        cells, units = running.cells, running.units
        water_fraction = running.flow / cells
        terms = tower.terms(wetbulb_c)
        wanted_c = exchange.wanted_c if exchange else tower.set_point_c(wetbulb_c)
        steps = dt_s * flow / condenser.heat_j_per_k
        weight = steps * ramp_factor(-steps)
        basin_c = condenser.water_c
        found_c = self._supply_c
        near = -_TOLERANCE_K < wanted_c - found_c < _TOLERANCE_K
        guessed = self._air < _HOLDING_AIR and not near
        if guessed:
            found_c = wanted_c  # what the first round would find where the fans hold it
        chiller_w = 0.0
        for _ in range(_MOST_ROUNDS):
            supply_c = found_c
            entering_c = basin_c + weight * (supply_c - basin_c)
            if units:
                lifted_w = load_w
                if exchange:
                    lifted_w -= exchanged_w(load_w, chilled_c, entering_c, exchange)
                chiller_w = self._compressor_w(lifted_w, units, chilled_c, entering_c)
            heat_w = load_w + chiller_w + pump_w
            range_k = heat_w / flow
            found_c, air = tower.supply_c(wetbulb_c, terms, range_k, water_fraction, wanted_c)
            if guessed and air > _HOLDING_AIR:
                guessed, found_c = False, self._supply_c
            elif -_TOLERANCE_K < found_c - supply_c < _TOLERANCE_K:
                break
        self._supply_c, self._air = supply_c, air
        tower_w = flow * (entering_c + range_k - supply_c)
        change_k = steps * (supply_c - entering_c)
        condenser.water_c = basin_c + change_k
        fan_w = tower.fan_w(cells, air)
        still = tower.still_air_fraction
        air_cells = cells * (air if air > still else still)
        return Rejected(
            chiller_w,
            pump_w,
            fan_w,
            tower_w + fan_w,
            condenser.heat_j_per_k * change_k,
            tower.water_kg_per_s(tower_w, weather_c, air_cells, entering_c + range_k, flow),
            0.0 if units else 1.0,
        )


@dataclass(slots=True, kw_only=True)
class HeatRejection(WetRejection):
    """Chillers, condenser water and tower working as one."""

    chillers: Chillers
    set_point_c: float = field(init=False, default=0.0)
    """Chilled water wanted now. [degC]"""
    floats_k: float = field(init=False, default=0.0)
    """How far above it the water may float before a chiller helps. [K]"""

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Size everything for an evaporator load at the design wet bulb."""
        wetbulb_c, chilled_c = weather_c[1], water_c
        self.set_point_c = water_c
        tower, chillers, condenser = self.tower, self.chillers, self.condenser
        entering_c, _ = tower.supply_c(
            wetbulb_c,
            tower.terms(wetbulb_c),
            condenser.range_k,
            1.0,
            tower.set_point_c(wetbulb_c),
        )
        chillers.size(load_w, chilled_c, entering_c)
        unit_w, power_w = chillers.unit_w(chilled_c, entering_c)
        condenser.size(unit_w + power_w, chillers.duty_units)
        tower.size(chillers.duty_units, unit_w + power_w, altitude_m)
        condenser.water_c = self._supply_c = entering_c

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Coldest chilled water that can be made in the coming step: chillers know no floor."""
        return -math.inf

    def free_c(self, load_w: float, weather_c: tuple[float, float]) -> float:
        """Coldest chilled water made of a load without compressors: none here. [degC]."""
        return math.inf

    def pass_time(self, dt_s: float) -> None:
        """Let *dt_s* of a restart pass."""
        self.chillers.pass_time(dt_s)

    def most_w(self, chilled_c: float) -> float:
        """Most heat that chillers and towers in service can take now. [W]."""
        chillers = self.chillers
        limit = min(chillers.can_run, self.tower.units_served())
        unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
        return limit * unit_w * chillers.curves.part_load_max

    def step(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected | None:
        """Lift *load_w* from water that leaves at *chilled_c* and reject it.

        Returns None, with nothing changed, where the load is above what can be taken
        now (:meth:`most_w`). Temperatures off a curve are held and reported by the
        curve's owner.
        """
        if load_w <= 0.0:
            return IDLE
        chillers = self.chillers
        tower = self.tower
        unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
        can_run, served = chillers.can_run, tower.units_served()
        limit = can_run if can_run < served else served
        if load_w > limit * unit_w * chillers.curves.part_load_max:
            return None
        staged = chillers.staged(load_w, unit_w)
        units = staged if staged < limit else limit
        running = Running(units, tower.wetted(units, units), units, units)
        return self._run(load_w, running, chilled_c, weather_c, dt_s, None)

    def _compressor_w(self, load_w: float, units: int, chilled_c: float, water_c: float) -> float:
        return self.chillers.power_w(load_w, units, chilled_c, water_c)


def exchanged_w(load_w: float, chilled_c: float, tower_water_c: float, exchange: Exchange) -> float:
    """Share of a chilled-water load that tower water takes before the chillers. [W].

    The chilled water comes back at ``exchange.return_c`` and must leave at *chilled_c*;
    the exchanger brings it down to the tower water plus its approach, or as far as wanted.

    Parameters
    ----------
    load_w : float
        Heat to take out of the chilled water, >= 0. [W]
    chilled_c : float
        Chilled water wanted, below the return. [degC]
    tower_water_c : float
        Water from the tower. [degC]
    exchange : Exchange
        The heat exchanger.

    Examples
    --------
    >>> exchange = Exchange(return_c=22.0, approach_k=2.0, wanted_c=14.0)
    >>> exchanged_w(6e5, 16.0, 17.0, exchange)
    300000.0
    """
    full_k = exchange.return_c - chilled_c
    if full_k <= 0.0:
        return 0.0
    reached_k = exchange.return_c - (tower_water_c + exchange.approach_k)
    return load_w * min(max(reached_k / full_k, 0.0), 1.0)
