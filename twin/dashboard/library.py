"""The finished runs below a folder, read again only when they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import InputFileError, suggest
from twin.plot.style import bucket
from twin.results.compare import METRICS, MOST_VARIED, Comparison, compare
from twin.results.quantity import in_own_unit, spoken
from twin.results.run_folder import Run, find_runs
from twin.schema import SERIES, SUMMARY

SERVED = ("report.html", "compare.html")
"""Files of a run folder that the page may show, beside the pictures in ``plots``."""

State = tuple[tuple[str, int], ...]
"""Run folders and when each was finished."""


@dataclass(slots=True)
class Library:
    """What there is to look at below one folder."""

    folder: Path
    found: Comparison | None = None
    _state: State = field(default=(), init=False)

    def refresh(self) -> bool:
        """Look again; return whether anything is new."""
        state = tuple(_finished(self.folder))
        if state == self._state:
            return False
        self._state = state
        self.found = compare([path for path, _ in state]) if state else None
        return True

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a run: its name, what tells it apart, the figures of the scorecard."""
        if self.found is None:
            return []
        found = self.found
        return [
            {
                "run": entry.name,
                **{key: _number(found.setting(entry, key)) for key in self.settings()},
                **{
                    name: in_own_unit(entry.summary.get(name), SUMMARY[name].unit)
                    for name in self.figures()
                },
            }
            for entry in found.entries
        ]

    def settings(self) -> list[str]:
        """Return the keys that tell the runs apart."""
        return [] if self.found is None else self.found.telling[:MOST_VARIED]

    def figures(self) -> list[str]:
        """Return the figures that any run knows, the most asked for first."""
        if self.found is None:
            return []
        named = [name for name in SUMMARY if SUMMARY[name].unit not in {"text", ""}]
        return self.found.metrics([*METRICS, *(name for name in named if name not in METRICS)])

    def label(self, metric: str) -> str:
        """Return a figure's name with its unit, in the runs' currency where they share one."""
        entries = [] if self.found is None else self.found.entries
        currencies = {str(entry.summary.get("currency")) for entry in entries}
        unit = spoken(SUMMARY[metric].unit, currencies.pop() if len(currencies) == 1 else None)
        name = SUMMARY[metric].label
        return name if unit in {"-", ""} else f"{name} [{unit}]"

    def path(self, name: str) -> Path:
        """Return the folder of the run of that name.

        Raises
        ------
        InputFileError
            If there is none: nothing but listed runs can be reached.
        """
        paths = {} if self.found is None else {e.name: e.path for e in self.found.entries}
        if name not in paths:
            raise InputFileError(f"{name}: no such run; {suggest(name, paths)}")
        return paths[name]

    def file(self, name: str, inside: str) -> Path:
        """Return a file of a run that the page may show.

        Raises
        ------
        InputFileError
            If there is no such run, or the file is none of those.
        """
        run = self.path(name)
        pictures = {f"plots/{path.name}" for path in (run / "plots").glob("*.png")}
        allowed = pictures | {one for one in SERVED if (run / one).is_file()}
        if inside not in allowed:
            raise InputFileError(f"{inside}: no file of {name} to show")
        return run / inside

    def line(self, name: str, column: str, between_s: tuple[float, float] | None) -> Line:
        """Return one column of a run over the whole of it, or between two instants."""
        if column not in SERIES:
            raise InputFileError(f"{column}: no such column; {suggest(column, SERIES)}")
        series = Run.open(self.path(name)).series(["at_s", column])
        at_s, values = series["at_s"], series[column]
        if between_s is not None:
            inside = (at_s >= between_s[0]) & (at_s <= between_s[1])
            at_s, values = at_s[inside], values[inside]
        if not len(at_s):
            return Line([], [], [], [])
        mean, low, high = bucket(values)
        step = -(-len(values) // len(mean))
        lists = (_known(part) for part in (mean, low, high))
        return Line(at_s[::step].tolist(), *lists)


@dataclass(frozen=True, slots=True)
class Line:
    """A column in as many points as a screen has use for; None where it is not known."""

    at_s: list[float]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


def _finished(folder: Path) -> list[tuple[str, int]]:
    """Return finished runs and when they were; replications stand for themselves once."""
    found = []
    for path in find_runs(folder):
        summary = path / "summary.json"
        if summary.is_file():
            found.append((str(path), summary.stat().st_mtime_ns))
    return found


def _number(text: str) -> float | str:
    """Return what a setting says as a number where it is one, so that it sorts as one."""
    try:
        return float(text)
    except ValueError:
        return text


def _known(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
