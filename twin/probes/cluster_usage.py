"""How busy a cluster's jobs keep it, and whose the GPU time is, from published marginals alone."""

from __future__ import annotations

import math

import numpy as np

from twin.errors import require
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from twin.workload.distributions import RunTimes, solve_rising, whole_mean

SEEDS = 20
JOBS = 100_000
"""Jobs drawn with each seed."""


def utilization(
    jobs_per_gpu_day: float,
    run_mean_s: float,
    run_median_s: float,
    run_max_s: float,
    size_mean: float,
    size_max: float,
    coupling: float,
) -> float:
    """Return the share of all GPU time that jobs hold, the mean of 20 seeds [-].

    Run times are log-normal with that mean and median; sizes are log-normal with a median of
    one GPU, rounded up; the normal numbers behind the two correlate by *coupling*, since
    larger jobs run longer. Nobody waits: what is asked for is held.
    """
    require(-1.0 < coupling < 1.0, "coupling", coupling, "> -1 and < 1")
    run = RunTimes(
        mean_h=run_mean_s / SECONDS_PER_HOUR,
        median_h=run_median_s / SECONDS_PER_HOUR,
        max_h=run_max_s / SECONDS_PER_HOUR,
    )
    most = int(size_max)
    spread = solve_rising(lambda sigma: whole_mean(0.0, sigma, 1, most), size_mean, 1e-9, 5.0)
    means = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        first, other = rng.standard_normal((2, JOBS))
        second = coupling * first + math.sqrt(1.0 - coupling**2) * other
        size = np.clip(np.ceil(np.exp(spread * first)), 1, most)
        hours = np.clip(np.exp(run.mu + run.spread * second), run.min_h, run.max_h)
        means.append(float((size * hours).mean()) * SECONDS_PER_HOUR)
    return float(np.mean(means)) * jobs_per_gpu_day / SECONDS_PER_DAY


def gpu_time_share(
    status: str,
    complete: float,
    cancel: float,
    fail: float,
    complete_weight: float,
    cancel_weight: float,
    fail_weight: float,
) -> float:
    """Return the share of GPU time of the jobs that end as *status* [-].

    From the shares of jobs and the GPU time of a job of each kind over that of all, its weight.
    """
    parts = {
        "complete": complete * complete_weight,
        "cancel": cancel * cancel_weight,
        "fail": fail * fail_weight,
    }
    require(status in parts, "status", status, f"one of {', '.join(parts)}")
    return parts[status] / sum(parts.values())
