"""How busy a cluster's jobs keep it, and whose the GPU time is, from published marginals alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from twin.errors import require
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from twin.workload.distributions import RunTimes, solve_rising, whole_mean

SEEDS = 20
JOBS = 100_000
"""Jobs drawn with each seed."""


def _gpu_time(
    run_median_s: float, run_max_s: float, size_mean: float, size_max: float, coupling: float
) -> Callable[[float], float]:
    """Return the GPU time of a job [GPU-s] as a function of its mean run time [s].

    Run times are log-normal with that mean and median; sizes are log-normal with a median of
    one GPU, rounded up; the normal numbers behind the two correlate by *coupling*, since
    larger jobs run longer. Each value is the mean of 20 seeds, the same jobs every time.
    """
    require(-1.0 < coupling < 1.0, "coupling", coupling, "> -1 and < 1")
    most = int(size_max)
    spread = solve_rising(lambda sigma: whole_mean(0.0, sigma, 1, most), size_mean, 1e-9, 5.0)
    drawn = []
    for seed in range(SEEDS):
        first, other = np.random.default_rng(seed).standard_normal((2, JOBS))
        size = np.clip(np.ceil(np.exp(spread * first)), 1, most)
        drawn.append((size, coupling * first + math.sqrt(1.0 - coupling**2) * other))

    def of(run_mean_s: float) -> float:
        run = RunTimes(
            mean_h=run_mean_s / SECONDS_PER_HOUR,
            median_h=run_median_s / SECONDS_PER_HOUR,
            max_h=run_max_s / SECONDS_PER_HOUR,
        )
        hours = [np.clip(np.exp(run.mu + run.spread * z), run.min_h, run.max_h) for _, z in drawn]
        means = [float((size * h).mean()) for (size, _), h in zip(drawn, hours, strict=True)]
        return float(np.mean(means)) * SECONDS_PER_HOUR

    return of


def utilization(
    jobs_per_gpu_day: float,
    run_mean_s: float,
    run_median_s: float,
    run_max_s: float,
    size_mean: float,
    size_max: float,
    coupling: float,
) -> float:
    """Return the share of all GPU time that jobs of one kind hold [-].

    Nobody waits: what is asked for is held.
    """
    each = _gpu_time(run_median_s, run_max_s, size_mean, size_max, coupling)
    return each(run_mean_s) * jobs_per_gpu_day / SECONDS_PER_DAY


def utilization_with_pretraining(  # noqa: PLR0913  (each is a published figure, by its name)
    *,
    jobs_per_gpu_day: float,
    run_mean_s: float,
    run_median_s: float,
    run_max_s: float,
    size_mean: float,
    size_max: float,
    coupling: float,
    other_size_mean: float,
    pretraining_jobs: float,
    pretraining_gpu_time: float,
) -> float:
    r"""Return the share of all GPU time that pretraining and other jobs hold [-].

    Mean run time and mean size are given of all jobs together, and the share p of jobs and g
    of GPU time of pretraining. The mean size S and run time R of pretraining and the mean run
    time r of the others follow from

    .. math:: p S + (1-p) s = \bar s, \quad p R + (1-p) r = \bar r, \quad
       (1-g) \, p S R = g \, (1-p) \, t(r)

    where s is the mean size of the others and t(r) their GPU time, drawn as in
    :func:`utilization`. Size and run time of pretraining are unrelated.
    """
    p, g = pretraining_jobs, pretraining_gpu_time
    for name, value in (("pretraining_jobs", p), ("pretraining_gpu_time", g)):
        require(0.0 < value < 1.0, name, value, "above 0 and below 1")
    pretraining_size = (size_mean - (1.0 - p) * other_size_mean) / p
    allowed = f"such that pretraining is left a mean size of 1 to size_max={size_max}"
    require(1.0 <= pretraining_size <= size_max, "other_size_mean", other_size_mean, allowed)
    each = _gpu_time(run_median_s, run_max_s, other_size_mean, size_max, coupling)

    def gpu_time(other_run_s: float) -> float:
        """Return the GPU time of any job: the others have 1 - g of it."""
        return (1.0 - p) * each(other_run_s) / (1.0 - g)

    def mean_run_s(other_run_s: float) -> float:
        return (1.0 - p) * other_run_s + g * gpu_time(other_run_s) / pretraining_size

    shortest_s = run_median_s * (1.0 + 1e-6)
    fits = mean_run_s(shortest_s) < run_mean_s
    require(fits, "pretraining_gpu_time", g, f"less: all jobs run for run_mean_s={run_mean_s}")
    other_run_s = solve_rising(mean_run_s, run_mean_s, shortest_s, run_mean_s)
    return gpu_time(other_run_s) * jobs_per_gpu_day / SECONDS_PER_DAY


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
