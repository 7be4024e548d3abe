"""Where the power goes over time, and the PUE it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Columns, Run

LAYERS = (
    ("servers", "server"),
    ("server fans", "fan"),
    ("network", "network"),
    ("storage", "storage"),
    ("electrical losses", "loss"),
    ("cooling", "cooling"),
    ("auxiliaries", "aux"),
)
"""Label and colour, from the bottom of the stack up."""


def draw(run: Run, folder: Path) -> Path:
    """Draw power stacked by use, and PUE below it."""
    series = run.series()
    at_s = series["at_s"]
    per = style.width(len(at_s))
    x = style.days(run, at_s)
    watts, unit = style.power_scale([series["facility_power_w"]])
    layers = [style.bucket(layer)[0] / watts for layer in layers_w(series)]

    figure = style.new_figure(10.0, 6.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    at, layers = x[::per], [np.nan_to_num(layer) for layer in layers]
    if len(at) == 1:  # one mean over the whole run
        at = style.days(run, np.array([0.0, style.length_s(run)]))
        layers = [np.repeat(layer, 2) for layer in layers]
    top.stackplot(
        at,
        layers,
        labels=[label for label, _ in LAYERS],
        colors=[style.COLOURS[colour] for _, colour in LAYERS],
        linewidth=0,
    )
    style.dress(top, f"power [{unit}]", _title(run))
    top.set_ylim(bottom=0.0)
    style.legend(top, stacked=True)
    style.line(bottom, x, series["pue"], style.COLOURS["facility"], "PUE", linewidth=1.2)
    cut = style.busy_range(series["pue"], series["it_power_w"])
    style.dress(bottom, "PUE [-]")
    if cut is not None:
        bottom.set_ylim(*cut)
        style.label(bottom, style.OFF_THE_SCALE, (0.005, 0.9), (0, 0), xycoords="axes fraction")
    mean = run.summary.get("pue")
    if mean is not None:
        bottom.axhline(mean, color=style.COLOURS["hot"], linewidth=1.0, linestyle="--")
        bottom.annotate(
            f"{mean:.3f}\nof the period",
            (1.01, mean),
            xycoords=("axes fraction", "data"),
            color=style.COLOURS["hot"],
            fontsize=9,
            va="center",
        )
    style.time_axis(bottom, run, 0.0, style.length_s(run))
    return style.save(figure, folder, "power_and_pue")


def layers_w(series: Columns) -> list[style.Floats]:
    """Return the layers of the stack [W]; they add up to the facility's power."""
    fan_w = np.nan_to_num(series["server_fan_power_w"])
    return [
        series["server_power_w"] - fan_w,
        fan_w,
        series["network_power_w"],
        series["storage_power_w"],
        series["loss_power_w"],
        series["cooling_power_w"],
        series["aux_power_w"],
    ]


def _title(run: Run) -> str:
    mean = quantity(run.summary.get("facility_power_mean_mw"), "MW")
    peak = quantity(run.summary.get("facility_power_peak_mw"), "MW")
    return f"Facility power: mean {mean}, peak {peak}"
