"""A 3-D torus of servers without switches, built of equal cubic blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import networkx as nx

from twin.config import DeviceWatts, Positive, PositiveFraction, Units
from twin.errors import ConfigError, RunError
from twin.network.base import Fabric, Link
from twin.units import BYTES_PER_GIGABIT

Shape = tuple[int, int, int]


def box(volume: int) -> Shape:
    """Nearest to a cube among the boxes that hold *volume* with the least left over.

    Parameters
    ----------
    volume : int
        Cells to hold, >= 1.

    Returns
    -------
    (int, int, int)
        Sides in falling order, between the cube root and twice it wherever possible.

    Examples
    --------
    >>> box(8), box(12), box(5)
    ((2, 2, 2), (3, 2, 2), (3, 2, 1))
    """
    root = 1
    while root**3 < volume:
        root += 1
    sides = [
        (x, y, z)
        for z in range(max(1, root - 1), root + 1)
        for y in range(z, root + 1)
        for x in range(y, 2 * root + 1)
        if x * y * z >= volume
    ]
    return min(sides, key=lambda s: (s[0] * s[1] * s[2], sum(s)))


def torus_stretch(blocks: int, efficiency: float) -> float:
    r"""Time of even traffic over many blocks, relative to one block.

    The bisection of *n* servers in a cube grows with :math:`n^{2/3}` while what must
    cross it grows with *n*, so the time grows with :math:`L^{1/3}` over *L* blocks.

    Parameters
    ----------
    blocks : int
        Blocks the traffic is spread over, >= 1.
    efficiency : float
        Share of the bisection that routing can use, 0-1. [-]

    Returns
    -------
    float
        Ratio, >= 1. [-]

    References
    ----------
    .. [1] W. J. Dally, B. Towles, *Principles and Practices of Interconnection
       Networks*, chapter 5.

    Examples
    --------
    >>> round(torus_stretch(8, 1.0), 9)
    2.0
    """
    return float(blocks ** (1.0 / 3.0)) / efficiency


@dataclass
class Torus(Fabric):
    """Servers linked to six neighbours, wrapped round in each direction.

    Nearest-neighbour rings run at full bandwidth anywhere; what is lost between blocks
    is lost by even traffic, the worse case. Jobs meet where they share a block; what passes
    through the blocks of others is taken to be their own.
    """

    block_side: Units
    """Servers along a side of a cubic block, the unit of locality."""
    shape: tuple[Units, Units, Units] | None
    """Blocks along each side; None takes the most compact box that holds all servers."""
    link_gbps: Positive
    routing_efficiency: PositiveFraction
    transceiver_w: DeviceWatts
    """One optical transceiver; links within a block are copper. [W]"""

    blocks: Shape = field(init=False, default=(0, 0, 0))
    _servers: int = field(init=False, default=0)
    _graph: nx.Graph | None = field(init=False, default=None, repr=False)

    def size(self, servers: int, gpus_per_server: int) -> None:
        """Choose the box of blocks; ConfigError where a given shape is too small."""
        cell = self.block_side**3
        self._servers = servers
        self._graph = None
        self.blocks = self.shape or box(-(-servers // cell))
        places = cell * self.blocks[0] * self.blocks[1] * self.blocks[2]
        if servers > places:
            raise ConfigError(
                f"network.shape={list(self.blocks)}: blocks of {cell} servers give {places} "
                f"places, {servers} are needed: {servers - places} missing"
            )

    def _sides(self) -> Shape:
        if not self._servers:
            raise RunError("torus: size() must come first")
        x, y, z = (side * self.block_side for side in self.blocks)
        return x, y, z

    def _cables(self) -> tuple[int, int]:
        """Return (all, those between blocks); the whole box is cabled, wraps included."""
        x, y, z = self._sides()
        every = between = 0
        for side, area in ((x, y * z), (y, x * z), (z, x * y)):
            along = side if side > 2 else side - 1
            inside = side - side // self.block_side
            every += along * area
            between += (along - inside) * area
        return every, between

    def counts(self) -> dict[str, int]:
        """Return cables and transceivers; there are no switches."""
        every, between = self._cables()
        return {
            "switches": 0,
            "server_cables": every,
            "switch_cables": 0,
            "transceivers": 2 * between,
        }

    def plan(self) -> dict[str, Any]:
        """Return the blocks along each side, for a drawing."""
        self._sides()
        return {
            "form": "blocks",
            "sides": list(self.blocks),
            "servers_per_block": self.block_side**3,
        }

    def power_w(self) -> float:
        """Return the power of the optics between blocks [W]; routers are in the servers."""
        return self.counts()["transceivers"] * self.transceiver_w

    def leaf_of(self) -> list[int]:
        """Return the block of each server, by server number."""
        self._sides()
        return [server // self.block_side**3 for server in range(self._servers)]

    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server to its six neighbours, one direction [B/s]."""
        return 6.0 * self.link_gbps * BYTES_PER_GIGABIT

    @property
    def line_share(self) -> float:
        """Return the most of its line rate that a server gets between blocks, 0-1 [-]."""
        return self.routing_efficiency

    def capacity(self) -> dict[Link, float]:
        """Return what the faces of each block carry of its servers' even traffic [B/s].

        As much as its servers put on them while they talk to one other block alone.
        """
        cell = self.block_side**3
        number = self.blocks[0] * self.blocks[1] * self.blocks[2]
        full = cell * self.server_bytes_per_s() * self.routing_efficiency
        cables = self.units()["link"] / number
        lost = Counter(int(machine // cables) for machine in self.broken("link"))
        return {("block", i): full * (1.0 - lost[i] / cables) for i in range(number)}

    def route(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what a job puts on each link while it communicates at line rate [B/s].

        Over many blocks traffic also passes through those between.
        """
        if len(servers) == 1:
            return {}
        line = self.server_bytes_per_s() * torus_stretch(len(servers), 1.0)
        return {("block", block): number * line for block, number in servers.items()}

    def route_out(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what they put on each link while they talk at line rate to storage [B/s]."""
        line = self.server_bytes_per_s()
        return {("block", block): number * line for block, number in servers.items()}

    def units(self) -> dict[str, int]:
        """Return how many cables can break; they are numbered block by block."""
        return {"link": self._cables()[0]}

    def graph(self) -> nx.Graph:
        """Return the torus; built when first asked for.

        Nodes are ``("server", i)``; places beyond the last server are cabled through and
        are nodes ``("place", i)``. Edges carry ``links`` and ``gbps``.
        """
        if self._graph is None:
            self._graph = self._build()
        return self._graph

    def _build(self) -> nx.Graph:
        sides = self._sides()
        graph = nx.Graph()
        for at in product(*map(range, sides)):
            for axis, side in enumerate(sides):
                step = list(at)
                step[axis] = (at[axis] + 1) % side
                if side > 1 and (step[axis] or side > 2):
                    ends = (self._node(at), self._node((step[0], step[1], step[2])))
                    graph.add_edge(*ends, links=1, gbps=self.link_gbps)
        graph.add_nodes_from(self._node((x, y, z)) for x, y, z in product(*map(range, sides)))
        return graph

    def _node(self, at: tuple[int, ...]) -> tuple[str, int]:
        """Return the node at a place: blocks are filled one after another."""
        side = self.block_side
        (bx, ix), (by, iy), (bz, iz) = (divmod(each, side) for each in at)
        block = (bx * self.blocks[1] + by) * self.blocks[2] + bz
        number = block * side**3 + (ix * side + iy) * side + iz
        return ("server" if number < self._servers else "place", number)
