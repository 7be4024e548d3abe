"""Switch counts in closed form, the graph by counting, and what a spread job loses."""

from collections import Counter

import networkx as nx
import pytest

from tests.support import fabrics
from twin.errors import ConfigError, ParameterError, RunError
from twin.network.fat_tree import FatTree, clos_plane, leaf_ports


def load(name: str = "fat_tree", **changes: object) -> FatTree:
    return fabrics.load(name, **changes)


@pytest.mark.parametrize(
    ("gpus", "switches"),
    [(1024, 48), (2048, 96), (16_384, 768), (32_768, 2560), (131_072, 10_240)],
)
def test_switch_counts_of_published_rail_optimised_clusters(gpus, switches):
    fabric = load()
    fabric.size(gpus // 8, 8)
    assert fabric.counts()["switches"] == switches


@pytest.mark.parametrize("radix", [4, 8, 16, 64])
def test_full_trees_follow_the_closed_forms(radix):
    half = radix // 2
    two, three = radix * half, radix * half * half
    assert clos_plane(two, radix, half, half).switches == 3 * two // radix
    assert clos_plane(three, radix, half, half).switches == 5 * three // radix


def test_one_switch_serves_as_many_ports_as_it_has():
    assert clos_plane(64, 64, 32, 32).switches == 1
    assert clos_plane(65, 64, 32, 32).switches == 5


def test_too_few_ports_says_how_many_are_missing():
    with pytest.raises(
        ConfigError, match=r"network.radix=4: .* 16 ports, 20 are needed: 4 missing"
    ):
        clos_plane(20, 4, 2, 2)
    fabric = load(max_tiers=2)
    with pytest.raises(ConfigError, match="952 missing"):
        fabric.size(3000, 8)


@pytest.mark.parametrize(
    ("ratio", "ports"), [(1.0, (32, 32)), (2.0, (42, 21)), (3.0, (48, 16)), (7.0, (56, 8))]
)
def test_ports_of_a_leaf_keep_the_ratio(ratio, ports):
    assert leaf_ports(64, ratio) == ports


def test_a_leaf_without_a_way_up_is_refused():
    with pytest.raises(ParameterError, match="radix=4: must be >= 9"):
        leaf_ports(4, 8.0)


SHAPES = [
    (48, {}),
    (300, {}),
    (16, {"radix": 4, "nics_per_server": 2}),
    (9, {"radix": 4}),
    (14, {"radix": 8, "nics_per_server": 2, "rail_optimised": False}),
    (60, {"radix": 16, "oversubscription": 3.0, "nics_per_server": 1, "rail_optimised": False}),
]


@pytest.mark.parametrize(("servers", "changes"), SHAPES)
def test_the_graph_has_the_counted_switches_and_cables_and_no_overfull_switch(servers, changes):
    fabric = load(**changes)
    fabric.size(servers, 8)
    graph, counts = fabric.graph(), fabric.counts()
    tiers = Counter(tier for _, tier in graph.nodes(data="tier"))
    assert [tiers[i] for i in range(4)] == [
        servers,
        counts["leaf_switches"],
        counts["spine_switches"],
        counts["core_switches"],
    ]
    links = sum(n for _, _, n in graph.edges(data="links"))
    assert links == counts["server_cables"] + counts["switch_cables"]
    for node, tier in graph.nodes(data="tier"):
        held = sum(graph.edges[node, other]["links"] for other in graph[node])
        assert held <= fabric.radix if tier else held == fabric.nics_per_server
    assert nx.is_connected(graph)


def test_the_graph_is_built_only_when_asked_for():
    fabric = load()
    fabric.size(16_384, 8)
    assert fabric._graph is None


def test_servers_fill_leaf_groups_in_order():
    fabric = load()
    fabric.size(70, 8)
    assert Counter(fabric.leaf_of()) == {0: 32, 1: 32, 2: 6}
    flat = load(rail_optimised=False)
    flat.size(9, 8)
    assert flat.leaf_of() == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_power_counts_every_switch_and_every_transceiver_outside_servers():
    fabric = load()
    fabric.size(128, 8)
    optics = 1024 + 2 * 1024
    assert fabric.power_w() == 48 * 750 + optics * 9
    copper = load(optical_server_links=False)
    copper.size(128, 8)
    assert copper.power_w() == 48 * 750 + 2 * 1024 * 9


def test_three_tiers_cost_about_a_tenth_of_an_h100_slot():
    fabric = load()
    fabric.size(4096, 8)
    assert 0.06 < fabric.power_w() / 32_768 / 1275 < 0.14


def test_using_a_fabric_before_it_is_sized_is_an_error():
    with pytest.raises(RunError, match="size"):
        load().power_w()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radix": 63}, "network.radix=63: must be even"),
        ({"oversubscription": 0.5}, "network.oversubscription=0.5: must be >= 1"),
        ({"rail_optimised": False, "nics_per_server": 40}, "nics_per_server=40: must be <= 32"),
        ({"max_tiers": 4}, "network.max_tiers=4"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(changes, message):
    with pytest.raises(ConfigError, match=message):
        load(**changes)
