"""Published outcomes against ours: every figure's error against its tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {
    "V": ("predicted", style.COLOURS["hot"], "D"),
    "C": ("calibrated", style.COLOURS["server"], "s"),
    "A": ("arithmetic", style.COLOURS["aux"], "o"),
}
FARTHEST = 2.6
"""Tolerances from the middle to the edge; what lies farther off is drawn there, as an arrow."""
LINE_IN = 0.2
LONGEST_NAME = 30


@dataclass(frozen=True, slots=True)
class Mark:
    """One published figure."""

    name: str
    """Row and scenario; figures of one name share a line."""
    kind: str
    """A, C or V."""
    deviation: float
    """Ours less the published value over the tolerance; NaN where there is none of ours."""


def draw(marks: Sequence[Mark], folder: Path) -> Path:
    """Draw ``validation.png`` into *folder*: rows of type V and C left, A right."""
    left = [mark for mark in marks if mark.kind != "A"]
    right = [mark for mark in marks if mark.kind == "A"]
    halves = [half for half in (left, right) if half]
    lines = max((len(_names(half)) for half in halves), default=1)
    figure = style.new_figure(6.2 * len(halves), 1.3 + LINE_IN * lines, left=2.3, right=0.2)
    figure.subplots_adjust(wspace=0.62)
    panels = figure.subplots(1, len(halves) or 1, squeeze=False).ravel()
    for axes, half in zip(panels, halves, strict=False):
        _panel(axes, half, lines)
    handles: dict[str, Any] = {}
    for axes in panels:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(
        list(handles.values()), list(handles), loc="upper right", ncols=4, frameon=False, fontsize=9
    )
    return style.save(figure, folder, "validation")


def _names(marks: Sequence[Mark]) -> list[str]:
    """Return the lines, in order of appearance."""
    return list(dict.fromkeys(mark.name for mark in marks))


def _panel(axes: Axes, marks: Sequence[Mark], lines: int) -> None:
    names = _names(marks)
    axes.axvspan(-1.0, 1.0, color="#E9F3EC", label="within tolerance")
    axes.axvline(0.0, color=style.FAINT, linewidth=1.0)
    for kind, (label, colour, shape) in KINDS.items():
        own = [mark for mark in marks if mark.kind == kind and mark.deviation == mark.deviation]
        near = [mark for mark in own if abs(mark.deviation) <= FARTHEST]
        at = [names.index(mark.name) for mark in near]
        x = [mark.deviation for mark in near]
        if own:
            axes.plot(
                x, at, shape, color=colour, markersize=4.5, alpha=0.8, label=label, linestyle="none"
            )
        for mark in own:
            if abs(mark.deviation) > FARTHEST:
                side = 1.0 if mark.deviation > 0.0 else -1.0
                arrow = ">" if side > 0.0 else "<"
                axes.plot(
                    side * FARTHEST, names.index(mark.name), arrow, color=colour, markersize=6
                )
    style.dress(axes, "")
    axes.grid(visible=False)
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(lines - 0.3, -0.7)
    axes.set_xlim(-FARTHEST - 0.15, FARTHEST + 0.15)
    axes.set_xlabel("error / tolerance", color=style.INK)
    axes.tick_params(axis="y", labelsize=8, length=0)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
