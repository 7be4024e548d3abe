"""Racks of a later phase hold nothing and draw nothing before their date."""

from datetime import datetime

import pytest

from tests.support.composed import composed
from twin.config import Phase
from twin.errors import ConfigError
from twin.facility.phases import build_out
from twin.results.run_folder import Run
from twin.run import execute

START = datetime(2023, 1, 1)


def phases(*steps):
    return [Phase(date, racks) for date, racks in steps]


def test_nothing_said_is_no_build_out():
    assert build_out([], START, 10) is None


def test_missing_racks_are_weighted_by_their_time():
    """4 of 10 for a day, then 8 for half a day, then 10: (6 + 1) / 20 of two days."""
    plan = build_out(
        phases(("2022-12-01", 4), ("2023-01-02", 8), ("2023-01-02 12:00", 10)), START, 10
    )
    assert plan.missing_fraction(2 * 86400.0) == pytest.approx((6 * 24 + 2 * 12) / (10 * 48))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("soon", 10)], r"phases\[0\].date='soon': must be site-local"),
        ([("2023-01-02", 10)], "must not be after clock.start"),
        ([("2023-01-01", 4), ("2023-01-01", 10)], r"phases\[1\].date=.*after the one before"),
        ([("2023-01-01", 4), ("2023-01-02", 4)], r"phases\[1\].racks=4: must be > 4"),
        ([("2023-01-01", 4), ("2023-01-02", 9)], r"phases\[1\].racks=9: must be 10"),
    ],
)
def test_a_wrong_phase_is_refused_by_its_number(steps, message):
    with pytest.raises(ConfigError, match=message):
        build_out(phases(*steps), START, 10)


def test_power_and_jobs_come_with_the_racks(tmp_path):
    """Half the racks for half a day: half the idle power, and a job of three quarters waits."""
    two, four = "{date: '2023-01-01', racks: 2}", "{date: '2023-01-01 12:00', racks: 4}"
    config = composed(
        "facility.gpus=64",
        "workload=steady",
        "workload.gpu_mix=[[48, 1]]",
        f"facility.phases=[{two}, {four}]",
        "clock.start='2023-01-01 00:00'",
        "clock.duration_days=1",
        "storage.node_idle_w=0",
        "output=data_only",
    )
    summary = execute(config, tmp_path)
    run = Run.open(tmp_path)
    server_w = run.series(["server_power_w"])["server_power_w"]
    network_w = run.series(["network_power_w"])["network_power_w"]
    half = len(server_w) // 2
    idle_w = server_w[0]
    assert server_w[:half] == pytest.approx(idle_w)
    assert network_w[0] == pytest.approx(0.5 * network_w[-1])
    jobs = run.jobs()
    assert jobs["started_at_s"][0] == 43200.0
    assert summary["rack_occupancy_fraction"] == pytest.approx(0.75)
    assert summary["gpu_allocated_fraction"] == pytest.approx(24 / 48, rel=1e-3)
    assert summary["gpu_available_fraction"] == pytest.approx(1.0)
    assert summary["nameplate_energy_gwh"] * 1e6 > summary["it_energy_kwh"]
    assert summary["energy_residual_fraction"] < 1e-9
    power_kw = run.racks()["power_mean_kw"]
    assert power_kw[-1] < power_kw[0]
    events = run.events()
    assert events["detail"][list(events["kind"]).index("racks_added")] == "2 racks more, 4 stand"
