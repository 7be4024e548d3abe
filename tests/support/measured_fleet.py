"""A snapshot of the fleet of A100 servers measured by Acme (Seren, NSDI'24).

Servers without a job, servers of one job, servers shared by small jobs, each GPU at an
activity drawn from the measured distribution. Compared with what was measured, it checks
the power model of GPU and server, and nothing else.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from twin.gpu.air_server import AirServer

Floats = NDArray[np.float64]

UNALLOCATED = 0.256
"""GPUs that hold no memory: measured share of readings below 1 % of memory."""

# fmt: off
ACTIVITY = np.array([
    0.008, 0.012, 0.025, 0.055, 0.065, 0.071, 0.076, 0.083, 0.097, 0.131, 0.155,
    0.220, 0.419, 0.603, 0.735, 0.829, 0.915, 0.973, 1.0, 1.0, 1.0,
])
# fmt: on
"""Activity of an allocated GPU at quantiles 0, 5 %, ... 100 %: measured power, inverted."""

SIZES = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
SHARE_OF_JOBS = np.array([0.60, 0.10, 0.06, 0.17, 0.03, 0.02, 0.01, 0.005, 0.002, 0.0005, 0.0002])
"""A mix with Seren's mean 5.7, median 1 and maximum 1024 GPUs; run times alike."""

ALIKE = 0.65
"""Correlation of the GPUs of one job at one instant (of the Gaussians behind their ranks);
fitted to the quantiles of server power."""

SERVERS, PER_SERVER = 20_000, 8
SEED = 2023


def jobs_on_servers(rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the job number of each GPU, -1 where there is none; shape (servers, 8)."""
    job = np.full((SERVERS, PER_SERVER), -1)
    weight = SIZES * SHARE_OF_JOBS
    small = SIZES[SIZES < PER_SERVER]
    busy, number, server = round(SERVERS * (1 - UNALLOCATED)), 0, 0
    while server < busy:
        size = rng.choice(SIZES, p=weight / weight.sum())
        if size >= PER_SERVER:
            last = min(server + size // PER_SERVER, busy)
            job[server:last] = number
            number, server = number + 1, last
            continue
        gpu = 0
        while gpu + size <= PER_SERVER:
            job[server, gpu : gpu + size] = number
            number, gpu = number + 1, gpu + size
            size = rng.choice(small, p=weight[: len(small)] / weight[: len(small)].sum())
        server += 1
    return job


@cache
def activity() -> Floats:
    """Return the activity of every GPU of the fleet; shape (servers, 8)."""
    rng = np.random.default_rng(SEED)
    job = jobs_on_servers(rng)
    of_job = rng.standard_normal(job.max() + 1)[job]
    score = np.sqrt(ALIKE) * of_job + np.sqrt(1 - ALIKE) * rng.standard_normal(job.shape)
    held = job >= 0
    rank = np.argsort(np.argsort(score[held])) / (held.sum() - 1)
    values = np.zeros(job.shape)
    values[held] = np.interp(rank, np.linspace(0, 1, len(ACTIVITY)), ACTIVITY)
    return values


def gpus_w(server: AirServer) -> Floats:
    """Return the power of every GPU of the fleet [W]."""
    span_w = server.gpu_max_w - server.gpu_idle_w
    return np.asarray(server.gpu_idle_w + span_w * activity() ** server.activity_exponent)


def servers_w(server: AirServer) -> Floats:
    """Return the power of every server of the fleet, in cool air [W]."""
    drive = (activity() ** server.activity_exponent).mean(axis=1)
    return np.array([server.power_w(each)[0] for each in drive])
