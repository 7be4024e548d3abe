"""Collectives against their closed forms and a ring played out step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.collectives import (
    all_to_all_s,
    hierarchical_all_reduce_s,
    ring_all_reduce_s,
    ring_reduce_scatter_s,
    send_s,
)

RANKS = st.integers(1, 4096)
BYTES = st.floats(0, 1e12)


def played_ring_all_reduce_s(ranks: int, size: float, bandwidth: float, latency: float) -> float:
    """Send the parts round the ring twice, one step after another, and add the time up."""
    time_s = 0.0
    for _ in range(2 * (ranks - 1)):
        time_s += send_s(size / ranks, bandwidth, latency)
    return time_s


@pytest.mark.parametrize("ranks", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("latency", [0.0, 3e-6])
def test_ring_all_reduce_equals_the_ring_played_step_by_step(ranks, latency):
    assert ring_all_reduce_s(ranks, 1e9, 50e9, latency) == pytest.approx(
        played_ring_all_reduce_s(ranks, 1e9, 50e9, latency), rel=1e-12
    )


@given(RANKS, BYTES)
def test_uncontended_ring_all_reduce_is_exactly_its_closed_form(p, n):
    assert ring_all_reduce_s(p, n, 5e10) == pytest.approx(2 * (p - 1) / p * n / 5e10, rel=1e-12)


def test_published_example_of_a_flat_ring_against_nodes_of_eight():
    """1 GB over 1024 H100: 46 ms flat on one 50 GB/s NIC, 10 ms hierarchical."""
    flat_s = ring_all_reduce_s(1024, 1e9, 50e9, 3e-6)
    nested_s = hierarchical_all_reduce_s(
        1024,
        8,
        1e9,
        node_bytes_per_s=450e9,
        fabric_bytes_per_s=50e9,
        node_latency_s=2e-6,
        fabric_latency_s=3e-6,
    )
    assert flat_s == pytest.approx(46e-3, rel=0.01)
    assert nested_s == pytest.approx(10e-3, rel=0.05)


@given(st.integers(1, 64), st.integers(1, 64), BYTES)
def test_nodes_as_fast_inside_as_outside_cost_the_same_bytes_as_one_ring(nodes, g, n):
    nested_s = hierarchical_all_reduce_s(
        nodes * g, g, n, node_bytes_per_s=1e10, fabric_bytes_per_s=1e10
    )
    assert nested_s == pytest.approx(ring_all_reduce_s(nodes * g, n, 1e10), rel=1e-9)


@pytest.mark.parametrize("collective", [ring_reduce_scatter_s, ring_all_reduce_s, all_to_all_s])
def test_a_group_of_one_takes_no_time(collective):
    assert collective(1, 1e9, 1e9, 1e-6) == 0.0


@given(RANKS, BYTES, st.floats(1e6, 1e12), st.floats(1.0, 10.0))
def test_more_bandwidth_is_never_slower_and_more_bytes_never_faster(p, n, b, factor):
    for collective in (ring_all_reduce_s, all_to_all_s):
        slow_s = collective(p, n, b, 1e-6)
        assert collective(p, n, b * factor, 1e-6) <= slow_s
        assert collective(p, n * factor, b, 1e-6) >= slow_s


def test_members_that_do_not_fill_nodes_sit_evenly_in_as_few_as_hold_them():
    """128 over racks of 9: fifteen racks, nine in the fullest, eight ways out of the emptiest."""
    got_s = hierarchical_all_reduce_s(128, 9, 90.0, node_bytes_per_s=20.0, fabric_bytes_per_s=3.0)
    inside_s, across_s = 2 * 8 / 9 * 90 / 20, 2 * 14 / 15 * 90 / 8 / 3
    assert got_s == pytest.approx(inside_s + across_s)
    one_s = hierarchical_all_reduce_s(5, 9, 90.0, node_bytes_per_s=20.0, fabric_bytes_per_s=3.0)
    assert one_s == pytest.approx(2 * 4 / 5 * 90 / 20)


@pytest.mark.parametrize("name", ["ranks", "ranks_per_node"])
def test_no_members_and_no_room_for_them_are_refused(name):
    sizes = {"ranks": 8, "ranks_per_node": 8, name: 0}
    with pytest.raises(ParameterError, match=f"{name}=0: must be >= 1"):
        hierarchical_all_reduce_s(
            **sizes, size_bytes=1.0, node_bytes_per_s=1.0, fabric_bytes_per_s=1.0
        )


@pytest.mark.parametrize(
    ("args", "name"), [((0, 1.0, 1.0), "ranks"), ((2, -1.0, 1.0), "size"), ((2, 1.0, 0.0), "bytes")]
)
def test_impossible_arguments_are_refused_by_name(args, name):
    with pytest.raises(ParameterError, match=name):
        ring_all_reduce_s(*args)
