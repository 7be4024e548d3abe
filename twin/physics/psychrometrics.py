"""Moist air: vapour pressure, humidity ratio, wet bulb, density.

The formulas of ASHRAE, *Fundamentals*, chapter "Psychrometrics", for dry bulbs
of -60 to 60 degC. All functions take scalars or arrays and give arrays of the
broadcast shape, so the weather of a year is one call.

Vapour pressure carries the humidity of air from function to function: it is
what a change of dry bulb at constant humidity ratio and pressure leaves alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import require
from twin.units import KELVIN_AT_0_C

Floats = NDArray[np.float64]

TRIPLE_POINT_C = 0.01
"""Above, vapour is in balance with water, below with ice. [degC]"""
WATER_TO_AIR = 0.621945
"""Molar mass of water over that of dry air. [-]"""
STANDARD_PRESSURE_PA = 101325.0
OVER_WATER = (-5.8002206e3, 1.3914993, -4.8640239e-2, 4.1764768e-5, -1.4452093e-8, 6.5459673)
"""ln of the saturation pressure [ln Pa] over water: ``a/k + b + c k + d k^2 + e k^3 + f ln k``."""
OVER_ICE = (
    -5.6745359e3,
    6.3925247,
    -9.677843e-3,
    6.2215701e-7,
    2.0747825e-9,
    -9.484024e-13,
    4.1635019,
)
"""The same over ice, with one power more: ``... + f k^4 + g ln k``."""
LOWEST_C = -60.0
HIGHEST_C = 60.0

_NEWTON_STEPS = 9
"""Enough for 1e-9 K from any state in range (the step squares its error)."""


def standard_pressure_pa(altitude_m: ArrayLike) -> Floats:
    r"""Return the standard atmosphere's pressure at an altitude.

    .. math:: p = 101325\,(1 - 2.25577 \cdot 10^{-5}\,z)^{5.2559}

    Parameters
    ----------
    altitude_m : array_like, shape (...)
        Height above sea level, -500 to 11,000. [m]

    Returns
    -------
    ndarray, shape (...)
        Pressure. [Pa]

    Raises
    ------
    ParameterError
        If an altitude is out of range.

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, equation 3.

    Examples
    --------
    >>> float(standard_pressure_pa(0.0))
    101325.0
    >>> round(float(standard_pressure_pa(1416.0)))  # Ulanqab
    85431
    """
    z = np.asarray(altitude_m, dtype=float)
    require(bool(np.all((z >= -500) & (z <= 11_000))), "altitude_m", altitude_m, "in -500..11000 m")
    return np.asarray(STANDARD_PRESSURE_PA * (1 - 2.25577e-5 * z) ** 5.2559)


def saturation_pressure_pa(drybulb_c: ArrayLike) -> Floats:
    """Return the vapour pressure of saturated air; of air with a given dew point too.

    Over ice up to the triple point of 0.01 degC, over water above.

    Parameters
    ----------
    drybulb_c : array_like, shape (...)
        Temperature, -60 to 60. [degC]

    Returns
    -------
    ndarray, shape (...)
        Vapour pressure. [Pa]

    Raises
    ------
    ParameterError
        If a temperature is out of range.

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, equations 5 and 6.

    Examples
    --------
    >>> saturation_pressure_pa([-20.0, 0.0, 20.0]).round(1).tolist()
    [103.3, 611.2, 2338.8]
    """
    t = _checked_c("drybulb_c", drybulb_c)
    pressure_pa = np.empty_like(t)
    water = t > TRIPLE_POINT_C
    pressure_pa[water] = np.exp(_ln_pressure_and_slope(t[water], over_water=True)[0])
    pressure_pa[~water] = np.exp(_ln_pressure_and_slope(t[~water], over_water=False)[0])
    return pressure_pa


def humidity_ratio(vapour_pa: ArrayLike, pressure_pa: ArrayLike) -> Floats:
    r"""Return the water in air per kilogram of dry air.

    .. math:: W = 0.621945\,\frac{p_w}{p - p_w}

    Parameters
    ----------
    vapour_pa : array_like, shape (...)
        Vapour pressure, at least 0 and below `pressure_pa`. [Pa]
    pressure_pa : array_like, shape (...)
        Pressure of the air. [Pa]

    Returns
    -------
    ndarray, shape (...)
        Humidity ratio. [kg/kg]

    Raises
    ------
    ParameterError
        If a vapour pressure is out of range.

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, equation 20.

    Examples
    --------
    >>> round(float(humidity_ratio(saturation_pressure_pa(20.0), 101325.0)), 5)
    0.0147
    """
    vapour = np.asarray(vapour_pa, dtype=float)
    pressure = np.asarray(pressure_pa, dtype=float)
    inside = bool(np.all((vapour >= 0) & (vapour < pressure)))
    require(inside, "vapour_pa", vapour_pa, "at least 0 and below the air's pressure")
    return np.asarray(WATER_TO_AIR * vapour / (pressure - vapour))


def wetbulb_c(drybulb_c: ArrayLike, vapour_pa: ArrayLike, pressure_pa: ArrayLike) -> Floats:
    """Return the thermodynamic wet bulb from dry bulb and vapour pressure.

    Parameters
    ----------
    drybulb_c : array_like, shape (...)
        Dry bulb, -60 to 60. [degC]
    vapour_pa : array_like, shape (...)
        Vapour pressure; more than saturation counts as saturation. [Pa]
    pressure_pa : array_like, shape (...)
        Pressure of the air. [Pa]

    Returns
    -------
    ndarray, shape (...)
        Wet bulb, never above the dry bulb. [degC]

    Raises
    ------
    ParameterError
        If a dry bulb or vapour pressure is out of range.

    Notes
    -----
    Solves for the temperature at which air, brought to saturation by evaporating
    water (or ice) of that temperature, ends with the humidity ratio given. That
    ratio is a rising convex curve of the wet bulb, so Newton's steps from the dry
    bulb come down to the root and never pass it.

    Where both a wet bulb over water and one over ice satisfy the equation, about
    -0.7 to 0 degC, the one over water is taken; a wet bulb within the gap that
    the two leave is set to 0 degC.

    References
    ----------
    .. [1] ASHRAE, *Fundamentals* (2017), chapter 1, equations 33 and 35.

    Examples
    --------
    >>> vapour_pa = 0.5 * saturation_pressure_pa(30.0)
    >>> round(float(wetbulb_c(30.0, vapour_pa, 101325.0)), 2)
    22.0
    >>> wetbulb_c([20.0, -10.0], saturation_pressure_pa([20.0, -10.0]), 101325.0).tolist()
    [20.0, -10.0]
    """
    dry, vapour, pressure = np.broadcast_arrays(
        _checked_c("drybulb_c", drybulb_c),
        np.asarray(vapour_pa, dtype=float),
        np.asarray(pressure_pa, dtype=float),
    )
    ratio = humidity_ratio(np.minimum(vapour, saturation_pressure_pa(dry)), pressure)
    over_water = ratio >= _evaporated_ratio(np.zeros_like(dry), dry, pressure, over_water=True)[0]
    wet = np.empty(dry.shape)
    for branch, is_water in ((over_water, True), (~over_water, False)):
        guess, air_c, air_pa = dry[branch], dry[branch], pressure[branch]
        for _ in range(_NEWTON_STEPS):
            value, slope = _evaporated_ratio(guess, air_c, air_pa, over_water=is_water)
            guess = guess - (value - ratio[branch]) / slope
        wet[branch] = np.maximum(guess, 0.0) if is_water else np.minimum(guess, 0.0)
    return np.asarray(np.minimum(wet, dry))


def _checked_c(name: str, value: ArrayLike) -> Floats:
    """Return temperatures as an array; NaN and what is outside the formulas is refused."""
    array = np.asarray(value, dtype=float)
    inside = (array >= LOWEST_C) & (array <= HIGHEST_C)
    if not np.all(inside):
        worst = array[~inside].flat[0]
        require(False, name, worst, f"in {LOWEST_C:g}..{HIGHEST_C:g} degC")
    return array


def _ln_pressure_and_slope(t: Floats, *, over_water: bool) -> tuple[Floats, Floats]:
    """Return ln of the saturation pressure [ln Pa] and its derivative [1/K]."""
    k = t + KELVIN_AT_0_C
    if over_water:
        a, b, c, d, e, f = OVER_WATER
        ln_p = a / k + b + k * (c + k * (d + k * e)) + f * np.log(k)
        return ln_p, -a / k**2 + c + k * (2 * d + k * 3 * e) + f / k
    a, b, c, d, e, f, g = OVER_ICE
    ln_p = a / k + b + k * (c + k * (d + k * (e + k * f))) + g * np.log(k)
    return ln_p, -a / k**2 + c + k * (2 * d + k * (3 * e + k * 4 * f)) + g / k


def _evaporated_ratio(
    wet: Floats, dry: Floats, pressure: Floats, *, over_water: bool
) -> tuple[Floats, Floats]:
    """Return the humidity ratio of air with this dry and wet bulb, and d/d(wet bulb)."""
    ln_p, dln_p = _ln_pressure_and_slope(wet, over_water=over_water)
    vapour = np.exp(ln_p)
    saturated = WATER_TO_AIR * vapour / (pressure - vapour)
    dsaturated = saturated * dln_p * pressure / (pressure - vapour)
    # Latent heat at 0 degC and its change with temperature, kJ/kg, as ASHRAE rounds them.
    latent, dlatent, liquid = (2501.0, -2.326, -4.186) if over_water else (2830.0, -0.24, -2.1)
    above = (latent + dlatent * wet) * saturated - 1.006 * (dry - wet)
    dabove = (latent + dlatent * wet) * dsaturated + dlatent * saturated + 1.006
    below = latent + 1.86 * dry + liquid * wet
    value = above / below
    return value, (dabove - value * liquid) / below
