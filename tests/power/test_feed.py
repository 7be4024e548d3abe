"""Every watt of a feed is somewhere: at each node, in each beat, for any diagram."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.power_files import read_power
from twin.config import parse
from twin.errors import ConfigError, ParameterError
from twin.power.base import FeedDesign
from twin.power.elements import efficiency, loss_w
from twin.power.feed import Feed

CONF = Path(__file__).parents[2] / "conf" / "power"
DESIGN = FeedDesign(it_w=1.9e6, mechanical_w=0.7e6, aux_w=0.02e6)
BEAT_S = 60.0


def ready(name, design=DESIGN, **bess):
    """Return the feed of a file in conf/power, sized."""
    data = read_power(name)
    if bess:
        data["bess"] |= bess
    feed = parse(Feed, data, "power")
    feed.size(design)
    return feed


def serve(feed, it_w, mechanical_w=0.0, aux_w=0.0, dt_s=BEAT_S):
    """Return (heat released into cooled space, state) of one beat."""
    return feed.serve_it(it_w, dt_s), feed.serve_all(mechanical_w, aux_w, dt_s)


def assert_nodes_balance(feed):
    """Each element's output is what flows along the edges below it, and nothing is lost."""
    graph = feed.one_line()
    for name, node in graph.nodes(data=True):
        entering = sum(e["load_w"] for *_, e in graph.in_edges(name, data=True))
        leaving = sum(e["load_w"] for *_, e in graph.out_edges(name, data=True))
        if graph.out_degree(name):
            assert node["load_w"] == pytest.approx(leaving, rel=1e-9, abs=1e-6)
        if graph.in_degree(name):
            taken_w = node["load_w"] + node["loss_w"] + node["battery_w"]
            assert taken_w == pytest.approx(entering, rel=1e-9, abs=1e-6)


@st.composite
def diagrams(draw):
    """Random diagrams: every element hangs on one or two of those drawn before it."""
    numbers = st.floats(0.0, 0.05)
    places = st.sampled_from(["hall", "electrical_room", "outdoor"])
    names = ["utility"]
    elements = {"utility": {"type": "utility", "heat_to": "outdoor", "loss": [0, 0, 0]}}

    def hang(name, kind, **keys):
        above = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        elements[name] = {
            "type": kind,
            "fed_by": above,
            "draw": draw(st.sampled_from(["equal", "first"])),
            "heat_to": draw(places),
            "loss": [draw(numbers), draw(numbers), draw(numbers)],
            "spare_units": draw(st.integers(0, 2)),
            **keys,
        }

    for i in range(draw(st.integers(0, 6))):
        hang(f"box{i}", "ups")
        names.append(f"box{i}")
    groups = draw(st.integers(1, 3))
    for i in range(groups):
        hang(f"racks{i}", "racks", share=1.0 / groups)
    hang("mechanical", "mechanical")
    hang("auxiliary", "auxiliary")
    used = {feeder for e in elements.values() for feeder in e.get("fed_by", [])}
    for name in [n for n in names if n not in used]:  # a dead end: hang a rack group on it
        elements["racks0"]["fed_by"] = [*elements["racks0"]["fed_by"], name]
    return elements


@settings(max_examples=80)
@given(
    diagrams(),
    st.lists(st.tuples(*[st.floats(0.0, 5e6)] * 3, st.floats(1.0, 600.0)), min_size=1, max_size=4),
)
def test_no_watt_is_lost_in_any_diagram(elements, beats):
    feed = parse(Feed, {"elements": elements}, "power")
    feed.size(DESIGN)
    for it_w, mechanical_w, aux_w, dt_s in beats:
        before_j = feed.it_loss_j()
        heat_w, state = serve(feed, it_w, mechanical_w, aux_w, dt_s)
        it_loss_j = feed.it_loss_j() - before_j
        served_w = it_w + mechanical_w + aux_w
        assert state.utility_w == pytest.approx(served_w + state.loss_w, rel=1e-9, abs=1e-6)
        where_w = heat_w + state.ambient_heat_w + state.stored_j / dt_s
        assert state.loss_w == pytest.approx(where_w, rel=1e-9, abs=1e-3)
        assert -1e-3 <= it_loss_j <= state.loss_w * dt_s * (1 + 1e-9) + 1e-3
        assert_nodes_balance(feed)


@settings(max_examples=40)
@given(diagrams(), *[st.floats(0.0, 3e6)] * 2)
def test_more_load_never_lowers_the_loss(elements, one_w, other_w):
    feed = parse(Feed, {"elements": elements}, "power")
    feed.size(DESIGN)
    low_w, high_w = sorted((one_w, other_w))
    low = serve(feed, low_w, 1e5, 1e4)[1]
    high = serve(feed, high_w, 1e5, 1e4)[1]
    assert low.loss_w <= high.loss_w * (1 + 1e-12)


def test_each_element_loses_what_its_equation_says():
    feed = ready("n_plus_1")
    serve(feed, 0.9e6, 0.3e6, 0.02e6)
    for name, node in feed.one_line().nodes(data=True):
        if node["kind"] == "generator":
            assert node["loss_w"] == 0.0
            continue
        expected_w = loss_w(node["load_w"], node["rated_w"], tuple(feed.elements[name].loss))
        assert node["loss_w"] == pytest.approx(expected_w, rel=1e-12)


def test_a_chain_multiplies_efficiencies():
    feed = ready("n")
    serve(feed, 0.95e6)
    graph = feed.one_line()
    chain = ["busway", "ups"]
    expected = math.prod(efficiency(graph.nodes[n]["x"], feed.elements[n].loss) for n in chain)
    assert 0.95e6 / graph.edges["lv_board", "ups"]["load_w"] == pytest.approx(expected, rel=1e-12)


def test_a_spare_unit_idles_at_a_price_when_lightly_loaded():
    light = {name: serve(ready(name), 0.2e6)[1].loss_w for name in ("n", "n_plus_1")}
    assert light["n_plus_1"] > light["n"]


def test_heat_known_too_late_is_taken_to_be_that_of_the_last_beat():
    """The first beat's is made up for in the second; from then on cooling is given every watt."""
    feed = ready("n_plus_1")
    (first_w, first), (second_w, second), (third_w, third) = (
        serve(feed, 1e6, 3e5, 2e4, 60.0) for _ in range(3)
    )
    late_w = first.stored_j / 60.0
    assert late_w > 0.0
    assert second_w - first_w == pytest.approx(2.0 * late_w)
    assert second.stored_j == pytest.approx(-first.stored_j)
    assert third_w == pytest.approx(third.loss_w)  # nothing stands outdoors here
    assert third.stored_j == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.floats(0.1, 900.0), min_size=1, max_size=12))
def test_how_beats_are_cut_does_not_change_the_heat_that_cooling_is_given(cuts_s):
    feed, lengths_s = ready("n_plus_1"), [60.0, 60.0, *cuts_s]
    beats = [serve(feed, 1e6, 3e5, 2e4, dt_s) for dt_s in lengths_s]
    for heat_w, state in beats[2:]:
        assert heat_w == pytest.approx(state.loss_w, rel=1e-9)
    lost_j = sum(state.loss_w * dt_s for (_, state), dt_s in zip(beats, lengths_s, strict=True))
    heat_j = sum(heat_w * dt_s for (heat_w, _), dt_s in zip(beats, lengths_s, strict=True))
    held_j = sum(state.stored_j for _, state in beats)
    assert heat_j + held_j == pytest.approx(lost_j, rel=1e-12)


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.1, 900.0)), min_size=1, max_size=20))
def test_whatever_was_given_wrongly_is_made_up_for_and_heat_is_never_taken_back(loads):
    feed = ready("n_plus_1")
    beats = [(*serve(feed, it_w, 0.3 * it_w, 2e4, dt_s), dt_s) for it_w, dt_s in loads]
    beats += [(*serve(feed, 1e6, 3e5, 2e4, 60.0), 60.0) for _ in range(3)]
    assert all(heat_w >= 0.0 for heat_w, _, _ in beats)
    lost_j = sum(state.loss_w * dt_s for _, state, dt_s in beats)
    heat_j = sum(heat_w * dt_s for heat_w, _, dt_s in beats)
    held_j = sum(state.stored_j for _, state, _ in beats)
    assert heat_j + held_j == pytest.approx(lost_j, rel=1e-9)


def test_losses_owed_to_it_are_all_losses_where_nothing_else_draws():
    feed = ready("n_plus_1")
    _, state = serve(feed, 1e6)
    alone_w = feed.it_loss_j() / BEAT_S
    assert alone_w == pytest.approx(state.loss_w, rel=1e-12)
    _, shared = serve(feed, 1e6, 1e6)
    shared_w = feed.it_loss_j() / BEAT_S - alone_w
    assert 0.9 * alone_w < shared_w < 0.75 * shared.loss_w


def test_units_taken_out_leave_their_load_to_the_others():
    feed = ready("n_plus_1")
    serve(feed, 1e6)
    before = feed.one_line().nodes["ups"]
    feed.set_available("ups", before["installed"] - 1)
    serve(feed, 1e6)
    after = feed.one_line().nodes["ups"]
    assert after["load_w"] == before["load_w"]
    assert after["x"] == pytest.approx(
        before["x"] * before["installed"] / (before["installed"] - 1)
    )
    feed.set_available("ups", before["installed"])
    serve(feed, 1e6)
    assert feed.one_line().nodes["ups"] == before


def test_what_no_live_path_reaches_is_not_drawn_and_is_said():
    feed = ready("n_plus_1")
    feed.set_available("ups", 0)
    _, state = serve(feed, 1e6, 2e5, 1e4)
    assert state.unserved_w == 1e6
    assert state.utility_w == pytest.approx(2.1e5 + state.loss_w)


@pytest.mark.parametrize(("element", "units"), [("usp", 1), ("ups", 99), ("ups", -1)])
def test_units_that_do_not_exist_are_refused(element, units):
    with pytest.raises(ParameterError, match=r"usp|ups\.units"):
        ready("n").set_available(element, units)


def test_overload_is_told_once_and_the_peak_is_kept():
    feed = ready("n")
    serve(feed, 2.0e6)
    serve(feed, 2.1e6)
    serve(feed, 1e6)
    node = feed.one_line().nodes["racks"]
    told = [w for w in feed.warnings if "racks" in w]
    assert told == ["power: racks carried 2000.0 kW, above its rating of 1900.0 kW"]
    assert (node["load_w"], node["peak_w"]) == (1e6, 2.1e6)


def test_a_load_a_hair_above_its_rating_is_told_from_it():
    feed = ready("n")
    serve(feed, 1.9e6 + 20.0)
    assert "power: racks carried 1900.02 kW, above its rating of 1900.0 kW" in feed.warnings


def test_nothing_is_overloaded_at_the_design_load():
    for path in CONF.glob("*.yaml"):
        feed = ready(path.stem)
        serve(feed, DESIGN.it_w, DESIGN.mechanical_w, DESIGN.aux_w)
        assert feed.warnings == [], path.stem


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_design_balances(path):
    feed = ready(path.stem)
    _, state = serve(feed, 0.9e6, 0.2e6, 0.02e6)
    assert state.unserved_w == 0.0
    assert state.utility_w == pytest.approx(1.12e6 + state.loss_w, rel=1e-12)
    assert_nodes_balance(feed)


def test_storage_at_the_meter_holds_the_limit_and_closes_the_ledger():
    feed = ready("n_plus_1_bess")
    limit_w = 0.85 * feed.one_line().nodes["utility"]["rated_w"]
    for it_w in [0.9e6] * 3 + [1.9e6] * 60 + [0.5e6] * 200:
        heat_w, state = serve(feed, it_w, 0.6e6, 0.02e6)
        given_w = state.utility_w - state.stored_j / BEAT_S
        taken_w = it_w + 0.62e6 + heat_w + state.ambient_heat_w
        assert given_w == pytest.approx(taken_w, rel=1e-9)
        assert state.utility_w <= limit_w * (1 + 1e-9)
        assert_nodes_balance(feed)
    assert state.battery_j == pytest.approx(ready("n_plus_1_bess")._stores.energy_j)  # full again
    assert feed.one_line().nodes["utility"]["peak_w"] == pytest.approx(limit_w)
    assert feed.warnings == []


def test_storage_trades_when_told_prices():
    feed = ready("n_plus_1_bess", charge_below_price=0.4, discharge_above_price=0.9)
    plain = serve(ready("n_plus_1"), 0.9e6)[1].utility_w
    feed.tell_price(1.0)
    assert serve(feed, 0.9e6)[1].utility_w < plain - 1e5
    feed.tell_price(0.3)
    assert serve(feed, 0.9e6)[1].utility_w > plain


@pytest.mark.parametrize(
    ("element", "change", "said"),
    [
        ("utilty", {}, "did you mean 'utility'"),
        ("utility", {"loss": [0.1, 0, 0]}, "0 with bess there"),
    ],
)
def test_storage_in_the_wrong_place_is_refused(element, change, said):
    data = yaml.safe_load((CONF / "n_plus_1_bess.yaml").read_text())
    data["bess"]["at"] = element
    data["elements"]["utility"] |= change
    with pytest.raises(ConfigError, match=said):
        parse(Feed, data, "power")


def test_a_load_that_was_not_designed_for_has_no_rating():
    feed = ready("n", FeedDesign(it_w=1e6, mechanical_w=3e5, aux_w=0.0))
    serve(feed, 9e5, 2e5, 0.0)
    assert feed.warnings == []
    serve(feed, 9e5, 2e5, 1e3)
    assert any("auxiliary carried 1.0 kW, above its rating of 0.0 kW" in w for w in feed.warnings)


@pytest.mark.parametrize("element", ["utility", "transformer", "ats", "lv_board", "ups", "busway"])
@pytest.mark.parametrize("steady", [True, False])
def test_whatever_is_too_small_is_what_limits_the_racks(element, steady):
    """Each element in turn is built for 0.8 MW: at the limit it is full, all others are not."""
    data = read_power("n")
    data["elements"][element] |= {"unit_kw": 800.0, "units": 1, "unit_max_kw": None}
    if element == "utility":
        data["contract_kw"] = 800.0
    feed = parse(Feed, data, "power")
    feed.size(DESIGN)
    serve(feed, 0.2e6, 0.1e6, 0.01e6)
    limit_w = feed.it_limit_w(steady=steady)
    assert feed.headroom_w(steady=steady) == pytest.approx(limit_w - 0.2e6)
    serve(feed, limit_w, 0.1e6, 0.01e6)
    loading = feed.elements[element].design_loading if steady else 1.0
    graph = feed.one_line()
    assert graph.nodes[element]["x"] == pytest.approx(loading, rel=1e-6)
    on_the_way = [
        n for n in ("utility", "transformer", "lv_board", "ups", "busway") if n != element
    ]
    assert all(graph.nodes[n]["x"] < 1.0 for n in on_the_way)
