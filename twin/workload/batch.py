"""What batch jobs have in common, whether they are drawn or replayed."""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Fraction, NonNegative, Positive
from twin.errors import require
from twin.units import BYTES_PER_GIGABYTE, SECONDS_PER_MINUTE
from twin.workload.base import Workload
from twin.workload.distributions import check_quantiles


@dataclass(kw_only=True)
class BatchJobs(Workload):
    """Traits given to every job of a workload."""

    job_kind: str
    """Label of its jobs in the output: training, simulation, ..."""
    activity: Fraction | list[tuple[Fraction, Fraction]]
    """GPU activity of a job: a number, or quantile points ``[probability, activity]``
    from 0 to 1 joined by straight lines (``[[0, 0.2], [1, 0.8]]`` is uniform)."""
    limit_factor: tuple[Positive, Positive]
    """The user's estimate over the true run time, uniform between the two."""
    comm_fraction: Fraction = 0.0
    """Share of a step spent in communication that is not hidden, at full bandwidth."""
    read_gb_per_s_per_gpu: NonNegative = 0.0
    checkpoint_minutes: Positive | None = None
    """Work between two checkpoints; null: none is kept."""
    priority: int = 0

    def __post_init__(self) -> None:
        low, high = self.limit_factor
        require(low <= high, "limit_factor", self.limit_factor, "[low, high] with low <= high")
        if isinstance(self.activity, list):
            check_quantiles(self.activity, "activity")

    @property
    def read_bytes_per_s_per_gpu(self) -> float:
        """Return the data one GPU reads from shared storage [B/s]."""
        return self.read_gb_per_s_per_gpu * BYTES_PER_GIGABYTE

    @property
    def checkpoint_s(self) -> float:
        """Return the work between two checkpoints, ``inf`` where none is kept [s]."""
        minutes = self.checkpoint_minutes
        return float("inf") if minutes is None else minutes * SECONDS_PER_MINUTE
