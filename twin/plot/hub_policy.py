"""PUE against rack occupancy of several plants, with the caps that apply to computing hubs.

Drawn from a finished sweep over ``facility.gpus`` (or ``facility.racks_built``) and ``cooling``::

    twin -m scenario=hub_policy facility.gpus=640,1280,2144 cooling=chilled_air,airside_economizer
    python -m twin.plot.hub_policy outputs/sweeps/<date_time> docs/img
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.errors import InputFileError
from twin.plot import style
from twin.results.report import choices
from twin.results.run_folder import Run, find_runs

CAPS = {
    1.5: "mean of all, end of 2025",
    1.3: '"green" centre, 2025',
    1.25: "hub start area",
    1.2: "western hub",
}
"""Highest PUE allowed and where (NDRC and others, December 2021 to July 2025)."""
LEAST_OCCUPANCY = 0.60
"""Racks with IT over racks built, at least (NDRC and others, July 2024)."""
MARKS = "osD^vP*X"


@dataclass(frozen=True, slots=True)
class Design:
    """One run of the sweep."""

    plant: str
    occupancy: float
    pue: float

    def complies(self, cap: float) -> bool:
        """Return whether occupancy and PUE are within the rules."""
        return self.occupancy >= LEAST_OCCUPANCY and self.pue <= cap


def read_designs(folder: Path) -> list[Design]:
    """Return the finished runs below *folder*.

    Raises
    ------
    InputFileError
        If there is none, or one has no IT energy.
    """
    designs = []
    for path in find_runs(folder):
        if not (path / "summary.json").is_file():
            continue
        run = Run.open(path)
        pue, occupancy = run.summary["pue"], run.summary["rack_occupancy_fraction"]
        if pue is None or occupancy is None:
            raise InputFileError(f"{path}: has no IT energy; the curve needs a PUE")
        plant = choices(run).get("cooling", str(run.config().get("cooling", {}).get("kind", "")))
        designs.append(Design(plant, float(occupancy), float(pue)))
    if not designs:
        raise InputFileError(f"{folder}: holds no finished run")
    return sorted(designs, key=lambda design: (design.plant, design.occupancy))


def complying(designs: Sequence[Design], plant: str, cap: float) -> list[float]:
    """Return the occupancies tried at which a plant complies, rising.

    PUE may rise again towards a full hall, so they need not go up to 1.

    Examples
    --------
    >>> tried = [Design("a", 0.5, 1.2), Design("a", 0.7, 1.24), Design("a", 1.0, 1.26)]
    >>> complying(tried, "a", 1.25), complying(tried, "a", 1.2)
    ([0.7], [])
    """
    found = (d.occupancy for d in designs if d.plant == plant and d.complies(cap))
    return sorted(found)


def draw(designs: Sequence[Design], folder: Path) -> Path:
    """Draw ``hub_policy.png``: a curve for each plant, a line for each cap."""
    figure = style.new_figure(9.5, 5.2, left=0.85, right=2.3)
    axes = figure.subplots()
    axes.axvspan(0.0, LEAST_OCCUPANCY, color="#F1F2F4")
    axes.text(0.01, 0.02, "occupancy below 60 %", transform=axes.transAxes, fontsize=8)
    colours = [style.COLOURS[name] for name in ("server", "hot", "cooling", "loss", "network")]
    plants = list(dict.fromkeys(design.plant for design in designs))
    for k, plant in enumerate(plants):
        own = [design for design in designs if design.plant == plant]
        axes.plot(
            [design.occupancy for design in own],
            [design.pue for design in own],
            marker=MARKS[k % len(MARKS)],
            color=colours[k % len(colours)],
            markersize=5,
            linewidth=1.6,
            label=plant.replace("_", " "),
        )
    top = max(design.pue for design in designs)
    for cap, where in CAPS.items():
        if cap <= top + 0.03:
            axes.axhline(cap, color=style.INK, linewidth=0.9, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{cap:g}  {where}", (1.01, cap), xycoords=("axes fraction", "data"), fontsize=8,
                va="center", color=style.INK, annotation_clip=False,
            )  # fmt: skip
    style.dress(axes, "PUE of the run [-]")
    axes.set_xlabel("racks with IT / racks built", color=style.INK)
    axes.set_xlim(min(0.2, min(design.occupancy for design in designs) - 0.03), 1.02)
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    return style.save(figure, folder, "hub_policy")


def main() -> None:
    """Draw the sweep of the first argument into the folder of the second, and say who complies."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m twin.plot.hub_policy SWEEP FOLDER")
    designs = read_designs(Path(sys.argv[1]))
    for plant in dict.fromkeys(design.plant for design in designs):
        for cap, where in CAPS.items():
            found = complying(designs, plant, cap)
            text = "at " + ", ".join(f"{part:.0%}" for part in found) if found else "never"
            sys.stdout.write(f"{plant}, PUE <= {cap:g} ({where}): {text}\n")
    sys.stdout.write(f"{draw(designs, Path(sys.argv[2]))}\n")


if __name__ == "__main__":
    main()
