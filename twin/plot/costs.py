"""What designs cost, by what it is paid for, beside renting the same GPU-hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin.plot import style
from twin.plot.comparison import MOST_BARS, name_of
from twin.results.compare import Comparison
from twin.results.run_folder import Run

PARTS = (
    ("it_capital", "IT capital", "server"),
    ("building_capital", "power and cooling", "fan"),
    ("floor_capital", "floor and rack positions", "network"),
    ("maintenance", "maintenance", "storage"),
    ("electricity", "electricity", "loss"),
    ("water", "water", "cooling"),
)
"""Key of run.json's costs, label and colour."""


def draw(comparison: Comparison, folder: Path) -> Path | None:
    """Draw the cost of a held GPU-hour; None where runs do not say or count in other money."""
    records = [Run(entry.path, entry.summary).info.get("costs") for entry in comparison.entries]
    known = {k: record for k, record in enumerate(records) if record and record["held_gpu_hours"]}
    currencies = {str(record["currency"]) for record in known.values()}
    if not known or len(known) > MOST_BARS or len(currencies) != 1:
        return None
    hours = _column(known, "held_gpu_hours")
    at, left = np.arange(len(known)), np.zeros(len(known))
    figure = style.new_figure(10.0, 1.6 + 0.3 * len(known), left=2.6, right=2.2)
    axes = figure.subplots()
    for part, label, colour in PARTS:
        each = np.nan_to_num(_column(known, part) / hours)
        axes.barh(at, each, 0.66, left, color=style.COLOURS[colour], label=label)
        left += each
    rent = _column(known, "rent_of_held_gpu_hours") / hours
    if not np.isnan(rent).all():
        ink = style.COLOURS["facility"]
        axes.plot(rent, at, "d", color=ink, markersize=5, label="rented instead")
    style.dress(axes, "", f"Cost of a GPU-hour that jobs held [{currencies.pop()}]")
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    # The sum stands by the name: beside the bar it could be read as the rent.
    names = [f"{name_of(comparison, k)}: {total:.4g}" for k, total in zip(known, left, strict=True)]
    axes.set_yticks(at, names)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.margins(x=0.1)
    style.legend(axes)
    return style.save(figure, folder, "costs")


def _column(known: dict[int, dict[str, Any]], part: str) -> style.Floats:
    """Return one entry of all records; NaN where it is not known, or not told apart."""
    found = [record.get(part) for record in known.values()]
    return np.array([np.nan if value is None else float(value) for value in found])
