"""What a search tried, what became of it, and which designs are best."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.files import whole

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

TRIALS_FILE, BEST_FILE = "study.csv", "pareto.csv"
MOST_SHOWN = 25
"""Best designs shown on a terminal; ``pareto.csv`` holds all."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a study looks for."""

    objectives: dict[str, str]
    """Summary key -> ``minimize`` or ``maximize``."""
    constraints: dict[str, dict[str, float]]
    """Summary key -> ``{at_most: x}`` or ``{at_least: x}``, or both."""

    def lower(self) -> list[bool]:
        """Return of each objective whether less is better."""
        return [direction == "minimize" for direction in self.objectives.values()]

    def values(self, summary: Mapping[str, Any]) -> list[float]:
        """Return the figures of all objectives.

        Raises
        ------
        ValueError
            If one is not known.
        """
        return [_figure(summary, key) for key in self.objectives]

    def excess(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Return by how much each bound is overstepped; at most 0 where it is kept.

        Raises
        ------
        ValueError
            If a figure is not known.

        Examples
        --------
        >>> Aim({}, {"wait_p95_s": {"at_most": 60}}).excess({"wait_p95_s": 90.0})
        {'wait_p95_s at_most 60': 30.0}
        """
        found = {}
        for key, bounds in self.constraints.items():
            value = _figure(summary, key)
            for bound, limit in bounds.items():
                sign = 1.0 if bound == "at_most" else -1.0
                found[f"{key} {bound} {limit:g}"] = sign * (value - limit)
        return found


def _figure(summary: Mapping[str, Any], key: str) -> float:
    value = summary.get(key)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{key} is not known of this design")
    return float(value)


@dataclass(slots=True)
class Tried:
    """One trial of a study and what became of it."""

    number: int
    settings: dict[str, str]
    """Key -> value as chosen."""
    folder: Path | None
    """Where its run is, that of an equal trial before included; None where it has none."""
    state: str = "finished"
    """``finished``; ``repeated``: chosen before; ``refused``: cannot be built; ``failed``."""
    problem: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    """Of the objectives, in their order; empty where it has none."""
    excess: dict[str, float] = field(default_factory=dict)
    """By how much each bound is overstepped; at most 0 where it is kept."""

    @property
    def feasible(self) -> bool:
        """Whether it has all figures and keeps all bounds."""
        return bool(self.values) and all(each <= 0.0 for each in self.excess.values())

    def words(self) -> str:
        """Return its settings as they are typed."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items())


@dataclass(slots=True)
class Study:
    """All trials of a search; prints its best designs as a table."""

    aim: Aim
    trials: list[Tried]

    def known(self) -> list[Tried]:
        """Return the trials whose figures are known, each design once."""
        return [one for one in self.trials if one.values and one.state != "repeated"]

    def best(self) -> list[Tried]:
        """Return the designs that keep all bounds and that no other one beats in everything.

        Ordered by the first objective, the best first.
        """
        import numpy as np

        from twin.results.explain import non_dominated

        feasible = [one for one in self.known() if one.feasible]
        if not feasible:
            return []
        lower = self.aim.lower()
        values = np.array([one.values for one in feasible])
        front = non_dominated(values, ["lower" if less else "higher" for less in lower])
        chosen = [one for one, on_it in zip(feasible, front, strict=True) if on_it]
        return sorted(chosen, key=lambda one: one.values[0] if lower[0] else -one.values[0])

    def count(self, state: str) -> int:
        """Return how many trials ended in *state*."""
        return sum(one.state == state for one in self.trials)

    def columns(self) -> list[str]:
        """Return the figures that are objectives or bounded, once each."""
        return list(dict.fromkeys([*self.aim.objectives, *self.aim.constraints]))

    def write(self, folder: Path) -> None:
        """Write ``study.csv``, all trials, and ``pareto.csv``, the best; each appears whole."""
        self._write(folder / TRIALS_FILE, self.trials)
        self._write(folder / BEST_FILE, self.best())

    def _write(self, path: Path, trials: Sequence[Tried]) -> None:
        keys = list(self.trials[0].settings) if self.trials else []
        columns = self.columns()
        with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["trial", "state", "feasible", *keys, *columns, "run", "problem"])
            for one in trials:
                writer.writerow(
                    [
                        one.number,
                        one.state,
                        "yes" if one.feasible else "no",
                        *(one.settings[key] for key in keys),
                        *(one.summary.get(key, "") for key in columns),
                        "" if one.folder is None else one.folder,
                        one.problem,
                    ]
                )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print the best designs, and below them how the trials went."""
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        from twin.results.quantity import quantity
        from twin.schema import SUMMARY

        best = self.best()
        table = Table(box=None, pad_edge=False, header_style="bold cyan")
        table.add_column("trial", justify="right")
        for key in self.trials[0].settings if self.trials else ():
            table.add_column(key.rpartition(".")[2], overflow="fold")
        for key in self.columns():
            table.add_column(SUMMARY[key].label, justify="right")
        for one in best[:MOST_SHOWN]:
            figures = [
                quantity(one.summary.get(key), SUMMARY[key].unit, one.summary.get("currency"))
                for key in self.columns()
            ]
            settings = [escape(value) for value in one.settings.values()]
            table.add_row(str(one.number), *settings, *figures)
        if best:
            yield table
        if len(best) > MOST_SHOWN:
            yield Text(f"The first {MOST_SHOWN} of {len(best)}; {BEST_FILE} holds all.")
        yield Text(self.told())

    def told(self) -> str:
        """Return in a sentence how the trials went."""
        feasible = sum(one.feasible for one in self.known())
        states = [state for state in ("repeated", "refused", "failed") if self.count(state)]
        parts = [f"{self.count('finished')} designs run"]
        parts += [f"{self.count(state)} {state}" for state in states]
        kept = f", {feasible} keep all bounds" if self.aim.constraints else ""
        best = len(self.best())
        many = len(self.aim.objectives) > 1
        what = f"{best} on the Pareto front" if many else f"the best of them {best}"
        return f"{len(self.trials)} trials: {', '.join(parts)}{kept}; {what}."
