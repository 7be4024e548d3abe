"""PUE against the load it was reached at, and against the wet bulb outside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 1000
"""Dots of a panel: means over equal spans of the run."""
FEWEST = 24
SHOWN_SHARE = 0.995
"""Share of the time that a panel shows; the rest is start-up and faults."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw PUE by load coloured by wet bulb, and the other way; None where it says nothing."""
    series = run.series(["it_power_w", "facility_power_w", "wetbulb_c"])
    watts, unit = style.power_scale([series["it_power_w"]])
    it, facility = (
        style.bucket(series[name], POINTS)[0] / watts for name in ("it_power_w", "facility_power_w")
    )
    wetbulb_c = style.bucket(series["wetbulb_c"], POINTS)[0]
    on = it > 0.0
    if on.sum() < FEWEST:
        return None
    it, wetbulb_c = it[on], wetbulb_c[on]
    pue = facility[on] / it
    low, high = np.quantile(pue, [0.0, SHOWN_SHARE])
    if high == low:
        return None
    figure = style.new_figure(10.0, 5.0, right=0.2)
    left, right = figure.subplots(1, 2, sharey=True)
    load, wet = (f"IT power [{unit}]", it), ("outdoor wet bulb [°C]", wetbulb_c)
    _panel(figure, left, load, pue, wet)
    _panel(figure, right, wet, pue, load)
    style.dress(left, "PUE [-]", _title(run))
    margin = 0.03 * (high - low)
    left.set_ylim(style.busy_range(pue, it) or (low - margin, high + margin))
    return style.save(figure, folder, "pue_map")


def _panel(
    figure: Figure,
    axes: Axes,
    across: tuple[str, style.Floats],
    pue: style.Floats,
    colour: tuple[str, style.Floats],
) -> None:
    """Draw PUE over one quantity, coloured by the other."""
    dots = axes.scatter(across[1], pue, s=9, c=colour[1], cmap="viridis", linewidths=0, alpha=0.8)
    style.dress(axes, "")
    axes.set_xlabel(across[0], color=style.INK)
    bar = figure.colorbar(dots, ax=axes, orientation="horizontal", fraction=0.045, pad=0.16)
    bar.set_label(colour[0], fontsize=9, color=style.INK)
    bar.ax.tick_params(colors=style.INK, labelsize=9)
    bar.ax.locator_params(nbins=6)  # long numbers would run into each other
    bar.outline.set_visible(False)


def _title(run: Run) -> str:
    pue = run.summary.get("pue")
    return "PUE by load and wet bulb" if pue is None else f"PUE {pue:.3f}: by load and wet bulb"
