"""Outdoor air blown through the hall, cooled by evaporation when it is warm.

Cold outdoors, return air is mixed in so that the supply is not too cold; mild, all air
is from outdoors; warm, a wetted pad cools it towards its wet bulb; then the trim coil
adds what is missing. Humid outdoor air makes that coil condense: once this costs more
than cooling the hall's own air, the dampers close.

Nothing in the hall gives or takes water, and its air is exchanged in seconds, so its
humidity is that of the supply. With the dampers closed it is what the coil leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.config import Celsius, Fraction, NonNegative, PositiveFraction
from twin.cooling.air_stream import AirStreamPlant, Outdoors
from twin.cooling.base import PlantDesign
from twin.errors import require
from twin.physics.moist_air import (
    RATIO_PER_K,
    coil_leaving_ratio,
    ratio_from_wetbulb,
    saturated_ratio,
)
from twin.physics.thermal import AIR_CP, WATER_LATENT_HEAT

RECOMMENDED_DEWPOINT_C = (-9.0, 15.0)
ALLOWABLE_DEWPOINT_C = (-12.0, 21.0)
"""Humidity of server inlets, the latter for class A2: ASHRAE TC 9.9, *Thermal Guidelines*, 2021."""

_SAME_K = 1e-9
_HALVINGS = 24
"""To a ten-millionth of the span searched."""


def evaporative_air_c(drybulb_c: float, wetbulb_c: float, effectiveness: float) -> float:
    """Air behind a wetted pad. [degC].

    Parameters
    ----------
    drybulb_c, wetbulb_c : float
        Air before it. [degC]
    effectiveness : float
        Way to the wet bulb, 0..1. [-]

    Examples
    --------
    >>> evaporative_air_c(30.0, 20.0, 0.85)
    21.5
    """
    return drybulb_c - effectiveness * (drybulb_c - wetbulb_c)


def pad_cooling_k(
    outdoor: tuple[float, float], leaving: tuple[float, float], surface: tuple[float, float]
) -> float:
    """Cooling by evaporation after which the coil brings air exactly to *leaving*. [K].

    More of it, and the air behind the coil would be too humid; below 0, it is too humid
    without any.

    Parameters
    ----------
    outdoor : (temperature, ratio)
        Air before the pad. [degC], [kg/kg]
    leaving : (temperature, ratio)
        Air wanted behind the coil, warmer and more humid than the surface.
    surface : (temperature, ratio)
        Coil surface and the saturated humidity ratio there.

    Notes
    -----
    Evaporation moves air along ``dW = k dT`` and the coil moves it straight towards its
    surface (:func:`twin.physics.moist_air.coil_leaving_ratio`): two lines that meet once.

    Examples
    --------
    Air of 33 degC and 0.0150 kg/kg, to be 23 degC at 0.0157 kg/kg:

    >>> round(pad_cooling_k((33.0, 0.0150), (23.0, 0.0157), (14.0, 0.0100)), 2)
    6.74
    """
    outdoor_c, outdoor_ratio = outdoor
    leaving_c, leaving_ratio = leaving
    sensible_k = leaving_c - surface[0]
    excess = leaving_ratio - surface[1]
    humid = (outdoor_ratio - leaving_ratio) / excess
    return ((outdoor_c - leaving_c) / sensible_k - humid) / (
        1.0 / sensible_k + RATIO_PER_K / excess
    )


def outdoor_share(
    outdoor: tuple[float, float],
    return_c: float,
    leaving: tuple[float, float],
    surface: tuple[float, float],
) -> float:
    """Share of outdoor air with which mixing and coil end exactly at *leaving*. [-].

    The rest is return air, as humid as what leaves; above 1, outdoor air alone is warm
    enough and the coil dries it below the humidity wanted.

    Parameters
    ----------
    outdoor : (temperature, ratio)
        Air from outdoors. [degC], [kg/kg]
    return_c : float
        Air from the hall, above the temperature wanted. [degC]
    leaving : (temperature, ratio)
        Air wanted behind the coil, warmer and more humid than the surface.
    surface : (temperature, ratio)
        Coil surface and the saturated humidity ratio there.

    Examples
    --------
    Dry outdoor air is only mixed, half of it at 10 degC and half at 36 degC:

    >>> outdoor_share((10.0, 0.005), 36.0, (23.0, 0.0157), (14.0, 0.0100))
    0.5
    """
    outdoor_c, outdoor_ratio = outdoor
    leaving_c, leaving_ratio = leaving
    falls_k = return_c - outdoor_c
    if outdoor_ratio > leaving_ratio:
        excess = leaving_ratio - surface[1]
        falls_k += (leaving_c - surface[0]) * (outdoor_ratio - leaving_ratio) / excess
    return (return_c - leaving_c) / falls_k if falls_k > 0.0 else 1.0


@dataclass(kw_only=True)
class AirsideEconomizer(AirStreamPlant):
    """Direct outdoor air with an adiabatic stage and mechanical trim."""

    pad_effectiveness: Fraction
    coil_surface_k: NonNegative
    """Surface of the trim coil above the trim water, at which air condenses. [K]"""
    dewpoint_max_c: Celsius
    """Dew point above which the supply is dried, as long as the trim can. [degC]"""
    humidity_max: PositiveFraction
    """Relative humidity above which it is. [-]"""

    _pressure_pa: float = field(init=False, default=0.0)
    _surface: tuple[float, float] = field(init=False, default=(0.0, 0.0))
    _most_ratio: float = field(init=False, default=0.0)
    _recommended: tuple[float, float] = field(init=False, default=(0.0, 1.0))
    _allowable: tuple[float, float] = field(init=False, default=(0.0, 1.0))
    _said: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Check the coil against what it has to do."""
        super().__post_init__()
        surface_c = self.trim_water_c + self.coil_surface_k
        require(
            self.dewpoint_max_c > surface_c,
            "dewpoint_max_c",
            self.dewpoint_max_c,
            f"> {surface_c:g} degC, the surface of the coil that dries the air",
        )

    def _size_outdoors(self, design: PlantDesign, air_w_per_k: float) -> None:
        """Take the humidity ratios at the pressure of the site."""
        pressure_pa = self._pressure_pa = design.pressure_pa
        surface_c = self.trim_water_c + self.coil_surface_k
        self._surface = surface_c, saturated_ratio(surface_c, pressure_pa)
        self._most_ratio = min(
            saturated_ratio(self.dewpoint_max_c, pressure_pa),
            saturated_ratio(self.supply_c, pressure_pa, self.humidity_max),
        )
        require(
            self._most_ratio > self._surface[1],
            "supply_c",
            self.supply_c,
            f"warmer: at {surface_c:g} degC the trim coil cannot dry that air to"
            f" humidity_max={self.humidity_max:g}",
        )
        self._said.clear()
        low, high = (saturated_ratio(c, pressure_pa) for c in RECOMMENDED_DEWPOINT_C)
        self._recommended = low, high
        low, high = (saturated_ratio(c, pressure_pa) for c in ALLOWABLE_DEWPOINT_C)
        self._allowable = low, high

    def _outdoors(
        self, air_c: tuple[float, float], air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Open the dampers as far as they save the trim work, and wet the pad as far as it helps.

        Where the trim cannot keep the humidity too, the temperature comes first, and the air
        is dried as far as the trim then can.
        """
        return_c, wanted_c = air_c
        if -_SAME_K < return_c - wanted_c < _SAME_K:
            return Outdoors(0.0, 0.0)
        outdoor = weather_c[0], ratio_from_wetbulb(*weather_c, self._pressure_pa)
        reach_k = self.pad_effectiveness * (weather_c[0] - weather_c[1])
        closed_w = air_w_per_k * (return_c - wanted_c)
        got, ratio = self._opened(outdoor, air_c, air_w_per_k, reach_k, self._most_ratio)
        most_w = self._trim_most_w(weather_c[0])
        if min(got.trim_w, closed_w) > most_w:
            got, ratio = self._driest(outdoor, air_c, air_w_per_k, reach_k, most_w)
        if 0.0 <= closed_w < got.trim_w:
            return Outdoors(0.0, closed_w)
        if not self._recommended[0] <= ratio <= self._recommended[1]:
            self._say_humidity(ratio)
        return got

    def _driest(
        self,
        outdoor: tuple[float, float],
        air_c: tuple[float, float],
        air_w_per_k: float,
        reach_k: float,
        most_w: float,
    ) -> tuple[Outdoors, float]:
        """Return what open dampers do while all of the trim dries; rare, so by bisection."""
        low, high = self._most_ratio, outdoor[1] + RATIO_PER_K * reach_k
        best = self._opened(outdoor, air_c, air_w_per_k, reach_k, high)
        for _ in range(_HALVINGS if best[0].trim_w < most_w else 0):
            middle = 0.5 * (low + high)
            tried = self._opened(outdoor, air_c, air_w_per_k, reach_k, middle)
            if tried[0].trim_w > most_w:
                low = middle
            else:
                best, high = tried, middle
        return best

    def _opened(
        self,
        outdoor: tuple[float, float],
        air_c: tuple[float, float],
        air_w_per_k: float,
        reach_k: float,
        most_ratio: float,
    ) -> tuple[Outdoors, float]:
        """Return what open dampers do, and the humidity of the supply."""
        return_c, wanted_c = air_c
        outdoor_c, outdoor_ratio = outdoor
        surface = self._surface
        leaving = wanted_c, most_ratio
        pad_k = 0.0
        if outdoor_c > wanted_c:
            pad_k = min(reach_k, outdoor_c - wanted_c)
            if wanted_c > surface[0] and outdoor_ratio + RATIO_PER_K * pad_k > surface[1]:
                pad_k = min(pad_k, max(0.0, pad_cooling_k(outdoor, leaving, surface)))
        padded = outdoor_c - pad_k, outdoor_ratio + RATIO_PER_K * pad_k
        share = 1.0  # also where outdoor air warms the hall: the trim has failed
        if return_c > wanted_c:
            share = min(1.0, outdoor_share(padded, return_c, leaving, surface))
        mixed_c = return_c + share * (padded[0] - return_c)
        ratio = most_ratio if padded[1] > most_ratio else padded[1]
        if share == 1.0:
            ratio = coil_leaving_ratio(*padded, wanted_c, surface)
        latent_w_per_k = air_w_per_k * share * WATER_LATENT_HEAT / AIR_CP
        heat_w = air_w_per_k * share * (return_c - outdoor_c)
        heat_w += latent_w_per_k * (ratio - outdoor_ratio)
        trim_w = air_w_per_k * max(0.0, mixed_c - wanted_c)
        trim_w += latent_w_per_k * (padded[1] - ratio)
        fan_w, sprayed_w = 0.0, air_w_per_k * share * pad_k
        evaporated = sprayed_w / WATER_LATENT_HEAT
        return Outdoors(heat_w, trim_w, fan_w, sprayed_w, evaporated), ratio

    def _coldest(
        self, return_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> tuple[float, float]:
        """All of the trim, on the hall's own air or on wetted outdoor air, whichever is colder."""
        trim_k = self._trim_most_w(weather_c[0]) / air_w_per_k
        drybulb_c, wetbulb_c = weather_c
        padded_c = evaporative_air_c(drybulb_c, wetbulb_c, self.pad_effectiveness)
        ratio = ratio_from_wetbulb(drybulb_c, wetbulb_c, self._pressure_pa)
        ratio += RATIO_PER_K * (drybulb_c - padded_c)
        surface_c, surface_ratio = self._surface
        opened_c = padded_c
        if padded_c > surface_c:
            full_k = padded_c - surface_c + max(0.0, ratio - surface_ratio) / RATIO_PER_K
            opened_c -= min(1.0, trim_k / full_k) * (padded_c - surface_c)
        return (opened_c, 0.0) if opened_c < return_c - trim_k else (-trim_k, 1.0)

    def _say_humidity(self, ratio: float) -> None:
        """Warn once of each envelope that the supply leaves at its dry or its humid end."""
        dry = ratio < self._recommended[0]
        low, high = self._allowable
        left = "recommended" if low <= ratio <= high else "allowable"
        if f"{left} {dry}" in self._said:
            return
        self._said.add(f"{left} {dry}")
        bounds = RECOMMENDED_DEWPOINT_C if left == "recommended" else ALLOWABLE_DEWPOINT_C
        class_a2 = "" if left == "recommended" else " for class A2"
        self.warnings.append(
            f"airside economizer: supply dew point {'below' if dry else 'above'} "
            f"{bounds[0] if dry else bounds[1]:g} degC, outside what ASHRAE TC 9.9 calls "
            f"{left}{class_a2}; {'air is not humidified here' if dry else 'see dewpoint_max_c'}"
        )
