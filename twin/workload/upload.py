"""From vehicles to the storage of a centre: a daily pattern through two pipes of finite width."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, Positive, Range
from twin.errors import require
from twin.units import (
    BYTES_PER_GIGABIT,
    BYTES_PER_GIGABYTE,
    BYTES_PER_MEGABYTE,
    SECONDS_PER_DAY,
)
from twin.workload.rhythm import Rhythm, seconds_since_monday

Floats = NDArray[np.float64]

STEP_S = 900.0
"""Rates are constant for a quarter of an hour: as finely as the rhythm of a day is known. [s]"""
STEPS_PER_DAY = round(SECONDS_PER_DAY / STEP_S)
BYTES_PER_KILOBYTE = 1e3


def through_pipe(arrived: Floats, most_per_step: float) -> Floats:
    r"""Return what has left a pipe of finite width, first come first served.

    .. math:: D_n = \min_{m \le n} \left( A_m + c\,(n - m) \right)

    Parameters
    ----------
    arrived : ndarray, shape (steps + 1,)
        What has arrived by the end of each step, from 0 on; never falls.
    most_per_step : float
        What the pipe carries in a step, > 0.

    Returns
    -------
    ndarray, shape (steps + 1,)
        What has left it by the end of each step; exact where rates are constant in a step.

    References
    ----------
    .. [1] J.-Y. Le Boudec, P. Thiran, *Network Calculus*, section 1.2 (the shaper of
       constant rate).

    Examples
    --------
    >>> through_pipe(np.array([0.0, 5.0, 5.0, 6.0]), 2.0).tolist()
    [0.0, 2.0, 4.0, 6.0]
    """
    require(most_per_step > 0.0, "most_per_step", most_per_step, "> 0")
    could = most_per_step * np.arange(len(arrived))
    return np.asarray(np.minimum(np.minimum.accumulate(arrived - could) + could, arrived))


def reached_s(total: Floats, at_s: Floats, level: float) -> float:
    """Return when a *total* that never falls reaches *level*; inf if it does not [s].

    Examples
    --------
    >>> reached_s(np.array([0.0, 4.0, 4.0, 8.0]), np.array([0.0, 1.0, 2.0, 3.0]), 6.0)
    2.5
    """
    level *= 1.0 - 1e-12  # sums of many steps leave a rounding rest
    place = int(np.searchsorted(total, level))
    if place == len(total):
        return inf
    if place == 0:
        return float(at_s[0])
    before, after = float(total[place - 1]), float(total[place])
    part = (level - before) / (after - before)
    return float(at_s[place - 1] + part * (at_s[place] - at_s[place - 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Vehicles that record clips and upload them."""

    vehicles: Annotated[int, Range(1, 1_000_000_000)]
    gb_per_vehicle_day: Positive
    clip_mb: Annotated[float, Range(0.001)]
    """One clip of all sensors, as it is uploaded. [MB]"""
    rhythm: Rhythm = field(default_factory=Rhythm)
    noise_fraction: Fraction = 0.0
    """Standard deviation of a day's clips around the rhythm, over their mean."""

    @property
    def clip_bytes(self) -> float:
        """Return the size of a clip [B]."""
        return self.clip_mb * BYTES_PER_MEGABYTE

    @property
    def clips_per_day(self) -> float:
        """Return the clips of all vehicles on a mean day."""
        daily_bytes = self.vehicles * self.gb_per_vehicle_day * BYTES_PER_GIGABYTE
        return daily_bytes / self.clip_bytes

    def recorded(
        self, start: datetime, first_day: int, days: int, rng: np.random.Generator
    ) -> Floats:
        """Return the clips recorded by the end of each step of *days* from *first_day* on.

        *start* is the date and time of day 0; *first_day* may be negative.
        """
        middle_s = first_day * SECONDS_PER_DAY + STEP_S * np.arange(0.5, days * STEPS_PER_DAY)
        weight = self.rhythm.weight(middle_s + seconds_since_monday(start))
        noise = np.maximum(1.0 + self.noise_fraction * rng.standard_normal(days), 0.0)
        clips = self.clips_per_day / STEPS_PER_DAY * weight * np.repeat(noise, STEPS_PER_DAY)
        return np.concatenate([[0.0], np.cumsum(clips)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """How fast clips are written to the storage: as bytes, and as files that are created."""

    write_gb_per_s: Positive
    files_per_s: Positive
    """Files that the metadata servers create for it. [1/s]"""
    file_kb: Positive
    """Mean size of the files a clip is made of. [kB]"""
    retention_days: Positive | None = None
    """How long clips stay in the storage; null: for good."""

    def clips_per_s(self, clip_bytes: float) -> float:
        """Return the clips that can be written, whichever limit comes first [1/s]."""
        by_bytes = self.write_gb_per_s * BYTES_PER_GIGABYTE / clip_bytes
        by_files = self.files_per_s * self.file_kb * BYTES_PER_KILOBYTE / clip_bytes
        return min(by_bytes, by_files)


def wan_clips_per_s(wan_gbps: float, clip_bytes: float) -> float:
    """Return the clips that a line of *wan_gbps* carries [1/s].

    Examples
    --------
    A petabyte a day in clips of 100 MB fills 92.6 Gb/s:

    >>> round(wan_clips_per_s(92.6, 1e8) * 86400 / 1e7, 3)
    1.0
    """
    return wan_gbps * BYTES_PER_GIGABIT / clip_bytes


@dataclass(slots=True)
class Inflow:
    """Clips recorded, uploaded and written by each instant of a run and of the days before."""

    at_s: Floats
    recorded: Floats
    uploaded: Floats
    written: Floats

    def forget(self) -> None:
        """Take it that nothing is written from second 0 on: the storage will tell."""
        now = self._step(0.0)
        self.written[now:] = self.written[now]

    def note(self, now_s: float, clips: float) -> int:
        """Book that so many *clips* are written since second 0; return the step that begins."""
        step = self._step(now_s)
        written = float(self.written[self._step(0.0)]) + clips
        uploaded = float(self.uploaded[step])
        # Bytes of many steps leave a rounding rest.
        self.written[step] = uploaded if written > uploaded * (1.0 - 1e-9) else written
        return step

    def note_part(self, end_s: float, clips: float) -> None:
        """Book the *clips* of a run that may end within a step, on a straight line beyond it."""
        step = int(np.searchsorted(self.at_s, end_s, side="right")) - 1
        part = (end_s - float(self.at_s[step])) / STEP_S
        if part == 0.0:
            self.note(end_s, clips)
            return
        done = float(self.written[self._step(0.0)]) + clips - float(self.written[step])
        self.written[step + 1] = self.written[step] + done / part

    def has_written(self, end: int, step: int) -> bool:
        """Return whether by *step* all is written that was recorded by an earlier step *end*."""
        return end <= step and bool(self.written[step] >= self.recorded[end] * (1.0 - 1e-12))

    def written_between(self, from_s: float, to_s: float) -> float:
        """Return the clips written between two instants."""
        return float(np.interp(to_s, self.at_s, self.written)) - float(
            np.interp(from_s, self.at_s, self.written)
        )

    def waiting(self, step: int) -> float:
        """Return the clips that lie there at *step*, or come until the next one."""
        if step + 1 >= len(self.at_s):
            return 0.0
        return max(0.0, float(self.uploaded[step + 1] - self.written[step]))

    def _step(self, at_s: float) -> int:
        return round((at_s - float(self.at_s[0])) / STEP_S)


def inflow(recorded: Floats, from_s: float, wan_per_s: float, ingest_per_s: float) -> Inflow:
    """Return what comes of *recorded* clips behind a line and an ingest, both in clips/s."""
    uploaded = through_pipe(recorded, wan_per_s * STEP_S)
    written = through_pipe(uploaded, ingest_per_s * STEP_S)
    at_s = np.asarray(from_s + STEP_S * np.arange(len(recorded)), dtype=np.float64)
    return Inflow(at_s, recorded, uploaded, written)
