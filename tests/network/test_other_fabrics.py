"""Dragonfly, torus and NVLink domains: closed forms, the graph by counting, locality."""

from collections import Counter

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fabrics import ALL, load
from twin.errors import ConfigError, RunError
from twin.network.dragonfly import dragonfly_groups
from twin.network.torus import box, torus_stretch


def links_of(graph: nx.Graph) -> int:
    return sum(links for _, _, links in graph.edges(data="links"))


# ---- what every fabric keeps ----


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("servers", [1, 7, 100])
def test_every_fabric_joins_all_servers_and_names_a_leaf_for_each(name, servers):
    fabric = load(name)
    fabric.size(servers, 8)
    graph, leaves = fabric.graph(), fabric.leaf_of()
    assert sum(node[0] == "server" for node in graph) == servers
    assert nx.is_connected(graph)
    assert len(leaves) == servers
    assert leaves == sorted(leaves)
    assert fabric.power_w() >= 0
    assert all(count >= 0 for count in fabric.counts().values())


@pytest.mark.parametrize("name", ALL)
def test_a_fabric_that_was_not_sized_says_so(name):
    with pytest.raises(RunError, match="size"):
        load(name).leaf_of()


# ---- dragonfly ----


@pytest.mark.parametrize("h", [1, 2, 3])
def test_a_full_balanced_dragonfly_follows_the_closed_forms(h):
    """a = 2p = 2h, g = ah + 1 groups, N = a p g ports, one global link for each pair."""
    p, a = h, 2 * h
    fabric = load(
        "dragonfly",
        endpoints_per_router=p,
        routers_per_group=a,
        global_links_per_router=h,
        nics_per_server=1,
    )
    g = a * h + 1
    fabric.size(a * p * g, 8)
    assert fabric.groups == g
    assert fabric.links_per_pair == 1
    graph = fabric.graph()
    for node, tier in graph.nodes(data="tier"):
        held = sum(graph.edges[node, other]["links"] for other in graph[node])
        assert held == (p + a - 1 + h if tier else 1)
    hops = nx.diameter(graph.subgraph(n for n in graph if n[0] == "router"))
    assert hops == 3


def test_a_dragonfly_too_small_says_how_many_ports_are_missing():
    with pytest.raises(ConfigError, match=r"9 groups of 4 routers give 72 ports, .* 8 missing"):
        dragonfly_groups(80, 2, 4, 2)


def test_the_counted_cables_of_a_dragonfly_are_those_of_its_graph():
    fabric = load("dragonfly")
    fabric.size(1000, 8)
    count = fabric.counts()
    assert count["switches"] == 8 * 32
    assert links_of(fabric.graph()) == count["server_cables"] + count["switch_cables"]
    optics = count["transceivers"]
    assert fabric.power_w() == 256 * 250 + optics * 5


# ---- torus ----


@pytest.mark.parametrize("servers", [64, 128, 512, 4096])
def test_a_full_torus_has_three_cables_for_each_server(servers):
    fabric = load("torus")
    fabric.size(servers, 8)
    assert fabric.counts()["server_cables"] == 3 * servers
    graph = fabric.graph()
    assert links_of(graph) == 3 * servers
    assert set(dict(graph.degree).values()) == {6}


def test_distance_across_a_torus_is_half_of_each_side():
    fabric = load("torus")
    fabric.size(512, 8)
    assert nx.eccentricity(fabric.graph(), ("server", 0)) == 12


def test_optics_of_a_torus_join_blocks_and_close_rings():
    """One cube of 64: sixteen rings in each of three directions, one wrap each."""
    fabric = load("torus")
    fabric.size(64, 8)
    assert fabric.counts()["transceivers"] == 2 * 3 * 16
    assert fabric.power_w() == 96 * 9


def test_servers_of_a_block_are_neighbours():
    fabric = load("torus")
    fabric.size(256, 8)
    leaves = fabric.leaf_of()
    assert Counter(leaves) == {0: 64, 1: 64, 2: 64, 3: 64}
    block = [("server", i) for i in range(256) if leaves[i] == 2]
    assert nx.is_connected(fabric.graph().subgraph(block))


@given(st.integers(1, 5000))
def test_a_box_holds_what_it_must_and_is_no_rod(volume):
    x, y, z = box(volume)
    assert x * y * z >= volume
    assert x >= y >= z
    assert x <= 2 * z + 2


def test_a_torus_of_a_given_shape_says_how_many_places_are_missing():
    fabric = load("torus", shape=[2, 2, 1])
    with pytest.raises(ConfigError, match=r"network.shape=\[2, 2, 1\]: .* 44 missing"):
        fabric.size(300, 8)


def test_even_traffic_over_eight_blocks_takes_twice_as_long():
    assert torus_stretch(8, 1.0) == pytest.approx(2.0)


# ---- NVLink domains ----


def test_racks_of_nvlink_have_nine_trays_each_and_stand_behind_rails():
    fabric = load("nvl72")
    fabric.size(8 * 18, 4)
    count = fabric.counts()
    assert count["nvlink_trays"] == 72
    assert Counter(fabric.leaf_of()) == dict.fromkeys(range(8), 18)
    rails = load("fat_tree", nics_per_server=4)
    rails.size(8 * 18, 4)
    assert fabric.power_w() == rails.power_w() + 72 * 730


def test_nvlink_bandwidth_of_a_rack_adds_up():
    """130 TB/s for 72 GPUs, both directions together."""
    fabric = load("nvl72")
    fabric.size(18, 4)
    graph = fabric.graph()
    gbps = sum(
        data["gbps"]
        for one, other, data in graph.edges(data=True)
        if "nvlink" in (one[0], other[0])
    )
    assert 2 * gbps / 8 / 1e3 == pytest.approx(130, rel=0.01)
