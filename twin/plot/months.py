"""Energy, PUE and carbon by calendar month."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.plot import style
from twin.results.run_folder import Columns, Run
from twin.units import JOULES_PER_KWH

FEWEST_MONTHS = 2
COLUMNS = ("at_s", "it_power_w", "loss_power_w", "cooling_power_w", "aux_power_w")
PARTS = (
    ("it_power_w", "IT", "server"),
    ("loss_power_w", "electrical losses", "loss"),
    ("cooling_power_w", "cooling", "cooling"),
    ("aux_power_w", "auxiliaries", "aux"),
)
"""Column, label and colour, from the bottom of the bars up."""
KWH_PER_GWH = 1e6

Places = NDArray[np.intp]
"""For each row, the place of its month."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw GWh by use and carbon of each month; None for runs that see fewer than two."""
    start = style.start_of(run)
    if start is None:
        return None
    series = run.series([*COLUMNS, "carbon_kg_per_s"])
    names, month = months_of(start, series["at_s"])
    if len(names) < FEWEST_MONTHS:
        return None
    lengths_s = np.diff(series["at_s"], append=style.length_s(run))
    figure = style.new_figure(10.0, 5.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    at = np.arange(len(names))
    base = np.zeros(len(names))
    for column, label, colour in PARTS:
        gwh = _by_month(series[column] * lengths_s, month) / JOULES_PER_KWH / KWH_PER_GWH
        top.bar(at, gwh, 0.72, base, color=style.COLOURS[colour], label=label)
        base += gwh
    for place, pue in zip(at, pues(series, lengths_s, month), strict=True):
        if not np.isnan(pue):
            style.label(top, f"PUE {pue:.3f}", (place, base[place]), (0, 3), ha="center")
    style.dress(top, "energy [GWh]", f"Energy and carbon by month: {base.sum():.3g} GWh")
    top.set_ylim(0.0, 1.12 * base.max() or 1.0)
    style.legend(top, stacked=True)
    carbon_t = _by_month(series["carbon_kg_per_s"] * lengths_s, month) / 1000.0
    bottom.bar(at, carbon_t, 0.72, color=style.COLOURS["facility"])
    style.dress(bottom, "CO₂ [t]")
    bottom.set_xticks(at, names)
    return style.save(figure, folder, "months")


def months_of(start: datetime, at_s: style.Floats) -> tuple[list[str], Places]:
    """Return the names of the months seen, and for each instant the place of its month.

    Examples
    --------
    >>> names, month = months_of(datetime(2023, 1, 31, 12), np.array([0.0, 43200.0]))
    >>> names, month.tolist()
    (['2023-01', '2023-02'], [0, 1])
    """
    last = start + timedelta(seconds=float(at_s[-1])) if len(at_s) else start
    edges = [datetime(start.year, start.month, 1)]
    while edges[-1] <= last:
        year, month = edges[-1].year, edges[-1].month
        edges.append(datetime(year + month // 12, month % 12 + 1, 1))
    edges_s = [(edge - start).total_seconds() for edge in edges]
    names = [f"{edge:%Y-%m}" for edge in edges[:-1]]
    return names, np.searchsorted(edges_s, at_s, side="right") - 1


def pues(series: Columns, lengths_s: style.Floats, month: Places) -> style.Floats:
    """Return the PUE of each month, energy over energy; NaN where IT drew nothing."""
    it_j = _by_month(series["it_power_w"] * lengths_s, month)
    all_j = _by_month(sum(series[column] for column, _, _ in PARTS) * lengths_s, month)
    return np.divide(all_j, it_j, out=np.full_like(all_j, np.nan), where=it_j > 0.0)


def _by_month(values: style.Floats, month: Places) -> style.Floats:
    sums: style.Floats = np.bincount(month, weights=np.nan_to_num(values)).astype(float)
    return sums
