"""The designs of a study between two aims, and those that no other design beats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.quantity import is_number, quantity, scale, spoken
from twin.results.study import Study, Tried
from twin.schema import SUMMARY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_KINDS = 8
"""Values of a choice that are told apart by colour."""
MOST_NAMED = 10
"""Designs of the front that are named in the figure; with more, those at regular distances."""
KINDS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#9AA0A6")
MARKERS = "osD^vP*X"


def draw_study(study: Study, folder: Path) -> Path:
    """Draw ``pareto.png`` for two objectives and more, ``progress.png`` for one."""
    if len(study.aim.objectives) > 1:
        return _draw_front(study, folder)
    return _draw_progress(study, folder)


def _draw_front(study: Study, folder: Path) -> Path:
    first, second = list(study.aim.objectives)[:2]
    figure = style.new_figure(10.0, 6.2, left=0.95, right=2.35)
    axes = figure.subplots()
    known = study.known()
    inside = [one for one in known if one.feasible]
    outside = [one for one in known if not one.feasible]
    units = [_unit(known, key) for key in (first, second)]
    for one in outside:
        axes.plot(*_at(one, units), "x", color=style.COLOURS["aux"], markersize=6, zorder=2)
    if outside:
        axes.plot([], [], "x", color=style.COLOURS["aux"], label="breaks a bound")
    key = _telling(inside)
    kinds = sorted({one.settings[key] for one in inside}) if key else []
    for one in inside:
        kind = kinds.index(one.settings[key]) if key else 0
        axes.plot(*_at(one, units), MARKERS[kind], color=KINDS[kind], markersize=6, alpha=0.75)
    for marker, colour, name in zip(MARKERS, KINDS, kinds, strict=False):
        axes.plot([], [], marker, color=colour, label=name.replace("_", " "))
    best = sorted(study.best(), key=lambda one: _at(one, units)[0])
    if best:
        _draw_best(axes, best, units, key)
    style.dress(axes, _label(second, units[1]))
    axes.set_xlabel(_label(first, units[0]), color=style.INK)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    axes.margins(0.08)
    style.legend(axes)
    bounds = [
        f"{SUMMARY[k].label} {bound.replace('_', ' ')} {quantity(limit, SUMMARY[k].unit)}"
        for k, limits in study.aim.constraints.items()
        for bound, limit in limits.items()
    ]
    said = f"{len(best)} of {len(inside)} designs are beaten by no other"
    axes.set_title("; ".join([said, *bounds]), loc="left", fontsize=10.5, color=style.INK)
    return style.save(figure, folder, "pareto")


def _draw_best(
    axes: Axes, best: Sequence[Tried], units: Sequence[tuple[float, str]], key: str
) -> None:
    """Draw the front as a line, and name designs on it by what *key* does not tell."""
    points = np.array([_at(one, units) for one in best])
    axes.plot(
        *points.T,
        "-o",
        color=style.INK,
        linewidth=1.3,
        markersize=9,
        markerfacecolor="none",
        label="no other design beats it",
        zorder=4,
    )
    others = [name for name in best[0].settings if name != key]
    step = -(-len(best) // MOST_NAMED)
    span, named = np.ptp(points, axis=0), set()
    for one, point in list(zip(best, points, strict=True))[::step]:
        place = tuple(np.round(point / np.where(span > 0.0, span, 1.0), 2).tolist())
        if place in named:  # two names on one another cannot be read
            continue
        named.add(place)
        text = ", ".join(_spoken(name, one.settings[name]) for name in others[:3])
        style.label(
            axes, f"{one.number}: {text}" if text else str(one.number), point, (7, 6), fontsize=7.5
        )


def _draw_progress(study: Study, folder: Path) -> Path:
    [(key, direction)] = study.aim.objectives.items()
    known = study.known()
    unit = _unit(known, key)
    figure = style.new_figure(10.0, 4.6, left=0.95, right=1.9)
    axes = figure.subplots()
    factor = unit[0]
    for feasible, marker, colour, label in (
        (True, "o", style.COLOURS["server"], "a design"),
        (False, "x", style.COLOURS["aux"], "breaks a bound"),
    ):
        some = [one for one in known if one.feasible is feasible]
        if some:
            axes.plot(
                [one.number for one in some],
                [one.values[0] / factor for one in some],
                marker,
                color=colour,
                markersize=5,
                label=label,
            )
    good = [one for one in known if one.feasible]
    if good:
        best = np.minimum if direction == "minimize" else np.maximum
        values = best.accumulate([one.values[0] / factor for one in good])
        numbers = [one.number for one in good]
        axes.step(
            numbers, values, where="post", color=style.INK, linewidth=1.4, label="best so far"
        )
    style.dress(axes, _label(key, unit))
    axes.set_xlabel("trial", color=style.INK)
    style.legend(axes)
    return style.save(figure, folder, "progress")


def _unit(known: Sequence[Tried], key: str) -> tuple[float, str]:
    """Return by what to divide a figure, and the unit in which it then is."""
    values = [abs(float(one.summary[key])) for one in known]
    factor, unit = scale(SUMMARY[key].unit, max(values, default=0.0))
    return factor, spoken(unit, str(known[0].summary.get("currency")) if known else None)


def _label(key: str, unit: tuple[float, str]) -> str:
    return SUMMARY[key].label if unit[1] == "-" else f"{SUMMARY[key].label} [{unit[1]}]"


def _at(one: Tried, units: Sequence[tuple[float, str]]) -> tuple[float, float]:
    return one.values[0] / units[0][0], one.values[1] / units[1][0]


def _telling(trials: Sequence[Tried]) -> str:
    """Return the choice by which the designs are coloured: the first with a few values."""
    for key in trials[0].settings if trials else ():
        names = {one.settings[key] for one in trials}
        if 1 < len(names) <= MOST_KINDS and not any(is_number(name) for name in names):
            return key
    return ""


def _spoken(key: str, value: str) -> str:
    last = key.rpartition(".")[2].replace("_", " ")
    return f"{last} {float(value):.4g}" if is_number(value) else value.replace("_", " ")
