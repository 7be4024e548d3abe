"""PUE of hyperscale halls beside what operators publish: ``python docs/hyperscale.py [FOLDER]``.

Draws ``hyperscale.png`` into FOLDER, ``docs/img`` where none is given, from a year of each hall
in the rows V33. Runs that ``twin-validate V33`` has left in ``outputs/validation`` are used.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twin.identity import code_hash
from twin.plot import style
from twin.results.run_folder import Run
from twin.scenario import Published
from twin.settings import compose
from twin.validation.published import Case, find_cases, run_once

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RUNS = Path("outputs/validation")
PARTS = (
    ("loss_energy_kwh", "feed", style.COLOURS["loss"]),
    ("aux_energy_kwh", "building, standing generators", style.COLOURS["aux"]),
    ("cooling_energy_kwh", "cooling", style.COLOURS["cooling"]),
)


def main(folder: Path) -> None:
    """Draw the figure into *folder*."""
    halls = [(case, row) for case in find_cases(["V33"], slow=True) for row in case.rows]
    figure = style.new_figure(10.0, 4.4, left=2.1, right=0.4)
    axes = figure.subplots()
    values = [row.value for _, row in halls]
    axes.axvspan(min(values) - 0.03, max(values) + 0.03, color=style.FAINT, alpha=0.5, linewidth=0)
    for place, (case, row) in enumerate(halls):
        _bar(axes, place, _run(case), row)
    names = [row.source.split(";")[0].replace(", ", ",\n", 1) for _, row in halls]
    axes.set_yticks(range(len(halls)), names)
    axes.set_ylim(len(halls) - 0.5, -0.6)
    axes.set_xlim(1.0, 1.23)
    for label, colour in [(name, colour) for _, name, colour in PARTS]:
        axes.barh([0.0], [0.0], color=colour, label=label)
    axes.errorbar([], [], fmt="o", color=style.INK, capsize=4, label="published, ±0.03")
    axes.legend(loc=(0.69, 0.47), frameon=False, fontsize=9, labelcolor=style.INK)
    style.dress(axes, "", "PUE of one hall each, over a year, beside the operator's figure")
    axes.set_xlabel(
        f"PUE   (grey: all that is published, {min(values):g} to {max(values):g}, ±0.03)",
        color=style.INK,
    )
    style.save(figure, folder, "hyperscale")


def _run(case: Case) -> Run:
    command = " ".join(["twin", *case.words()])
    return run_once(compose.load(case.words()), RUNS, code_hash(), lambda _: None, command)


def _bar(axes: Axes, place: int, run: Run, row: Published) -> None:
    """Draw what the PUE of a hall is made of, and what is published."""
    left = 1.0
    for key, _, colour in PARTS:
        width = run.summary[key] / run.summary["it_energy_kwh"]
        axes.barh([place], [width], left=left, height=0.55, color=colour)
        left += width
    met = "" if row.passes(left) else "  missed"
    axes.text(left, place + 0.42, f"{left:.3f}{met}", fontsize=9, color=style.INK, ha="right")
    axes.errorbar([row.value], [place], xerr=0.03, fmt="o", color=style.INK, capsize=4)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("img"))
