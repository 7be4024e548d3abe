"""The driving centre from end to end: what is written, and what twice the fleet does to it."""

import json

import numpy as np
import pytest

from tests.support.composed import composed
from twin import run
from twin.results.run_folder import Run

PIPELINE = "workload.streams.pipeline"
SMALL_CENTRE = (
    "clock.duration_days=1.8",
    "facility.gpus=128",
    f"{PIPELINE}.fleet.vehicles=5000",
    f"{PIPELINE}.labelling.people.people=30",
    f"{PIPELINE}.training.dense.gpus_per_job=64",
    f"{PIPELINE}.training.sparse_moe.gpus_per_job=32",
    "workload.streams.labelling_service.replicas=4",
    "workload.streams.labelling_service.requests_per_s=24",
    "~workload.streams.fine_tuning",
    "~workload.streams.development",
)
TWICE = "workload.streams.pipeline.fleet.vehicles=200000"


def centre(folder, *words):
    run.execute(composed("output=data_only", *words), folder)
    return Run.open(folder)


def test_a_run_with_a_pipeline_writes_where_its_clips_are(tmp_path):
    found = centre(tmp_path, "clock.duration_days=0.5", "output.plots=true", "output.report=true")
    series, details = found.pipeline(), found.info["pipeline"]
    assert series["at_s"][-1] == 43200
    assert found.summary["clips_recorded"] == pytest.approx(series["recorded"][-1])
    assert np.isclose(details["loads"]["WAN"], 1e14 * 8 / 86400 / 20e9)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert details["bottleneck"]["why"] in report
    assert "To know" not in report  # nothing was warned of
    assert (tmp_path / "plots" / "pipeline.png").is_file()
    assert not list(tmp_path.glob("*.part"))


def test_a_run_without_one_writes_nothing_of_it(tmp_path):
    found = centre(tmp_path, "clock.duration_days=0.02", "workload=training_mix")
    assert not (tmp_path / "pipeline.parquet").exists()
    assert json.loads((tmp_path / "run.json").read_text())["pipeline"] is None
    assert found.summary["releases"] is None


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A small centre in which nothing breaks."""
    return centre(tmp_path_factory.mktemp("calm"), *SMALL_CENTRE)


def trip(folder, repair_hours):
    """The small centre with its chillers out at 6:00 of day two, in the midst of training."""
    fault = {"unit": "cooling.chiller", "at_hours": 30, "repair_hours": repair_hours}
    words = [f"+faults.scheduled.trip.{key}={value}" for key, value in fault.items()]
    return centre(folder, *SMALL_CENTRE, *words)


def delays(before, after):
    """Return by how much each release is later [s]."""
    both = (each.info["pipeline"]["releases"] for each in (before, after))
    return [late["released_s"] - early["released_s"] for early, late in zip(*both, strict=True)]


def test_a_chiller_trip_that_slows_gpus_delays_the_release_by_what_they_lost(tmp_path, calm):
    hot = trip(tmp_path, repair_hours=0.03)  # the chillers need some minutes to cool again
    events = hot.events()
    assert events["kind"].tolist() == ["fault", "repair", "throttle", "throttle_end"]
    assert "GPUs at 78% of their rate" in events["detail"].tolist()[2]
    slow_s = events["at_s"].tolist()[3] - events["at_s"].tolist()[2]
    # The first release was out before; the second stands 22 % of that time still, in training.
    assert delays(calm, hot) == [0.0, pytest.approx(0.22 * slow_s, rel=0.03)]
    assert slow_s > 60.0
    assert hot.summary["throttled_gpu_hours"] > 0.0 == calm.summary["throttled_gpu_hours"]
    assert hot.summary["gpu_hours_lost"] == 0.0


def test_a_chiller_trip_that_stops_servers_delays_the_release_by_hours(tmp_path, calm):
    hot = trip(tmp_path, repair_hours=2.0)
    assert {"thermal_trip", "thermal_restart"} <= set(hot.events()["kind"])
    first, second = delays(calm, hot)
    assert first == 0.0
    # Two hours without chillers, half an hour of cooling down and at most one checkpoint's work.
    assert 2 * 3600 < second < 3.25 * 3600
    cycles = [each.info["pipeline"]["releases"][1]["cycle_days"] for each in (calm, hot)]
    assert cycles[1] - cycles[0] == pytest.approx(second / 86400)
    assert hot.summary["gpu_hours_lost"] > 0.0


def test_a_slow_storage_delays_the_release_and_is_named(tmp_path, calm):
    slow = centre(tmp_path, *SMALL_CENTRE, "storage.nodes=1", "storage.node_gb_per_s=5")
    details = slow.info["pipeline"]
    assert details["bottleneck"]["name"] == "storage"
    assert details["loads"]["storage"] > 1.0 > calm.info["pipeline"]["loads"]["storage"]
    done, asked = (
        each.info["pipeline"]["releases"][0]["released_s"]
        if each.info["pipeline"]["releases"]
        else float("inf")
        for each in (slow, calm)
    )
    assert done > asked + 3600
    uploaded_tb = calm.summary["clips_recorded"] * 100e6 / 1e12  # ten times less than the line
    assert calm.summary["storage_written_tb"] > uploaded_tb


@pytest.mark.slow
def test_twice_the_fleet_moves_the_bottleneck_from_training_time_to_gpus(tmp_path):
    """The figures in the header of scenarios/mana_oasis.yaml."""
    once, twice = centre(tmp_path / "once"), centre(tmp_path / "twice", TWICE)
    got = {
        name: (
            found.summary["releases"],
            round(found.summary["release_cycle_p50_days"], 1),
            found.info["pipeline"]["bottleneck"]["name"],
            {key: round(load, 2) for key, load in found.info["pipeline"]["loads"].items()},
        )
        for name, found in (("once", once), ("twice", twice))
    }
    assert got["once"][:3] == (7, 2.3, "training")
    assert got["twice"][:3] == (4, 6.3, "GPUs")
    assert got["once"][3] == {
        "WAN": 0.46, "ingest": 0.12, "storage": 0.28, "hand labelling": 0.75, "GPUs": 0.9
    }  # fmt: skip
    assert got["twice"][3] == {
        "WAN": 0.93, "ingest": 0.23, "storage": 0.54, "hand labelling": 1.5, "GPUs": 1.55
    }  # fmt: skip
