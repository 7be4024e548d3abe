"""What each element carries and loses in a beat, and the most it has carried."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from twin.errors import told_apart
from twin.power.calm import Asked
from twin.power.diagram import SINKS
from twin.power.routes import Routes, Row

ROUNDING = 1.0 + 1e-9
"""Loads this close to a rating are at the rating."""


class Loads:
    """The loads of one beat, first those of IT alone, then the rest.

    Lists run over elements, leaf to root, like those of the feed.
    """

    def __init__(self, names: Sequence[str], warnings: list[str]) -> None:
        """Take elements that carry nothing yet, and where to say that one is overloaded."""
        count = len(names)
        self.load_w = [0.0] * count
        self.loss_w = [0.0] * count
        self.peak_w = [0.0] * count
        """The highest load so far."""
        self.overloaded: list[int] = []
        """Elements above their rating in this beat."""
        self.names, self._warnings = names, warnings
        self._told: set[int] = set()
        """Elements whose overload has been reported."""
        self._nothing_w = [0.0] * count
        self._mark_w: list[float] = []
        """Load from which an element must be looked at: a new peak, or above its rating."""
        self.routes: Routes

    def route(self, routes: Routes, late: Sequence[int]) -> None:
        """Follow *routes* from now on; those *late* have their final load after the walk."""
        self.routes = routes
        self._mark_w = [
            min(peak_w, rated_w * ROUNDING)
            for peak_w, rated_w in zip(self.peak_w, routes.rated_w, strict=True)
        ]
        for i in late:
            self._mark_w[i] = inf

    def begin(self, it_w: float) -> None:
        """Put IT where it hangs; nothing else is carried yet."""
        load_w = self.load_w
        load_w[:] = self._nothing_w
        for i, part in self.routes.sinks["it"]:
            load_w[i] = part * it_w

    def carry_it(self) -> tuple[float, float]:
        """Carry IT to where it meets other loads; return (losses, those outdoors) [W]."""
        load_w, loss_w, mark_w = self.load_w, self.loss_w, self._mark_w
        lost_w = ambient_w = 0.0
        for i, at_rest_w, linear, quadratic, outdoors, feeders in self.routes.it_rows:
            out_w = load_w[i]
            loss_w[i] = loss = at_rest_w + out_w * (linear + out_w * quadratic)
            lost_w += loss
            if outdoors:
                ambient_w += loss
            if out_w > mark_w[i]:
                self._look(i, out_w)
            for j, part in feeders:
                load_w[j] += part * (out_w + loss)
        return lost_w, ambient_w

    def carry_others(self, asked_w: Asked) -> tuple[float, float, float]:
        """Carry what is asked beside IT; return (losses, those outdoors, those owed to IT) [W]."""
        load_w, sinks = self.load_w, self.routes.sinks
        it_load_w = load_w.copy()  # so far IT alone has arrived anywhere
        _, mechanical_w, aux_w, movers_w = asked_w
        for i, part in sinks["mechanical"]:
            load_w[i] = part * mechanical_w
        for i, part in sinks["aux"]:
            load_w[i] = part * aux_w
        for i, part in sinks["movers"]:
            load_w[i] = part * movers_w
        return self._walk_shared(self.routes.other_rows, it_load_w)

    def _walk_shared(self, rows: list[Row], it_load_w: list[float]) -> tuple[float, float, float]:
        """Add loads up where IT meets others; a shared loss is owed to IT by its output."""
        load_w, loss_w, mark_w = self.load_w, self.loss_w, self._mark_w
        lost_w = ambient_w = it_lost_w = 0.0
        for i, at_rest_w, linear, quadratic, outdoors, feeders in rows:
            out_w = load_w[i]
            loss_w[i] = loss = at_rest_w + out_w * (linear + out_w * quadratic)
            lost_w += loss
            if outdoors:
                ambient_w += loss
            if out_w > mark_w[i]:
                self._look(i, out_w)
            it_part = it_load_w[i] / out_w if out_w > 0.0 else 0.0
            it_lost_w += it_part * loss
            for j, part in feeders:
                flow_w = part * (out_w + loss)
                load_w[j] += flow_w
                it_load_w[j] += it_part * flow_w
        return lost_w, ambient_w, it_lost_w

    def drawn_w(self, sources: Sequence[int]) -> float:
        """Return what leaves *sources* and is lost in them [W]."""
        load_w, loss_w = self.load_w, self.loss_w
        total_w = 0.0
        for i in sources:
            total_w += load_w[i] + loss_w[i]
        return total_w

    def unserved_w(self, asked_w: Asked) -> float:
        """Return what was asked for by loads of which no part has voltage [W]."""
        asked = zip(SINKS.values(), asked_w, strict=True)
        return sum(power_w for load, power_w in asked if not self.routes.sinks[load])

    def look_at_meter(self, i: int) -> None:
        """Keep the peak of a utility once storage and PV have done their part."""
        if self.load_w[i] > min(self.peak_w[i], self.routes.rated_w[i] * ROUNDING):
            self._look(i, self.load_w[i])
            self._mark_w[i] = inf

    def keep_peaks(self, peaks_w: Sequence[float]) -> None:
        """Take the peaks of beats that were not walked."""
        self.peak_w = [max(pair) for pair in zip(self.peak_w, peaks_w, strict=True)]

    def _look(self, i: int, out_w: float) -> None:
        """Keep a new peak of an element, and say once that it is above its rating."""
        limit_w = self.routes.rated_w[i] * ROUNDING
        self.peak_w[i] = max(self.peak_w[i], out_w)
        self._mark_w[i] = min(self.peak_w[i], limit_w)
        if out_w <= limit_w:
            return
        self.overloaded.append(i)
        if i not in self._told:
            self._told.add(i)
            rated_kw = self.routes.rated_w[i] / 1e3
            self._warnings.append(
                f"power: {self.names[i]} carried {told_apart(out_w / 1e3, 0.0, rated_kw)} kW, "
                f"above its rating of {rated_kw:.1f} kW"
            )
