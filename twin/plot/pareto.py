"""Designs by two figures of the scorecard, and those that no other design beats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.plot import style
from twin.plot.comparison import axis_title, values_of
from twin.results.compare import Comparison
from twin.results.explain import Sense, non_dominated
from twin.schema import SUMMARY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

USUAL = ("cost_per_gpu_hour", "carbon_t")
"""What a front is drawn of where nobody says."""
MOST_NAMES = 12
"""Designs of the front named in the figure; a longer front is named at its ends and in between."""


def draw(
    comparison: Comparison, folder: Path, metrics: tuple[str, str] = USUAL, name: str = "pareto"
) -> Path | None:
    """Draw all designs and the front of two *metrics*; None where fewer than two have both."""
    x, x_unit = values_of(comparison, metrics[0])
    y, y_unit = values_of(comparison, metrics[1])
    known = ~np.isnan(x) & ~np.isnan(y)
    if known.sum() < 2:
        return None
    front = non_dominated(np.column_stack([x, y]), [_sense(metric) for metric in metrics])
    figure = style.new_figure(8.6, 5.4, right=0.35)
    axes = figure.subplots()
    others = known & ~front
    axes.plot(x[others], y[others], "o", color=style.COLOURS["aux"], markersize=4, alpha=0.7)
    order = np.flatnonzero(front)[np.argsort(x[front], kind="stable")]
    axes.plot(x[order], y[order], "o-", color=style.COLOURS["hot"], linewidth=1.2, markersize=6)
    _names(axes, comparison, x, y, order)
    title = f"{len(order)} of {known.sum()} designs are beaten by no other"
    style.dress(axes, axis_title(metrics[1], y_unit), title)
    axes.set_xlabel(axis_title(metrics[0], x_unit), color=style.INK)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    axes.margins(0.12)
    return style.save(figure, folder, name)


def _sense(metric: str) -> Sense:
    return "higher" if SUMMARY[metric].better == "higher" else "lower"


def _names(
    axes: Axes,
    comparison: Comparison,
    x: style.Floats,
    y: style.Floats,
    order: NDArray[np.intp],
) -> None:
    """Name the designs of the front, as many as there is room for."""
    step = max(1, -(-len(order) // MOST_NAMES))
    middle = 0.5 * (np.nanmin(x) + np.nanmax(x))
    for k in order[::step]:
        right = bool(x[k] > middle)
        style.label(
            axes,
            comparison.label(comparison.entries[int(k)]),
            (x[k], y[k]),
            (-6 if right else 6, 6),
            ha="right" if right else "left",
        )
