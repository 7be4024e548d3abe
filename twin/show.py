"""What the commands show on a terminal: progress, the summary, the comparison.

Nothing moves where the output is not a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Values = Mapping[str, float | str | None]


def say(text: object) -> None:
    """Print *text*, or a rich table, to standard output."""
    Console(highlight=False, soft_wrap=isinstance(text, str)).print(text, markup=False)


def complain(text: str) -> None:
    """Print a problem to standard error."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)  # noqa: T201  the one place that speaks


def place(path: Path) -> str:
    """Return *path* as seen from the current folder where it lies inside, else whole."""
    whole = path.absolute()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)


def _progress() -> Progress:
    """Return a bar that draws only when told to: a thread of its own would forbid forking."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def run_bar(name: str) -> Iterator[Callable[[float], None] | None]:
    """Yield what a run calls with the fraction done, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with _progress() as progress:
        task = progress.add_task(name, total=1.0)

        def advance(fraction: float) -> None:
            progress.update(task, completed=fraction, refresh=True)

        yield advance


class DesignsBar:
    """A bar over the designs of a sweep; a failure is told the moment it happens."""

    def __init__(self, progress: Progress, total: int, things: str) -> None:
        self._progress = progress
        self._things = things
        self._done = [0.0] * total
        self._ended = 0
        self._failed = 0
        self._task = progress.add_task(self._text(), total=float(total))
        progress.refresh()

    def _text(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._ended} of {len(self._done)} {self._things}{failed}"

    def progress(self, index: int, fraction: float) -> None:
        """Take note that design *index* is done to *fraction*."""
        self._done[index] = fraction
        self._progress.update(self._task, completed=sum(self._done), refresh=True)

    def ended(self, index: int, failure: str | None) -> None:
        """Take note that design *index* ended, and tell a *failure*."""
        self._ended += 1
        if failure is not None:
            self._failed += 1
            if self._progress.disable:
                complain(failure)
            else:
                self._progress.console.print(failure, markup=False, highlight=False)
        self._progress.update(self._task, description=self._text())
        self.progress(index, 1.0)


@contextmanager
def designs_bar(total: int, things: str = "designs") -> Iterator[DesignsBar]:
    """Yield a bar over *total* designs or other *things*; invisible where nobody watches."""
    with _progress() as progress:
        yield DesignsBar(progress, total, things)


def summary(values: Values, folder: Path) -> None:
    """Print the outcome of a run and where it is."""
    from twin.results.terminal import summary_table
    from twin.schema import PUE_BOUNDARY

    say(summary_table(values))
    say(PUE_BOUNDARY)
    say(f"Written to {place(folder)}")


def comparison(runs: Sequence[Path], folder: Path) -> None:
    """Write the comparison of *runs* into *folder* and print its table."""
    from twin.results.compare import compare

    result: Any = compare(runs, folder)
    say(result)
    say(f"Written to {place(folder)}")
