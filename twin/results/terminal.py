"""The scorecard of a run on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from twin.results.quantity import scorecard

NARROW = 96
"""Characters below which the two columns stand below each other."""


def summary_table(summary: Mapping[str, Any]) -> Scorecard:
    """Return the scorecard of *summary* as something rich can print."""
    return Scorecard([_group(head, rows) for head, rows in scorecard(summary).items()])


class Scorecard:
    """Headed groups in two columns, or in one where the terminal is narrow."""

    def __init__(self, groups: list[Table]) -> None:
        self.groups = groups

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < NARROW:
            yield _stack(self.groups)
            return
        half = _fold([table.row_count for table in self.groups])
        page = Table.grid(padding=(0, 4))
        page.add_row(_stack(self.groups[:half]), _stack(self.groups[half:]))
        yield page


def _group(head: str, rows: list[tuple[str, str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=24)
    table.add_column(justify="right", min_width=10, no_wrap=True)
    table.add_row(f"[bold cyan]{head}[/]")
    for _, label, value in rows:
        table.add_row(f"  {label}", value)
    return table


def _stack(tables: list[Table]) -> Table:
    column = Table.grid()
    for k, table in enumerate(tables):
        if k:
            column.add_row("")
        column.add_row(table)
    return column


def _fold(heights: list[int]) -> int:
    """Return after how many groups the second column should begin."""
    total, so_far = sum(heights), 0
    for k, height in enumerate(heights):
        if so_far + height / 2.0 >= total / 2.0:
            return k
        so_far += height
    return len(heights)
