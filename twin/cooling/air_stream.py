"""What plants that cool the hall's air with outdoor air have in common.

The outdoors gives what it can; a trim chiller adds what is missing; the rest, if any,
shows as a supply above its set point. Subclasses say only what the outdoors gives.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Annotated

from twin.config import Celsius, PositiveFraction, Range
from twin.cooling.base import Machines, Mover, PlantDesign, PlantState
from twin.cooling.beats import stepped
from twin.cooling.checks import check_supply, check_supply_max
from twin.cooling.crah import SupplyFans
from twin.cooling.hall import HallPlant
from twin.cooling.reset import Steps, SupplyReset, kept_above_c

_SHORT_STEP_S = 10.0
"""Step while the supply misses its set point. [s]"""
_NO_TRIM_K = 1e-9
"""Cooling of the air by the trim coil that is none. [K]"""


@dataclass(slots=True)
class Outdoors:
    """What outdoor air does for the hall's air at one moment, and what it leaves to the trim."""

    heat_w: float
    """Heat it carries away, sensible and latent and of its own fans, less what it brings. [W]"""
    trim_w: float
    """Heat the trim coil has to take, condensation included. [W]"""
    fan_w: float = 0.0
    sprayed_w: float = 0.0
    """Heat that wetted surfaces take: what water is pumped over them for. [W]"""
    evaporated_kg_per_s: float = 0.0


_NOTHING = Outdoors(0.0, 0.0)


@dataclass(slots=True)
class _Worked:
    """What the machines did in one step: their electricity, and the heat they handed on."""

    fan_w: float
    outdoor_fan_w: float
    spray_w: float
    trim_w: float
    """Electricity of the trim chillers. [W]"""
    ambient_w: float
    heat_in_w: float
    stored_j: float
    evaporated_kg_per_s: float


@dataclass(kw_only=True)
class AirStreamPlant(HallPlant):
    """Supply fans, outdoor air, and a trim chiller for the days it does not suffice."""

    reset: SupplyReset | None = None
    _moving: SupplyReset | None = field(init=False, default=None)
    _missed: bool = field(init=False, default=False)
    """Whether the supply missed its set point last: then a mean over a long beat hides it."""
    fans: SupplyFans
    trim_water_c: Celsius
    """Water the trim chillers make for a coil in the supply air. [degC]"""
    trim_fraction: PositiveFraction
    """Trim capacity over the design heat. [-]"""
    spray_pump_kw_per_kw: PositiveFraction
    """Pumping per heat that wetted surfaces take. [kW/kW]"""
    cycles_of_concentration: Annotated[float, Range(1.0, 20.0, open_low=True)]
    """At 1 all water would be blown down. [-]"""

    def __post_init__(self) -> None:
        """Check set points against each other."""
        super().__post_init__()
        check_supply(self.supply_c, "trim_water_c", self.trim_water_c)
        self.chillers.check_condenser("air", "chillers")
        if self.reset is not None and self.reset.by is not None:
            check_supply_max(self.reset.supply_max_c, self.supply_c)
        self.chillers.warnings = self.warnings

    def size(self, design: PlantDesign) -> None:
        """Fix capacities for *design* and rest at the set point."""
        wanted = self._size_hall(design, "outdoor-air cooling")
        self._missed = False
        self.fans.size(design.heat_w, wanted, design.altitude_m)
        self._size_outdoors(design, wanted)
        _, fan_w = self.fans.move(wanted)
        load_w = self.trim_fraction * (design.heat_w + fan_w)
        self.chillers.size(load_w, self.trim_water_c, design.drybulb_c)

    def _size_outdoors(self, design: PlantDesign, air_w_per_k: float) -> None:
        """Size what faces the outdoors; nothing, unless a subclass has something there."""

    @abstractmethod
    def _outdoors(
        self, air_c: tuple[float, float], air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Return what the outdoors does to *air_w_per_k* of air.

        *air_c* are the air returning from the hall and the air wanted before the supply fan.
        """

    @abstractmethod
    def _coldest(
        self, return_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> tuple[float, float]:
        """Return ``(c0, c1)``: at its most, the plant gives air of ``c0 + c1 return``."""

    def machines(self) -> dict[str, Machines]:
        """Return the supply fans and the trim chillers."""
        return {
            "fan": Machines(self.fans.units, self.fans.set_available),
            "chiller": Machines(self.chillers.installed, self.chillers.set_available),
        }

    def movers(self) -> list[Mover]:
        """Return the fans, with what wets the outdoor air they draw."""
        return [Mover("fan", "air", ("supply_fan", "outdoor_fan", "spray_pump"))]

    def step(
        self,
        heat_w: float,
        drybulb_c: float,
        wetbulb_c: float,
        dt_s: float,
        apart_w: float = 0.0,
    ) -> PlantState:
        """Advance by *dt_s*, in one step while the set point holds and in short ones if not."""
        weather_c = (drybulb_c, min(wetbulb_c, drybulb_c))
        return stepped(self._one_step, heat_w, weather_c, dt_s)

    def _one_step(
        self, heat_w: float, weather_c: tuple[float, float], left_s: float
    ) -> tuple[PlantState, float]:
        """Advance by what is left of a beat or less; return what was done and for how long."""
        reset = self._moving
        if reset is not None:
            reset.look(self._move_set_point)
            left_s = reset.until_look_s(left_s)
        held = self._supply_set_c, 0.0
        step_s = self.chillers.until_restart_s(left_s)
        state = None
        if not self._missed:
            state = self._advance(heat_w, weather_c, step_s, held)
        if state is None:
            step_s = min(step_s, _SHORT_STEP_S)
            state = self._advance(heat_w, weather_c, step_s, held)
        if state is None:
            line = self._floating(heat_w, weather_c, step_s)
            state = self._advance(heat_w, weather_c, step_s, line)
            assert state is not None  # only a set point can be refused
        self.chillers.pass_time(step_s)
        if reset is not None:
            reset.lived(heat_w, weather_c, step_s)
        return state, step_s

    def _move_set_point(
        self, reset: SupplyReset, heat_w: float, weather_c: tuple[float, float]
    ) -> None:
        """Let the supply follow what the outdoors carries alone."""
        now_c = self._supply_set_c
        steps = reset.steps(self.supply_c, reset.supply_max_c)
        air, fan_w = self.fans.move(self._wanted_air(heat_w))
        if air > 0.0:
            free_c = self._trim_free_c(heat_w / air, fan_w / air, air, weather_c, steps)
            self._supply_set_c = kept_above_c(now_c, free_c, steps)
        reset.moves += self._supply_set_c != now_c

    def _trim_free_c(
        self, rise_k: float, fan_k: float, air: float, weather_c: tuple[float, float], steps: Steps
    ) -> float:
        """Coolest step of the supply at which the outdoors leaves nothing to the trim. [degC]."""
        supply_c = steps.least_c
        while supply_c <= steps.most_c:
            got = self._outdoors((supply_c + rise_k, supply_c - fan_k), air, weather_c)
            if got.trim_w <= _NO_TRIM_K * air:
                return supply_c
            supply_c += steps.step_k
        return math.inf

    def _trim_most_w(self, drybulb_c: float) -> float:
        unit_w, _ = self.chillers.unit_w(self.trim_water_c, drybulb_c)
        return self.chillers.can_run * unit_w * self.chillers.curves.part_load_max

    def _floating(
        self, heat_w: float, weather_c: tuple[float, float], dt_s: float
    ) -> tuple[float, float]:
        """Supply air as a line in the return air where the set point cannot be held."""
        air, fan_w = self.fans.move(self._wanted_air(heat_w))
        if air <= 0.0:
            return self._supply_set_c, 0.0
        return_c, _, _ = self.room.solve(heat_w, air, (self._supply_set_c, 0.0), dt_s)
        if return_c + fan_w / air < self._supply_set_c:
            return fan_w / air, 1.0  # a cold hall: the air goes round until it has warmed up
        c0, c1 = self._coldest(return_c, air, weather_c)
        return c0 + fan_w / air, c1

    def _advance(
        self,
        heat_w: float,
        weather_c: tuple[float, float],
        dt_s: float,
        supply: tuple[float, float],
    ) -> PlantState | None:
        """One exact step with that supply; None where it is the set point and cannot be held."""
        holding = supply == (self._supply_set_c, 0.0)
        room, chillers = self.room, self.chillers
        air, fan_w = self.fans.move(self._wanted_air(heat_w))
        return_c, supply_c, stored_j = room.solve(heat_w, air, supply, dt_s)
        drybulb_c = weather_c[0]
        got = _NOTHING
        trim_power_w = 0.0
        if air > 0.0:
            wanted_c = supply_c - fan_w / air
            if holding and return_c < wanted_c:
                return None
            got = self._outdoors((return_c, wanted_c), air, weather_c)
            if holding and got.trim_w > self._trim_most_w(drybulb_c):
                return None
            if got.trim_w > _NO_TRIM_K * air:
                unit_w, _ = chillers.unit_w(self.trim_water_c, drybulb_c)
                units = max(1, chillers.staged(got.trim_w, unit_w))
                trim_power_w = chillers.power_w(got.trim_w, units, self.trim_water_c, drybulb_c)
        spray_w = self.spray_pump_kw_per_kw * got.sprayed_w
        ambient_w = got.heat_w + spray_w + got.trim_w + trim_power_w
        heat_in_w = stored_j / dt_s + air * (return_c - supply_c)
        worked = _Worked(
            fan_w,
            got.fan_w,
            spray_w,
            trim_power_w,
            ambient_w,
            heat_in_w,
            stored_j,
            got.evaporated_kg_per_s,
        )
        missed = self._missed = supply_c > self._supply_set_c or air <= 0.0
        return self._record(worked, (supply_c, return_c), missed, dt_s)

    def _record(
        self, worked: _Worked, air_c: tuple[float, float], missed: bool, dt_s: float
    ) -> PlantState:
        """Take over the room's new state and write down the step."""
        room, cycles = self.room, self.cycles_of_concentration
        before_c = room.inlet_c
        room.commit()
        supply_c, return_c = air_c
        inlet_c = room.inlet_c
        reused_heat_w = 0.0
        free = worked.trim_w == 0.0 and self.fans.available > 0.0
        parts_w = {
            "supply_fan": worked.fan_w,
            "outdoor_fan": worked.outdoor_fan_w,
            "spray_pump": worked.spray_w,
            "trim": worked.trim_w,
        }
        return PlantState(  # by position, in the order of its fields: half the time of names
            worked.fan_w + worked.outdoor_fan_w + worked.spray_w + worked.trim_w,
            parts_w,
            inlet_c,
            inlet_c if inlet_c > before_c else before_c,
            supply_c,
            return_c,
            worked.heat_in_w,
            max(0.0, worked.stored_j / dt_s) if missed else 0.0,
            worked.ambient_w,
            reused_heat_w,
            worked.stored_j,
            worked.evaporated_kg_per_s * cycles / (cycles - 1.0),
            1.0 if free else 0.0,
        )
