"""What matters most: how far each varied setting moves one figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.plot import style
from twin.plot.comparison import axis_title, digits_of, unit_of
from twin.results.compare import Comparison
from twin.results.explain import effects

USUAL = "pue"
LONGEST_NAME = 24


def draw(comparison: Comparison, folder: Path, metric: str = USUAL) -> Path | None:
    """Draw the settings' effects on *metric*; None where no setting moves it."""
    found = [effect for effect in effects(comparison, metric) if effect.spread > 0.0]
    if not found:
        return None
    factor, unit = unit_of(comparison, metric)
    runs = [e.summary.get(metric) for e in comparison.entries]
    mean = float(np.mean([value for value in runs if isinstance(value, (int, float))])) / factor
    figure = style.new_figure(9.0, 1.5 + 0.55 * len(found), left=1.9, right=0.4)
    axes = figure.subplots()
    for place, effect in enumerate(found):
        values = {name: value / factor for name, value in effect.means.items()}
        low, high = min(values.values()), max(values.values())
        axes.barh(place, mean - low, 0.55, low, color=style.COLOURS["fan"])
        axes.barh(place, high - mean, 0.55, mean, color=style.COLOURS["loss"])
        for name, value in ((_name(values, low), low), (_name(values, high), high)):
            left = value == low
            style.label(
                axes,
                f"{name} {digits_of(metric, value)}",
                (value, place),
                (-4 if left else 4, 0),
                ha="right" if left else "left",
                va="center",
            )
    axes.axvline(mean, color=style.COLOURS["facility"], linewidth=1.0)
    style.dress(axes, "", f"{axis_title(metric, unit)}: mean over each value of a setting")
    axes.grid(visible=False)
    axes.set_yticks(np.arange(len(found)), [effect.key for effect in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.use_sticky_edges = False
    axes.margins(x=0.3)
    axes.set_xlabel(f"the line: mean of all runs, {digits_of(metric, mean)}", color=style.INK)
    return style.save(figure, folder, f"tornado_{metric}")


def _name(values: dict[str, float], wanted: float) -> str:
    text = next(name for name, value in values.items() if value == wanted)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
