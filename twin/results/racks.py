"""Power of every rack over time, as time-weighted histograms instead of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import require

BINS = 200
"""Bins of a rack's rating; one more collects what exceeds it."""

Floats = NDArray[np.float64]


class RackPower:
    """Means, peaks and histograms of rack power, fed once a heartbeat.

    Parameters
    ----------
    racks : int
        How many racks hold IT.
    rated_w : float or array_like, shape (racks,)
        What each rack may draw. [W]
    per_row : int, optional
        Racks of a row; rows are not looked at without.
    """

    def __init__(self, racks: int, rated_w: ArrayLike, per_row: int | None = None) -> None:
        self.rated_w: Floats = np.broadcast_to(np.asarray(rated_w, dtype=float), racks).copy()
        require(bool(np.all(self.rated_w > 0.0)), "rated_w", rated_w, "> 0 W")
        self._offset = np.arange(racks, dtype=np.intp) * (BINS + 1)
        # A hair less than exact: a rack that draws its rating stands in the last bin.
        self._per_bin = BINS / self.rated_w * (1.0 - 1e-12)
        self._bins = np.empty((0, racks), dtype=np.int32)  # kept between blocks: making it is dear
        self._dt_s = 0.0
        self._time_s = 0.0
        self._energy_j = np.zeros(racks)
        self._peak_w = np.zeros(racks)
        self._rows = np.arange(0, racks, per_row) if per_row else None
        self._row_peak_w = 0.0
        self._beats = np.zeros(racks * (BINS + 1), dtype=np.intp)
        self._histogram_s = np.zeros(racks * (BINS + 1))

    def beat(self, mean_power_w: Floats, dt_s: float) -> None:
        """Take the mean power of every rack over a heartbeat of *dt_s*."""
        self.block(mean_power_w[None, :], np.array([dt_s]))

    def block(self, mean_power_w: Floats, lengths_s: Floats) -> Floats | float:
        """Take many heartbeats at once; return what the fullest row draws in each of them [W].

        NaN where rows are not looked at.

        Parameters
        ----------
        mean_power_w : ndarray, shape (beats, racks)
            Mean power of every rack over each beat. [W]
        lengths_s : ndarray, shape (beats,)
            Length of each beat. [s]
        """
        ends = [*(np.flatnonzero(np.diff(lengths_s)) + 1).tolist(), len(lengths_s)]
        start = 0
        for end in ends:
            self._count(mean_power_w[start:end], float(lengths_s[start]))
            start = end
        if self._rows is None:
            return np.nan
        fullest_w: Floats = np.add.reduceat(mean_power_w, self._rows, axis=1).max(axis=1)
        self._row_peak_w = max(self._row_peak_w, float(fullest_w.max()))
        return fullest_w

    def _count(self, block: Floats, dt_s: float) -> None:
        """Sort beats of one length into bins."""
        if dt_s != self._dt_s:
            self._settle()
            self._dt_s = dt_s
        self._energy_j += block.sum(axis=0) * dt_s
        np.maximum(self._peak_w, block.max(axis=0), out=self._peak_w)
        if self._bins.shape != block.shape:
            self._bins = np.empty(block.shape, dtype=np.int32)
        bins = self._bins
        np.multiply(block, self._per_bin, out=bins, casting="unsafe")
        if np.any(self._peak_w > self.rated_w):
            np.minimum(bins, BINS, out=bins)
        # Racks seldom change their bin: all beats go to the one they end in, and at each change
        # those before it to the bin they were in instead.
        self._beats[bins[-1] + self._offset] += len(block)
        before = np.flatnonzero(bins[1:] != bins[:-1])
        beat, rack = np.divmod(before, len(self.rated_w))
        offset, flat = self._offset[rack], bins.ravel()
        np.add.at(self._beats, flat[before] + offset, beat + 1)
        np.subtract.at(self._beats, flat[before + len(self.rated_w)] + offset, beat + 1)
        self._time_s += len(block) * dt_s

    def _settle(self) -> None:
        """Turn counted beats into time: before a reading, or before beats of another length."""
        self._histogram_s += self._beats * self._dt_s
        self._beats[:] = 0

    def histogram_s(self) -> Floats:
        """Return the time each rack spent in each bin, shape (racks, 201), the last overflow."""
        self._settle()
        return self._histogram_s.reshape(-1, BINS + 1)

    def mean_w(self) -> Floats:
        """Return each rack's mean power [W]; NaN before the first beat."""
        self._settle()
        return self._energy_j / self._time_s if self._time_s else self._energy_j * np.nan

    def peak_w(self) -> Floats:
        """Return each rack's largest heartbeat mean [W]."""
        self._settle()
        return self._peak_w.copy()

    def row_peak_w(self) -> float | None:
        """Return the largest heartbeat mean of any row [W]; None where there are no rows."""
        return None if self._rows is None else self._row_peak_w

    def p95_w(self) -> Floats:
        """Return each rack's time-weighted 95th percentile [W], linear within a bin."""
        return histogram_quantile(self.histogram_s(), self.rated_w, self._peak_w, 0.95)

    def table(self) -> dict[str, Floats]:
        """Return the power columns of ``racks.parquet`` [kW]."""
        return {
            "rated_kw": self.rated_w / 1e3,
            "power_mean_kw": self.mean_w() / 1e3,
            "power_p95_kw": self.p95_w() / 1e3,
            "power_peak_kw": self.peak_w() / 1e3,
        }

    def density_kw(self) -> tuple[float, float, float]:
        """Return (mean, 95th percentile, peak) over all racks and the whole time [kW]."""
        if len(self.rated_w) == 0:
            return float("nan"), float("nan"), float("nan")
        histogram, peak_w = self.histogram_s(), self._peak_w
        rack, place = np.nonzero(histogram)
        if len(rack) == 0:
            return float(self.mean_w().mean()) / 1e3, 0.0, float(peak_w.max()) / 1e3
        edge_w = np.where(place < BINS, (place + 1) / BINS * self.rated_w[rack], np.inf)
        upper_w = np.minimum(edge_w, peak_w[rack])
        order = np.argsort(upper_w, kind="stable")
        time = np.cumsum(histogram[rack, place][order])
        p95_w = upper_w[order][int(np.searchsorted(time, 0.95 * time[-1]))]
        return float(self.mean_w().mean()) / 1e3, float(p95_w) / 1e3, float(peak_w.max()) / 1e3


def histogram_quantile(
    histogram_s: Floats, rated_w: Floats, peak_w: Floats, share: float
) -> Floats:
    """Time-weighted quantile of each row of a histogram of power.

    Parameters
    ----------
    histogram_s : ndarray, shape (racks, 201)
        Time in 200 equal bins of the rating and, last, above it. [s]
    rated_w, peak_w : ndarray, shape (racks,)
        Rating and largest value seen. [W]
    share : float
        Quantile, 0-1.

    Returns
    -------
    ndarray, shape (racks,)
        Off by at most one bin, never above the peak; NaN where no time passed. [W]

    Examples
    --------
    >>> flat = np.full((1, 201), 1.0); flat[0, -1] = 0.0
    >>> histogram_quantile(flat, np.array([100.0]), np.array([100.0]), 0.95).tolist()
    [95.0]
    """
    bins = histogram_s.shape[1] - 1
    cumulative = np.cumsum(histogram_s, axis=1)
    total = cumulative[:, -1]
    target = share * total
    at = np.minimum((cumulative < target[:, None]).sum(axis=1), bins)
    row = np.arange(len(histogram_s))
    inside = histogram_s[row, at]
    below = cumulative[row, at] - inside
    part = np.divide(target - below, inside, out=np.zeros_like(target), where=inside > 0.0)
    value = np.where(at == bins, peak_w, (at + part) / bins * rated_w)
    return np.where(total > 0.0, np.minimum(value, peak_w), np.nan)
