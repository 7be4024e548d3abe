"""The contract of a fabric: what it is made of, what it draws, what a spread job loses.

A job's servers hang on *leaves* (or leaf groups, groups of a dragonfly, blocks of a torus).
Traffic between them shares *links*: bundles of cables that are spread over alike, as ECMP
and adaptive routing do. Who gets how much of them is worked out in ``gangs.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from twin.config import Component
from twin.errors import require

Link = tuple[str, int]
"""A bundle of cables that share their load: its kind and its number."""
Sending = tuple[Mapping[int, float], float]
"""Servers of a gang by group, and for how long they communicate at line rate [s]."""


@dataclass
class Fabric(Component):
    """A network; subclasses are one file each in ``twin/network``."""

    family: ClassVar[str] = "network"

    contention: Literal["interleaved", "in_step"] = field(default="interleaved", kw_only=True)
    """How jobs that share links meet. interleaved: one communicates while others compute, so
    only their mean loads must fit (the least that is lost); in_step: all communicate at the
    same time (the most)."""
    carries_storage: bool = field(default=False, kw_only=True)
    """Whether what jobs read and the checkpoints they write cross it as well; otherwise storage
    has a network of its own."""

    _broken: dict[str, frozenset[int]] = field(init=False, default_factory=dict, repr=False)
    """Machines out of service, by unit."""

    def __post_init__(self) -> None:
        """Refuse storage on a fabric whose loads are not means over time, as its own are."""
        fits = not self.carries_storage or self.contention == "interleaved"
        allowed = "false where contention is in_step: storage is read all the time"
        require(fits, "carries_storage", self.carries_storage, allowed)

    @abstractmethod
    def size(self, servers: int, gpus_per_server: int) -> None:
        """Lay out switches and links for *servers*; ConfigError where ports do not suffice."""

    @abstractmethod
    def graph(self) -> Any:
        """Return the fabric as a ``networkx.Graph`` of servers, switches and links."""

    @abstractmethod
    def power_w(self) -> float:
        """Return the power of all switches and optics [W]."""

    def among_servers_w(self) -> float:
        """Return what of it is drawn inside the servers' racks, and cooled as they are [W]."""
        return 0.0

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Return how many of each: switches by tier, cables, transceivers."""

    @abstractmethod
    def leaf_of(self) -> list[int]:
        """Return the leaf (or leaf group) of each server, by server number; it never falls."""

    @abstractmethod
    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server into the fabric, one direction [B/s]."""

    def servers_joined(self) -> int:
        """Return how many servers share one scale-up domain, as in a rack of NVLink."""
        return 1

    def plan(self) -> dict[str, Any]:
        """Return how its links hang together, for a drawing; empty where there is none.

        ``form`` is tree, groups (each joined to all others) or blocks; the rest says how many.
        """
        return {}

    # ---- what is shared ----

    def group_of(self) -> list[int]:
        """Return for each server the leaf whose links carry its traffic, as `route` wants it."""
        return self.leaf_of()

    @property
    @abstractmethod
    def line_share(self) -> float:
        """Return the most of its line rate that a server gets between leaves, 0-1 [-]."""

    @abstractmethod
    def capacity(self) -> dict[Link, float]:
        """Return what each link that may run full carries, by what is in service [B/s]."""

    def behind(self) -> dict[Link, float]:
        """Return the line rate of all servers behind each link [B/s]; empty where nobody says.

        Where links carry that, jobs cannot get into each other's way.
        """
        return {}

    def free_size(self) -> float:
        """Return up to how many servers no link of a whole fabric holds a gang that is alone.

        It gets :attr:`line_share` wherever it sits. 0 where nobody says.
        """
        return 0.0

    @abstractmethod
    def route(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what a job puts on each link while it communicates at line rate [B/s].

        *servers* says how many of its servers hang on which leaf, see :meth:`group_of`. Its
        traffic is even: every server talks to all others alike.
        """

    @abstractmethod
    def route_out(self, servers: Mapping[int, float]) -> dict[Link, float]:
        """Return what they put on each link while they talk at line rate to storage [B/s].

        It hangs on leaves of its own, far from all servers.
        """

    def send(self, sent: dict[Link, float], gangs: Sequence[Sending]) -> None:
        """Add to *sent* what *gangs*, one after another, put on each link in their time [B]."""
        for servers, seconds in gangs:
            for link, load in self.route(servers).items():
                sent[link] += load * seconds

    def path_share(self, servers: Mapping[int, float]) -> float:
        """Return what paths pinned to some of the cables leave a gang that is alone.

        Over line rate, 0-1; 1 where traffic takes all paths there are. [-]
        """
        return 1.0

    # ---- what breaks ----

    def units(self) -> dict[str, int]:
        """Return how many machines there are of each thing that can break."""
        return {}

    def set_broken(self, unit: str, machines: Collection[int]) -> None:
        """Let exactly these machines of *unit* be out of service from now on."""
        self._broken[unit] = frozenset(machines)

    def broken(self, unit: str) -> frozenset[int]:
        """Return the machines of *unit* that are out of service."""
        return self._broken.get(unit, frozenset())

    def cut_off(self) -> set[int]:
        """Return the servers that no port joins to the fabric now."""
        return set()

    def port_shares(self) -> dict[int, float]:
        """Return the part 0-1 of their ports that servers can use now, of groups that lost any."""
        return {}
