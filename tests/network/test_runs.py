"""Servers by group, counted group by group as one would server by server."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
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
