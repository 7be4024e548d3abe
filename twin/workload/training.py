"""Synthetic batch jobs: arrivals, sizes and run times drawn as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Fraction, Positive, Range
from twin.errors import ConfigError, require
from twin.records import Job, WorkloadContext
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from twin.workload.batch import BatchJobs
from twin.workload.distributions import RunTimes, ServerSizes, whole_mean
from twin.workload.rhythm import Rhythm, TimeChange

CHUNK = 4096
"""Jobs drawn at a time: enough to make numpy cheap, few enough to stay in cache."""


@dataclass(kw_only=True)
class TrainingJobs(BatchJobs):
    """Jobs that arrive at random and are independent of each other.

    Arrivals are a Poisson process with a weekly rhythm. Say how many come in one of three ways:
    ``jobs_per_day``; ``offered_load``, the GPU-seconds asked for over those there are
    (in a mix: over those its services leave; on the GPU of ``told_for``, so that others get the
    same jobs); or ``count`` alone, exactly so
    many over the run (a Poisson process given its number). With one of the first two,
    ``count`` is where the stream ends.

    Size, run time, estimate, activity and account each have their own random
    stream, so changing one leaves all others as they were.
    """

    run: RunTimes
    jobs_per_day: Annotated[float, Range(0.0, 1e6, open_low=True)] | None = None
    offered_load: Annotated[float, Range(0.0, 100.0, open_low=True)] | None = None
    count: Annotated[int, Range(1, 10_000_000)] | None = None
    gpu_mix: list[tuple[Count, Positive]] | None = None
    """``[GPUs, weight]`` of each size that occurs; or else ``servers``."""
    servers: ServerSizes | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    accounts: list[str] = field(default_factory=list)
    """Who submits, all equally often; empty: nobody is named."""
    mfu: Fraction | None = None
    """Model FLOPs over peak FLOPs while a job runs; null: its FLOPs are not known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rates = [rate for rate in (self.jobs_per_day, self.offered_load) if rate is not None]
        one = len(rates) == 1 or (not rates and self.count is not None)
        allowed = "given alone, or offered_load alone, or neither and count"
        require(one, "jobs_per_day", self.jobs_per_day, allowed)
        sizes = (self.gpu_mix is None) != (self.servers is None)
        require(sizes, "gpu_mix", self.gpu_mix, "given where servers is not, and only there")
        require(self.gpu_mix != [], "gpu_mix", self.gpu_mix, "a list of at least one size")

    def mean_gpus(self, gpus_per_server: int) -> float:
        """Return the mean size of a job in GPUs, exact for rounded and bounded sizes."""
        if self.servers is not None:
            s = self.servers
            return gpus_per_server * whole_mean(s.mu, s.sigma, s.min, s.max)
        mix = self.gpu_mix or []
        return sum(gpus * weight for gpus, weight in mix) / sum(weight for _, weight in mix)

    def largest_gpus(self, gpus_per_server: int) -> int:
        """Return the largest size that can be drawn."""
        if self.servers is not None:
            return self.servers.max * gpus_per_server
        return max(gpus for gpus, _ in self.gpu_mix or [])

    def check(self, context: WorkloadContext) -> None:
        """Refuse sizes that can never start.

        Raises
        ------
        ConfigError
            If the largest size exceeds the GPUs there are for jobs, or ``mfu`` comes out above 1
            on them.
        """
        super().check(context)
        if self.told_for is not None:
            self.told_for.refuse_mfu(self.key, self.mfu, self.comm_fraction, context)
        largest = self.largest_gpus(context.gpus_per_server)
        if largest > context.gpus:
            where = "servers.max" if self.servers is not None else "gpu_mix"
            raise ConfigError(
                f"{self.key}.{where}: jobs of up to {largest} GPUs: must be at most "
                f"{context.gpus} GPUs, what the facility has for jobs"
            )

    def told_jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield jobs in order of arrival until the run ends or ``count`` is reached."""
        rng = {what: context.rng(f"{self.key}.{what}") for what in ("gpus", "run", "limit")}
        rng["account"], level_rngs = context.rng(f"{self.key}.account"), self.level_rngs(context)
        label = self.label(self.job_kind)
        kind, comm, priority = self.job_kind, self.comm_fraction, self.priority
        read_per_gpu, checkpoint_s = self.read_bytes_per_s_per_gpu, self.checkpoint_s
        write_per_gpu = self.write_bytes_per_s_per_gpu
        checkpoint_per_gpu, keep = self.checkpoint_bytes_per_gpu, self.keep
        flops_per_gpu_s = (self.mfu or 0.0) * context.gpu_peak_flops
        low, high = self.limit_factor
        restart_s, save_s = self.restart_minutes * SECONDS_PER_MINUTE, self.save_s
        number = 0
        for arrivals in self._arrivals(context):
            n = len(arrivals)
            gpus = self._draw_gpus(rng["gpus"], n, context.gpus_per_server)
            work_s = self.run.draw_s(rng["run"], n)
            drawn = zip(
                arrivals.tolist(),
                gpus.tolist(),
                work_s.tolist(),
                (work_s * rng["limit"].uniform(low, high, n)).tolist(),
                self.draw_levels(level_rngs, n).tolist(),
                self._draw_accounts(rng["account"], n),
                (read_per_gpu * gpus).tolist(),
                (flops_per_gpu_s * gpus * work_s).tolist(),
                strict=True,
            )
            for at_s, size, work, limit, levels, account, read, flops in drawn:
                activity, duty, waiting = levels
                number += 1
                yield Job(
                    f"{label}-{number}", kind, at_s, size, work, limit, activity,
                    account, priority, comm, read, checkpoint_s, flops, duty, waiting,
                    restart_s, save_s, write_per_gpu * size,
                    0.0, 0.0, 0.0,  # no bursts and no steps; by their names it takes longer
                    checkpoint_per_gpu * size, keep,
                )  # fmt: skip

    def _draw_gpus(
        self, rng: np.random.Generator, n: int, gpus_per_server: int
    ) -> NDArray[np.int64]:
        if self.servers is not None:
            return self.servers.draw(rng, n) * gpus_per_server
        sizes, weights = zip(*(self.gpu_mix or []), strict=True)
        share = np.array(weights) / sum(weights)
        return np.asarray(rng.choice(np.array(sizes, dtype=np.int64), n, p=share))

    def _draw_accounts(self, rng: np.random.Generator, n: int) -> list[str]:
        if not self.accounts:
            return [""] * n
        return [self.accounts[i] for i in rng.integers(len(self.accounts), size=n).tolist()]

    def _arrivals(self, context: WorkloadContext) -> Iterator[NDArray[np.float64]]:
        """Yield arrival times in blocks, rising, all before the end of the run [s]."""
        change = TimeChange(self.rhythm, context.start)
        end_s = context.duration_s
        gap_s, left = self._mean_gap_s(context, change.even_s(end_s)), self.count
        rng = context.rng(f"{self.key}.arrivals")
        even_s = 0.0
        while left is None or left > 0:
            n = CHUNK if left is None else min(CHUNK, left)
            even = even_s + np.cumsum(rng.standard_exponential(n)) * gap_s
            even_s = float(even[-1])
            clock = change.clock_s(even)
            within = clock[: np.searchsorted(clock, end_s)]
            if len(within):
                yield within
            if len(within) < n:
                return
            left = None if left is None else left - n

    def _mean_gap_s(self, context: WorkloadContext, even_s: float) -> float:
        """Return the even time between two arrivals, in the mean or scaled to fit the count."""
        if self.jobs_per_day is not None:
            return SECONDS_PER_DAY / self.jobs_per_day
        if self.offered_load is not None:
            gpu_s = self.mean_gpus(context.gpus_per_server) * self.run.mean_h * SECONDS_PER_HOUR
            return gpu_s / (self.offered_load * context.gpus)
        # Given their number, Poisson arrivals are sorted uniform times; those are partial sums of
        # exponential gaps over the sum of one gap more. The sum is had by drawing them once before.
        rng, left, total = context.rng(f"{self.key}.arrivals"), (self.count or 0) + 1, 0.0
        while left > 0:
            n = min(CHUNK, left)
            total += float(rng.standard_exponential(n).sum())
            left -= n
        return even_s / total
