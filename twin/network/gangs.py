r"""Gangs that share a fabric: how fast each works, by where it sits and who sits beside it.

In a step at full bandwidth a job communicates for a part :math:`f` of the time, unhidden.
Over :math:`L` leaves a share :math:`1 - 1/L` of that crosses them. While it crosses, the
job gets a part :math:`x` of line rate: at most what routing leaves, and alone as much of
its links as they have,

.. math:: x_0 = \min\left(e, \min_l C_l / w_l\right),

with :math:`w_l` its load on link :math:`l` at line rate. A job that fills its leaves so
gets one over the oversubscription. Its rate is that of
:func:`~twin.physics.sharing.spanning_rate` at a stretch of :math:`1/x`. What it hides behind
work is stretched as well, and slows it as far as it outlasts that work
(:func:`~twin.physics.sharing.outlasting_fraction`). Links are shared
max-min fair, in one of two ways between which the truth lies:

``interleaved``
    Jobs communicate while others compute. What must fit is their mean load, at rate
    :math:`r` that is :math:`r f (1 - 1/L) w_l`; rates rise together up to what each has
    alone.
``in_step``
    All communicate at the same time, and :math:`x` is shared.

Where a fabric carries storage as well, what a job reads and writes is a part of its mean
load, on one server too: of the two the larger, as they go opposite ways.

Links are shared anew at the first full minute after a gang came or went that meets others
where they are short of room, at once after a fault. Until then who came counts as alone, and
who stays as if nothing had changed: each arrival or end is felt late by a minute at most
(half of one on the mean), whatever the heartbeat, and a link may be promised too much for
that long. Between two changes rates are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twin.network.base import Fabric, Link, Sending
from twin.network.runs import Runs
from twin.network.shared_links import SharedLinks
from twin.physics.sharing import outlasting_fraction, spanning_rate
from twin.records import Job, Placement

Hidden = tuple[tuple[float, float], ...]
"""Communication hidden behind work, and the work behind which it hides, over step time. [-]"""


@dataclass(slots=True)
class Gang:
    """A job on several servers, as the fabric sees it."""

    comm_fraction: float
    leaves: int
    servers: Mapping[int, float]
    """Its servers by group of the fabric; one held in part counts as much."""
    unheld: bool
    """Whether it is so small that no whole link holds it back when it is alone."""
    hidden: Hidden
    """What it hides behind work, and behind how much, over a step. [-]"""
    sent_fraction: float
    """Part of a step, at full bandwidth, in which it communicates, hidden or not. [-]"""
    route: Mapping[Link, float] | None = None
    """What it puts on each link while it communicates at line rate; None: nobody asked. [B/s]"""
    out: Mapping[Link, float] | None = None
    """What it puts on each link in the mean, at full rate, for storage; None: nothing. [B/s]"""
    inside: float = 1.0
    """Rate of what stays on a leaf, over line rate. [-]"""
    factor: float = 1.0
    """Its rate over that at full bandwidth. [-]"""


TOGETHER = 4096
"""Gangs that left whose traffic is added up at once: enough to make numpy cheap."""
COLUMNS = ("capacity_bytes_per_s", "mean_fraction", "demand_peak_fraction", "contended")
"""What is told of each link."""


class Gangs:
    """All gangs that communicate over the fabric now."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self._in_step = fabric.contention == "in_step"
        self._capacity = fabric.capacity()
        """Of whole links. [B/s]"""
        self.links: SharedLinks[Job] = SharedLinks(self._capacity)
        """Those in service; ``stale`` when rates may be others since a gang came or went."""
        self._sent = dict.fromkeys(self._capacity, 0.0)
        """What each link carried for gangs that left, but for those in ``_left``. [B]"""
        self._left: list[Sending] = []
        """What gangs that left sent, in their order, to be added up together."""
        self._gangs: dict[Job, Gang] = {}
        self._line_share = fabric.line_share
        self._whole = True
        """Whether nothing is broken."""
        self._ports: dict[int, float] = {}
        """Part of their ports that servers can use now, of groups that lost any. [-]"""
        self._carries_storage = fabric.carries_storage
        self._ample = 0.0 if self._in_step or self._carries_storage else _ample(fabric)
        """Part of a step, sent over them, up to which whole links carry all gangs there can be."""
        self._watched = self._ample == 0.0
        """Whether links are kept account of; where they are ample nobody needs to."""
        self._unheld = fabric.free_size() - 1.0
        """Whole servers up to which a gang gets line share on whole links, and part of one more."""
        self._alone: dict[tuple[float, int, Hidden], float] = {}
        """Rate factors of such gangs, by communication, leaves and what they hide."""
        groups, leaves = fabric.group_of(), fabric.leaf_of()
        self._groups = Runs(groups)
        self._leaves = None if leaves == groups else Runs(leaves)
        """None where they are the same."""

    def __contains__(self, job: Job) -> bool:
        return job in self._gangs

    def span(self, placement: Placement) -> tuple[int, dict[int, float]]:
        """Return how many leaves a gang spans, and its servers by group of the fabric."""
        servers = self._groups.of(placement)
        leaves = servers if self._leaves is None else self._leaves.of(placement)
        return len(leaves), servers

    def join(
        self,
        job: Job,
        comm_fraction: float,
        leaves: int,
        placement: Placement,
        servers: Mapping[int, float] | None = None,
        hidden: Hidden = (),
    ) -> float:
        """Let a gang communicate; return its rate factor 0-1, until the next :meth:`share`.

        It is at first taken to be alone. Who has counted its *servers* need not do so again.
        """
        unheld = len(placement.whole) <= self._unheld
        if servers is None:
            servers = self._groups.of(placement)
        sent = comm_fraction + sum(part for part, _ in hidden) if hidden else comm_fraction
        gang = self._gangs[job] = Gang(comm_fraction, leaves, servers, unheld, hidden, sent)
        if self._watched:
            self._enter(job, gang)
        elif sent > self._ample:
            self._watched = True
            for each, other in self._gangs.items():
                self._enter(each, other)
        elif unheld:  # the usual case
            factor = self._alone.get((comm_fraction, leaves, hidden))
            if factor is None:
                factor = self._factor(gang, self._line_share)
                self._alone[comm_fraction, leaves, hidden] = factor
            gang.factor = factor
        else:
            self._enter(job, gang)
        return gang.factor

    def leave(self, job: Job) -> None:
        """Let a gang communicate no more, if it did."""
        gang = self._gangs.pop(job, None)
        if gang is not None and (gang.leaves > 1 or self._stored(job)):
            self._send(job, gang)
            if self._watched:
                self.links.leave(job)

    def share(self) -> dict[Job, float]:
        """Share the links anew; return the rate factors that are others now."""
        changed: dict[Job, float] = {}
        for job in self.links.share():
            gang = self._gangs[job]
            level = self.links.level[job]
            gang.factor = self._factor(gang, level) if self._in_step else level
            changed[job] = gang.factor
        return changed

    def rewire(self) -> dict[Job, float]:
        """Share the links that are in service now; return all rate factors."""
        fabric = self.fabric
        self._whole = not any(map(fabric.broken, fabric.units()))
        self._ports = fabric.port_shares()
        before, self.links = self.links, SharedLinks(fabric.capacity())
        self.links.most, self.links.contended = before.most, before.contended
        widest = max((gang.sent_fraction for gang in self._gangs.values()), default=0.0)
        self._watched = not self._whole or widest > self._ample or self._ample == 0.0
        for job, gang in self._gangs.items():
            self._enter(job, gang)
        self.share()
        return {job: gang.factor for job, gang in self._gangs.items()}

    def link_loads(self, over_s: float) -> dict[str, dict[str, list[Any]]]:
        """Return what links carried in a run of *over_s*, by kind and in order of number.

        For each the capacity of the whole link, and in parts of it the mean of what was sent
        and the highest demand: what its users would have sent with all links to themselves,
        added up as ``contention`` says they meet. Contended is a link whose users got into each
        other's way at least once. Of ample links nobody keeps account; their demand is None.
        """
        links = self.links
        self._flush()
        ended = dict(self._sent)
        for job, gang in self._gangs.items():
            self._send(job, gang)
        self._flush()
        sent, self._sent = self._sent, ended
        known = self._watched or any(links.most.values())
        found: dict[str, dict[str, list[Any]]] = {}
        for link, whole in self._capacity.items():
            if whole <= 0.0:
                continue
            kind = found.setdefault(link[0], {column: [] for column in COLUMNS})
            demand = links.most[link] / whole if known else None
            row = (whole, sent[link] / over_s / whole, demand, link in links.contended)
            for column, value in zip(COLUMNS, row, strict=True):
                kind[column].append(value)
        return found

    def _enter(self, job: Job, gang: Gang) -> None:
        """Work out what a gang has alone, and put it on its links."""
        servers, ports = gang.servers, 1.0
        if self._ports:
            ports = min(self._ports.get(group, 1.0) for group in servers)
        joined = self.fabric.servers_joined() > 1
        gang.inside = 1.0 if joined else ports
        alone = self._line_share * ports
        stored = self._stored(job)
        if gang.leaves == 1 and not stored:
            gang.factor = self._factor(gang, alone)
            return
        route = gang.route = self._route(gang)
        alone = min(alone, self.fabric.path_share(servers))
        if not self._whole or not gang.unheld:
            capacity = self.links.capacity
            alone = min([alone, *(capacity[link] / load for link, load in route.items())])
        gang.factor = self._factor(gang, alone)
        if stored:
            self._add_storage(gang, servers, stored, ports)
        if not self._watched:
            return
        if self._in_step:
            self.links.join(job, route, alone)
        else:
            self.links.join(job, self._mean_load(gang), gang.factor)

    def _stored(self, job: Job) -> float:
        """Return what *job* at full rate moves over the fabric to or from storage [B/s]."""
        if not self._carries_storage:
            return 0.0
        return job.load_bytes_per_s or max(job.read_bytes_per_s, job.write_bytes_per_s)

    def _add_storage(
        self, gang: Gang, servers: Mapping[int, float], stored: float, ports: float
    ) -> None:
        """Let *servers* of a gang move so much [B/s], as fast as ports and links allow alone."""
        line = self.fabric.server_bytes_per_s() * sum(servers.values())
        out = self.fabric.route_out(servers)
        gang.out = {link: load * stored / line for link, load in out.items()}
        capacity, loads = self.links.capacity, self._mean_load(gang)
        held = (capacity[link] / load for link, load in loads.items())
        gang.factor = min(gang.factor, self._line_share * ports * line / stored, *held)

    def _mean_load(self, gang: Gang) -> dict[Link, float]:
        """Return what a gang puts on each link in the mean, at full rate [B/s]."""
        share = _crossing(gang)
        loads = {link: load * share for link, load in self._route(gang).items()}
        if gang.out is not None:
            for link, load in gang.out.items():
                loads[link] = loads.get(link, 0.0) + load
        return loads

    def _send(self, job: Job, gang: Gang) -> None:
        """Add what *gang* put on its links while it did its work."""
        self._left.append((gang.servers, _crossing(gang) * job.worked_s))
        if gang.out is not None:
            self._flush()
            for link, load in gang.out.items():
                self._sent[link] += load * job.worked_s
        elif len(self._left) >= TOGETHER:
            self._flush()

    def _flush(self) -> None:
        """Add up what gangs sent that left since the last time."""
        self.fabric.send(self._sent, self._left)
        self._left = []

    def _route(self, gang: Gang) -> Mapping[Link, float]:
        """Return what a gang puts on each link while it communicates at line rate [B/s]."""
        if gang.route is not None:
            return gang.route
        return self.fabric.route(gang.servers)

    def _factor(self, gang: Gang, line_share: float) -> float:
        """Return the rate of a gang whose traffic between leaves gets *line_share* of line rate."""
        if gang.inside <= 0.0 or (line_share <= 0.0 and gang.leaves > 1):
            return 0.0
        rate = 1.0
        if gang.leaves > 1:
            rate = spanning_rate(gang.comm_fraction, gang.leaves, 1.0 / line_share)
        if gang.inside < 1.0:
            slowed = gang.comm_fraction / gang.leaves * (1.0 / gang.inside - 1.0)
            rate = 1.0 / (1.0 / rate + slowed)
        if gang.hidden:
            longer = (
                (1.0 - 1.0 / gang.leaves) * (1.0 / line_share - 1.0) if gang.leaves > 1 else 0.0
            )
            longer += (1.0 / gang.inside - 1.0) / gang.leaves
            rate = 1.0 / (1.0 / rate + outlasting_fraction(gang.hidden, longer))
        return rate


def _crossing(gang: Gang) -> float:
    """Return the share of its time, at full rate, that a gang communicates between leaves [-]."""
    return gang.sent_fraction * (1.0 - 1.0 / gang.leaves)


def _ample(fabric: Fabric) -> float:
    r"""Return what part of a step all jobs there can be may send over a whole fabric.

    At rate :math:`r \le 1` a gang loads a link with :math:`r f (1 - 1/L) w_l \le f B_l` on the
    mean, with :math:`B_l` the line rate of its servers behind the link; all gangs together
    with no more than :math:`f` times that of all servers there. 0 where a fabric does not say.
    """
    capacity, behind = fabric.capacity(), fabric.behind()
    parts = [capacity[link] / most for link, most in behind.items() if most > 0.0]
    return min([1.0, *parts]) if parts else 0.0
