"""Liquid-cooled racks: coolant at the chips, a distribution unit, a water loop outdoors.

The coolant takes its share of the servers' heat; the rest, and all heat of switches, storage
and losses, is left to the air, which any air plant may cool, nested under ``air``. A tank of
dielectric liquid is the same plant with all of the heat in the liquid and no air.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import cache

from twin.config import Celsius, NonNegative, Positive, PositiveFraction, UnitsOrZero
from twin.cooling.base import CoolingPlant, Machines, Mover, PlantDesign, PlantState
from twin.cooling.beats import stepped
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.limits import check_rack
from twin.cooling.rejection import OutdoorRejection, Rejected
from twin.errors import require
from twin.physics.flow import affinity_power_w
from twin.physics.thermal import WATER_CP, WATER_DENSITY, relax

_SHORTEST_STEP_S = 1.0
_LONGEST_STEP_S = 60.0
_WARMEST_CLASS_C = 45.0
"""Facility water of class W45, ASHRAE TC 9.9, 5th edition, 2021; the class above has no limit."""
_LARGEST_CHANGE_K = 0.1
_AT_SET_POINT_K = 1e-9
_WORTH_SAYING_K = 1.0
"""Coolant warmer than its set point in the warmest hour, by design or by mistake. [K]"""
AIR = "air_"
"""Before the names of what belongs to the air plant."""


@cache  # the same few names at every beat
def _of_air(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what parts of the air plant are called in the whole plant."""
    return tuple(AIR + name for name in names)


@dataclass(slots=True, kw_only=True)
class DistributionUnits:
    """Pumps and exchangers between the coolant in the racks and the facility's water."""

    unit_kw: Positive
    """Heat one unit carries at design; sets how many there are. [kW]"""
    spares: UnitsOrZero
    approach_k: Positive
    """Coolant supplied above the facility water, at design heat. [K]"""
    pump_kw_per_kw: Positive
    """Pumps and controls per heat carried, at design. [kW/kW]"""
    pump_exponent: Positive
    min_flow: PositiveFraction
    volume_l_per_rack: Positive
    """Coolant in racks and units, as litres of water of the same heat capacity. [L]"""
    still_l_per_rack: Positive
    """What of it, with the metal of the cold plates, heat reaches while no pump runs. [L]"""

    coolant_c: float = field(init=False, default=0.0)
    """Coolant supplied to the racks. [degC]"""
    duty_units: int = field(init=False, default=1)
    available: float = field(init=False, default=1.0)
    """What the units in service carry, over the design heat; spares cover theirs. [-]"""
    heat_j_per_k: float = field(init=False, default=0.0)
    _still_share: float = field(init=False, default=1.0)
    _rest_c: float = field(init=False, default=0.0)
    """Coolant away from the cold plates, while it stands. [degC]"""
    _design_w: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Check the volumes against each other."""
        require(
            self.still_l_per_rack <= self.volume_l_per_rack,
            "still_l_per_rack",
            self.still_l_per_rack,
            f"<= volume_l_per_rack={self.volume_l_per_rack:g} L, of which it is a part",
        )
        self._still_share = self.still_l_per_rack / self.volume_l_per_rack

    def size(self, heat_w: float, racks: int) -> None:
        """Fix the exchangers for *heat_w* and the coolant for the racks."""
        self._design_w = heat_w
        self.duty_units = max(1, math.ceil(heat_w / (self.unit_kw * 1e3)))
        self.heat_j_per_k = racks * self.volume_l_per_rack * 1e-3 * WATER_DENSITY * WATER_CP

    @property
    def installed(self) -> int:
        """Duty units and spares."""
        return self.duty_units + self.spares

    def set_available(self, fraction: float) -> None:
        """Let a fraction of the units be in service; all share one manifold.

        Without any the coolant stands: what the cold plates hold warms alone, and mixes with
        the rest when it moves again.
        """
        before, self.available = (
            self.available,
            min(1.0, fraction * self.installed / self.duty_units),
        )
        if before > 0.0 >= self.available:
            self._rest_c = self.coolant_c
        elif self.available > 0.0 >= before:
            self.coolant_c = self._rest_c + self._still_share * (self.coolant_c - self._rest_c)

    def pump_w(self, heat_w: float) -> float:
        """Power of pumps and controls, all of it into the coolant. [W]."""
        flow = heat_w / self._design_w
        if flow < self.min_flow:
            flow = self.min_flow
        elif flow > 1.0:
            flow = 1.0
        full_w = self.pump_kw_per_kw * self._design_w * self.available
        return affinity_power_w(full_w, flow, self.pump_exponent)

    def exchange(
        self, heat_w: float, water_c: float, dt_s: float, water_flows: bool = True
    ) -> tuple[float, float]:
        """Advance the coolant; return the heat given to the water and the stored heat. [W], [J].

        ``C T' = Q - K (T - Tw)`` with K the design heat over the design approach: exact. Where
        the water stands the coolant keeps all the heat; where the coolant itself stands, what
        the cold plates hold does.
        """
        if self.available <= 0.0 or not water_flows:
            held = self.heat_j_per_k * (self._still_share if self.available <= 0.0 else 1.0)
            self.coolant_c += heat_w * dt_s / held
            return 0.0, heat_w * dt_s
        design_w = self._design_w * (1.0 + self.pump_kw_per_kw)
        conductance = self.available * design_w / self.approach_k
        target_c = water_c + heat_w / conductance
        steps = dt_s * conductance / self.heat_j_per_k
        change_k, mean_c = relax(self.coolant_c, target_c, steps)
        self.coolant_c += change_k
        return conductance * (mean_c - water_c), self.heat_j_per_k * change_k


@dataclass(slots=True, kw_only=True)
class HeatReuse:
    """Somebody who takes warm water: a district network, a greenhouse."""

    sink_c: Celsius
    """Temperature the taker needs. [degC]"""
    approach_k: Positive
    demand_kw: NonNegative

    def taken_w(self, return_c: float, flow_w_per_k: float) -> float:
        """Heat taken from water returning at *return_c*. [W]."""
        above_k = return_c - self.approach_k - self.sink_c
        return min(self.demand_kw * 1e3, max(0.0, flow_w_per_k * above_k))


@dataclass(slots=True)
class _Liquid:
    """What the liquid side did in one step."""

    heat_in_w: float
    cdu_w: float
    pump_w: float
    reused_w: float
    stored_j: float
    done: Rejected
    return_c: float
    """Water back from the racks, before any of its heat is reused. [degC]"""
    short: bool


@dataclass(kw_only=True)
class DirectLiquid(CoolingPlant):
    """Base of the liquid plants; subclasses say how the facility water is cooled."""

    coolant_c: Celsius
    """Coolant supplied to the racks. [degC]"""
    capture_fraction: PositiveFraction
    """Share of the servers' heat that the coolant takes; where it is 1, it takes that of switches,
    storage and losses too. [-]"""
    rack_limit_kw: Positive
    distribution: DistributionUnits
    facility_water: ChilledWater
    air: CoolingPlant | None
    """Plant for the heat that stays in the air; none where the coolant takes all."""
    equivalent_inlet_c: Celsius
    """Air inlet at which a server's silicon is as warm as with coolant at its set point: what is
    reported where there is no air. [degC]"""
    reuse: HeatReuse | None

    _rejection: OutdoorRejection = field(init=False)
    _water_set_c: float = field(init=False, default=0.0)
    _short_step_s: float = field(init=False, default=_SHORTEST_STEP_S)

    def __post_init__(self) -> None:
        """Check shares against what there is to carry them."""
        require(
            (self.air is None) == (self.capture_fraction >= 1.0),
            "capture_fraction",
            self.capture_fraction,
            "1 without an 'air' plant and below 1 with one: no heat may be left over",
        )
        approach_k = self.distribution.approach_k
        self._water_set_c = self.coolant_c - approach_k
        require(
            self._water_set_c > 0.0,
            "coolant_c",
            self.coolant_c,
            f"> {approach_k:g} degC, or the facility water, colder by distribution.approach_k, "
            "would freeze",
        )
        self._rejection = self._water_cooling()
        if self.air is not None:
            self.air.warnings = self.warnings

    @abstractmethod
    def _water_cooling(self) -> OutdoorRejection:
        """Return what cools the facility water."""

    def size(self, design: PlantDesign) -> None:
        """Fix capacities for *design* and rest at the set points."""
        check_rack(design.rack_w, self.rack_limit_kw * 1e3, "liquid cooling as configured")
        liquid_w, air_w = self._shares(design.heat_w, design.apart_w)
        self.distribution.size(liquid_w, design.racks)
        water = self.facility_water
        water.water_c = self._water_set_c
        loop_w = liquid_w + self.distribution.pump_w(liquid_w)
        water.size(loop_w, design.racks)
        load_w = loop_w + water.pump_w(loop_w)
        weather_c = (design.drybulb_c, design.wetbulb_c)
        self._rejection.size(load_w, self._water_set_c, weather_c, design.altitude_m)
        self._check_reach(load_w, weather_c)
        self._check_class()
        self.distribution.coolant_c = self.coolant_c
        if self.air is not None:
            rack_w = design.rack_w * (1.0 - self.capture_fraction)
            self.air.size(replace(design, heat_w=air_w, rack_w=rack_w))

    def _shares(self, heat_w: float, apart_w: float) -> tuple[float, float]:
        """Return the heat that the coolant takes, and what is left to the air. [W], [W]."""
        if self.air is None:
            return heat_w, 0.0
        server_w = heat_w - apart_w
        return self.capture_fraction * server_w, (1.0 - self.capture_fraction) * server_w + apart_w

    def _check_reach(self, load_w: float, weather_c: tuple[float, float]) -> None:
        """Warn of a coolant that the outdoors cannot make in the site's warm design hour."""
        reached_c = self._rejection.reached_c(load_w, weather_c) + self.distribution.approach_k
        over_k = reached_c - self.coolant_c
        if over_k > _WORTH_SAYING_K:
            drybulb_c, wetbulb_c = weather_c
            self.warnings.append(
                f"cooling.coolant_c={self.coolant_c:g}: at full heat in the site's warm design "
                f"hour ({drybulb_c:g} degC, wet bulb {wetbulb_c:g} degC) the coolant comes no "
                f"colder than {reached_c:.1f} degC; servers then warm as in air {over_k:.1f} K "
                f"warmer; keys: coolant_c, distribution.approach_k, {self._rejection.reach_keys}"
            )

    def _check_class(self) -> None:
        """Warn of a coolant at which chips cannot be as cool as they are taken to be."""
        if self._water_set_c > _WARMEST_CLASS_C:
            self.warnings.append(
                f"cooling.coolant_c={self.coolant_c:g}: the facility water, {self._water_set_c:g} "
                f"degC, is warmer than ASHRAE's class W45 allows; chips are still taken to be as "
                f"cool as in air of {self.equivalent_inlet_c:g} degC; keys: coolant_c, "
                "equivalent_inlet_c"
            )

    def rack_limit_w(self) -> float:
        """Return what a rack may draw: what the coolant carries, and the air its share. [W]."""
        limit_w = self.rack_limit_kw * 1e3
        if self.air is None:
            return limit_w
        return min(limit_w, self.air.rack_limit_w() / (1.0 - self.capture_fraction))

    def liquid_fraction(self) -> float:
        """Return the share of the servers' heat that leaves them in liquid, by design."""
        return self.capture_fraction

    def set_point_moves(self) -> int | None:
        """Return how often the air plant, if any, moved its set points; the liquid's stand."""
        return None if self.air is None else self.air.set_point_moves()

    def machines(self) -> dict[str, Machines]:
        """Return distribution units, pumps, what cools the water, and those of the air plant."""
        units, water = self.distribution, self.facility_water
        beside = {} if self.air is None else self.air.machines()
        return {
            "cdu": Machines(units.installed, units.set_available),
            "pump": Machines(water.pumps, water.set_available),
            **self._outdoor_machines(),
            "chiller": self._chillers(beside.pop("chiller", None)),
            **{f"{AIR}{unit}": machines for unit, machines in beside.items()},
        }

    @abstractmethod
    def _outdoor_machines(self) -> dict[str, Machines]:
        """Return what gives the heat of the water to the outdoors."""

    def _chillers(self, beside: Machines | None) -> Machines:
        """Return the chillers, those of the air plant or none."""
        return beside or Machines(1, self._miss_chillers)

    def _miss_chillers(self, _: float) -> None:
        text = "there is no chiller in this plant: tripping it has no effect"
        if text not in self.warnings:
            self.warnings.append(text)

    def until_restart_s(self) -> float:
        """Return the time until chillers on their way back are back; ``inf``: none are [s]."""
        return math.inf if self.air is None else self.air.until_restart_s()

    def movers(self) -> list[Mover]:
        """Return the pumps on both sides of the distribution units, and those of the air plant."""
        beside = [] if self.air is None else self.air.movers()
        return [
            Mover("cdu", "water", ("cdu_pump",)),
            Mover("pump", "water", ("facility_pump",)),
            *(
                Mover(f"{AIR}{unit}", moves, tuple(f"{AIR}{part}" for part in parts))
                for unit, moves, parts in beside
            ),
        ]

    def step(
        self,
        heat_w: float,
        drybulb_c: float,
        wetbulb_c: float,
        dt_s: float,
        apart_w: float = 0.0,
    ) -> PlantState:
        """Advance by *dt_s*: the coolant's share, then the air's."""
        weather_c = (drybulb_c, wetbulb_c)
        liquid_w, air_w = self._shares(heat_w, apart_w)
        liquid = stepped(self._one_step, liquid_w, weather_c, dt_s)
        if self.air is None:
            return liquid
        air = self.air.step(air_w, drybulb_c, wetbulb_c, dt_s)
        _add_air(liquid, air, self.equivalent_inlet_c)
        return liquid

    def _one_step(
        self, liquid_w: float, weather_c: tuple[float, float], left_s: float
    ) -> tuple[PlantState, float]:
        """Advance by what is left of a beat or less; return what was done and for how long."""
        floor_c = self._rejection.coldest_c(self.facility_water, weather_c)
        longest_s = self._rejection.longest_step_s
        step_s = left_s if left_s < longest_s else longest_s
        before_c = self.distribution.coolant_c
        did = None
        if floor_c <= self._water_set_c:
            did = self._hold(liquid_w, weather_c, step_s)
        if did is None:
            step_s = min(step_s, self._short_step_s)
            did = self._move(liquid_w, weather_c, max(self._water_set_c, floor_c), step_s)
        self._rejection.pass_time(step_s)
        return self._record(did, before_c, step_s), step_s

    def _hold(self, liquid_w: float, weather_c: tuple[float, float], dt_s: float) -> _Liquid | None:
        """One exact step at the water's set point, or None where it cannot be held."""
        water, cdu = self.facility_water, self.distribution
        if abs(water.water_c - self._water_set_c) > _AT_SET_POINT_K or water.flow <= 0.0:
            return None
        cdu_w = cdu.pump_w(liquid_w)
        coolant_c = cdu.coolant_c
        given_w, stored_j = cdu.exchange(liquid_w + cdu_w, water.water_c, dt_s)
        pump_w = water.pump_w(given_w if given_w > 0.0 else 0.0)
        load_w = given_w + pump_w
        return_c = water.return_c
        reused_w = 0.0 if self.reuse is None else self._reused_w(self.reuse, max(load_w, 0.0))
        done = self._rejection.step(load_w - reused_w, water.water_c, weather_c, dt_s)
        if done is None or load_w < reused_w:
            cdu.coolant_c = coolant_c
            return None
        self._short_step_s = _SHORTEST_STEP_S
        heat_in_w = given_w + stored_j / dt_s - cdu_w
        short = cdu.available < 1.0
        return _Liquid(heat_in_w, cdu_w, pump_w, reused_w, stored_j, done, return_c, short)

    def _move(
        self, liquid_w: float, weather_c: tuple[float, float], target_c: float, dt_s: float
    ) -> _Liquid:
        """One short step away from the set point: coolant first, then the water."""
        water, cdu = self.facility_water, self.distribution
        before_c, coolant_c = water.water_c, cdu.coolant_c
        cdu_w = cdu.pump_w(liquid_w)
        flows = water.flow > 0.0
        given_w, stored_j = cdu.exchange(liquid_w + cdu_w, before_c, dt_s, flows)
        pump_w = water.pump_w(max(given_w, 0.0))
        excess_w = water.heat_j_per_k * (before_c - target_c) / dt_s
        wanted_w = max(0.0, given_w + pump_w + excess_w) if flows else 0.0
        return_c = water.return_c
        reused_w = 0.0 if self.reuse is None else self._reused_w(self.reuse, wanted_w)
        load_w = min(wanted_w - reused_w, self._rejection.most_w(before_c))
        warmed_k = (given_w + pump_w - reused_w - load_w) * dt_s / water.heat_j_per_k
        water.water_c = before_c + warmed_k
        done = self._rejection.step(load_w, before_c, weather_c, dt_s)
        assert done is not None  # the load is not above what was just asked
        heat_in_w = given_w + stored_j / dt_s - cdu_w
        stored_j += water.heat_j_per_k * warmed_k
        fastest_k = max(abs(warmed_k), abs(cdu.coolant_c - coolant_c), 1e-9)
        wanted_s = dt_s * _LARGEST_CHANGE_K / fastest_k
        loop_s = 0.25 * water.heat_j_per_k / max(water.flow_w_per_k, 1e-9)
        longest_s = min(_LONGEST_STEP_S, loop_s, 2.0 * self._short_step_s)
        self._short_step_s = max(min(wanted_s, longest_s), min(_SHORTEST_STEP_S, loop_s))
        return _Liquid(heat_in_w, cdu_w, pump_w, reused_w, stored_j, done, return_c, True)

    def _reused_w(self, reuse: HeatReuse, most_w: float) -> float:
        """Heat taken from the returning water, which comes to the outdoors that much colder."""
        water = self.facility_water
        if water.flow_w_per_k <= 0.0:
            return 0.0
        taken_w = min(reuse.taken_w(water.return_c, water.flow_w_per_k), most_w)
        water.return_c -= taken_w / water.flow_w_per_k
        return taken_w

    def _record(self, did: _Liquid, before_c: float, dt_s: float) -> PlantState:
        """Write down a step of the liquid side."""
        done, water, coolant_c = did.done, self.facility_water, self.distribution.coolant_c
        warm_k = coolant_c - self.coolant_c
        warm_k = warm_k if warm_k > 0.0 else 0.0
        warmest_k = before_c - self.coolant_c
        warmest_k = warmest_k if warmest_k > warm_k else warm_k
        unmet_w = max(0.0, did.stored_j / dt_s) if did.short and warm_k > 0.0 else 0.0
        parts_w = {
            "cdu_pump": did.cdu_w,
            "facility_pump": did.pump_w,
            "trim_chiller": done.chiller_w,
            "rejection_pump": done.pump_w,
            "rejection_fan": done.fan_w,
        }
        return PlantState(  # by position, in the order of its fields: half the time of names
            did.cdu_w + did.pump_w + done.chiller_w + done.pump_w + done.fan_w,
            parts_w,
            self.equivalent_inlet_c + warm_k,
            self.equivalent_inlet_c + warmest_k,
            coolant_c,
            coolant_c + did.return_c - water.water_c,
            did.heat_in_w,
            unmet_w,
            done.ambient_w,
            did.reused_w,
            did.stored_j + done.stored_j,
            done.water_kg_per_s,
            done.free_fraction,
        )


def _add_air(liquid: PlantState, air: PlantState, at_set_point_c: float) -> None:
    """Let the record of the liquid half of a rack become that of both halves.

    The inlet is that of the air, raised by what the coolant misses: a chip sees both.
    """
    parts_w = air.parts_w
    liquid.parts_w.update(zip(_of_air(tuple(parts_w)), parts_w.values(), strict=True))
    liquid.power_w += air.power_w
    liquid.inlet_c = air.inlet_c + liquid.inlet_c - at_set_point_c
    liquid.inlet_max_c = air.inlet_max_c + liquid.inlet_max_c - at_set_point_c
    liquid.heat_in_w += air.heat_in_w
    liquid.unmet_w += air.unmet_w
    liquid.ambient_heat_w += air.ambient_heat_w
    liquid.reused_heat_w += air.reused_heat_w
    liquid.stored_j += air.stored_j
    liquid.water_kg_per_s += air.water_kg_per_s
    liquid.free_fraction = min(liquid.free_fraction, air.free_fraction)
