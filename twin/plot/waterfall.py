"""From one design to another: which part of the facility draws more, which less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.explain import differences, parts_kw
from twin.results.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL_SHARE = 1e-3
"""Parts that change by less of the facility's power are drawn together."""


def draw(first: Run, second: Run, names: Sequence[str], folder: Path) -> Path:
    """Draw the way from the mean power of one facility to that of another."""
    start_kw, end_kw = sum(parts_kw(first).values()), sum(parts_kw(second).values())
    parts = [(part.name, part.kw) for part in differences(first, second)]
    shown = [(name, kw) for name, kw in parts if abs(kw) >= SMALL_SHARE * start_kw]
    rest = sum(kw for _, kw in parts) - sum(kw for _, kw in shown)
    if abs(rest) >= 1e-9 * start_kw:
        shown.append(("all else", rest))
    labels = [names[0], *(name for name, _ in shown), names[1]]
    figure = style.new_figure(10.0, 1.4 + 0.42 * len(labels), left=2.4, right=0.5)
    axes = figure.subplots()
    axes.barh(0, start_kw, 0.62, color=style.COLOURS["facility"], alpha=0.85)
    level = start_kw
    for place, (_, kw) in enumerate(shown, start=1):
        colour = style.COLOURS["hot" if kw > 0.0 else "cooling"]
        axes.barh(place, kw, 0.62, level, color=colour)
        style.label(
            axes, f"{kw:+,.1f}", (max(level, level + kw), place), (4, 0), va="center", fontsize=9
        )
        level += kw
    axes.barh(len(labels) - 1, end_kw, 0.62, color=style.COLOURS["facility"], alpha=0.85)
    for place, kw in ((0, start_kw), (len(labels) - 1, end_kw)):
        style.label(axes, f"{kw:,.0f} kW", (kw, place), (4, 0), va="center", fontsize=9)
    change = 100.0 * (end_kw / start_kw - 1.0)
    style.dress(axes, "", f"Facility power: {change:+.1f} % from the first design to the second")
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel("mean power [kW]; the axis does not begin at zero", color=style.INK)
    _zoom(axes, [start_kw, end_kw, *(start_kw + np.cumsum([kw for _, kw in shown]))])
    return style.save(figure, folder, "waterfall")


def _zoom(axes: Axes, levels_kw: list[float]) -> None:
    """Show where things change: the whole bars would hide it."""
    low, high = min(levels_kw), max(levels_kw)
    room = max(high - low, 0.01 * high)
    axes.set_xlim(max(0.0, low - 0.6 * room), high + 0.25 * room)
