"""What cooled the servers, air or liquid, and what the weather allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.indoors import Indoors, indoors
from twin.results.run_folder import Columns, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RECOMMENDED_C = (18.0, 27.0)
"""Recommended inlet range of air-cooled IT; ASHRAE TC 9.9, Thermal Guidelines, 5th ed., 2021."""
MOST_EVENTS = 12


def draw(run: Run, folder: Path) -> Path:
    """Draw inlet and supply above, outdoor air below, and mark what happened."""
    columns = ("at_s", "inlet_max_c", "supply_c", "drybulb_c", "wetbulb_c")
    series = run.series(columns)
    at_s = series["at_s"]
    x = style.days(run, at_s)

    figure = style.new_figure(10.0, 6.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
    names = indoors(run)
    style.line(top, x, series["inlet_max_c"], style.COLOURS["hot"], names.inlet)
    style.line(top, x, series["supply_c"], style.COLOURS["server"], names.supply)
    style.dress(top, "indoors [°C]", _title(names, series))
    if names.has_air:
        _recommend(top)
    _mark_events(top, run)
    style.legend(top)
    style.line(bottom, x, series["drybulb_c"], style.COLOURS["loss"], "dry bulb")
    style.line(bottom, x, series["wetbulb_c"], style.COLOURS["fan"], "wet bulb")
    style.dress(bottom, "outdoors [°C]")
    style.legend(bottom)
    style.time_axis(bottom, run, 0.0, style.length_s(run))
    return style.save(figure, folder, "temperatures")


def _recommend(axes: Axes) -> None:
    """Shade the range that servers should breathe."""
    low, high = RECOMMENDED_C
    bounds = axes.get_ylim()
    axes.axhspan(low, high, color=style.COLOURS["cooling"], alpha=0.09, linewidth=0)
    axes.set_ylim(min(bounds[0], low - 1.0), max(bounds[1], high + 1.0))
    axes.annotate(
        f"recommended\ninlet air\n{low:g}–{high:g} °C",
        (1.01, (low + high) / 2.0),
        xycoords=("axes fraction", "data"),
        color=style.COLOURS["cooling"],
        fontsize=9,
        va="center",
    )


def _mark_events(axes: Axes, run: Run) -> None:
    """Draw a line at each event, unless there are so many that they would hide the rest."""
    events = run.events()
    if not 0 < len(events["at_s"]) <= MOST_EVENTS:
        return
    for at in style.days(run, events["at_s"]):
        axes.axvline(at, color=style.INK, linewidth=0.8, linestyle=":")
    axes.plot([], [], color=style.INK, linewidth=0.8, linestyle=":", label="event")


def _title(names: Indoors, series: Columns) -> str:
    name, column = (names.inlet, "inlet_max_c") if names.has_air else (names.supply, "supply_c")
    if np.isnan(series[column]).all():
        return "Temperatures"
    return f"Temperatures: {name} up to {np.nanmax(series[column]):.1f} °C"
