"""The diagram flattened: who draws from whom now, as rows that a beat walks leaf to root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from twin.power.base import Load
from twin.power.diagram import SINKS, Element
from twin.power.supply import Part, Supply

Row = tuple[int, float, float, float, bool, Sequence[Part]]
"""Element, loss polynomial in its output [W], whether outdoors, (feeder, part drawn)."""


@dataclass(frozen=True, slots=True)
class Routes:
    """What stays the same until somebody's supply changes."""

    it_rows: list[Row]
    """Elements that can carry IT load alone, leaf to root."""
    other_rows: list[Row]
    sinks: Mapping[Load, list[Part]]
    """Load -> (sink, part of the load), sinks with voltage only."""
    rated_w: list[float]
    """Rating of the units in service; 0 where the element has no voltage."""
    all_fed: bool
    """Whether every kind of load has at least one sink with voltage."""


def flatten(
    elements: Sequence[Element],
    it_alone: Sequence[bool],
    unit_w: Sequence[float],
    supply: Supply,
) -> Routes:
    """Return the routes of the present *supply*.

    Parameters
    ----------
    elements : sequence of Element
        Leaf to root.
    it_alone : sequence of bool
        Whether nothing but IT load hangs below an element.
    unit_w : sequence of float
        Rating of one unit of each. [W]
    supply : Supply
        Who has voltage, and from where.

    Returns
    -------
    Routes
        Rows with the losses of the units in service.
    """
    rated_w = [
        supply.carrying(i) * each_w if supply.energised(i) else 0.0
        for i, each_w in enumerate(unit_w)
    ]
    rows = [_row(i, element, rated_w[i], supply) for i, element in enumerate(elements)]
    sinks = {load: _live_sinks(elements, load, supply) for load in SINKS.values()}
    return Routes(
        it_rows=[row for row in rows if it_alone[row[0]]],
        other_rows=[row for row in rows if not it_alone[row[0]]],
        sinks=sinks,
        rated_w=rated_w,
        all_fed=all(sinks[SINKS[e.type]] for e in elements if e.type in SINKS),
    )


def _row(i: int, element: Element, rated_w: float, supply: Supply) -> Row:
    feeders, outdoors = supply.draws(i), element.heat_to == "outdoor"
    if rated_w == 0.0:  # no voltage, or sized for no load at all: nothing to magnetise
        return i, 0.0, 0.0, 0.0, outdoors, feeders
    a0, a1, a2 = element.bypass if element.bypass and supply.bypassed[i] else element.loss
    return i, rated_w * a0, a1, a2 / rated_w, outdoors, feeders


def _live_sinks(elements: Sequence[Element], load: str, supply: Supply) -> list[Part]:
    found = [
        (i, element.share)
        for i, element in enumerate(elements)
        if SINKS.get(element.type) == load and supply.energised(i)
    ]
    total = sum(share for _, share in found)
    return [(i, share / total) for i, share in found]


def element_loads_w(
    routes: Routes,
    it_w: NDArray[np.float64],
    others_w: Mapping[Load, float],
    extra_w: Sequence[float],
) -> list[NDArray[np.float64]]:
    """Return what each element delivers, at many values of IT power at once.

    Parameters
    ----------
    routes : Routes
        Who draws from whom.
    it_w : ndarray, shape (n,)
        IT power. [W]
    others_w : mapping of str to float
        The other loads, by kind. [W]
    extra_w : sequence of float
        What each element draws beyond output and loss, for its battery. [W]

    Returns
    -------
    list of ndarray, shape (n,)
        By element; a source's own loss, which is what it draws more, not included. [W]
    """
    load_w = [np.zeros_like(it_w) for _ in extra_w]
    for load, sinks in routes.sinks.items():
        for i, part in sinks:
            load_w[i] = load_w[i] + part * (it_w if load == "it" else others_w[load])
    for i, at_rest_w, linear, quadratic, _, feeders in routes.it_rows + routes.other_rows:
        out_w = load_w[i]
        drawn_w = out_w + at_rest_w + out_w * (linear + out_w * quadratic) + extra_w[i]
        for j, part in feeders:
            load_w[j] = load_w[j] + part * drawn_w
    return load_w


def highest_it_w(
    routes: Routes,
    limits_w: Sequence[float],
    others_w: Mapping[Load, float],
    extra_w: Sequence[float],
) -> float:
    """Return the IT power at which the first element on its way reaches its limit.

    Parameters
    ----------
    routes : Routes
        Who draws from whom.
    limits_w : sequence of float
        What each element may deliver, leaf to root. [W]
    others_w : mapping of Load to float
        The other loads. [W]
    extra_w : sequence of float
        What each element draws beyond output and loss, for its battery. [W]

    Returns
    -------
    float
        IT power; 0 where no rack has voltage or other loads already take all. [W]
    """
    racks = routes.sinks["it"]
    if not racks:
        return 0.0

    def fullest(it_w: float) -> float:
        return _fullest(routes, limits_w, {**others_w, "it": it_w}, extra_w)

    return _root(fullest, min(limits_w[i] / part for i, part in racks))


def _fullest(
    routes: Routes,
    limits_w: Sequence[float],
    asked_w: Mapping[Load, float],
    extra_w: Sequence[float],
) -> float:
    """Return the highest load over limit among elements that carry IT."""
    count = len(limits_w)
    load_w, carries_it = [0.0] * count, [False] * count
    for load, power_w in asked_w.items():
        for i, part in routes.sinks[load]:
            load_w[i], carries_it[i] = part * power_w, load == "it"
    fullest = 0.0
    for i, at_rest_w, linear, quadratic, _, feeders in routes.it_rows + routes.other_rows:
        out_w = load_w[i]
        if carries_it[i] and out_w > 0.0:
            fullest = max(fullest, out_w / limits_w[i] if limits_w[i] > 0.0 else inf)
        drawn_w = out_w + at_rest_w + out_w * (linear + out_w * quadratic) + extra_w[i]
        for j, part in feeders:
            load_w[j] += part * drawn_w
            carries_it[j] = carries_it[j] or carries_it[i]
    return fullest


def _root(fullest: Callable[[float], float], most_w: float) -> float:
    """Return the largest argument up to *most_w* at which increasing *fullest* is at most 1.

    Regula falsi, the Illinois variant: bracketed like bisection, and quick because
    loads are almost straight lines.
    """
    low_w, high_w = 0.0, most_w
    under, over = fullest(low_w) - 1.0, fullest(high_w) - 1.0
    if over <= 1e-12:
        return high_w
    if under >= 0.0 or over == inf:
        return 0.0
    for _ in range(60):
        middle_w = high_w - over * (high_w - low_w) / (over - under)
        value = fullest(middle_w) - 1.0
        if abs(value) < 1e-12 or high_w - low_w < 1e-12 * most_w:
            return middle_w
        if value > 0.0:
            high_w, over, under = middle_w, value, under / 2.0
        else:
            low_w, under, over = middle_w, value, over / 2.0
    return low_w
