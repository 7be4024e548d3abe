"""The one-line diagram of the feed, with what each element carried at its peak."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.plot import style
from twin.results.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Places = dict[str, tuple[float, float]]

BOX = (0.86, 0.56)
"""Width and height of an element, where columns and rows are 1 apart."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw the feed from the meter down to the racks; None where the run does not tell it."""
    diagram = run.info.get("one_line")
    if not diagram or not diagram["nodes"]:
        return None
    nodes = {node["name"]: node for node in diagram["nodes"]}
    edges = [(feeder, fed) for feeder, fed in diagram["edges"]]
    places = layout(list(nodes), edges)
    columns = [x for x, _ in places.values()]
    rows = [y for _, y in places.values()]
    left, right = min(columns), max(columns)
    width = max(7.0, 1.75 * (right - left + 1.0) + 0.6)
    height = 0.95 * (max(rows) + 1.0) + 0.9

    figure = style.new_figure(width, height, left=0.2, right=0.2)
    figure.subplots_adjust(bottom=0.02)
    axes = figure.subplots()
    axes.set_axis_off()
    middle, half = (left + right) / 2.0, max((right - left + 1.0) / 2.0, 2.0)
    axes.set_xlim(middle - half, middle + half)
    axes.set_ylim(max(rows) + 0.5, -0.5)
    for feeder, fed in edges:
        backup = nodes[feeder]["kind"] == "generator"
        _wire(axes, places[feeder], places[fed], backup)
    for name, (x, y) in places.items():
        _element(axes, nodes[name], x, y)
    axes.set_title(
        "Power feed: highest load of each element over its rating",
        loc="left",
        fontsize=12,
        fontweight="bold",
        color=style.INK,
    )
    return style.save(figure, folder, "one_line")


def layout(names: list[str], edges: list[tuple[str, str]]) -> Places:
    """Return (column, row) of each element: below its feeders, near them, none on another.

    Parameters
    ----------
    names : list of str
        Elements, in any order.
    edges : list of (feeder, fed)
        Without circles.

    Examples
    --------
    >>> layout(["a", "b", "c"], [("a", "b"), ("a", "c")])
    {'a': (0.0, 0), 'b': (-0.5, 1), 'c': (0.5, 1)}
    """
    feeders = {name: [feeder for feeder, fed in edges if fed == name] for name in names}
    fed_by = {name: [fed for feeder, fed in edges if feeder == name] for name in names}
    row = dict.fromkeys(names, 0)
    for _ in names:  # as often as the longest path may be long
        for feeder, fed in edges:
            row[fed] = max(row[fed], row[feeder] + 1)
    for name in names:  # a generator stands just above the switch it backs
        if not feeders[name] and fed_by[name]:
            row[name] = min(row[fed] for fed in fed_by[name]) - 1
    levels = [
        [name for name in names if row[name] == level] for level in range(max(row.values()) + 1)
    ]
    column = dict.fromkeys(names, 0.0)
    for level in levels:
        _spread(level, column, {name: float(i) for i, name in enumerate(level)})
    for near in (feeders, fed_by, feeders, fed_by, feeders):
        for level in levels if near is feeders else reversed(levels):
            wish = {
                name: sum(column[other] for other in near[name]) / len(near[name])
                if near[name]
                else column[name]
                for name in level
            }
            _spread(level, column, wish)
    return {name: (column[name], row[name]) for name in names}


def _spread(level: list[str], column: dict[str, float], wish: Mapping[str, float]) -> None:
    """Put a row as near its wishes as elements 1 apart can be."""
    order = sorted(level, key=lambda name: (wish[name], column[name]))
    at: list[float] = []
    for name in order:
        at.append(max(wish[name], at[-1] + 1.0) if at else wish[name])
    shift = (sum(wish[name] for name in order) - sum(at)) / len(order)
    for name, x in zip(order, at, strict=True):
        column[name] = x + shift


def _wire(axes: Axes, feeder: tuple[float, float], fed: tuple[float, float], backup: bool) -> None:
    (x0, y0), (x1, y1) = feeder, fed
    axes.plot(
        [x0, x1],
        [y0 + BOX[1] / 2.0, y1 - BOX[1] / 2.0],
        color=style.COLOURS["aux"],
        linewidth=1.4,
        linestyle=":" if backup else "-",
        zorder=1,
    )


def _element(axes: Axes, node: Mapping[str, Any], x: float, y: float) -> None:
    """Draw a box, filled from the left as far as its rating was used."""
    from matplotlib.patches import Rectangle

    width, height = BOX
    corner = (x - width / 2.0, y - height / 2.0)
    peak_w, rated_w = node.get("peak_w", 0.0), node.get("installed_w", 0.0)
    used = peak_w / rated_w if rated_w else 0.0
    axes.add_patch(Rectangle(corner, width, height, facecolor="white", zorder=2, linewidth=0))
    colour = style.COLOURS["hot"] if used > 1.0 + 1e-9 else style.COLOURS["server"]
    part = Rectangle(corner, width * min(used, 1.0), height, facecolor=colour, zorder=3)
    part.set(alpha=0.3, linewidth=0)
    axes.add_patch(part)
    edge = style.COLOURS["hot"] if used > 1.0 + 1e-9 else style.INK
    axes.add_patch(
        Rectangle(corner, width, height, fill=False, edgecolor=edge, linewidth=1.0, zorder=4)
    )
    units = node.get("installed", 1)
    count = f" ×{units}" if units > 1 else ""
    style_of: dict[str, Any] = {"ha": "center", "va": "center", "color": style.INK, "zorder": 5}
    axes.text(x, y - 0.1, f"{spoken(node['name'])}{count}", fontsize=9, **style_of)
    axes.text(x, y + 0.12, _figures(peak_w, rated_w), fontsize=7.5, **style_of)


ABBREVIATIONS = frozenset({"ats", "bess", "lv", "mv", "pdu", "pv", "sts", "ups"})


def spoken(name: str) -> str:
    """Return the name of an element as it is written on a diagram.

    Examples
    --------
    >>> spoken("lv_board"), spoken("ups_a"), spoken("racks")
    ('LV board', 'UPS A', 'racks')
    """
    words = name.split("_")
    return " ".join(w.upper() if w in ABBREVIATIONS or len(w) == 1 else w for w in words)


def _figures(peak_w: float, rated_w: float) -> str:
    """Return the highest load, of which rating, in a unit whose figures fit into the box.

    Examples
    --------
    >>> _figures(1.64e6, 2.591e6), _figures(17.498e6, 31.486e6), _figures(2e3, 0.0)
    ('1,640 of 2,591 kW, 63 %', '17.5 of 31.5 MW, 56 %', '2 kW')
    """
    large = max(peak_w, rated_w) >= 1e7
    unit_w, unit, digits = (1e6, "MW", 1) if large else (1e3, "kW", 0)
    peak = f"{peak_w / unit_w:,.{digits}f}"
    if not rated_w:
        return f"{peak} {unit}"
    return f"{peak} of {rated_w / unit_w:,.{digits}f} {unit}, {100.0 * peak_w / rated_w:.0f} %"
