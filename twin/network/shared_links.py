"""Max-min fair shares of links, kept while flows come and go.

A link that would carry all its flows at their demands binds nobody, so only *hot* links
count, those that would not. A flow that comes or goes without touching one changes nothing
for the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from twin.network.base import Link

Flow = TypeVar("Flow", bound=Hashable)

FULL = 1.0 + 1e-9
"""Load over capacity from which a link is hot: sums of many flows leave a rounding rest."""


class SharedLinks(Generic[Flow]):
    """Flows on links; :func:`twin.physics.sharing.max_min_rates`, worked out bit by bit."""

    def __init__(self, capacity: Mapping[Link, float]) -> None:
        self.capacity = capacity
        self.level: dict[Flow, float] = {}
        """Level of each flow as of the last :meth:`share`, or its demand if it came since."""
        self.stale = False
        """Whether levels may be others since a flow came or went."""
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
        if wanted > self.capacity[link] * FULL:
            self._hot[link] = None
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
        """Let *flows* rise together on the hot links until a demand is met or a link is full."""
        rising = {link: len(self._users[link]) for link in self._hot}
        weights = {link: sum(self._users[link].values()) for link in self._hot}
        room = {link: self.capacity[link] for link in self._hot}
        full_at = {link: room[link] / weights[link] for link in self._hot}
        heap = [(at, link) for link, at in full_at.items()]
        heapify(heap)
        found: dict[Flow, float] = {}

        def stop(flow: Flow, level: float) -> None:
            found[flow] = level
            for link, weight in self._route[flow].items():
                if link not in room:
                    continue
                rising[link] -= 1
                if rising[link]:
                    room[link] -= weight * level
                    weights[link] -= weight
                    full_at[link] = max(level, room[link] / weights[link])
                    heappush(heap, (full_at[link], link))

        for flow in sorted(flows, key=self._demand.__getitem__):
            while flow not in found:
                while heap and (not rising[heap[0][1]] or heap[0][0] != full_at[heap[0][1]]):
                    heappop(heap)
                if heap and heap[0][0] < self._demand[flow]:
                    level, link = heap[0]
                    for held in self._users[link]:
                        if held not in found:
                            stop(held, level)
                else:
                    stop(flow, self._demand[flow])
        return found
