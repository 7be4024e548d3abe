"""A feed of named elements: every watt from the meter to the rack inlets, loss by loss.

The diagram is checked once and flattened to rows ordered from leaf to root, each
``(element, no-load loss, proportional, quadratic, feeders)``. A beat walks the rows
twice: first those that carry IT load alone, whose losses the cooling plant must
know, then the rest. What an element draws is its output plus its loss, so source =
sinks + losses holds at every node by construction, at the element's own load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx as nx

from twin.errors import require, suggest
from twin.power.base import FeedDesign, FeedState, PowerFeed
from twin.power.diagram import SINKS, SOURCES, Element, diagram
from twin.power.elements import loss_w

Row = tuple[int, float, float, float, bool, Sequence[tuple[int, float]]]
"""Element, loss polynomial in its output [W], whether outdoors, (feeder, part drawn)."""


@dataclass(kw_only=True)
class Feed(PowerFeed):
    """A diagram of any shape without circles; see the files in ``conf/power``."""

    elements: dict[str, Element]

    # ---- fixed by size() ----
    _names: list[str] = field(init=False, repr=False)
    """Leaf to root: whoever is fed comes before its feeders."""
    _index: dict[str, int] = field(init=False, repr=False)
    _graph: nx.DiGraph = field(init=False, repr=False)
    _unit_w: list[float] = field(init=False, repr=False)
    _installed: list[int] = field(init=False, repr=False)
    _carries: list[frozenset[str]] = field(init=False, repr=False)
    """Which loads (it, mechanical, aux) an element may carry."""
    _meters: list[int] = field(init=False, repr=False)

    # ---- fixed by the units in service ----
    _in_service: list[int] = field(init=False, repr=False)
    _live: list[bool] = field(init=False, repr=False)
    _rated_w: list[float] = field(init=False, repr=False)
    """Rating of the units in service; 0 where the element is dead."""
    _it_rows: list[Row] = field(init=False, repr=False)
    _other_rows: list[Row] = field(init=False, repr=False)
    _sinks: dict[str, list[tuple[int, float]]] = field(init=False, repr=False)
    """Load -> (sink, part of the load), live sinks only."""

    # ---- of the present beat ----
    _load_w: list[float] = field(init=False, repr=False)
    _loss_w: list[float] = field(init=False, repr=False)
    _peak_w: list[float] = field(init=False, repr=False)
    _told: set[int] = field(init=False, repr=False, default_factory=set)
    """Elements whose overload has been reported."""
    _unserved_it_w: float = field(init=False, default=0.0)
    _it_loss_w: float = field(init=False, default=0.0)
    _it_ambient_w: float = field(init=False, default=0.0)
    _released_j: float = field(init=False, default=0.0)
    _held_j: float = field(init=False, default=0.0)
    """Heat of indoor elements whose loss was known too late for this beat's cooling."""

    def __post_init__(self) -> None:
        self._graph = diagram(self.elements)
        self._names = list(reversed(list(nx.topological_sort(self._graph))))
        self._index = {name: i for i, name in enumerate(self._names)}
        self._carries = [
            frozenset(
                SINKS[self.elements[below].type]
                for below in [name, *nx.descendants(self._graph, name)]
                if self.elements[below].type in SINKS
            )
            for name in self._names
        ]
        self._meters = [i for i, n in enumerate(self._names) if self.elements[n].type == "utility"]
        require(bool(self._meters), "elements", self._names, "with a utility")

    def size(self, design: FeedDesign) -> None:
        """Fix ratings leaf to root, each element for the design load and losses below it."""
        wanted = {"it": design.it_w, "mechanical": design.mechanical_w, "aux": design.aux_w}
        count = len(self._names)
        load_w = [0.0] * count
        self._unit_w, self._installed = [0.0] * count, [0] * count
        for i, name in enumerate(self._names):
            element = self.elements[name]
            if element.type in SINKS:
                load_w[i] = element.share * wanted[SINKS[element.type]]
            units, unit_w = element.build(load_w[i])
            self._installed[i], self._unit_w[i] = units, unit_w
            rated_w = units * unit_w
            drawn_w = load_w[i] + (loss_w(load_w[i], rated_w, element.loss) if rated_w else 0.0)
            for j, part in self._parts(name, [True] * count):
                load_w[j] += part * drawn_w
        self._load_w, self._loss_w = [0.0] * count, [0.0] * count
        self._peak_w = [0.0] * count
        self._in_service = list(self._installed)
        self._held_j = 0.0
        self._route()

    def set_available(self, element: str, units: int) -> None:
        """Let *units* of *element* be in service from now on; load finds the surviving paths.

        Parameters
        ----------
        element : str
            Name of an element.
        units : int
            Units in service, from 0 to those installed.

        Raises
        ------
        ParameterError
            If there is no such element, or not so many units.
        """
        known = element in self._index
        require(known, "element", element, f"in the diagram; {suggest(element, self._index)}")
        i = self._index[element]
        installed = self._installed[i]
        ok = 0 <= units <= installed
        require(ok, f"{element}.units", units, f"0 to {installed} installed")
        self._in_service[i] = units
        self._route()

    def serve_it(self, it_w: float, dt_s: float) -> float:
        """Carry *it_w* to the racks; return the heat released into cooled space [W]."""
        load_w = self._load_w
        for i in range(len(load_w)):
            load_w[i] = 0.0
        for i, part in self._sinks["it"]:
            load_w[i] = part * it_w
        lost_w, ambient_w, _ = self._walk(self._it_rows, None)
        self._unserved_it_w = 0.0 if self._sinks["it"] else it_w
        self._it_loss_w, self._it_ambient_w = lost_w, ambient_w
        self._released_j = self._held_j
        return lost_w - ambient_w + self._held_j / dt_s

    def serve_all(self, mechanical_w: float, aux_w: float, dt_s: float) -> FeedState:
        """Carry cooling and auxiliaries too and close the beat."""
        load_w = self._load_w
        it_load_w = list(load_w)  # so far IT alone has arrived anywhere
        for i, part in self._sinks["mechanical"]:
            load_w[i] = part * mechanical_w
        for i, part in self._sinks["aux"]:
            load_w[i] = part * aux_w
        lost_w, ambient_w, it_lost_w = self._walk(self._other_rows, it_load_w)
        unserved_w = self._unserved_it_w
        unserved_w += 0.0 if self._sinks["mechanical"] else mechanical_w
        unserved_w += 0.0 if self._sinks["aux"] else aux_w
        self._held_j = (lost_w - ambient_w) * dt_s
        return FeedState(
            utility_w=sum(load_w[i] + self._loss_w[i] for i in self._meters),
            loss_w=self._it_loss_w + lost_w,
            it_loss_w=self._it_loss_w + it_lost_w,
            ambient_heat_w=self._it_ambient_w + ambient_w,
            stored_j=self._held_j - self._released_j,
            battery_j=None,
            unserved_w=unserved_w,
        )

    def one_line(self) -> nx.DiGraph:
        """Return the diagram with what each element is, may carry, carries and loses.

        Node attributes: ``kind``, ``units`` (in service), ``installed``, ``rated_w``
        (of the units in service), ``load_w`` (output), ``peak_w`` (highest so far),
        ``loss_w``, ``x`` (load over rating; None where no unit is in service),
        ``heat_to``. Edge attribute: ``load_w``, what flows along it.
        """
        graph = nx.DiGraph()
        for i in reversed(range(len(self._names))):
            name, rated_w = self._names[i], self._rated_w[i]
            graph.add_node(
                name,
                kind=self.elements[name].type,
                units=self._in_service[i],
                installed=self._installed[i],
                rated_w=rated_w,
                load_w=self._load_w[i],
                peak_w=self._peak_w[i],
                loss_w=self._loss_w[i],
                x=self._load_w[i] / rated_w if rated_w else None,
                heat_to=self.elements[name].heat_to,
            )
        for feeder, fed in self._graph.edges:
            graph.add_edge(feeder, fed, load_w=0.0)
        for i, *_, feeders in self._it_rows + self._other_rows:
            for j, part in feeders:
                drawn_w = part * (self._load_w[i] + self._loss_w[i])
                graph.edges[self._names[j], self._names[i]]["load_w"] = drawn_w
        return graph

    def _walk(self, rows: list[Row], it_load_w: list[float] | None) -> tuple[float, float, float]:
        """Add loads up along *rows*; return (all losses, those outdoors, those owed to IT) [W].

        A loss shared by IT and other loads is owed to IT in proportion to its output.
        """
        load_w, loss_w_, peak_w = self._load_w, self._loss_w, self._peak_w
        lost_w = ambient_w = it_lost_w = 0.0
        for i, at_rest_w, linear, quadratic, outdoors, feeders in rows:
            out_w = load_w[i]
            loss = at_rest_w + out_w * (linear + out_w * quadratic)
            loss_w_[i] = loss
            lost_w += loss
            if outdoors:
                ambient_w += loss
            if out_w > peak_w[i]:
                self._new_peak(i, out_w)
            drawn_w = out_w + loss
            for j, part in feeders:
                load_w[j] += part * drawn_w
            if it_load_w is not None and out_w > 0.0:
                it_part = it_load_w[i] / out_w
                it_lost_w += it_part * loss
                for j, part in feeders:
                    it_load_w[j] += part * it_part * drawn_w
        return lost_w, ambient_w, it_lost_w

    def _new_peak(self, i: int, out_w: float) -> None:
        """Keep the highest load of an element, and say once that it is above its rating."""
        rated_w = self._rated_w[i]
        above = out_w > rated_w * (1.0 + 1e-9)
        if above and i not in self._told:
            self._told.add(i)
            self.warnings.append(
                f"power: {self._names[i]} carried {out_w / 1e3:.1f} kW, "
                f"above its rating of {rated_w / 1e3:.1f} kW"
            )
        self._peak_w[i] = out_w

    def _parts(self, name: str, live: Sequence[bool]) -> list[tuple[int, float]]:
        """Return which live feeders an element draws from, and which part of its input each."""
        element = self.elements[name]
        found = [j for j in map(self._index.__getitem__, element.feeders()) if live[j]]
        if element.draw == "first":
            found = found[:1]
        return [(j, 1.0 / len(found)) for j in found]

    def _route(self) -> None:
        """Find who is alive and where each draws from, and flatten that to rows."""
        count = len(self._names)
        live = [False] * count
        for i in reversed(range(count)):  # root to leaf
            name = self._names[i]
            fed = self.elements[name].type in SOURCES or bool(self._parts(name, live))
            live[i] = fed and self._in_service[i] > 0
        self._rated_w = [
            self._in_service[i] * self._unit_w[i] if live[i] else 0.0 for i in range(count)
        ]
        rows = [self._row(i, live) for i in range(count)]
        alone = [self._carries[i] == {"it"} for i in range(count)]
        self._it_rows = [row for row in rows if alone[row[0]]]
        self._other_rows = [row for row in rows if not alone[row[0]]]
        self._sinks = {load: self._live_sinks(load, live) for load in SINKS.values()}

    def _row(self, i: int, live: Sequence[bool]) -> Row:
        element, rated_w = self.elements[self._names[i]], self._rated_w[i]
        feeders = self._parts(self._names[i], live) if live[i] else []
        outdoors = element.heat_to == "outdoor"
        if rated_w == 0.0:  # dead, or sized for no load at all: nothing to magnetise
            return i, 0.0, 0.0, 0.0, outdoors, feeders
        a0, a1, a2 = element.loss
        return i, rated_w * a0, a1, a2 / rated_w, outdoors, feeders

    def _live_sinks(self, load: str, live: Sequence[bool]) -> list[tuple[int, float]]:
        """Return the live sinks of a kind of load and the part of what is drawn at each."""
        found = [
            (i, element.share)
            for i, element in enumerate(map(self.elements.__getitem__, self._names))
            if SINKS.get(element.type) == load and live[i]
        ]
        total = sum(share for _, share in found)
        return [(i, share / total) for i, share in found]
