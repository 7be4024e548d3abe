"""Power that swings with the steps of synchronous training: waveforms and what they do.

Equations only: a pulse train with ramped edges, its exact means over samples, and the
figures of a waveform that feeds, breakers and the grid care about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import require

Floats = NDArray[np.float64]


def pulse_means(
    edges_s: Floats, *, period_s: float, duty: float, edge_s: float, phase: float
) -> Floats:
    r"""Return the mean of a pulse train over each sample, exactly.

    The train is 1 for ``duty * period_s``, then 0 for the rest; every edge is a straight
    ramp of length *edge_s* about the instant of the change. It is a square wave seen through
    a moving mean, so its mean over a period stays *duty* whatever the edge.

    .. math:: \bar f = \frac{G(b + e/2) - G(b - e/2) - G(a + e/2) + G(a - e/2)}{e\,(b - a)}

    with *G* the second integral of the square wave.

    Parameters
    ----------
    edges_s : ndarray, shape (n + 1,)
        Where samples begin and end, rising. [s]
    period_s : float
        Time of a step, > 0. [s]
    duty : float
        Share of the step at the high level, 0-1. [-]
    edge_s : float
        Length of a ramp, > 0; longer than a level lasts, it never gets there. [s]
    phase : float
        Where in its step the train is at time 0, 0-1. [-]

    Returns
    -------
    ndarray, shape (n,)
        Mean level of each sample, 0-1. [-]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    References
    ----------
    .. [1] E. Choukse et al., "Power stabilization for AI training datacenters", 2025:
       compute-heavy and communication-heavy phases alternate in every iteration.

    Examples
    --------
    >>> means = pulse_means(np.arange(5.0), period_s=4.0, duty=0.5, edge_s=0.2, phase=0.0)
    >>> means.round(6).tolist()
    [0.975, 0.975, 0.025, 0.025]
    """
    require(period_s > 0.0, "period_s", period_s, "> 0 s")
    require(edge_s > 0.0, "edge_s", edge_s, "> 0 s")
    require(0.0 <= duty <= 1.0, "duty", duty, "0 to 1")
    # Whole steps ahead of the first sample, so that nothing is asked before time 0.
    ahead_s = (phase + np.ceil(edge_s / period_s)) * period_s - edges_s[0]
    high_s = duty * period_s

    def twice(at_s: Floats) -> Floats:
        """Return the second integral of the square wave from 0."""
        k = np.floor(at_s / period_s)
        rest_s = at_s - k * period_s
        over_s = np.maximum(rest_s - high_s, 0.0)
        whole = high_s * period_s - high_s**2 / 2.0
        before = k * (k - 1.0) / 2.0 * high_s * period_s + k * whole
        return np.asarray(before + k * high_s * rest_s + rest_s**2 / 2.0 - over_s**2 / 2.0)

    at_s = edges_s + ahead_s
    once = (twice(at_s + edge_s / 2.0) - twice(at_s - edge_s / 2.0)) / edge_s
    return np.asarray(np.diff(once) / np.diff(edges_s))


@dataclass(frozen=True, slots=True)
class Swing:
    """What a waveform of power asks of whoever supplies it."""

    mean_w: float
    low_w: float
    high_w: float
    ramp_w_per_s: float
    """Fastest change between two samples, up or down. [W/s]"""
    dominant_hz: float | None
    """Frequency of its largest part; None where it does not swing. [Hz]"""
    flatten_w: float
    """Power of a storage that would hold it at its mean. [W]"""
    flatten_j: float
    """And the energy that it would move to and fro. [J]"""

    @property
    def swing_w(self) -> float:
        """Return highest minus lowest power [W]."""
        return self.high_w - self.low_w


def swing(power_w: Floats, sample_s: float) -> Swing:
    """Return the figures of a waveform.

    Parameters
    ----------
    power_w : ndarray, shape (n,)
        Mean power of each sample; two samples at least. [W]
    sample_s : float
        Length of a sample, > 0. [s]

    Returns
    -------
    Swing
        What it swings by, how fast, how often, and what would flatten it.

    Examples
    --------
    >>> wave = np.array([4.0, 4.0, 2.0, 2.0] * 4)
    >>> found = swing(wave, sample_s=0.5)
    >>> found.swing_w, found.ramp_w_per_s, found.dominant_hz, found.flatten_w, found.flatten_j
    (2.0, 4.0, 0.5, 1.0, 1.0)
    """
    require(len(power_w) > 1, "power_w", len(power_w), "two samples at least")
    mean_w = float(power_w.mean())
    off_w = power_w - mean_w
    spread_w = float(np.abs(off_w).max())
    flat = spread_w <= 1e-9 * max(abs(mean_w), 1.0)
    spectrum = np.abs(np.fft.rfft(off_w))
    moved_j = np.concatenate([[0.0], np.cumsum(off_w)]) * sample_s
    return Swing(
        mean_w=mean_w,
        low_w=float(power_w.min()),
        high_w=float(power_w.max()),
        ramp_w_per_s=float(np.abs(np.diff(power_w)).max()) / sample_s,
        dominant_hz=None if flat else float(spectrum[1:].argmax() + 1) / (len(off_w) * sample_s),
        flatten_w=spread_w,
        flatten_j=float(moved_j.max() - moved_j.min()),
    )
