"""The A100 server reproduces the power of a measured fleet (Acme Seren, NSDI'24).

The fleet is the snapshot that ``twin-validate`` draws; what is fitted is how alike the
GPUs of one job are at one instant, and the host's idle and busy power.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml

from twin.config import parse
from twin.gpu.air_server import AirServer
from twin.probes.measured_fleet import (
    ACTIVITY,
    SHARE_OF_JOBS,
    SIZES,
    UNALLOCATED,
    gpus_w,
    servers_w,
)

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
