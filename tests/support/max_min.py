"""Max-min fair rates by their definition: what links that are shared bit by bit must give."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Link = TypeVar("Link", bound=Hashable)


def max_min_rates(
    routes: Sequence[Mapping[Link, float]],
    capacity: Mapping[Link, float],
    demand: Sequence[float],
) -> list[float]:
    r"""Rates that give every flow all it can have without taking from a slower one.

    All flows rise together until a link is full or a demand met; the flows held by it
    stop there and the others rise on. A flow may weigh differently on each link it
    uses (a job that sends a tenth of its traffic over one of them).

    Parameters
    ----------
    routes : sequence of mappings
        For each flow, load put on each link per unit of its rate, > 0. [-]
    capacity : mapping
        Capacity of each link, >= 0. [unit of rate]
    demand : sequence of float
        Largest rate each flow can use; ``inf`` for as much as there is. [unit of rate]

    Returns
    -------
    list of float
        Rate of each flow. [unit of rate]

    Notes
    -----
    Each round freezes at least one flow, so it takes at most ``len(routes)`` rounds
    over the links in use.

    References
    ----------
    .. [1] D. Bertsekas, R. Gallager, *Data Networks*, section 6.5.2, max-min flow control.

    Examples
    --------
    Two flows on a link of 10, one of which also crosses a link of 2:

    >>> max_min_rates([{"a": 1, "b": 1}, {"a": 1}], {"a": 10, "b": 2}, [float("inf")] * 2)
    [2.0, 8.0]
    """
    rate = [0.0] * len(routes)
    rising = {flow for flow, most in enumerate(demand) if most > 0}
    left = {link: float(capacity[link]) for route in routes for link in route}
    load = dict.fromkeys(left, 0.0)
    users: dict[Link, set[int]] = {link: set() for link in left}
    for flow in rising:
        for link, weight in routes[flow].items():
            load[link] += weight
            users[link].add(flow)
    level = 0.0
    while rising:
        step, full = _next_stop(level, rising, demand, left, load, users)
        level += step
        for link in left:
            if users[link]:
                left[link] -= step * load[link]
        held = {flow for flow in rising if demand[flow] <= level}
        for link in full:
            left[link] = 0.0
            held |= users[link]
        for flow in sorted(held):
            rate[flow] = min(level, demand[flow])
            rising.discard(flow)
            for link, weight in routes[flow].items():
                users[link].discard(flow)
                # A link nobody rises on is left out of the next rounds: no drift to mend.
                load[link] = load[link] - weight if users[link] else 0.0
    return rate


def _next_stop(
    level: float,
    rising: set[int],
    demand: Sequence[float],
    left: Mapping[Link, float],
    load: Mapping[Link, float],
    users: Mapping[Link, set[int]],
) -> tuple[float, list[Link]]:
    """Return how far all rising flows can rise, and the links that are full then."""
    step = min(demand[flow] for flow in rising) - level
    full: list[Link] = []
    for link, room in left.items():
        if not users[link]:
            continue
        until_full = room / load[link]
        if until_full < step:
            step, full = until_full, [link]
        elif until_full == step:
            full.append(link)
    return max(step, 0.0), full
