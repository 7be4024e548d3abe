"""The scorecard: every key there, null where it does not apply, written last and whole."""

import json

import numpy as np
import pytest

from twin.records import Job
from twin.results.racks import RackPower
from twin.results.recorder import Recorder
from twin.results.summary import Facts, Totals, summarize, write_summary
from twin.schema import SUMMARY

HOUR_S = 3600.0


def facts(**changes):
    base = {
        "gpus": 16,
        "racks_built": 4,
        "floor_area_m2": 10.0,
        "nameplate_it_w": 13e3,
        "currency": "CNY",
    }
    return Facts(**{**base, **changes})


def jobs_file(folder, jobs=()):
    recorder = Recorder(folder, 300.0)
    for job in jobs:
        recorder.job(job)
    recorder.close()
    return folder / "jobs.parquet"


def racks(power_w=(4e3, 5e3), rated_w=6.5e3):
    power = RackPower(len(power_w), rated_w)
    power.beat(np.array(power_w), HOUR_S)
    return power


def done(wait_s, service_s):
    return Job(
        "j",
        "training",
        0.0,
        8,
        service_s,
        service_s,
        status="completed",
        started_at_s=wait_s,
        finished_at_s=wait_s + service_s,
        service_s=service_s,
    )


def test_every_key_is_there_in_order_even_if_nothing_happened(tmp_path):
    empty = RackPower(2, 6.5e3)
    summary = summarize(Totals(), facts(), empty, jobs_file(tmp_path))
    assert list(summary) == list(SUMMARY)
    for name in ("pue", "tue", "wait_p50_s", "it_power_mean_mw", "mfu_mean", "ttft_p99_s"):
        assert summary[name] is None, name
    json.dumps(summary, allow_nan=False)


def test_known_totals_give_known_figures(tmp_path):
    totals = Totals(
        seconds=HOUR_S,
        it_j=9e3 * HOUR_S,
        fan_j=0.9e3 * HOUR_S,
        loss_j=0.9e3 * HOUR_S,
        it_loss_j=1e3 * HOUR_S,
        cooling_j=1.8e3 * HOUR_S,
        facility_j=11.7e3 * HOUR_S,
        water_kg=9.0,
        carbon_kg=4.5,
        it_peak_w=9e3,
        gpu_allocated_s=8 * HOUR_S,
        gpu_active_s=4 * HOUR_S,
        useful_gpu_s=6 * HOUR_S,
    )
    summary = summarize(totals, facts(), racks(), jobs_file(tmp_path))
    expected = {
        "it_energy_kwh": 9.0,
        "pue": 1.3,
        "tue": 1.3 / 0.9,
        "ppue_cooling": 1.2,
        "ppue_power": 1.1,
        "mlc": 0.2,
        "elc": 0.1,
        "wue_l_per_kwh": 1.0,
        "cue_kg_per_kwh": 0.5,
        "nameplate_energy_gwh": 13e-6,
        "it_power_mean_mw": 0.009,
        "rack_density_mean_kw": 4.5,
        "rack_density_peak_kw": 5.0,
        "stranded_power_kw": 4.0,
        "floor_density_kw_per_m2": 0.9,
        "rack_occupancy_fraction": 0.5,
        "gpu_allocated_fraction": 0.5,
        "gpu_active_fraction": 0.25,
        "goodput_fraction": 0.75,
        "gpu_hours_useful": 6.0,
    }
    for name, value in expected.items():
        assert summary[name] == pytest.approx(value, rel=1e-12), name


def test_waits_are_of_jobs_that_started_and_slowdowns_of_jobs_completed(tmp_path):
    jobs = [done(w, 100.0) for w in (0.0, 50.0, 100.0)]
    jobs.append(Job("queued", "training", 0.0, 8, 1.0, 1.0))
    killed = done(1e6, 1.0)
    killed.status = "killed"
    path = jobs_file(tmp_path, [*jobs, killed])
    summary = summarize(Totals(), facts(), racks(), path)
    assert summary["wait_p50_s"] == 75.0
    assert summary["slowdown_p95"] == pytest.approx(np.percentile([1.0, 1.5, 2.0], 95))


def test_services_count_only_where_there_are_any(tmp_path):
    totals = Totals(seconds=1.0, requests=10.0, tokens=100.0, service_j=50.0)
    path = jobs_file(tmp_path)
    assert summarize(totals, facts(), racks(), path)["requests_served"] is None
    served = summarize(totals, facts(has_services=True), racks(), path)
    assert served["tokens_served"] == 100.0 and served["energy_per_token_j"] == 0.5


@pytest.mark.parametrize(("asked", "dropped"), [(10.0, 0.0), (10.0 + 1e-9, 0.0), (15.0, 5.0)])
def test_what_was_asked_and_not_served_was_dropped(tmp_path, asked, dropped):
    totals = Totals(seconds=1.0, requests=10.0, requests_asked=asked)
    summary = summarize(totals, facts(has_services=True), racks(), jobs_file(tmp_path))
    assert summary["requests_dropped"] == dropped


def test_mfu_needs_known_flops(tmp_path):
    totals = Totals(seconds=1.0, flops=1.56e14 * 8, flops_gpu_s=8.0)
    summary = summarize(totals, facts(peak_flops=3.12e14), racks(), jobs_file(tmp_path))
    assert summary["mfu_mean"] == pytest.approx(0.5)
    lost = Totals(seconds=1.0, flops=0.0, flops_gpu_s=8.0)  # all of it thrown away
    of_lost = summarize(lost, facts(peak_flops=3.12e14), racks(), jobs_file(tmp_path))
    assert of_lost["mfu_mean"] == 0.0


def test_the_summary_is_written_whole_and_the_same_each_time(tmp_path):
    summary = summarize(Totals(seconds=1.0), facts(), racks(), jobs_file(tmp_path))
    first = write_summary(summary, tmp_path).read_bytes()
    assert write_summary(summary, tmp_path).read_bytes() == first
    assert json.loads(first) == summary
    assert not list(tmp_path.glob("*.part"))
