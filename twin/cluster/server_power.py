"""The power of all servers and of those in each rack, exact over every beat.

Only the differences are booked, each with the moment at which it came, so a mean over a beat
is exact. Totals are kept beat by beat; racks are made up for many beats at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray

from twin.cluster.inlets import RackFans

Floats = NDArray[np.float64]


class ServerPower:
    """The books of the power that servers draw, for a cool inlet.

    Parameters
    ----------
    in_rack : ndarray, shape (racks,)
        Servers of each rack, all idle at first.
    server_w, server_fan_w : float
        What an idle server draws, and what of that its fans do. [W]

    Examples
    --------
    A server of the second of two racks goes from 100 W to 160 W after 15 s of a beat of 60 s.

    >>> power = ServerPower(np.array([1.0, 1.0]), 100.0, 10.0)
    >>> power.book([1], 60.0, 0.0, 15.0)
    >>> power.take_beat(60.0), power.take_racks().tolist()
    ((14700.0, 1200.0), [[100.0, 145.0]])
    """

    def __init__(self, in_rack: Floats, server_w: float, server_fan_w: float) -> None:
        servers = float(in_rack.sum())
        self.racks = len(in_rack)
        self.total_w = servers * server_w
        self.fan_w = servers * server_fan_w
        self.watched_w: list[float] | None = None
        """Power of each rack now, kept only where somebody watches it. [W]"""
        self.fans: RackFans | None = None
        """Fan power of each rack, kept only where racks differ in the air they draw."""
        self._rack_w = in_rack * server_w
        self._beat_at_s = 0.0
        self._since_s = 0.0
        self._energy_j = 0.0
        self._fan_j = 0.0
        self._where: list[int] = []
        """Rack of each server whose power changed since the last settlement."""
        self._number: list[int] = []
        """How many of them changed together, by how many W each, and J if not until the beat's
        start."""
        self._step_w: list[float] = []
        self._step_j: list[float] = []
        self._lengths_s: list[float] = []
        self._changes: list[int] = []
        """Such changes up to the end of each beat."""
        self._wide: list[tuple[int, Floats, float]] = []
        """Beats since the last settlement, servers of each rack, and W or J for each server."""
        self._wide_late: list[tuple[int, Floats, float]] = []
        self._mean_w = np.empty((0, self.racks))
        self._low_w, self._high_w, self._least_step_w = -inf, inf, inf
        """Total beyond which there was a step since the beat began; how large one is. [W]"""
        self._tell: Callable[[], None]

    def watch_steps(self, least_w: float, tell: Callable[[], None]) -> None:
        """Tell when the total is *least_w* away from that at the begin of a beat, once in each."""
        self._least_step_w, self._tell = least_w, tell

    def watch(self) -> list[float]:
        """Keep the power of each rack from now on, and return it [W]."""
        step_w = np.repeat(self._step_w, self._number)
        booked_w = np.bincount(self._where, step_w, self.racks)
        watched_w: list[float] = (self._rack_w + booked_w).tolist()
        self.watched_w = watched_w
        return watched_w

    def book(self, racks: Sequence[int], step_w: float, step_fan_w: float, now_s: float) -> None:
        """Let a server of a rack draw *step_w* more for each time the rack is named."""
        if now_s != self._since_s:
            self._advance(now_s)
        number = len(racks)
        self.total_w += step_w * number
        self.fan_w += step_fan_w * number
        if not self._low_w <= self.total_w <= self._high_w:
            self._step()
        if self.watched_w is not None:
            for rack in racks:
                self.watched_w[rack] += step_w
        if self.fans is not None:
            self.fans.book(racks, step_fan_w, now_s - self._beat_at_s)
        self._where += racks
        self._number.append(number)
        self._step_w.append(step_w)
        self._step_j.append(step_w * (now_s - self._beat_at_s))

    def book_wide(
        self, number: int, in_rack: Floats, step_w: float, step_fan_w: float, now_s: float
    ) -> None:
        """Book the same step for *number* servers, of which *in_rack* stand in each rack."""
        if now_s != self._since_s:
            self._advance(now_s)
        self.total_w += step_w * number
        self.fan_w += step_fan_w * number
        if not self._low_w <= self.total_w <= self._high_w:
            self._step()
        if self.watched_w is not None:
            self.watched_w[:] = (np.array(self.watched_w) + in_rack * step_w).tolist()
        if self.fans is not None:
            self.fans.book_wide(in_rack, step_fan_w, now_s - self._beat_at_s)
        beat = len(self._lengths_s)
        self._wide.append((beat, in_rack, step_w))
        self._wide_late.append((beat, in_rack, step_w * (now_s - self._beat_at_s)))

    def _step(self) -> None:
        self._low_w, self._high_w = -inf, inf
        self._tell()

    def _advance(self, now_s: float) -> None:
        passed_s = now_s - self._since_s
        self._energy_j += self.total_w * passed_s
        self._fan_j += self.fan_w * passed_s
        self._since_s = now_s

    def take_beat(self, now_s: float) -> tuple[float, float]:
        """Close the beat that ends now; return energy of all servers, of which fans [J].

        Both are exact and for a cool inlet. Racks are settled later, see :meth:`take_racks`.
        """
        self._advance(now_s)
        energy_j, fan_j = self._energy_j, self._fan_j
        self._energy_j = self._fan_j = 0.0
        self._lengths_s.append(now_s - self._beat_at_s)
        self._changes.append(len(self._number))
        self._beat_at_s = now_s
        self._low_w = self.total_w - self._least_step_w
        self._high_w = self.total_w + self._least_step_w
        return energy_j, fan_j

    def take_racks(self) -> Floats:
        """Return the mean power of each rack in each beat since the last call.

        What was booked after the last beat, at its very end, is kept for the next call.

        Returns
        -------
        ndarray, shape (beats, racks)
            For a cool inlet, and exact; the caller's until the next call. [W]
        """
        beats, racks, changes = len(self._lengths_s), self.racks, self._changes[-1]
        beat = np.repeat(np.arange(beats), np.diff(self._changes, prepend=0))
        number = np.array(self._number[:changes], dtype=np.intp)
        booked = int(number.sum())
        cell = np.repeat(beat * racks, number) + np.array(self._where[:booked], dtype=np.intp)
        # One array from first to last: the steps, their sum up to each beat, the mean over it.
        if len(self._mean_w) != beats:
            self._mean_w = np.empty((beats, racks))  # kept between calls: making it is dear
        mean_w, flat_w = self._mean_w, self._mean_w.reshape(-1)
        mean_w.fill(0.0)
        np.add.at(flat_w, cell, np.repeat(self._step_w[:changes], number))
        self._wide = _add_wide(self._wide, mean_w)
        mean_w[0] += self._rack_w
        for before_w, beat_w in pairwise(mean_w):  # a third of what cumsum takes
            np.add(before_w, beat_w, out=beat_w)
        self._rack_w = mean_w[-1].copy()
        late_w = np.array(self._step_j[:changes]) / np.array(self._lengths_s)[beat]
        np.subtract.at(flat_w, cell, np.repeat(late_w, number))
        per_s = [
            (beat, in_rack, -j / self._lengths_s[beat]) if beat < beats else (beat, in_rack, j)
            for beat, in_rack, j in self._wide_late
        ]
        self._wide_late = _add_wide(per_s, mean_w)
        del self._where[:booked], self._number[:changes]
        del self._step_w[:changes], self._step_j[:changes]
        self._lengths_s, self._changes = [], []
        return mean_w


def _add_wide(
    booked: list[tuple[int, Floats, float]], rows: Floats
) -> list[tuple[int, Floats, float]]:
    """Add what is booked to the row of its beat; return what belongs to a beat after the last."""
    for beat, in_rack, each in booked:
        if beat < len(rows):
            rows[beat] += in_rack * each
    return [
        (beat - len(rows), in_rack, each) for beat, in_rack, each in booked if beat >= len(rows)
    ]
