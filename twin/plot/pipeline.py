"""Where the clips of a fleet are between recording and release, and when releases came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin.plot import style
from twin.results.run_folder import Run

PLACES = {
    "upload": ("upload", "#56B4E9"),
    "ingest": ("ingest", "#8C6BB1"),
    "gathering": ("gathering the day", "#D9DCE1"),
    "selection": ("selection", "#0072B2"),
    "labelling": ("labelling", "#E69F00"),
    "reconstruction": ("3-D and generation", "#009E73"),
    "training": ("training", "#D55E00"),
    "simulation": ("simulation and test", "#CC79A7"),
}
"""Label and colour of each place, from the vehicle on."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw the backlog of each stage in days of recording, and each release with its cycle."""
    details = run.info.get("pipeline")
    if not details:
        return None
    series = run.pipeline()
    x = style.days(run, series["at_s"])
    stages = {stage["stage"]: stage for stage in details["stages"]}

    figure = style.new_figure(10.0, 6.4, right=1.75)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    backlog = [series[place] / stages[place]["asked_clips_per_day"] for place in PLACES]
    labels, colours = zip(*PLACES.values(), strict=True)
    top.stackplot(x, backlog, labels=labels, colors=colours, linewidth=0, step="post")
    top.set_ylim(0.0, 1.08 * float(np.sum(backlog, axis=0).max()))
    style.dress(top, "backlog [days of recording]", _title(run, details))
    style.legend(top, stacked=True)
    _releases(bottom, run, details["releases"])
    style.time_axis(bottom, run, 0.0, style.length_s(run))
    return style.save(figure, folder, "pipeline")


def _releases(axes: Any, run: Run, releases: list[dict[str, Any]]) -> None:
    """Draw one stem for each release: when it came, and how long after recording."""
    at_s = np.array([release["released_s"] for release in releases], dtype=float)
    cycle = np.array([release["cycle_days"] for release in releases], dtype=float)
    x = style.days(run, at_s)
    axes.vlines(x, 0.0, cycle, color=style.COLOURS["facility"], linewidth=1.5)
    axes.plot(x, cycle, "o", color=style.COLOURS["facility"], markersize=5)
    axes.set_ylim(0.0, 1.25 * float(cycle.max()) if len(cycle) else 1.0)
    few = len(releases) <= 21
    for at, days in zip(x, cycle, strict=True) if few else ():
        style.label(axes, f"{days:.1f}", (at, days), (0, 5), ha="center")
    title = "" if len(releases) else "no release within the run"
    style.dress(axes, "release: cycle [days]")
    axes.text(0.01, 0.9, title, transform=axes.transAxes, va="top", color=style.INK, fontsize=9)


def _title(run: Run, details: dict[str, Any]) -> str:
    cycle = run.summary.get("release_cycle_p50_days")
    shown = "no release yet" if cycle is None else f"median {cycle:.1f} days"
    name = details["bottleneck"]["name"] or "not named"
    load = max(details["loads"].values())
    return f"Recording to release: {shown}; bottleneck {name}, highest load {load:.2f}"
