"""Distributions of job sizes, run times and activity, each with its exact mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, NonNegative, Positive, Range
from twin.errors import require
from twin.units import SECONDS_PER_HOUR

Spread = Annotated[float, Range(0.0, 5.0, open_low=True)]
"""Standard deviation of the logarithm; beyond 5 a mean says nothing about a job."""

WIDEST = 5.0


def tail(x: float, mu: float, sigma: float) -> float:
    """Return the probability that a log-normal exceeds *x* [-].

    Examples
    --------
    >>> tail(1.0, mu=0.0, sigma=2.0)
    0.5
    >>> tail(0.0, mu=0.0, sigma=2.0)
    1.0
    """
    return 0.5 * math.erfc((math.log(x) - mu) / (sigma * math.sqrt(2))) if x > 0 else 1.0


def between(low: float, high: float, mu: float, sigma: float) -> float:
    """Return the probability that a log-normal lies in *low* .. *high* [-].

    The difference is taken on the side where both terms are small, so that it keeps its digits.

    Examples
    --------
    >>> round(between(math.exp(-1), math.exp(1), mu=0.0, sigma=1.0), 6)
    0.682689
    """
    if low > 0 and math.log(low) + math.log(high) > 2 * mu:
        return tail(low, mu, sigma) - tail(high, mu, sigma)
    left = tail(1 / low, -mu, sigma) if low > 0 else 0.0
    return tail(1 / high, -mu, sigma) - left


def clipped_mean(mu: float, sigma: float, low: float, high: float) -> float:
    r"""Mean of a log-normal whose values below *low* or above *high* are moved to the bound.

    .. math:: l\,(1 - S(l)) + e^{\mu+\sigma^2/2}\,(S'(l) - S'(h)) + h\,S(h)

    with :math:`S` the tail of (mu, sigma) and :math:`S'` that of (mu + sigma^2, sigma).

    Parameters
    ----------
    mu, sigma : float
        Mean and standard deviation of the logarithm; sigma > 0.
    low, high : float
        Bounds, 0 <= low < high.

    Returns
    -------
    float
        The mean, in the unit of the bounds.

    References
    ----------
    .. [1] Johnson, Kotz & Balakrishnan, *Continuous Univariate Distributions* 1, ch. 14
       (partial expectation of the log-normal).

    Examples
    --------
    >>> round(clipped_mean(0.0, 1.0, 0.0, 1e9), 6) == round(math.exp(0.5), 6)
    True
    >>> round(clipped_mean(-30.0, 1.0, 2.0, 5.0), 9)  # everything is at the lower bound
    2.0
    """
    inside = between(low, high, mu + sigma**2, sigma)
    below = low * (1 - tail(low, mu, sigma))
    return below + math.exp(mu + sigma**2 / 2) * inside + high * tail(high, mu, sigma)


def whole_mean(mu: float, sigma: float, low: int, high: int) -> float:
    """Mean of a log-normal rounded up to whole numbers and held within *low* .. *high*.

    The mean of a whole number N >= low is ``low + sum of P(N > k)`` from k = low on.

    Examples
    --------
    >>> whole_mean(-50.0, 1.0, 1, 512)
    1.0
    >>> whole_mean(50.0, 1.0, 1, 512)
    512.0
    """
    return low + math.fsum(tail(k, mu, sigma) for k in range(low, high))


def solve_rising(f: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return x in *low* .. *high* with ``f(x) = target``, f rising, by halving to rounding.

    Examples
    --------
    >>> round(solve_rising(lambda x: x * x, 2.0, 0.0, 2.0), 12)
    1.414213562373
    """
    while high - low > 1e-14 * max(1.0, abs(low), abs(high)):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if f(middle) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _log_bounds(low: float, high: float, sigma: float) -> tuple[float, float]:
    """Return values of mu between which every mean within *low* .. *high* is met."""
    reach = 40 * sigma + 1
    return math.log(low) - reach if low > 0 else math.log(high) - 80 - reach, math.log(high) + reach


@dataclass(slots=True)
class RunTimes:
    """Log-normal run times with a heavy tail, held within ``min_h`` .. ``max_h``.

    ``mean_h`` is what jobs really average, after the bounds: a cap does not lower it,
    the tail is stretched instead. The shape is given by ``median_h`` or by ``sigma``.
    Times beyond a bound sit at the bound, as those of jobs ended at a wall-time limit do.
    """

    mean_h: Annotated[float, Range(low=0.001)]
    max_h: Positive
    median_h: Positive | None = None
    sigma: Spread | None = None
    min_h: NonNegative = 0.0
    mu: float = field(init=False)
    """Mean of the logarithm of the run time in hours, before the bounds."""
    spread: float = field(init=False)
    """Standard deviation of that logarithm."""

    def __post_init__(self) -> None:
        low, high = self.min_h, self.max_h
        require(low < high, "min_h", low, f"below max_h={high}")
        require(low < self.mean_h < high, "mean_h", self.mean_h, f"between {low} and {high}")
        given = (self.median_h is None) != (self.sigma is None)
        require(given, "sigma", self.sigma, "given where median_h is not, and only there")
        if self.sigma is not None:
            sigma = self.spread = self.sigma
            start, stop = _log_bounds(low, high, sigma)
            self.mu = solve_rising(
                lambda mu: clipped_mean(mu, sigma, low, high), self.mean_h, start, stop
            )
        elif self.median_h is not None:
            self.mu = mu = math.log(self.median_h)
            require(low < self.median_h < high, "median_h", self.median_h, "within the bounds")
            most = clipped_mean(mu, WIDEST, low, high)
            allowed = f"above median_h={self.median_h} and below {most:.4g}, what max_h leaves"
            require(self.median_h < self.mean_h < most, "mean_h", self.mean_h, allowed)
            self.spread = solve_rising(
                lambda sigma: clipped_mean(mu, sigma, low, high), self.mean_h, 1e-9, WIDEST
            )

    def draw_s(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return *n* run times [s]."""
        hours = np.exp(self.mu + self.spread * rng.standard_normal(n))
        return np.asarray(np.clip(hours, self.min_h, self.max_h) * SECONDS_PER_HOUR)


@dataclass(slots=True)
class ServerSizes:
    """Log-normal sizes in whole servers, held within ``min`` .. ``max``.

    ``mean`` is what jobs really average, after rounding up and after the bounds.
    """

    mean: Positive
    sigma: Spread
    max: Count
    min: Count = 1
    mu: float = field(init=False)
    """Mean of the logarithm of the size, before rounding and bounds."""

    def __post_init__(self) -> None:
        low, high = self.min, self.max
        require(low < high, "min", low, f"below max={high}")
        require(low < self.mean < high, "mean", self.mean, f"between min={low} and max={high}")
        start, stop = _log_bounds(low, high, self.sigma)
        self.mu = solve_rising(
            lambda mu: whole_mean(mu, self.sigma, low, high), self.mean, start, stop
        )

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Return *n* sizes in servers."""
        sizes = np.ceil(np.exp(self.mu + self.sigma * rng.standard_normal(n)))
        return np.asarray(np.clip(sizes, self.min, self.max).astype(np.int64))


def check_quantiles(points: list[tuple[float, float]], name: str) -> None:
    """Refuse quantile *points* (probability, value) that are no distribution.

    Raises
    ------
    ParameterError
        If there are fewer than two, if probabilities do not rise from 0 to 1,
        or if values fall.
    """
    require(len(points) > 1, name, points, "a number or at least two [probability, value] points")
    probability, value = zip(*points, strict=True)
    ends = (probability[0], probability[-1]) == (0.0, 1.0)
    rising = all(a < b for a, b in pairwise(probability))
    require(ends and rising, name, points, "points whose probability rises from 0 to 1")
    ordered = all(a <= b for a, b in pairwise(value))
    require(ordered, name, points, "points whose value never falls")


def draw_quantiles(
    given: float | list[tuple[float, float]], rng: np.random.Generator, n: int
) -> NDArray[np.float64]:
    """Return *n* draws from a constant, or from quantile points joined by straight lines.

    One uniform number is drawn for each value even where the answer is constant.

    Examples
    --------
    >>> draw_quantiles(0.7, np.random.default_rng(0), 2).tolist()
    [0.7, 0.7]
    >>> x = draw_quantiles([(0, 0.2), (1, 0.4)], np.random.default_rng(0), 1000)
    >>> bool(0.2 <= x.min() < 0.21 and 0.39 < x.max() <= 0.4)
    True
    """
    points = given if isinstance(given, list) else [(0.0, given), (1.0, given)]
    probability, value = zip(*points, strict=True)
    return np.asarray(np.interp(rng.random(n), probability, value))
