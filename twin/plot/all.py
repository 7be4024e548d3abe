"""Every figure of a run."""

from __future__ import annotations

from pathlib import Path

from twin.plot import energy_flow, power, rack_density, temperatures, utilization
from twin.results.run_folder import Run

FIGURES = (power, utilization, rack_density, temperatures, energy_flow)
"""One module per figure, each with ``draw(run, folder) -> Path``."""


def draw_all(run: Run) -> list[Path]:
    """Draw every figure of *run* into its ``plots`` folder; return their paths."""
    if not len(run.series(["at_s"])["at_s"]):
        return []
    folder = run.path / "plots"
    return [figure.draw(run, folder) for figure in FIGURES]
