"""A run pays and emits by the hour, exactly, and work waits for cheap or clean hours."""

import re
from datetime import datetime, timedelta

import numpy as np
import pytest

from tests.support.composed import composed
from twin import run
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
    run.execute(composed(*BASE, *overrides), folder)
    return Run.open(folder)


def test_cost_and_carbon_are_integrals_over_the_hours_though_beats_straddle_them(tmp_path):
    price = square(tmp_path, header="Price (CNY/kWh)", low=0.2, high=1.0)
    carbon = square(tmp_path, header="gCO2/kWh", low=200, high=800)
    done = finished(
        tmp_path / "run",
        f"site.tariff.price_path={price}",
        f"site.carbon.carbon_path={carbon}",
        "workload=steady",  # a step of the load would end a beat
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


def test_demand_is_the_highest_quarter_hour_and_part_of_the_bill(tmp_path):
    words = ["clock.duration_days=1.5", "clock.start=2024-02-29 12:00", "output.interval_s=900"]
    free = finished(tmp_path / "free", *words)
    done = finished(tmp_path / "run", *words, "site.tariff.demand_charge_per_kw_month=40")
    assert free.summary["demand_cost"] is None
    assert free.info["demand"] == []
    series, first = done.series(), done.info["demand"][0]
    kw = series["utility_power_w"] / 1e3
    peaks = [kw[:48].max(), kw[48:].max()]
    assert [month["peak_kw"] for month in done.info["demand"]] == pytest.approx(peaks, rel=1e-12)
    assert (first["month"], first["part"]) == ("2024-02", pytest.approx(0.5 / 29))
    expected = 40 * (peaks[0] * 0.5 / 29 + peaks[1] / 31)
    assert done.summary["demand_cost"] == pytest.approx(expected, rel=1e-12)
    both = free.summary["electricity_cost"] + done.summary["demand_cost"]
    assert done.summary["electricity_cost"] == pytest.approx(both, rel=1e-12)
    assert done.info["costs"]["electricity"] == done.summary["electricity_cost"]
    assert done.summary["cost_per_gpu_hour"] > free.summary["cost_per_gpu_hour"]


def test_storage_that_holds_the_draw_below_the_peak_lowers_the_charge_for_demand(tmp_path):
    words = ["clock.duration_days=0.3", "power=n_plus_1_bess"]
    words.append("site.tariff.demand_charge_per_kw_month=40")
    limit = "power.bess.import_limit_fraction"
    idle = finished(tmp_path / "idle", *words, f"{limit}=1")
    peak_kw = idle.info["demand"][0]["peak_kw"]
    contract_kw = idle.info["on_site"]["storage"]["rated_kw"] / 0.2
    held = finished(tmp_path / "held", *words, f"{limit}={0.97 * peak_kw / contract_kw}")
    assert held.info["demand"][0]["peak_kw"] == pytest.approx(0.97 * peak_kw, rel=1e-3)
    saved = idle.summary["demand_cost"] - held.summary["demand_cost"]
    assert saved == pytest.approx(0.03 * idle.summary["demand_cost"], rel=0.03)


def test_a_charge_for_demand_below_nothing_is_refused_by_key():
    key = "site.tariff.demand_charge_per_kw_month"
    with pytest.raises(ConfigError, match=re.escape(f"{key}=-1")):
        run.check(composed(*BASE, f"{key}=-1"))


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
    with pytest.raises(ConfigError, match=r"site\.tariff\.price_path=nowhere\.csv: no such file"):
        run.check(composed(*BASE, "site.tariff.price_path=nowhere.csv"))
    assert not list(tmp_path.iterdir())


# ---- PV behind the meter -----------------------------------------------------------------


@pytest.fixture(scope="module")
def sunny(tmp_path_factory):
    """The same day without PV, with some, and with far too much beside a battery."""
    pytest.importorskip("pvlib")
    folder = tmp_path_factory.mktemp("pv")
    beat = ["clock.heartbeat_s=300", "power=n_plus_1_pv"]
    pv = ["power.pv.clear_sky_fraction=0.8"]
    return (
        finished(folder / "none", beat[0], "power=n_plus_1"),
        finished(folder / "some", *beat, *pv, "power.pv.kw_peak=50"),
        finished(
            folder / "much",
            *beat,
            *pv,
            "power.pv.kw_peak=2000",
            "power.bess={at: utility, power_fraction: 0.5, hours: 2, round_trip_efficiency: 0.86,"
            " reserve_fraction: 0.1, import_limit_fraction: null, charge_below_price: null,"
            " discharge_above_price: null, ahead_hours: 24}",
            "site.tariff.time_of_use=[{price_per_kwh: 1.2, hours: [[1, 4]]}]",
        ),
    )


def test_pv_takes_load_off_the_meter_and_leaves_pue_alone(sunny):
    none, some, _ = sunny
    series = some.series()
    assert some.summary["energy_residual_fraction"] < 1e-9
    assert some.summary["pue"] == none.summary["pue"]
    assert series["utility_power_w"] + series["pv_power_w"] == pytest.approx(
        none.series()["utility_power_w"], rel=1e-12
    )
    kwh = some.summary["pv_energy_kwh"]
    assert kwh > 100.0
    assert kwh == pytest.approx(series["pv_power_w"].sum() * 300.0 / 3.6e6)
    assert none.summary["carbon_t"] - some.summary["carbon_t"] == pytest.approx(kwh * 0.6516 / 1e3)
    assert none.summary["pv_energy_kwh"] is None
    assert np.isnan(none.series()["pv_power_w"]).all()
    assert (some.summary["generator_energy_kwh"], series["generator_power_w"].max()) == (0.0, 0.0)
    assert "of a clear sky in every hour, assumed" in some.info["on_site"]["pv"]["source"]


def test_surplus_fills_the_battery_and_the_rest_is_curtailed(sunny):
    _, _, much = sunny
    series, on_site = much.series(), much.info["on_site"]
    assert much.summary["energy_residual_fraction"] < 1e-9
    assert series["utility_power_w"].min() == 0.0
    assert on_site["pv"]["curtailed_kwh"] > 1000.0
    assert on_site["storage"]["charged_kwh"] > 0.0, "it gave by night and is filled by day"
    assert series["battery_j"].max() == pytest.approx(series["battery_j"][0], rel=1e-6)
    assert on_site["storage"]["saved"] > 0.0


def test_in_an_outage_pv_is_off_and_generators_count(tmp_path):
    pytest.importorskip("pvlib")
    done = finished(
        tmp_path / "run",
        "power=n_plus_1_pv",
        "clock.start='2023-07-03 12:00'",
        "clock.duration_days=0.2",
        "clock.heartbeat_s=60",
        "output.interval_s=60",
        "faults=utility_outage",
        "faults.scheduled.line.at_hours=1",
        "faults.scheduled.line.repair_hours=1",
        "faults.scheduled.generators.at_hours=3",
    )
    series = done.series()
    dark = (series["at_s"] > 3700) & (series["at_s"] < 7100)
    assert series["pv_power_w"][dark].max() == 0.0
    assert series["pv_power_w"][~dark].max() > 0.0
    assert series["generator_power_w"][dark].max() > 0.0
    assert done.summary["generator_energy_kwh"] == pytest.approx(
        series["generator_power_w"].sum() * 60.0 / 3.6e6
    )
    litres = 1e3 * done.summary["generator_fuel_m3"]
    # At the rating 0.255 L/kWh; a tenth of that is burnt for turning alone, by a spare set too.
    assert 0.255 < litres / done.summary["generator_energy_kwh"] < 0.51
    assert done.summary["generator_carbon_t"] == pytest.approx(2.7e-3 * litres)
    assert done.summary["energy_residual_fraction"] < 1e-9
