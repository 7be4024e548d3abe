"""Serving by the token beside measurements: ``python docs/serving.py [FOLDER [TRACE [RUN]]]``.

Draws ``serving.png`` into FOLDER, ``docs/img`` where none is given. Above: one replica at a
fixed batch and the points published by ML.ENERGY, from the rows of the scenario. Below, if
TRACE names the Azure conversation trace of 2023: its half hour request by request, and the
same worked out as a fluid.

If RUN names a finished run of the scenario ``servegen_replay``, ``servegen.png`` shows its
fourteen days: demand served, power, and requests within their objective.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin import build
from twin.plot import service, style
from twin.probes import serving
from twin.results.run_folder import Run
from twin.settings import compose
from twin.validation.published import find_cases
from twin.workload.fluid import Served
from twin.workload.latency import EDGES_S
from twin.workload.serving import Serving

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

SCENARIO = "ml_energy_serving"
COLOURS = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#8C6BB1")
BATCHES = np.unique(np.geomspace(1, 1024, 40).round())
MODES = {"requests": ("#0072B2", "request by request"), "fluid": ("#D55E00", "fluid")}


class Series(NamedTuple):
    """One model on one kind of GPU, with what was measured on it."""

    name: str
    config: dict[str, Any]
    fitted: bool
    tokens: dict[float, float]
    """Output tokens/s by batch."""
    joules: dict[float, float]
    """J of the GPUs for a token, by batch."""


def main(folder: Path, trace: str | None, run: str | None) -> None:
    """Draw the figures into *folder*."""
    if run:
        service.draw(Run.open(Path(run)), folder)
        (folder / "service.png").rename(folder / "servegen.png")
    figure = style.new_figure(11.0, 8.4 if trace else 4.6, left=0.7, right=0.35)
    figure.subplots_adjust(wspace=0.22, hspace=0.36)
    axes = figure.subplots(2 if trace else 1, 2, squeeze=False)
    for one, colour in zip(all_series(), COLOURS, strict=False):
        draw(axes[0, 0], one, colour, "tokens")
        draw(axes[0, 1], one, colour, "joules")
    dress(axes[0, 0], "Output tokens/s of a replica")
    dress(axes[0, 1], "J per output token, GPUs alone")
    axes[0, 1].legend(loc="upper right", frameon=False, fontsize=8.5, labelcolor=style.INK)
    if trace:
        half_hour(axes[1, 0], axes[1, 1], trace)
    style.save(figure, folder, "serving")


def all_series() -> list[Series]:
    """Return what the scenario publishes, one series to each of its configurations."""
    found = []
    for case in find_cases([SCENARIO]):
        config = compose.load(case.words())
        tokens, joules = (
            {float(row.inputs["batch"]): row.value for row in case.rows if row.probe == probe}
            for probe in ("serving.tokens_per_s", "serving.token_j")
        )
        fitted = case.rows[0].type == "C"
        found.append(Series(name(config), config, fitted, tokens, joules))
    return found


def name(config: dict[str, Any]) -> str:
    """Return e.g. ``70B BF16, 4 x H100``."""
    workload = config["workload"]
    model = workload["model"]
    precision = "BF16" if model["weight_bytes"] == 2 else "FP8"
    gpu = str(config["gpu"]["name"]).split()[-1]
    return f"{int(model['parameters_b'])}B {precision}, {workload['gpus_per_replica']} x {gpu}"


def draw(axes: Axes, one: Series, colour: str, what: str) -> None:
    """Draw the twin as a line and the measurements as marks: squares if fitted to."""
    probe = serving.tokens_per_s if what == "tokens" else serving.token_j
    ours = [probe(one.config, float(batch)) for batch in BATCHES]
    axes.plot(BATCHES, ours, color=colour, linewidth=1.8, zorder=2)
    points = one.tokens if what == "tokens" else one.joules
    axes.plot(
        list(points),
        list(points.values()),
        "s" if one.fitted else "o",
        color=colour,
        markerfacecolor="white",
        markersize=7,
        markeredgewidth=1.8,
        zorder=3,
        label=one.name,
    )


def dress(axes: Axes, title: str) -> None:
    """Give a panel of batches its scales and names."""
    from matplotlib.ticker import FuncFormatter

    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = [1, 8, 64, 256, 1024]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    style.dress(axes, "", title)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel(
        "batch; square: measured, fitted to; ring: measured, predicted", color=style.INK
    )


def half_hour(above: Axes, below: Axes, trace: str) -> None:
    """Draw power by the minute and waits of users, in both modes."""
    for mode, (colour, label) in MODES.items():
        served = serve(mode, trace)
        minute = np.arange(len(served.power_fraction))
        above.step(
            minute, 100 * served.power_fraction, color=colour, label=label, where="post", lw=1.6
        )
        for histogram, line in ((served.latency.ttft, "-"), (served.latency.itl, "--")):
            share = 100 * np.cumsum(histogram) / histogram.sum()
            kind = "first token" if line == "-" else "next token"
            below.plot(EDGES_S[1:], share, line, color=colour, lw=1.6, label=f"{kind}, {label}")
    style.dress(above, "", "Azure half hour: GPU power [% of TDP]")
    above.set_xlabel("minutes from 18:16, Llama-3.1-70B on 4 x 4 H100", color=style.INK)
    above.legend(loc="lower right", frameon=False, fontsize=8.5, labelcolor=style.INK)
    below.set_xscale("log")
    below.set_xlim(0.01, 2.0)
    style.dress(below, "", "Azure half hour: share that waits no longer [%]")
    below.set_xlabel("seconds from arrival, or from the token before", color=style.INK)
    below.legend(loc="lower right", frameon=False, fontsize=8.5, labelcolor=style.INK)


def serve(mode: str, trace: str) -> Served:
    """Return what the fleet of the Azure scenario does in *mode*."""
    words = ["scenario=azure_replay", f"workload.path={trace}", f"workload.mode={mode}"]
    design = build.read(compose.load(words))
    build.size(design)
    assert isinstance(design.workload, Serving)
    return design.workload.serve(design.context)


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("img")
    trace, run = [*sys.argv[2:4], "", ""][:2]
    main(where, trace or None, run or None)
