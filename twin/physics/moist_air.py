"""Moist air at one moment: humidity ratios, a wetted pad, a cold coil.

The same formulas as :mod:`twin.physics.psychrometrics`, on plain numbers, for plants
that are stepped half a million times a year. Enthalpy is counted as
``AIR_CP t + WATER_LATENT_HEAT W``: latent heat at 20 degC, vapour's own sensible heat
left out. Within 2 % of the full formula between any two states from 10 to 40 degC.
"""

from __future__ import annotations

import math

import numpy as np

from twin.errors import require
from twin.physics.psychrometrics import OVER_ICE, OVER_WATER, TRIPLE_POINT_C, WATER_TO_AIR
from twin.physics.thermal import AIR_CP, WATER_LATENT_HEAT
from twin.units import KELVIN_AT_0_C

RATIO_PER_K = AIR_CP / WATER_LATENT_HEAT
"""Water that air takes up for each kelvin it is cooled by evaporation. [1/K]"""

_COLDEST_C, _STEPS_PER_K, _WARMEST_C = -60, 4, 80
_STEPS_PER_J = 1e-3
"""Tables of saturated air: a value each quarter of a kelvin, and each kJ/kg."""

_A, _B, _C, _D, _E, _F = OVER_WATER
_I, _J, _K, _L, _M, _N, _O = OVER_ICE


def saturated_ratio(temperature_c: float, pressure_pa: float, humidity: float = 1.0) -> float:
    """Humidity ratio of saturated air, over ice up to the triple point. [kg/kg].

    Parameters
    ----------
    temperature_c : float
        Temperature of the air, or its dew point, -60..60. [degC]
    pressure_pa : float
        Pressure of the air, above that of the vapour. [Pa]
    humidity : float, default 1
        Relative humidity, 0..1, of air that is not saturated. [-]

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, equations 5, 6 and 20.

    Examples
    --------
    >>> round(saturated_ratio(20.0, 101325.0), 5)
    0.0147
    """
    k = temperature_c + KELVIN_AT_0_C
    if temperature_c > TRIPLE_POINT_C:
        ln_pa = _A / k + _B + k * (_C + k * (_D + k * _E)) + _F * math.log(k)
    else:
        ln_pa = _I / k + _J + k * (_K + k * (_L + k * (_M + k * _N))) + _O * math.log(k)
    vapour_pa = humidity * math.exp(ln_pa)
    return WATER_TO_AIR * vapour_pa / (pressure_pa - vapour_pa)


def ratio_from_wetbulb(drybulb_c: float, wetbulb_c: float, pressure_pa: float) -> float:
    """Humidity ratio of air from its dry and wet bulb; 0 where they allow no vapour. [kg/kg].

    Parameters
    ----------
    drybulb_c, wetbulb_c : float
        Of the air, the wet bulb not above the dry bulb. [degC]
    pressure_pa : float
        Pressure of the air. [Pa]

    Notes
    -----
    The air is taken to be cooled to its wet bulb by evaporation, all of its heat going
    into vapour: within 2 % of equation 33 of the reference from 10 to 45 degC, within 6 %
    below, where the wet bulb is ice.

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, "Thermodynamic wet-bulb temperature".

    Examples
    --------
    >>> round(ratio_from_wetbulb(30.0, 22.0, 101325.0), 4)
    0.0134
    """
    ratio = saturated_ratio(wetbulb_c, pressure_pa) - RATIO_PER_K * (drybulb_c - wetbulb_c)
    return ratio if ratio > 0.0 else 0.0


def coil_leaving_ratio(
    entering_c: float, entering_ratio: float, leaving_c: float, surface: tuple[float, float]
) -> float:
    """Humidity ratio of air that a cold coil has brought to *leaving_c*. [kg/kg].

    Part of the air touches the coil and leaves saturated at its surface, the rest
    passes by: the mixture lies on the straight line between the two states. Air that
    is drier than the saturated surface loses no water.

    Parameters
    ----------
    entering_c, entering_ratio : float
        Air before the coil, warmer than its surface. [degC], [kg/kg]
    leaving_c : float
        Air behind it, not below the surface. [degC]
    surface : (temperature, ratio)
        Coil surface and the saturated humidity ratio there. [degC], [kg/kg]

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, "Moist air sensible cooling and
       dehumidification"; the surface is the apparatus dew point of that process.

    Examples
    --------
    Half of the air is brought to 14 degC, saturated:

    >>> coil_leaving_ratio(30.0, 0.020, 22.0, (14.0, 0.010))
    0.015
    """
    surface_c, surface_ratio = surface
    excess = entering_ratio - surface_ratio
    if excess <= 0.0 or entering_c <= leaving_c:
        return entering_ratio
    touched = (entering_c - leaving_c) / (entering_c - surface_c)
    return entering_ratio - touched * excess


class SaturatedAir:
    """Saturated air at one pressure, by tables: within 0.01 K of the formulas from -40 to 60 degC.

    Parameters
    ----------
    pressure_pa : float
        Pressure of the air, above 50 000. [Pa]

    Examples
    --------
    >>> air = SaturatedAir(101325.0)
    >>> round(air.temperature_c(air.enthalpy_j_per_kg(20.0)), 2)
    20.0
    """

    __slots__ = ("_enthalpies", "_least", "_temperatures")

    def __init__(self, pressure_pa: float) -> None:
        require(pressure_pa > 5e4, "pressure_pa", pressure_pa, "> 50000 Pa")
        steps = (_WARMEST_C - _COLDEST_C) * _STEPS_PER_K
        at_c = np.linspace(_COLDEST_C, _WARMEST_C, steps + 1)
        ratios = [saturated_ratio(c, pressure_pa) for c in at_c.tolist()]
        enthalpies = AIR_CP * at_c + WATER_LATENT_HEAT * np.array(ratios)
        self._enthalpies: list[float] = enthalpies.tolist()
        self._least: float = self._enthalpies[0]
        even = np.arange(self._least, self._enthalpies[-1], 1.0 / _STEPS_PER_J)
        self._temperatures: list[float] = np.interp(even, enthalpies, at_c).tolist()

    def enthalpy_j_per_kg(self, temperature_c: float) -> float:
        """Return the enthalpy per kilogram of dry air, -60..80 degC. [J/kg]."""
        place = (temperature_c - _COLDEST_C) * _STEPS_PER_K
        i = int(place)
        low = self._enthalpies[i]
        return low + (place - i) * (self._enthalpies[i + 1] - low)

    def temperature_c(self, enthalpy_j_per_kg: float) -> float:
        """Return the temperature at an enthalpy; the end of the table beyond it. [degC]."""
        place = (enthalpy_j_per_kg - self._least) * _STEPS_PER_J
        i = int(place)
        values = self._temperatures
        if i + 1 >= len(values):
            return values[-1]
        low = values[i]
        return low + (place - i) * (values[i + 1] - low)

    def evaporated_share(
        self, weather_c: tuple[float, float], gained_j_per_kg: float, warmest_c: float = math.inf
    ) -> float:
        """Share of the heat given to air by wet surfaces that leaves as vapour. [-].

        Above 1 where the air itself is cooled: it then evaporates more than the water's heat.

        Parameters
        ----------
        weather_c : (float, float)
            Dry and wet bulb of the air that enters. [degC]
        gained_j_per_kg : float
            Heat taken up by each kilogram of dry air, > 0. [J/kg]
        warmest_c : float
            Warmest water it meets, above the wet bulb: the air leaves no warmer, and it takes
            more air than was thought where it would. [degC]

        Notes
        -----
        The air leaves saturated. Its enthalpy is that of saturated air at the entering wet bulb
        plus what it gained, whatever the dry bulb, so

        ``share = 1 - AIR_CP (leaving - dry bulb) / gained``.

        References
        ----------
        .. [1] U.S. DOE, *EnergyPlus Engineering Reference*, "Cooling Towers", evaporation by
           moist air theory (``SaturatedExit``).
        .. [2] F. Merkel, "Verdunstungskuehlung", VDI-Zeitschrift 70, 1926.

        Examples
        --------
        The same wet bulb in humid and in dry air:

        >>> air = SaturatedAir(101325.0)
        >>> [round(air.evaporated_share((c, 20.0), 28e3), 2) for c in (21.0, 38.0)]
        [0.77, 1.38]
        """
        drybulb_c, wetbulb_c = weather_c
        place = (wetbulb_c - _COLDEST_C) * _STEPS_PER_K  # as in the method above, without the call
        i = int(place)
        low = self._enthalpies[i]
        entering = low + (place - i) * (self._enthalpies[i + 1] - low)
        leaving_c = self.temperature_c(entering + gained_j_per_kg)
        if leaving_c > warmest_c:
            leaving_c = warmest_c
            gained_j_per_kg = self.enthalpy_j_per_kg(warmest_c) - entering
        return 1.0 - AIR_CP * (leaving_c - drybulb_c) / gained_j_per_kg
