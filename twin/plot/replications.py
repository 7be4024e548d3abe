"""How far chance alone moves the figures of a study: one dot per replication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.plot import style
from twin.results.quantity import scale, spoken
from twin.schema import SUMMARY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = (
    "gpu_available_fraction",
    "power_available_fraction",
    "goodput_fraction",
    "gpu_hours_lost",
    "facility_energy_kwh",
    "pue",
    "unserved_energy_kwh",
    "wait_p95_s",
)
"""Figures worth a row, where they have a value in every replication and differ at all."""
FEW = 24
"""Replications drawn as single dots alone; more get a histogram behind them."""


def draw(
    rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], folder: Path
) -> Path | None:
    """Draw ``replications.png`` into *folder*; None where no figure differs.

    Parameters
    ----------
    rows : sequence of mapping
        The summary of each replication.
    summary : mapping
        Means and intervals of the same keys.
    folder : Path
        Where the picture goes.
    """
    keys = [key for key in DRAWN if _differs([row.get(key) for row in rows])]
    if not keys:
        return None
    height = 1.0 + 1.15 * len(keys)
    figure = style.new_figure(10.0, height, left=2.4, right=0.4)
    figure.subplots_adjust(hspace=1.25, top=1.0 - 0.55 / height, bottom=0.55 / height)
    figure.text(
        0.02,
        1.0 - 0.3 / height,
        f"{len(rows)} replications: each, their mean, and its 95 % confidence interval",
        fontsize=12,
        fontweight="bold",
        color=style.INK,
    )
    panels = figure.subplots(len(keys), 1, squeeze=False).ravel()
    for axes, key in zip(panels, keys, strict=True):
        _row(axes, key, [float(row[key]) for row in rows], summary)
    return style.save(figure, folder, "replications")


def _differs(values: Sequence[Any]) -> bool:
    numbers = [float(v) for v in values if isinstance(v, (int, float)) and isfinite(v)]
    return len(numbers) == len(values) > 1 and max(numbers) > min(numbers)


def _row(axes: Axes, name: str, values: Sequence[float], summary: Mapping[str, Any]) -> None:
    key = SUMMARY[name]
    factor, unit = scale(key.unit, max(map(abs, values)))
    shown = np.array(values) / factor
    colour = style.COLOURS["server"]
    if len(values) > FEW:
        axes.hist(shown, bins="sqrt", color=colour, alpha=0.3)
    heights = np.full(len(shown), 0.5)
    across = axes.get_xaxis_transform()
    axes.plot(shown, heights, "o", color=colour, alpha=0.55, markersize=5, transform=across)
    mean = summary[name] / factor
    half = (summary[f"{name}_ci95"] or 0.0) / factor
    hot = style.COLOURS["hot"]
    axes.plot(
        [mean - half, mean + half], [0.5, 0.5], color=hot, linewidth=3, alpha=0.9, transform=across
    )
    axes.plot([mean], [0.5], "|", color=hot, markersize=16, markeredgewidth=3, transform=across)
    axes.set_yticks([])
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(style.FAINT)
    axes.tick_params(colors=style.INK, labelsize=9)
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    currency = str(summary.get("currency", ""))
    axes.set_ylabel(
        f"{key.label}\n[{spoken(unit, currency)}]",
        rotation=0,
        ha="right",
        va="center",
        color=style.INK,
    )
