"""The energy of a run as a river: from the meter, through its uses, to heat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.explain import part_name
from twin.results.quantity import quantity
from twin.results.run_folder import Run
from twin.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.035
"""Space between two nodes of a column, as a share of all energy."""
NODE_WIDTH = 0.022
RIVER_OPACITY = 0.3
SMALL = 0.0004
"""Share of all energy below which a node is left out."""


@dataclass(frozen=True, slots=True)
class Node:
    """One box: what it is, how much passes it, and in which column it stands."""

    name: str
    kwh: float
    colour: str
    column: int
    source: str | None
    """Name of the box the energy comes from."""
    shown: bool = True
    """A box that is not shown keeps a place free for a river passing through."""


def draw(run: Run, folder: Path) -> Path:
    """Draw where the energy of *run* went."""
    nodes = flows(run)
    figure = style.new_figure(10.0, 5.8, left=0.1, right=2.0)
    axes = figure.add_subplot()
    axes.set_axis_off()
    total = nodes[0].kwh if nodes else 0.0
    if total > 0.0:
        _river(axes, [node for node in nodes if node.kwh > SMALL * total], total)
    pue = run.summary.get("pue")
    title = f"Energy of the run: {quantity(total, 'kWh')}"
    if pue is not None:
        title += f", PUE {pue:.3f}"
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=style.INK)
    return style.save(figure, folder, "energy_flow")


def flows(run: Run) -> list[Node]:
    """Return the boxes of the figure; those fed by one box add up to it."""
    series = run.series()
    use = run.summary

    def kwh(column: str) -> float:
        at_s, watts = series["at_s"], series[column]
        if not len(at_s):
            return 0.0
        lengths = np.diff(np.append(at_s, style.length_s(run)))
        return float(np.nansum(watts * lengths)) / JOULES_PER_KWH

    colour = style.COLOURS
    fan, server = kwh("server_fan_power_w"), kwh("server_power_w")
    facility, reused = use["facility_energy_kwh"], 0.0
    if use.get("ere") is not None:
        reused = facility - use["ere"] * use["it_energy_kwh"]
    nodes = [
        Node("electricity", facility, colour["facility"], 0, None),
        Node("IT", use["it_energy_kwh"], colour["server"], 1, "electricity"),
        Node("servers", server - fan, colour["server"], 2, "IT"),
        Node("server fans", fan, colour["fan"], 2, "IT"),
        Node("network", kwh("network_power_w"), colour["network"], 2, "IT"),
        Node("storage", kwh("storage_power_w"), colour["storage"], 2, "IT"),
    ]
    for name, key in (("electrical losses", "loss"), ("auxiliaries", "aux")):
        energy = use[f"{key}_energy_kwh"]
        nodes.append(Node(name, energy, colour[key], 1, "electricity"))
        nodes.append(Node(f"{name} on", energy, colour[key], 2, name, shown=False))
    nodes.append(Node("cooling", use["cooling_energy_kwh"], colour["cooling"], 1, "electricity"))
    parts = run.info.get("cooling_energy_kwh", {})
    for part, energy in sorted(parts.items(), key=lambda item: -item[1]):
        nodes.append(Node(part_name(part), energy, colour["cooling"], 2, "cooling"))
    nodes.append(Node("heat to the outdoors", facility - reused, colour["heat"], 3, "all"))
    nodes.append(Node("heat reused", reused, colour["hot"], 3, "all"))
    return nodes


def _river(axes: Axes, nodes: list[Node], total: float) -> None:
    tops = _places(nodes, total)
    for node in nodes:
        if node.source not in (None, "all"):
            _ribbon_between(axes, node, nodes, tops, total)
    _collect_heat(axes, nodes, tops, total)
    for node in nodes:
        _box(axes, node, tops[node.name], total)
    lowest = min(tops[node.name] - node.kwh / total for node in nodes)
    axes.set_xlim(0.0, 1.0 + NODE_WIDTH)
    axes.set_ylim(lowest - 0.01, 0.02)


def _places(nodes: list[Node], total: float) -> dict[str, float]:
    """Return the top of each box; children are listed in the order of their parents."""
    tops: dict[str, float] = {}
    for column in range(4):
        y = 0.0
        for node in (each for each in nodes if each.column == column):
            if node.column == 2 and node.source is not None:
                y = min(y, tops[node.source])  # never above the box it comes from
            tops[node.name] = y
            y -= node.kwh / total + GAP
    return tops


def _ribbon_between(
    axes: Axes, node: Node, nodes: list[Node], tops: dict[str, float], total: float
) -> None:
    assert node.source is not None
    elders = [n for n in nodes if n.source == node.source and n.column == node.column]
    above = sum(n.kwh for n in elders[: elders.index(node)]) / total
    parent = next(n for n in nodes if n.name == node.source)
    start = (_x(parent.column) + NODE_WIDTH, tops[parent.name] - above)
    _ribbon(axes, start, (_x(node.column), tops[node.name]), node.kwh / total, node.colour)


def _collect_heat(axes: Axes, nodes: list[Node], tops: dict[str, float], total: float) -> None:
    """Let every last box run into the heat, in order from the top."""
    ends = [node for node in nodes if node.column == 3]
    inner = {node.source for node in nodes}
    leaves = [n for n in nodes if n.column < 3 and n.name not in inner]
    leaves.sort(key=lambda node: -tops[node.name])
    if not ends:
        return
    y, left = tops[ends[0].name], ends[0].kwh / total
    for leaf in leaves:
        start_y, size = tops[leaf.name], leaf.kwh / total
        while size > 1e-12:
            part = min(size, left) if len(ends) > 1 else size
            start = (_x(leaf.column) + NODE_WIDTH, start_y)
            _ribbon(axes, start, (_x(3), y), part, leaf.colour)
            start_y, y, size, left = start_y - part, y - part, size - part, left - part
            if len(ends) > 1 and left <= 1e-12:
                ends = ends[1:]
                y, left = tops[ends[0].name], ends[0].kwh / total


def _x(column: int) -> float:
    return column / 3.0


def _ribbon(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    height: float,
    colour: str,
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2.0
    points = [
        (x0, y0),
        (middle, y0),
        (middle, y1),
        (x1, y1),
        (x1, y1 - height),
        (middle, y1 - height),
        (middle, y0 - height),
        (x0, y0 - height),
        (x0, y0),
    ]
    kinds = [Curve.MOVETO, *[Curve.CURVE4] * 3, Curve.LINETO, *[Curve.CURVE4] * 3, Curve.CLOSEPOLY]
    axes.add_patch(
        PathPatch(Curve(points, kinds), facecolor=colour, alpha=RIVER_OPACITY, linewidth=0)
    )


def _box(axes: Axes, node: Node, top: float, total: float) -> None:
    from matplotlib.patches import Rectangle

    height = node.kwh / total
    corner = (_x(node.column), top - height)
    opacity = 1.0 if node.shown else RIVER_OPACITY
    box = Rectangle(corner, NODE_WIDTH, height, facecolor=node.colour, alpha=opacity, linewidth=0)
    axes.add_patch(box)
    if not node.shown:
        return
    from matplotlib.patheffects import withStroke

    share = "" if node.column in (0, 3) and height > 0.9995 else f", {100.0 * height:.1f} %"
    axes.annotate(
        f"{node.name}  {quantity(node.kwh, 'kWh')}{share}",
        (_x(node.column) + NODE_WIDTH + 0.006, top - height / 2.0),
        va="center",
        fontsize=8.5,
        color=style.INK,
        annotation_clip=False,
        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.75)],
    )
