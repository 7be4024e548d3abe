"""MFU against GPU count beside published points: ``python docs/mfu.py [FOLDER]``.

Draws ``mfu.png`` into FOLDER, ``docs/img`` where none is given. Lines and published points
are those of the scenarios: whatever row holds a run's MFU is drawn.
"""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.plot import style
from twin.probes import training_run
from twin.scenario import Published
from twin.settings import compose
from twin.validation.published import Case, find_cases
from twin.workload.training_plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6BB1"),
    *("#E69F00", "#56B4E9", "#202124", "#9AA0A6", "#7A4B2A"),
)
REACH = (1 / 8, 2)
"""Runs are drawn from an eighth of the fewest to twice the most GPUs published."""
LABELS = {
    "llama3_405b_long_run": "Llama 3.1 405B, 131,072 tokens, DGX H100",
    "megascale_own_run": "MegaScale 175B, own software, DGX A100",
    "megascale": "MegaScale 175B, Megatron-LM, DGX A100",
}
"""Names of runs that share their model with another one."""


def main(folder: Path) -> None:
    """Draw the figure into *folder*."""
    figure = style.new_figure(10.0, 5.8, left=0.85, right=0.35)
    axes = figure.subplots()
    runs: dict[str, list[tuple[dict[str, Any], Published]]] = {}
    for case, row in rows():
        config = compose.load(case.words())
        runs.setdefault(label(case, config), []).append((config, row))
    for (name, points), colour in zip(runs.items(), cycle(COLOURS), strict=False):
        at = [point(axes, config, row, colour) for config, row in points]
        curve(axes, points[0][0], (REACH[0] * min(at), REACH[1] * max(at)), colour, name)
    finish(axes)
    style.save(figure, folder, "mfu")


def rows() -> list[tuple[Case, Published]]:
    """Return all published rows that are an MFU, largest first."""
    found = [
        (case, row)
        for case in find_cases(slow=True)
        for row in case.rows
        if row.metric == "mfu_mean"
    ]
    return sorted(found, key=lambda each: -each[1].value)


def label(case: Case, config: dict[str, Any]) -> str:
    """Return what a run is called in the figure."""
    chosen = [word.partition("=")[2] for word in case.overrides if word.startswith("workload=")]
    key = chosen[0] if chosen else case.scenario
    server = str(config["gpu"]["name"])
    return LABELS.get(key, f"{config['workload']['model']['name']}, {server}")


def curve(
    axes: Axes, config: dict[str, Any], reach: tuple[float, float], colour: str, name: str
) -> None:
    """Draw the MFU of a run on fewer and more GPUs, at its own batch and model ranks."""
    here = training_run.plan(config).layout
    ranks = here.gpus // here.data
    share = here.batch // here.micro_batch
    known = []
    for data in range(here.expert, share + 1, here.expert):
        gpus = ranks * data
        if share % data == 0 and reach[0] <= gpus <= reach[1]:
            known.append((gpus, 100.0 * on(config, gpus).mfu))
    x, y = zip(*known, strict=True)
    axes.plot(x, y, color=colour, linewidth=1.8, label=name, zorder=2)


def on(config: dict[str, Any], gpus: int) -> Plan:
    """Return the run of *config* on another number of GPUs, checkpoints left out."""
    workload = {**config["workload"], "gpus": gpus, "checkpoint": None}
    facility = {**config["facility"], "gpus": gpus}
    return training_run.plan({**config, "workload": workload, "facility": facility})


def point(axes: Axes, config: dict[str, Any], row: Published, colour: str) -> int:
    """Draw a published point with its tolerance and ours beside it; return its GPUs."""
    ours = training_run.plan(config)
    gpus = ours.layout.gpus
    axes.errorbar(
        gpus,
        100.0 * row.value,
        yerr=100.0 * (row.absolute or 0.0),
        fmt="o" if row.type == "V" else "s",
        color=colour,
        markerfacecolor="white",
        markersize=7,
        markeredgewidth=1.8,
        elinewidth=1.0,
        capsize=3,
        zorder=3,
    )
    axes.plot(gpus, 100.0 * ours.mfu, ".", color=colour, markersize=9, zorder=4)
    return gpus


def finish(axes: Axes) -> None:
    """Give the axes their scales, names and legend."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log", base=2)
    ticks = [128, 512, 2048, 8192, 32768]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(20.0, 62.0)
    style.dress(axes, "MFU [% of dense BF16 peak]", "Training MFU against GPUs")
    axes.set_xlabel(
        "GPUs, one batch per line   (line and dot: the twin; ring: published, predicted; "
        "square: published, fitted; bar: tolerance)",
        color=style.INK,
    )
    axes.legend(
        loc="lower left", frameon=False, fontsize=8, labelspacing=0.35, labelcolor=style.INK
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("img"))
