"""The scorecard of a run on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from twin.results.quantity import scorecard

Group = tuple[str, list[tuple[str, str, str]]]
"""A heading, and (key, label, value in words) of each figure below it."""
INDENT = 2
NARROW = 96
"""Characters below which the two columns stand below each other."""


def summary_table(summary: Mapping[str, Any]) -> Scorecard:
    """Return the scorecard of *summary* as something rich can print."""
    return Scorecard(list(scorecard(summary).items()))


class Scorecard:
    """Headed groups in two columns, or in one where the terminal is narrow."""

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < NARROW:
            yield _stack(self.groups)
            return
        half = _fold([1 + len(rows) for _, rows in self.groups])
        page = Table.grid(padding=(0, 4))
        page.add_row(_stack(self.groups[:half]), _stack(self.groups[half:]))
        yield page


def _group(group: Group, widths: tuple[int, int]) -> Table:
    head, rows = group
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=widths[0])
    table.add_column(justify="right", min_width=widths[1], no_wrap=True)
    table.add_row(f"[bold cyan]{head}[/]")
    for _, label, value in rows:
        table.add_row(f"{' ' * INDENT}{label}", value)
    return table


def _stack(groups: list[Group]) -> Table:
    """Put groups below each other, their figures in one line."""
    cells = [(len(label) + INDENT, len(value)) for _, rows in groups for _, label, value in rows]
    labels, values = zip(*cells, strict=True) if cells else ((0,), (0,))
    column = Table.grid()
    for k, group in enumerate(groups):
        if k:
            column.add_row("")
        column.add_row(_group(group, (max(labels), max(values))))
    return column


def _fold(heights: list[int]) -> int:
    """Return after how many groups the second column should begin."""
    total, so_far = sum(heights), 0
    for k, height in enumerate(heights):
        if so_far + height / 2.0 >= total / 2.0:
            return k
        so_far += height
    return len(heights)
