"""Every figure of a run."""

from __future__ import annotations

from pathlib import Path

from twin.plot import (
    energy_flow,
    fault_story,
    gantt,
    load_duration,
    months,
    one_line,
    power,
    pue_map,
    rack_density,
    temperatures,
    utilization,
)
from twin.results.run_folder import Run

FIGURES = (power, utilization, rack_density, temperatures, energy_flow, load_duration)
"""One module per figure, each with ``draw(run, folder) -> Path``."""

IF_ANY = (one_line, fault_story, pue_map, months, gantt)
"""Figures of what not every run has; their ``draw`` returns None then."""


def draw_all(run: Run) -> list[Path]:
    """Draw every figure of *run* into its ``plots`` folder; return their paths."""
    if not len(run.series(["at_s"])["at_s"]):
        return []
    folder = run.path / "plots"
    paths = [figure.draw(run, folder) for figure in FIGURES]
    extra = [figure.draw(run, folder) for figure in IF_ANY]
    return [*paths, *(path for path in extra if path is not None)]
