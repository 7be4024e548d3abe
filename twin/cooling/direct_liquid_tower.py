"""Liquid-cooled racks on cooling towers behind a plate exchanger: warm water, no compressor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import Count, Positive
from twin.cooling.base import Machines
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.direct_liquid import DirectLiquid
from twin.cooling.rejection import (
    IDLE_WITHOUT_COMPRESSOR,
    Exchange,
    Rejected,
    Rejection,
    Running,
    TowerWater,
    WetRejection,
)
from twin.cooling.tower import CoolingTower


@dataclass(slots=True, kw_only=True)
class TowerRejection(WetRejection):
    """Towers that cool the facility water through an exchanger."""

    condenser: TowerWater
    approach_k: float
    duty_cells: int
    _set_point_c: float = field(init=False, default=0.0)
    _cell_w: float = field(init=False, default=0.0)
    _most_w: float = field(init=False, default=0.0)
    _return_c: float = field(init=False, default=0.0)

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Share the design load among the cells."""
        self._set_point_c = water_c
        self._cell_w = load_w / self.duty_cells
        self.condenser.size(self._cell_w, self.duty_cells)
        self.tower.size(self.duty_cells, self._cell_w, altitude_m)
        self.condenser.water_c = self._supply_c = water_c - self.approach_k

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Water behind the exchanger with the tower at full fan speed."""
        return_c, flow = water.return_c, water.flow_w_per_k
        self._return_c = return_c
        self._most_w, self._at_most = 0.0, None
        if self.tower.in_service == 0 or flow <= 0.0:
            return -math.inf
        running = self._running(flow * max(0.0, return_c - self._set_point_c))
        tower_c = self._alone_c(water, weather_c[1], running, self.approach_k)
        made_c = tower_c + self.approach_k
        self._at_most = running if made_c > self._set_point_c else None
        self._most_w = max(0.0, flow * (return_c - made_c))
        return made_c

    def _running(self, load_w: float) -> Running:
        """Return the pumps and cells that run for a load; one of each at least."""
        wanted = load_w / self._cell_w
        pumps = max(1, self.condenser.pumps(wanted, self.duty_cells, self.tower.units_served()))
        cells = self.tower.wetted(pumps, wanted, self.condenser.min_flow)
        return Running(0, cells, pumps, self.condenser.flow(wanted, cells, pumps))

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
        running = self._at_most or self._running(load_w)
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

    def _water_cooling(self) -> Rejection:
        self.tower.warnings = self.warnings
        return TowerRejection(
            condenser=self.tower_water,
            tower=self.tower,
            approach_k=self.exchanger_approach_k,
            duty_cells=self.duty_cells,
        )

    def _outdoor_machines(self) -> dict[str, Machines]:
        return {"tower": Machines(self.tower.cells, self.tower.set_available)}
