"""Several runs side by side, one panel per figure of the scorecard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.compare import DRAWN, Comparison
from twin.results.quantity import figure as digits
from twin.results.quantity import scale, spoken
from twin.schema import SUMMARY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 24
"""Runs drawn as bars; more are drawn as dots, sorted."""
LONGEST_NAME = 34


def draw(comparison: Comparison, folder: Path) -> Path:
    """Draw ``compare.png`` into *folder*."""
    metrics = comparison.metrics(DRAWN)
    runs = len(comparison.entries)
    columns = 3 if len(metrics) > 2 else max(1, len(metrics))
    rows = max(1, -(-len(metrics) // columns))
    bars = runs <= MOST_BARS
    height = 0.55 + rows * (0.75 + (0.27 * runs if bars else 2.4))
    figure = style.new_figure(11.0, height, left=2.3 if bars else 0.85, right=0.3)
    figure.subplots_adjust(hspace=0.75 / (height / rows - 0.75), wspace=0.12 if bars else 0.3)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=bars).ravel()
    for axes, metric in zip(panels, metrics, strict=False):
        (_bars if bars else _dots)(axes, comparison, metric)
    for axes in panels[len(metrics) :]:
        axes.set_axis_off()
    if bars and runs > 1:
        figure.text(
            0.995, 0.01, "green: best of its panel", ha="right", fontsize=8, color=style.INK
        )
    return style.save(figure, folder, "compare")


def values_of(comparison: Comparison, metric: str) -> tuple[style.Floats, str]:
    """Return the values of all runs and the unit in which they read well."""
    found = [entry.summary.get(metric) for entry in comparison.entries]
    values = np.array([np.nan if value is None else float(value) for value in found])
    factor, unit = unit_of(comparison, metric)
    return values / factor, unit


def unit_of(comparison: Comparison, metric: str) -> tuple[float, str]:
    """Return what one of the unit is in which the values of all runs read well, and its name."""
    unit = SUMMARY[metric].unit
    found = [entry.summary.get(metric) for entry in comparison.entries]
    largest = max((abs(float(value)) for value in found if value is not None), default=0.0)
    factor, unit = scale(unit, largest)
    currencies = {str(entry.summary.get("currency")) for entry in comparison.entries}
    return factor, spoken(unit, "/".join(sorted(currencies)))


def axis_title(metric: str, unit: str) -> str:
    """Return a figure's name with its unit."""
    label = SUMMARY[metric].label
    return label if unit == "-" else f"{label} [{unit}]"


def _title(axes: Axes, metric: str, unit: str) -> None:
    text = axis_title(metric, unit)
    axes.set_title(text, loc="left", fontsize=10, fontweight="bold", color=style.INK)


def _bars(axes: Axes, comparison: Comparison, metric: str) -> None:
    values, unit = values_of(comparison, metric)
    best = comparison.best(metric)
    colours = [style.COLOURS["cooling" if k in best else "server"] for k in range(len(values))]
    at = np.arange(len(values))
    axes.barh(at, np.nan_to_num(values), color=colours, height=0.68)
    longest = float(np.nanmax(values)) if not np.isnan(values).all() else 1.0
    for k, value in enumerate(values):
        text = "not modelled" if np.isnan(value) else digits_of(metric, float(value))
        place = (0.0 if np.isnan(value) else value) + 0.015 * longest
        axes.annotate(text, (place, k), va="center", fontsize=8, color=style.INK)
    style.dress(axes, "")
    axes.grid(visible=False)
    axes.set_xlim(0.0, 1.22 * longest or 1.0)
    axes.set_yticks(at, [name_of(comparison, k) for k in range(len(values))])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.locator_params(axis="x", nbins=5)
    _title(axes, metric, unit)


def _dots(axes: Axes, comparison: Comparison, metric: str) -> None:
    values, unit = values_of(comparison, metric)
    known = np.sort(values[~np.isnan(values)])
    axes.plot(np.arange(1, len(known) + 1), known, ".", color=style.COLOURS["server"], markersize=4)
    style.dress(axes, "")
    axes.set_xlabel("runs, sorted", fontsize=9, color=style.INK)
    _title(axes, metric, unit)


def digits_of(metric: str, value: float) -> str:
    """Return *value* as text: a ratio such as PUE with three decimals."""
    return f"{value:.3f}" if SUMMARY[metric].unit == "-" else digits(value)


def name_of(comparison: Comparison, index: int) -> str:
    """Return what tells a run apart, cut to what a figure has room for."""
    text = comparison.label(comparison.entries[index])
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
