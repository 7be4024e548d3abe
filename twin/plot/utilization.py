"""How busy the GPUs were, and who waited."""

from __future__ import annotations

from pathlib import Path

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Run


def draw(run: Run, folder: Path) -> Path:
    """Draw GPUs allocated and active, and jobs running and queued below them."""
    columns = ("at_s", "gpus_allocated", "gpu_active_fraction", "jobs_running", "jobs_queued")
    series = run.series(columns)
    at_s = series["at_s"]
    x = style.days(run, at_s)
    gpus = run.config().get("facility", {}).get("gpus")

    figure = style.new_figure(10.0, 6.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    if gpus:
        allocated = 100.0 * series["gpus_allocated"] / gpus
        style.line(top, x, allocated, style.COLOURS["server"], "held by jobs")
    active = 100.0 * series["gpu_active_fraction"]
    style.line(top, x, active, style.COLOURS["loss"], "active")
    top.set_ylim(0.0, 102.0)
    style.dress(top, "GPUs [%]", _title(run, gpus))
    style.legend(top)
    running, queued = series["jobs_running"], series["jobs_queued"]
    style.line(bottom, x, running, style.COLOURS["cooling"], "running")
    style.line(bottom, x, queued, style.COLOURS["hot"], "queued")
    bottom.set_ylim(bottom=0.0)
    style.dress(bottom, "jobs")
    style.legend(bottom)
    style.time_axis(bottom, run, 0.0, style.length_s(run))
    return style.save(figure, folder, "utilization")


def _title(run: Run, gpus: int | None) -> str:
    held = quantity(run.summary.get("gpu_allocated_fraction"), "fraction")
    wait = quantity(run.summary.get("wait_p50_s"), "s")
    of = f" of {gpus:,} GPUs" if gpus else ""
    return f"Utilization: {held}{of} held by jobs, median wait {wait}"
