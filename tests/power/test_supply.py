"""Outages, starts, transfers and trips, followed second by second."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twin.errors import ParameterError, RunError
from twin.power.base import FeedDesign
from twin.power.battery import backup_s
from twin.power.diagram import Element

SURE = {"generator": {"start": {"start_s": 10, "failure_fraction": 0}}}
DUD = {"generator": {"start": {"start_s": 10, "failure_fraction": 1}}}


def test_an_outage_with_generators_costs_no_rack_anything(ready, drive):
    feed = ready("n_plus_1", **SURE)
    run = drive(feed).run(60).set("utility", 0).run(600)
    assert run.when("battery", "ups") == [60.0]
    assert run.when("live", "generator") == [70.0]
    assert run.when("live", "ats") == [72.0]
    assert run.when("live", "ups") == [87.0]  # walk-in of 15 s
    assert run.when("live", "mechanical") == [92.0]  # reconnected 20 s after the board
    assert run.when("live", "auxiliary") == [102.0]
    assert run.unserved_j == 0.0
    assert run.residual_j < 1e-9

    run.set("utility", 1).run(3600)
    assert run.when("transfer", "ats") == [70.0, 660.0 + 300.0]
    assert run.when("standby", "generator") == [960.0]
    assert run.unserved_j == 0.0
    assert run.residual_j < 1e-9
    assert feed.one_line().nodes["ups"]["battery_w"] == 0.0  # full again
    states = {name: node["state"] for name, node in feed.one_line().nodes(data=True)}
    assert states.pop("generator") == "standby"
    assert set(states.values()) == {"live"}


def test_the_generators_carry_what_the_utility_carried(ready, drive):
    feed = ready("n_plus_1", **SURE)
    run = drive(feed).run(60)
    before_w = feed.one_line().nodes["utility"]["load_w"]
    run.set("utility", 0).run(1200)
    state = (feed.serve_it(0.9e6, 60.0), feed.serve_all(0.3e6, 0.02e6, 60.0))[1]
    assert state.utility_w == 0.0
    # Transformers are dead behind the open switch, so their loss is saved; the battery recharges.
    assert before_w * 0.9 < state.generator_w < before_w * 1.2


def test_without_a_generator_racks_die_when_the_battery_is_empty(ready, drive):
    feed = ready("n_plus_1", **DUD)
    run = drive(feed).run(60)
    node = feed.one_line().nodes["ups"]
    lasts_s = backup_s(node["load_w"] + node["loss_w"], node["rated_w"], 600.0, 1.2)
    run.set("utility", 0).run(7200)
    assert run.when("failed", "generator") == [70.0]
    assert run.when("dead", "racks") == [pytest.approx(60.0 + lasts_s, abs=1e-2)]
    assert run.unserved_j == pytest.approx(0.9e6 * (7200 - lasts_s), rel=1e-6)
    assert run.residual_j < 1e-9
    assert feed.it_limit_w(steady=False) == 0.0

    run.set("utility", 1).run(36_000)
    assert run.when("live", "racks")[-1] == 7260.0 + 15.0
    assert feed.one_line().nodes["ups"]["battery_w"] == 0.0  # full again
    assert run.residual_j < 1e-9


def test_what_hangs_on_no_ups_loses_voltage_at_once(ready, drive):
    feed = ready("n", **SURE)
    run = drive(feed).run(60).set("utility", 0)
    assert feed.fed_fraction("mechanical") == 0.0
    assert feed.fed_fraction("it") == 1.0
    run.run(5)
    run.set("utility", 1)  # a dip shorter than the start of the generators
    assert feed.fed_fraction("mechanical") == 0.0
    run.run(60)
    assert run.when("live", "mechanical") == [65.0 + 20.0]
    assert run.when("live", "generator") == []
    assert run.when("live", "ups") == [65.0 + 15.0]


def test_two_lines_carry_all_when_one_is_lost(ready, drive):
    feed = ready("two_n", **SURE)
    run = drive(feed).run(60).set("ups_a", 0).run(60)
    assert feed.fed_fraction("it") == 1.0
    graph = feed.one_line()
    assert graph.nodes["busway_a"]["load_w"] == 0.0
    assert graph.nodes["busway_b"]["load_w"] == pytest.approx(0.9e6)
    run.set("ups_a", feed.units("ups_a")[1]).run(60)
    assert feed.one_line().nodes["busway_a"]["load_w"] == pytest.approx(0.45e6)
    assert run.residual_j < 1e-9


def test_a_path_of_two_n_carries_the_design_load_alone(ready, drive):
    for lost in ("utility_a", "transformer_a", "ats_a", "lv_board_a", "ups_a", "busway_a"):
        feed = ready("two_n", **DUD)
        run = drive(feed, 1.9e6, 0.7e6, 0.02e6).run(60).set(lost, 0).run(4 * 3600)
        assert feed.fed_fraction("it") == 1.0, lost
        assert run.when("trip", "lv_board_b") == []
        assert [w for w in feed.warnings if "utility" not in w] == [], lost


def test_a_catcher_survives_the_loss_of_any_system(ready, drive):
    for lost in "abc":
        feed = ready("catcher", **SURE)
        run = drive(feed, 1.9e6, 0.7e6, 0.02e6).run(60).set(f"ups_{lost}", 0).run(3600)
        assert feed.fed_fraction("it") == 1.0
        left = [feed.one_line().nodes[f"ups_{s}"]["x"] for s in "abc" if s != lost]
        assert left == pytest.approx([0.9, 0.9], abs=0.01)
        assert feed.warnings == []
        assert run.residual_j < 1e-9


def test_a_reserve_block_idles_then_takes_over(ready, drive):
    feed = ready("block_redundant", **SURE)
    run = drive(feed, 1.9e6, 0.7e6, 0.02e6).run(60)
    reserve = feed.one_line().nodes["ups_reserve"]
    assert reserve["load_w"] == 0.0
    assert reserve["loss_w"] == pytest.approx(0.0079 * reserve["rated_w"])
    run.set("ups_2", 0).run(60)
    reserve = feed.one_line().nodes["ups_reserve"]
    assert feed.fed_fraction("it") == 1.0
    assert reserve["x"] == pytest.approx(0.9, abs=0.01)
    assert feed.warnings == []
    run.set("ups_2", feed.units("ups_2")[1]).run(120)
    assert feed.one_line().nodes["ups_reserve"]["load_w"] == 0.0
    assert run.residual_j < 1e-9


def test_two_failed_blocks_overload_the_reserve_and_it_is_said(ready, drive):
    feed = ready("block_redundant", **SURE)
    drive(feed, 1.9e6, 0.7e6, 0.02e6).run(60).set("ups_1", 0).set("ups_2", 0).run(60)
    assert any("ups_reserve carried" in warning for warning in feed.warnings)


def test_a_stuck_switch_leaves_the_board_dark(ready, drive):
    feed = ready("n", **SURE)
    feed.set_stuck("ats", True)
    run = drive(feed).run(60).set("utility", 0).run(60)
    assert run.when("live", "generator") == [70.0]
    assert run.when("transfer", "ats") == []
    feed.set_stuck("ats", False)
    run.note()
    run.run(60)
    assert run.when("transfer", "ats") == [120.0]
    assert run.when("live", "ats") == [122.0]


def test_a_static_switch_turns_without_a_break(ready):
    feed = ready("block_redundant", **SURE)
    feed.set_available("ups_1", 0)
    kinds = {(change.kind, change.where) for change in feed.take_changes()}
    assert ("transfer", "sts_1") in kinds
    assert not [change for change in kinds if change[1] in ("racks_1", "busway_1")]


def test_a_single_cord_group_dies_alone(ready):
    feed = ready("block_redundant", **SURE)
    feed.set_available("busway_2", 0)
    assert feed.fed_fraction("it") == pytest.approx(2 / 3)
    assert [(name, alive) for name, _, alive in feed.rack_groups()] == [
        ("racks_1", True),
        ("racks_2", False),
        ("racks_3", True),
    ]


def test_an_overloaded_board_trips_after_its_curve_and_can_be_closed(ready, drive):
    feed = ready("direct")
    rated_w = feed.one_line().nodes["busway"]["rated_w"]
    run = drive(feed, it_w=1.3 * rated_w, mechanical_w=0.0, aux_w=0.0).run(300)
    assert run.when("trip", "busway") == [pytest.approx(80.0 / (1.3**2 - 1.0), abs=60.01)]
    assert feed.fed_fraction("it") == 0.0
    run.it_w = 1e6
    run.set("busway", 1).run(60)
    assert feed.fed_fraction("it") == 1.0
    assert run.residual_j < 1e-9


def test_a_trip_is_exact_once_the_overload_is_known(ready, drive):
    feed = ready("direct")
    rated_w = feed.one_line().nodes["busway"]["rated_w"]
    run = drive(feed, it_w=1.3 * rated_w, mechanical_w=0.0, aux_w=0.0, beat_s=1.0)
    run.run(1)
    run.beat_s = 1e4
    run.run(300)
    assert run.when("trip", "busway") == [pytest.approx(80.0 / (1.3**2 - 1.0), abs=1e-3)]


def test_a_ups_walks_in_step_by_step_while_its_battery_gives_the_rest(ready, drive):
    feed = ready("n_plus_1", **SURE)
    run = drive(feed, mechanical_w=0.0, aux_w=0.0).run(600).set("utility", 0)
    seen = []
    for for_s in (13.0, 3.75, 3.75, 3.75):  # a second after start and transfer, and each step
        run.run(for_s)
        diagram = feed.one_line()
        taken_w, ups = diagram.edges["lv_board", "ups"]["load_w"], diagram.nodes["ups"]
        assert ups["load_w"] + ups["loss_w"] + ups["battery_w"] == pytest.approx(taken_w, abs=1.0)
        seen.append(taken_w / (ups["load_w"] + ups["loss_w"]))
    assert seen == pytest.approx([0.0, 0.25, 0.5, 0.75], abs=1e-6)
    run.run(60)
    assert run.when("live", "ups") == [pytest.approx(627.0, abs=1e-3)]
    assert len(run.when("walk_in", "ups")) == 3
    assert run.residual_j < 1e-9


def test_a_battery_that_dies_in_a_walk_in_leaves_its_load_dark_for_the_rest_of_it(ready, drive):
    feed = ready("n_plus_1", **DUD, ups={"delay_s": 400, "walk_in_steps": 2})
    run = drive(feed, it_w=1.9e6, mechanical_w=0.0, aux_w=0.0).run(60).set("utility", 0)
    run.run(feed.battery_lasts_s("ups") - 10.0)
    back_s = run.at_s
    run.set("utility", 1).run(500)
    assert run.when("waiting", "ups") == [pytest.approx(back_s + 10.0, abs=1e-3)]
    assert run.when("live", "ups") == [pytest.approx(back_s + 400.0, abs=1e-3)]


def test_steps_are_for_what_has_a_battery():
    nothing = (0.0, 0.0, 0.0)
    with pytest.raises(ParameterError, match="walk_in_steps=4: must be 1 without a battery"):
        Element(type="pdu", heat_to="hall", loss=nothing, fed_by="utility", walk_in_steps=4)


@pytest.mark.parametrize("beat_s", [10.0, 300.0, 900.0])
def test_load_that_moves_to_another_path_trips_it_on_time_however_long_a_beat_is(
    ready, drive, beat_s
):
    feed = ready("block_redundant")
    run = drive(feed, 1.7e6, 0.4e6, 0.02e6, beat_s).run(600).set("ups_1", 0).run(300)
    run.set("ups_2", 0).run(900)
    reserve = feed.one_line().nodes["ups_reserve"]
    x = reserve["peak_w"] / reserve["installed_w"]
    assert reserve["peak_w"] == pytest.approx(2.0 / 3.0 * 1.7e6, rel=0.02)
    curve_s = 75.0 / (x * x - 1.0)
    assert run.when("bypass", "ups_reserve") == [pytest.approx(900.0 + curve_s, abs=1e-3)]


def test_how_long_a_battery_lasts_is_said_at_the_load_it_gets(ready, drive):
    feed = ready("hvdc", **DUD)
    run = drive(feed).run(600).set("utility", 0)  # the cord on the mains is lost with it
    lasts_s = feed.battery_lasts_s("rectifier")
    assert feed.until_change_s() <= lasts_s
    run.run(2.0 * lasts_s)
    assert run.when("dead", "rectifier") == [pytest.approx(600.0 + lasts_s, abs=1e-3)]


@pytest.mark.parametrize("name", ["n", "n_plus_1", "two_n", "catcher", "block_redundant", "hvdc"])
def test_headroom_ends_where_the_first_element_is_at_its_limit(ready, name):
    feed = ready(name)
    for steady in (True, False):
        feed.serve_it(0.5e6, 60.0)
        feed.serve_all(0.7e6, 0.02e6, 60.0)
        limit_w = feed.it_limit_w(steady=steady)
        assert feed.headroom_w(steady=steady) == limit_w - 0.5e6
        feed.serve_it(limit_w, 60.0)
        feed.serve_all(0.7e6, 0.02e6, 60.0)
        assert feed.warnings == []
        assert feed.headroom_w(steady=steady) == pytest.approx(0.0, abs=1.0)


def test_headroom_shrinks_with_units_lost(ready):
    feed = ready("n", FeedDesign(it_w=4e6, mechanical_w=1e6, aux_w=0.0))
    feed.serve_it(1e6, 60.0)
    feed.serve_all(1e6, 0.0, 60.0)
    units = feed.units("ups")[0]
    limits_w = []
    for left in range(units, 0, -1):
        feed.set_available("ups", left)
        limits_w.append(feed.it_limit_w(steady=False))
    assert limits_w == sorted(limits_w, reverse=True)
    assert limits_w[-1] == pytest.approx(4e6 / 0.9 / units, rel=0.02)


def test_sets_that_do_not_start_are_missing_from_the_rating(ready, drive):
    feed = ready(
        "n", generator={"start": {"start_s": 10, "failure_fraction": 0.5}, "spare_units": 6}
    )
    run = drive(feed).run(60).set("utility", 0).run(60)
    node = feed.one_line().nodes["generator"]
    failed = [c for c in run.log if c[1] == "start_failure"]
    assert len(failed) == 1
    assert 0.0 < node["rated_w"] < 8 * 2e6


def test_too_few_sets_trip_unless_load_is_shed(ready, drive):
    def outage(shed):
        feed = ready("n", **{"generator": {**SURE["generator"], "unit_max_kw": 500}})
        feed.set_available("generator", 3)  # of seven or so
        run = drive(feed, 1.5e6, 0.6e6, 0.02e6, beat_s=5.0).run(60).set("utility", 0).run(20)
        for _ in range(600):
            if shed:
                run.it_w += min(0.0, feed.headroom_w(steady=False))
            run.run(5)
        assert run.residual_j < 1e-9
        return feed, run

    feed, run = outage(shed=False)
    assert run.when("trip", "generator") != []
    assert feed.fed_fraction("it") == 0.0
    feed, run = outage(shed=True)
    assert run.when("trip", "generator") == []
    assert feed.fed_fraction("it") == 1.0
    assert 0.0 < run.it_w < 0.5e6


def test_a_set_fails_when_its_die_is_below_the_failure_fraction(ready, drive):
    feed = ready("n", generator={"unit_max_kw": 1000})
    sets = feed.units("generator")[1]
    feed._supply.draw_die = lambda n: [0.0074, *[0.0076] * (n - 1)]
    run = drive(feed).run(60).set("utility", 0).run(60)
    node = feed.one_line().nodes["generator"]
    assert node["rated_w"] == pytest.approx((sets - 1) * feed._unit_w[feed._index["generator"]])
    assert run.when("start_failure", "generator") == [70.0]


def test_dice_are_needed_only_where_there_is_chance(ready):
    feed = ready("n")
    feed._supply.draw_die = None
    feed.set_available("utility", 0)
    feed.serve_it(1e6, 5.0)
    feed.serve_all(0.0, 0.0, 5.0)
    with pytest.raises(RunError, match="seed"):
        feed.serve_it(1e6, 5.0)
        feed.serve_all(0.0, 0.0, 5.0)


def test_what_cannot_stick_is_refused(ready):
    with pytest.raises(ParameterError, match=r"ups\.draw=equal"):
        ready("n").set_stuck("ups", True)


ELEMENTS = ["utility", "generator", "transformer", "ats", "lv_board", "ups", "busway", "mechanical"]
DUAL = ["utility_a", "utility_b", "generator", "ats_a", "ats_b", "ups_a", "ups_b", "lv_board_a"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["n", "n_plus_1", "two_n"]),
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 3), st.floats(0.5, 900.0)),
        max_size=12,
    ),
    st.floats(7.0, 90.0),
)
def test_faults_in_any_order_lose_no_watt_and_all_comes_back(ready, drive, name, faults, beat_s):
    feed = ready(name)
    names = DUAL if name == "two_n" else ELEMENTS
    run = drive(feed, beat_s=beat_s).run(30)
    for which, units, for_s in faults:
        run.set(names[which], min(units, feed.units(names[which])[1])).run(for_s)
    for element in names:
        run.set(element, feed.units(element)[1])
    run.beat_s = 900.0
    run.run(24 * 3600)
    assert run.residual_j < 1e-9
    assert [feed.fed_fraction(load) for load in ("it", "mechanical", "aux")] == [1.0, 1.0, 1.0]
    assert feed.until_change_s() == float("inf")
    for _, node in feed.one_line().nodes(data=True):
        assert node["state"] == ("standby" if node["kind"] == "generator" else "live")
        assert node["battery_w"] == 0.0


def test_an_overloaded_ups_turns_to_bypass_and_stands_bare_until_mended(ready, drive):
    feed = ready("n", FeedDesign(it_w=1.9e6, mechanical_w=7e5, aux_w=2e4), **SURE)
    run = drive(feed, it_w=1.8e6).run(60)
    units = feed.units("ups")[1]
    run.set("ups", units - 1).run(3600)
    assert run.when("bypass", "ups") != []
    assert feed.fed_fraction("it") == 1.0
    node = feed.one_line().nodes["ups"]
    assert node["bypassed"]
    assert node["loss_w"] < 0.005 * node["load_w"]
    run.set("utility", 0)
    assert feed.fed_fraction("it") == 0.0
    run.run(3600).set("utility", 1).set("ups", units).run(3600)
    assert not feed.one_line().nodes["ups"]["bypassed"]
    assert run.residual_j < 1e-9


def test_a_bypass_needs_to_know_when(ready):
    with pytest.raises(ParameterError, match="breaker"):
        Element(type="ups", heat_to="hall", loss=(0, 0, 0), fed_by="a", bypass=(0.0, 0.0, 0.003))
