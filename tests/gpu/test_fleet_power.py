"""The A100 server reproduces the power of a measured fleet (Acme Seren, NSDI'24).

A fleet is drawn as a snapshot: servers without a job, servers of one job, servers
shared by small jobs. What each GPU does follows the measured distribution of GPU
power; what is fitted is how alike the GPUs of one job are at one instant, and the
host's idle and busy power.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml

from twin.config import parse
from twin.gpu.air_server import AirServer

ROOT = Path(__file__).resolve().parents[2]

UNALLOCATED = 0.256
"""GPUs that hold no memory: measured share of readings below 1 % of memory."""

ACTIVITY = np.array(
    [
        0.008,
        0.012,
        0.025,
        0.055,
        0.065,
        0.071,
        0.076,
        0.083,
        0.097,
        0.131,
        0.155,
        0.220,
        0.419,
        0.603,
        0.735,
        0.829,
        0.915,
        0.973,
        1.0,
        1.0,
        1.0,
    ]
)
"""Activity of an allocated GPU at quantiles 0, 5 %, ... 100 %: measured power, inverted."""

SIZES = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
SHARE_OF_JOBS = np.array([0.60, 0.10, 0.06, 0.17, 0.03, 0.02, 0.01, 0.005, 0.002, 0.0005, 0.0002])
"""A mix with Seren's mean 5.7, median 1 and maximum 1024 GPUs; run times alike."""

ALIKE = 0.65
"""Correlation of the GPUs of one job (rank correlation's Gaussian parent)."""

NODES = 20_000


def jobs_on_servers(rng: np.random.Generator) -> np.ndarray:
    """Return the job number of each GPU, -1 where none; shape (servers, 8)."""
    job = np.full((NODES, 8), -1)
    held = SIZES * SHARE_OF_JOBS
    busy, number, node = round(NODES * (1 - UNALLOCATED)), 0, 0
    while node < busy:
        size = rng.choice(SIZES, p=held / held.sum())
        if size >= 8:
            last = min(node + size // 8, busy)
            job[node:last] = number
            number, node = number + 1, last
            continue
        gpu = 0
        while gpu + size <= 8:
            job[node, gpu : gpu + size] = number
            number, gpu = number + 1, gpu + size
            size = rng.choice(SIZES[:3], p=held[:3] / held[:3].sum())
        node += 1
    return job


def fleet_activity(rng: np.random.Generator) -> np.ndarray:
    """Draw the activity of every GPU; shape (servers, 8)."""
    job = jobs_on_servers(rng)
    of_job = rng.standard_normal(job.max() + 1)[job]
    score = np.sqrt(ALIKE) * of_job + np.sqrt(1 - ALIKE) * rng.standard_normal(job.shape)
    held = job >= 0
    rank = np.argsort(np.argsort(score[held])) / (held.sum() - 1)
    activity = np.zeros(job.shape)
    activity[held] = np.interp(rank, np.linspace(0, 1, len(ACTIVITY)), ACTIVITY)
    return activity


@pytest.fixture(scope="module")
def server():
    data = yaml.safe_load((ROOT / "conf/gpu/a100.yaml").read_text())
    return parse(AirServer, data, "gpu")


@pytest.fixture(scope="module")
def activity():
    return fleet_activity(np.random.default_rng(2023))


@pytest.fixture(scope="module")
def node_w(server, activity):
    drive = (activity**server.activity_exponent).mean(axis=1)
    return np.array([server.power_w(x)[0] for x in drive])


def test_job_sizes_have_the_mean_and_median_of_the_trace():
    share = SHARE_OF_JOBS / SHARE_OF_JOBS.sum()
    assert (SIZES * share).sum() == pytest.approx(5.7, rel=0.02)
    assert share[0] > 0.5


def test_gpu_power_matches_the_fleet(server, activity):
    gpu_w = server.gpu_idle_w + (server.gpu_max_w - server.gpu_idle_w) * (
        activity**server.activity_exponent
    )
    assert gpu_w.mean() == pytest.approx(168, rel=0.10)
    assert (gpu_w < 100).mean() == pytest.approx(0.49, rel=0.10)
    assert (gpu_w > 300).mean() == pytest.approx(0.24, rel=0.10)


@pytest.mark.parametrize(("percent", "expected_w"), [(50, 2520), (95, 5040), (99, 5418)])
def test_quantiles_of_server_power_match_the_fleet(node_w, percent, expected_w):
    assert np.percentile(node_w, percent) == pytest.approx(expected_w, rel=0.08)


def test_mean_server_power_matches_the_fleet(node_w):
    assert node_w.mean() == pytest.approx(2930, rel=0.08)


def test_the_activity_points_are_the_measured_powers_inverted(server, shared_data):
    text = (shared_data / "telemetry/acme-seren-2023/quantiles_seren.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    percent, power_w = np.array([r[2:] for r in rows if r[0] == "gpu_power"], float).T
    memory_percent, memory = np.array([r[2:] for r in rows if r[0] == "gpu_mem_used"], float).T

    assert np.interp(0.5, memory, memory_percent) == pytest.approx(100 * UNALLOCATED, abs=0.2)
    at = 100 * (UNALLOCATED + (1 - UNALLOCATED) * np.linspace(0, 1, len(ACTIVITY)))
    dynamic_w = np.clip(np.interp(at, percent, power_w), server.gpu_idle_w, server.gpu_max_w)
    dynamic = (dynamic_w - server.gpu_idle_w) / (server.gpu_max_w - server.gpu_idle_w)
    np.testing.assert_allclose(dynamic ** (1 / server.activity_exponent), ACTIVITY, atol=0.001)
