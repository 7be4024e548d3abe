"""How long requests waited, as histograms that can be added up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.config import Positive

Floats = NDArray[np.float64]

PER_DECADE = 80
"""Bins to a factor of ten: 2.9 % wide."""
LOWEST_S = 1e-5
BINS = 9 * PER_DECADE
"""From 10 us to 10,000 s; the first and last bin also hold what lies beyond."""
EDGES_S = LOWEST_S * 10.0 ** (np.arange(BINS + 1) / PER_DECADE)


def bin_of(seconds: Floats) -> NDArray[np.int64]:
    """Return the bin of each of *seconds*.

    Examples
    --------
    >>> bin_of(np.array([0.0, 1.01e-5, 1.01e-4, 1e9])).tolist()
    [0, 0, 80, 719]
    """
    number = np.floor(PER_DECADE * np.log10(np.maximum(seconds, LOWEST_S) / LOWEST_S))
    return np.asarray(np.clip(number, 0, BINS - 1).astype(np.int64))


def histogram(seconds: Floats, weights: Floats | None = None) -> Floats:
    """Return how much falls into each bin."""
    return np.bincount(bin_of(seconds), weights, BINS).astype(float)


def quantile_s(histogram: Floats, share: float) -> float | None:
    """Return what *share* of a histogram does not exceed [s]; None of an empty one.

    Within a bin, by straight line.
    """
    total = np.cumsum(histogram)
    if total[-1] <= 0:
        return None
    return float(np.interp(share * total[-1], np.concatenate([[0.0], total]), EDGES_S))


@dataclass(frozen=True, slots=True)
class Objective:
    """What a request may take to be within its service level."""

    ttft_s: Positive
    """From arrival to the first token. [s]"""
    itl_s: Positive
    """Between tokens, mean over the request. [s]"""


@dataclass(slots=True)
class Latency:
    """Latencies of the requests served."""

    ttft: Floats = field(default_factory=lambda: np.zeros(BINS))
    """Requests by time to first token."""
    itl: Floats = field(default_factory=lambda: np.zeros(BINS))
    """Tokens by time since the token before."""
    requests: float = 0.0
    within: float = 0.0
    """Requests within their objective."""

    def ttft_s(self, share: float) -> float | None:
        """Return the quantile of time to first token [s]."""
        return quantile_s(self.ttft, share)

    def itl_s(self, share: float) -> float | None:
        """Return the quantile of time between tokens [s]."""
        return quantile_s(self.itl, share)

    def within_fraction(self) -> float | None:
        """Return the share of requests within their objective; None without requests."""
        return self.within / self.requests if self.requests > 0 else None

    def __add__(self, other: Latency) -> Latency:
        """Return the latencies of both."""
        return Latency(
            self.ttft + other.ttft,
            self.itl + other.itl,
            self.requests + other.requests,
            self.within + other.within,
        )
