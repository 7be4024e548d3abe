"""Which GPUs are free, and the rule by which a gang of GPUs fits.

A gang of ``n`` GPUs takes ``n // size`` whole servers and, for the rest, GPUs of one
further server: a job of up to one server's GPUs never straddles two servers, and a
larger one gets whole servers, as production schedulers place gangs.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import inf

from twin.records import Placement

FEW = 64
"""Servers up to which putting them in their places is quicker than sorting all."""


class FreeCounts:
    """How many servers have how many GPUs free: enough to ask whether a gang would fit.

    A cheap copy of a :class:`FreeServers` for planning: placements may be released and
    held on it without touching the real one.
    """

    __slots__ = ("_base", "_moved", "_size", "gpus", "parts", "whole")

    def __init__(self, servers: FreeServers) -> None:
        self._base = servers.free
        self._size = servers.size
        self._moved: dict[int, int] = {}
        self.gpus = servers.gpus
        self.whole = len(servers.whole)
        self.parts = list(map(len, servers.parts))

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits."""
        if gpus > self.gpus:
            return False
        full, rest = divmod(gpus, self._size)
        if rest == 0:
            return self.whole >= full
        if self.whole > full:
            return True
        return self.whole == full and any(self.parts[rest:])

    def release(self, placement: Placement) -> None:
        """Give a placement back."""
        self._change(placement, 1)

    def hold(self, placement: Placement) -> None:
        """Take exactly this placement."""
        self._change(placement, -1)

    def release_until(self, gpus: int, releases: Iterable[tuple[float, Placement]]) -> float:
        """Give placements back, each at its time, until a gang of *gpus* fits.

        Returns
        -------
        float
            The time of the last of them, ``inf`` where all do not suffice. [s]
        """
        size = self._size
        for at_s, placement in releases:
            if placement.part_gpus:
                self._change(placement, 1)
            else:  # the usual case
                number = len(placement.whole)
                self.whole += number
                self.gpus += number * size
            if self.gpus >= gpus and self.fits(gpus):
                return at_s
        return inf

    def _change(self, placement: Placement, sign: int) -> None:
        whole = len(placement.whole)
        gpus = placement.part_gpus
        self.whole += sign * whole
        self.gpus += sign * (whole * self._size + gpus)
        if gpus:
            server = placement.part_server
            before = self._moved.get(server, self._base[server])
            after = before + sign * gpus
            self._moved[server] = after
            self._count(before, -1)
            self._count(after, 1)

    def _count(self, free: int, change: int) -> None:
        if free == self._size:
            self.whole += change
        else:
            self.parts[free] += change


class FreeServers:
    """The free GPUs of all servers, kept so that packing is quick.

    Whole free servers are a sorted list, partly free ones a sorted list for each number
    of free GPUs. Packing takes the lowest-numbered whole servers, so that jobs sit in
    neighbouring racks, and the tightest partly free server for the rest.
    """

    __slots__ = ("free", "gpus", "parts", "size", "whole")

    def __init__(self, capacities: list[int], size: int) -> None:
        self.size = size
        self.free = list(capacities)
        self.gpus = sum(capacities)
        self.whole = [i for i, n in enumerate(capacities) if n == size]
        self.parts: list[list[int]] = [[] for _ in range(size)]
        for i, n in enumerate(capacities):
            if n < size:
                self.parts[n].append(i)

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits now."""
        if gpus > self.gpus:
            return False
        full, rest = divmod(gpus, self.size)
        whole = len(self.whole)
        if rest == 0:
            return whole >= full
        return whole > full or (whole == full and any(self.parts[rest:]))

    def counts(self) -> FreeCounts:
        """Return a copy to plan on."""
        return FreeCounts(self)

    def pack(self, gpus: int) -> Placement | None:
        """Return where a gang of *gpus* would be packed, without taking it."""
        whole, size = self.whole, self.size
        full, rest = divmod(gpus, size)
        if len(whole) < full:
            return None
        if not rest:
            return Placement(whole[:full], size)
        tight = next((servers for servers in self.parts[rest:] if servers), whole[full:])
        return Placement(whole[:full], size, tight[0], rest) if tight else None

    def take(self, placement: Placement) -> None:
        """Take exactly this placement, which must be free."""
        taken = placement.whole
        if taken:
            free, whole, number = self.free, self.whole, len(taken)
            if whole[:number] == taken:
                del whole[:number]
            else:
                gone = set(taken)
                self.whole = [server for server in whole if server not in gone]
            for server in taken:
                free[server] = 0
            self.gpus -= number * self.size
        if placement.part_gpus:
            self._move(placement.part_server, -placement.part_gpus)

    def give(self, placement: Placement) -> None:
        """Give a placement back."""
        given = placement.whole
        if given:
            size, free, whole = self.size, self.free, self.whole
            for server in given:
                free[server] = size
            number = len(given)
            if number <= FEW:
                start = 0
                while start < number:  # neighbours at once, as packing mostly gave them
                    place = bisect_left(whole, given[start])
                    end = number
                    if place < len(whole):
                        end = bisect_left(given, whole[place], start)
                    whole[place:place] = given[start:end]
                    start = end
            else:
                whole += given
                whole.sort()  # two sorted runs: linear
            self.gpus += number * size
        if placement.part_gpus:
            self._move(placement.part_server, placement.part_gpus)

    def _move(self, server: int, change: int) -> None:
        before = self.free[server]
        after = before + change
        source = self.whole if before == self.size else self.parts[before]
        del source[bisect_left(source, server)]
        insort(self.whole if after == self.size else self.parts[after], server)
        self.free[server] = after
        self.gpus += change
