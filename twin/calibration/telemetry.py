"""Telemetry of servers and GPUs; what a file looks like is data, ``conf/telemetry/*.yaml``.

Three things can be learned, and each reading is a point (x, y) of one of them:

=========  ===================================  =====================
measures   x                                    y
=========  ===================================  =====================
gpu        activity of a GPU                    its power [W]
server     power of a GPU of the server [W]     power of the server [W]
caps       power of a GPU over uncapped power   speed over uncapped
=========  ===================================  =====================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Fraction, NonNegative, Positive, PositiveFraction
from twin.errors import ConfigError, InputFileError, require
from twin.records import LoadReport
from twin.workload.table import instant_reader, open_text, positions, table_rows

Floats = NDArray[np.float64]
Row = dict[str, str]
Numbered = Iterator[tuple[int, Row]]

EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class TelemetryColumns:
    """Names of the columns; null where the file has none."""

    server_w: str | None = None
    """Power at the input of the server."""
    output_w: str | None = None
    """Power at the output of its supplies."""
    gpu_w: str | None = None
    activity: str | None = None
    at: str | None = None
    limit_w: str | None = None
    """Cap on the power of the GPU."""
    time: str | None = None
    """Time for a fixed amount of work."""
    group: list[str] = field(default_factory=list)
    """What tells runs, nodes or jobs apart; files always do."""

    def wanted(self) -> dict[str, str]:
        """Return the mapping from what is needed to the column that has it."""
        single = ("server_w", "output_w", "gpu_w", "activity", "at", "limit_w", "time")
        found = {name: getattr(self, name) for name in single if getattr(self, name)}
        return found | {f"group {i}": name for i, name in enumerate(self.group, 1)}


@dataclass(frozen=True, slots=True)
class LongTable:
    """A table with one reading to a row: whose, of what, and how much."""

    key: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Phases:
    """When GPUs idle and when they work, for telemetry that does not say what GPUs draw."""

    gpu_fraction: PositiveFraction
    """Power of a GPU over its largest while it works (assumed: it was not measured)."""
    events: bool = False
    """A second file says when runs begin and end; else the power itself tells."""
    begin: str = "run_start"
    end: str = "run_stop"
    key: str = "key"
    """Column of the events' names."""
    idle_below: Fraction = 0.1
    """Idle below this part of the way from a group's 1st to its 99th percentile; with events
    before the run begins besides, since a node warms up before it ..."""
    busy_above: Fraction = 0.7
    """... and without events at work above this one; between them is a ramp, left out."""

    def __post_init__(self) -> None:
        apart = self.idle_below < self.busy_above
        require(apart, "idle_below", self.idle_below, f"< busy_above={self.busy_above}")


@dataclass(frozen=True, slots=True)
class Telemetry:
    """How telemetry is written down, and which server it was taken from."""

    measures: Literal["gpu", "server", "caps"]
    base: str
    """The choice of ``conf/gpu`` that the fit starts from, and that gives all it does not fit."""
    columns: TelemetryColumns
    set: dict[str, Any] = field(default_factory=dict)
    """Values of the measured server that differ from those of ``base``."""
    shape: Literal["table", "pairs", "long"] = "table"
    """A header and rows; lines of name, value, name, value; or one reading to a row."""
    long: LongTable | None = None
    delimiter: str = ","
    short_rows: Literal["refuse", "leave_out"] = "refuse"
    """Rows with fewer fields than the header, such as a line that ends the file."""
    gpus_in_value: Count = 1
    """GPUs whose power the column ``gpu_w`` adds up."""
    activity_unit: Positive = 1.0
    """What one unit of the column is, e.g. 0.01 for percent."""
    time_format: str = "iso"
    """``iso``, ``seconds``, or a strptime pattern."""
    time_unit_s: Positive = 1.0
    phases: Phases | None = None
    busy_fraction: Fraction = 0.8
    """Caps: jobs that draw less than this of the highest limit say nothing and are left out."""
    hold_out: Literal["time", "group", "row"] = "row"
    """What is kept from the fit to test it: the latest, whole groups, or rows by lot."""
    least_w: NonNegative = 1.0
    """Powers below it are sensors that are not ready, and left out."""

    def __post_init__(self) -> None:
        """Refuse a format that lacks what it is to measure."""
        columns = self.columns
        need = {
            "gpu": ["activity", "gpu_w"],
            "server": ["server_w"] if self.phases else ["server_w", "gpu_w"],
            "caps": ["limit_w", "gpu_w", "time"],
        }[self.measures]
        if self.hold_out == "time" or (self.phases and self.phases.events):
            need = [*need, "at"]
        for name in need:
            what = f"a column name, for measures={self.measures}"
            require(getattr(columns, name) is not None, f"columns.{name}", None, what)
        long = (self.shape == "long") == (self.long is not None)
        require(long, "long", self.long, "given with shape=long, and only then")


@dataclass(slots=True)
class Readings:
    """Points (x, y) to fit, and where they come from."""

    x: Floats
    y: Floats
    group: NDArray[np.int64]
    at_s: Floats
    """Seconds since 1970, NaN where the file does not say."""
    reports: list[LoadReport]
    psu_efficiency: tuple[float, float] | None = None
    """Mean output over mean input of the supplies, and its standard error over groups."""

    @property
    def read(self) -> int:
        """Return how many rows there were."""
        return sum(report.read for report in self.reports)

    def __len__(self) -> int:
        """Return how many points there are."""
        return len(self.x)

    def span(self) -> str:
        """Return from when to when, or an empty text."""
        known = self.at_s[np.isfinite(self.at_s)]
        if not len(known):
            return ""
        ends = [datetime.fromtimestamp(float(t), UTC) for t in (known.min(), known.max())]
        return " to ".join(f"{end:%Y-%m-%d %H:%M}" for end in ends)


@dataclass(slots=True)
class _Points:
    """The numbers of all files, a row each; NaN where a row has none."""

    values: dict[str, list[float]]
    group: list[int] = field(default_factory=list)
    names: dict[tuple[str, ...], int] = field(default_factory=dict)

    def column(self, name: str) -> Floats:
        return np.array(self.values[name])


def read_telemetry(
    telemetry: Telemetry, paths: Sequence[Path], events: Path | None, server: Any
) -> Readings:
    """Return the readings of *paths*; *server* gives the powers that phases refer to.

    Raises
    ------
    InputFileError
        Naming file and line, if something cannot be read or used.
    ConfigError
        If the format needs a file of events and none is given, or the other way round.
    """
    wants = telemetry.phases is not None and telemetry.phases.events
    if wants != (events is not None):
        verb = "is required, a file that says when runs begin and end" if wants else "has no use"
        raise ConfigError(f"--events: {verb} with this format")
    points = _Points({name: [] for name in telemetry.columns.wanted() if "group" not in name})
    reports = [_read_file(telemetry, path, points) for path in paths]
    group = np.array(points.group, dtype=np.int64)
    at_s = points.column("at") if "at" in points.values else np.full(len(group), np.nan)
    make = {"gpu": _gpu, "caps": _caps, "server": _server}[telemetry.measures]
    if telemetry.measures == "server" and telemetry.phases is not None:
        x, y = _by_phase(telemetry, points, at_s, group, events, server)
    else:
        x, y = make(telemetry, points, group)
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise InputFileError(f"{paths[0]}: no row can be used: {reports[0].notes}")
    efficiency = _supplies(points, group) if "output_w" in points.values else None
    reports[0].notes.append(f"points to fit: {int(usable.sum())} of {len(usable)}")
    return Readings(x[usable], y[usable], group[usable], at_s[usable], reports, efficiency)


# ---- rows ----


def _read_file(telemetry: Telemetry, path: Path, points: _Points) -> LoadReport:
    report = LoadReport(str(path))
    wanted = telemetry.columns.wanted()
    read_s = instant_reader(telemetry.time_format, EPOCH, 0.0)
    left_out = dict.fromkeys(("short rows", "empty fields", "sensors not ready"), 0)
    with open_text(path) as file:
        for line, row in _rows(telemetry, file, path, wanted, report):
            if not row:
                left_out["short rows"] += 1
                continue
            _take(telemetry, row, f"{path}:{line}", points, left_out, read_s)
            key = (str(path), *(row[what] for what in wanted if what.startswith("group")))
            points.group.append(points.names.setdefault(key, len(points.names)))
            report.used += 1
    report.notes += [f"{what}: {n}" for what, n in left_out.items() if n]
    return report


def _rows(
    telemetry: Telemetry, file: TextIO, path: Path, wanted: dict[str, str], report: LoadReport
) -> Numbered:
    if telemetry.shape == "pairs":
        yield from _pairs(file, path, wanted, report)
    elif telemetry.shape == "long":
        yield from _long(telemetry, file, path, wanted, report)
    else:
        table = table_rows(
            file, path, "\t" if telemetry.delimiter == "tab" else telemetry.delimiter
        )
        header = next(table, (0, []))[1]
        at = positions(header, wanted, path)
        for line, fields in table:
            if not any(text.strip() for text in fields):
                continue
            report.read += 1
            if len(fields) != len(header):
                if telemetry.short_rows == "refuse":
                    many = f"{len(fields)} fields: must be {len(header)}, as in the header"
                    raise InputFileError(f"{path}:{line}: {many}")
                yield line, {}
                continue
            yield line, {what: fields[i].strip() for what, i in at.items()}


def _pairs(file: TextIO, path: Path, wanted: dict[str, str], report: LoadReport) -> Numbered:
    """Yield lines of name, value, name, value; of a name said twice, the first counts."""
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        fields = [word.strip() for word in text.split(",")]
        at = positions(fields[:-1], wanted, Path(f"{path}:{line}"))
        report.read += 1
        yield line, {what: fields[i + 1] for what, i in at.items()}


def _long(
    telemetry: Telemetry, file: TextIO, path: Path, wanted: dict[str, str], report: LoadReport
) -> Numbered:
    """Yield one row for each key, with the readings found under it."""
    long = telemetry.long
    assert long is not None  # checked by the format
    table = table_rows(file, path, telemetry.delimiter)
    header = next(table, (0, []))[1]
    at = positions(header, {"key": long.key, "name": long.name, "value": long.value}, path)
    whats = {name: what for what, name in wanted.items()}
    found: dict[str, tuple[int, Row]] = {}
    for line, fields in table:
        report.read += 1
        if len(fields) != len(header):
            many = f"{len(fields)} fields: must be {len(header)}, as in the header"
            raise InputFileError(f"{path}:{line}: {many}")
        what = whats.get(fields[at["name"]].strip())
        if what is not None:
            _, row = found.setdefault(fields[at["key"]], (line, dict.fromkeys(wanted, "")))
            row[what] = fields[at["value"]].strip()
    missing = [
        name for name, what in whats.items() if not any(row[what] for _, row in found.values())
    ]
    if missing:
        raise InputFileError(f"{path}: no reading {long.name}={', '.join(missing)}")
    yield from found.values()


def _take(
    telemetry: Telemetry,
    row: Row,
    where: str,
    points: _Points,
    left_out: dict[str, int],
    read_s: Callable[[str], float],
) -> None:
    """Add one row of numbers, or say what is wrong with it."""
    for what, into in points.values.items():
        text, name = row[what], telemetry.columns.wanted()[what]
        value = np.nan
        if not text:
            left_out["empty fields"] += 1
        elif what == "at":
            try:
                value = read_s(text) * telemetry.time_unit_s
            except (ValueError, OverflowError):
                form = telemetry.time_format
                raise InputFileError(f"{where}: {name}={text!r}: must be a time ({form})") from None
        else:
            value = _number(text, name, where)
            if what == "activity":
                value *= telemetry.activity_unit
                if value > 1.0:
                    raise InputFileError(f"{where}: {name}={text}: must be at most all of it")
            elif value < telemetry.least_w and what.endswith("_w"):
                left_out["sensors not ready"] += 1
                value = np.nan
        into.append(value)


def _number(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not (np.isfinite(value) and value >= 0.0):
        raise InputFileError(f"{where}: {name}={text!r}: must be a number >= 0")
    return value


# ---- points ----


def _gpu(telemetry: Telemetry, points: _Points, _: NDArray[np.int64]) -> tuple[Floats, Floats]:
    return points.column("activity"), points.column("gpu_w") / telemetry.gpus_in_value


def _server(telemetry: Telemetry, points: _Points, _: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Pair a GPU's power with its server's; GPUs that draw more than all are left out."""
    server_w, all_w = points.column("server_w"), points.column("gpu_w")
    x = all_w / telemetry.gpus_in_value
    if telemetry.gpus_in_value > 1:
        x = np.where(all_w < server_w, x, np.nan)
    return x, server_w


def _caps(telemetry: Telemetry, points: _Points, group: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Relate each job to itself at the highest limit it was run at."""
    limit_w, gpu_w = points.column("limit_w"), points.column("gpu_w")
    time = points.column("time")
    x, y = np.full(len(limit_w), np.nan), np.full(len(limit_w), np.nan)
    highest_w = np.nanmax(limit_w)
    for one in np.unique(group):
        mine = np.flatnonzero((group == one) & np.isfinite(gpu_w) & np.isfinite(time))
        free = mine[limit_w[mine] == highest_w]
        if len(free) != 1 or gpu_w[free[0]] < telemetry.busy_fraction * highest_w:
            continue
        x[mine] = gpu_w[mine] / gpu_w[free[0]]
        y[mine] = time[free[0]] / time[mine]
    inside = (x <= 1.0) & (y > 0.0)
    return np.where(inside, x, np.nan), y


def _by_phase(
    telemetry: Telemetry,
    points: _Points,
    at_s: Floats,
    group: NDArray[np.int64],
    events: Path | None,
    server: Any,
) -> tuple[Floats, Floats]:
    """Give each reading the GPU power of its phase; x is NaN on ramps."""
    phases, server_w = telemetry.phases, points.column("server_w")
    assert phases is not None
    idle_w, busy_w = server.gpu_idle_w, phases.gpu_fraction * server.gpu_max_w
    spans = _spans(telemetry, events) if events is not None else {}
    x = np.full(len(server_w), np.nan)
    for key, one in points.names.items():
        mine = np.flatnonzero(group == one)
        low, high = np.nanpercentile(server_w[mine], [1, 99])
        part = (server_w[mine] - low) / max(high - low, 1e-9)
        idle, busy = part < phases.idle_below, part > phases.busy_above
        if events is not None:
            # A group is told by file and columns; events lack some, so the leading ones must do.
            found = (spans[key[1:n]] for n in range(len(key), 1, -1) if key[1:n] in spans)
            begin_s, end_s = next(found, (np.nan, np.nan))
            idle &= at_s[mine] < begin_s
            busy = (at_s[mine] >= begin_s) & (at_s[mine] <= end_s)
        x[mine[idle]] = idle_w
        x[mine[busy]] = busy_w
    return x, server_w


def _spans(telemetry: Telemetry, path: Path) -> dict[tuple[str, ...], tuple[float, float]]:
    """Return begin and end of each run, by those group columns that the events have."""
    phases, columns = telemetry.phases, telemetry.columns
    assert phases is not None
    assert columns.at is not None
    read_s = instant_reader(telemetry.time_format, EPOCH, 0.0)
    begun: dict[tuple[str, ...], float] = {}
    ended: dict[tuple[str, ...], float] = {}
    with open_text(path) as file:
        table = table_rows(file, path)
        header = next(table, (0, []))[1]
        at = positions(header, {"key": phases.key, "at": columns.at}, path)
        groups = [header.index(name) for name in columns.group if name in header]
        for line, fields in table:
            kind = fields[at["key"]] if len(fields) == len(header) else ""
            if kind not in (phases.begin, phases.end):
                continue
            try:
                at_s = read_s(fields[at["at"]]) * telemetry.time_unit_s
            except (ValueError, OverflowError):
                text = fields[at["at"]]
                raise InputFileError(f"{path}:{line}: {columns.at}={text!r}: no time") from None
            key = tuple(fields[i] for i in groups)
            (begun if kind == phases.begin else ended)[key] = at_s
    spans = {key: (begun[key], ended[key]) for key in begun.keys() & ended.keys()}
    if not spans:
        raise InputFileError(f"{path}: no run with both {phases.begin} and {phases.end}")
    return spans


def _supplies(points: _Points, group: NDArray[np.int64]) -> tuple[float, float]:
    """Return mean output over mean input of all supplies, and the standard error over groups.

    The two are read by sensors of their own and never at one instant: only means compare.
    """
    ratios, weights = [], []
    out_w, in_w = points.column("output_w"), points.column("server_w")
    for one in np.unique(group):
        mine = group == one
        if np.isfinite(out_w[mine]).any() and np.isfinite(in_w[mine]).any():
            ratios.append(float(np.nanmean(out_w[mine]) / np.nanmean(in_w[mine])))
            weights.append(int(np.isfinite(in_w[mine]).sum()))
    ratio = np.average(ratios, weights=weights)
    spread = np.average((np.array(ratios) - ratio) ** 2, weights=weights)
    return float(ratio), float(np.sqrt(spread / max(len(ratios) - 1, 1)))
