"""What happens when power or cooling goes: felt by jobs, closed to the watt, put right again."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.books import assert_nothing_is_lost
from tests.support.composed import composed
from tests.support.power_files import read_power
from twin import build, run
from twin.errors import ConfigError
from twin.results.recorder import Recorder
from twin.results.run_folder import Run
from twin.settings.catalogue import choices

SMALL = [
    "facility.gpus=128",
    "clock.duration_days=0.125",
    "clock.heartbeat_s=30",
    "workload=training_mix",
    "output.plots=false",
    "output.report=false",
]


def load(*changes: str | dict):
    """Return a configuration from overrides and scheduled faults."""
    words = [change for change in changes if isinstance(change, str)]
    config = composed(*SMALL, *words)
    for change in changes:
        if isinstance(change, dict):
            config["faults"]["scheduled"] |= change
    return config


def outage(unit="power.utility", at=0.5, repair=1.0, name="outage", fraction=1.0):
    keys = {"unit": unit, "at_hours": at, "repair_hours": repair, "fraction": fraction}
    return {name: keys}


NO_GENERATOR = outage("power.generator", 0.1, 2.5, "set")


def finished(tmp_path: Path, *changes: str | dict) -> Run:
    run.execute(load(*changes), tmp_path / "run")
    return Run.open(tmp_path / "run")


def times(done: Run) -> dict[tuple[str, str], float]:
    """Return when each thing happened first [h]."""
    events = done.events()
    found: dict[tuple[str, str], float] = {}
    for at_s, kind, where in zip(events["at_s"], events["kind"], events["where"], strict=True):
        found.setdefault((kind, where), at_s / 3600)
    return found


def test_generators_carry_an_outage_and_no_job_is_lost(tmp_path):
    done = finished(tmp_path, outage())
    at = times(done)
    assert at["battery", "power.ups"] == 0.5
    events = done.events()
    assert "min at this load" in events["detail"][events["kind"] == "battery"][0]
    assert at["live", "power.generator"] == pytest.approx(0.5 + 10 / 3600)
    assert at["live", "power.mechanical"] == pytest.approx(0.5 + 32 / 3600)
    assert at["cooling_off", "plant"] == 0.5
    assert done.summary["gpu_hours_lost"] == 0.0
    assert done.summary["gpu_available_fraction"] == 1.0
    assert done.summary["power_available_fraction"] == 1.0
    assert done.summary["minutes_to_throttle"] is None
    assert done.summary["unserved_energy_kwh"] > 0.0  # 32 s without motors
    assert done.summary["energy_residual_fraction"] < 1e-9


def test_a_generator_that_does_not_start_leaves_the_battery_and_a_hall_that_is_too_hot(tmp_path):
    done = finished(tmp_path, "power=n", outage(repair=2.0), NO_GENERATOR)
    at = times(done)
    assert ("live", "power.generator") not in at
    # Without cooling the room is too hot long before the battery is empty.
    assert 0.5 < at["thermal_trip", "hall"] < 0.7
    assert ("dead", "power.ups") not in at
    # Motors stop at once: the room has only its own mass.
    to_throttle, to_trip = (done.summary[f"minutes_to_{what}"] for what in ("throttle", "trip"))
    assert 1.0 < to_throttle < to_trip
    assert to_trip == pytest.approx(60.0 * (at["thermal_trip", "hall"] - 0.5))
    assert done.summary["throttled_gpu_hours"] > done.summary["capped_gpu_hours"] == 0.0
    assert done.summary["gpu_hours_lost"] > 0.0
    assert done.summary["energy_residual_fraction"] < 1e-9
    # Switches and storage go with the servers, so that the hall does not warm without end.
    series = done.series()
    hot = (series["at_s"] > 0.7 * 3600) & (series["at_s"] < 2.4 * 3600)
    assert (series["it_power_w"][hot] == 0.0).all()
    assert series["inlet_max_c"].max() < 60.0
    assert at["thermal_restart", "hall"] > 2.5
    assert series["storage_power_w"][-1] >= series["storage_power_w"][0] * 0.99


def test_a_battery_that_is_empty_before_the_hall_is_hot_leaves_the_dark(tmp_path):
    small = "power.elements.ups.battery.minutes_at_rating=0.2"
    done = finished(tmp_path, "power=n", small, outage(repair=2.0), NO_GENERATOR)
    at = times(done)
    assert ("thermal_trip", "hall") not in at
    assert at["power_off", "racks"] == at["dead", "power.ups"]
    assert at["power_on", "racks"] == pytest.approx(2.5 + 15 / 3600)  # UPS walk-in
    assert done.summary["gpu_available_fraction"] < 0.6
    dark = at["power_on", "racks"] - at["power_off", "racks"]
    assert done.summary["power_available_fraction"] == pytest.approx(1.0 - dark / 3.0)
    assert done.summary["energy_residual_fraction"] < 1e-9
    series = done.series()
    dark = (series["at_s"] > 2.0 * 3600) & (series["at_s"] < 2.3 * 3600)
    assert (series["utility_power_w"][dark] == 0.0).all()
    assert (series["facility_power_w"][dark] == 0.0).all()
    assert series["it_power_w"][-1] > 0.0


@pytest.mark.parametrize("cooling", choices("cooling"))
@pytest.mark.parametrize("movers", ["[]", "[air,water]"])
def test_every_plant_goes_through_an_outage_on_generators_that_come_late(tmp_path, cooling, movers):
    words = [f"cooling={cooling}", "power=n", f"power.movers_on_ups={movers}"]
    words += ["rack=13kw", "clock.duration_days=0.06"]
    late = outage("power.generator", 0.1, 0.5, "set")
    done = finished(tmp_path, *words, outage(repair=0.5), late)
    assert done.summary["energy_residual_fraction"] < 1e-9
    series = done.series(["at_s", "cooling_power_w"])
    [drawn_w] = series["cooling_power_w"][series["at_s"] == 0.5 * 3600]  # for five minutes
    assert drawn_w > 0.0 if movers != "[]" else drawn_w == 0.0


def test_fans_and_pumps_on_the_ups_win_minutes_and_cost_battery(tmp_path):
    """The loop's cold reaches the servers; with fans alone there is only the room's."""

    def lived(movers):
        words = ["power=n", f"power.movers_on_ups={movers}", outage(repair=2.0), NO_GENERATOR]
        done = finished(tmp_path / movers, *words)
        series = done.series(["at_s", "battery_j"])
        return done.summary, series["battery_j"][series["at_s"] < 2.4 * 3600].min()

    none, none_left_j = lived("[]")
    fans, _ = lived("[air]")
    both, both_left_j = lived("[air,water]")
    assert fans["minutes_to_throttle"] == pytest.approx(none["minutes_to_throttle"], abs=1.0)
    assert both["minutes_to_throttle"] > none["minutes_to_throttle"] + 5.0
    assert both["minutes_to_trip"] > none["minutes_to_trip"] + 5.0
    assert both_left_j < none_left_j
    assert both["energy_residual_fraction"] < 1e-9


def test_outdoor_air_cools_without_compressors_as_long_as_fans_turn(tmp_path):
    words = ["power=n", "cooling=airside_economizer", outage(repair=2.0), NO_GENERATOR]
    stopped = finished(tmp_path / "stopped", *words).summary
    turning = finished(tmp_path / "turning", "power.movers_on_ups=[air]", *words).summary
    assert stopped["minutes_to_throttle"] < 5.0
    assert turning["minutes_to_throttle"] is None


def test_movers_hang_on_all_ups_of_a_design_and_are_refused_without_any(tmp_path):
    design = build.read(load("power=two_n", "power.movers_on_ups=[air,water]"))
    build.size(design)
    graph = design.power.one_line()
    assert sorted(graph.predecessors("movers")) == ["ups_a", "ups_b"]
    assert graph.nodes["movers"]["installed_w"] > 0.0
    done = finished(tmp_path, "power=two_n", "power.movers_on_ups=[air]", outage("power.ups_a"))
    assert not {"cooling_off", "power_off"} & set(done.events()["kind"])
    for power in ("direct", "rack_battery"):
        with pytest.raises(
            ConfigError, match=r"power\.movers_on_ups=\['air'\]: must be \[\]: no UPS"
        ):
            run.check(load(f"power={power}", "power.movers_on_ups=[air]"))


def test_the_order_in_which_faults_are_listed_changes_nothing(tmp_path):
    both = outage("power.utility", 0.1, 0.1, "a") | outage("power.generator", 0.1, 0.1, "b")
    files = []
    for name, faults in (("one", both), ("other", dict(reversed(both.items())))):
        finished(tmp_path / name, "clock.duration_days=0.01", faults)
        files.append((tmp_path / name / "run" / "events.parquet").read_bytes())
    assert files[0] == files[1]


def test_a_stuck_switch_keeps_the_generator_off_the_bus(tmp_path):
    done = finished(tmp_path, outage(repair=0.5), outage("power.ats.stuck", 0.1, 2.0, "stuck"))
    at = times(done)
    assert at["live", "power.generator"] == pytest.approx(0.5 + 10 / 3600)
    assert ("transfer", "power.ats") not in at
    assert at["live", "power.lv_board"] >= 1.0


@pytest.mark.parametrize("line", ["utility_a", "utility_b"])
def test_2n_loses_one_line_without_a_flicker(tmp_path, line):
    done = finished(tmp_path, "power=two_n", outage(f"power.{line}"))
    kinds = set(done.events()["kind"])
    assert not kinds & {"power_off", "cooling_off", "thermal_trip"}
    assert done.summary["unserved_energy_kwh"] == 0.0
    assert done.summary["gpu_hours_lost"] == 0.0


@pytest.mark.parametrize("ups", ["ups_a", "ups_b"])
def test_2n_loses_all_ups_of_one_side_and_n_does_not_bear_it(tmp_path, ups):
    done = finished(tmp_path, "power=two_n", outage(f"power.{ups}", at=1.5))
    assert done.summary["gpu_hours_lost"] == 0.0
    alone = run.execute(load(outage("power.ups", at=1.5)), tmp_path / "n")
    assert alone["gpu_hours_lost"] > 0.0
    assert alone["unserved_energy_kwh"] > 0.0


def test_the_meter_pays_for_the_battery_afterwards(tmp_path):
    done = finished(tmp_path, outage(repair=0.2), NO_GENERATOR)
    series = done.series(["at_s", "battery_j", "utility_power_w", "facility_power_w"])
    battery = series["battery_j"]
    assert battery.min() < battery[0]
    assert battery[-1] > battery.min()
    charging = series["utility_power_w"] > series["facility_power_w"] * 1.001
    assert charging.any()


@pytest.mark.parametrize("unit", ["chiller", "crah", "chw_pump", "tower"])
def test_a_unit_of_the_plant_that_breaks_warms_the_room(tmp_path, unit):
    done = finished(tmp_path, outage(f"cooling.{unit}"))
    series = done.series(["inlet_max_c"])
    assert series["inlet_max_c"].max() > 25.0
    assert done.summary["energy_residual_fraction"] < 1e-9


def test_a_dead_busway_takes_its_own_racks_and_no_others(tmp_path):
    done = finished(tmp_path, "power=block_redundant", outage("power.busway_1", at=1.0))
    at = times(done)
    assert at["power_off", "racks_1"] == 1.0
    assert ("power_off", "racks_2") not in at
    # 6 of 16 servers are in the three of eight racks that hang there, for 1 h 10 min of 3 h.
    out = 1.0 - done.summary["gpu_available_fraction"]
    assert out == pytest.approx(6 / 16 * (70 / 180), rel=1e-6)
    assert done.summary["energy_residual_fraction"] < 1e-9
    assert (done.series(["gpus_allocated"])["gpus_allocated"] > 0.0).any()


def test_an_outage_late_in_a_long_run_closes_as_well(tmp_path):
    """Clocks are coarse after years: no beat may be so short that energies are lost in it."""
    config = load("power=n", outage(repair=0.5))
    design = build.read(config)
    build.size(design)
    facility = build.assemble(design, Recorder(tmp_path, 300.0))
    facility.feed.set_available("utility", 0)
    facility.follow_feed()
    for wait_s in (1e-3, 5e-3, 0.1, 7.0):
        facility.env.run(until=facility.env.now + wait_s)
        facility.catch_up()
    facility.recorder.abort()
    assert facility.totals.residual_max < 1e-9


@pytest.mark.parametrize("power", choices("power"))
def test_every_feed_goes_through_an_outage_of_all_lines(tmp_path, power):
    elements = read_power(power)["elements"]
    lines = [name for name, keys in elements.items() if keys["type"] == "utility"]
    words = [outage(f"power.{line}", 0.5, 0.3, f"o{i}") for i, line in enumerate(lines)]
    done = finished(tmp_path, f"power={power}", "clock.duration_days=0.06", *words)
    assert done.summary["energy_residual_fraction"] < 1e-9
    assert done.series(["it_power_w"])["it_power_w"][-1] > 0.0


UNITS = ["power.utility", "power.generator", "power.ups", "power.lv_board", "power.ats.stuck"]
UNITS += ["cooling.chiller", "cooling.crah", "cooling.tower", "it.node", "it.gpu"]


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(UNITS),
            st.floats(0.0, 0.6),
            st.floats(0.01, 0.5),
            st.sampled_from([0.25, 0.5, 1.0]),
        ),
        max_size=6,
        unique_by=lambda fault: fault[0],
    )
)
def test_no_sequence_of_faults_loses_a_watt_a_job_or_a_gpu(tmp_path_factory, drawn):
    words = [
        outage(unit, round(at, 4), round(repair, 4), f"f{i}", fraction)
        for i, (unit, at, repair, fraction) in enumerate(drawn)
    ]
    config = load(*words, "faults.breaker_reset_minutes=5", "clock.duration_days=0.15")
    config["power"]["elements"]["ups"]["battery"]["minutes_at_rating"] = 1.0
    design = build.read(config)
    build.size(design)
    folder = tmp_path_factory.mktemp("run")
    facility = build.assemble(design, Recorder(folder, 300.0))
    run.simulate(design, facility, lambda _: None)
    facility.recorder.close()
    # Everything has been repaired for more than an hour: it carries load again.
    assert_nothing_is_lost(facility)


def test_random_faults_leave_the_work_of_other_streams_alone(tmp_path):
    source = "{unit: it.node, mttf_hours: 4, repair_hours: 0.5, repair: exponential}"
    quiet = run.execute(load(), tmp_path / "quiet")
    broken = run.execute(load(f"+faults.random.nodes={source}"), tmp_path / "broken")
    assert broken["jobs_submitted"] == quiet["jobs_submitted"]
    assert broken["gpu_available_fraction"] < quiet["gpu_available_fraction"] == 1.0
    again = run.execute(load(f"+faults.random.nodes={source}"), tmp_path / "again")
    assert again == broken


def test_node_failures_cost_the_availability_of_the_closed_form(tmp_path):
    """A = MTTF / (MTTF + MTTR), the restart being part of the repair."""
    source = "{unit: it.node, mttf_hours: 4, repair_hours: 0.5, repair: exponential}"
    words = ["clock.duration_days=6", "clock.heartbeat_s=300", f"+faults.random.nodes={source}"]
    summary = run.execute(load(*words, "facility.restart_minutes=0"), tmp_path / "run")
    cycles = 16 * 144 / 4.5
    tolerance = 4 * (0.5 / 4.5) / cycles**0.5 * 1.5
    assert summary["gpu_available_fraction"] == pytest.approx(4 / 4.5, abs=tolerance)
    assert summary["energy_residual_fraction"] < 1e-9


@pytest.mark.parametrize("unit", ["power.upss", "cooling.fan", "network.switch", "it.rack"])
def test_a_fault_of_a_thing_that_is_not_there_is_refused(unit):
    with pytest.raises(ConfigError, match=rf"faults\.scheduled\.outage\.unit='{unit}'"):
        run.check(load(outage(unit)))


def test_replications_give_an_interval_of_the_availability(tmp_path):
    config = load("faults=node_failures", "clock.replications=3", "clock.duration_days=0.5")
    config["faults"]["random"]["servers"] |= {"mttf_hours": 20, "repair_hours": 1}
    summary = run.execute(config, tmp_path / "run")
    assert 0.0 < summary["gpu_available_fraction_ci95"] < 0.2
    assert summary["gpu_available_fraction"] == pytest.approx(20 / 21.2, abs=0.1)
