"""Many finished runs side by side: what was varied, what came of it, who is best."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twin.errors import InputFileError, TwinError
from twin.files import whole
from twin.results.quantity import ABSENT, is_number, quantity
from twin.results.report import choices, overrides
from twin.results.run_folder import Run, find_runs, parse_yaml
from twin.schema import SUMMARY

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

METRICS = (
    "pue",
    "facility_energy_gwh",
    "electricity_cost",
    "cost_per_gpu_hour",
    "wait_p95_s",
    "carbon_t",
    "facility_power_peak_mw",
    "gpu_allocated_fraction",
    "goodput_fraction",
    "rack_density_p95_kw",
    "water_m3",
)
"""Columns of the table, most asked for first; the CSV holds all."""
DRAWN = (
    "pue",
    "facility_energy_gwh",
    "electricity_cost",
    "cost_per_gpu_hour",
    "carbon_t",
    "wait_p95_s",
)
"""Panels of the figure."""
MOST_VARIED = 5
"""Varied keys shown in the table."""
SETTING_WIDTH = 24
"""Characters of a setting beyond which it is folded."""
BETWEEN = 2
"""Blanks between two columns."""
LEAST_METRICS = 2
"""Figures that are shown however narrow the terminal is."""
MOST_ROWS = 60
"""Runs shown in the table."""
PARTS_KEPT = 4096
"""Parts of configurations remembered while runs are read."""
_TOP_KEY = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)
QUIET = ("scenario.", "output.")
"""Keys that name or describe a run; a difference in them explains nothing."""
TOLD_IN_GPU_TIME = frozenset(
    {"driving_pipeline.DrivingPipeline", "trace.TraceReplay", "training.TrainingJobs"}
)
"""Kinds of workload that know how long jobs hold GPUs, not what these compute meanwhile."""
GPU_SPEED = ("gpu.peak_tflops", "gpu.memory_bandwidth_tb_per_s")
SAME = 1e-9
ERROR_FILE = "error.txt"


@dataclass(slots=True)
class Entry:
    """One finished run of a comparison."""

    path: Path
    name: str
    summary: dict[str, Any]
    config: dict[str, Any]
    """The resolved configuration, flat: ``a.b.c`` -> value as written."""
    said: dict[str, str]
    """What was overridden on the command line."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """What :func:`compare` found; prints itself as a table."""

    entries: list[Entry]
    failures: list[tuple[Path, str]]
    """Folders without a finished run, and why."""
    varied: list[str]
    """Keys that tell the runs apart, the ones the user varied first."""
    explained: int = 0
    """How many at the end of ``varied`` only come with a group that was chosen."""

    @property
    def telling(self) -> list[str]:
        """The varied keys that are no mere consequence of another."""
        return self.varied[: len(self.varied) - self.explained]

    def value(self, entry: Entry, key: str) -> Any:
        """Return the setting of *key* in one run; a group's name where *key* is a group."""
        return _value(entry, key)

    def setting(self, entry: Entry, key: str) -> str:
        """Return the setting of *key* in one run as text."""
        return _text(self.value(entry, key))

    def label(self, entry: Entry, most_keys: int = 2) -> str:
        """Return what tells a run apart in a few words: its varied settings, or its name."""
        words = []
        for key in self.varied[:most_keys]:
            value = self.value(entry, key)
            named = isinstance(value, str) and not is_number(value)
            words.append(str(value) if named else f"{key.rsplit('.', 1)[-1]} {_text(value)}")
        return ", ".join(words) or entry.name

    def best(self, metric: str) -> set[int]:
        """Return which entries are best in *metric*; none where all are alike."""
        better = SUMMARY[metric].better
        values = {k: e.summary.get(metric) for k, e in enumerate(self.entries)}
        known = {k: float(v) for k, v in values.items() if isinstance(v, (int, float))}
        if better == "neither" or len(known) < 2 or not self._comparable(metric):
            return set()
        top = min(known.values()) if better == "lower" else max(known.values())
        size = SAME * max(abs(v) for v in known.values())
        found = {k for k, v in known.items() if abs(v - top) <= size}
        return found if len(found) < len(known) else set()

    def metrics(self, names: Sequence[str] = METRICS) -> list[str]:
        """Return those of *names* that any run has."""
        return [n for n in names if any(e.summary.get(n) is not None for e in self.entries)]

    def _comparable(self, metric: str) -> bool:
        """Return whether all runs count in one currency, if *metric* is money."""
        money = SUMMARY[metric].unit.startswith("currency")
        return not money or len({e.summary.get("currency") for e in self.entries}) == 1

    def _fitting(self, width: int) -> list[str]:
        """Return the figures for which a table of *width* characters has columns."""
        shown = self.telling[:MOST_VARIED]
        room = width - max(map(len, ["run", *(entry.name for entry in self.entries)]))
        room -= sum(BETWEEN + self._setting_width(key, _short(key, shown)) for key in shown)
        fitting: list[str] = []
        for metric in self.metrics():
            room -= BETWEEN + self._metric_width(metric)
            if room < 0 and len(fitting) >= LEAST_METRICS:
                break
            fitting.append(metric)
        return fitting

    def _setting_width(self, key: str, head: str) -> int:
        """Return the characters that the settings of *key* and its heading take in a table."""
        texts = (self.setting(entry, key) for entry in self.entries[:MOST_ROWS])
        return min(SETTING_WIDTH, max(map(len, [*head.split(), *texts])))

    def _metric_width(self, metric: str) -> int:
        """Return the characters that a figure takes: its heading may be folded, it may not."""
        words = SUMMARY[metric].label.split()
        return max(map(len, [*words, *self._figures(metric)]))

    def _figures(self, metric: str) -> list[str]:
        """Return *metric* of each run that is shown, the best starred."""
        best, unit = self.best(metric), SUMMARY[metric].unit
        texts = (
            quantity(entry.summary.get(metric), unit, entry.summary.get("currency"))
            for entry in self.entries[:MOST_ROWS]
        )
        return [f"{text} *" if k in best else text for k, text in enumerate(texts)]

    def table(self, width: int = 200) -> Table:
        """Return the comparison as a table of at most *width* characters.

        The best of each column is green and starred; columns that do not fit are left
        out, the least asked for first.
        """
        from rich.markup import escape
        from rich.table import Table

        shown = self.telling[:MOST_VARIED]
        metrics = self._fitting(width)
        table = Table(box=None, pad_edge=False, header_style="bold cyan")
        table.add_column("run", no_wrap=True)
        for key in shown:
            head = _short(key, shown)
            table.add_column(head, overflow="fold", width=self._setting_width(key, head))
        entries = self.entries[:MOST_ROWS]
        figures = []
        for metric in metrics:
            texts = self._figures(metric)
            figures.append([f"[bold green]{t}[/]" if t.endswith("*") else t for t in texts])
            wide = self._metric_width(metric)
            table.add_column(SUMMARY[metric].label, justify="right", width=wide)
        for entry, *row in zip(entries, *figures, strict=True):
            settings = [escape(self.setting(entry, key)) for key in shown]
            table.add_row(escape(entry.name), *settings, *row)
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print the table, and below it whatever must be said about the runs."""
        from rich.text import Text

        yield self.table(options.max_width)
        shown = range(min(len(self.entries), MOST_ROWS))
        if any(self.best(name).intersection(shown) for name in self._fitting(options.max_width)):
            yield Text("* the best of its column")
        if len(self.entries) > MOST_ROWS:
            yield Text(f"The first {MOST_ROWS} of {len(self.entries):,} runs.")
        hidden = len(self.telling) - MOST_VARIED
        if hidden > 0:
            yield Text(f"{hidden} more settings differ; compare.csv holds them.")
        if self.explained:
            yield Text(f"{self.explained} keys that come with these choices: compare.csv.")
        for path, why in self.failures:
            yield Text(f"{path}: {why}", style="red")
        for note, names in self.notes().items():
            who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
            yield Text(f"{who}: {note}", style="yellow")

    def notes(self) -> dict[str, list[str]]:
        """Return each note once, with the runs it is about."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            for note in entry.notes:
                found.setdefault(note, []).append(entry.name)
        return found

    def write_csv(self, path: Path) -> Path:
        """Write every varied key and every summary key of every run, failed ones included."""
        with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["run", "status", *self.varied, *SUMMARY])
            for entry in self.entries:
                settings = [_text(self.value(entry, key), "") for key in self.varied]
                figures = [_cell(entry.summary.get(name)) for name in SUMMARY]
                writer.writerow([entry.path, "finished", *settings, *figures])
            for failed, why in self.failures:
                writer.writerow([failed, why])
        return path


def compare(paths: Iterable[str | Path]) -> Comparison:
    """Compare all runs at or below *paths*; write table and figure into *folder* if given.

    Parameters
    ----------
    paths : iterable of path
        Run folders, sweep folders, or folders above them.

    Raises
    ------
    InputFileError
        If a folder is missing or no finished run is found.
    """
    entries: list[Entry] = []
    failures: list[tuple[Path, str]] = []
    versions: dict[str, list[Entry]] = defaultdict(list)
    for path in _unique(paths):
        try:
            run = Run.open(path)
            entries.append(_entry(run))
            versions[str(run.info.get("twin", "unknown"))].append(entries[-1])
        except TwinError as error:
            failures.append((path, _reason(path) or str(error).removeprefix(f"{path}: ")))
    if not entries:
        why = "".join(f"\n{path}: {reason}" for path, reason in failures)
        raise InputFileError(f"no finished run to compare{why}")
    if len(versions) > 1:  # differences may come from the program, not from the designs
        for version, made in versions.items():
            for entry in made:
                entry.notes.append(f"made by twin {version}, others by another version")
    _note_unlike(entries)
    _name(entries)
    varied, explained = _varied(entries)
    return Comparison(entries, failures, varied, explained)


def _note_unlike(entries: Sequence[Entry]) -> None:
    """Note of each run what makes its figures unlike those of the others."""
    days = [entry.summary.get("simulated_days") for entry in entries]
    gpus = {tuple(entry.config.get(key) for key in GPU_SPEED) for entry in entries}
    for entry, length in zip(entries, days, strict=True):
        if length != days[0]:
            entry.notes.append(
                f"lasts {quantity(length, 'days')}, not {quantity(days[0], 'days')} as "
                f"{entries[0].name}: energy, cost, carbon and water are totals of unequal times"
            )
        if len(gpus) > 1 and (streams := _told_for_any_gpu(entry)):
            entry.notes.append(
                "its jobs are told in GPU time and take as long on any GPU: no told_for in "
                + ", ".join(streams)
            )


def _told_for_any_gpu(entry: Entry) -> list[str]:
    """Return the streams of a run that are told in GPU time, and not of which GPU."""
    streams = (
        key.removesuffix(".kind")
        for key, kind in entry.config.items()
        if key.startswith("workload.") and key.endswith(".kind") and kind in TOLD_IN_GPU_TIME
    )
    return sorted(name for name in streams if f"{name}.told_for.peak_tflops" not in entry.config)


def flatten(config: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return nested mappings as one: ``a.b.c`` -> value; lists stay whole.

    Examples
    --------
    >>> flatten({"a": {"b": 1, "c": [2, 3]}})
    {'a.b': 1, 'a.c': [2, 3]}
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, where))
        else:
            flat[where] = value
    return flat


def _unique(paths: Iterable[str | Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        below = list(find_runs(path)) or [Path(path)]
        for run in below:
            found.setdefault(run.resolve(), run)
    return list(found.values())


def _entry(run: Run) -> Entry:
    said = dict(word.split("=", 1) for word in overrides(run) if "=" in word)
    return Entry(run.path, run.path.name, run.summary, _settings(run), said, run.notes)


def _settings(run: Run) -> dict[str, Any]:
    """Return the configuration of *run*, flat; empty where ``config.yaml`` is absent.

    Runs of a sweep are alike but for a few lines, so each part of a file is read once
    for all runs that share it: a thousand runs take seconds, not half a minute.
    """
    path = run.path / "config.yaml"
    if not path.is_file():
        return {}
    flat: dict[str, Any] = {}
    try:
        for part in _TOP_KEY.split(path.read_text(encoding="utf-8")):
            flat.update(_flat_part(part))
    except (InputFileError, UnicodeDecodeError):  # written by another hand: read it whole
        return flatten(run.config(typed=False))
    return flat


@lru_cache(maxsize=PARTS_KEPT)
def _flat_part(text: str) -> Mapping[str, Any]:
    """Return the keys of one part of a configuration, flat, as they are written."""
    data = parse_yaml(text, "a part of config.yaml", typed=False)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputFileError("config.yaml: must be a mapping of keys")
    return MappingProxyType(flatten(data))


def _reason(path: Path) -> str:
    """Return the last line of what a failed run left behind."""
    error = path / ERROR_FILE
    if not error.is_file():
        return ""
    lines = error.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"failed: {lines[-1]}" if lines else "failed"


def _name(entries: Sequence[Entry]) -> None:
    """Name each run by the shortest path that tells them all apart."""
    full = [str(entry.path.resolve()) for entry in entries]
    common = os.path.commonpath(full) if len(full) > 1 else str(Path(full[0]).parent)
    for entry, path in zip(entries, full, strict=True):
        entry.name = os.path.relpath(path, common)


def _varied(entries: Sequence[Entry]) -> tuple[list[str], int]:
    """Return the keys whose values differ: those said on the command line first.

    Where a group was chosen on the command line, the keys that come with it explain
    nothing more and stand last; how many those are is returned beside.
    """

    def differs(key: str) -> bool:
        first = _value(entries[0], key)
        return any(_value(entry, key) != first for entry in entries)

    def quiet(key: str) -> bool:
        return f"{key}.".startswith(QUIET)

    said = dict.fromkeys(key for entry in entries for key in entry.said)
    keys = dict.fromkeys(key for entry in entries for key in entry.config)
    first = ["scenario.name"] if differs("scenario.name") else []
    first += [k for k in said if not k.startswith("hydra.") and not quiet(k) and differs(k)]
    rest = [k for k in keys if k not in first and not quiet(k) and differs(k)]
    groups = tuple(f"{key}." for key in first if "." not in key)
    explained = [key for key in rest if groups and key.startswith(groups)]
    keys_told = [*first, *(key for key in rest if key not in explained)]
    return [*keys_told, *explained], len(explained)


def _value(entry: Entry, key: str) -> Any:
    """Return a setting as the run used it; a group's choice also where nobody said it."""
    found = _setting(entry, key)
    if found is None and "." not in key:
        return choices(Run(entry.path, entry.summary)).get(key)
    return found


def _setting(entry: Entry, key: str) -> Any:
    """Return a setting as the run used it; the name that was said where *key* is a group."""
    return entry.config[key] if key in entry.config else entry.said.get(key)


def _short(key: str, keys: Sequence[str]) -> str:
    """Return the last part of a key, the whole key where that is not unique."""
    last = key.rsplit(".", 1)[-1]
    return last if sum(k.rsplit(".", 1)[-1] == last for k in keys) == 1 else key


def _text(value: Any, absent: str = ABSENT) -> str:
    if value is None:
        return absent
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> Any:
    return "" if value is None else value
