"""What services made over time, what that drew, and whether they kept their objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Run

COLUMNS = ("at_s", "tokens_per_s", "facility_power_w", "it_power_w", "slo_fraction")


def draw(run: Run, folder: Path) -> Path | None:
    """Draw tokens, power and requests in time; None where no service models latency."""
    series = run.series(COLUMNS)
    if np.isnan(series["slo_fraction"]).all():
        return None
    x = style.days(run, series["at_s"])
    figure = style.new_figure(10.0, 6.6)
    above, middle, below = figure.subplots(3, 1, sharex=True)
    thousands = series["tokens_per_s"] / 1e3
    style.line(above, x, thousands, style.COLOURS["network"], "output tokens")
    above.set_ylim(bottom=0.0)
    style.dress(above, "thousand a second", _title(run))
    style.power_lines(middle, x, series, (("facility_power_w", "facility", "facility"),
                                          ("it_power_w", "server", "IT")))  # fmt: skip
    percent = 100.0 * series["slo_fraction"]
    style.line(below, x, percent, style.COLOURS["cooling"], "within their\nobjective")
    below.set_ylim(-3.0, 103.0)
    style.dress(below, "requests [%]")
    for axes in (above, below):
        style.legend(axes)
    style.time_axis(below, run, 0.0, style.length_s(run))
    return style.save(figure, folder, "service")


def _title(run: Run) -> str:
    served = quantity(run.summary.get("requests_served"), "requests")
    kept = quantity(run.summary.get("slo_attainment_fraction"), "fraction")
    return f"{served.removesuffix(' requests')} requests served, {kept} within their objective"
