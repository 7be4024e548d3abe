"""Liquid-cooled racks on cooling towers behind a plate exchanger: warm water, no compressor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from twin.config import Count, Positive
from twin.cooling.base import Machines
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.direct_liquid import DirectLiquid
from twin.cooling.rejection import (
    IDLE_WITHOUT_COMPRESSOR,
    Exchange,
    OutdoorRejection,
    Rejected,
    Running,
    TowerWater,
    WetRejection,
)
from twin.cooling.tower import WETBULB_RANGE_C, CoolingTower


@dataclass(slots=True, kw_only=True)
class TowerRejection(WetRejection):
    """Towers that cool the facility water through an exchanger."""

    reach_keys: ClassVar[str] = "exchanger_approach_k, tower_water.range_k, tower.spares"
    condenser: TowerWater
    approach_k: float
    duty_cells: int
    _set_point_c: float = field(init=False, default=0.0)
    _cell_w: float = field(init=False, default=0.0)
    _most_w: float = field(init=False, default=0.0)
    _return_c: float = field(init=False, default=0.0)
    _pumps: int = field(init=False, default=1)
    """Pumps that run at least: more than the heat asks for while the water takes them."""

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Share the design load among the cells."""
        self._set_point_c = water_c
        self._cell_w = load_w / self.duty_cells
        self.condenser.size(self._cell_w, self.duty_cells)
        self.tower.size(self.duty_cells, self._cell_w, altitude_m)
        self.condenser.water_c = self._supply_c = water_c - self.approach_k
        self._pumps = 1

    def reached_c(self, load_w: float, weather_c: tuple[float, float]) -> float:
        """Coldest water in which a load comes to rest with all cells at full fan speed. [degC]."""
        low_c, high_c = WETBULB_RANGE_C
        held_c = min(max(weather_c[1], low_c), high_c)  # and not said: nothing ran there yet
        cells = max(1, self.tower.in_service)
        rests_k = self._rests_k(cells, load_w, held_c) + weather_c[1] - held_c
        return self._set_point_c + rests_k

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Water behind the exchanger with the tower at full fan speed."""
        return_c, flow = water.return_c, water.flow_w_per_k
        self._return_c = return_c
        self._most_w, self._at_most = 0.0, None
        if self.tower.in_service == 0 or flow <= 0.0:
            return -math.inf
        heat_w = flow * max(0.0, return_c - water.water_c)
        least = self._least_pumps(heat_w)
        if self._pumps > least:
            self._stop_pumps(least, heat_w, weather_c[1])
        running = self._running(heat_w, least)
        made_c = self._made_c(water, weather_c[1], running)
        if made_c > self._set_point_c + self.condenser.stage_up_k:
            self._start_pumps(least, heat_w, weather_c[1])
            running = self._running(heat_w, least)
            made_c = self._made_c(water, weather_c[1], running)
        self._at_most = running if made_c > self._set_point_c else None
        self._most_w = max(0.0, flow * (return_c - made_c))
        return made_c

    def _made_c(self, water: ChilledWater, wetbulb_c: float, running: Running) -> float:
        return self._alone_c(water, wetbulb_c, running, self.approach_k) + self.approach_k

    def _least_pumps(self, load_w: float) -> int:
        """Pumps that a load asks for; one at least."""
        wanted = load_w / self._cell_w
        return max(1, self.condenser.pumps(wanted, self.duty_cells, self.tower.units_served()))

    def _running(self, load_w: float, least: int) -> Running:
        """Return the pumps and cells that run for a load that asks for *least* pumps."""
        wanted = load_w / self._cell_w
        pumps = max(least, min(self._pumps, self.tower.in_service))
        cells = self.tower.wetted(pumps, wanted, self.condenser.min_flow)
        return Running(0, cells, pumps, self.condenser.flow(wanted, cells, pumps))

    def _start_pumps(self, least: int, heat_w: float, wetbulb_c: float) -> None:
        """Start more of them, with their cells, until they hold the water as near as is wanted."""
        pumps, above_k = max(self._pumps, least), self.condenser.stage_up_k
        while pumps < self.tower.in_service and self._rests_k(pumps, heat_w, wetbulb_c) > above_k:
            pumps += 1
        self._pumps = pumps

    def _stop_pumps(self, least: int, heat_w: float, wetbulb_c: float) -> None:
        """Stop those without which the water is held as well."""
        while self._pumps > least and self._rests_k(self._pumps - 1, heat_w, wetbulb_c) <= 0.0:
            self._pumps -= 1

    def _rests_k(self, pumps: int, heat_w: float, wetbulb_c: float) -> float:
        """How far above its set point the water rests with so many pumps and fans at full. [K].

        It is that of the heat and the air of now, whatever the water is now: else pumps that
        cool it would be stopped for having done so.
        """
        condenser, tower = self.condenser, self.tower
        wanted = heat_w / self._cell_w
        cells = tower.wetted(pumps, wanted, condenser.min_flow)
        flow = condenser.flow(wanted, cells, pumps)
        range_k = (heat_w + condenser.pump_w(pumps, flow)) / (flow * condenser.unit_flow_w_per_k)
        terms = tower.terms(wetbulb_c)
        tower_c, _ = tower.supply_c(wetbulb_c, terms, range_k, flow / cells, -math.inf)
        return tower_c + self.approach_k - self._set_point_c

    def most_w(self, chilled_c: float) -> float:
        """Most heat that brings the returning water down to what the tower gives. [W]."""
        return self._most_w

    def step(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected | None:
        """Hold the facility water with the tower fans."""
        if load_w <= 0.0:
            return IDLE_WITHOUT_COMPRESSOR
        if load_w > self._most_w:
            return None
        wanted_c = max(self.tower.least_supply_c, self._set_point_c - self.approach_k)
        exchange = Exchange(self._return_c, self.approach_k, wanted_c)
        running = self._at_most or self._running(load_w, self._least_pumps(load_w))
        return self._run(load_w, running, chilled_c, weather_c, dt_s, exchange)

    def pass_time(self, dt_s: float) -> None:
        """Nothing here waits."""


@dataclass(kw_only=True)
class DirectLiquidTower(DirectLiquid):
    """Facility water cooled by evaporation, below the outdoor dry bulb if need be."""

    exchanger_approach_k: Positive
    """Facility water above tower water. [K]"""
    duty_cells: Count
    tower_water: TowerWater
    tower: CoolingTower

    def _water_cooling(self) -> OutdoorRejection:
        self.tower.warnings = self.warnings
        return TowerRejection(
            condenser=self.tower_water,
            tower=self.tower,
            approach_k=self.exchanger_approach_k,
            duty_cells=self.duty_cells,
        )

    def _outdoor_machines(self) -> dict[str, Machines]:
        return {"tower": Machines(self.tower.cells, self.tower.set_available)}
