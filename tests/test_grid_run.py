"""A run pays and emits by the hour, exactly, and work waits for cheap or clean hours."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from twin import compose, run
from twin.errors import ConfigError
from twin.results.run_folder import Run

DAY_H = 24
BASE = [
    "facility.gpus=128",
    "workload=training_mix",
    "clock.duration_days=1",
    "output.plots=false",
    "output.report=false",
]


def square(folder, *, header, low, high, days=4):
    """Write an hourly file, low by night (20 to 8) and high by day."""
    first = datetime(2023, 7, 2)
    rows = [
        f"{first + timedelta(hours=h)},{high if 8 <= h % DAY_H < 20 else low}"
        for h in range(days * DAY_H)
    ]
    path = folder / f"{header[:2]}.csv"
    path.write_text("\n".join([f"time,{header}", *rows]) + "\n", encoding="utf-8")
    return str(path)


def finished(folder, *overrides):
    compose.register()
    run.execute(compose.load([*BASE, *overrides]), folder)
    return Run.open(folder)


def test_cost_and_carbon_are_integrals_over_the_hours_though_beats_straddle_them(tmp_path):
    price = square(tmp_path, header="Price (CNY/kWh)", low=0.2, high=1.0)
    carbon = square(tmp_path, header="gCO2/kWh", low=200, high=800)
    done = finished(
        tmp_path / "run",
        f"site.tariff.price_path={price}",
        f"site.carbon.carbon_path={carbon}",
        "clock.heartbeat_s=2700",
        "output.interval_s=2700",
    )
    series = done.series()
    begin = series["at_s"]
    fine = (np.arange(2700) + 0.5)[None, :] + begin[:, None]
    by_day = ((fine % 86400 >= 8 * 3600) & (fine % 86400 < 20 * 3600)).mean(axis=1)
    expected = 0.2 + 0.8 * by_day
    assert len(set(np.round(expected, 6))) > 2, "some beats must straddle a change"
    assert series["price_per_kwh"] == pytest.approx(expected, rel=1e-12)
    kwh = series["utility_power_w"] * 2700 / 3.6e6
    assert done.summary["electricity_cost"] == pytest.approx(float(kwh @ expected), rel=1e-9)
    assert done.summary["carbon_t"] == pytest.approx(
        float(kwh @ (0.2 + 0.6 * by_day)) / 1e3, rel=1e-9
    )
    assert done.info["grid"]["price"].startswith("hourly, ")
    assert any("own dates" in warning for warning in done.info["warnings"])


def paid_per_kwh(done: Run) -> float:
    """Return the mean price of the energy that work used, idle servers left out."""
    series = done.series()
    work_w = series["it_power_w"] - series["it_power_w"].min()
    return float((work_w * series["price_per_kwh"]).sum() / work_w.sum())


@pytest.mark.parametrize("waits_for", ["price", "carbon"])
def test_deferral_moves_work_to_the_hours_it_waits_for(tmp_path, waits_for):
    price = square(tmp_path, header="Price (CNY/kWh)", low=0.2, high=1.0)
    carbon = square(tmp_path, header="gCO2/kWh", low=200, high=800)
    grid = [f"site.tariff.price_path={price}", f"site.carbon.carbon_path={carbon}"]
    deadline = ["scheduling=deadline", f"scheduling.wait_for={waits_for}"]
    slack = ["scheduling.slack_hours={training: 24}", "scheduling.quantile=0.4"]
    load = ["clock.duration_days=2", "workload.offered_load=0.3"]
    kinds = set(finished(tmp_path / "at_once", *grid, *load).jobs()["kind"])
    slack = ["scheduling.slack_hours={" + ", ".join(f"{k}: 24" for k in kinds) + "}"]
    at_once = Run.open(tmp_path / "at_once")
    waited = finished(tmp_path / "waited", *grid, *load, *deadline, *slack)
    assert paid_per_kwh(waited) < 0.85 * paid_per_kwh(at_once)
    jobs = waited.jobs()
    started = jobs["started_at_s"][~np.isnan(jobs["started_at_s"])] % 86400
    by_night = (started < 8 * 3600) | (started >= 20 * 3600)
    assert by_night.mean() > 0.9


def test_a_bad_file_is_refused_before_anything_is_written(tmp_path):
    compose.register()
    with pytest.raises(ConfigError, match=r"site: nowhere\.csv: no such file"):
        run.check(compose.load([*BASE, "site.tariff.price_path=nowhere.csv"]))
    assert not list(tmp_path.iterdir())
