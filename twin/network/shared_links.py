"""Max-min fair shares of links, kept while flows come and go.

A link that would carry all its flows at their demands binds nobody, so only *hot* links
count, those that would not. A flow that comes or goes without touching one changes nothing
for the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from heapq import heapify, heappop, heapreplace
from math import inf
from typing import Generic, TypeVar

from twin.network.base import Link

Flow = TypeVar("Flow", bound=Hashable)

FULL = 1.0 + 1e-9
"""Load over capacity from which a link is hot: sums of many flows leave a rounding rest."""


class SharedLinks(Generic[Flow]):
    """Flows on links, each at its max-min fair rate, worked out bit by bit."""

    def __init__(self, capacity: Mapping[Link, float]) -> None:
        self.capacity = capacity
        self.level: dict[Flow, float] = {}
        """Level of each flow as of the last :meth:`share`, or its demand if it came since."""
        self.stale = False
        """Whether levels may be others since a flow came or went."""
        self.most = dict.fromkeys(capacity, 0.0)
        """Highest load that each link would have carried if all had got their demands."""
        self.contended: dict[Link, None] = {}
        """Links that could not, at least once."""
        self._route: dict[Flow, Mapping[Link, float]] = {}
        self._demand: dict[Flow, float] = {}
        self._users: dict[Link, dict[Flow, float]] = {link: {} for link in capacity}
        self._wanted = dict.fromkeys(capacity, 0.0)
        self._hot: dict[Link, None] = {}
        self._held: dict[Flow, None] = {}
        """Flows below their demand."""

    def join(self, flow: Flow, route: Mapping[Link, float], demand: float) -> None:
        """Let *flow* use links: load by link for each unit of its level, and most it can use."""
        self._route[flow], self._demand[flow], self.level[flow] = route, demand, demand
        for link, weight in route.items():
            self._users[link][flow] = weight
            self._load(link, weight * demand)

    def leave(self, flow: Flow) -> None:
        """Take *flow* off its links."""
        demand = self._demand.pop(flow)
        for link, weight in self._route.pop(flow).items():
            del self._users[link][flow]
            self._load(link, -weight * demand)
        del self.level[flow]
        self._held.pop(flow, None)

    def _load(self, link: Link, change: float) -> None:
        if link in self._hot:
            self.stale = True
        if not self._users[link]:
            self._wanted[link] = 0.0
            self._hot.pop(link, None)
            return
        wanted = self._wanted[link] = self._wanted[link] + change
        if wanted > self.most[link]:  # noqa: PLR1730  (a call less where it is hot)
            self.most[link] = wanted
        if wanted > self.capacity[link] * FULL:
            self._hot[link] = self.contended[link] = None
            self.stale = True
        else:
            self._hot.pop(link, None)

    def share(self) -> list[Flow]:
        """Work the levels out; return the flows whose level is another now."""
        flows = {flow: None for link in self._hot for flow in self._users[link]}
        found = self._fill(flows)
        level, demand = self.level, self._demand
        for flow in self._held:
            if flow not in found:
                found[flow] = demand[flow]
        changed = [flow for flow, value in found.items() if value != level[flow]]
        level.update(found)
        self._held = {flow: None for flow in flows if level[flow] < demand[flow]}
        self.stale = False
        return changed

    def _fill(self, flows: Iterable[Flow]) -> dict[Flow, float]:
        """Let *flows* rise together on the hot links until a demand is met or a link is full.

        A link is full the later, the more of its flows have stopped, so its place in the heap
        is looked at again only when its turn comes.
        """
        users, routes = self._users, self._route
        rising = {link: len(users[link]) for link in self._hot}
        weights = {link: sum(users[link].values()) for link in self._hot}
        room = {link: self.capacity[link] for link in self._hot}
        little = {link: 1e-9 * weight for link, weight in weights.items()}
        heap = [(room[link] / weights[link], link) for link in self._hot]
        heapify(heap)
        found: dict[Flow, float] = {}

        def stop(flow: Flow, level: float) -> None:
            found[flow] = level
            for link, weight in routes[flow].items():
                if link in rising:
                    rising[link] -= 1
                    weights[link] -= weight
                    room[link] -= weight * level

        for flow in sorted(flows, key=self._demand.__getitem__):
            most = self._demand[flow]
            while flow not in found:
                full_at, link = heap[0] if heap else (inf, None)
                if link is None or full_at >= most:
                    stop(flow, most)
                    continue
                if not rising[link]:
                    heappop(heap)
                    continue
                if weights[link] < little[link]:  # differences of large weights are inexact
                    left = (weight for user, weight in users[link].items() if user not in found)
                    weights[link] = sum(left)
                now_at = room[link] / weights[link]
                if now_at > full_at:
                    heapreplace(heap, (now_at, link))
                    continue
                for held in users[link]:
                    if held not in found:
                        stop(held, full_at)
        return found
