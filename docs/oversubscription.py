"""Goodput against oversubscription: ``python docs/oversubscription.py SWEEP [FOLDER]``.

Draws ``oversubscription.png`` into FOLDER, ``docs/img`` where none is given, from the runs of
the sweep that ``scenarios/oversubscription.yaml`` names. For each placement a band between
jobs that communicate at different times and jobs that all do at once.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from twin.plot import style
from twin.results.run_folder import Run, find_runs

COLOURS = {"topology": "#0072B2", "pack": "#009E73", "spread": "#D55E00"}
NAMES = {"topology": "fewest leaves", "pack": "packed", "spread": "spread over racks"}
Lines = dict[tuple[str, str], dict[float, float]]
"""(placement, contention) -> oversubscription -> goodput in percent."""


def main(sweep: Path, folder: Path) -> None:
    """Draw the figure of *sweep* into *folder*."""
    figure = style.new_figure(9.0, 5.0, left=0.85, right=0.35)
    axes = figure.subplots()
    found = lines(sweep)
    for placement, colour in COLOURS.items():
        apart, at_once = (found[placement, how] for how in ("interleaved", "in_step"))
        ratios = sorted(apart)
        high, low = [apart[r] for r in ratios], [at_once[r] for r in ratios]
        axes.fill_between(ratios, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(ratios, high, color=colour, linewidth=2.0, marker="o", label=NAMES[placement])
        axes.plot(ratios, low, color=colour, linewidth=1.4, linestyle="--", marker=".")
    style.dress(axes, "Goodput [% of GPU time held]", "Training goodput against oversubscription")
    axes.set_xticks(ratios, [f"{ratio:g}:1" for ratio in ratios])
    axes.set_xlabel(
        "Bandwidth of a leaf down over up   (line: jobs communicate at different times; "
        "dashes: all at once)",
        color=style.INK,
    )
    axes.legend(loc="lower left", frameon=False, fontsize=9, labelcolor=style.INK)
    style.save(figure, folder, "oversubscription")


def lines(sweep: Path) -> Lines:
    """Return the goodput of every run in *sweep*."""
    found: Lines = defaultdict(dict)
    for path in find_runs(sweep):
        run = Run.open(path)
        config = run.config()
        network, placement = config["network"], config["scheduling"]["placement"]
        goodput = 100.0 * float(run.summary["goodput_fraction"])
        found[placement, network["contention"]][float(network["oversubscription"])] = goodput
    return found


if __name__ == "__main__":
    into = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("img")
    main(Path(sys.argv[1]), into)
