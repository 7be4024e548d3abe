"""Servers by group, where the servers of a group follow each other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from twin.records import Placement


class Runs:
    """Groups of servers numbered one after another, as leaves, domains and blocks are.

    Parameters
    ----------
    group_of : sequence of int, shape (servers,)
        Group of each server, by server number; never falls.

    Examples
    --------
    >>> Runs([0, 0, 0, 1, 1, 2]).of(Placement([1, 2, 4], 8, part_server=5, part_gpus=2))
    {0: 2.0, 1: 1.0, 2: 0.25}
    """

    __slots__ = ("_behind", "_group_of")

    def __init__(self, group_of: Sequence[int]) -> None:
        self._group_of = group_of
        self._behind = {group: server + 1 for server, group in enumerate(group_of)}
        """The first server behind each group."""

    def of(self, placement: Placement) -> dict[int, float]:
        """Return how many servers of *placement* are in each group, with its part as a fraction.

        Looks once at each group, not at each server.
        """
        group_of, whole = self._group_of, placement.whole
        found: dict[int, float] = {}
        place, number = 0, len(whole)
        while place < number:
            group = group_of[whole[place]]
            behind = bisect_left(whole, self._behind[group], place + 1)
            found[group] = float(behind - place)
            place = behind
        if placement.part_gpus:
            group = group_of[placement.part_server]
            part = placement.part_gpus / placement.per_server_gpus
            found[group] = found.get(group, 0.0) + part
        return found
