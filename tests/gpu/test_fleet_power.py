"""The A100 server reproduces the power of a measured fleet (Acme Seren, NSDI'24).

The fleet is a snapshot; what is fitted is how alike the GPUs of one job are at one
instant, and the host's idle and busy power. The scenario ``acme_seren`` simulates it instead.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.measured_fleet import (
    ACTIVITY,
    SHARE_OF_JOBS,
    SIZES,
    UNALLOCATED,
    gpus_w,
    servers_w,
)
from twin.config import parse
from twin.gpu.air_server import AirServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server():
    data = yaml.safe_load((ROOT / "conf/gpu/a100.yaml").read_text())
    return parse(AirServer, data, "gpu")


@pytest.fixture(scope="module")
def node_w(server):
    return servers_w(server)


def test_job_sizes_have_the_mean_and_median_of_the_trace():
    share = SHARE_OF_JOBS / SHARE_OF_JOBS.sum()
    assert (SIZES * share).sum() == pytest.approx(5.7, rel=0.02)
    assert share[0] > 0.5


def test_gpu_power_matches_the_fleet(server):
    gpu_w = gpus_w(server)
    assert gpu_w.mean() == pytest.approx(168, rel=0.10)
    assert (gpu_w < 100).mean() == pytest.approx(0.49, rel=0.10)
    assert (gpu_w > 300).mean() == pytest.approx(0.24, rel=0.10)


@pytest.mark.parametrize(("percent", "expected_w"), [(50, 2520), (95, 5040), (99, 5418)])
def test_quantiles_of_server_power_match_the_fleet(node_w, percent, expected_w):
    assert np.percentile(node_w, percent) == pytest.approx(expected_w, rel=0.08)


def test_mean_server_power_matches_the_fleet(node_w):
    assert node_w.mean() == pytest.approx(2930, rel=0.08)


@pytest.fixture(scope="module")
def measured(shared_data):
    """Return (percent, value) of GPU power [W] and of GPU memory in use [%]."""
    text = (shared_data / "telemetry/acme-seren-2023/quantiles_seren.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return {
        name: np.array([r[2:] for r in rows if r[0] == name], float).T
        for name in ("gpu_power", "gpu_mem_used")
    }


def activity_at(percent, measured, server):
    """Return the activity of a GPU that draws what *percent* of all readings stay below."""
    power_w = np.interp(percent, *measured["gpu_power"]).clip(server.gpu_idle_w, server.gpu_max_w)
    dynamic = (power_w - server.gpu_idle_w) / (server.gpu_max_w - server.gpu_idle_w)
    return dynamic ** (1 / server.activity_exponent)


def test_gpus_without_memory_in_use_are_held_by_no_job(measured):
    percent, memory = measured["gpu_mem_used"]
    assert np.interp(0.5, memory, percent) == pytest.approx(100 * UNALLOCATED, abs=0.2)


def test_the_activity_points_are_the_measured_powers_inverted(server, measured):
    at = 100 * (UNALLOCATED + (1 - UNALLOCATED) * np.linspace(0, 1, len(ACTIVITY)))
    np.testing.assert_allclose(activity_at(at, measured, server), ACTIVITY, atol=0.001)


@pytest.mark.parametrize("stream", ["small", "servers", "pretraining"])
def test_simulated_jobs_work_and_wait_at_the_measured_powers(server, measured, stream):
    """Readings of held GPUs, split at 200 W."""
    workload = yaml.safe_load((ROOT / "conf/workload/acme_fleet.yaml").read_text())
    job = workload["streams"][stream]
    percent, power_w = measured["gpu_power"]
    split = np.interp(200, power_w, percent)
    for key, start, end in [
        ("low_activity", 100 * UNALLOCATED, split),
        ("activity", split, 100),
    ]:
        probability, value = np.array(job[key]).T
        at = start + (end - start) * probability
        np.testing.assert_allclose(activity_at(at, measured, server), value, atol=0.001)
    probability, duty = np.array(job["duty"]).T
    mean = (np.diff(probability) * (duty[1:] + duty[:-1]) / 2).sum()
    at_work = (100 - split) / (100 - 100 * UNALLOCATED)
    assert mean == pytest.approx(at_work, rel=0.04)
