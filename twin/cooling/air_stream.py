"""What plants that cool the hall's air with outdoor air have in common.

The outdoors gives what it can; a trim chiller adds what is missing; the rest, if any,
shows as a supply above its set point. Subclasses say only what the outdoors gives.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from twin.config import AtLeastOne, Celsius, PositiveFraction
from twin.cooling.base import CoolingPlant, PlantDesign, PlantState
from twin.cooling.beats import joined
from twin.cooling.chillers import Chillers
from twin.cooling.crah import SupplyFans
from twin.cooling.limits import check_rack
from twin.cooling.room import Containment, Room, chosen_containment
from twin.errors import ParameterError, require, suggest
from twin.physics.thermal import WATER_LATENT_HEAT

_SHORT_STEP_S = 10.0
"""Step while the supply misses its set point. [s]"""


@dataclass(slots=True)
class Outdoors:
    """What outdoor air does for the hall's air at one moment."""

    air_c: float
    """Air before trim and supply fan. [degC]"""
    heat_w: float
    """Heat carried outdoors by it. [W]"""
    line: tuple[float, float]
    """At its most, it gives air of ``c0 + c1 * return``."""
    fan_w: float = 0.0
    evaporated_w: float = 0.0
    """Part of the heat that leaves as vapour. [W]"""


@dataclass(kw_only=True)
class AirStreamPlant(CoolingPlant):
    """Supply fans, outdoor air, and a trim chiller for the days it does not suffice."""

    units: ClassVar[tuple[str, ...]] = ("fan", "chiller")

    supply_c: Celsius
    containment: str
    containments: dict[str, Containment]
    room: Room
    fans: SupplyFans
    chillers: Chillers
    """The trim: air-cooled machines on a coil in the supply air."""
    trim_water_c: Celsius
    """Water the trim chillers make. [degC]"""
    trim_fraction: PositiveFraction
    """Trim capacity over the design heat. [-]"""
    spray_pump_kw_per_kw: PositiveFraction
    """Pumping per heat evaporated. [kW/kW]"""
    cycles_of_concentration: AtLeastOne

    _contained: Containment = field(init=False)
    _airflow_ratio: float = field(init=False, default=1.0)

    def __post_init__(self) -> None:
        """Check set points against each other."""
        self._contained = chosen_containment(self.containment, self.containments)
        require(
            self.cycles_of_concentration > 1.0,
            "cycles_of_concentration",
            self.cycles_of_concentration,
            "> 1, or all water would be blown down",
        )
        require(
            self.supply_c > self.trim_water_c,
            "supply_c",
            self.supply_c,
            f"above trim_water_c={self.trim_water_c:g} degC, the water that cools it",
        )
        self.chillers.warnings = self.warnings

    def size(self, design: PlantDesign) -> None:
        """Fix capacities for *design* and rest at the set point."""
        contained = self._contained
        check_rack(
            design.rack_w, contained.rack_limit_kw, f"{self.containment} outdoor-air cooling"
        )
        self._airflow_ratio = contained.airflow_ratio
        self.room.recirculation = contained.recirculation
        self.room.size(design.heat_w, design.racks, design.servers, design.altitude_m)
        wanted = self.room.server_flow_w_per_k(design.heat_w) * contained.airflow_ratio
        self.fans.size(design.heat_w, wanted, design.altitude_m)
        self._size_outdoors(design, wanted)
        self.chillers.size(self.trim_fraction * design.heat_w, self.trim_water_c, design.drybulb_c)
        self.room.settle(self.supply_c + contained.recirculation * design.heat_w / wanted)

    def _size_outdoors(self, design: PlantDesign, air_w_per_k: float) -> None:
        """Size what faces the outdoors; nothing, unless a subclass has something there."""

    @abstractmethod
    def _outdoors(
        self, return_c: float, wanted_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Return what the outdoors gives when air is wanted at *wanted_c* before the fan."""

    def installed(self) -> dict[str, int]:
        """Return how many machines each of ``units`` consists of."""
        return {"fan": self.fans.units, "chiller": self.chillers.installed}

    def set_available(self, unit: str, fraction: float) -> None:
        """Trip or repair a fraction of the supply fans or of the trim chillers."""
        require(0.0 <= fraction <= 1.0, "fraction", fraction, "in 0..1")
        if unit == "fan":
            self.fans.available = fraction
        elif unit == "chiller":
            self.chillers.set_available(fraction)
        else:
            raise ParameterError(f"unit={unit}: {suggest(unit, self.units)}")

    def step(self, heat_w: float, drybulb_c: float, wetbulb_c: float, dt_s: float) -> PlantState:
        """Advance by *dt_s*, in one step while the set point holds and in short ones if not."""
        states: list[PlantState] = []
        durations_s: list[float] = []
        left_s = dt_s
        weather_c = (drybulb_c, min(wetbulb_c, drybulb_c))
        while True:
            step_s = self.chillers.until_restart_s(left_s)
            state = self._advance(heat_w, weather_c, step_s, (self.supply_c, 0.0))
            if state is None:
                step_s = min(step_s, _SHORT_STEP_S)
                line = self._most_it_gives(heat_w, weather_c)
                state = self._advance(heat_w, weather_c, step_s, line)
                assert state is not None  # at its most, a plant always has a step
            self.chillers.pass_time(step_s)
            left_s -= step_s
            if left_s <= 0.0 and not states:
                return state
            states.append(state)
            durations_s.append(step_s)
            if left_s <= 0.0:
                return joined(states, durations_s)

    def _trim_most_w(self, drybulb_c: float) -> float:
        unit_w, _ = self.chillers.unit_w(self.trim_water_c, drybulb_c)
        return self.chillers.can_run * unit_w * self.chillers.curves.part_load_max

    def _most_it_gives(self, heat_w: float, weather_c: tuple[float, float]) -> tuple[float, float]:
        """Supply air as a line in the return air, with everything at full."""
        air, fan_w = self._air(heat_w)
        if air <= 0.0:
            return self.supply_c, 0.0
        return_c = self.room.return_c(heat_w, air, (self.supply_c, 0.0))
        c0, c1 = self._outdoors(return_c, -273.0, air, weather_c).line
        return c0 + (fan_w - self._trim_most_w(weather_c[0])) / air, c1

    def _air(self, heat_w: float) -> tuple[float, float]:
        wanted = self.room.server_flow_w_per_k(heat_w) * self._airflow_ratio
        return self.fans.move(wanted)

    def _advance(
        self,
        heat_w: float,
        weather_c: tuple[float, float],
        dt_s: float,
        supply: tuple[float, float],
    ) -> PlantState | None:
        """One exact step with that supply, or None where the set point needs more than there is."""
        holding = supply == (self.supply_c, 0.0)
        room, chillers = self.room, self.chillers
        air, fan_w = self._air(heat_w)
        return_c, supply_c, stored_j = room.solve(heat_w, air, supply, dt_s)
        drybulb_c = weather_c[0]
        got = Outdoors(return_c, 0.0, (0.0, 1.0))
        trim_w = trim_power_w = 0.0
        if air > 0.0:
            wanted_c = supply_c - fan_w / air
            got = self._outdoors(return_c, wanted_c, air, weather_c)
            trim_w = air * (got.air_c - wanted_c)
            most_w = self._trim_most_w(drybulb_c)
            if holding and trim_w > most_w:
                return None
            if trim_w > 1e-9 * air:
                unit_w, _ = chillers.unit_w(self.trim_water_c, drybulb_c)
                units = max(1, chillers.staged(trim_w, unit_w))
                trim_power_w = chillers.power_w(trim_w, units, self.trim_water_c, drybulb_c)
        before_c = room.inlet_c
        room.commit()
        spray_w = self.spray_pump_kw_per_kw * got.evaporated_w
        cycles = self.cycles_of_concentration
        return PlantState(
            power_w=fan_w + got.fan_w + spray_w + trim_power_w,
            parts_w={
                "supply_fan": fan_w,
                "outdoor_fan": got.fan_w,
                "spray_pump": spray_w,
                "trim": trim_power_w,
            },
            inlet_c=room.inlet_c,
            inlet_max_c=max(before_c, room.inlet_c),
            supply_c=supply_c,
            return_c=return_c,
            heat_in_w=stored_j / dt_s + air * (return_c - supply_c),
            unmet_w=0.0 if holding and air > 0.0 else max(0.0, stored_j / dt_s),
            ambient_heat_w=got.heat_w + got.fan_w + spray_w + trim_w + trim_power_w,
            reused_heat_w=0.0,
            stored_j=stored_j,
            water_kg_per_s=got.evaporated_w / WATER_LATENT_HEAT * cycles / (cycles - 1.0),
            free_fraction=1.0 if air > 0.0 and trim_power_w == 0.0 else 0.0,
        )
