"""PUE by month of many sites and plants on one page, with the hours no compressor ran.

Drawn from a finished sweep over ``site`` and ``cooling``, of any scenario as long as a year::

    twin -m scenario=climate_map cooling=chilled_air,immersion site=shenzhen,ulanqab
    python -m twin.plot.climate_map outputs/sweeps/<date_time> docs/img
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.plot import style
from twin.results.report import choices
from twin.results.run_folder import Run, find_runs
from twin.units import HOURS_PER_YEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

STRIP = 0.36
"""Share of a cell that its twelve months take."""
GAP, LINE = 0.07, 0.025
"""Space between cells, and between a year and its months, as a share of a cell."""
ROW, TOP, BOTTOM = 0.52, 0.98, 0.42
"""Height of a plant's row, and of what stands above and below all rows. [in]"""


@dataclass(frozen=True, slots=True)
class Place:
    """A year of one plant at one site."""

    site: str
    plant: str
    drybulb_c: float
    pue: float
    monthly_pue: style.Floats
    """Of January to December; NaN for a month outside the run. Shape (12,)."""
    free_hours: float
    """Hours of a year in which no compressor ran, from their share of the run. [h]"""


Grid = dict[tuple[int, int], Place]
"""What stands in each row and column."""


def month_of(start: datetime, at_s: style.Floats) -> NDArray[np.int64]:
    """Return the month, 0 to 11, of instants counted from *start* [s].

    Examples
    --------
    >>> month_of(datetime(2023, 1, 31), np.array([0.0, 86400.0])).tolist()
    [0, 1]
    """
    seconds = np.asarray(at_s).astype("timedelta64[s]")
    return (np.datetime64(start, "s") + seconds).astype("datetime64[M]").astype(np.int64) % 12


def place_of(run: Run) -> Place:
    """Return what the map shows of one run.

    Raises
    ------
    InputFileError
        If the run does not say when it began, or has no IT energy.
    """
    start, chosen, config = style.start_of(run), choices(run), run.config()
    if start is None or run.summary.get("pue") is None:
        raise InputFileError(f"{run.path}: has no start or no IT energy; a map needs both")
    rows = run.series(["at_s", "it_power_w", "facility_power_w", "drybulb_c"])
    month = month_of(start, rows["at_s"])
    # Rows are means over intervals of one length, so sums of powers are energies.
    it = np.bincount(month, rows["it_power_w"], minlength=12)
    facility = np.bincount(month, rows["facility_power_w"], minlength=12)
    free = run.summary.get("free_cooling_fraction")
    return Place(
        site=str(config.get("site", {}).get("name") or chosen.get("site", "")),
        plant=chosen.get("cooling", str(config.get("cooling", {}).get("kind", ""))),
        drybulb_c=float(rows["drybulb_c"].mean()),
        pue=float(run.summary["pue"]),
        monthly_pue=np.divide(facility, it, out=np.full(12, np.nan), where=it > 0.0),
        free_hours=float("nan") if free is None else HOURS_PER_YEAR * float(free),
    )


def read_places(folder: Path) -> list[Place]:
    """Return the finished runs below *folder*, one for each site and plant.

    Raises
    ------
    InputFileError
        If there is none, or if two runs differ in more than site and plant.
    """
    places = [place_of(Run.open(p)) for p in find_runs(folder) if (p / "summary.json").is_file()]
    pairs = {(place.site, place.plant) for place in places}
    if not places or len(pairs) < len(places):
        raise InputFileError(f"{folder}: must hold one finished run for each site and plant")
    return places


def draw(places: Sequence[Place], folder: Path) -> Path:
    """Draw ``climate_map.png``: plants from the thriftiest down, sites from the coldest on."""
    plants = _by_mean((place.plant, place.pue) for place in places)
    sites = _by_mean((place.site, place.drybulb_c) for place in places)
    grid = {(plants.index(place.plant), sites.index(place.site)): place for place in places}
    mean_c = [np.mean([p.drybulb_c for p in places if p.site == site]) for site in sites]
    height = TOP + ROW * len(plants) + BOTTOM
    figure = style.new_figure(13.0, height, left=1.6, right=0.42)
    figure.subplots_adjust(top=1.0 - TOP / height, bottom=BOTTOM / height, wspace=0.03)
    left, right = figure.subplots(1, 2, width_ratios=(1.75, 1.0))
    _draw_pue(figure, left, grid)
    _draw_hours(figure, right, grid)
    _frame(left, plants, [f"{s}\n{c:.1f} °C" for s, c in zip(sites, mean_c, strict=True)])
    _frame(right, plants, sites, turned=len(sites) > 4)
    left.set_yticks(np.arange(len(plants)), [_words(plant) for plant in plants])
    right.set_yticks([])
    missing = len(plants) * len(sites) - len(grid)
    said = f"; empty: {missing} combinations refused or not run" if missing else ""
    _title(left, height, "PUE", f"of the year, and below it of January to December{said}")
    _title(right, height, "Hours a year without a compressor", "")
    return style.save(figure, folder, "climate_map")


def _by_mean(pairs: Iterable[tuple[str, float]]) -> list[str]:
    """Return names by the mean of their numbers, the lowest first."""
    found: dict[str, list[float]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return sorted(found, key=lambda name: float(np.mean(found[name])))


def _words(plant: str) -> str:
    return plant.replace("_", " ").capitalize()


def _draw_pue(figure: Figure, axes: Axes, grid: Grid) -> None:
    """Draw each cell in the colour of its year, with a strip of its months."""
    every = np.concatenate([place.monthly_pue for place in grid.values()])
    colours, norm = _scale("Oranges", float(np.nanmin(every)), float(np.nanmax(every)))
    for (row, column), place in grid.items():
        left, top = column - 0.5 + GAP / 2, row - 0.5 + GAP / 2
        size, strip = 1.0 - GAP, STRIP * (1.0 - GAP)
        _tile(axes, (left, top), (size, size - strip - LINE), colours(norm(place.pue)))
        month = size / 12
        for k, value in enumerate(place.monthly_pue):
            colour = "white" if np.isnan(value) else colours(norm(value))
            _tile(axes, (left + k * month, top + size - strip), (month, strip), colour)
        middle = top + 0.5 * (size - strip)
        _number(axes, column, middle, f"{place.pue:.3f}", colours(norm(place.pue)))
    _bar(figure, axes, colours, norm)


def _draw_hours(figure: Figure, axes: Axes, grid: Grid) -> None:
    """Draw the hours without a compressor."""
    colours, norm = _scale("Blues", 0.0, HOURS_PER_YEAR)
    for (row, column), place in grid.items():
        left, top = column - 0.5 + GAP / 2, row - 0.5 + GAP / 2
        known = not np.isnan(place.free_hours)
        colour = colours(norm(place.free_hours)) if known else "white"
        _tile(axes, (left, top), (1.0 - GAP, 1.0 - GAP), colour)
        _number(axes, column, row, f"{place.free_hours:,.0f}" if known else "-", colour)
    _bar(figure, axes, colours, norm)


def _scale(name: str, lowest: float, highest: float) -> tuple[Colormap, Normalize]:
    import matplotlib
    from matplotlib.colors import Normalize

    return matplotlib.colormaps[name], Normalize(lowest, highest)


def _tile(axes: Axes, corner: tuple[float, float], size: tuple[float, float], colour: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(corner, *size, facecolor=colour, linewidth=0.0))


def _number(axes: Axes, x: float, y: float, text: str, behind: Any) -> None:
    """Write *text* in black or white, whichever reads better on the colour *behind* it."""
    from matplotlib.colors import to_rgb

    light = np.dot(to_rgb(behind), (0.299, 0.587, 0.114)) > 0.5
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color="black" if light else "white")


def _bar(figure: Figure, axes: Axes, colours: Colormap, norm: Normalize) -> None:
    """Put the scale of colours below *axes*."""
    from matplotlib.cm import ScalarMappable

    box = axes.get_position()
    inch = 1.0 / figure.get_size_inches()[1]
    cax = figure.add_axes((box.x0, box.y0 - 0.2 * inch, box.width, 0.09 * inch))
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=cax, orientation="horizontal")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=style.INK, length=2)


def _frame(axes: Axes, plants: Sequence[str], sites: Sequence[str], turned: bool = False) -> None:
    """Label the columns of *axes* and take away what is no data."""
    axes.set_xlim(-0.5, len(sites) - 0.5)
    axes.set_ylim(len(plants) - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(sites)), sites)
    axes.tick_params(length=0, labelsize=9.5, colors=style.INK)
    if turned:
        axes.tick_params(axis="x", labelrotation=35, labelsize=9)
        for label in axes.get_xticklabels():
            label.set(ha="left", rotation_mode="anchor")
    for side in axes.spines.values():
        side.set_visible(False)


def _title(axes: Axes, height: float, what: str, of: str) -> None:
    """Write what a panel shows above it."""
    x, y = axes.get_position().x0, 1.0 - 0.26 / height
    bold = axes.figure.text(x, y, what, fontsize=12, fontweight="bold", color=style.INK)
    axes.annotate(f"  {of}", (1.0, 0.0), xycoords=bold, va="bottom", fontsize=9.5, color=style.INK)


if __name__ == "__main__":
    draw(read_places(Path(sys.argv[1])), Path(sys.argv[2]))
