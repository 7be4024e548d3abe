"""Moist air at one moment: humidity ratios, a wetted pad, a cold coil.

The same formulas as :mod:`twin.physics.psychrometrics`, on plain numbers, for plants
that are stepped half a million times a year. Enthalpy is counted as
``AIR_CP t + WATER_LATENT_HEAT W``: latent heat at 20 degC, vapour's own sensible heat
left out. Within 2 % of the full formula between any two states from 10 to 40 degC.
"""

from __future__ import annotations

import math

from twin.physics.psychrometrics import OVER_ICE, OVER_WATER, TRIPLE_POINT_C, WATER_TO_AIR
from twin.physics.thermal import AIR_CP, WATER_LATENT_HEAT
from twin.units import KELVIN_AT_0_C

RATIO_PER_K = AIR_CP / WATER_LATENT_HEAT
"""Water that air takes up for each kelvin it is cooled by evaporation. [1/K]"""

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
