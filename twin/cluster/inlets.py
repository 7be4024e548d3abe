"""Racks that draw warmer air than others, and what their fans would draw in cool air."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class RackFans:
    """Fan power of each rack, exact over each beat; kept only where racks differ.

    Parameters
    ----------
    rise_k : sequence of float, shape (racks,)
        How much warmer than the hall's inlet each rack draws its air. [K]
    fan_w : ndarray, shape (racks,)
        What the fans of each rack draw now, were their inlet cool. [W]

    Examples
    --------
    Fans of 10 W each; those of the second rack go to 30 W after 15 s of a beat of 60 s.

    >>> fans = RackFans([0.0, 4.0], np.array([10.0, 10.0]))
    >>> fans.book([1], 20.0, 15.0)
    >>> fans.take(60.0).tolist(), fans.take(60.0).tolist()
    ([10.0, 25.0], [10.0, 30.0])
    """

    def __init__(self, rise_k: Sequence[float], fan_w: Floats) -> None:
        self.rise_k = list(rise_k)
        self._fan_w: Floats = np.array(fan_w, dtype=float)
        self._late_j: Floats = np.zeros(len(fan_w))

    def book(self, racks: Iterable[int], step_w: float, since_s: float) -> None:
        """Add *step_w* to a rack for each time it is named, *since_s* into the beat."""
        for rack in racks:
            self._fan_w[rack] += step_w
            self._late_j[rack] += step_w * since_s

    def book_wide(self, in_rack: Floats, step_w: float, since_s: float) -> None:
        """Add *step_w* for each of the servers *in_rack*, *since_s* into the beat."""
        self._fan_w += in_rack * step_w
        self._late_j += in_rack * (step_w * since_s)

    def take(self, dt_s: float) -> Floats:
        """Close a beat of *dt_s*; return what the fans of each rack drew on the mean [W]."""
        mean_w = self._fan_w - self._late_j / dt_s
        self._late_j[:] = 0.0
        return mean_w
