"""A pool that a service lends at night and takes back in the morning, from end to end."""

import numpy as np
import pytest

from tests.support.composed import composed
from twin import run
from twin.results.run_folder import Run


def pool(folder, *words):
    run.execute(composed("scenario=shared_pool", "output=data_only", *words), folder)
    return Run.open(folder)


def gpu_hours(jobs, which):
    return float((jobs["gpus"] * jobs["service_s"])[which].sum()) / 3600


def test_a_day_of_the_pool_shows_replicas_that_come_and_go(tmp_path):
    words = ["clock.duration_days=0.5", "workload.streams.training.jobs_per_day=200"]
    found = pool(tmp_path, *words, "output.plots=true")
    jobs = found.jobs()
    serves = jobs["kind"] == "inference"
    waits = (jobs["started_at_s"] - jobs["arrived_at_s"])[serves]
    assert serves.sum() > 20
    assert float(waits.max()) <= 300.0  # the grace
    assert jobs["restarts"].sum() > 0
    assert jobs["lost_gpu_s"].sum() == 0
    assert (tmp_path / "plots" / "shared_pool.png").is_file()


@pytest.mark.slow
def test_lending_gives_training_more_and_takes_nothing_from_the_service(tmp_path):
    """The figures in the header of scenarios/shared_pool.yaml."""
    lent = pool(tmp_path / "lent")
    kept = pool(tmp_path / "kept", "workload.streams.chat.autoscaling.lend=false")
    jobs, before = lent.jobs(), kept.jobs()
    training, serves = jobs["kind"] == "training", jobs["kind"] == "inference"
    gain = gpu_hours(jobs, training) / gpu_hours(before, before["kind"] == "training")
    assert round(100 * (gain - 1)) == 18
    wait_h = [
        float(np.nanmedian(each["wait_s"][each["kind"] == "training"])) / 3600
        for each in (jobs, before)
    ]
    assert [round(hours, 1) for hours in wait_h] == [2.6, 18.9]
    assert jobs["restarts"][training].sum() == 28
    assert jobs["lost_gpu_s"].sum() == 0
    assert np.nanmax((jobs["started_at_s"] - jobs["arrived_at_s"])[serves]) == 120.0
    assert lent.summary["requests_served"] == pytest.approx(kept.summary["requests_served"])
    assert lent.summary["goodput_fraction"] == pytest.approx(0.998, abs=5e-4)
