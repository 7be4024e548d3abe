"""Every figure of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twin.plot import (
    burst,
    comparison,
    costs,
    electricity,
    energy_flow,
    fabric,
    fault_story,
    gantt,
    load_duration,
    months,
    one_line,
    overlay,
    parallel,
    pareto,
    pipeline,
    power,
    pue_map,
    rack_density,
    service,
    shared_pool,
    temperatures,
    tornado,
    utilization,
    waterfall,
)
from twin.results.compare import Comparison
from twin.results.explain import extremes
from twin.results.run_folder import Run

FIGURES = (power, utilization, rack_density, temperatures, energy_flow, load_duration)
"""One module per figure, each with ``draw(run, folder) -> Path``."""

IF_ANY = (
    one_line,
    fabric,
    fault_story,
    burst,
    electricity,
    pue_map,
    months,
    gantt,
    pipeline,
    shared_pool,
    service,
)
"""Figures of what not every run has; their ``draw`` returns None then."""


def draw_all(run: Run) -> list[Path]:
    """Draw every figure of *run* into its ``plots`` folder; return their paths."""
    if not len(run.series(["at_s"])["at_s"]):
        return []
    folder = run.path / "plots"
    paths = [figure.draw(run, folder) for figure in FIGURES]
    extra = [figure.draw(run, folder) for figure in IF_ANY]
    return [*paths, *(path for path in extra if path is not None)]


TORNADOES = ("pue", "cost_per_gpu_hour")
"""Figures whose movers are drawn."""
EXPLAINED = "facility_energy_kwh"
"""Figure by which the two designs of a waterfall are chosen."""
FEWEST_FOR_A_FRONT = 3


def draw_comparison(
    found: Comparison, folder: Path, metrics: Sequence[str] = (), series: Sequence[str] = ()
) -> list[Path]:
    """Draw every figure of a comparison into *folder*; return their paths.

    *metrics* are figures whose movers are drawn beside the usual ones, *series*
    columns drawn over one another.
    """
    paths: list[Path | None] = [comparison.draw(found, folder), costs.draw(found, folder)]
    if len(found.entries) >= FEWEST_FOR_A_FRONT:
        paths += [tornado.draw(found, folder, m) for m in dict.fromkeys([*TORNADOES, *metrics])]
        paths += [pareto.draw(found, folder), parallel.draw(found, folder)]
    pair = extremes(found, EXPLAINED)
    runs = [Run.open(entry.path) for entry in pair or ()]
    if pair and all(run.info.get("cooling_energy_kwh") for run in runs):  # replications have none
        paths.append(waterfall.draw(runs[0], runs[1], [found.label(e) for e in pair], folder))
    if series:
        paths.append(overlay.draw(found, series, folder))
    return [path for path in paths if path is not None]
