"""How busy a cluster's jobs keep it, of one kind or with pretraining among them."""

import pytest

from twin.errors import ParameterError
from twin.probes import cluster_usage
from twin.probes.cluster_usage import (
    gpu_time_share,
    utilization,
    utilization_with_pretraining,
)

JOBS = {
    "jobs_per_gpu_day": 1.0, "run_mean_s": 3600, "run_median_s": 1800,
    "run_max_s": 3.6e6, "size_mean": 3.0, "size_max": 64,
}  # fmt: skip


def test_unrelated_sizes_and_run_times_multiply():
    got = utilization(**JOBS, coupling=0.0)
    assert got == pytest.approx(3600 * 3.0 / 86400, rel=0.02)


def test_the_more_size_and_run_time_go_together_the_busier_the_cluster():
    found = [utilization(**JOBS, coupling=c) for c in (-0.3, 0.0, 0.3, 0.6)]
    assert found == sorted(found)


def test_shares_of_gpu_time_add_up_to_one():
    shares = [
        gpu_time_share(status, 0.5, 0.3, 0.2, 1.0, 2.0, 0.5)
        for status in ("complete", "cancel", "fail")
    ]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[1] == pytest.approx(0.6 / 1.2)


@pytest.fixture
def few(monkeypatch):
    """Draw few jobs: what is asked for holds of any number, if it is of the same jobs."""
    monkeypatch.setattr(cluster_usage, "JOBS", 1000)


def mixed(jobs: float, run_s: float, gpus: float) -> dict:
    """Return JOBS with a share *jobs* of pretraining of that run time and size among them."""
    other = utilization(**JOBS, coupling=0.2) * 86400
    gpu_s = jobs * run_s * gpus
    return JOBS | {
        "run_mean_s": (1 - jobs) * 3600 + jobs * run_s,
        "size_mean": (1 - jobs) * 3.0 + jobs * gpus,
        "other_size_mean": 3.0,
        "pretraining_jobs": jobs,
        "pretraining_gpu_time": gpu_s / (gpu_s + (1 - jobs) * other),
        "coupling": 0.2,
    }


@pytest.mark.parametrize(("jobs", "run_s", "gpus"), [(0.01, 40_000, 60), (0.1, 9_000, 32)])
def test_pretraining_and_the_other_jobs_are_found_again_from_what_is_published_of_both(
    few, jobs, run_s, gpus
):
    held = jobs * run_s * gpus / 86400 + (1 - jobs) * utilization(**JOBS, coupling=0.2)
    assert utilization_with_pretraining(**mixed(jobs, run_s, gpus)) == pytest.approx(held, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pretraining_jobs": 0.0}, "pretraining_jobs"),
        ({"pretraining_gpu_time": 1.0}, "pretraining_gpu_time"),
        ({"pretraining_gpu_time": 0.999}, "pretraining_gpu_time=0.999: must be less"),
        ({"other_size_mean": 1.5}, "other_size_mean"),
        ({"other_size_mean": 5.0}, "other_size_mean"),
    ],
)
def test_shares_that_leave_pretraining_no_place_are_refused(few, change, named):
    with pytest.raises(ParameterError, match=named):
        utilization_with_pretraining(**(mixed(0.01, 40_000, 60) | change))
