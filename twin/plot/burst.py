"""Seconds in close-up: how power swings with the steps of training, and what is left to ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.plot import style
from twin.results.run_folder import Columns, Run
from twin.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BURSTS = 3
MOST_ELEMENTS = 8
HEIGHT = 3.1
"""Of one window. [in]"""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw each window, its waveform beside the loads of the elements; None where there is none."""
    told = run.info.get("bursts") or []
    if not told or not (run.path / "burst.parquet").is_file():
        return None
    waves = run.bursts()
    shown = told[:MOST_BURSTS]
    figure = style.new_figure(12.0, 0.9 + HEIGHT * len(shown), right=0.5)
    figure.subplots_adjust(wspace=0.55, hspace=0.55, top=1.0 - 0.62 / (0.9 + HEIGHT * len(shown)))
    panels = figure.subplots(len(shown), 2, squeeze=False, width_ratios=(2.5, 1.0))
    for number, one in enumerate(shown):
        inside = waves["burst"] == number
        _wave(panels[number][0], {name: each[inside] for name, each in waves.items()}, one)
        _elements(panels[number][1], one["elements"])
    panels[-1][0].set_xlabel("seconds in the window", color=style.INK)
    panels[-1][1].set_xlabel("load over rating [%]", color=style.INK)
    return style.save(figure, folder, "burst")


def _wave(axes: Axes, waves: Columns, one: dict[str, Any]) -> None:
    x = waves["at_s"] - waves["at_s"][0]
    sample_s = 1.0 / one["hz"]
    for name, colour, label in (
        ("utility_power_w", "facility", "at the meter"),
        ("it_power_w", "server", "IT"),
    ):
        power_mw = waves[name] / 1e6
        ends = np.append(x, x[-1] + sample_s)
        axes.stairs(
            power_mw, ends, color=style.COLOURS[colour], label=label, linewidth=1.3, baseline=None
        )
    mean = one["run_it_power_w"] / 1e6
    axes.axhline(mean, color=style.COLOURS["server"], linestyle=":", linewidth=1.0)
    axes.text(x[-1] + sample_s, mean, " mean", va="center", fontsize=8, color=style.INK)
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(0.0, x[-1] + sample_s)
    style.dress(axes, "power [MW]", _title(one))
    axes.title.set_fontsize(9.5)
    axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=style.INK, ncols=2)


def _title(one: dict[str, Any]) -> str:
    hour = f"{one['at_s'] / SECONDS_PER_HOUR:g} h"
    it = one["it"]
    if it["dominant_hz"] is None:
        return f"{hour}: IT power does not swing"
    return (
        f"{hour}: IT swings by {it['swing_w'] / 1e6:.3g} MW ({it['swing_fraction']:.0%}), "
        f"{it['ramp_w_per_s'] / 1e6:.3g} MW/s, mainly at {it['dominant_hz']:.3g} Hz"
    )


def _elements(axes: Axes, elements: dict[str, dict[str, float]]) -> None:
    """Draw mean and highest load of the elements over their rating, the fullest on top."""
    fullest = sorted(elements.items(), key=lambda each: each[1]["peak"])[-MOST_ELEMENTS:]
    names = [name.replace("_", " ") for name, _ in fullest]
    mean = np.array([100.0 * each["mean"] for _, each in fullest])
    peak = np.array([100.0 * each["peak"] for _, each in fullest])
    axes.barh(names, mean, color=style.COLOURS["server"], alpha=0.75, height=0.6, label="mean")
    axes.barh(
        names, peak - mean, left=mean, color=style.COLOURS["hot"], height=0.6, label="highest"
    )
    axes.axvline(100.0, color=style.INK, linewidth=1.0)
    axes.set_xlim(0.0, max(105.0, 1.05 * float(peak.max(initial=0.0))))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=style.INK, labelsize=8.5)
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        fontsize=8.5,
        labelcolor=style.INK,
        ncols=2,
    )
