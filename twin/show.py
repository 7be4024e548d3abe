"""What the commands show on a terminal: progress, the summary, the comparison.

Nothing moves where the output is not a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from twin.files import write_text

_PIPE_WIDTH = 120
_ROWS_SHOWN = 5

Values = Mapping[str, float | str | None]

PROGRESS_FILE = "TWIN_PROGRESS_FILE"
"""Environment: a file to write the fraction done into, for a program that watches the run."""


def say(content: object) -> None:
    """Print text, or a rich table, to standard output; a pipe is as wide as a table needs."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    plain = isinstance(content, str)
    Console(highlight=False, soft_wrap=plain, width=width).print(content, markup=not plain)


def complain(text: str) -> None:
    """Write a problem to standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


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
    told = os.environ.get(PROGRESS_FILE)
    if told:

        def tell(fraction: float) -> None:
            write_text(Path(told), f"{fraction:.4f}")

        yield tell
        return
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

    def __init__(self, progress: Progress, total: int, things: str, ended: int = 0) -> None:
        self._progress = progress
        self._things = things
        self._done = [1.0] * ended + [0.0] * (total - ended)
        self._ended = ended
        self._failed = 0
        self._task = progress.add_task(self._text(), total=float(total))
        progress.update(self._task, completed=float(ended), refresh=True)

    def _text(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._ended} of {len(self._done)} {self._things}{failed}"

    def progress(self, index: int, fraction: float) -> None:
        """Take note that design *index* is done to *fraction*."""
        self._done[index] = fraction
        self._progress.update(self._task, completed=sum(self._done), refresh=True)

    def count(self, number: int = 1) -> None:
        """Take note that *number* more ended, whichever they are."""
        for _ in range(number):
            self.ended(self._ended, None)

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
def designs_bar(total: int, things: str = "designs", ended: int = 0) -> Iterator[DesignsBar]:
    """Yield a bar over *total* designs or other *things*; invisible where nobody watches.

    The first *ended* of them are done already.
    """
    with _progress() as progress:
        yield DesignsBar(progress, total, things, ended)


def summary(values: Values, folder: Path) -> None:
    """Print the outcome of a run, what to know about it, and where it is."""
    from twin.results.terminal import summary_table
    from twin.schema import PUE_BOUNDARY

    say(summary_table(values))
    say(PUE_BOUNDARY)
    own = folder / "run.json"
    records = [own] if own.is_file() else sorted(folder.glob("rep_*/run.json"))
    told = [json.loads(record.read_text(encoding="utf-8")) for record in records]
    if not own.is_file() and told:
        say(
            f"Means of {len(told)} replications; <key>_ci95 in summary.json is half the 95 % "
            "interval of each, replications.parquet holds them all"
        )
    lines = [[_happened(folder)], [_bottleneck(told)], *(_to_know(record) for record in told)]
    for line in dict.fromkeys(chain.from_iterable(lines)):  # replications say much alike
        if line:
            say(line)
    say(f"Written to {place(folder)}")


def _happened(folder: Path) -> str:
    """Return what tripped, failed, was slowed or shed, by how often; nothing of replications."""
    if not (folder / "events.parquet").is_file():
        return ""
    from twin.results.run_folder import Run

    kinds = Counter(Run(folder, {}).events()["kind"].tolist())
    often = [f"{kind} {number:,}" for kind, number in kinds.items()]
    return f"Events, in events.parquet: {', '.join(often)}" if often else ""


def _bottleneck(records: Sequence[Mapping[str, Any]]) -> str:
    """Return what holds releases up: why in one run, in how many of several."""
    found = [record["pipeline"]["bottleneck"] for record in records if record.get("pipeline")]
    if not found:
        return ""
    if len(found) == 1:
        return f"Bottleneck: {found[0]['why']}"
    names = Counter(each["name"] or "none named" for each in found)
    often = [f"{name} in {count} of {len(found)}" for name, count in names.most_common()]
    return f"Bottleneck: {', '.join(often)} replications; why is in each run.json"


def _to_know(record: Mapping[str, Any]) -> list[str]:
    """Return sentences from run.json: what became of input rows, what was measured, warnings."""
    lines = []
    rows = record.get("workload")
    if rows:
        lines.append(
            f"{rows['path']}: {rows['read']:,} rows read, {rows['used']:,} used, "
            f"{rows['refused_count']:,} refused"
        )
        lines += [f"  {row}" for row in rows["refused"][:_ROWS_SHOWN]]
        if rows["refused_count"] > _ROWS_SHOWN:
            lines.append("  ... more in run.json")
        lines += _beside_measured(record, rows["measured"])
    return lines + [f"note: {warning}" for warning in record.get("warnings", ())]


def _beside_measured(record: Mapping[str, Any], measured: Mapping[str, float]) -> list[str]:
    """Return how busy the servers were, beside what was measured on the real cluster."""
    if not measured:
        return []
    busy, servers = record["servers_busy_mean"], record["servers"]
    if "measured_gpus_total" in measured:
        gpus, total = measured["measured_gpus_busy_mean"], measured["measured_gpus_total"]
        busy_gpus = f"{gpus:.0f} of {total:.0f} ({gpus / total:.1%})"
        return [f"GPUs that were measured busy, mean: {busy_gpus}"]
    nodes, total = measured["measured_nodes_busy_mean"], measured["measured_nodes_total"]
    return [
        f"servers that hold a job, mean: {busy:.0f} of {servers} ({busy / servers:.1%}); "
        f"measured: {nodes:.0f} of {total:.0f} ({nodes / total:.1%})"
    ]


def comparison(
    runs: Sequence[Path], folder: Path, metrics: Sequence[str] = (), series: Sequence[str] = ()
) -> None:
    """Write the comparison of *runs* into *folder* and print its table."""
    from twin.plot.all import draw_comparison
    from twin.results.compare import compare
    from twin.results.compare_page import write_page

    found: Any = compare(runs)
    folder.mkdir(parents=True, exist_ok=True)
    found.write_csv(folder / "compare.csv")
    draw_comparison(found, folder, metrics, series)
    write_page(found, folder)
    say(found)
    say(f"Written to {place(folder)}; open {place(folder / 'compare.html')}")
