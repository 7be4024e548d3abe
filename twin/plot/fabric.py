"""The fabric with the load of its links: drawn as it hangs together, and ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.plot import style
from twin.results.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Points = list[tuple[float, float]]
Loads = Mapping[str, style.Floats]
"""Of each link of a kind: mean and highest demand over capacity, and whether contended."""

WORDS = {
    "leaf": ("uplinks of a leaf", "uplinks of a leaf group, all rails"),
    "pod": ("uplinks of a pod", "uplinks of a pod, all rails"),
    "group": ("global links of a group",) * 2,
    "block": ("outer links of a block",) * 2,
}
"""What one link of a kind is, without rails and with."""
PLURAL = {"leaf": "leaf uplinks", "pod": "pod uplinks", "group": "groups", "block": "blocks"}
RANKED = {"leaf": "server", "group": "server", "block": "server", "pod": "loss"}
"""Colours of the kinds where they are ranked."""
MOST_LEAVES = 48
"""Leaves that are drawn one by one; neighbours are gathered beyond."""
MOST_NAMED = 8
"""Pods whose boxes have room for more than a number."""
MOST_CHORDED = 24
"""Groups between which all bundles are drawn; more would be a tangle."""
MOST_WIRED = 150
"""Blocks between which wires are drawn."""
SCALES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Where a scale of colours may end."""


def draw(run: Run, folder: Path) -> Path | None:
    """Draw the fabric coloured by load; None where nothing went over its links."""
    record = run.info.get("fabric") or {}
    links = {kind: _loads(columns) for kind, columns in record.get("links", {}).items()}
    if not any(loads["mean"].any() for loads in links.values()):
        return None
    plan = record["plan"]
    figure = style.new_figure(10.0, 5.0, left=0.25, right=0.25)
    figure.subplots_adjust(top=0.8, bottom=0.24, wspace=0.22)
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1.0))
    colour_of = Shades(max(float(loads["mean"].max()) for loads in links.values()))
    left.set_axis_off()
    left.margins(0.03)
    DRAWN[plan["form"]](left, plan, links, colour_of)
    _scale(figure, left, colour_of)
    _ranked(right, plan, links)
    what, how = _told(plan, links)
    figure.text(0.025, 0.945, what, fontsize=12, fontweight="bold", color=style.INK)
    figure.text(0.025, 0.89, how, fontsize=9, color=style.INK)
    return style.save(figure, folder, "fabric")


class Shades:
    """Colour and width of a link by its load, on a scale that ends just above the highest."""

    def __init__(self, highest: float) -> None:
        from matplotlib import colormaps

        self.ends_at = next((end for end in SCALES if highest <= end), 1.0)
        self.colours: Colormap = colormaps["viridis_r"]

    def __call__(self, load: float) -> dict[str, Any]:
        """Return how a link of this load is drawn."""
        part = min(load / self.ends_at, 1.0)
        if part == 0.0:
            return {"color": style.FAINT, "linewidth": 1.0}
        return {"color": self.colours(part), "linewidth": 1.0 + 3.5 * part}


def _loads(columns: Mapping[str, Any]) -> dict[str, style.Floats]:
    return {
        "mean": np.array(columns["mean_fraction"], float),
        "demand": np.array(columns["demand_peak_fraction"], float),  # None is NaN
        "contended": np.array(columns["contended"], float),
    }


def gather(loads: Loads, number: int) -> dict[str, style.Floats]:
    """Return the loads of each *number* neighbours as one: their mean, and the worst of them.

    Examples
    --------
    >>> many = {"mean": np.array([0.1, 0.3, 0.5]), "contended": np.array([0.0, 1.0, 0.0])}
    >>> {name: values.tolist() for name, values in gather(many, 2).items()}
    {'mean': [0.2, 0.5], 'contended': [1.0, 0.0]}
    """
    first = np.arange(0, len(loads["mean"]), number)
    count = np.diff([*first, len(loads["mean"])])
    return {
        name: np.add.reduceat(values, first) / count
        if name == "mean"
        else np.maximum.reduceat(values, first)
        for name, values in loads.items()
    }


def neighbours(leaves: int, leaves_per_pod: int | None) -> int:
    """Return how many leaves are drawn as one, so that none is of two pods.

    Examples
    --------
    >>> neighbours(40, None), neighbours(100, None), neighbours(390, 32)
    (1, 3, 16)
    """
    least = -(-leaves // MOST_LEAVES)
    if leaves_per_pod is None or least >= leaves_per_pod:
        return least
    return next(n for n in range(least, leaves_per_pod + 1) if leaves_per_pod % n == 0)


# ---- the forms ----


def _tree(axes: Axes, plan: Mapping[str, Any], links: Mapping[str, Loads], shade: Shades) -> None:
    """Draw leaves below their pods below the core, or straight below the spines."""
    per_pod = plan["leaves_per_pod"]
    each = neighbours(plan["leaves"], per_pod)
    leaves = gather(links["leaf"], each)
    count = len(leaves["mean"])
    pod_of = np.arange(count) * each // per_pod if per_pod else np.zeros(count, int)
    x = np.arange(count) + 0.7 * pod_of  # a gap between pods
    top, width = (2.0 if per_pod else 1.0), float(x[-1] + 1.0)
    for k, load in enumerate(leaves["mean"]):
        up = float(x[pod_of == pod_of[k]].mean()) if per_pod else float(x[k])
        axes.plot([x[k], up], [0.0, 1.0], zorder=1, solid_capstyle="butt", **shade(load))
        if leaves["contended"][k]:
            _mark(axes, (0.6 * x[k] + 0.4 * up, 0.4))
        _box(axes, (x[k], 0.0), (0.8, 0.1))
    if per_pod:
        named = "pod " if len(links["pod"]["mean"]) < MOST_NAMED else ""
        for pod, load in enumerate(links["pod"]["mean"]):
            mine = x[pod_of == pod]
            at = float(mine.mean())
            axes.plot([at, at], [1.0, top], zorder=1, solid_capstyle="butt", **shade(load))
            if links["pod"]["contended"][pod]:
                _mark(axes, (at, 1.5))
            _box(axes, (at, 1.0), (max(0.8, float(np.ptp(mine)) * 0.8), 0.12), f"{named}{pod + 1}")
    middle = (width - 1.0) / 2.0
    word = ("core" if per_pod else "spines") + (" of each rail" if plan["rails"] else "")
    _box(axes, (middle, top), (width, 0.14), word)
    servers = plan["servers_per_leaf"] * each
    gathered = f"{each} leaves" if each > 1 else "leaf"
    group = f"{gathered} of each rail" if plan["rails"] else gathered
    below = f"one box: {group} with {servers:,} servers" + ("; numbers: pods" if per_pod else "")
    axes.text(middle, -0.1, below, ha="center", va="top", fontsize=9, color=style.INK)
    axes.set_ylim(-0.25, top + 0.15)


def _groups(axes: Axes, plan: Mapping[str, Any], links: Mapping[str, Loads], shade: Shades) -> None:
    """Draw groups on a circle; the half of a bundle next to a group has that group's load."""
    number, loads = plan["groups"], links["group"]
    turn = np.pi / 2.0 - 2.0 * np.pi * np.arange(number) / number
    x, y = np.cos(turn), np.sin(turn)
    for one in range(number):
        if number <= MOST_CHORDED:
            ends: Points = [((x[one] + x[k]) / 2, (y[one] + y[k]) / 2) for k in range(number)]
        else:
            ends = [(0.0, 0.0)]
        look = shade(loads["mean"][one])
        for to_x, to_y in ends:
            axes.plot([x[one], to_x], [y[one], to_y], zorder=1, **look)
        if loads["contended"][one]:
            _mark(axes, (1.13 * x[one], 1.13 * y[one]))
    axes.scatter(x, y, s=max(12.0, 2500.0 / number), color="white", edgecolor=style.INK, zorder=2)
    if number > MOST_CHORDED:
        axes.text(
            0.0,
            0.0,
            "each group\nto each",
            ha="center",
            va="center",
            fontsize=9,
            color=style.INK,
            bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": style.FAINT},
            zorder=3,
        )
    if number <= MOST_LEAVES:
        for k in range(number):
            axes.text(x[k], y[k], str(k + 1), fontsize=7, ha="center", va="center", zorder=3)
    axes.set_xlim(-1.25, 1.25)
    axes.set_ylim(-1.25, 1.25)
    axes.set_aspect("equal")


def _blocks(axes: Axes, plan: Mapping[str, Any], links: Mapping[str, Loads], shade: Shades) -> None:
    """Draw blocks layer by layer, with half of each wire in the colour of the block beside it."""
    from matplotlib.patches import Rectangle

    nx, ny, nz = plan["sides"]
    loads = links["block"]
    wide = math.ceil(math.sqrt(nz * ny / nx))  # layers beside one another
    corner = [((k % wide) * (nx + 0.9), -(k // wide) * (ny + 1.2)) for k in range(nz)]
    for number, load in enumerate(loads["mean"]):
        layer, (i, j) = number % nz, divmod(number // nz, ny)
        x, y = float(i), float(j)
        x, y = x + corner[layer][0], y + corner[layer][1]
        look = shade(load)
        if len(loads["mean"]) <= MOST_WIRED:
            for dx, dy in _ways(nx, ny, nz):
                axes.plot([x, x + dx], [y, y + dy], zorder=1, **look)
        axes.add_patch(
            Rectangle((x - 0.3, y - 0.3), 0.6, 0.6, facecolor=look["color"], edgecolor="white")
        ).set_zorder(2)
        if loads["contended"][number]:
            _mark(axes, (x, y))
    for layer in range(nz if nz > 1 else 0):
        at = corner[layer][0] + (nx - 1) / 2.0, corner[layer][1] - 0.6
        axes.text(*at, f"layer {layer + 1}", ha="center", va="top", fontsize=8, color=style.INK)
    axes.set_aspect("equal")


def _ways(nx: int, ny: int, nz: int) -> Points:
    """Return the halves of the wires that leave a block; up and down are drawn aslant."""
    across = [(0.5, 0.0), (-0.5, 0.0)] if nx > 1 else []
    along = [(0.0, 0.5), (0.0, -0.5)] if ny > 1 else []
    return [*across, *along, *([(0.42, 0.42), (-0.42, -0.42)] if nz > 1 else [])]


DRAWN = {"tree": _tree, "groups": _groups, "blocks": _blocks}
"""Who draws which form of fabric."""


def _box(axes: Axes, at: tuple[float, float], size: tuple[float, float], text: str = "") -> None:
    from matplotlib.patches import Rectangle

    corner = (at[0] - size[0] / 2.0, at[1] - size[1] / 2.0)
    look: dict[str, Any] = {
        "facecolor": "white",
        "edgecolor": style.INK,
        "linewidth": 0.8,
        "zorder": 2,
    }
    axes.add_patch(Rectangle(corner, *size, **look))
    axes.text(*at, text, ha="center", va="center", fontsize=8, color=style.INK, zorder=3)


def _mark(axes: Axes, at: tuple[float, float]) -> None:
    """Mark a link whose jobs got into each other's way."""
    look: dict[str, Any] = {
        "s": 26.0,
        "marker": "D",
        "zorder": 4,
        "edgecolor": "white",
        "linewidth": 0.6,
    }
    axes.scatter(*at, color=style.COLOURS["hot"], **look)


# ---- scale, ranking, words ----


def _scale(figure: Figure, axes: Axes, shade: Shades) -> None:
    """Draw the scale of colours below the fabric."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    place = axes.get_position(original=True)
    strip = figure.add_axes((place.x0 + 0.2 * place.width, 0.13, 0.6 * place.width, 0.025))
    mapped = ScalarMappable(Normalize(0.0, 100.0 * shade.ends_at), shade.colours)
    bar = figure.colorbar(mapped, cax=strip, orientation="horizontal")
    bar.set_label("mean load of a link [% of its capacity]", fontsize=9, color=style.INK)
    bar.ax.tick_params(colors=style.INK, labelsize=9)
    bar.outline.set_visible(False)


def _ranked(axes: Axes, plan: Mapping[str, Any], links: Mapping[str, Loads]) -> None:
    """Draw the mean and the highest demand of each link, most loaded first."""
    for kind, loads in links.items():
        order = np.argsort(-loads["mean"], kind="stable")
        edges = np.linspace(0.0, 100.0, len(order) + 1)
        colour = style.COLOURS[RANKED[kind]]
        axes.stairs(
            100.0 * loads["mean"][order],
            edges,
            fill=True,
            alpha=0.75,
            color=colour,
            label=f"mean, {_word(kind, plan)}",
        )
        middles = (edges[1:] + edges[:-1]) / 2.0
        demand, contended = 100.0 * loads["demand"][order], loads["contended"][order] > 0.0
        for mine, marker, word in (
            (~contended, "o", "room for all"),
            (contended, "D", "contended"),
        ):
            if (mine & ~np.isnan(demand)).any():
                look = style.COLOURS["hot"] if word == "contended" else style.COLOURS["facility"]
                label = f"highest demand, {word}" if kind != "pod" else None
                axes.scatter(middles[mine], demand[mine], s=14, marker=marker, c=look, label=label)
    if axes.get_ylim()[1] > 60.0:
        axes.axhline(100.0, color=style.COLOURS["aux"], linewidth=1.2, linestyle="--")
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(0.0, 100.0)
    style.dress(axes, "")
    axes.set_ylabel("load [% of capacity]", color=style.INK, fontsize=9)
    axes.yaxis.set_label_coords(-0.12, 0.5)
    axes.set_xlabel("links, most loaded first [% of them]", color=style.INK, fontsize=9)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.45, -0.17),
        frameon=False,
        fontsize=8.5,
        labelcolor=style.INK,
    )


def _word(kind: str, plan: Mapping[str, Any]) -> str:
    return WORDS[kind][bool(plan.get("rails"))]


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value < 10.0 else f"{value:.0f} %"


def _told(plan: Mapping[str, Any], links: Mapping[str, Loads]) -> tuple[str, str]:
    """Return what the figure says, and how to read it."""
    parts = []
    for kind, loads in links.items():
        mean, most = 100.0 * loads["mean"].mean(), 100.0 * loads["mean"].max()
        parts.append(f"{PLURAL[kind]} {_percent(mean)} (fullest {_percent(most)})")
    what = "Mean load of the fabric: " + ", ".join(parts)
    watched = [loads for loads in links.values() if not np.isnan(loads["demand"]).all()]
    contended = sum(int(loads["contended"].sum()) for loads in watched)
    if not watched:
        how = "Links carry all that the jobs can send at once: never contended, demand not counted."
    elif not contended:
        how = "No jobs ever got into each other's way. Demand: jobs with all links to themselves."
    else:
        how = (
            f"Jobs got into each other's way on {contended} links (diamonds). "
            "Demand: what they would send with all links to themselves."
        )
    if plan.get("servers_per_domain"):
        how += f" NVLink joins each {plan['servers_per_domain']} trays beside it."
    return what, how
