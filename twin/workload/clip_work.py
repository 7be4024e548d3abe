"""What is done to clips: tasks on GPUs cut into jobs, and people who label by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated

from twin.config import Count, Fraction, NonNegative, Positive, PositiveFraction, Range
from twin.errors import require
from twin.records import Job
from twin.units import (
    BYTES_PER_GIGABYTE,
    BYTES_PER_MEGABYTE,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
)

DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTask:
    """Work on the clips of a batch, in equal jobs."""

    gpu_s_per_clip: Positive
    """GPU time of one pass of a clip, by a dense model. [GPU-s]"""
    passes_per_clip: Positive = 1.0
    """Clips worked on for each clip of the batch: a sample of them, or generated and older
    ones besides."""
    active_fraction: PositiveFraction = 1.0
    """Parameters a clip meets over all, of a sparse mixture of experts; 1: a dense model."""
    relative_efficiency: PositiveFraction = 1.0
    """FLOP/s reached over those of the dense model: routing costs time."""
    gpus_per_job: Count
    hours_per_job: Annotated[float, Range(0.01)] | None = None
    """The batch is cut into jobs of at most this length; null: one job. [h]"""
    limit_factor: Annotated[float, Range(1.0)] = 1.2
    """Estimate of the run time over the true one."""
    activity: Fraction
    comm_fraction: Fraction = 0.0
    read_gb_per_s_per_gpu: NonNegative = 0.0
    write_mb_per_clip: NonNegative = 0.0
    """What one pass of a clip leaves in the storage: labels, a scene, a new clip. [MB]"""
    checkpoint_minutes: Positive | None = None
    checkpoint_gb_per_gpu: NonNegative = 0.0
    """What one GPU adds to a checkpoint, written behind the steps. [GB]"""
    checkpoint_keep: Count | None = 2
    """Newest checkpoints of a job that stay on the storage until it ends; null: all."""
    save_minutes: NonNegative | None = None
    """From the order to make way for others to a written checkpoint; null: it can write none."""
    restart_minutes: NonNegative = 0.0
    mfu: Fraction | None = None
    """Model FLOPs over peak FLOPs while a job runs; null: its FLOPs are not known."""
    priority: int = 0

    def __post_init__(self) -> None:
        """Refuse checkpoints of some size that are never written."""
        written = self.checkpoint_gb_per_gpu == 0.0 or self.checkpoint_minutes is not None
        allowed = "0 where checkpoint_minutes is null"
        require(written, "checkpoint_gb_per_gpu", self.checkpoint_gb_per_gpu, allowed)

    def moved(self, speed: float, arithmetic: float) -> GpuTask:
        """Return the task on GPUs so many times as fast, with so many times the peak arithmetic.

        The work, its jobs and its checkpoints are the same, these as far apart in time, and
        communication that is not hidden takes as long as it did.
        """
        longest, mfu = self.hours_per_job, self.mfu
        return replace(
            self,
            gpu_s_per_clip=self.gpu_s_per_clip / speed,
            hours_per_job=None if longest is None else longest / speed,
            comm_fraction=self.comm_fraction * speed,
            read_gb_per_s_per_gpu=self.read_gb_per_s_per_gpu * speed,
            mfu=None if mfu is None else mfu * speed / arithmetic,
        )

    @property
    def checkpoint_s(self) -> float:
        """Return the work between two checkpoints, ``inf`` where none is kept [s]."""
        minutes = self.checkpoint_minutes
        return inf if minutes is None else minutes * SECONDS_PER_MINUTE

    @property
    def read_bytes_per_gpu_s(self) -> float:
        """Return the data one GPU reads from the storage in a second of work [B/s]."""
        return self.read_gb_per_s_per_gpu * BYTES_PER_GIGABYTE

    @property
    def write_bytes_per_gpu_s(self) -> float:
        """Return the data one GPU writes to the storage in a second of work, in the mean [B/s]."""
        made = self.write_mb_per_clip * BYTES_PER_MEGABYTE / self._gpu_s_per_pass
        return made + self._checkpoint_bytes_per_gpu / self.checkpoint_s

    @property
    def _checkpoint_bytes_per_gpu(self) -> float:
        return self.checkpoint_gb_per_gpu * BYTES_PER_GIGABYTE

    @property
    def _gpu_s_per_pass(self) -> float:
        return self.gpu_s_per_clip * self.active_fraction / self.relative_efficiency

    def gpu_s(self, clips: float) -> float:
        """Return the GPU time that *clips* of a batch take [GPU-s]."""
        return clips * self.passes_per_clip * self._gpu_s_per_pass

    def number(self, clips: float) -> int:
        """Return into how many jobs *clips* are cut."""
        if self.hours_per_job is None:
            return 1
        longest = self.gpus_per_job * self.hours_per_job * SECONDS_PER_HOUR
        return max(1, math.ceil(self.gpu_s(clips) / longest - 1e-9))

    def alone_s(self, clips: float, gpus: int) -> float:
        """Return how long *clips* take where nobody else wants the *gpus* [s]."""
        number = self.number(clips)
        at_once = min(number, gpus // self.gpus_per_job)
        work_s = self.gpu_s(clips) / (number * self.gpus_per_job)
        return work_s * math.ceil(number / at_once)

    def jobs(self, clips: float, name: str, kind: str, at_s: float, peak_flops: float) -> list[Job]:
        """Return the jobs that do *clips*, arriving at *at_s*."""
        number = self.number(clips)
        work_s = self.gpu_s(clips) / (number * self.gpus_per_job)
        saving = self.save_minutes
        return [
            Job(
                job_id=name if number == 1 else f"{name}-{k}",
                kind=kind,
                arrived_at_s=at_s,
                gpus=self.gpus_per_job,
                work_s=work_s,
                limit_s=work_s * self.limit_factor,
                activity=self.activity,
                account="pipeline",
                priority=self.priority,
                comm_fraction=self.comm_fraction,
                read_bytes_per_s=self.read_bytes_per_gpu_s * self.gpus_per_job,
                write_bytes_per_s=self.write_bytes_per_gpu_s * self.gpus_per_job,
                checkpoint_s=self.checkpoint_s,
                flops=(self.mfu or 0.0) * peak_flops * self.gpus_per_job * work_s,
                restart_s=self.restart_minutes * SECONDS_PER_MINUTE,
                save_s=inf if saving is None else saving * SECONDS_PER_MINUTE,
                checkpoint_bytes=self._checkpoint_bytes_per_gpu * self.gpus_per_job,
                keep=inf if self.checkpoint_keep is None else self.checkpoint_keep,
            )
            for k in range(1, number + 1)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who labels by hand, in shifts; clips wait their turn in order of arrival."""

    people: Count
    minutes_per_clip: Positive
    first_hour: Annotated[float, Range(0.0, 24.0)]
    hours_per_day: Annotated[float, Range(0.0, 24.0, open_low=True)]
    days_per_week: Annotated[int, Range(1, 7)]
    """From Monday on."""

    def __post_init__(self) -> None:
        """Refuse a shift that goes on into the next day."""
        most = 24.0 - self.first_hour
        allowed = f"<= {most:g}, what first_hour={self.first_hour:g} leaves of the day"
        require(self.hours_per_day <= most, "hours_per_day", self.hours_per_day, allowed)

    @property
    def clips_per_day(self) -> float:
        """Return the clips they do on the mean of all days of a week."""
        hours = self.people * self.hours_per_day * self.days_per_week / DAYS_PER_WEEK
        return hours * 60.0 / self.minutes_per_clip

    def end_s(self, clips: float, from_s: float) -> float:
        """Return when *clips* begun at *from_s*, seconds since a Monday 0:00, are done [s].

        Examples
        --------
        Two people who need an hour each for three clips, at work from 9 on, done at 10:30:

        >>> two = People(people=2, minutes_per_clip=60, first_hour=9, hours_per_day=8,
        ...              days_per_week=5)
        >>> two.end_s(3, from_s=0.0) / 3600
        10.5
        >>> two.end_s(3, from_s=4 * 86400 + 16 * 3600) / 86400  # Friday at 4 p.m.
        7.395833333333333
        """
        shift_s = self.hours_per_day * SECONDS_PER_HOUR
        week_s = shift_s * self.days_per_week
        left_s = clips * self.minutes_per_clip * SECONDS_PER_MINUTE / self.people
        day = math.floor(from_s / SECONDS_PER_DAY)
        at_s = from_s
        while left_s > 0.0:
            weeks = math.ceil(left_s / week_s) - 2  # whole ones that surely pass
            if weeks > 0:
                left_s -= weeks * week_s
                day += weeks * DAYS_PER_WEEK
                at_s += weeks * DAYS_PER_WEEK * SECONDS_PER_DAY
            if day % DAYS_PER_WEEK < self.days_per_week:
                opens_s = day * SECONDS_PER_DAY + self.first_hour * SECONDS_PER_HOUR
                begins_s = max(at_s, opens_s)  # the first day may have begun
                done_s = min(left_s, max(0.0, opens_s + shift_s - begins_s))
                left_s -= done_s
                if left_s <= 0.0:
                    return begins_s + done_s
            day += 1
        return at_s
