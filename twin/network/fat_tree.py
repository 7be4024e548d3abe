"""A folded-Clos fabric of equal switches, one plane or one per rail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import networkx as nx

from twin.config import AtLeastOne, DeviceWatts, Positive, PositiveFraction, Range, Units
from twin.errors import ConfigError, RunError, require
from twin.network.base import Fabric
from twin.physics.sharing import spanning_rate
from twin.units import BYTES_PER_GIGABIT


@dataclass(frozen=True, slots=True)
class ClosPlane:
    """How many switches one plane has on each tier, and the links between tiers."""

    endpoints: int
    leaves: int
    spines: int
    cores: int
    leaf_links: int
    """Links from leaves up."""
    spine_links: int
    """Links from spines up."""

    @property
    def switches(self) -> int:
        """Return the switches of all tiers."""
        return self.leaves + self.spines + self.cores


def leaf_ports(radix: int, oversubscription: float) -> tuple[int, int]:
    """Split the ports of a leaf into (down, up) so that down / up does not exceed the ratio.

    Parameters
    ----------
    radix : int
        Ports of a switch.
    oversubscription : float
        Bandwidth towards servers over bandwidth towards spines, >= 1. [-]

    Returns
    -------
    (int, int)
        Ports down and up; at most one port in ``oversubscription`` stays unused.

    Raises
    ------
    ParameterError
        If no port is left for the way up or the way down.

    Examples
    --------
    >>> leaf_ports(64, 1.0), leaf_ports(64, 7.0)
    ((32, 32), (56, 8))
    """
    require(oversubscription >= 1.0, "oversubscription", oversubscription, ">= 1")
    up = int(radix / (1.0 + oversubscription))
    require(up >= 1, "radix", radix, f">= {1 + oversubscription:g} at that oversubscription")
    return min(radix - up, int(up * oversubscription)), up


def clos_plane(
    endpoints: int,
    radix: int,
    down: int,
    up: int,
    endpoints_per_leaf: int | None = None,
    max_tiers: int = 3,
) -> ClosPlane:
    r"""Size one plane with as few tiers as reach all endpoints.

    One switch serves up to *radix* endpoints; two tiers *radix* leaves, each linked to
    every spine; three tiers *radix* pods of ``radix / 2`` leaves. At no oversubscription
    and full use that is :math:`3N/k` switches for two tiers and :math:`5N/k` for three.

    Parameters
    ----------
    endpoints : int
        Network ports to attach.
    radix : int
        Ports of every switch, even.
    down, up : int
        Ports of a leaf towards servers and towards spines.
    endpoints_per_leaf : int, optional
        Ports of a leaf really filled where whole servers must not be split; *down* if absent.
    max_tiers : int
        2 or 3.

    Returns
    -------
    ClosPlane
        Switches and links of the plane.

    Raises
    ------
    ConfigError
        If the tiers allowed cannot reach all endpoints; says how many ports are missing.

    References
    ----------
    .. [1] M. Al-Fares, A. Loukissas, A. Vahdat, "A scalable, commodity data center
       network architecture", SIGCOMM 2008.

    Examples
    --------
    >>> clos_plane(2048, 64, 32, 32).switches, clos_plane(65536, 64, 32, 32).switches
    (96, 5120)
    """
    if endpoints <= radix and endpoints_per_leaf is None:
        return ClosPlane(endpoints, 1, 0, 0, 0, 0)
    per_leaf = endpoints_per_leaf or down
    leaves = -(-endpoints // per_leaf)
    links = leaves * up
    if leaves == 1:
        return ClosPlane(endpoints, 1, 0, 0, 0, 0)
    if leaves <= radix:
        return ClosPlane(endpoints, leaves, -(-links // radix), 0, links, 0)
    half = radix // 2
    reach = radix * per_leaf * (half if max_tiers == 3 else 1)
    if endpoints > reach:
        raise ConfigError(
            f"network.radix={radix}: {max_tiers} tiers of {radix}-port switches give a plane "
            f"{reach} ports, {endpoints} are needed: {endpoints - reach} missing"
        )
    whole_pods, rest = divmod(leaves, half)
    spines = whole_pods * up + -(-rest * up // half)
    return ClosPlane(endpoints, leaves, spines, -(-spines * half // radix), links, spines * half)


@dataclass
class FatTree(Fabric):
    """A fat-tree of one plane, or rail-optimised with one plane per NIC of a server.

    Rail-optimised: NIC *i* of every server hangs on plane *i*, so a leaf group of one
    leaf per rail serves as many servers as a leaf has ports down. Otherwise all NICs of
    a server hang on one leaf. Oversubscription is at the leaves, the tiers above are full.
    """

    radix: Annotated[int, Range(4)]
    """Ports of a switch; even."""
    port_gbps: Positive
    nics_per_server: Units
    rail_optimised: bool
    oversubscription: AtLeastOne
    """Leaf bandwidth down over up."""
    max_tiers: Literal[2, 3]
    ecmp_efficiency: PositiveFraction
    """Share of bandwidth left when flows are hashed onto equal paths."""
    switch_w: DeviceWatts
    """One switch without its optics. [W]"""
    transceiver_w: DeviceWatts
    """One optical transceiver. [W]"""
    optical_server_links: bool
    """Whether servers hang on optics; their own end is part of the server's power."""

    planes: int = field(init=False, default=0)
    plane: ClosPlane | None = field(init=False, default=None)
    _servers: int = field(init=False, default=0)
    _servers_per_group: int = field(init=False, default=0)
    _ports: tuple[int, int] = field(init=False, default=(0, 0))
    _graph: nx.Graph | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Check that switches can be split in halves and hold a server."""
        require(self.radix % 2 == 0, "radix", self.radix, "even")
        self._ports = leaf_ports(self.radix, self.oversubscription)
        down = self._ports[0]
        fits = self.rail_optimised or self.nics_per_server <= down
        allowed = f"<= {down}, the ports of a leaf towards servers"
        require(fits, "nics_per_server", self.nics_per_server, allowed)

    def size(self, servers: int, gpus_per_server: int) -> None:
        """Lay out switches and links for *servers*; ConfigError where ports do not suffice."""
        down, up = self._ports
        self._servers = servers
        self._graph = None
        if self.rail_optimised or servers * self.nics_per_server <= self.radix:
            self.planes = self.nics_per_server if self.rail_optimised else 1
            ports = servers if self.rail_optimised else servers * self.nics_per_server
            self.plane = clos_plane(ports, self.radix, down, up, None, self.max_tiers)
            self._servers_per_group = servers if self.plane.leaves == 1 else down
            return
        self.planes = 1
        self._servers_per_group = down // self.nics_per_server
        filled = self._servers_per_group * self.nics_per_server
        ports = servers * self.nics_per_server
        self.plane = clos_plane(ports, self.radix, down, up, filled, self.max_tiers)

    def _sized(self) -> ClosPlane:
        if self.plane is None:
            raise RunError("fat_tree: size() must come first")
        return self.plane

    def counts(self) -> dict[str, int]:
        """Return switches by tier, cables by place, and transceivers, of all planes."""
        plane, n = self._sized(), self.planes
        server_cables = self._servers * self.nics_per_server
        switch_cables = n * (plane.leaf_links + plane.spine_links)
        return {
            "leaf_switches": n * plane.leaves,
            "spine_switches": n * plane.spines,
            "core_switches": n * plane.cores,
            "switches": n * plane.switches,
            "server_cables": server_cables,
            "switch_cables": switch_cables,
            "transceivers": 2 * (switch_cables + self.optical_server_links * server_cables),
        }

    def power_w(self) -> float:
        """Return the power of all switches and optics [W].

        The transceiver in a NIC is fed by its server and counted there.
        """
        count = self.counts()
        in_nics = count["server_cables"] * self.optical_server_links
        optics_w = (count["transceivers"] - in_nics) * self.transceiver_w
        return count["switches"] * self.switch_w + optics_w

    def leaf_of(self) -> list[int]:
        """Return the leaf (or leaf group) of each server, by server number."""
        self._sized()
        return [server // self._servers_per_group for server in range(self._servers)]

    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server into the fabric, one direction [B/s]."""
        return self.nics_per_server * self.port_gbps * BYTES_PER_GIGABIT

    def rate_factor(self, comm_fraction: float, leaves: int) -> float:
        """Return the rate 0-1 of a job that spans *leaves*, given its exposed communication."""
        down, up = self._ports
        return spanning_rate(comm_fraction, leaves, max(1.0, down / up) / self.ecmp_efficiency)

    def graph(self) -> nx.Graph:
        """Return servers, leaves, spines and cores; built when first asked for.

        Nodes are ``("server", i)``, ``("leaf", plane, i)`` and so on with a ``tier``;
        edges carry ``links`` (parallel cables) and ``gbps`` (all of them together).
        """
        if self._graph is None:
            self._graph = self._build()
        return self._graph

    def _build(self) -> nx.Graph:
        plane = self._sized()
        graph = nx.Graph()
        graph.add_nodes_from((("server", i) for i in range(self._servers)), tier=0)
        links = 1 if self.rail_optimised else self.nics_per_server
        leaf = [server // self._servers_per_group for server in range(self._servers)]
        for rail in range(self.planes):
            tiers = (("leaf", plane.leaves), ("spine", plane.spines), ("core", plane.cores))
            for tier, (word, count) in enumerate(tiers, start=1):
                graph.add_nodes_from(((word, rail, i) for i in range(count)), tier=tier)
            for server in range(self._servers):
                self._link(graph, ("server", server), ("leaf", rail, leaf[server]), links)
            self._link_leaves(graph, plane, rail)
        return graph

    def _link_leaves(self, graph: nx.Graph, plane: ClosPlane, rail: int) -> None:
        """Deal uplinks round robin: leaves within their pod, spines over all cores."""
        up = self._ports[1]
        half = self.radix // 2
        for leaf in range(plane.leaves if plane.spines else 0):
            pod = leaf // half if plane.cores else 0
            first = pod * up
            count = min(up, plane.spines - first) if plane.cores else plane.spines
            begin = (leaf - pod * half) * up if plane.cores else leaf * up
            for j in range(begin, begin + up):
                self._link(graph, ("leaf", rail, leaf), ("spine", rail, first + j % count), 1)
        for spine in range(plane.spines if plane.cores else 0):
            for j in range(spine * half, (spine + 1) * half):
                self._link(graph, ("spine", rail, spine), ("core", rail, j % plane.cores), 1)

    def _link(self, graph: nx.Graph, a: tuple[str | int, ...], b: object, links: int) -> None:
        held = graph.edges[a, b]["links"] if graph.has_edge(a, b) else 0
        graph.add_edge(a, b, links=held + links, gbps=(held + links) * self.port_gbps)
