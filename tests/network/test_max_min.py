"""Max-min fairness by hand and by its definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.max_min import max_min_rates

INF = math.inf


def test_one_link_is_shared_equally():
    assert max_min_rates([{"l": 1.0}] * 4, {"l": 10.0}, [INF] * 4) == [2.5] * 4


def test_what_a_small_demand_leaves_goes_to_the_others():
    assert max_min_rates([{"l": 1.0}] * 3, {"l": 10.0}, [1.0, INF, INF]) == [1.0, 4.5, 4.5]


def test_textbook_line_of_links():
    """Three links in a row: one flow crosses all, one flow on each, one more on the last."""
    routes = [{"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.0}, {"b": 1.0}, {"c": 1.0}, {"c": 1.0}]
    rates = max_min_rates(routes, {"a": 9.0, "b": 9.0, "c": 9.0}, [INF] * 5)
    assert rates == pytest.approx([3.0, 6.0, 6.0, 3.0, 3.0])


def test_a_flow_that_weighs_little_on_a_link_takes_little_of_it():
    assert max_min_rates([{"l": 0.1}, {"l": 1.0}], {"l": 11.0}, [INF, INF]) == [10.0, 10.0]


def test_a_dead_link_stops_its_flows_only():
    assert max_min_rates([{"a": 1.0}, {"b": 1.0}], {"a": 0.0, "b": 4.0}, [INF, INF]) == [0.0, 4.0]


def test_without_contention_everyone_gets_the_demand():
    assert max_min_rates([{"l": 1.0}, {}], {"l": 10.0}, [3.0, 7.0]) == [3.0, 7.0]
    assert max_min_rates([], {}, []) == []


@st.composite
def networks(draw):
    links = "abcde"
    capacity = {link: draw(st.floats(0.1, 100.0)) for link in links}
    weight = st.floats(0.05, 2.0)
    route = st.dictionaries(st.sampled_from(links), weight, min_size=1)
    routes = draw(st.lists(route, min_size=1, max_size=12))
    demand = [draw(st.one_of(st.floats(0.0, 50.0), st.just(INF))) for _ in routes]
    return routes, capacity, demand


@given(networks())
def test_every_flow_has_its_demand_or_a_full_link_where_nobody_has_more(network):
    """The definition of max-min fairness, checked flow by flow."""
    routes, capacity, demand = network
    rates = max_min_rates(routes, capacity, demand)
    used = dict.fromkeys(capacity, 0.0)
    for route, rate in zip(routes, rates, strict=True):
        for link, weight in route.items():
            used[link] += weight * rate
    for link, room in capacity.items():
        assert used[link] <= room * (1 + 1e-9)
    for route, rate, most in zip(routes, rates, demand, strict=True):
        if rate >= most * (1 - 1e-9):
            continue
        assert any(
            used[link] >= capacity[link] * (1 - 1e-9)
            and rate >= max(r for ro, r in zip(routes, rates, strict=True) if link in ro) - 1e-6
            for link in route
        )
