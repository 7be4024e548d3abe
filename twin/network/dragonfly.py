"""A dragonfly: groups of fully meshed routers, groups meshed by global links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import networkx as nx

from twin.config import DeviceWatts, Positive, PositiveFraction, Units
from twin.errors import ConfigError, RunError, require
from twin.network.base import Fabric, Link
from twin.units import BYTES_PER_GIGABIT


def dragonfly_groups(endpoints: int, p: int, a: int, h: int) -> int:
    """Return how many groups a dragonfly needs to attach all endpoints.

    Parameters
    ----------
    endpoints : int
        Network ports to attach.
    p, a, h : int
        Endpoints of a router, routers of a group, global links of a router.

    Returns
    -------
    int
        Groups; at most ``a h + 1``, so that every pair is linked.

    Raises
    ------
    ConfigError
        If that is too few; says how many ports are missing.

    References
    ----------
    .. [1] J. Kim, W. J. Dally, S. Scott, D. Abts, "Technology-driven, highly-scalable
       dragonfly topology", ISCA 2008.

    Examples
    --------
    >>> dragonfly_groups(72, 2, 4, 2)
    9
    """
    groups = -(-endpoints // (a * p))
    most = a * h + 1
    if groups > most:
        raise ConfigError(
            f"network.global_links_per_router={h}: {most} groups of {a} routers give "
            f"{most * a * p} ports, {endpoints} are needed: {endpoints - most * a * p} missing"
        )
    return groups


@dataclass
class Dragonfly(Fabric):
    """Routers of a group are all linked to each other, groups by equal bundles.

    A job inside one group is taken to run at full bandwidth; between groups traffic
    shares the global links of each group, as adaptive routing spreads it over all of them.
    A lost router takes its servers off the fabric, and its global links. Balanced for
    even traffic: routers = 2 x endpoints = 2 x global links.
    """

    endpoints_per_router: Units
    routers_per_group: Units
    global_links_per_router: Units
    port_gbps: Positive
    nics_per_server: Units
    routing_efficiency: PositiveFraction
    """Share of global bandwidth left by adaptive routing, which detours over a third group."""
    switch_w: DeviceWatts
    """One router without its optics. [W]"""
    transceiver_w: DeviceWatts
    """One optical transceiver; links within a group and to servers are copper. [W]"""

    groups: int = field(init=False, default=0)
    links_per_pair: int = field(init=False, default=0)
    _servers: int = field(init=False, default=0)
    _graph: nx.Graph | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Check that a server fits on a router."""
        super().__post_init__()
        fits = self.nics_per_server <= self.endpoints_per_router
        allowed = f"<= endpoints_per_router={self.endpoints_per_router}"
        require(fits, "nics_per_server", self.nics_per_server, allowed)

    @property
    def servers_per_router(self) -> int:
        """Return the servers whose NICs all hang on one router."""
        return self.endpoints_per_router // self.nics_per_server

    def size(self, servers: int, gpus_per_server: int) -> None:
        """Lay out groups and links for *servers*; ConfigError where ports do not suffice."""
        a, h = self.routers_per_group, self.global_links_per_router
        filled = self.servers_per_router * self.nics_per_server
        self._graph = None
        self._servers = servers
        self.groups = dragonfly_groups(servers * self.nics_per_server, filled, a, h)
        self.links_per_pair = a * h // (self.groups - 1) if self.groups > 1 else 0

    def _sized(self) -> int:
        if not self.groups:
            raise RunError("dragonfly: size() must come first")
        return self.groups

    def counts(self) -> dict[str, int]:
        """Return routers, cables by place, and transceivers."""
        g, a = self._sized(), self.routers_per_group
        global_cables = g * (g - 1) // 2 * self.links_per_pair
        return {
            "switches": g * a,
            "server_cables": self._servers * self.nics_per_server,
            "switch_cables": g * a * (a - 1) // 2 + global_cables,
            "transceivers": 2 * global_cables,
        }

    def plan(self) -> dict[str, Any]:
        """Return how many groups there are and what joins two of them, for a drawing."""
        return {
            "form": "groups",
            "groups": self._sized(),
            "links_per_pair": self.links_per_pair,
            "servers_per_group": self.servers_per_router * self.routers_per_group,
        }

    def power_w(self) -> float:
        """Return the power of all routers and optics [W]."""
        count = self.counts()
        return count["switches"] * self.switch_w + count["transceivers"] * self.transceiver_w

    def leaf_of(self) -> list[int]:
        """Return the group of each server, by server number."""
        self._sized()
        per_group = self.servers_per_router * self.routers_per_group
        return [server // per_group for server in range(self._servers)]

    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server into the fabric, one direction [B/s]."""
        return self.nics_per_server * self.port_gbps * BYTES_PER_GIGABIT

    @property
    def line_share(self) -> float:
        """Return the most of its line rate that a server gets between groups, 0-1 [-]."""
        return self.routing_efficiency

    def capacity(self) -> dict[Link, float]:
        """Return what the global links of each group carry together [B/s]."""
        alive = [0] * self._sized()
        cable = self.port_gbps * BYTES_PER_GIGABIT * self.routing_efficiency
        a, routers, links = self.routers_per_group, self.broken("switch"), self.broken("link")
        for number, (one, other) in enumerate(self._global_links()):
            ends = one[0] * a + one[1], other[0] * a + other[1]
            if number not in links and routers.isdisjoint(ends):
                alive[one[0]] += 1
                alive[other[0]] += 1
        return {("group", group): links * cable for group, links in enumerate(alive)}

    def route(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what a job puts on each link while it communicates at line rate [B/s]."""
        return self.route_out(servers) if len(servers) > 1 else {}

    def route_out(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what they put on each link while they talk at line rate to storage [B/s]."""
        line = self.server_bytes_per_s()
        return {("group", group): number * line for group, number in servers.items()}

    def units(self) -> dict[str, int]:
        """Return how many routers and global links can break."""
        g = self._sized()
        pairs = g * (g - 1) // 2
        return {"switch": g * self.routers_per_group, "link": pairs * self.links_per_pair}

    def cut_off(self) -> set[int]:
        """Return the servers whose router is out of service."""
        each = self.servers_per_router
        return {
            server
            for router in self.broken("switch")
            for server in range(router * each, min((router + 1) * each, self._servers))
        }

    def _global_links(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield the ends of each global link as (group, router): routers take turns."""
        groups, a = self._sized(), self.routers_per_group
        ports = [0] * groups
        for one, other in combinations(range(groups), 2):
            for _ in range(self.links_per_pair):
                yield (one, ports[one] % a), (other, ports[other] % a)
                ports[one] += 1
                ports[other] += 1

    def graph(self) -> nx.Graph:
        """Return servers and routers; built when first asked for.

        Nodes are ``("server", i)`` and ``("router", group, i)`` with a ``tier``; edges
        carry ``links`` and ``gbps`` (all of them together).
        """
        if self._graph is None:
            self._graph = self._build()
        return self._graph

    def _build(self) -> nx.Graph:
        groups, a = self._sized(), self.routers_per_group
        graph = nx.Graph()
        for server in range(self._servers):
            group, router = divmod(server // self.servers_per_router, a)
            self._link(graph, ("server", server), ("router", group, router), self.nics_per_server)
            graph.nodes["server", server]["tier"] = 0
        for group in range(groups):
            graph.add_nodes_from((("router", group, i) for i in range(a)), tier=1)
            for one, other in combinations(range(a), 2):
                self._link(graph, ("router", group, one), ("router", group, other), 1)
        for low, high in self._global_links():
            self._link(graph, ("router", *low), ("router", *high), 1)
        return graph

    def _link(self, graph: nx.Graph, one: object, other: object, links: int) -> None:
        held = graph.edges[one, other]["links"] if graph.has_edge(one, other) else 0
        graph.add_edge(one, other, links=held + links, gbps=(held + links) * self.port_gbps)
