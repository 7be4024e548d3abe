"""How dense the racks were: over time, and where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Columns, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GATHERED_BINS = 2
"""Bins of the record drawn as one bar: 1 % of the rating."""


def draw(run: Run, folder: Path) -> Path:
    """Draw the distribution of rack power, and a map of the racks' 95th percentiles."""
    racks = run.racks()
    figure = style.new_figure(10.0, 5.2, right=0.15)
    figure.subplots_adjust(bottom=0.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _distribution(left, run, racks)
    _map(figure, right, racks)
    return style.save(figure, folder, "rack_density")


def _distribution(axes: Axes, run: Run, racks: Columns) -> None:
    rated_kw = racks["rated_kw"]
    seconds = run.info.get("distributions", {}).get("rack_power_s")
    if seconds and len(rated_kw) and np.ptp(rated_kw) == 0.0:
        _histogram(axes, np.array(seconds), float(rated_kw[0]))
        share = "rack-time [%]"
    else:  # racks of several ratings: their bins do not line up
        weights = np.full(len(rated_kw), 100.0 / max(1, len(rated_kw)))
        axes.hist(racks["power_mean_kw"], 30, weights=weights, color=style.COLOURS["server"])
        share = "racks, by their mean power [%]"
    style.dress(axes, share, _title(run))
    axes.set_xlabel("rack power [kW]", color=style.INK)
    marks = (
        ("mean", run.summary.get("rack_density_mean_kw"), style.COLOURS["facility"], "-"),
        ("95th percentile", run.summary.get("rack_density_p95_kw"), style.COLOURS["hot"], "--"),
        ("peak", run.summary.get("rack_density_peak_kw"), style.COLOURS["hot"], ":"),
    )
    for name, value, colour, dash in marks:
        if value is not None:
            label = f"{name} {quantity(value, 'kW')}"
            axes.axvline(value, color=colour, linestyle=dash, linewidth=1.3, label=label)
    if len(rated_kw):
        highest = float(rated_kw.max())
        label = f"rating {quantity(highest, 'kW')}"
        axes.axvline(highest, color=style.COLOURS["aux"], linewidth=2.5, label=label)
    axes.set_xlim(left=0.0)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=style.INK,
    )


def _histogram(axes: Axes, seconds: style.Floats, rated_kw: float) -> None:
    """Draw the time in each bin of the rating; the overflow stands just above it."""
    bins = len(seconds) - 1
    gathered = np.append(seconds[:-1].reshape(-1, GATHERED_BINS).sum(axis=1), seconds[-1])
    step_kw = rated_kw * GATHERED_BINS / bins
    left_kw = np.arange(len(gathered)) * step_kw
    share = 100.0 * gathered / max(gathered.sum(), 1e-300)
    axes.bar(left_kw, share, step_kw, align="edge", color=style.COLOURS["server"], alpha=0.85)


def _map(figure: Figure, axes: Axes, racks: Columns) -> None:
    """Draw each rack as a square, in the order of the table, coloured by its power."""
    power_kw = racks["power_p95_kw"]
    number = len(power_kw)
    columns = max(1, int(np.ceil(np.sqrt(number * 1.25))))
    rows = max(1, -(-number // columns))
    cells = np.full(rows * columns, np.nan)
    cells[:number] = power_kw
    highest = float(np.nanmax(racks["rated_kw"])) if number else 1.0
    image = axes.pcolormesh(
        np.ma.masked_invalid(cells.reshape(rows, columns)),
        cmap="viridis",
        vmin=0.0,
        vmax=highest,
        edgecolors="white",
        linewidth=0.8 if number <= 400 else 0.0,
    )
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(
        f"{number:,} rack{'s' * (number > 1)}: 95th percentile of power",
        loc="left",
        fontsize=10,
        color=style.INK,
    )
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", fraction=0.05, pad=0.04)
    bar.set_label("kW; the scale ends at the rating", fontsize=9, color=style.INK)
    bar.ax.tick_params(colors=style.INK, labelsize=9)
    bar.outline.set_visible(False)


def _title(run: Run) -> str:
    mean = quantity(run.summary.get("rack_density_mean_kw"), "kW")
    p95 = quantity(run.summary.get("rack_density_p95_kw"), "kW")
    return f"Rack density: mean {mean}, 95 % below {p95}"
