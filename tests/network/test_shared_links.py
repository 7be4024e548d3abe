"""Shares of links kept bit by bit equal those worked out from nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.calls import calls_of
from tests.support.max_min import max_min_rates
from twin.network.shared_links import SharedLinks

LINKS = [("leaf", i) for i in range(5)]


@st.composite
def lives(draw):
    """Return capacities, and flows that come (a route and a demand) or go (None)."""
    capacity = {link: draw(st.floats(0.1, 100.0)) for link in LINKS}
    route = st.dictionaries(st.sampled_from(LINKS), st.floats(0.05, 2.0), min_size=1)
    step = st.one_of(st.tuples(route, st.floats(0.0, 50.0)), st.none())
    return capacity, draw(st.lists(step, min_size=1, max_size=25))


@given(lives(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_levels_are_max_min_fair_whoever_came_and_went_before(life, chance):
    capacity, steps = life
    links, there, told = SharedLinks(capacity), {}, {}
    for number, step in enumerate(steps):
        if step is not None:
            links.join(number, *step)
            there[number], told[number] = step, step[1]
        elif there:
            gone = chance.choice(sorted(there))
            links.leave(gone)
            del there[gone], told[gone]
        if chance.random() < 0.3:
            continue  # several come and go before the links are shared
        if links.stale:
            for flow in links.share():
                told[flow] = links.level[flow]
        routes, demands = zip(*there.values(), strict=True) if there else ((), ())
        fair = max_min_rates(routes, capacity, demands)
        assert [told[flow] for flow in there] == pytest.approx(fair, rel=1e-6, abs=1e-9)
        for link, room in capacity.items():
            load = sum(route.get(link, 0.0) * told[flow] for flow, (route, _) in there.items())
            assert load <= room * (1 + 1e-6)


def test_a_flow_that_finds_room_changes_nothing_for_others():
    links = SharedLinks({("leaf", 0): 10.0, ("leaf", 1): 1.0})
    links.join("a", {("leaf", 0): 1.0}, 4.0)
    links.join("b", {("leaf", 0): 1.0}, 6.0)
    assert not links.stale
    links.join("c", {("leaf", 1): 1.0}, 3.0)
    assert links.stale
    assert links.share() == ["c"]
    links.leave("a")
    assert not links.stale


def test_who_was_held_has_its_demand_again_when_the_other_leaves():
    links = SharedLinks({("leaf", 0): 10.0})
    links.join("a", {("leaf", 0): 1.0}, 8.0)
    links.join("b", {("leaf", 0): 1.0}, 8.0)
    assert links.share() == ["a", "b"]
    assert links.level == {"a": 5.0, "b": 5.0}
    links.leave("a")
    assert links.share() == ["b"]
    assert links.level == {"b": 8.0}


def calls_to_share(flows):
    """Return how many functions are called to share one full link among so many flows."""
    links = SharedLinks({("leaf", i): 1.0 for i in range(50)})
    for i in range(flows):
        links.join(i, {("leaf", i % 50): 1.0, ("leaf", (7 * i + 1) % 50): 0.5}, 1.0 + i)
    return calls_of(links.share)


def test_sharing_takes_steps_in_proportion_to_the_flows():
    assert calls_to_share(2000) <= 2.5 * calls_to_share(1000)
