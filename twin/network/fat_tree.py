"""A folded-Clos fabric of equal switches, one plane or one per rail."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from operator import methodcaller
from typing import Annotated, Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from twin.config import AtLeastOne, DeviceWatts, Positive, PositiveFraction, Range, Units
from twin.errors import ConfigError, RunError, require
from twin.network.base import Fabric, Link, Sending
from twin.units import BYTES_PER_GIGABIT

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ClosPlane:
    """How many switches one plane has on each tier, and the links between tiers."""

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
        return ClosPlane(1, 0, 0, 0, 0)
    per_leaf = endpoints_per_leaf or down
    leaves = -(-endpoints // per_leaf)
    links = leaves * up
    if leaves == 1:
        return ClosPlane(1, 0, 0, 0, 0)
    if leaves <= radix:
        return ClosPlane(leaves, -(-links // radix), 0, links, 0)
    half = radix // 2
    reach = radix * per_leaf * (half if max_tiers == 3 else 1)
    if endpoints > reach:
        raise ConfigError(
            f"network.radix={radix}: {max_tiers} tiers of {radix}-port switches give a plane "
            f"{reach} ports, {endpoints} are needed: {endpoints - reach} missing"
        )
    whole_pods, rest = divmod(leaves, half)
    spines = whole_pods * up + -(-rest * up // half)
    return ClosPlane(leaves, spines, -(-spines * half // radix), links, spines * half)


def _add(sent: dict[Link, float], kind: str, which: Whole, sent_bytes: Floats) -> None:
    """Add to links of a *kind*, one after another."""
    numbers = range(int(which.max(initial=-1)) + 1)
    sums = np.array([sent[kind, number] for number in numbers])
    np.add.at(sums, which, sent_bytes)
    sent.update(zip(((kind, number) for number in numbers), sums.tolist(), strict=True))


def _by_plane(machines: Collection[int], per_plane: int) -> defaultdict[int, set[int]]:
    """Return machines, numbered plane by plane, as the sets of each plane."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for machine in machines:
        plane, number = divmod(machine, per_plane)
        found[plane].add(number)
    return found


@dataclass
class FatTree(Fabric):
    """A fat-tree of one plane, or rail-optimised with one plane per NIC of a server.

    Rail-optimised: NIC *i* of every server hangs on plane *i*, so a leaf group of one
    leaf per rail serves as many servers as a leaf has ports down. Otherwise all NICs of
    a server hang on one leaf. Oversubscription is at the leaves, the tiers above are full:
    without it only a fault makes links short.

    A lost spine, core or cable leaves the rest of its bundle to ECMP. A lost leaf takes a
    rail from its servers, or with a single plane cuts them off; traffic is then taken to be
    spread over the other rails.

    With ``shortest_path`` two leaves have one path, over the spine that is the sum of their
    numbers, modulo the spines, of their own pod where there are several. Jobs that meet are still
    taken to share all cables of a leaf.
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
    routing: Literal["ecmp", "shortest_path"] = field(default="ecmp", kw_only=True)
    """ecmp: over all shortest paths; shortest_path: over one for each pair of leaves."""
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
        super().__post_init__()
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

    def plan(self) -> dict[str, Any]:
        """Return how leaf groups hang under pods and spines, for a drawing."""
        plane = self._sized()
        return {
            "form": "tree",
            "leaves": plane.leaves,
            "leaves_per_pod": self.radix // 2 if plane.cores else None,
            "servers_per_leaf": self._servers_per_group,
            "rails": self.planes if self.rail_optimised else None,
            "oversubscription": self.oversubscription,
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
        return self.group_of()

    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server into the fabric, one direction [B/s]."""
        return self.nics_per_server * self.port_gbps * BYTES_PER_GIGABIT

    @property
    def line_share(self) -> float:
        """Return the most of its line rate that a server gets between leaves, 0-1 [-]."""
        return self.ecmp_efficiency if self.routing == "ecmp" else 1.0

    def group_of(self) -> list[int]:
        """Return the leaf (or leaf group of all rails) of each server, by server number."""
        self._sized()
        return [server // self._servers_per_group for server in range(self._servers)]

    def capacity(self) -> dict[Link, float]:
        """Return what goes up from each leaf group, and from each pod of three tiers [B/s].

        Cables in service, all rails together, times what routing makes of them.
        """
        plane = self._sized()
        if not plane.spines:
            return {}
        lost_leaf, lost_pod = self._lost_links()
        cable = self.port_gbps * BYTES_PER_GIGABIT * self.line_share
        links = self.planes * self._ports[1]
        found: dict[Link, float] = {
            ("leaf", leaf): (links - lost_leaf[leaf]) * cable for leaf in range(plane.leaves)
        }
        if plane.cores:
            half = self.radix // 2
            for pod in range(-(-plane.leaves // half)):
                spines = min(self._ports[1], plane.spines - pod * self._ports[1])
                links = self.planes * spines * half
                found["pod", pod] = (links - lost_pod[pod]) * cable
        return found

    def behind(self) -> dict[Link, float]:
        """Return the line rate of all servers behind each link of :meth:`capacity` [B/s]."""
        plane, line = self._sized(), self.server_bytes_per_s()
        found: dict[Link, float] = dict.fromkeys(self.capacity(), 0.0)
        if found:
            half = self.radix // 2
            for leaf in self.group_of():
                found["leaf", leaf] += line
                if plane.cores:
                    found["pod", leaf // half] += line
        return found

    def free_size(self) -> float:
        r"""Return up to how many servers no link of a whole fabric holds a gang that is alone.

        On a leaf of :math:`n` of its :math:`S` servers it puts :math:`n` line rates, on a pod
        :math:`n (1 - n/S) / (1 - 1/L) \le 2 n (1 - n/S) \le S/2` of them.
        """
        if self.routing != "ecmp":
            return 0.0
        share = self.line_share
        line, behind = self.server_bytes_per_s() * share, self.behind()
        sizes = [inf]
        for link, capacity in self.capacity().items():
            if link[0] == "pod":
                sizes.append(2.0 * capacity / line)
            elif capacity < behind[link] * share * (1.0 - 1e-12):
                sizes.append(capacity / line)
        return min(sizes)

    def route(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what a job puts on each link while it communicates at line rate [B/s]."""
        plane = self._sized()
        line = self.server_bytes_per_s()
        if len(servers) == 1 or not plane.spines:
            return {}
        found: dict[Link, float] = {}
        for leaf, number in servers.items():  # a loop: a comprehension is made anew each time
            found["leaf", leaf] = number * line
        half = self.radix // 2
        if plane.cores and min(servers) // half < max(servers) // half:  # in more than one pod
            total = sum(servers.values())
            leaving = 1.0 - 1.0 / len(servers)
            for pod, number in self._pods(servers).items():
                found["pod", pod] = number * line * (1.0 - number / total) / leaving
        return found

    def send(self, sent: dict[Link, float], gangs: Sequence[Sending]) -> None:
        """Add what gangs put on each link, see :meth:`route`, for all of them at once."""
        crossing = [each for each in gangs if len(each[0]) > 1]
        if not crossing or not self._sized().spines:
            return
        servers, seconds = zip(*crossing, strict=True)
        leaves = np.fromiter(map(len, servers), np.intp)
        gang = np.repeat(np.arange(len(leaves)), leaves)
        leaf = np.fromiter(chain.from_iterable(servers), np.intp, len(gang))
        each = chain.from_iterable(map(methodcaller("values"), servers))
        number = np.fromiter(each, np.float64, len(gang))
        time_s, line = np.array(seconds), self.server_bytes_per_s()
        _add(sent, "leaf", leaf, number * line * time_s[gang])
        if not self._sized().cores:
            return
        total = np.bincount(gang, number)  # adds up in order, as all else here
        pod = leaf // (self.radix // 2)
        pods = int(pod.max()) + 1
        in_pod = np.bincount(gang * pods + pod, number, len(leaves) * pods)
        held = np.flatnonzero(in_pod)
        gang, pod = np.divmod(held, pods)
        wide = np.bincount(gang)[gang] > 1  # in more than one pod
        gang, pod, there = gang[wide], pod[wide], in_pod[held[wide]]
        leaving = 1.0 - 1.0 / leaves[gang]
        load = there * line * (1.0 - there / total[gang]) / leaving
        _add(sent, "pod", pod, load * time_s[gang])

    def route_out(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what they put on each link while they talk at line rate to storage [B/s]."""
        if not self._sized().spines:
            return {}
        line = self.server_bytes_per_s()
        found: dict[Link, float] = {
            ("leaf", leaf): number * line for leaf, number in servers.items()
        }
        for pod, number in self._pods(servers).items():
            found["pod", pod] = number * line
        return found

    def _pods(self, servers: Mapping[int, float]) -> dict[int, float]:
        """Return servers by pod, of servers by leaf; empty where there are no cores."""
        pods: dict[int, float] = {}
        if self._sized().cores:
            half = self.radix // 2
            for leaf, number in servers.items():
                pods[leaf // half] = pods.get(leaf // half, 0.0) + number
        return pods

    def path_share(self, servers: Mapping[int, float]) -> float:
        """Return what one path for each pair of leaves leaves a gang that is alone [-]."""
        plane = self._sized()
        if self.routing == "ecmp" or len(servers) == 1 or not plane.spines:
            return 1.0
        spines = self._ports[1] if plane.cores else plane.spines
        capacity, line, total = self.capacity(), self.server_bytes_per_s(), sum(servers.values())
        shares = [1.0]
        for leaf, number in servers.items():
            over = [0.0] * spines
            for other, there in servers.items():
                if other != leaf:
                    over[(leaf + other) % spines] += there / (total - number)
            shares.append(capacity["leaf", leaf] / spines / (number * line * max(over)))
        return min(shares)

    def units(self) -> dict[str, int]:
        """Return how many switches of each tier, and cables between switches, can break."""
        plane, n = self._sized(), self.planes
        return {
            "leaf_switch": n * plane.leaves,
            "spine_switch": n * plane.spines,
            "core_switch": n * plane.cores,
            "link": n * (plane.leaf_links + plane.spine_links),
        }

    def cut_off(self) -> set[int]:
        """Return the servers all of whose leaves are out of service."""
        dead = {group for group, lost in self._lost_ports().items() if lost == self.planes}
        return {i for i, group in enumerate(self.group_of()) if group in dead} if dead else set()

    def port_shares(self) -> dict[int, float]:
        """Return the rails that leaf groups still have, over all of them, where some are lost."""
        return {group: 1.0 - lost / self.planes for group, lost in self._lost_ports().items()}

    def _lost_ports(self) -> Counter[int]:
        """Return how many leaves of each group are out of service."""
        leaves = self._sized().leaves
        return Counter(machine % leaves for machine in self.broken("leaf_switch"))

    def _lost_links(self) -> tuple[Counter[int], Counter[int]]:
        """Return how many cables up are out of service, by leaf group and by pod."""
        plane = self._sized()
        by_leaf: Counter[int] = Counter()
        by_pod: Counter[int] = Counter()
        cables = plane.leaf_links + plane.spine_links
        leaves = _by_plane(self.broken("leaf_switch"), plane.leaves)
        spines = _by_plane(self.broken("spine_switch"), plane.spines)
        cores = _by_plane(self.broken("core_switch"), plane.cores)
        links = _by_plane(self.broken("link"), cables)
        for rail in {*leaves, *spines, *cores, *links}:
            dead = leaves[rail], spines[rail], cores[rail]
            asked = range(cables) if any(dead) else links[rail]
            for number in asked:
                low, high = self._ends(number)
                if number < plane.leaf_links:
                    if number in links[rail] or low in dead[0] or high in dead[1]:
                        by_leaf[low] += 1
                elif number in links[rail] or low in dead[1] or high in dead[2]:
                    by_pod[low // self._ports[1]] += 1
        return by_leaf, by_pod

    def _ends(self, number: int) -> tuple[int, int]:
        """Return the switches that a cable of a plane joins: leaf and spine, or spine and core.

        Uplinks are dealt round robin: leaves within their pod, spines over all cores.
        """
        plane, up, half = self._sized(), self._ports[1], self.radix // 2
        if number >= plane.leaf_links:
            number -= plane.leaf_links
            return number // half, number % plane.cores
        leaf = number // up
        if not plane.cores:
            return leaf, number % plane.spines
        first = leaf // half * up
        return leaf, first + (number - leaf // half * half * up) % min(up, plane.spines - first)

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
        for number in range(plane.leaf_links + plane.spine_links):
            low, high = self._ends(number)
            tiers = ("leaf", "spine") if number < plane.leaf_links else ("spine", "core")
            self._link(graph, (tiers[0], rail, low), (tiers[1], rail, high), 1)

    def _link(self, graph: nx.Graph, a: tuple[str | int, ...], b: object, links: int) -> None:
        held = graph.edges[a, b]["links"] if graph.has_edge(a, b) else 0
        graph.add_edge(a, b, links=held + links, gbps=(held + links) * self.port_gbps)
