"""The driving centre from end to end: what is written, and what twice the fleet does to it."""

import json

import numpy as np
import pytest

from twin import compose, run
from twin.results.run_folder import Run

TWICE = "workload.streams.pipeline.fleet.vehicles=200000"


def centre(folder, *words):
    run.execute(compose.load(["output=data_only", *words]), folder)
    return Run.open(folder)


def test_a_run_with_a_pipeline_writes_where_its_clips_are(tmp_path):
    found = centre(tmp_path, "clock.duration_days=0.5", "output.plots=true", "output.report=true")
    series, details = found.pipeline(), found.info["pipeline"]
    assert series["at_s"][-1] == 43200
    assert found.summary["clips_recorded"] == pytest.approx(series["recorded"][-1])
    assert np.isclose(details["loads"]["WAN"], 1e14 * 8 / 86400 / 20e9)
    assert details["bottleneck"]["why"] in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "plots" / "pipeline.png").is_file()
    assert not list(tmp_path.glob("*.part"))


def test_a_run_without_one_writes_nothing_of_it(tmp_path):
    found = centre(tmp_path, "clock.duration_days=0.02", "workload=training_mix")
    assert not (tmp_path / "pipeline.parquet").exists()
    assert json.loads((tmp_path / "run.json").read_text())["pipeline"] is None
    assert found.summary["releases"] is None


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
    assert got["once"][3] == {"WAN": 0.46, "ingest": 0.12, "hand labelling": 0.75, "GPUs": 0.9}
    assert got["twice"][3] == {"WAN": 0.93, "ingest": 0.23, "hand labelling": 1.5, "GPUs": 1.55}
