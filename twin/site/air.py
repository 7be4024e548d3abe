"""Hourly outdoor air, what-if changes to it, and its wet bulb."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.config import NonNegative, Positive
from twin.physics.psychrometrics import saturation_pressure_pa, wetbulb_c
from twin.site.base import WeatherSeries
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]

HEAT_WAVE_RAMP_DAYS = 0.25
"""A heat wave comes and goes within this time, so that no temperature jumps."""


@dataclass(kw_only=True)
class HeatWave:
    """A spell of extra heat, for what-if studies."""

    start_day: NonNegative
    """Days from the start of the run."""
    days: Positive
    add_k: NonNegative
    """Added to the dry bulb at the height of the spell. [K]"""


@dataclass(slots=True)
class OutdoorAir:
    """Hourly air of a stretch of time, before wet bulb; arrays of one length."""

    first_at_s: float
    """When the first sample falls, in seconds from the start of the run."""
    drybulb_c: Floats
    vapour_pa: Floats
    pressure_pa: Floats
    mean_pressure_pa: float
    """Of all that is known, not of the stretch alone: that would change with its length."""
    source: str
    warnings: list[str] = field(default_factory=list)


def heat_wave_k(at_s: Floats, wave: HeatWave) -> Floats:
    """Return what a heat wave adds to the dry bulb, a trapezoid in time.

    Parameters
    ----------
    at_s : ndarray, shape (n,)
        Instants from the start of the run. [s]
    wave : HeatWave
        Its begin, length and height.

    Returns
    -------
    ndarray, shape (n,)
        Added temperature. [K]

    Examples
    --------
    >>> import numpy as np
    >>> wave = HeatWave(start_day=1, days=2, add_k=5)
    >>> heat_wave_k(np.array([0.5, 1.0, 1.125, 2.0, 3.0, 3.5]) * 86400, wave).tolist()
    [0.0, 0.0, 2.5, 5.0, 0.0, 0.0]
    """
    ramp = min(HEAT_WAVE_RAMP_DAYS, wave.days / 2)
    end = wave.start_day + wave.days
    corners = [wave.start_day, wave.start_day + ramp, end - ramp, end]
    return np.interp(at_s / SECONDS_PER_DAY, corners, [0.0, wave.add_k, wave.add_k, 0.0])


def weather_series(air: OutdoorAir, shift_k: float, wave: HeatWave | None) -> WeatherSeries:
    """Return the series a run reads, warmed by a shift and a heat wave.

    The humidity ratio stays: warmer air carries the same water, so its relative
    humidity falls. Cooler air carries no more than saturation.
    """
    at_s = air.first_at_s + SECONDS_PER_HOUR * np.arange(len(air.drybulb_c), dtype=np.float64)
    drybulb_c = air.drybulb_c + shift_k
    source = air.source + (f"; shifted by {shift_k:+g} K" if shift_k else "")
    if wave:
        drybulb_c = drybulb_c + heat_wave_k(at_s, wave)
        source += f"; heat wave of {wave.add_k:+g} K on day {wave.start_day:g} for {wave.days:g} d"
    vapour_pa = np.minimum(air.vapour_pa, saturation_pressure_pa(drybulb_c))
    return WeatherSeries(
        step_s=SECONDS_PER_HOUR,
        drybulb_c=drybulb_c,
        wetbulb_c=wetbulb_c(drybulb_c, vapour_pa, air.pressure_pa),
        pressure_pa=air.mean_pressure_pa,
        source=source,
        warnings=air.warnings,
        first_at_s=air.first_at_s,
    )
