"""Racks that draw warmer air: their fans, their limits, their place in the order of placement."""

import pytest
import yaml

from tests.support.composed import composed
from twin import run
from twin.results.run_folder import Run

SMALL = [
    "facility.gpus=128",
    "rack=13kw",
    "clock.duration_days=0.125",
    "output=data_only",
    "workload=full_load",
]
FILES = ["series.parquet", "jobs.parquet", "racks.parquet", "events.parquet", "summary.json"]
ENDS = "rack.inlet_rise_k=[8,0,0,8]"


def finished(tmp_path, *overrides: str, name: str = "run") -> Run:
    config = composed(*SMALL, *overrides)
    run.execute(yaml.safe_load(yaml.safe_dump(config)), tmp_path / name)
    return Run.open(tmp_path / name)


def test_racks_in_warm_air_pay_for_their_fans_and_the_others_do_not(tmp_path):
    """At 24 degC fans follow the load alone; 8 K more is well within their range."""
    air = "cooling=chilled_air", "cooling.supply_c=22"
    alike = finished(tmp_path, *air, name="alike")
    ends = finished(tmp_path, *air, ENDS, name="ends")
    plain_kw, racks = alike.racks()["power_mean_kw"], ends.racks()
    more_kw = racks["power_mean_kw"] - plain_kw
    assert more_kw[[1, 2, 5, 6]] == pytest.approx(0.0, abs=1e-9)
    assert more_kw[[0, 3, 4, 7]].min() > 0.3
    rise_k = racks["inlet_max_c"] - alike.racks()["inlet_max_c"]
    assert rise_k == pytest.approx([8, 0, 0, 8, 8, 0, 0, 8], abs=0.3)
    hours = 24 * ends.summary["simulated_days"]
    added_kwh = more_kw.sum() * hours
    moved = ends.series(["server_power_w", "server_fan_power_w"])
    plain = alike.series(["server_power_w", "server_fan_power_w"])
    for column in ("server_power_w", "server_fan_power_w"):
        got_kwh = (moved[column] - plain[column]).mean() * hours / 1e3
        assert got_kwh == pytest.approx(added_kwh, rel=1e-9)
    assert ends.series(["inlet_max_c"])["inlet_max_c"].max() == racks["inlet_max_c"].max()
    assert ends.summary["energy_residual_fraction"] < 1e-9


def test_a_pattern_without_a_rise_changes_no_byte(tmp_path):
    finished(tmp_path, name="none")
    finished(tmp_path, "rack.inlet_rise_k=[0,0,0]", name="zero")
    for file in FILES:
        assert (tmp_path / "none" / file).read_bytes() == (tmp_path / "zero" / file).read_bytes()


def test_a_trip_without_cooling_takes_the_racks_in_warm_air_first(tmp_path):
    trip = (
        "faults=chiller_trip",
        "faults.scheduled.afternoon_trip.at_hours=0.5",
        "faults.scheduled.afternoon_trip.repair_hours=1.5",
    )
    done = finished(tmp_path, "cooling=chilled_air", ENDS, *trip)
    events = done.events()
    at = {
        (kind, where): at_s
        for kind, where, at_s in zip(events["kind"], events["where"], events["at_s"], strict=True)
    }
    assert at["thermal_trip", "racks at +8 K"] < at["thermal_trip", "racks at +0 K"]
    assert at["throttle", "racks at +8 K"] < at["thermal_trip", "racks at +8 K"]
    assert done.summary["energy_residual_fraction"] < 1e-9


def test_rows_have_a_peak_where_they_are_looked_at(tmp_path):
    assert finished(tmp_path, name="none").summary["row_power_peak_kw"] is None
    done = finished(tmp_path, "rack.racks_per_row=4", "rack.row_kw=65", name="rows")
    peak_kw = done.racks()["power_peak_kw"]
    assert done.summary["row_power_peak_kw"] == pytest.approx(peak_kw[:4].sum(), rel=1e-9)


def test_heat_slows_the_racks_in_warm_air_and_their_jobs_only(tmp_path):
    """At 22-24 degC and 15 K more, past the 35 degC at which servers throttle."""
    air = "cooling=chilled_air", "cooling.supply_c=22", "rack.inlet_rise_k=[15,0,0,15]"
    done = finished(tmp_path, *air, "workload.count=16", "workload.gpu_mix=[[8,1]]")
    racks, hours = done.racks(), 24 * done.summary["simulated_days"]
    inner, ends = [1, 2, 5, 6], [0, 3, 4, 7]
    assert racks["throttled_s"][inner].tolist() == [0.0] * 4
    assert racks["throttled_s"][ends].min() > 0.9 * 3600 * hours
    assert racks["power_mean_kw"][ends].max() < 0.9 * racks["power_mean_kw"][inner].min()
    assert 0 < done.summary["throttled_gpu_hours"] <= 64 * hours
    (where,) = {w for w, kind in zip(*map(done.events().get, ("where", "kind")), strict=True)
                if kind == "throttle"}  # fmt: skip
    assert where == "racks at +15 K"
    assert done.summary["energy_residual_fraction"] < 1e-9
