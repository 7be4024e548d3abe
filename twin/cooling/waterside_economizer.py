"""Chilled air with a waterside economizer: towers that cool the chilled water themselves.

Three modes, after Stein (2009):

==== ============ ========= ==================================================
mode economizer   chillers  the tower holds
==== ============ ========= ==================================================
FMC  off          on        the condensers' set point
PMC  on           on        as cold as the exchanger can use: full speed, mostly
FC   on           off       what the exchanger needs for the chilled-water set point
==== ============ ========= ==================================================

Each of the two, economizer and chillers, stays on or off for a least time, so the
chilled water may miss its set point by a kelvin or so for some minutes. It then
follows what the tower can give, and the run shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import NonNegative, Positive
from twin.cooling.checks import check_supply_max
from twin.cooling.chilled_air import ChilledAir
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.chillers import staged_units
from twin.cooling.rejection import IDLE, Exchange, HeatRejection, Rejected, Running
from twin.cooling.reset import EconomizerReset, WaterReset
from twin.errors import require

_NEAR_STEP_S = 60.0
_NEAR_K = 2.0
"""This near to a change of mode, it is looked at once a minute, however long the beat. [K]"""


def _quiet_s(excess_k: float, is_on: bool, least_left_s: float) -> float:
    """Return how long a switch stays as it is: near its threshold, not taken for granted. [s]."""
    if -_NEAR_K < excess_k < _NEAR_K:
        return _NEAR_STEP_S
    due = (excess_k > 0.0) != is_on
    return max(least_left_s, _NEAR_STEP_S) if due else math.inf


@dataclass(slots=True, kw_only=True)
class Economizer:
    """The heat exchanger and when it is used."""

    approach_k: Positive
    """Chilled water leaving above tower water entering. [K]"""
    on_margin_k: Positive
    """On when the return is this far above the water the tower could give. [K]"""
    off_margin_k: NonNegative
    """Off when the exchanger cools the return by less than this. [K]"""
    chiller_on_margin_k: Positive
    """Chillers on when the exchanger leaves the water this far above its set point. [K]"""
    chiller_off_margin_k: NonNegative
    """Chillers off when it leaves it at most this far above. [K]"""
    least_minutes: NonNegative
    """Least time on, and least time off. [min]"""

    on: bool = field(init=False, default=False)
    chillers_on: bool = field(init=False, default=True)
    on_for_s: float = field(init=False, default=math.inf)
    """Time since the economizer last changed. [s]"""
    chillers_for_s: float = field(init=False, default=math.inf)

    def __post_init__(self) -> None:
        """Keep each pair of thresholds apart, or the plant would chatter."""
        require(
            self.on_margin_k > self.approach_k + self.off_margin_k,
            "on_margin_k",
            self.on_margin_k,
            f"> approach_k + off_margin_k = {self.approach_k + self.off_margin_k:g}",
        )
        require(
            self.chiller_on_margin_k > self.chiller_off_margin_k,
            "chiller_on_margin_k",
            self.chiller_on_margin_k,
            f"> chiller_off_margin_k={self.chiller_off_margin_k}",
        )

    def decide(self, return_c: float, tower_c: float, alone_c: float, set_point_c: float) -> None:
        """Choose the mode from the water the tower could give now, and would without chillers.

        While chillers that have just come or gone move the water, nothing is said of the exchanger.
        """
        least_s = 60.0 * self.least_minutes
        if self.on_for_s >= least_s and self.chillers_for_s >= _NEAR_STEP_S:
            on = self._on_excess_k(return_c, tower_c) > 0.0
            if on != self.on:
                self.on, self.on_for_s = on, 0.0
        wanted = not self.on or self._chillers_excess_k(alone_c, set_point_c) > 0.0
        # Without the economizer there is no choice; with it, the least times hold.
        if wanted != self.chillers_on and (not self.on or self.chillers_for_s >= least_s):
            self.chillers_on, self.chillers_for_s = wanted, 0.0

    def quiet_s(self, return_c: float, tower_c: float, alone_c: float, set_point_c: float) -> float:
        """Return for how long the mode need not be looked at while the water stays as it is. [s].

        A change may be near, or may be due and only wait for a least time; and after a change
        it takes a step to know what the tower gives in the new mode.
        """
        if self.on_for_s < _NEAR_STEP_S or self.chillers_for_s < _NEAR_STEP_S:
            return _NEAR_STEP_S
        least_s = 60.0 * self.least_minutes
        excess_k = self._on_excess_k(return_c, tower_c)
        quiet_s = _quiet_s(excess_k, self.on, least_s - self.on_for_s)
        if self.on:
            excess_k = self._chillers_excess_k(alone_c, set_point_c)
            left_s = least_s - self.chillers_for_s
            quiet_s = min(quiet_s, _quiet_s(excess_k, self.chillers_on, left_s))
        return quiet_s

    def _on_excess_k(self, return_c: float, tower_c: float) -> float:
        """How far the return is above what keeps, or puts, the economizer on. [K]."""
        margin_k = self.approach_k + self.off_margin_k if self.on else self.on_margin_k
        return return_c - tower_c - margin_k

    def _chillers_excess_k(self, tower_c: float, set_point_c: float) -> float:
        """How far the economizer's water is above what keeps, or puts, the chillers on. [K]."""
        margin_k = self.chiller_off_margin_k if self.chillers_on else self.chiller_on_margin_k
        return tower_c + self.approach_k - set_point_c - margin_k

    def pass_time(self, dt_s: float) -> None:
        """Let *dt_s* of the least times pass."""
        self.on_for_s += dt_s
        self.chillers_for_s += dt_s

    @property
    def mode(self) -> str:
        """FMC, PMC or FC."""
        if not self.on:
            return "FMC"
        return "PMC" if self.chillers_on else "FC"


@dataclass(slots=True, kw_only=True)
class EconomizedRejection(HeatRejection):
    """Chillers and towers with an exchanger between condenser and chilled water."""

    economizer: Economizer
    _return_c: float = field(init=False, default=0.0)
    """Chilled water at the exchanger, past the pump. [degC]"""
    _range_k: float = field(init=False, default=0.0)
    """Range of the tower in the last step. [K]"""
    _free_most_w: float = field(init=False, default=0.0)
    _tower_c: float = field(init=False, default=0.0)
    """Water the tower could give at full fan speed. [degC]"""
    _bring_c: float = field(init=False, default=0.0)
    """Chilled water behind the exchanger, where chillers run too. [degC]"""
    _flow_w_per_k: float = field(init=False, default=0.0)
    """Chilled water through it. [W/K]"""
    _flowed: int = field(init=False, default=0)
    """Pumps the exchanger asked for last."""

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Size chillers for the whole load: on a hot day the economizer gives nothing."""
        HeatRejection.size(self, load_w, water_c, weather_c, altitude_m)
        self._range_k = self.condenser.range_k
        self.floats_k = self.economizer.chiller_on_margin_k

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Choose the mode; without chillers the tower is the floor."""
        tower, economizer = self.tower, self.economizer
        if tower.in_service == 0:
            economizer.on = False
            self.longest_step_s = _NEAR_STEP_S
            return -math.inf
        wetbulb_c, self._return_c = weather_c[1], water.return_c + water.pumped_k
        alone_c = self._unaided_c(water, wetbulb_c)
        if self._free():
            self._tower_c = alone_c
        else:
            self._tower_c = self._coldest_tower_c(wetbulb_c, self._range_k)
        looked = (water.return_c, self._tower_c, alone_c, self.set_point_c)
        economizer.decide(*looked)
        self.longest_step_s = economizer.quiet_s(*looked)
        if not self._free():
            self._bring_c = max(self._tower_c, self.condenser.water_c) + economizer.approach_k
            self._flow_w_per_k = water.flow_w_per_k
            return -math.inf
        self._tower_c = alone_c
        made_c = self._tower_c + economizer.approach_k
        self._free_most_w = max(0.0, water.flow_w_per_k * (water.return_c - made_c))
        return made_c

    def free_c(self, load_w: float, weather_c: tuple[float, float]) -> float:
        """Coldest chilled water that towers and exchanger alone make of a load. [degC]."""
        if self.tower.in_service == 0:
            return math.inf
        condenser, flows = self.condenser, self._flows(load_w, self.set_point_c)
        range_k = (load_w / flows + condenser.unit_pump_w) / condenser.unit_flow_w_per_k
        return self._coldest_tower_c(weather_c[1], range_k) + self.economizer.approach_k

    def _coldest_tower_c(self, wetbulb_c: float, range_k: float) -> float:
        """Water the tower could give at full fan speed. [degC]."""
        tower = self.tower
        terms = tower.terms(wetbulb_c)
        tower_c, _ = tower.supply_c(wetbulb_c, terms, range_k, 1.0, -math.inf)
        return tower_c

    def _unaided_c(self, water: ChilledWater, wetbulb_c: float) -> float:
        """Water the tower gives without chillers, with the cells that then run. [degC]."""
        if water.flow_w_per_k <= 0.0:
            self._at_most = None
            return self._coldest_tower_c(wetbulb_c, self._range_k)
        excess_k = max(0.0, water.return_c - self.set_point_c)
        flows = self._flows(water.flow_w_per_k * excess_k, self.set_point_c)
        running = Running(0, self.tower.wetted(flows, flows), flows, flows)
        alone_c = self._alone_c(water, wetbulb_c, running, self.economizer.approach_k)
        holds = alone_c + self.economizer.approach_k <= self.set_point_c
        self._at_most = None if holds else running
        return alone_c

    def pass_time(self, dt_s: float) -> None:
        """Let *dt_s* of restart and least times pass."""
        HeatRejection.pass_time(self, dt_s)
        self.economizer.pass_time(dt_s)

    def most_w(self, chilled_c: float) -> float:
        """Most heat that can be taken now; in FC, what brings the return down to the tower. [W].

        In PMC the exchanger takes its share of it before the chillers.
        """
        if self._free():
            return self._free_most_w
        lifted_w = HeatRejection.most_w(self, chilled_c)
        full_k, before_k = self._return_c - chilled_c, self._return_c - self._bring_c
        if not self.economizer.on or before_k <= 0.0 or full_k <= 0.0:
            return lifted_w
        most_w = lifted_w + self._flow_w_per_k * before_k
        if before_k < full_k:
            most_w = min(most_w, lifted_w * full_k / (full_k - before_k))
        return most_w

    def step(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected | None:
        """Take *load_w* out of the chilled water in the mode chosen by :meth:`coldest_c`."""
        if load_w <= 0.0:
            return IDLE
        if not self.economizer.on:
            done = HeatRejection.step(self, load_w, chilled_c, weather_c, dt_s)
        elif load_w > self.most_w(chilled_c):
            return None
        else:
            done = self._exchange(load_w, chilled_c, weather_c, dt_s)
        if done is not None and done.pump_w > 0.0:
            flow = self.condenser.unit_flow_w_per_k * done.pump_w / self.condenser.unit_pump_w
            heat_w = load_w + done.chiller_w + done.pump_w
            self._range_k = heat_w / flow
        return done

    def _free(self) -> bool:
        """Whether the exchanger carries everything, by choice or because no chiller can run."""
        economizer = self.economizer
        return economizer.on and (not economizer.chillers_on or self.chillers.can_run == 0)

    def _flows(self, load_w: float, chilled_c: float) -> int:
        """Pumps, and cells, that run for a load with the exchanger in use; staged as chillers."""
        chillers = self.chillers
        unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
        fills = chillers.stage_up_plr, chillers.stage_down_plr
        flows = staged_units(self._flowed, load_w, unit_w, fills, chillers.installed)
        return max(1, min(chillers.fixed_units or flows, self.tower.units_served()))

    def _exchange(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected:
        """Run PMC or FC: exchanger first, chillers for what is left."""
        chillers, tower, economizer = self.chillers, self.tower, self.economizer
        flows = self._flowed = self._flows(load_w, chilled_c)
        units = 0
        if not self._free():
            left = self._tower_c + economizer.approach_k - chilled_c
            share = min(max(left / max(self._return_c - chilled_c, 1e-9), 0.0), 1.0)
            unit_w, _ = chillers.unit_w(chilled_c, self.condenser.water_c)
            units = max(1, min(chillers.staged(load_w * share, unit_w), chillers.can_run))
            flows = max(flows, min(units, tower.units_served()))
        exchange = Exchange(
            self._return_c, economizer.approach_k, self.set_point_c - economizer.approach_k
        )
        running = Running(units, tower.wetted(flows, flows), flows, flows)
        if self._free():
            running = self._at_most or running
        return self._run(load_w, running, chilled_c, weather_c, dt_s, exchange)


@dataclass(kw_only=True)
class WatersideEconomizer(ChilledAir):
    """Chilled air whose towers take over from the chillers when it is cold enough."""

    economizer: Economizer
    reset: EconomizerReset | None = None

    def _check_reset(self, reset: WaterReset) -> None:
        self._check_warmest_water(reset)
        if self.reset is not None and reset.by == "outdoor":
            check_supply_max(self.reset.supply_max_c, self.supply_c)

    def _heat_rejection(self) -> HeatRejection:
        return EconomizedRejection(
            chillers=self.chillers,
            condenser=self.condenser_water,
            tower=self.tower,
            economizer=self.economizer,
        )
