"""The whole path from a job's arrival to a finished folder: exact, closed, repeatable."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tests.support.composed import composed
from twin import build, run, run_record
from twin.errors import ConfigError, InputFileError
from twin.results.recorder import Recorder
from twin.results.run_folder import Run

SMALL = [
    "facility.gpus=256",
    "clock.duration_days=0.25",
    "output.plots=false",
    "output.report=false",
]
FILES = ["series.parquet", "jobs.parquet", "racks.parquet", "events.parquet", "summary.json"]


def load(*overrides: str):
    return composed(*SMALL, "workload=training_mix", *overrides)


def finished(tmp_path: Path, *overrides: str, name: str = "run") -> Run:
    run.execute(load(*overrides), tmp_path / name)
    return Run.open(tmp_path / name)


def facility_of(tmp_path: Path, *overrides: str):
    design = build.read(load(*overrides))
    build.size(design)
    return design, build.assemble(design, Recorder(tmp_path, 300.0))


def test_demand_no_fleet_can_serve_runs_to_its_end_and_says_what_was_dropped(tmp_path):
    done = finished(
        tmp_path, "gpu=h100", "rack.servers_per_rack=1", "workload=serving_70b",
        "workload.requests_per_s=5000", "clock.duration_days=0.03125",
    )  # fmt: skip
    (warning,) = [said for said in done.info["warnings"] if "were not served" in said]
    number = int(warning.split()[1])
    served = done.summary["requests_served"]
    assert warning.startswith(f"workload: {number} requests (")
    assert served > 0.0
    percent = float(warning.partition("(")[2].split()[0])  # the last minute still waits
    assert percent == pytest.approx(100 * number / (number + served), abs=1.5)
    assert done.summary["slo_attainment_fraction"] < 0.5
    assert done.summary["requests_dropped"] == pytest.approx(number, abs=1)
    for what in ("ttft", "itl"):
        assert 0.0 < done.summary[f"{what}_p50_s"] <= done.summary[f"{what}_p99_s"]


def test_a_trace_of_another_layout_is_refused_before_the_run_with_what_it_saw_and_wanted(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("when,how_long,cards\n0,1,1\n", encoding="utf-8")
    with pytest.raises(InputFileError) as error:
        run.check(load("workload=philly", f"workload.path={path}"))
    said = str(error.value)
    assert f"{path}: no column " in said
    assert "columns seen: when, how_long, cards" in said
    assert "submit: timestamp" in said


def test_the_ledger_closes_on_every_heartbeat(tmp_path):
    summary = finished(tmp_path).summary
    assert summary["energy_residual_fraction"] < 1e-9
    parts = ("it", "loss", "cooling", "aux")
    assert sum(summary[f"{part}_energy_kwh"] for part in parts) == pytest.approx(
        summary["facility_energy_kwh"], rel=1e-12
    )


def test_the_ledger_closes_through_a_chiller_trip(tmp_path):
    done = finished(
        tmp_path,
        "faults=chiller_trip",
        "faults.scheduled.afternoon_trip.at_hours=1.001",
        "faults.scheduled.afternoon_trip.repair_hours=2",
    )
    assert done.summary["energy_residual_fraction"] < 1e-9
    kinds = done.events()["kind"].tolist()
    assert kinds[0] == "fault"
    assert "repair" in kinds
    assert "thermal_trip" in kinds, "two hours without chillers must shut the servers down"
    assert done.summary["gpu_hours_lost"] > 0
    assert done.series(["inlet_max_c"])["inlet_max_c"].max() > 40


@pytest.mark.parametrize("owner", ["feed.serve_all", "plant.step"])
@pytest.mark.parametrize("scale", [1.001])
def test_the_ledger_cannot_be_cheated(tmp_path, owner, scale):
    """A component that says 1.001 of what it does opens the ledger."""
    for what in {"feed.serve_all": ["utility_w"], "plant.step": ["ambient_heat_w", "power_w"]}[
        owner
    ]:
        design, facility = facility_of(tmp_path)
        part_name, method = owner.split(".")
        part = getattr(facility, part_name)
        honest = getattr(part, method)

        def lie(*args, honest=honest, what=what):
            state = honest(*args)
            setattr(state, what, getattr(state, what) * scale)
            return state

        setattr(part, method, lie)
        run.simulate(design, facility, lambda _: None)
        facility.recorder.abort()
        assert facility.totals.residual_max > 1e-5, what


def test_it_energy_is_exact_and_cooling_agrees_at_any_heartbeat(tmp_path):
    at_60 = finished(tmp_path, "clock.heartbeat_s=60", name="a").summary
    at_300 = finished(tmp_path, "clock.heartbeat_s=300", name="b").summary
    assert at_60["it_energy_kwh"] == pytest.approx(at_300["it_energy_kwh"], rel=1e-12)
    assert at_60["cooling_energy_kwh"] == pytest.approx(at_300["cooling_energy_kwh"], rel=2e-3)
    assert at_60["loss_energy_kwh"] == pytest.approx(at_300["loss_energy_kwh"], rel=2e-3)
    assert at_60["jobs_completed"] == at_300["jobs_completed"]


def test_same_seed_same_bytes_whatever_the_order_of_keys(tmp_path):
    def turned(data):
        if isinstance(data, dict):
            return {key: turned(value) for key, value in reversed(data.items())}
        return [turned(value) for value in data] if isinstance(data, list) else data

    config = load()
    run.execute(config, tmp_path / "a")
    run.execute(turned(config), tmp_path / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_another_seed_gives_another_month(tmp_path):
    a = finished(tmp_path, name="a").summary
    b = finished(tmp_path, "clock.seed=1", name="b").summary
    assert a["it_energy_kwh"] != b["it_energy_kwh"]


def test_series_racks_and_totals_tell_one_story(tmp_path):
    done = finished(tmp_path)
    series = done.series()
    hours = 0.25 * 24
    it_kwh = series["it_power_w"].mean() * hours / 1e3
    assert it_kwh == pytest.approx(done.summary["it_energy_kwh"], rel=1e-9)
    facility = series["it_power_w"] + series["loss_power_w"]
    facility = facility + series["cooling_power_w"] + series["aux_power_w"]
    np.testing.assert_allclose(facility, series["facility_power_w"], rtol=1e-12)
    racks = done.racks()
    server_w = series["server_power_w"].mean()
    assert racks["power_mean_kw"].sum() == pytest.approx(server_w / 1e3, rel=1e-9)
    assert np.all(racks["power_peak_kw"] <= racks["rated_kw"])


def test_every_job_that_arrived_is_in_the_table_once(tmp_path):
    done = finished(tmp_path)
    jobs = done.jobs()
    assert len(jobs["job_id"]) == len(set(jobs["job_id"].tolist()))
    assert len(jobs["job_id"]) == done.summary["jobs_submitted"]
    assert (jobs["status"] == "completed").sum() == done.summary["jobs_completed"]


def test_a_partial_last_beat_is_paid_for(tmp_path):
    done = finished(tmp_path, "clock.duration_days=0.1003")
    assert done.summary["simulated_days"] == pytest.approx(0.1003, rel=1e-12)
    assert done.summary["energy_residual_fraction"] < 1e-9


def test_the_number_of_events_is_pinned(tmp_path):
    """A change that adds events to every job or beat shows here, not on a clock."""
    done = finished(tmp_path)
    info, summary = done.info, done.summary
    beats = 360
    started = int((~np.isnan(done.jobs()["started_at_s"])).sum())
    # a job: its arrival, the start of its process, its end, the end of its process
    assert info["events"] <= beats + 4 * started + summary["jobs_submitted"] + 400


def test_a_refused_run_leaves_nothing(tmp_path):
    config = load()
    config["rack"]["rated_kw"] = 1.0
    with pytest.raises(ConfigError, match=r"rack\.rated_kw=1: must be >= 13"):
        run.execute(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_configuration_is_kept_as_omegaconf_would_write_it():
    config = load("workload.name=1e5", "scheduling.note='yes'", "site.name=null")
    config["clock"]["start"] = config["scenario"]["name"] = "mañana: 07:00"
    config["economics"]["years"] = config["rack"]["years"] = [1, 2.5e-07, 1e16, True]
    assert run_record.as_yaml(config) == OmegaConf.to_yaml(OmegaConf.create(config))


OTHERS = ["y", "N", "on", "Null", "~", "", "1e5", "1_000", "0x1F", "017", ".5", "nan", "-inf"]
"""Texts that readers of YAML take for something else, some of them."""
texts = st.text(st.characters(codec="ascii", exclude_characters="$?"))


@given(st.sampled_from(OTHERS) | texts)
def test_no_text_is_kept_so_that_it_reads_as_something_else(text):
    config = {"group": {"key": text, "list": [text, 1]}}
    kept = run_record.as_yaml(config)
    assert kept == OmegaConf.to_yaml(OmegaConf.create(config))
    assert OmegaConf.create(kept) == config


def test_the_record_says_what_made_the_run(tmp_path):
    finished(tmp_path)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["seed"] == 0
    assert set(info) >= {"twin", "packages", "wall_s", "cpu_s", "events", "warnings"}


def test_what_is_bought_is_told_by_hand(tmp_path):
    """256 GPUs of 12,500 dollars, twice that with servers; 20 positions of 2.5 m2 for 16 racks."""
    words = ["facility.racks_built=20", "clock.duration_days=0.01", "economics=default"]
    design, facility = facility_of(tmp_path, *words)
    summary = finished(tmp_path, *words).summary
    assert (summary["racks_built"], summary["floor_area_m2"]) == (20, 50.0)
    assert summary["it_capex"] == pytest.approx(256 * 12_500 * 2 * 7.08)
    dollars = design.built_it_w * 8.9 + 50 * 3500 + 20 * 5000
    assert summary["building_capex"] == pytest.approx(dollars * 7.08)
    facility.recorder.abort()


def test_denser_racks_save_floor_and_cabinets_and_nothing_else(tmp_path):
    """Plant, feed and PUE are those of the same heat, wherever it stands."""
    words = ["cooling=chilled_air_in_row", "clock.duration_days=0.05"]
    thin = finished(tmp_path, "rack=6_5kw", *words, name="thin")
    dense = finished(tmp_path, "rack=26kw", *words, name="dense")
    costs = [done.info["costs"] for done in (thin, dense)]
    assert costs[0]["floor_capital"] == pytest.approx(4 * costs[1]["floor_capital"])
    assert costs[0]["building_capital"] == pytest.approx(costs[1]["building_capital"])
    assert thin.summary["cost_per_gpu_hour"] > dense.summary["cost_per_gpu_hour"]
    assert thin.summary["pue"] == pytest.approx(dense.summary["pue"], rel=1e-3)
    assert dense.info["rack"]["used_units"] == 24
    assert dense.info["rack"]["floor_kg_per_m2"] == pytest.approx((4 * 123 + 200) / 2.5)
