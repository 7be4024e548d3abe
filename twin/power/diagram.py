"""The one-line diagram as configuration: named elements and who feeds whom.

A diagram is a directed graph without cycles, from sources (utility, generator)
to sinks (racks, mechanical, auxiliary). An element may have several feeders: it
draws ``equal`` parts from all that are alive (dual-corded racks, parallel
boards), or everything from the ``first`` that is alive (a transfer switch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import networkx as nx

from twin.config import (
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    Range,
    Units,
    UnitsOrZero,
)
from twin.errors import require, require_known
from twin.power.base import Load
from twin.power.battery import Battery
from twin.power.breaker import Breaker
from twin.power.fuel import Tank

SOURCES = frozenset({"utility", "generator"})
SINKS: dict[str, Load] = {
    "racks": "it",
    "mechanical": "mechanical",
    "auxiliary": "aux",
    "movers": "movers",
}
"""Type of a sink -> the load it carries; all but movers are in every diagram."""

ElementType = Literal[
    "utility",
    "generator",
    "transformer",
    "switchboard",
    "ats",
    "sts",
    "ups",
    "rectifier",
    "pdu",
    "busway",
    "racks",
    "mechanical",
    "auxiliary",
    "movers",
]


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a generator set comes to life."""

    start_s: Positive
    """From the call to voltage and frequency in band. [s]"""
    failure_fraction: Fraction
    """Part of the demands at which a set does not start. [-]"""
    heater_fraction: Fraction = 0.0
    """What keeps the sets warm enough to start, over the rating of all installed; counted
    through outages too. [-]"""


@dataclass(kw_only=True)
class Element:
    """One symbol of the diagram: a group of identical units in parallel, sharing load equally.

    Rating: either ``unit_kw`` as built, or left out and sized, when the design load
    is known, so that the units needed (without the spare ones) carry it at
    ``design_loading``. ``unit_max_kw`` then says how large one unit may be, and so
    how many are needed.
    """

    type: ElementType
    heat_to: Literal["hall", "electrical_room", "outdoor"]
    loss: tuple[Fraction, Fraction, Fraction]
    """``a0, a1, a2``: loss = rating * (a0 + a1 x + a2 x^2), x = output over rating. [-]"""
    fed_by: str | list[str] | None = None
    draw: Literal["equal", "first"] = "equal"
    units: Units | None = None
    """Units installed, spare ones included; None: as many as needed plus the spare ones."""
    spare_units: UnitsOrZero = 0
    """Units beyond those needed; energised, and sharing the load like all others."""
    unit_kw: Positive | None = None
    unit_max_kw: Positive | None = None
    design_loading: Annotated[float, Range(0.01, 1.0)] = 1.0
    """Part of the rating of the units needed that the design load may take: the steady
    load factor that keeps the redundancy, e.g. 0.5 for each side of 2N. [-]"""
    share: PositiveFraction = 1.0
    """Sinks only: the part of the IT, mechanical or auxiliary load that hangs here. [-]"""
    delay_s: NonNegative = 0.0
    """From voltage at the input to voltage at the output: the transfer of a switch, the
    staged reconnection of a branch, the walk-in of a UPS while its battery still carries. [s]"""
    walk_in_steps: Units = 1
    """Equal steps in which it takes its load over from its battery during ``delay_s``, so that
    generators are loaded block by block; 1: all at the end of it."""
    retransfer_s: NonNegative = 0.0
    """Draw ``first`` only: how long the first feeder must be back before it is used again. [s]"""
    start: Start | None = None
    fuel: Tank | None = None
    """Generators only; None: it never runs dry."""
    battery: Battery | None = None
    breaker: Breaker | None = None
    bypass: tuple[Fraction, Fraction, Fraction] | None = None
    """Loss coefficients of a static bypass: what an overload sets off puts the load on the
    bypass, with no battery behind it, instead of dropping it. [-]"""

    def __post_init__(self) -> None:
        self._check_backup()
        both = self.unit_kw is not None and self.unit_max_kw is not None
        require(not both, "unit_max_kw", self.unit_max_kw, "left out where unit_kw is given")
        counted = self.units is not None and self.unit_max_kw is not None
        require(not counted, "unit_max_kw", self.unit_max_kw, "left out where units is given")
        needed = self.units is None or self.units > self.spare_units
        require(needed, "units", self.units, f"more than spare_units={self.spare_units}")
        if self.type in SOURCES:
            require(not self.feeders(), "fed_by", self.fed_by, f"left out for a {self.type}")
            require(self.draw == "equal", "draw", self.draw, f"left out for a {self.type}")
        else:
            require(bool(self.feeders()), "fed_by", self.fed_by, "the name of an element")
        if self.type not in SINKS:
            require(self.share == 1.0, "share", self.share, f"left out for a {self.type}")

    def _check_backup(self) -> None:
        is_generator = self.type == "generator"
        ok = is_generator == (self.start is not None)
        require(ok, "start", self.start, "given for a generator, and only there")
        ok = is_generator or self.fuel is None
        require(ok, "fuel", "given", f"left out for a {self.type}")
        hangs = self.type not in SOURCES and self.type not in SINKS
        ok = hangs or self.battery is None
        require(ok, "battery", "given", f"left out for a {self.type}")
        ok = self.walk_in_steps == 1 or (self.battery is not None and self.draw == "equal")
        require(
            ok, "walk_in_steps", self.walk_in_steps, "1 without a battery, or where it switches"
        )
        ok = self.bypass is None or self.breaker is not None
        require(ok, "breaker", None, "given where there is a bypass: it says when to turn to it")
        ok = self.draw == "first" or self.retransfer_s == 0.0
        require(ok, "retransfer_s", self.retransfer_s, "left out where draw is not 'first'")

    def feeders(self) -> list[str]:
        """Return the names of the elements that feed this one, preferred first."""
        if self.fed_by is None:
            return []
        return [self.fed_by] if isinstance(self.fed_by, str) else list(self.fed_by)

    def build(self, design_w: float) -> tuple[int, float]:
        """Return (units installed, rating of one [W]) for a design load of *design_w*."""
        wanted_w = design_w / self.design_loading
        if self.unit_kw is not None:
            unit_w = self.unit_kw * 1e3
            if self.units is not None:
                return self.units, unit_w
            return _pieces(wanted_w, unit_w) + self.spare_units, unit_w
        if self.units is not None:
            needed = self.units - self.spare_units
        elif self.unit_max_kw is not None:
            needed = _pieces(wanted_w, self.unit_max_kw * 1e3)
        else:
            needed = 1
        return needed + self.spare_units, wanted_w / needed


def _pieces(whole_w: float, piece_w: float) -> int:
    """Return how many pieces cover the whole, at least one, blind to rounding."""
    return max(1, -int(-whole_w * (1.0 - 1e-12) // piece_w))


def diagram(elements: Mapping[str, Element]) -> nx.DiGraph:
    """Return the feed as a graph from sources to sinks, checked.

    Parameters
    ----------
    elements : mapping of str to Element
        The elements by name.

    Returns
    -------
    networkx.DiGraph
        One node per element, one edge from feeder to fed, in drawing order.

    Raises
    ------
    ParameterError
        If a feeder is unknown or named twice, if elements feed each other in a
        circle, if an element feeds nothing, if a kind of load has no sink, if the
        shares of the sinks of a kind do not add up to 1, or if no switch would ever
        call a generator.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(elements)
    for name, element in elements.items():
        feeders = element.feeders()
        key = f"elements.{name}.fed_by"
        require(len(set(feeders)) == len(feeders), key, feeders, "names without repetition")
        for feeder in feeders:
            require_known(key, feeder, elements, "an element")
            is_sink = elements[feeder].type in SINKS
            require(not is_sink, key, feeder, f"no {elements[feeder].type}: nothing hangs on it")
            graph.add_edge(feeder, name)
    _check_no_cycle(graph)
    _check_sinks(graph, elements)
    _check_generators(graph, elements)
    return graph


def with_movers(elements: Mapping[str, Element], wanted: list[Any]) -> dict[str, Element]:
    """Return the diagram with a branch for fans and pumps on the UPS that feed the racks.

    It is like the mechanical branch, and draws from all those UPS in equal parts.

    Raises
    ------
    ParameterError
        If no UPS or rectifier with a battery feeds racks.
    """
    racks = [name for name, element in elements.items() if element.type == "racks"]
    backed = list(dict.fromkeys(ups for name in racks for ups in _ups_above(name, elements)))
    require(bool(backed), "movers_on_ups", wanted, "[]: no UPS with a battery feeds the racks")
    require("movers" not in elements, "elements.movers", "an element", "named otherwise")
    alike = next(element for element in elements.values() if element.type == "mechanical")
    branch = replace(alike, type="movers", fed_by=backed, draw="equal", delay_s=0.0, share=1.0)
    return {**elements, "movers": branch}


def _ups_above(name: str, elements: Mapping[str, Element]) -> list[str]:
    """Return the UPS that carry *name* in normal operation, nearest first."""
    found: list[str] = []
    feeders = elements[name].feeders()
    for feeder in feeders[:1] if elements[name].draw == "first" else feeders:
        element = elements.get(feeder)
        if element is None:
            continue  # refused when the diagram is drawn
        if element.type in ("ups", "rectifier") and element.battery is not None:
            found.append(feeder)
        else:
            found += _ups_above(feeder, elements)
    return found


def _check_no_cycle(graph: nx.DiGraph) -> None:
    if nx.is_directed_acyclic_graph(graph):
        return
    circle: list[Any] = [edge[0] for edge in nx.find_cycle(graph)]
    path = " -> ".join([*circle, circle[0]])
    require(False, f"elements.{circle[0]}.fed_by", path, "free of circles")


def _check_sinks(graph: nx.DiGraph, elements: Mapping[str, Element]) -> None:
    for name, element in elements.items():
        if element.type not in SINKS:
            ends = f"elements.{name}"
            require(graph.out_degree(name) > 0, ends, element.type, "named in a fed_by, or removed")
    for kind, load in SINKS.items():
        shares = [e.share for e in elements.values() if e.type == kind]
        if kind == "movers" and not shares:
            continue
        require(bool(shares), "elements", sorted(elements), f"with a '{kind}' for the {load} load")
        total = sum(shares)
        ok = abs(total - 1.0) < 1e-9
        require(ok, f"share of all '{kind}'", round(total, 9), "1 in sum")


def backed_by(generator: str, graph: nx.DiGraph, elements: Mapping[str, Element]) -> list[str]:
    """Return the switches that call *generator*: it is behind another than their first feeder."""
    reached = {generator, *nx.descendants(graph, generator)}
    return [
        name
        for name, element in elements.items()
        if element.draw == "first"
        and element.feeders()[0] not in reached
        and any(feeder in reached for feeder in element.feeders())
    ]


def _check_generators(graph: nx.DiGraph, elements: Mapping[str, Element]) -> None:
    for name, element in elements.items():
        if element.type == "generator":
            called = bool(backed_by(name, graph, elements))
            allowed = "behind a later feeder of an element with draw 'first', which calls it"
            require(called, f"elements.{name}", "generator", allowed)
