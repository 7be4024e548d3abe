"""Dry coolers: fans that blow outdoor air through finned tubes, and no water lost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from twin.config import (
    AtLeastOne,
    Fraction,
    Positive,
    PositiveFraction,
    Range,
    Units,
    UnitsOrZero,
)
from twin.cooling.checks import check_fans
from twin.cooling.chilled_water import ChilledWater
from twin.cooling.chillers import Chillers
from twin.cooling.rejection import IDLE_WITHOUT_COMPRESSOR, Rejected
from twin.errors import require
from twin.physics.flow import cycling_power_w
from twin.physics.thermal import (
    SEA_LEVEL_AIR_DENSITY,
    air_density,
    crossflow_effectiveness,
    crossflow_ntu,
)

_WATER_EXPONENT = 0.85
_AIR_EXPONENT = 0.8
"""Heat transfer coefficients grow with these powers of the flows (Modelica Buildings)."""


def water_resistance(water: float, air_resistance_share: float) -> float:
    """Resistance on the water side of a finned coil, over all of it at design. [-].

    Parameters
    ----------
    water : float
        Flow as a fraction of design, > 0. [-]
    air_resistance_share : float
        Share of the design resistance on the air side, 0..1. [-]

    Examples
    --------
    >>> water_resistance(1.0, 0.75)
    0.25
    """
    return (1.0 - air_resistance_share) / math.pow(water, _WATER_EXPONENT)


def air_resistance(air: float, air_resistance_share: float) -> float:
    """Resistance on the air side, over all of it at design; see :func:`water_resistance`. [-].

    Examples
    --------
    >>> air_resistance(1.0, 0.75)
    0.75
    """
    return air_resistance_share / math.pow(air, _AIR_EXPONENT)


def relative_conductance(water: float, air: float, air_resistance_share: float) -> float:
    """Conductance of a finned coil at part flow, relative to design. [-].

    Parameters
    ----------
    water, air : float
        Flows as fractions of design, > 0. [-]
    air_resistance_share : float
        Share of the design resistance on the air side, 0..1. [-]

    Raises
    ------
    ParameterError
        If a flow is not positive.

    References
    ----------
    .. [1] M. Wetter et al., Modelica Buildings library, ``DryCoilCounterFlow``.

    Examples
    --------
    >>> relative_conductance(1.0, 1.0, 2.0 / 3.0)
    1.0
    """
    if not (water > 0.0 and air > 0.0):
        require(False, "water, air", (water, air), "> 0")
    share = air_resistance_share
    return 1.0 / (water_resistance(water, share) + air_resistance(air, share))


@dataclass(slots=True, kw_only=True)
class DryCooler:
    """Banks of dry coolers that hold a water temperature with their fans."""

    approach_k: Positive
    """Water leaving above the outdoor air at design. [K]"""
    air_rise_k: Positive
    """Warming of the air at design. [K]"""
    air_resistance_share: Fraction
    margin: AtLeastOne
    """Size over the design load."""
    fan_kw_per_kw: Positive
    """Fan power at full speed per heat rejected at design, at sea level. [kW/kW]"""
    fan_exponent: Annotated[float, Range(2.0, 3.0)]
    min_speed: PositiveFraction
    still_air_fraction: PositiveFraction
    """Air that still moves with the fans off, as a fraction of design. [-]"""
    spares: UnitsOrZero
    duty_banks: Units

    available: float = field(init=False, default=1.0)
    running: float = field(init=False, default=1.0)
    """Banks that run over duty banks; a spare one runs only in place of another. [-]"""
    most_air: float = field(init=False, default=1.0)
    """Most air the banks in service move, as a fraction of design; spares cover theirs. [-]"""
    full_fan_w: float = field(init=False, default=0.0)
    water_w_per_k: float = field(init=False, default=0.0)
    air_w_per_k: float = field(init=False, default=0.0)
    conductance_w_per_k: float = field(init=False, default=0.0)
    _air: float = field(init=False, default=1.0)
    """Air flow found in the last search, where the next one starts. [-]"""
    _power: float = field(init=False, default=0.6)
    """Exponent of the exchange in the air flow, there. [-]"""

    def __post_init__(self) -> None:
        """Check fan speeds against each other."""
        check_fans(self.min_speed, self.still_air_fraction)

    def size(self, load_w: float, range_k: float, altitude_m: float) -> None:
        """Fix the coil for a load with water cooled by *range_k* to the design approach.

        The coil is chosen for the site: in thin air the fans move the same mass of air
        as at sea level, in more volume.
        """
        heat_w = load_w * self.margin
        self.water_w_per_k = heat_w / range_k
        self.air_w_per_k = heat_w / self.air_rise_k
        least, most = sorted((self.water_w_per_k, self.air_w_per_k))
        effectiveness = heat_w / (least * (range_k + self.approach_k))
        require(
            effectiveness < 0.95,
            "approach_k",
            self.approach_k,
            f"larger: a coil with a {self.air_rise_k:g} K air and {range_k:g} K water range"
            f" would need an effectiveness of {effectiveness:.2f}",
        )
        self.conductance_w_per_k = least * crossflow_ntu(effectiveness, least / most)
        thin = SEA_LEVEL_AIR_DENSITY / air_density(altitude_m)
        self.full_fan_w = self.fan_kw_per_kw * heat_w * thin

    def set_available(self, fraction: float) -> None:
        """Let a fraction of the banks be in service."""
        self.available = fraction
        self.running = min(1.0, fraction * (self.duty_banks + self.spares) / self.duty_banks)
        self.most_air = max(self.running, self.still_air_fraction * fraction)

    def exchange_w_per_k(self, water_w_per_k: float, air: float) -> float:
        """Heat per kelvin between entering water and outdoor air. [W/K]."""
        return self._exchange(water_w_per_k, self._water_resistance(water_w_per_k), air)

    def _water_resistance(self, water_w_per_k: float) -> float:
        share = water_w_per_k / self.water_w_per_k
        return water_resistance(share if share > 1e-6 else 1e-6, self.air_resistance_share)

    def _exchange(self, water_w_per_k: float, resistance: float, air: float) -> float:
        """Return the exchange, given the *resistance* of that water: a search keeps it."""
        least = air * self.air_w_per_k
        most = water_w_per_k
        if least > most:
            least, most = most, least
        conductance = self.conductance_w_per_k * (
            1.0 / (resistance + air_resistance(air, self.air_resistance_share))
        )
        return least * crossflow_effectiveness(conductance / least, least / most)

    def air_for(self, wanted_w_per_k: float, water_w_per_k: float) -> float:
        """Air flow that gives a wanted exchange, between still air and all there is. [-].

        The exchange is nearly a power of the air flow, so a secant in logarithms finds
        it to 1e-6 in a few rounds.
        """
        low, high = self.still_air_fraction, self.most_air
        air, power = self._air, self._power
        air = air if air > low else low
        air = air if air < high else high
        exchange, resistance = self._exchange, self._water_resistance(water_w_per_k)
        error = math.log(exchange(water_w_per_k, resistance, air) / wanted_w_per_k)
        for _ in range(30):
            if -1e-7 < error < 1e-7:
                break
            tried = air * math.exp(-error / power)
            if tried < low:
                tried = low
            elif tried > high:
                tried = high
            if tried == air:
                break
            before = error
            error = math.log(exchange(water_w_per_k, resistance, tried) / wanted_w_per_k)
            power = (error - before) / math.log(tried / air)
            power = power if power > 0.05 else 0.05
            air = tried
        power = power if power > 0.2 else 0.2
        self._air, self._power = air, power if power < 1.0 else 1.0
        return air

    def fan_w(self, air: float) -> float:
        """Fan power at an air flow shared by the banks that run. [W]."""
        running = self.running
        if running <= 0.0:
            return 0.0
        each = air / running
        return running * cycling_power_w(
            self.full_fan_w,
            each if each < 1.0 else 1.0,
            self.min_speed,
            self.still_air_fraction,
            self.fan_exponent,
        )


@dataclass(slots=True, kw_only=True)
class DryRejection:
    """Dry coolers, and a trim chiller where there is one, on a water loop."""

    reach_keys: ClassVar[str] = "cooler.approach_k, cooler.margin, trim"
    cooler: DryCooler
    trim: Chillers | None
    range_k: float
    trim_fraction: float
    longest_step_s: float = field(init=False, default=math.inf)
    _water: ChilledWater | None = field(init=False, default=None)
    _air_c: float = field(init=False, default=0.0)
    _set_point_c: float = field(init=False, default=0.0)

    def size(
        self, load_w: float, water_c: float, weather_c: tuple[float, float], altitude_m: float
    ) -> None:
        """Size for a load; the cooler's own approach says how hot it may be outdoors."""
        self.cooler.size(load_w, self.range_k, altitude_m)
        self._set_point_c = water_c
        if self.trim is not None:
            self.trim.size(self.trim_fraction * load_w, water_c, weather_c[0])

    def reached_c(self, load_w: float, weather_c: tuple[float, float]) -> float:
        """Coldest water in which a load comes to rest with fans and trim at full. [degC]."""
        cooler, self._air_c = self.cooler, weather_c[0]
        dry_w = max(0.0, load_w - self._trim_most_w(self._set_point_c))
        flow = load_w / self.range_k
        return_c = self._air_c + dry_w / cooler.exchange_w_per_k(flow, cooler.most_air)
        return return_c - self.range_k

    def coldest_c(self, water: ChilledWater, weather_c: tuple[float, float]) -> float:
        """Look at the water and the air; the limit is a heat flow here, not a temperature."""
        self._water, self._air_c = water, weather_c[0]
        return -math.inf

    def most_w(self, chilled_c: float) -> float:
        """Most heat that cooler and trim take from the returning water now. [W]."""
        return self._dry_most_w() + self._trim_most_w(chilled_c)

    def step(
        self, load_w: float, chilled_c: float, weather_c: tuple[float, float], dt_s: float
    ) -> Rejected | None:
        """Take a load: the fans give what they can, the trim chiller the rest."""
        if load_w <= 0.0:
            return IDLE_WITHOUT_COMPRESSOR
        water, cooler = self._water, self.cooler
        dry_w = fan_w = 0.0
        if water is not None and water.flow_w_per_k > 0.0 and cooler.available > 0.0:
            lift_k = water.return_c - self._air_c
            if lift_k > 0.0:
                air = cooler.air_for(load_w / lift_k, water.flow_w_per_k)
                dry_w = load_w if air < cooler.most_air else min(load_w, self._dry_most_w())
                fan_w = cooler.fan_w(air)
        trim_w = load_w - dry_w
        trim_power_w = 0.0
        if trim_w > 1e-9 * load_w:
            if self.trim is None or trim_w > self._trim_most_w(chilled_c) * (1.0 + 1e-12):
                return None
            unit_w, _ = self.trim.unit_w(chilled_c, self._air_c)
            units = max(1, self.trim.staged(trim_w, unit_w))
            trim_power_w = self.trim.power_w(trim_w, units, chilled_c, self._air_c)
        pump_w = stored_j = water_kg_per_s = 0.0
        ambient_w = dry_w + trim_w + fan_w + trim_power_w
        free = 1.0 if trim_power_w == 0.0 else 0.0
        return Rejected(trim_power_w, pump_w, fan_w, ambient_w, stored_j, water_kg_per_s, free)

    def pass_time(self, dt_s: float) -> None:
        """Let time pass for a restart of the trim chiller."""
        if self.trim is not None:
            self.trim.pass_time(dt_s)

    def _dry_most_w(self) -> float:
        water = self._water
        if water is None or water.flow_w_per_k <= 0.0 or self.cooler.available <= 0.0:
            return 0.0
        lift_k = water.return_c - self._air_c
        exchange = self.cooler.exchange_w_per_k(water.flow_w_per_k, self.cooler.most_air)
        return max(0.0, exchange * lift_k)

    def _trim_most_w(self, chilled_c: float) -> float:
        if self.trim is None:
            return 0.0
        unit_w, _ = self.trim.unit_w(chilled_c, self._air_c)
        return self.trim.can_run * unit_w * self.trim.curves.part_load_max
