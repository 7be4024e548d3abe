"""Heartbeats, jobs and events in, the four Parquet files of a run folder out.

Heartbeats come in blocks; every few thousand of them are turned into output
intervals at once. Memory is that buffer, whatever the length of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import RunError, require
from twin.records import Event, Job
from twin.results.parquet import ParquetFile
from twin.schema import EVENTS, JOBS, RACKS, ROW, SERIES, SLOWDOWN_BOUND_S

BEATS_PER_BLOCK = 2048
ROWS_PER_BLOCK = 8192

Floats = NDArray[np.float64]


class Recorder:
    """Writes ``series``, ``jobs``, ``racks`` and ``events`` of one run into *folder*.

    Parameters
    ----------
    folder : Path
        The run folder; must exist.
    interval_s : float
        Length of an output interval, a multiple of the heartbeat. [s]
    """

    def __init__(self, folder: Path, interval_s: float) -> None:
        require(interval_s > 0.0, "interval_s", interval_s, "> 0 s")
        self._interval_s = interval_s
        self._series = ParquetFile(folder, "series", SERIES)
        self._jobs_file = ParquetFile(folder, "jobs", JOBS)
        self._events_file = ParquetFile(folder, "events", EVENTS)
        self._racks_file = ParquetFile(folder, "racks", RACKS)
        self._starts: list[float] = []
        self._lengths: list[float] = []
        self._rows: list[Floats] = []
        self._jobs: list[tuple[Any, ...]] = []
        self._events: list[tuple[float, str, str, str]] = []

    def beat(self, at_s: float, dt_s: float, row: Sequence[float]) -> None:
        """Take the means over the heartbeat that starts at *at_s* and lasts *dt_s*.

        *row* holds the values of ``schema.ROW`` in order, NaN where a quantity is not
        modelled. It is copied, so the caller may use the list again.
        """
        self.beats([at_s], [dt_s], np.array([row], dtype=np.float64))

    def beats(self, starts_s: Sequence[float], lengths_s: Sequence[float], rows: Floats) -> None:
        """Take a block of heartbeats, one after another; *rows* is kept and not copied.

        Parameters
        ----------
        starts_s, lengths_s : sequence of float
            When each starts, and how long it lasts. [s]
        rows : ndarray, shape (beats, columns)
            Their means, each row as in :meth:`beat`.
        """
        if rows.shape != (len(starts_s), len(ROW)):
            raise RunError(f"a heartbeat row must hold {len(ROW)} values: {', '.join(ROW)}")
        self._rows.append(rows)
        self._lengths.extend(lengths_s)
        self._starts.extend(starts_s)
        if len(self._starts) >= BEATS_PER_BLOCK:
            self._write_intervals(last=False)

    def job(self, job: Job) -> None:
        """Take a job that ended, or that is still there when the run ends."""
        arrived, started, finished = job.arrived_at_s, job.started_at_s, job.finished_at_s
        service = job.service_s
        held = service if service > SLOWDOWN_BOUND_S else SLOWDOWN_BOUND_S
        slow = (finished - arrived) / held
        self._jobs.append(
            (
                job.job_id,
                job.kind,
                arrived,
                started,
                finished,
                job.gpus,
                job.status,
                started - arrived,
                service,
                1.0 if slow < 1.0 else slow,  # NaN stays NaN: not ended
                job.restarts,
                job.lost_gpu_s,
                job.energy_j,
                job.rack_spread,
            )
        )
        if len(self._jobs) >= ROWS_PER_BLOCK:
            self._write_jobs()

    def event(self, event: Event) -> None:
        """Take a fault, trip, transfer, throttle, shed or repair."""
        self._events.append((event.at_s, event.kind, event.where, event.detail))
        if len(self._events) >= ROWS_PER_BLOCK:
            self._write_events()

    def racks(self, columns: Mapping[str, ArrayLike]) -> None:
        """Take the table of racks: every column of ``schema.RACKS``, equally long."""
        require(set(columns) == set(RACKS), "racks", sorted(columns), f"{list(RACKS)}")
        self._racks_file.write(columns)

    def close(self) -> None:
        """Write what is buffered and let the files appear under their names."""
        self._write_intervals(last=True)
        self._write_jobs()
        self._write_events()
        for file in self._files():
            file.close()

    def abort(self) -> None:
        """Remove everything that was written."""
        for file in self._files():
            file.abort()

    def _files(self) -> tuple[ParquetFile, ...]:
        return self._series, self._jobs_file, self._racks_file, self._events_file

    def _write_jobs(self) -> None:
        if self._jobs:
            self._jobs_file.write(dict(zip(JOBS, zip(*self._jobs, strict=True), strict=True)))
            self._jobs = []

    def _write_events(self) -> None:
        if self._events:
            columns = zip(*self._events, strict=True)
            self._events_file.write(dict(zip(EVENTS, columns, strict=True)))
            self._events = []

    def _write_intervals(self, last: bool) -> None:
        """Reduce the buffered beats; the interval still open waits for the next block."""
        count = len(self._starts)
        if count == 0:
            return
        starts = np.array(self._starts)
        values = np.concatenate(self._rows)
        lengths = np.array(self._lengths)
        # Beats fall at k * beat, so an exact multiple may come out a hair below it.
        interval = np.floor(starts / self._interval_s + 1e-6)
        whole = count if last else int(np.searchsorted(interval, interval[-1]))
        if whole:
            first = np.flatnonzero(np.diff(interval[:whole], prepend=-1.0))
            at_s = interval[first] * self._interval_s
            self._series.write(reduce_intervals(at_s, first, lengths[:whole], values[:whole]))
        self._starts = self._starts[whole:]
        self._lengths = self._lengths[whole:]
        self._rows = [values[whole:]] if whole < count else []


def reduce_intervals(
    at_s: Floats, first: NDArray[np.intp], lengths_s: Floats, values: Floats
) -> dict[str, Floats]:
    """Reduce heartbeats to output intervals, as ``schema.SERIES`` says for each column.

    Parameters
    ----------
    at_s : ndarray, shape (intervals,)
        Start of each interval. [s]
    first : ndarray of int, shape (intervals,)
        Row of the first beat of each interval.
    lengths_s : ndarray, shape (beats,)
        Length of each beat. [s]
    values : ndarray, shape (beats, columns)
        Columns in the order of ``schema.ROW``; NaN where not known.

    Returns
    -------
    dict of str to ndarray, shape (intervals,)
        Every column of ``schema.SERIES``; NaN where no beat knew the value.
    """
    known = ~np.isnan(values)
    weight = lengths_s[:, None] * known
    total = np.add.reduceat(np.where(known, values, 0.0) * lengths_s[:, None], first, axis=0)
    time = np.add.reduceat(weight, first, axis=0)
    mean = np.divide(total, time, out=np.full_like(total, np.nan), where=time > 0.0)
    out: dict[str, Floats] = {}
    for name, column in SERIES.items():
        if column.aggregate == "start":
            out[name] = at_s
        elif column.aggregate == "ratio":
            out[name] = _pue(mean)
        else:
            k = ROW.index(name)
            out[name] = mean[:, k]
            if column.aggregate == "max":
                out[name] = np.fmax.reduceat(values[:, k], first)
            elif column.aggregate == "min":
                out[name] = np.fmin.reduceat(values[:, k], first)
            elif column.aggregate == "last":
                out[name] = values[np.append(first[1:], len(values)) - 1, k]
    return out


def _pue(mean: Floats) -> Floats:
    it_w = mean[:, ROW.index("it_power_w")]
    facility_w = mean[:, ROW.index("facility_power_w")]
    out = np.full_like(it_w, np.nan)
    return np.divide(facility_w, it_w, out=out, where=it_w > 0.0)
