"""Beats in which nothing can happen to a feed, and how little has to be known of them at once.

While everybody's supply stands, all stores are full and no load is above what the feed is
built for, no timer, battery or breaker has anything to do. The facility then needs sums
alone: what is lost, and what the sources give. What each element carried, and which losses
are owed to IT, is worked out later for many such beats together.

Both ways do the same arithmetic in the same order as a walk of the rows, so they give the
same numbers to the last bit, and what is added up beat by beat stays the same sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.power.base import Load
from twin.power.diagram import SINKS
from twin.power.routes import Routes, Row
from twin.power.supply import Part

BEATS_PER_BLOCK = 512
"""Beats that are held before their elements are worked out."""

Floats = NDArray[np.float64]
LOADS: tuple[Load, ...] = tuple(SINKS.values())
Asked = tuple[float, float, float, float]
"""IT, mechanical, auxiliary and movers, in the order of ``LOADS``. [W]"""


class Run(NamedTuple):
    """Elements one behind the other: what leaves one is all that enters the next."""

    first: int
    """The element at its rack side."""
    losses: list[tuple[float, float, float, bool]]
    """Of those that lose anything: loss polynomial in the output [W], whether outdoors."""
    feeders: Sequence[Part]
    """What the last one hangs on; none of a source."""


def runs(rows: Iterable[Row], entered: Mapping[int, int]) -> list[Run]:
    """Return *rows* joined to runs, in their order; without those that cannot carry anything.

    Parameters
    ----------
    rows : iterable of Row
        Leaf to root.
    entered : mapping of int to int
        How many loads enter an element, over all rows and sinks.

    Examples
    --------
    Two elements in series, and another that joins them at a third:

    >>> cable, busway = (0, 0.0, 0.0, 1e-9, False, [(1, 1.0)]), (1, 0, 0, 0, False, [(3, 1.0)])
    >>> other, board = (2, 5.0, 0.0, 0.0, True, [(3, 1.0)]), (3, 1.0, 0.0, 0.0, False, [])
    >>> joined = runs([cable, busway, other, board], {0: 1, 1: 1, 2: 1, 3: 2})
    >>> [(run.first, len(run.losses), run.feeders) for run in joined]
    [(0, 1, [(3, 1.0)]), (2, 1, [(3, 1.0)]), (3, 1, [])]
    """
    found: list[Run] = []
    for i, at_rest_w, linear, quadratic, outdoors, feeders in rows:
        lossless = at_rest_w == linear == quadratic == 0.0
        if lossless and not entered.get(i):
            continue
        losses = [] if lossless else [(at_rest_w, linear, quadratic, outdoors)]
        if found and entered.get(i) == 1 and list(found[-1].feeders) == [(i, 1.0)]:
            before = found.pop()
            found.append(Run(before.first, before.losses + losses, feeders))
        else:
            found.append(Run(i, losses, feeders))
    return found


def carry(along: Sequence[Run], load_w: list[float]) -> tuple[float, float, float]:
    """Let the loads of the first elements go along runs, and onto those they hang on.

    Parameters
    ----------
    along : sequence of Run
        Leaf to root.
    load_w : list of float
        What each element delivers; loads are added where runs end. [W]

    Returns
    -------
    (lost_w, outdoors_w, given_w)
        All losses, those outdoors, and what runs without feeders draw: the sources. [W]
    """
    lost_w = outdoors_w = given_w = 0.0
    for first, losses, feeders in along:
        out_w = load_w[first]
        for at_rest_w, linear, quadratic, outdoors in losses:
            loss_w = at_rest_w + out_w * (linear + out_w * quadratic)
            lost_w += loss_w
            if outdoors:
                outdoors_w += loss_w
            out_w += loss_w
        if not feeders:
            given_w += out_w
        for j, part in feeders:
            load_w[j] += part * out_w
    return lost_w, outdoors_w, given_w


def walked(routes: Routes, asked_w: Mapping[Load, Floats]) -> tuple[list[Floats], Floats]:
    """Return what each element delivers in many beats, and which losses are owed to IT.

    A loss that IT shares with other loads is owed to it in proportion to its output.

    Parameters
    ----------
    routes : Routes
        Who draws from whom.
    asked_w : mapping of Load to ndarray, shape (beats,)
        The loads of those beats. [W]

    Returns
    -------
    load_w : list of ndarray, shape (beats,)
        By element. [W]
    owed_w : ndarray, shape (beats,)
        Losses owed to IT. [W]
    """
    it_w = asked_w["it"]
    load_w = [np.zeros_like(it_w) for _ in routes.rated_w]
    for i, part in routes.sinks["it"]:
        load_w[i] = part * it_w
    owed_w = np.zeros_like(it_w)
    for i, at_rest_w, linear, quadratic, _, feeders in routes.it_rows:
        out_w = load_w[i]
        loss_w = at_rest_w + out_w * (linear + out_w * quadratic)
        owed_w = owed_w + loss_w
        for j, part in feeders:
            load_w[j] = load_w[j] + part * (out_w + loss_w)
    it_load_w = list(load_w)
    for load in LOADS[1:]:
        for i, part in routes.sinks[load]:
            load_w[i] = part * asked_w[load]
    shared_w = np.zeros_like(it_w)
    for i, at_rest_w, linear, quadratic, _, feeders in routes.other_rows:
        out_w = load_w[i]
        loss_w = at_rest_w + out_w * (linear + out_w * quadratic)
        it_part = np.divide(it_load_w[i], out_w, out=np.zeros_like(out_w), where=out_w > 0.0)
        shared_w = shared_w + it_part * loss_w
        for j, part in feeders:
            flow_w = part * (out_w + loss_w)
            load_w[j] = load_w[j] + flow_w
            it_load_w[j] = it_load_w[j] + it_part * flow_w
    return load_w, owed_w + shared_w


class Calm:
    """Beats of one supply, none of which asks for more than *most_w*."""

    def __init__(self, routes: Routes, most_w: Asked) -> None:
        self.most_w = most_w
        self.beats: list[tuple[float, float, float, float, float]] = []
        """What was asked in those whose elements are not worked out yet, and their length [s]."""
        self._routes = routes
        rows = routes.it_rows + routes.other_rows
        entered = Counter(i for i, _ in chain.from_iterable(routes.sinks.values()))
        entered.update(j for *_, feeders in rows for j, _ in feeders)
        self._it_runs = runs(routes.it_rows, entered)
        self._other_runs = runs(routes.other_rows, entered)
        self._sinks = [
            (i, part, kind)
            for kind, load in enumerate(LOADS[1:], start=1)
            for i, part in routes.sinks[load]
        ]
        """Sink, part of its kind of load, place of that kind in what is asked; IT apart."""
        self._nothing_w = [0.0] * len(routes.rated_w)
        self._load_w = self._nothing_w

    @classmethod
    def find(cls, routes: Routes, sources: Sequence[int], most_w: Asked) -> Calm | None:
        """Return the calm beats of a supply; None where loads of *most_w* may upset it.

        Loads and losses only grow with what is asked, in rounding too, so where no element
        is above its rating at the most, none ever is below. Whatever is not fed by
        *sources* alone may change by itself.
        """
        rows = routes.it_rows + routes.other_rows
        fed = all(feeders or i in sources or not routes.rated_w[i] for i, *_, feeders in rows)
        if not (fed and routes.all_fed):
            return None
        corner_w = {load: np.array([w]) for load, w in zip(LOADS, most_w, strict=True)}
        load_w, _ = walked(routes, corner_w)
        fits = all(w[0] <= rated_w for w, rated_w in zip(load_w, routes.rated_w, strict=True))
        return cls(routes, most_w) if fits else None

    def serve_it(self, it_w: float) -> tuple[float, float]:
        """Carry IT; return what is lost where it is alone, and the part of it outdoors [W]."""
        self._load_w = load_w = self._nothing_w.copy()
        for i, part in self._routes.sinks["it"]:
            load_w[i] = part * it_w
        lost_w, outdoors_w, _ = carry(self._it_runs, load_w)
        return lost_w, outdoors_w

    def serve_all(self, asked_w: Asked, dt_s: float) -> tuple[float, float, float] | None:
        """Carry the rest too; return what it loses, the part outdoors, and what sources give.

        None, with nothing done, where that is more than makes a calm beat.
        """
        it_w, mechanical_w, aux_w, movers_w = asked_w
        most_it_w, most_mechanical_w, most_aux_w, most_movers_w = self.most_w
        if (
            it_w > most_it_w
            or mechanical_w > most_mechanical_w
            or aux_w > most_aux_w
            or movers_w > most_movers_w
        ):
            return None
        load_w = self._load_w
        for i, part, kind in self._sinks:
            load_w[i] = part * asked_w[kind]
        self.beats.append((it_w, mechanical_w, aux_w, movers_w, dt_s))
        return carry(self._other_runs, load_w)

    def take(self) -> tuple[list[float], Floats]:
        """Return the highest load of each element since the last call, and what IT is owed.

        Returns
        -------
        peaks_w : list of float
            By element. [W]
        owed_j : ndarray, shape (beats,)
            Losses owed to IT in each beat. [J]
        """
        *loads_w, dt_s = np.array(self.beats).T
        self.beats.clear()
        load_w, owed_w = walked(self._routes, dict(zip(LOADS, loads_w, strict=True)))
        return [float(each_w.max()) for each_w in load_w], owed_w * dt_s
