"""What broke, what followed, and what it did to power, temperature and work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.indoors import Indoors, indoors
from twin.results.run_folder import Columns, Run
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOLD = {
    "notice": "drained for maintenance",
    "fault": "breaks",
    "repair": "repaired",
    "battery": "on battery",
    "bypass": "on bypass",
    "trip": "breaker opens",
    "reset": "breaker closed",
    "start_failure": "sets did not start",
    "fuel_out": "out of fuel",
    "fuel_in": "tank filled",
    "power_off": "servers without power",
    "power_on": "servers powered",
    "cooling_off": "motors without power",
    "cooling_on": "motors powered",
    "throttle": "GPUs throttled by heat",
    "throttle_end": "throttling ends",
    "thermal_trip": "servers shut down by heat",
    "thermal_restart": "servers restarted",
    "cap": "GPUs capped",
    "cap_end": "cap lifted",
    "shed": "jobs shed",
    "cut_off": "servers off the fabric",
}
"""Kinds of event that make the story, in words; states of single elements are left to the table."""
STARTED = "was starting"
"""What the feed says of a generator that has come to life."""
MOST_MARKS = 16
LEAST_MARGIN_S = 900.0
LEAST_SPAN_K = 8.0
"""A temperature that hardly moves is drawn as one that hardly moves."""
WIDE_SPACE = "\N{FIGURE SPACE}"
"""As wide as a digit."""
WIDTH, BESIDE = 12.6, 3.3
"""Of the figure, and of the list of events beside it. [in]"""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw the time around the events; None where nothing happened."""
    story = marks(run.events())
    if not story:
        return None
    from_s, to_s = window_s(story, style.length_s(run))
    series = _between(run.series(), from_s, to_s)
    if len(series["at_s"]) < 2:
        return None
    x = style.days(run, series["at_s"])
    days_long = to_s - from_s > SECONDS_PER_DAY

    height = 9.4 if days_long else 8.0
    figure = style.new_figure(WIDTH, height, right=BESIDE + 1.75)
    figure.subplots_adjust(top=1.0 - 0.75 / height)
    figure.text(
        0.07,
        1.0 - 0.32 / height,
        "What happened, and what it did",
        fontsize=12,
        fontweight="bold",
        color=style.INK,
    )
    panels = figure.subplots(4 if days_long else 3, 1, sharex=True)
    _power(panels[0], x, series)
    _heat(panels[1], x, series, indoors(run))
    _work(panels[2], x, series)
    if days_long:
        style.line(panels[3], x, series["drybulb_c"], style.COLOURS["loss"], "dry bulb")
        style.dress(panels[3], "outdoors [°C]")
        style.legend(panels[3])
    style.time_axis(panels[-1], run, from_s, to_s)
    lines = _mark(run, list(panels), story)
    figure.text(
        1.0 - BESIDE / WIDTH,
        1.0 - 0.75 / height,
        "\n".join(lines),
        fontsize=8.5,
        color=style.INK,
        va="top",
        linespacing=1.7,
    )
    return style.save(figure, folder, "fault_story")


def marks(events: Columns) -> list[tuple[float, str]]:
    """Return (instant [s], sentence) of what makes the story, in order, doubles left out."""
    found: list[tuple[float, str]] = []
    columns = (events[name] for name in ("at_s", "kind", "where", "detail"))
    for at_s, kind, where, detail in zip(*columns, strict=True):
        words = "running" if detail == STARTED else TOLD.get(kind)
        if words:
            subject = "" if where in ("hall", "plant", "racks") else f"{where} "
            told = (float(at_s), f"{subject}{words}")
            if told not in found[-3:]:
                found.append(told)
    return found


def window_s(story: list[tuple[float, str]], length_s: float) -> tuple[float, float]:
    """Return the stretch of time that shows all of *story* with some quiet on both sides."""
    first_s, last_s = story[0][0], story[-1][0]
    margin_s = max(LEAST_MARGIN_S, 0.2 * (last_s - first_s))
    return max(0.0, first_s - margin_s), min(length_s, last_s + 2.0 * margin_s)


def _between(series: Columns, from_s: float, to_s: float) -> Columns:
    inside = (series["at_s"] >= from_s - 1e-6) & (series["at_s"] <= to_s)
    return {name: values[inside] for name, values in series.items()}


def _power(axes: Axes, x: style.Floats, series: Columns) -> None:
    lines = (
        ("utility_power_w", "facility", "utility"),
        ("it_power_w", "server", "IT"),
        ("cooling_power_w", "cooling", "cooling"),
    )
    style.power_lines(axes, x, series, lines)
    battery_j = series["battery_j"]
    if not np.isnan(battery_j).all() and np.nanmin(battery_j) < np.nanmax(battery_j):
        right = axes.twinx()
        charge = 100.0 * battery_j / np.nanmax(battery_j)
        style.line(right, x, charge, style.COLOURS["loss"], "battery", linestyle="--")
        right.set_ylim(0.0, 105.0)
        right.set_axis_off()
        axes.plot(
            [], [], color=style.COLOURS["loss"], linestyle="--", label="battery\n(full = top)"
        )
        style.legend(axes)


def _heat(axes: Axes, x: style.Floats, series: Columns, names: Indoors) -> None:
    style.line(axes, x, series["inlet_max_c"], style.COLOURS["hot"], names.inlet)
    style.line(axes, x, series["supply_c"], style.COLOURS["server"], names.supply)
    low, high = axes.get_ylim()
    missing = max(0.0, LEAST_SPAN_K - (high - low)) / 2.0
    axes.set_ylim(low - missing, high + missing)
    style.dress(axes, "indoors [°C]")
    style.legend(axes)


def _work(axes: Axes, x: style.Floats, series: Columns) -> None:
    style.line(axes, x, series["gpus_allocated"], style.COLOURS["server"], "GPUs held by jobs")
    capped = series["capped_gpus"]
    slowed = np.maximum(series["throttled_gpus"] - capped, 0.0)
    for values, colour, label in (
        (capped, style.COLOURS["storage"], "capped"),
        (slowed, style.COLOURS["hot"], "throttled"),
    ):
        if np.nanmax(values) > 0.0:
            axes.fill_between(x, 0.0, values, color=colour, alpha=0.35, linewidth=0)
            axes.plot([], [], color=colour, linewidth=5, alpha=0.35, label=label)
    axes.set_ylim(bottom=0.0)
    style.dress(axes, "GPUs")
    style.legend(axes)


def _mark(run: Run, panels: list[Axes], story: list[tuple[float, str]]) -> list[str]:
    """Put numbers at the events on the panels; return what the numbers mean."""
    shown = story[:MOST_MARKS]
    first_s = story[0][0]
    near_s = 0.04 * max(story[-1][0] - first_s, 1.0)
    together: list[list[int]] = []
    for number, (at_s, _) in enumerate(shown):
        at = float(style.days(run, np.array([at_s]))[0])
        for axes in panels:
            axes.axvline(at, color=style.INK, linewidth=0.7, linestyle=":", zorder=0)
        if together and at_s - shown[together[-1][0]][0] < near_s:
            together[-1].append(number)
        else:
            together.append([number])
    for group in together:
        at = float(style.days(run, np.array([shown[group[0]][0]]))[0])
        label = f"{group[0] + 1}" if len(group) == 1 else f"{group[0] + 1}–{group[-1] + 1}"
        panels[0].annotate(
            label,
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=style.INK,
        )
    lines = [
        f"{str(number).rjust(2, WIDE_SPACE)}  {_clock(at_s - first_s)}  {words}"
        for number, (at_s, words) in enumerate(shown, start=1)
    ]
    more = len(story) - len(shown)
    return [*lines, f"and {more} more"] if more else lines


def _clock(seconds: float) -> str:
    """Return a time since the first event as +h:mm:ss."""
    hours, rest = divmod(round(seconds), int(SECONDS_PER_HOUR))
    minutes, left = divmod(rest, 60)
    return f"+{hours}:{minutes:02d}:{left:02d}"
