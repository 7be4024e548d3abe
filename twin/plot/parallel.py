"""Every design as one line across its settings and figures."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from twin.plot import style
from twin.plot.comparison import axis_title, digits_of, values_of
from twin.results.compare import Comparison

METRICS = ("pue", "cost_per_gpu_hour", "carbon_t", "water_m3", "wait_p95_s")
"""Axes of figures, where they are known; the first one colours the lines."""
MOST_SETTINGS = 4
FEWEST_RUNS = 4
LONGEST_NAME = 18
DARK_ENOUGH = 0.82
"""Of the colour map what can be seen on white as a thin line."""

Axis = tuple[str, style.Floats, list[tuple[float, str]]]
"""Name, place of each run between 0 and 1, and ticks."""


def draw(comparison: Comparison, folder: Path) -> Path | None:
    """Draw settings on the left and figures on the right; None for a handful of runs."""
    metrics = [_of_metric(comparison, name) for name in comparison.metrics(METRICS)]
    shown = [axis for axis in metrics if axis is not None]
    if len(comparison.entries) < FEWEST_RUNS or not shown:
        return None
    settings = [_of_setting(comparison, key) for key in comparison.telling[:MOST_SETTINGS]]
    lines = [*settings, *shown]
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    figure = style.new_figure(1.4 + 1.75 * len(lines), 5.2, left=0.9, right=1.0)
    axes = figure.subplots()
    at = np.arange(len(lines))
    height = np.column_stack([axis[1] for axis in lines])
    colour = colormaps["viridis"](DARK_ENOUGH * np.nan_to_num(shown[0][1], nan=0.5))
    lines_of_runs = [np.column_stack([at, line]) for line in height]
    axes.add_collection(LineCollection(lines_of_runs, colors=colour, linewidths=1.3, alpha=0.7))
    for place, (_, _, ticks) in enumerate(lines):
        axes.axvline(place, color=style.INK, linewidth=0.8)
        for where, text in ticks:
            style.label(
                axes,
                text,
                (place, where),
                (4, 0),
                va="center",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
            )
    axes.set_xticks(at, [axis[0] for axis in lines], fontsize=9, color=style.INK)
    axes.set_yticks([])
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlim(-0.1, len(lines) - 0.6)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    title = f"{len(comparison.entries)} designs, coloured by {shown[0][0]}"
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=style.INK)
    return style.save(figure, folder, "parallel")


def _of_metric(comparison: Comparison, metric: str) -> Axis | None:
    values, unit = values_of(comparison, metric)
    low, high = (float(end) for end in (np.nanmin(values), np.nanmax(values)))
    if high == low:
        return None
    ends = ((0.0, low), (0.5, 0.5 * (low + high)), (1.0, high))
    ticks = [(place, digits_of(metric, value)) for place, value in ends]
    return axis_title(metric, unit).replace(" [", "\n["), (values - low) / (high - low), ticks


def _of_setting(comparison: Comparison, key: str) -> Axis:
    """Place numbers in their order, and names in the order of their first run."""
    texts = [comparison.setting(entry, key) for entry in comparison.entries]
    names = list(dict.fromkeys(texts))
    with suppress(ValueError):  # names have no order but that of the runs
        names.sort(key=float)
    most = max(1, len(names) - 1)
    where = {name: place / most for place, name in enumerate(names)}
    ticks = [(place, _cut(name)) for name, place in where.items()]
    return key.rsplit(".", 1)[-1], np.array([where[text] for text in texts]), ticks


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
