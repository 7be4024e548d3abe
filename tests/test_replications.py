"""Runs that differ in chance alone: intervals that hold, the same bytes however they are spread."""

import json

import numpy as np
import pytest

from tests.test_outage import load, outage
from twin import pool, replications, run
from twin.errors import RunError, TwinError
from twin.results.run_folder import Run

NODES = "{unit: it.node, mttf_hours: 6, repair_hours: 1, repair: exponential}"
BYTES = ["series.parquet", "jobs.parquet", "racks.parquet", "events.parquet", "summary.json"]
QUICK = ["clock.duration_days=0.05"]


def test_replications_differ_in_chance_alone_and_give_intervals(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "illustrate", lambda *_: None)  # the page over all of them is enough
    config = load(*QUICK, "clock.replications=3", "output.plots=true", "output.report=true")
    summary = run.execute(config, tmp_path / "run")
    each = [Run.open(tmp_path / "run" / f"rep_00{i}").summary for i in range(3)]
    energies = [one["it_energy_kwh"] for one in each]
    assert len(set(energies)) == 3
    assert summary["it_energy_kwh"] == pytest.approx(sum(energies) / 3)
    spread = np.std(energies, ddof=1)
    assert summary["it_energy_kwh_ci95"] == pytest.approx(4.303 * spread / 3**0.5)
    assert summary["currency"] == "CNY"
    assert (tmp_path / "run" / "replications.parquet").is_file()
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "3 replications" in page and "IT energy" in page and "data:image/png" in page
    single = run.execute(load(*QUICK), tmp_path / "single")
    assert single["it_energy_kwh"] == energies[0], "the first replication is the plain run"


def test_they_write_the_same_bytes_on_one_core_and_on_two(tmp_path, monkeypatch):
    config = load(*QUICK, "clock.replications=3", f"+faults.random.nodes={NODES}")
    for cores in (1, 2):
        monkeypatch.setattr(pool, "usable_cores", lambda cores=cores: cores)
        run.execute(config, tmp_path / str(cores))
    names = ["summary.json", *(f"rep_00{i}/{name}" for i in range(3) for name in BYTES)]
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_progress_of_all_of_them_is_told_and_ends_at_the_whole(tmp_path):
    seen = []
    run.execute(load(*QUICK, "clock.replications=2"), tmp_path / "run", seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_one_that_fails_is_named_and_nothing_looks_finished(tmp_path, monkeypatch):
    whole = run._one

    def fails(config, design, folder, *rest):
        if folder.name == "rep_001":
            raise ZeroDivisionError("made to fail")
        return whole(config, design, folder, *rest)

    monkeypatch.setattr(run, "_one", fails)
    monkeypatch.setattr(pool, "usable_cores", lambda: 2)
    with pytest.raises(RunError, match=r"replication 1: ZeroDivisionError: made to fail"):
        run.execute(load(*QUICK, "clock.replications=2"), tmp_path / "run")
    assert "Traceback" in (tmp_path / "run" / "rep_001" / "error.txt").read_text()
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_wrong_configuration_is_said_once_and_leaves_nothing(tmp_path):
    config = load(*QUICK, "clock.replications=2", outage("power.upss"))
    with pytest.raises(TwinError, match=r"^faults\.scheduled\.outage\.unit='power\.upss'"):
        run.execute(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def fault_times(done: Run):
    events = done.events()
    faults = events["kind"] == "fault"
    return list(zip(events["at_s"][faults], events["detail"][faults], strict=True))


@pytest.mark.parametrize("unit", ["it.node", "cooling.chiller", "power.generator"])
def test_designs_are_compared_under_the_same_faults(tmp_path, unit):
    """Two feeds, one seed: every machine that both have breaks at the same instants."""
    source = f"{{unit: {unit}, mttf_hours: 3, repair_hours: 0.1, repair: exponential}}"
    words = ["clock.duration_days=0.4", "clock.heartbeat_s=60", f"+faults.random.some={source}"]
    seen = []
    for power in ("n_plus_1", "hvdc"):
        run.execute(load(*words, f"power={power}"), tmp_path / power)
        seen.append(fault_times(Run.open(tmp_path / power)))
    assert seen[0] == seen[1]
    assert len(seen[0]) > 1


def test_availability_of_all_servers_lies_in_its_own_interval(tmp_path):
    """Sixteen machines, each up MTTF / (MTTF + MTTR) of the time once the start is forgotten."""
    words = ["clock.duration_days=4", "clock.heartbeat_s=600", "facility.restart_minutes=0"]
    config = load(*words, "clock.replications=6", f"+faults.random.nodes={NODES}")
    config["output"]["interval_s"] = 3600.0
    summary = run.execute(config, tmp_path / "run")
    mean, half = (summary[f"gpu_available_fraction{end}"] for end in ("", "_ci95"))
    # From all up at hour 0: A + (1 - A) (1 - exp(-r T)) / (r T), r = 1 / MTTF + 1 / MTTR.
    steady, rate, hours = 6 / 7, 1 / 6 + 1, 96.0
    expected = steady + (1 - steady) * (1 - np.exp(-rate * hours)) / (rate * hours)
    assert abs(mean - expected) < 1.6 * half  # 1.6 x 2.57 standard errors: misses one in 200
    assert 0.0 < half < 0.03


def test_the_interval_holds_the_mean_as_often_as_it_says():
    """Of 2000 samples of five normal numbers, 95 % of the intervals hold the mean."""
    rng = np.random.default_rng(3)
    samples = rng.normal(7.0, 2.0, (2000, 5))
    held = sum(
        abs(sample.mean() - 7.0) <= replications.half_width_95(sample.tolist())
        for sample in samples
    )
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_a_figure_that_never_was_in_one_of_them_has_no_mean():
    one = {"pue": 1.2, "minutes_to_trip": 4.0, "currency": "CNY"}
    both = replications.combine([one, {**one, "minutes_to_trip": None}])
    assert both["minutes_to_trip"] is None and both["minutes_to_trip_ci95"] is None
    assert json.loads(json.dumps(both))["pue"] == 1.2
