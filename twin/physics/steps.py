"""A quantity that changes in steps: prices, carbon, the sun by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from twin.errors import require


class StepSeries:
    """A value that holds for a whole step, and then another; means over time are exact.

    Before its first step and after its last the outermost value holds.

    Examples
    --------
    >>> prices = StepSeries([0.4, 1.0], first_at_s=0.0, step_s=3600.0)
    >>> prices.at(3600.0), prices.mean(3000.0, 4200.0)
    (1.0, 0.7)
    """

    __slots__ = (
        "_array",
        "_begin_s",
        "_end_s",
        "_held",
        "_last",
        "first_at_s",
        "step_s",
        "values",
    )

    def __init__(self, values: Sequence[float], first_at_s: float, step_s: float) -> None:
        require(len(values) > 0, "values", values, "one value at least")
        self.values = list(values)
        self._array = np.array(self.values, dtype=float)
        self.first_at_s = first_at_s
        self.step_s = step_s
        self._last = len(self.values) - 1
        # The step asked for last, since a beat is mostly in the same one as the beat before.
        self._begin_s, self._end_s, self._held = inf, -inf, 0.0
        if self._last == 0:
            self._begin_s, self._end_s, self._held = -inf, inf, self.values[0]

    @classmethod
    def flat(cls, value: float) -> StepSeries:
        """Return a series that never changes."""
        return cls([value], 0.0, inf)

    def at(self, at_s: float) -> float:
        """Return the value at *at_s*; that of the new step where it changes."""
        return self.values[self.place(at_s)]

    def place(self, at_s: float) -> int:
        """Return which of the values holds at *at_s*."""
        return min(max(int((at_s - self.first_at_s) / self.step_s), 0), self._last)

    def mean(self, from_s: float, to_s: float) -> float:
        """Return the mean over ``from_s..to_s``, which lie in the series and in this order."""
        if from_s >= self._begin_s and to_s <= self._end_s:
            return self._held
        first_at_s, step_s = self.first_at_s, self.step_s
        i = int((from_s - first_at_s) / step_s)
        edge_s = first_at_s + (i + 1) * step_s
        if to_s <= edge_s:
            self._begin_s, self._end_s = edge_s - step_s, edge_s
            self._held = self.values[i if i < self._last else self._last]
            return self._held
        total, begin_s = 0.0, from_s
        while begin_s < to_s:
            end_s = min(edge_s, to_s)
            total += self.values[min(i, self._last)] * (end_s - begin_s)
            i, begin_s, edge_s = i + 1, edge_s, edge_s + step_s
        return total / (to_s - from_s)

    def means(self, from_s: NDArray[np.float64], to_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return :meth:`mean` of many intervals at once.

        Parameters
        ----------
        from_s, to_s : ndarray, shape (n,)
            Bounds of the intervals. [s]
        """
        place = ((from_s - self.first_at_s) / self.step_s).astype(np.intp)
        edge_s = self.first_at_s + (place + 1) * self.step_s
        means: NDArray[np.float64] = self._array[np.minimum(place, self._last)]
        for k in np.flatnonzero(to_s > edge_s).tolist():
            means[k] = self.mean(float(from_s[k]), float(to_s[k]))
        return means
