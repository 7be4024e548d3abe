"""What batch jobs have in common, whether they are drawn or replayed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Fraction, NonNegative, Positive
from twin.errors import require
from twin.records import Job, WorkloadContext
from twin.units import BYTES_PER_GIGABYTE, SECONDS_PER_MINUTE
from twin.workload.distributions import check_quantiles, draw_quantiles
from twin.workload.told_for import ToldFor, ToldWork

LEVELS = ("activity", "duty", "low_activity")
"""What is drawn of how hard a job works."""


@dataclass(kw_only=True)
class BatchJobs(ToldWork):
    """Traits given to every job of a workload."""

    job_kind: str
    """Label of its jobs in the output: training, simulation, ..."""
    activity: Fraction | list[tuple[Fraction, Fraction]]
    """GPU activity of a job: a number, or quantile points ``[probability, activity]``
    from 0 to 1 joined by straight lines (``[[0, 0.2], [1, 0.8]]`` is uniform)."""
    duty: Fraction | list[tuple[Fraction, Fraction]] = 1.0
    """Share of its time that a job works at ``activity``: a number or quantile points.
    The rest, while its GPUs wait for each other or for data, it spends at ``low_activity``."""
    low_activity: Fraction | list[tuple[Fraction, Fraction]] = 0.0
    """GPU activity of a job while it waits: a number or quantile points."""
    limit_factor: tuple[Positive, Positive]
    """The user's estimate over the true run time, uniform between the two."""
    comm_fraction: Fraction = 0.0
    """Share of a step spent in communication that is not hidden, at full bandwidth."""
    read_gb_per_s_per_gpu: NonNegative = 0.0
    checkpoint_minutes: Positive | None = None
    """Work between two checkpoints; null: none is kept."""
    save_minutes: NonNegative | None = None
    """From the order to make way for others to a written checkpoint; null: it can write none."""
    restart_minutes: NonNegative = 0.0
    """From a new start after a stop to the first work: loading the checkpoint."""
    checkpoint_gb_per_gpu: NonNegative = 0.0
    """What one GPU adds to a checkpoint, written behind the steps. [GB]"""
    checkpoint_keep: Count | None = 2
    """Newest checkpoints of a job that stay on the storage until it ends; null: all."""
    priority: int = 0

    def __post_init__(self) -> None:
        low, high = self.limit_factor
        require(low <= high, "limit_factor", self.limit_factor, "[low, high] with low <= high")
        for name in LEVELS:
            given = getattr(self, name)
            if isinstance(given, list):
                check_quantiles(given, name)
        written = self.checkpoint_gb_per_gpu == 0.0 or self.checkpoint_minutes is not None
        allowed = "0 where checkpoint_minutes is null"
        require(written, "checkpoint_gb_per_gpu", self.checkpoint_gb_per_gpu, allowed)

    @abstractmethod
    def told_jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield jobs in order of arrival, as they are told."""

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield jobs in order of arrival, as they are on the facility's GPUs."""
        jobs = self.told_jobs(context)
        return jobs if self.told_for is None else self._moved(jobs, self.told_for, context)

    def _moved(self, jobs: Iterator[Job], told: ToldFor, context: WorkloadContext) -> Iterator[Job]:
        """Yield *jobs* in the time they take here: the same is read, computed and written.

        Checkpoints are as large and as far apart in time, and communication that is not hidden
        takes as long as it did.
        """
        speed, arithmetic = told.speed(context, self.comm_fraction), told.arithmetic(context)
        for job in jobs:
            job.work_s /= speed
            job.limit_s /= speed
            job.comm_fraction *= speed
            job.read_bytes_per_s *= speed
            job.flops /= arithmetic  # ``mfu`` is told for that GPU as well
            yield job

    def level_rngs(self, context: WorkloadContext) -> list[np.random.Generator]:
        """Return the random streams of :meth:`draw_levels`, one for each level."""
        return [context.rng(f"{self.key}.{name}") for name in LEVELS]

    def draw_levels(self, rngs: list[np.random.Generator], n: int) -> NDArray[np.float64]:
        """Return activity, duty and low activity of *n* jobs, unrelated; shape (n, 3)."""
        named = zip(LEVELS, rngs, strict=True)
        return np.column_stack([draw_quantiles(getattr(self, key), rng, n) for key, rng in named])

    @property
    def read_bytes_per_s_per_gpu(self) -> float:
        """Return the data one GPU reads from shared storage [B/s]."""
        return self.read_gb_per_s_per_gpu * BYTES_PER_GIGABYTE

    @property
    def save_s(self) -> float:
        """Return the time to a checkpoint written when asked, ``inf`` where none can be [s]."""
        minutes = self.save_minutes
        return float("inf") if minutes is None else minutes * SECONDS_PER_MINUTE

    @property
    def checkpoint_s(self) -> float:
        """Return the work between two checkpoints, ``inf`` where none is kept [s]."""
        minutes = self.checkpoint_minutes
        return float("inf") if minutes is None else minutes * SECONDS_PER_MINUTE

    @property
    def checkpoint_bytes_per_gpu(self) -> float:
        """Return what one GPU adds to a checkpoint [B]."""
        return self.checkpoint_gb_per_gpu * BYTES_PER_GIGABYTE

    @property
    def keep(self) -> float:
        """Return how many checkpoints of a job stay on the storage, ``inf`` for all."""
        return float("inf") if self.checkpoint_keep is None else self.checkpoint_keep

    @property
    def write_bytes_per_s_per_gpu(self) -> float:
        """Return the data one GPU writes to shared storage in the mean [B/s]."""
        return self.checkpoint_bytes_per_gpu / self.checkpoint_s
