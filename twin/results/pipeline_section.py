"""The section of the report on a driving pipeline: what holds the releases up, stage by stage."""

from __future__ import annotations

from html import escape
from typing import Any

from twin.results.page import pictures, table
from twin.results.quantity import ABSENT, figure, quantity
from twin.results.run_folder import Run

HEAD = (
    "where clips are",
    "clips a day it must do",
    "clips a day it did",
    "mean backlog [days]",
    "highest [days]",
    "at the end [days]",
    "GPU-h a day",
    "of that wait for GPUs",
)


def section(run: Run) -> str:
    """Return the section as HTML; nothing where the run has no pipeline."""
    details = run.info.get("pipeline")
    if not isinstance(details, dict):
        return ""
    loads = ", ".join(f"{escape(name)} {load:.2f}" for name, load in details["loads"].items())
    picture = run.path / "plots" / "pipeline.png"
    shown = pictures(picture) if picture.is_file() else ""
    return (
        "<h2>From the fleet to a release</h2>"
        f"<p><b>Bottleneck:</b> {escape(details['bottleneck']['why'])}.</p>"
        f"<p>Load, what is asked over what there is: {loads}. Above 1 a backlog grows without "
        "end.</p>"
        f"{shown}{table(HEAD, [_row(stage) for stage in details['stages']])}"
        '<p class="soft">Backlogs are in days of recording: clips over those a stage must do a '
        "day. Their sum is, in a steady state, the time from recording to release.</p>"
    )


def _row(stage: dict[str, Any]) -> list[str]:
    """Return the cells of one stage."""
    waits = stage["waiting_for_gpus_fraction"]
    gpu_hours = stage["gpu_hours_asked_per_day"]
    return [
        escape(stage["stage"]),
        figure(stage["asked_clips_per_day"]),
        figure(stage["done_clips_per_day"]),
        *(
            f"{round(stage[f'backlog_{which}_days'], 2) + 0.0:.2f}"
            for which in ("mean", "max", "end")
        ),
        figure(gpu_hours) if gpu_hours else ABSENT,
        quantity(waits, "fraction"),
    ]
