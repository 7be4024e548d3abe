"""The rhythm of a week: when more jobs are submitted and more requests are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, NonNegative, Range
from twin.errors import require
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

WEEK_S = 7 * SECONDS_PER_DAY
SATURDAY_S = 5 * SECONDS_PER_DAY
STEP_S = 900.0
"""Arrival rates are held constant for a quarter of an hour, so the time change is exact."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A cosine over the day and a factor for the weekend, of mean 1 over a week.

    Over a working day peak/mean is ``1 + swing`` and trough/mean ``1 - swing``.
    """

    swing: Fraction = 0.0
    peak_hour: Annotated[float, Range(0.0, 24.0)] = 15.0
    weekend_factor: NonNegative = 1.0

    def weight(self, week_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return demand over its weekly mean at *week_s*, seconds since Monday 0:00 [-].

        Examples
        --------
        >>> Rhythm(swing=0.4, peak_hour=12).weight(np.array([0.0, 43200.0])).round(6).tolist()
        [0.6, 1.4]
        """
        week_s = week_s % WEEK_S
        angle = 2 * np.pi * (week_s / SECONDS_PER_DAY - self.peak_hour / 24)
        weekend = np.where(week_s >= SATURDAY_S, self.weekend_factor, 1.0)
        mean = (5 + 2 * self.weekend_factor) / 7  # the cosine vanishes over each whole day
        return np.asarray((1 + self.swing * np.cos(angle)) * weekend / mean)


def hourly_noise(
    middle_s: NDArray[np.float64], duration_s: float, fraction: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a factor on demand at each of *middle_s*, drawn for each hour of a run [-].

    Its standard deviation is *fraction* on the hour; between hours it is joined by straight
    lines, so that the step of a profile changes no draw. Demand never falls below 0.

    Examples
    --------
    >>> hourly_noise(np.array([0.0, 60.0]), 3600.0, 0.0, np.random.default_rng(0)).tolist()
    [1.0, 1.0]
    """
    hours = math.ceil(duration_s / SECONDS_PER_HOUR) + 1
    noise = np.interp(middle_s / SECONDS_PER_HOUR, np.arange(hours), rng.standard_normal(hours))
    return np.asarray(np.maximum(1 + fraction * noise, 0))


def seconds_since_monday(at: datetime) -> float:
    """Return the seconds between the last Monday 0:00 and *at* [s].

    Examples
    --------
    >>> seconds_since_monday(datetime(2023, 7, 4, 0, 0, 1))  # a Tuesday
    86401.0
    """
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return at.weekday() * SECONDS_PER_DAY + (at - midnight).total_seconds()


class TimeChange:
    """Stretches even time so that an even stream of arrivals gets a rhythm.

    A Poisson process of rate 1 in *even* time becomes one of rate
    ``rhythm.weight`` in clock time, exactly, with no draw thrown away.

    References
    ----------
    .. [1] E. Cinlar, *Introduction to Stochastic Processes*, ch. 4.7 (time change).
    """

    def __init__(self, rhythm: Rhythm, start: datetime) -> None:
        middles_s = np.arange(STEP_S / 2, WEEK_S, STEP_S)
        self._clock_s = np.arange(0.0, WEEK_S + STEP_S / 2, STEP_S)
        self._even_s = np.concatenate([[0.0], np.cumsum(rhythm.weight(middles_s)) * STEP_S])
        self._even_s *= WEEK_S / self._even_s[-1]  # mends rounding only: the mean weight is 1
        self._start_clock_s = seconds_since_monday(start)
        self._start_even_s = float(np.interp(self._start_clock_s, self._clock_s, self._even_s))

    def even_s(self, clock_s: float) -> float:
        """Return the even time that passes in the first *clock_s* seconds of the run."""
        require(clock_s >= 0, "clock_s", clock_s, ">= 0")
        weeks, rest_s = divmod(self._start_clock_s + clock_s, WEEK_S)
        even_s = float(np.interp(rest_s, self._clock_s, self._even_s))
        return weeks * WEEK_S + even_s - self._start_even_s

    def clock_s(self, even_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return when, in seconds of the run, each of *even_s* is reached; the inverse."""
        weeks, rest_s = np.divmod(even_s + self._start_even_s, WEEK_S)
        clock_s = np.interp(rest_s, self._even_s, self._clock_s)
        return np.asarray(weeks * WEEK_S + clock_s - self._start_clock_s)
