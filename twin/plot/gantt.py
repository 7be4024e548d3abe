"""Who ran when: the jobs that used most GPU time, as bars over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.plot import style
from twin.results.run_folder import Columns, Run
from twin.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_JOBS = 30
KINDS = ("server", "loss", "cooling", "network", "fan", "storage", "aux")
"""Colours of the kinds of job, most GPU time first; further kinds share the last."""
LONGEST_NAME = 26
SHOWN = (
    *("job_id", "kind", "arrived_at_s", "started_at_s", "finished_at_s"),
    *("gpus", "restarts", "service_s"),
)
"""What is told of a job that is drawn."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw waiting and running of the largest jobs; None where no job ever started."""
    jobs = run.jobs(["kind", "started_at_s", "gpus", "service_s"])
    ran = np.flatnonzero(~np.isnan(jobs["started_at_s"]))
    number = len(ran)
    if not number:
        return None
    gpu_s = (jobs["gpus"] * jobs["service_s"])[ran]
    least = np.partition(gpu_s, -MOST_JOBS)[-MOST_JOBS] if number > MOST_JOBS else 0.0
    able = np.flatnonzero(gpu_s >= least)  # few: a million need not be sorted for thirty
    largest = able[np.argsort(-gpu_s[able], kind="stable")[:MOST_JOBS]]
    order = largest[np.argsort(jobs["started_at_s"][ran[largest]], kind="stable")]
    shown = run.jobs(SHOWN, ran[order])
    share = float(gpu_s[largest].sum()) / max(float(gpu_s.sum()), 1e-300)

    count = len(order)
    figure = style.new_figure(10.0, 1.5 + 0.19 * count, left=2.5)
    axes = figure.subplots()
    _bars(axes, run, shown, _colours(jobs["kind"][ran], gpu_s))
    style.dress(axes, "", _title(count, number, share))
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    axes.set_yticks(np.arange(count), [_name(shown, k) for k in range(count)], fontsize=7.5)
    axes.set_ylim(count - 0.4, -0.6)
    style.time_axis(axes, run, 0.0, style.length_s(run))
    style.legend(axes)
    return style.save(figure, folder, "gantt")


def _title(shown: int, started: int, share: float) -> str:
    if shown == started:
        return "The job that ran" if started == 1 else f"All {started} jobs that ran"
    return f"The {shown} largest of {started:,} jobs: {100.0 * share:.0f} % of the GPU time"


def _colours(kind: NDArray[np.object_], gpu_s: style.Floats) -> dict[str, str]:
    """Return a colour for each kind of job, by the GPU time of the kind."""
    used = {each: float(gpu_s[kind == each].sum()) for each in sorted(set(kind))}
    return {
        each: style.COLOURS[KINDS[min(place, len(KINDS) - 1)]]
        for place, each in enumerate(sorted(used, key=lambda each: -used[each]))
    }


def _bars(axes: Axes, run: Run, shown: Columns, colours: dict[str, str]) -> None:
    """Draw a thin line while a job waits and a bar while it holds GPUs or waits again."""
    end_s = style.length_s(run)
    ends_s = np.where(np.isnan(shown["finished_at_s"]), end_s, shown["finished_at_s"])
    arrived, started, ended = (
        style.days(run, at_s) for at_s in (shown["arrived_at_s"], shown["started_at_s"], ends_s)
    )
    at = np.arange(len(ended))
    axes.hlines(at, arrived, started, color=style.COLOURS["aux"], linewidth=1.0, label="waiting")
    kinds = shown["kind"].astype(str)
    for kind, colour in colours.items():
        mine = kinds == kind
        if mine.any():
            span = (ended - started)[mine]
            axes.barh(at[mine], span, 0.7, started[mine], color=colour, label=kind)
    stopped = shown["restarts"] > 0
    if stopped.any():
        axes.plot(
            ended[stopped],
            at[stopped],
            "|",
            color=style.COLOURS["hot"],
            markersize=8,
            markeredgewidth=2,
            label="was stopped\nand restarted",
        )


def _name(shown: Columns, k: int) -> str:
    text = f"{shown['job_id'][k]}"
    text = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    hours = float(shown["service_s"][k]) / SECONDS_PER_HOUR
    return f"{text}, {int(shown['gpus'][k]):,} GPUs, {hours:.3g} h"
