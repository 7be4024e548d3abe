"""Chilled air: room air handlers, a chilled-water loop, chillers and cooling towers.

The plant steps in one of two ways. While it holds its set points, every
temperature that matters is constant or a pure exponential, and one exact step
covers the beat, however long. When it cannot - a trip, an overload, the way back -
it takes short steps, the shorter the faster temperatures move.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.config import Celsius
from twin.cooling.base import Machines, Mover, PlantDesign, PlantState
from twin.cooling.beats import stepped
from twin.cooling.checks import check_supply
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.crah import AirHandlers
from twin.cooling.hall import HallPlant
from twin.cooling.rejection import CondenserWater, HeatRejection, Rejected
from twin.cooling.reset import SetPoints, WaterReset, water_below_supply_k
from twin.cooling.tower import CoolingTower
from twin.errors import require

_SHORTEST_STEP_S = 1.0
_LONGEST_STEP_S = 60.0
_LARGEST_CHANGE_K = 0.1
"""Short steps aim at this change of the fastest temperature."""
_TOO_LARGE_K = 0.5
"""A change that no step was meant to make: load or limits are others than in the last."""
_AT_SET_POINT_K = 1e-9
_OPEN, _HOLDING, _CLOSED = "open", "holding", "closed"


@dataclass(slots=True)
class _AirSide:
    """What happened in the hall and its loop in one step; temperatures are means over it."""

    flow_w_per_k: float
    fan_w: float
    pump_w: float
    return_c: float
    supply_c: float
    stored_j: float
    """Warming of the room. [J]"""
    loop_j: float = 0.0
    """Warming of the loop. [J]"""
    short: bool = False
    """Whether the supply missed its set point."""


@dataclass(kw_only=True)
class ChilledAir(HallPlant):
    """Room air cooled by chilled water, from water-cooled chillers with towers."""

    chilled_water_c: Celsius
    """Water the chillers supply; where it is reset, the coldest. [degC]"""
    reset: WaterReset | None = None
    air_handlers: AirHandlers
    chilled_water: ChilledWater
    condenser_water: CondenserWater
    tower: CoolingTower

    _moving: WaterReset | None = field(init=False, default=None)
    _rejection: HeatRejection = field(init=False)
    _water_set_c: float = field(init=False, default=0.0)
    """Water they supply now. [degC]"""
    _short_step_s: float = field(init=False, default=_SHORTEST_STEP_S)

    def __post_init__(self) -> None:
        """Check set points against each other and join the parts."""
        super().__post_init__()
        check_supply(self.supply_c, "chilled_water_c", self.chilled_water_c)
        self.chillers.check_condenser("water", "chillers")
        if self.reset is not None and self.reset.by is not None:
            self._check_reset(self.reset)
        self._rejection = self._heat_rejection()
        self.chillers.warnings = self.tower.warnings = self.warnings

    def _check_reset(self, reset: WaterReset) -> None:
        """Refuse a reset that this plant cannot follow."""
        allowed = "load or null: only an economizer makes water without chillers"
        require(reset.by == "load", "reset.by", reset.by, allowed)
        self._check_warmest_water(reset)

    def _check_warmest_water(self, reset: WaterReset) -> None:
        """Refuse water colder than designed, warmer than chillers are known for, or not reached."""
        water_max_c, curves = reset.chilled_water_max_c, self.chillers.curves
        known_c = curves.chilled_range_c[1]
        require(
            self.chilled_water_c <= water_max_c <= known_c,
            "reset.chilled_water_max_c",
            water_max_c,
            f"in chilled_water_c={self.chilled_water_c:g}..{known_c:g} degC, "
            f"to where chiller {curves.name} is known",
        )
        span_k = water_max_c - self.chilled_water_c
        require(
            reset.step_k <= span_k * (1.0 + 1e-9) or span_k == 0.0,
            "reset.step_k",
            reset.step_k,
            f"<= {span_k:g} K, from chilled_water_c to reset.chilled_water_max_c: "
            "water moves in whole steps",
        )

    def _heat_rejection(self) -> HeatRejection:
        """Return what takes the heat out of the chilled water; an economizer replaces it."""
        return HeatRejection(
            chillers=self.chillers, condenser=self.condenser_water, tower=self.tower
        )

    def size(self, design: PlantDesign) -> None:
        """Fix capacities for *design* and rest at the set points."""
        wanted = self._size_hall(design, "chilled air")
        self.air_handlers.size(design.heat_w, wanted, design.altitude_m)
        air, fan_w = self.air_handlers.move(wanted)
        return_c = self.supply_c + design.heat_w / air
        self.chilled_water.water_c = self._water_set_c = self.chilled_water_c
        coil_w = design.heat_w + fan_w
        self._size_coil(coil_w, return_c, air, fan_w)
        self.chilled_water.size(coil_w, design.racks)
        load_w = coil_w + self.chilled_water.pump_w(coil_w)
        self._rejection.size(
            load_w,
            self.chilled_water_c,
            (design.drybulb_c, design.wetbulb_c),
            design.altitude_m,
        )

    def _size_coil(self, coil_w: float, return_c: float, air_w_per_k: float, fan_w: float) -> None:
        """Fix the coil; refuse set points it cannot reach at design."""
        water_return_c = self.chilled_water_c + self.chilled_water.rise_k
        require(
            water_return_c < return_c,
            "chilled_water.rise_k",
            self.chilled_water.rise_k,
            f"such that water returns ({water_return_c:.1f} degC) below the return air "
            f"({return_c:.1f} degC)",
        )
        self.air_handlers.size_coil(air_w_per_k, coil_w / self.chilled_water.rise_k)
        coldest_c = self._open_valve_c(return_c, air_w_per_k, fan_w)
        require(
            coldest_c <= self.supply_c,
            "supply_c",
            self.supply_c,
            f">= {coldest_c:.1f} degC, what the coil reaches at design with water at "
            f"{self.chilled_water_c:g} degC",
        )

    def machines(self) -> dict[str, Machines]:
        """Return chillers, air handlers, pumps between them, and tower cells."""
        water = self.chilled_water
        return {
            "chiller": Machines(self.chillers.installed, self.chillers.set_available),
            "crah": Machines(self.air_handlers.units, self.air_handlers.set_available),
            "chw_pump": Machines(water.pumps, water.set_available),
            "tower": Machines(self.tower.cells, self.tower.set_available),
        }

    def movers(self) -> list[Mover]:
        """Return the fans of the air handlers and the pumps between them and the chillers."""
        return [
            Mover("crah", "air", ("crah_fan",)),
            Mover("chw_pump", "water", ("chw_pump",)),
        ]

    def step(
        self,
        heat_w: float,
        drybulb_c: float,
        wetbulb_c: float,
        dt_s: float,
        apart_w: float = 0.0,
    ) -> PlantState:
        """Advance by *dt_s*, in one step while set points hold and in short ones otherwise."""
        weather_c = (drybulb_c, wetbulb_c)
        return stepped(self._one_step, heat_w, weather_c, dt_s)

    def _one_step(
        self, heat_w: float, weather_c: tuple[float, float], left_s: float
    ) -> tuple[PlantState, float]:
        """Advance by what is left of a beat or less; return what was done and for how long."""
        reset = self._moving
        if reset is not None:
            reset.look(self._move_set_points)
            left_s = reset.until_look_s(left_s)
        floor_c = self._rejection.coldest_c(self.chilled_water, weather_c)
        longest_s = self._rejection.longest_step_s
        step_s = self.chillers.until_restart_s(left_s if left_s < longest_s else longest_s)
        state = None
        if floor_c <= self._water_set_c:
            state = self._hold(heat_w, weather_c, step_s)
        if state is None:
            step_s = min(step_s, self._short_step_s)
            target_c = max(self._water_set_c, floor_c)
            while (state := self._move(heat_w, weather_c, target_c, step_s)) is None:
                step_s *= 0.5
        self._rejection.pass_time(step_s)
        if reset is not None:
            reset.lived(heat_w, weather_c, step_s)
        return state, step_s

    def _move_set_points(
        self,
        reset: WaterReset,
        heat_w: float,
        weather_c: tuple[float, float],
        apart: bool = False,
    ) -> None:
        """Let the set points follow what coils and outdoors can do, if the plant runs.

        Where they are to go *apart*, as a coil asks with its valve open, nothing else moves them.
        """
        air, fan_w = self.air_handlers.move(self._wanted_air(heat_w))
        now = SetPoints(self._supply_set_c, self._water_set_c)
        moved = now
        reach = self._reach(air)
        if reach > 0.0:
            below_k = water_below_supply_k(heat_w / air, fan_w / air, reach)
            below_k += self._rejection.floats_k
            designed = SetPoints(self.supply_c, self.chilled_water_c)
            free_c = self._rejection.free_c(heat_w + fan_w, weather_c)
            moved = reset.moved(now, designed, below_k, free_c)
            if apart and moved.apart_k <= now.apart_k:
                return
        self._supply_set_c, self._water_set_c = moved
        self._rejection.set_point_c = moved.water_c
        reset.moves += moved != now

    def _open_valve_c(self, return_c: float, air_w_per_k: float, fan_w: float) -> float:
        """Supply air with the coil's valve fully open. [degC]."""
        reach = self._reach(air_w_per_k)
        return return_c - reach * (return_c - self.chilled_water.water_c) + fan_w / air_w_per_k

    def _coil_holds(self, return_c: float, air_w_per_k: float, fan_w: float) -> bool:
        """Whether the coil reaches the set point: mostly it would at its design effectiveness."""
        coil = self.air_handlers
        wanted_k = return_c - self._supply_set_c + fan_w / air_w_per_k
        possible_k = (return_c - self.chilled_water.water_c) * self.chilled_water.flow
        if (
            air_w_per_k <= coil.coil_air_w_per_k
            and wanted_k <= coil.coil_effectiveness * possible_k
        ):
            return True
        return wanted_k <= coil.effectiveness(air_w_per_k) * possible_k

    def _reach(self, air_w_per_k: float) -> float:
        """How far an open valve brings the air towards the water. [-]."""
        if air_w_per_k <= 0.0:
            return 0.0
        return self.air_handlers.effectiveness(air_w_per_k) * self.chilled_water.flow

    def _hold(
        self, heat_w: float, weather_c: tuple[float, float], dt_s: float
    ) -> PlantState | None:
        """One exact step at the set points, or None where they cannot be held."""
        water, room = self.chilled_water, self.room
        if abs(water.water_c - self._water_set_c) > _AT_SET_POINT_K:
            return None
        air, fan_w = self.air_handlers.move(self._wanted_air(heat_w))
        if air <= 0.0:
            return None
        return_c, supply_c, stored_j = room.solve(heat_w, air, (self._supply_set_c, 0.0), dt_s)
        coil_w = air * (return_c - supply_c) + fan_w
        if coil_w < 0.0 or not self._coil_holds(return_c, air, fan_w):
            return None
        pump_w = water.pump_w(coil_w)
        done = self._rejection.step(coil_w + pump_w, water.water_c, weather_c, dt_s)
        if done is None:
            return None
        self._short_step_s = _SHORTEST_STEP_S
        hall = _AirSide(air, fan_w, pump_w, return_c, supply_c, stored_j)
        return self._record(hall, done, dt_s)

    def _move(
        self, heat_w: float, weather_c: tuple[float, float], target_c: float, dt_s: float
    ) -> PlantState | None:
        """One short step away from the set points, or None where it is not short enough.

        Coil first, then loop, then chillers.
        """
        water, room = self.chilled_water, self.room
        air, fan_w = self.air_handlers.move(self._wanted_air(heat_w))
        valve, supply = self._valve(heat_w, air, fan_w)
        return_c, supply_c, stored_j = room.solve(heat_w, air, supply, dt_s)
        coil_w = air * (return_c - supply_c) + fan_w
        pump_w = water.pump_w(coil_w, valve == _OPEN)
        before_c = water.water_c
        excess_w = water.heat_j_per_k * (before_c - target_c) / dt_s
        wanted_w = max(0.0, coil_w + pump_w + excess_w)
        most_w = self._rejection.most_w(before_c) if water.flow > 0.0 else 0.0
        load_w = min(wanted_w, most_w)
        warmed_k = (coil_w + pump_w - load_w) * dt_s / water.heat_j_per_k
        if abs(warmed_k) > _TOO_LARGE_K and dt_s > _SHORTEST_STEP_S:
            return None
        water.water_c = before_c + warmed_k
        loop_j = water.heat_j_per_k * warmed_k
        done = self._rejection.step(load_w, before_c, weather_c, dt_s)
        assert done is not None  # the load is not above what was just asked
        if valve == _OPEN and self._moving is not None:
            known_c = self._moving.weather_c or weather_c
            self._move_set_points(self._moving, heat_w, known_c, apart=True)
        short = valve == _OPEN or air <= 0.0
        hall = _AirSide(air, fan_w, pump_w, return_c, supply_c, stored_j, loop_j, short)
        inlet_c = room.inlet_c
        state = self._record(hall, done, dt_s)
        self._pace(abs(room.inlet_c - inlet_c), abs(warmed_k), air, dt_s)
        return state

    def _valve(self, heat_w: float, air: float, fan_w: float) -> tuple[str, tuple[float, float]]:
        """Position of the coil's valve, and the supply air it makes of the return air."""
        held = (self._supply_set_c, 0.0)
        if air <= 0.0:
            return _CLOSED, held
        return_c = self.room.return_c(heat_w, air, held)
        fan_k = fan_w / air
        if self._open_valve_c(return_c, air, fan_w) > self._supply_set_c:
            reach = self._reach(air)
            return _OPEN, (reach * self.chilled_water.water_c + fan_k, 1.0 - reach)
        if return_c + fan_k < self._supply_set_c:
            return _CLOSED, (fan_k, 1.0)
        return _HOLDING, held

    def _pace(self, air_k: float, water_k: float, air: float, dt_s: float) -> None:
        """Choose the next short step from how fast temperatures moved in this one.

        The coil sees the loop as it was at the start of a step, so a step also stays
        well under the time in which the coil could warm the whole loop.
        """
        wanted_s = dt_s * _LARGEST_CHANGE_K / max(air_k, water_k, 1e-9)
        loop_s = 0.25 * self.chilled_water.heat_j_per_k / max(air, 1e-9)
        longest_s = min(_LONGEST_STEP_S, loop_s, 2.0 * self._short_step_s)
        self._short_step_s = max(min(wanted_s, longest_s), min(_SHORTEST_STEP_S, loop_s))

    def _record(self, hall: _AirSide, done: Rejected, dt_s: float) -> PlantState:
        """Take over the room's new state and write down the step."""
        room = self.room
        before_c = room.inlet_c
        room.commit()
        inlet_c = room.inlet_c
        warmed_w = hall.stored_j / dt_s
        reused_heat_w = 0.0
        parts_w = {
            "crah_fan": hall.fan_w,
            "chw_pump": hall.pump_w,
            "chiller": done.chiller_w,
            "cw_pump": done.pump_w,
            "tower_fan": done.fan_w,
        }
        return PlantState(  # by position, in the order of its fields: half the time of names
            hall.fan_w + hall.pump_w + done.chiller_w + done.pump_w + done.fan_w,
            parts_w,
            inlet_c,
            inlet_c if inlet_c > before_c else before_c,
            hall.supply_c,
            hall.return_c,
            warmed_w + hall.flow_w_per_k * (hall.return_c - hall.supply_c),
            max(0.0, warmed_w) if hall.short else 0.0,
            done.ambient_w,
            reused_heat_w,
            hall.stored_j + hall.loop_j + done.stored_j,
            done.water_kg_per_s,
            done.free_fraction,
        )
