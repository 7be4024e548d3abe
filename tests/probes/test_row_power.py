"""Room in a row of inference servers."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.composed import composed
from tests.support.tapas import rows
from twin import run
from twin.errors import ConfigError, ParameterError
from twin.probes.row_power import capacity_won, peak_cut, room, row_power_w, servers_added
from twin.results.run_folder import Run


def test_a_steady_row_has_the_room_its_peak_leaves():
    assert room(np.full(100, 79.0), 100.0, 0.01) == pytest.approx(1 / 0.79 - 1)


def test_rare_peaks_leave_more_room_than_the_peak():
    power = np.where(np.arange(1000) < 10, 100.0, 80.0)
    assert room(power, 125.0, 0.0) == pytest.approx(0.25)
    assert room(power, 125.0, 0.01) == pytest.approx(125 / 80 - 1)


def test_the_row_of_the_scenario_draws_between_idle_and_nameplate():
    config = composed("scenario=polca_row", "clock.duration_days=1")
    power_w = row_power_w(config)
    assert len(power_w) == 1440
    assert 40 * 2_000 < power_w.min() < power_w.max() < 40 * 10_200
    added = servers_added(config, 0.79, 0.0)
    assert added == pytest.approx(1 / 0.79 - 1)
    assert servers_added(config, 0.79, 0.01) > added


def test_a_peak_beyond_what_is_provisioned_is_refused():
    with pytest.raises(ParameterError, match="peak_fraction"):
        servers_added({}, 1.2, 0.01)


def test_rows_peak_lower_where_instances_are_spread_over_them_and_alike_under_one_rule(tmp_path):
    config = rows(0.05)
    run.execute(config, tmp_path)
    placed = Run.open(tmp_path)
    cut = peak_cut(config, placed, "pack")
    racks_kw = placed.racks()["power_peak_kw"].reshape(4, 20)
    fullest_kw = placed.summary["row_power_peak_kw"]
    assert racks_kw.sum(axis=1).mean() <= fullest_kw <= racks_kw.sum(axis=1).max() * (1 + 1e-9)
    assert 0.1 < cut < 0.3
    assert peak_cut(config, placed, "thermal") == 0.0


@pytest.mark.slow
def test_endpoints_in_random_order_leave_less_to_even_out_than_those_asked_for_together(tmp_path):
    """Peaks of rows with all of TAPAS' mechanisms, against packed instances."""
    cuts = []
    for name, row_kw in (("llm_instances", 197), ("llm_instances_mixed", 160)):
        key = "workload.streams.endpoints.reconfigure.row_kw"
        more = [f"workload={name}", f"{key}={row_kw}", "output=data_only"]
        config = composed("scenario=tapas_rows", *more)
        run.execute(config, tmp_path / name)
        cuts.append(peak_cut(config, Run.open(tmp_path / name), "pack"))
    assert cuts == pytest.approx([0.237, 0.076], abs=0.01)


def test_as_many_servers_more_fit_as_the_cut_of_the_peak_leaves_room_for(tmp_path):
    config = rows(0.02, routing="headroom")
    run.execute(config, tmp_path)
    placed = Run.open(tmp_path)
    cut = peak_cut(config, placed, "pack")
    won = capacity_won(config, placed, "pack", 0.0)
    assert won == pytest.approx(1 / (1 - cut) - 1)
    assert capacity_won(config, placed, "pack", 0.2) > won


def test_servers_are_added_only_as_far_as_heat_and_cooling_allow(monkeypatch):
    before = {"row_power_peak_kw": 100.0}
    monkeypatch.setattr("twin.probes.row_power._before", lambda config, baseline: before)
    drawn = {"simulated_days": 1.0, "nameplate_energy_gwh": 0.012, "it_power_peak_mw": 0.4}
    beats = {"row_power_max_w": np.full(100, 50e3), "throttled_gpus": 8.0 * (np.arange(100) < 50)}
    placed = SimpleNamespace(summary=drawn, series=lambda columns: beats)
    assert capacity_won({}, placed, "pack", 0.1) == 0.0, "heat slows them half of the time"
    beats["throttled_gpus"] = 8.0 * (np.arange(100) < 5)
    assert capacity_won({}, placed, "pack", 0.1) == pytest.approx(500 / 400 - 1), "not 100 %"
    before["row_power_peak_kw"] = 55.0
    assert capacity_won({}, placed, "pack", 0.1) == pytest.approx(55 / 50 - 1)


def test_the_baseline_shares_requests_evenly(tmp_path):
    """Under the same placement, all that is left to win is routing."""
    config = rows(0.02, "scheduling.placement=pack", routing="headroom")
    run.execute(config, tmp_path)
    assert 0.005 < peak_cut(config, Run.open(tmp_path), "pack") < 0.1


def test_the_baseline_lowers_no_clocks(tmp_path):
    rule = "{row_kw: 129, near: 0.8, itl_s: 0.2, least_speed: 0.93}"
    config = rows(0.02, "scheduling.placement=pack", routing="headroom", reconfigure=rule)
    run.execute(config, tmp_path)
    assert peak_cut(config, Run.open(tmp_path), "pack") > 0.05


def test_the_peak_of_rows_needs_rows(tmp_path):
    config = rows(0.05, "rack.racks_per_row=null", "rack.row_kw=null")
    run.execute(config, tmp_path)
    with pytest.raises(ConfigError, match="racks_per_row"):
        peak_cut(config, Run.open(tmp_path), "pack")
