"""Generators burn what they have, stop when it is gone, and go on when a tanker has come."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ConfigError, ParameterError
from twin.power.fuel import Tank, fuel_fraction


def tank(**keys):
    made = Tank(
        **{"hours_at_rating": 12.0, "no_load_fraction": 0.1, "delivery_hours": None, **keys}
    )
    made.size(4e6)
    return made


def test_a_full_tank_lasts_its_hours_at_the_rating_and_longer_below():
    full = tank()
    assert full.lasts_s(4e6, 4e6) == pytest.approx(12 * 3600)
    assert full.lasts_s(2e6, 4e6) == pytest.approx(12 * 3600 / 0.55)
    # A spare set that turns along costs what it burns without load.
    assert full.lasts_s(4e6, 6e6) == pytest.approx(12 * 3600 / (1.0 + 0.1 * 0.5))
    assert full.lasts_s(0.0, 0.0) == math.inf


@given(st.lists(st.tuples(st.floats(0.0, 4e6), st.floats(1.0, 7200.0)), max_size=20))
def test_what_is_burnt_does_not_depend_on_the_step(loads):
    one, other = tank(), tank()
    for load_w, dt_s in loads:
        one.pass_time(load_w, 4e6, dt_s)
        for _ in range(4):
            other.pass_time(load_w, 4e6, dt_s / 4)
    assert one.level == pytest.approx(other.level, abs=1e-9)
    assert 0.0 <= one.level <= 1.0


def test_litres_and_what_they_emit_follow_from_the_load():
    sets = tank(litres_per_kwh=0.25, carbon_kg_per_litre=2.7, delivery_hours=1.0)
    assert (sets.litres(), sets.carbon_kg()) == (0.0, 0.0)
    sets.pass_time(4e6, 4e6, 3600.0)
    assert sets.litres() == pytest.approx(4000.0 * 0.25)
    assert sets.level == 1.0  # a tanker has come; what was burnt stays burnt
    sets.pass_time(1e6, 4e6, 3600.0)
    assert sets.litres() == pytest.approx(4000.0 * 0.25 * (1.0 + 0.1 + 0.9 / 4.0))
    assert sets.carbon_kg() == pytest.approx(2.7 * sets.litres())
    sets.pass_time(4e6, 4e6, 1e9)  # no more than is there
    assert sets.litres() <= 4000.0 * 0.25 * (1.325 + 12.0)
    assert (tank().litres(), tank().carbon_kg()) == (None, None)


def test_a_load_below_nothing_is_refused():
    with pytest.raises(ParameterError, match="load_fraction"):
        fuel_fraction(-0.1, 0.1)


def test_only_a_generator_has_a_tank(ready):
    with pytest.raises(ConfigError, match=r"elements\.ups\.fuel=given: must be left out for a ups"):
        ready(
            "n", ups={"fuel": {"hours_at_rating": 1, "no_load_fraction": 0.1, "delivery_hours": 1}}
        )


FUEL = {"hours_at_rating": 2.0, "no_load_fraction": 0.1, "delivery_hours": None}
SURE = {"start_s": 10, "failure_fraction": 0.0}


def test_a_long_outage_ends_the_fuel_then_the_battery_then_the_light(ready, drive):
    feed = ready("n", generator={"fuel": FUEL, "start": SURE})
    run = drive(feed).run(60).set("utility", 0).run(12 * 3600)
    [dry_s] = run.when("fuel_out", "generator")
    level = feed.one_line().nodes["generator"]
    assert level["fuel"] == 0.0
    x = 1.3e6 / (level["installed_w"])  # about: what it carried over all sets, the spare included
    needed = (level["installed"] - 1) / level["installed"]
    assert dry_s == pytest.approx(2 * 3600 * needed / fuel_fraction(x, 0.1), rel=0.05)
    assert run.when("dead", "generator") == [dry_s]
    [dark_s] = run.when("dead", "ups")
    assert dark_s > dry_s + 600
    assert run.residual_j < 1e-9
    run.set("utility", 1).run(600)
    assert feed.fed_fraction("it") == feed.fed_fraction("mechanical") == 1.0


def test_a_tanker_brings_the_generators_back(ready, drive):
    feed = ready("n", generator={"fuel": {**FUEL, "delivery_hours": 6.0}, "start": SURE})
    run = drive(feed).run(60).set("utility", 0).run(8 * 3600)
    [dry_s] = run.when("fuel_out", "generator")
    [full_s] = run.when("fuel_in", "generator")
    assert full_s == pytest.approx(60 + 10 + 6 * 3600, abs=1.0)
    assert full_s > dry_s
    assert run.when("live", "generator") == [70.0, pytest.approx(full_s + 10)]
    assert feed.fed_fraction("it") == 1.0


def test_tankers_that_come_in_time_keep_it_running(ready, drive):
    feed = ready("n", generator={"fuel": {**FUEL, "delivery_hours": 1.0}, "start": SURE})
    run = drive(feed, beat_s=300.0).run(60).set("utility", 0).run(24 * 3600)
    assert run.when("fuel_out", "generator") == []
    assert feed.one_line().nodes["generator"]["fuel"] > 0.4


def test_a_short_outage_leaves_the_tank_to_be_filled_up(ready, drive):
    feed = ready("n", generator={"start": SURE})
    run = drive(feed).run(60).set("utility", 0).run(1800).set("utility", 1).run(600)
    used = feed.one_line().nodes["generator"]["fuel"]
    assert 0.9 < used < 1.0
    run.run(8 * 3600)
    assert feed.one_line().nodes["generator"]["fuel"] == 1.0
