"""Heat storage and heat exchange: equations used by more than one plant.

All exact solutions here come with the *mean* over the step beside the end value,
because an energy is a mean times a duration: a plant that steps once in 300 s
must count the same joules as one that steps five times in 60 s.
"""

from __future__ import annotations

import math

from twin.errors import require
from twin.units import KELVIN_AT_0_C

AIR_CP = 1006.0
"""Specific heat of air at constant pressure. [J/(kg K)]"""
WATER_CP = 4186.0
"""Specific heat of water near 20 degC. [J/(kg K)]"""
WATER_DENSITY = 998.0
"""Density of water near 20 degC. [kg/m3]"""
WATER_LATENT_HEAT = 2.45e6
"""Heat of evaporation near 20 degC, i.e. 1.47 kg of water per kWh. [J/kg]"""
SEA_LEVEL_AIR_DENSITY = 1.2
"""Density of air at 20 degC and 101 325 Pa. [kg/m3]"""

_SERIES_BELOW = 1e-3
"""Below this the closed form of :func:`ramp_factor` cancels and a series takes over."""


def air_density(altitude_m: float) -> float:
    """Density of air at 20 degC and an altitude. [kg/m3].

    An isothermal atmosphere with a scale height of 8400 m; within 1 % of the
    standard atmosphere at constant temperature up to 3000 m.

    Parameters
    ----------
    altitude_m : float
        Height above sea level, -500..6000. [m]

    Raises
    ------
    ParameterError
        If the altitude is outside the range.

    Examples
    --------
    >>> round(air_density(1416.0) / air_density(0.0), 3)
    0.845
    """
    require(-500.0 <= altitude_m <= 6000.0, "altitude_m", altitude_m, "in -500..6000 m")
    return SEA_LEVEL_AIR_DENSITY * math.exp(-altitude_m / 8400.0)


def ramp_factor(z: float) -> float:
    """Return ``(exp(z) - 1 - z) / z**2``, the mean of an exponential ramp. [-].

    Parameters
    ----------
    z : float
        Rate times time, any value below about 700. [-]

    Examples
    --------
    >>> ramp_factor(0.0)
    0.5
    >>> round(ramp_factor(-1.0), 6)
    0.367879
    """
    if -_SERIES_BELOW < z < _SERIES_BELOW:
        return 0.5 + z * (1.0 / 6.0 + z * (1.0 / 24.0 + z / 120.0))
    return (math.expm1(z) - z) / (z * z)


def relax(start: float, target: float, steps: float) -> tuple[float, float]:
    """First-order approach of *start* to *target*: ``(change, mean over the step)``.

    Parameters
    ----------
    start, target : float
        Temperatures, both in the same unit. [degC]
    steps : float
        Duration over time constant, >= 0. [-]

    Notes
    -----
    ``dT/dt = (target - T) / tau`` has the end value ``target + (start - target)
    exp(-n)`` with ``n = dt / tau``. Change and mean are formed from one factor, so that
    ``change = n (target - mean)`` holds to rounding: no heat is lost in a step. The
    change is returned and not the end, because a store counts its heat by it: the
    difference of two ends would carry the rounding of the temperatures themselves.

    Examples
    --------
    >>> change, mean = relax(20.0, 30.0, 1.0)
    >>> round(change, 4), round(mean, 4)
    (6.3212, 23.6788)
    """
    factor = ramp_factor(-steps)
    change = steps * (1.0 - steps * factor) * (target - start)
    return change, start + steps * factor * (target - start)


def linear_pair(
    x: float,
    y: float,
    a: tuple[float, float, float, float],
    x_source: float,
    y_source: float,
    dt_s: float,
) -> tuple[float, float, float, float]:
    """Exact step of two coupled first-order stores: the changes of ``(x, y)`` and their means.

    Parameters
    ----------
    x, y : float
        State at the start. [degC]
    a : (a11, a12, a21, a22)
        ``x' = a11 x + a12 y + x_source`` and ``y' = a21 x + a22 y + y_source``, with
        ``a12 a21 > 0`` as for two bodies that exchange heat. [1/s]
    x_source, y_source : float
        Constant terms. [K/s]
    dt_s : float
        Duration. [s]

    Returns
    -------
    (x_change, y_change, x_mean, y_mean)

    Notes
    -----
    With ``f = A x0 + u`` the solution is ``x0 + dt phi1(A dt) f`` and its mean
    ``x0 + dt phi2(A dt) f``, where ``phi1(z) = (e^z - 1)/z`` and
    ``phi2(z) = (e^z - 1 - z)/z^2``. Neither needs the inverse of A, so a room that
    loses all cooling (A singular, a pure integrator) is no special case. Because
    ``phi1 = 1 + z phi2`` is used as the definition, ``change = dt (A x_mean + u)`` holds
    to rounding and the heat ledger closes.

    References
    ----------
    .. [1] M. Hochbruck, A. Ostermann, "Exponential integrators", Acta Numerica 19, 2010.

    Examples
    --------
    A hot and a cold body of equal size meet in the middle:

    >>> change = linear_pair(40.0, 20.0, (-0.1, 0.1, 0.1, -0.1), 0.0, 0.0, 1000.0)
    >>> round(change[0], 6), round(change[1], 6)
    (-10.0, 10.0)
    """
    a11, a12, a21, a22 = a
    half = 0.5 * (a11 + a22)
    root = math.sqrt(0.25 * (a11 - a22) ** 2 + a12 * a21)
    fast = half - root
    slow = (a11 * a22 - a12 * a21) / fast
    fx = a11 * x + a12 * y + x_source
    fy = a21 * x + a22 * y + y_source
    # Split f into its parts along the two eigenvectors: f = slow part + fast part.
    scale = 1.0 / (slow - fast)
    slow_x = ((a11 - fast) * fx + a12 * fy) * scale
    slow_y = (a21 * fx + (a22 - fast) * fy) * scale
    fast_x = fx - slow_x
    fast_y = fy - slow_y
    z_slow = slow * dt_s
    z_fast = fast * dt_s
    ramp_slow = ramp_factor(z_slow)
    ramp_fast = ramp_factor(z_fast)
    grow_slow = 1.0 + z_slow * ramp_slow
    grow_fast = 1.0 + z_fast * ramp_fast
    return (
        dt_s * (grow_slow * slow_x + grow_fast * fast_x),
        dt_s * (grow_slow * slow_y + grow_fast * fast_y),
        x + dt_s * (ramp_slow * slow_x + ramp_fast * fast_x),
        y + dt_s * (ramp_slow * slow_y + ramp_fast * fast_y),
    )


def carnot_cop(cold_c: float, hot_c: float) -> float:
    """Coefficient of performance of an ideal refrigerator between two temperatures. [-].

    Parameters
    ----------
    cold_c, hot_c : float
        Temperatures heat is taken from and given to, ``hot_c > cold_c``. [degC]

    Raises
    ------
    ParameterError
        If the hot side is not above the cold side.

    Examples
    --------
    >>> round(carnot_cop(0.0, 27.315), 6)
    10.0
    """
    if not hot_c > cold_c:
        require(False, "hot_c", hot_c, f"> cold_c={cold_c}")
    return (cold_c + KELVIN_AT_0_C) / (hot_c - cold_c)


def crossflow_effectiveness(ntu: float, capacity_ratio: float) -> float:
    """Effectiveness of a crossflow exchanger, both streams unmixed. [-].

    The usual closed approximation, within about 1 % of the exact series.

    Parameters
    ----------
    ntu : float
        Number of transfer units, UA over the smaller capacity rate, >= 0. [-]
    capacity_ratio : float
        Smaller over larger capacity rate, 0..1. [-]

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    References
    ----------
    .. [1] F. P. Incropera et al., *Fundamentals of Heat and Mass Transfer*, ch. 11.

    Examples
    --------
    >>> round(crossflow_effectiveness(1.0, 1.0), 3)
    0.469
    """
    if ntu > 0.0 and 1e-9 <= capacity_ratio <= 1.0:  # first, as it is nearly always so
        inner = math.expm1(-capacity_ratio * ntu**0.78) * ntu**0.22 / capacity_ratio
        return -math.expm1(inner)
    require(ntu >= 0.0, "ntu", ntu, ">= 0")
    require(0.0 <= capacity_ratio <= 1.0, "capacity_ratio", capacity_ratio, "in 0..1")
    return -math.expm1(-ntu)


def crossflow_ntu(effectiveness: float, capacity_ratio: float) -> float:
    """Transfer units a crossflow exchanger needs for an effectiveness. [-].

    The inverse of :func:`crossflow_effectiveness`, by bisection; for sizing only.

    Parameters
    ----------
    effectiveness : float
        0 <= effectiveness < what 100 transfer units give. [-]
    capacity_ratio : float
        Smaller over larger capacity rate, 0..1. [-]

    Raises
    ------
    ParameterError
        If no exchanger of up to 100 transfer units reaches the effectiveness.

    Examples
    --------
    >>> round(crossflow_ntu(crossflow_effectiveness(2.0, 0.7), 0.7), 6)
    2.0
    """
    low, high = 0.0, 100.0
    most = crossflow_effectiveness(high, capacity_ratio)
    require(0.0 <= effectiveness < most, "effectiveness", effectiveness, f">= 0 and < {most:.3f}")
    for _ in range(60):
        middle = 0.5 * (low + high)
        if crossflow_effectiveness(middle, capacity_ratio) < effectiveness:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
