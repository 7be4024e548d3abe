"""Who holds a pool that a service lends to others and takes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Run
from twin.units import SECONDS_PER_HOUR


def draw(run: Run, folder: Path) -> Path | None:
    """Draw the GPUs held by services and by all other jobs; None where nothing is lent."""
    jobs = run.jobs(["kind", "status"])
    serves = jobs["kind"] == "inference"
    if not bool(np.any(serves & (jobs["status"] == "completed"))):
        return None
    jobs = run.jobs(["arrived_at_s", "started_at_s", "finished_at_s", "gpus"])
    series = run.series(["at_s", "gpus_allocated", "jobs_queued"])
    at_s = series["at_s"]
    length_s = style.length_s(run)
    lent_to = _held_by(jobs, serves, np.append(at_s, length_s))
    others = np.maximum(series["gpus_allocated"] - lent_to, 0.0)
    x = style.days(run, at_s)
    gpus = run.config().get("facility", {}).get("gpus")

    figure = style.new_figure(10.0, 6.0, right=1.85)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    colours = (style.COLOURS["network"], style.COLOURS["server"])
    labels = ("services", "training and others")
    top.stackplot(x, lent_to, others, labels=labels, colors=colours, linewidth=0)
    if gpus:
        top.axhline(gpus, color=style.COLOURS["facility"], linewidth=1.0, linestyle="--")
        top.set_ylim(0.0, 1.05 * gpus)
    hours = float(others.mean()) * length_s / SECONDS_PER_HOUR
    waits = (jobs["started_at_s"] - jobs["arrived_at_s"])[serves]
    longest = quantity(float(np.nanmax(waits)), "s")
    title = f"Shared pool: training got {hours:,.0f} GPU-h; a replica waited {longest} at most"
    style.dress(top, "GPUs held", title)
    style.legend(top, stacked=True)
    style.line(bottom, x, series["jobs_queued"], style.COLOURS["hot"], "jobs waiting")
    bottom.set_ylim(bottom=0.0)
    style.dress(bottom, "jobs")
    style.legend(bottom)
    style.time_axis(bottom, run, 0.0, length_s)
    return style.save(figure, folder, "shared_pool")


def _held_by(
    jobs: dict[str, NDArray[np.float64]], which: NDArray[np.bool_], edges_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean GPUs that the jobs *which* held between each two of *edges_s*."""
    started = which & ~np.isnan(jobs["started_at_s"])
    held_s = np.zeros(len(edges_s))
    ends_s = np.nan_to_num(jobs["finished_at_s"][started], nan=np.inf)
    rows = zip(jobs["gpus"][started], jobs["started_at_s"][started], ends_s, strict=True)
    for gpus, start_s, end_s in rows:
        held_s += gpus * (np.clip(edges_s, start_s, end_s) - start_s)
    return np.asarray(np.diff(held_s) / np.diff(edges_s))
