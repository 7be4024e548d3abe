"""One column of the series of several designs, over one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twin.plot import style
from twin.plot.comparison import name_of
from twin.plot.series import CYCLE, fitting_scale
from twin.results.compare import Comparison
from twin.results.quantity import spoken
from twin.results.run_folder import Run
from twin.schema import SERIES
from twin.units import SECONDS_PER_DAY

MOST_RUNS = len(CYCLE)


def draw(comparison: Comparison, columns: Sequence[str], folder: Path) -> Path:
    """Draw *columns*, a panel each, of the first designs against the day of the run."""
    runs = [Run(entry.path, entry.summary) for entry in comparison.entries[:MOST_RUNS]]
    figure = style.new_figure(10.0, 1.3 + 2.5 * len(columns), right=2.4)
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(panels, columns, strict=True):
        lines = [run.series(["at_s", column]) for run in runs]
        factor, unit = fitting_scale(SERIES[column].unit, [line[column] for line in lines])
        for k, (line, colour) in enumerate(zip(lines, CYCLE, strict=False)):
            day = line["at_s"] / SECONDS_PER_DAY
            values = np.asarray(line[column]) / factor
            style.line(axes, day, values, style.COLOURS[colour], name_of(comparison, k))
        style.dress(axes, f"{column} [{spoken(unit)}]")
    style.legend(panels[0])
    panels[-1].set_xlabel("days from the start of the run", color=style.INK)
    return style.save(figure, folder, "overlay_" + "_".join(columns)[:80])
