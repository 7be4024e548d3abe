"""Servers by group, and what they send: counted together as one would one by one."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import fabrics
from twin.network.runs import Runs
from twin.records import Placement

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=8)
"""Servers of each group."""


@given(SIZES, st.data())
def test_counting_by_group_is_counting_each_server(sizes, data):
    group_of = [group for group, size in enumerate(sizes) for _ in range(size)]
    servers = sorted(data.draw(st.sets(st.sampled_from(range(len(group_of))), min_size=1)))
    part = data.draw(st.integers(0, 7))
    whole = servers[:-1] if part else servers
    placement = Placement(whole, 8, servers[-1] if part else -1, part)
    by_hand = Counter(group_of[server] for server in whole)
    if part:
        by_hand[group_of[servers[-1]]] += Fraction(part, 8)
    assert Runs(group_of).of(placement) == by_hand


@pytest.mark.parametrize("name", fabrics.ALL)
def test_groups_of_every_fabric_are_runs(name):
    fabric = fabrics.load(name)
    fabric.size(200, 8)
    for groups in (fabric.leaf_of(), fabric.group_of()):
        assert groups == sorted(groups)


@st.composite
def sendings(draw, servers):
    """Return a fabric's name and what gangs of it sent, some with a server in part."""
    seats = st.sets(st.integers(0, servers - 1), min_size=1, max_size=12).map(sorted)
    seconds = st.floats(0.0, 1e6)
    gangs = draw(st.lists(st.tuples(seats, st.integers(0, 5), seconds), max_size=30))
    return draw(st.sampled_from(fabrics.ALL)), gangs


@given(sendings(400), st.sampled_from([{}, {"radix": 16}]))
@settings(max_examples=60, deadline=None)
def test_what_gangs_send_together_is_what_they_send_one_by_one(case, smaller):
    """To the last bit, on trees of two and of three tiers as well."""
    name, gangs = case
    fabric = fabrics.load(name, **(smaller if name == "fat_tree" else {}))
    fabric.size(400, 8)
    groups, together = Runs(fabric.group_of()), dict.fromkeys(fabric.capacity(), 0.1)
    one_by_one, sent = dict(together), []
    for seats, part, seconds in gangs:
        placement = Placement(seats, 6)
        if part:
            placement = Placement(seats[:-1], 6, seats[-1], part)
        sent.append((groups.of(placement), seconds))
        for link, load in fabric.route(sent[-1][0]).items():
            one_by_one[link] += load * seconds
    fabric.send(together, sent)
    assert together == one_by_one
