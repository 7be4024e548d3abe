"""Fans and pumps: what it costs to move air and water."""

from __future__ import annotations

import math

from twin.errors import require


def moving_power_w(pressure_pa: float, volume_m3_per_s: float, efficiency: float) -> float:
    """Electric power that moves a volume flow against a pressure. [W].

    Parameters
    ----------
    pressure_pa : float
        Pressure rise, >= 0. [Pa]
    volume_m3_per_s : float
        Volume flow, >= 0. [m3/s]
    efficiency : float
        Wire-to-fluid efficiency, 0 < efficiency <= 1. [-]

    Raises
    ------
    ParameterError
        If an argument is outside its range.

    Examples
    --------
    1 kW of heat in air that warms 12 K takes 0.069 m3/s; at 400 Pa and 0.6:

    >>> round(moving_power_w(400.0, 1000.0 / (1.2 * 1006.0 * 12.0), 0.6), 1)
    46.0
    """
    require(pressure_pa >= 0.0, "pressure_pa", pressure_pa, ">= 0")
    require(volume_m3_per_s >= 0.0, "volume_m3_per_s", volume_m3_per_s, ">= 0")
    require(0.0 < efficiency <= 1.0, "efficiency", efficiency, "> 0 and <= 1")
    return pressure_pa * volume_m3_per_s / efficiency


def affinity_power_w(rated_w: float, speed: float, exponent: float) -> float:
    """Power of a fan or pump at a fraction of its rated speed. [W].

    Flow follows speed, pressure its square and power its cube where nothing but
    friction opposes; a fixed pressure (a raised floor, a valve) lowers the exponent
    to 2.5-2.8.

    Parameters
    ----------
    rated_w : float
        Power at full speed. [W]
    speed : float
        Fraction of full speed, >= 0; a value above 1 is a machine above its rating. [-]
    exponent : float
        3 without, 2.5-2.8 with a fixed pressure. [-]

    Raises
    ------
    ParameterError
        If the speed is negative.

    Examples
    --------
    >>> affinity_power_w(8000.0, 0.5, 3.0)
    1000.0
    """
    if speed < 0.0:
        require(False, "speed", speed, ">= 0")
    return rated_w * math.pow(speed, exponent)


def cycling_power_w(
    rated_w: float, flow: float, min_speed: float, still_flow: float, exponent: float
) -> float:
    """Power of a fan whose flow is wanted below its least speed. [W].

    Above *min_speed* the affinity law holds. Below it the fan runs at least speed
    for part of the time and is off for the rest, when natural draught still moves
    *still_flow*; the power is the share of time times the power at least speed.

    Parameters
    ----------
    rated_w : float
        Power at full speed. [W]
    flow : float
        Wanted mean flow as a fraction of the rated flow. [-]
    min_speed : float
        Least speed the drive allows, > *still_flow*. [-]
    still_flow : float
        Flow with the fan off, as a fraction of the rated flow. [-]
    exponent : float
        See :func:`affinity_power_w`. [-]

    Raises
    ------
    ParameterError
        If the least speed does not exceed the flow of a fan at rest.

    Examples
    --------
    >>> cycling_power_w(1000.0, 0.5, 0.2, 0.125, 3.0)
    125.0
    >>> cycling_power_w(1000.0, 0.125, 0.2, 0.125, 3.0)
    0.0
    """
    if not min_speed > still_flow:
        require(False, "min_speed", min_speed, f"> still_flow={still_flow}")
    if flow >= min_speed:
        return affinity_power_w(rated_w, flow, exponent)
    if flow <= still_flow:
        return 0.0
    share = (flow - still_flow) / (min_speed - still_flow)
    return share * affinity_power_w(rated_w, min_speed, exponent)
