"""Traces of requests: single requests with their tokens, or rates of arrival in windows."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, NonNegative, Positive
from twin.errors import ConfigError, InputFileError
from twin.records import LoadReport, WorkloadContext
from twin.workload.refused import RefusedRowError, add_refused, refuse_above
from twin.workload.request_mode import Requests
from twin.workload.table import instant_reader, open_text, positions, table_rows

Floats = NDArray[np.float64]


MOST_TOKENS = 1e9
"""More in one request than any model takes; beyond it a number is a mistake."""


@dataclass(frozen=True, slots=True)
class RequestColumns:
    """Names of the columns, or of the keys of each JSON line."""

    arrival: str
    prompt_tokens: str
    output_tokens: str

    def wanted(self) -> dict[str, str]:
        """Return the mapping from what is needed to the column that has it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RequestLayout:
    """How a list of requests is written down."""

    columns: RequestColumns
    format: Literal["csv", "jsonl"] = "csv"
    """A table with a header, or one JSON object on each line."""
    time_format: str = "iso"
    """``iso``, ``seconds``, or a strptime pattern."""
    time_unit_s: Positive = 1.0
    """With ``seconds``: what one of the trace's units is. [s]"""
    origin_s: float = 0.0
    """With ``seconds``: the second of the trace that is second 0 of the run."""
    same_instant: Literal["refuse", "allow"] = "refuse"
    """Whether two requests may arrive at one instant, as in traces with a coarse clock."""
    skip_no_output: bool = False
    """Leave out requests without an answer, and count them, instead of refusing them."""
    refuse_above_fraction: Fraction = 0.0
    """More rows than this that cannot be used, and the file is refused."""


@dataclass(slots=True)
class _Found:
    at_s: array[float] = field(default_factory=lambda: array("d"))
    prompt: array[int] = field(default_factory=lambda: array("q"))
    output: array[int] = field(default_factory=lambda: array("q"))
    outside: int = 0
    failed: int = 0
    last_s: float = -np.inf
    last_line: int = 0


def read_requests(
    path: str | None, layout: RequestLayout, context: WorkloadContext, key: str
) -> tuple[Requests, LoadReport]:
    """Return the requests of a file that arrive within the run, and what became of its rows.

    Raises
    ------
    ConfigError
        If no path is given.
    InputFileError
        If the file cannot be read, lacks a column, is not sorted by arrival, has two
        requests at one instant where that is refused, holds too many rows that cannot be
        used, or none that falls into the run.
    """
    if not path:
        wanted = ", ".join(layout.columns.wanted().values())
        raise ConfigError(f"{key}.path: is required, a file of requests with {wanted}")
    file_path = Path(path).expanduser()
    report = LoadReport(str(file_path))
    found = _Found()
    read_s = instant_reader(layout.time_format, context.start, 0.0)
    with open_text(file_path) as file:
        for line, fields in _rows(file, file_path, layout):
            report.read += 1
            try:
                _take(fields, line, found, layout, context, read_s)
            except RefusedRowError as error:
                add_refused(f"{file_path}:{line}: {error}", report)
            except _OrderError as error:
                raise InputFileError(f"{file_path}:{line}: {error}") from None
    report.used = len(found.at_s)
    refuse_above(layout.refuse_above_fraction, f"{key}.layout.refuse_above_fraction", report)
    if not report.used:
        raise InputFileError(
            f"{report.path}: none of its {report.read} requests falls into the run, which starts "
            f"at {context.start} and lasts {context.duration_s:g} s ({found.outside} lie outside)"
        )
    if found.outside:
        report.notes.append(f"requests left out, outside the run: {found.outside}")
    if found.failed:
        report.notes.append(f"requests left out, no answer: {found.failed}")
    tokens = np.array(found.prompt, dtype=np.int64), np.array(found.output, dtype=np.int64)
    return Requests(np.array(found.at_s), *tokens), report


class _OrderError(Exception):
    """Rows are not in the order they must be."""


def _rows(file: TextIO, path: Path, layout: RequestLayout) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, what is needed -> its text)."""
    wanted = layout.columns.wanted()
    if layout.format == "jsonl":
        yield from _json_rows(file, path, wanted)
        return
    table = table_rows(file, path)
    header = next(table, (0, []))[1]
    at = positions(header, wanted, path)
    for line, fields in table:
        row = {what: fields[i] for what, i in at.items() if i < len(fields)}
        yield line, row


def _json_rows(
    file: TextIO, path: Path, wanted: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, str]]]:
    seen = False
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:  # none, or one nested without end
            raise InputFileError(f"{path}:{line}: no JSON object: {error}") from None
        if not isinstance(row, dict):
            raise InputFileError(f"{path}:{line}: must be a JSON object")
        if not seen:
            positions(list(row), wanted, path)
            seen = True
        yield line, {what: str(row.get(name, "")) for what, name in wanted.items()}


def _take(
    fields: Mapping[str, str],
    line: int,
    found: _Found,
    layout: RequestLayout,
    context: WorkloadContext,
    read_s: Callable[[str], float],
) -> None:
    """Take one row, or say why not."""
    name = layout.columns.arrival
    text = fields.get("arrival", "").strip()
    try:
        at_s = read_s(text)
    except (ValueError, OverflowError):
        at_s = np.nan
    if not np.isfinite(at_s):
        raise RefusedRowError(f"{name}={text!r}: must be a time ({layout.time_format})")
    if layout.time_format == "seconds":
        at_s = at_s * layout.time_unit_s - layout.origin_s
    if at_s < found.last_s:
        raise _OrderError(
            f"{name}={text}: must not be before line {found.last_line}: sort the file"
        )
    if at_s == found.last_s and layout.same_instant == "refuse":
        raise _OrderError(
            f"{name}={text}: is that of line {found.last_line} again: must differ "
            "(same_instant=allow takes them)"
        )
    found.last_s, found.last_line = at_s, line
    prompt = _tokens("prompt_tokens", fields, layout, least=1)
    output = _tokens("output_tokens", fields, layout, least=0 if layout.skip_no_output else 1)
    if output == 0:
        found.failed += 1
    elif not 0 <= at_s < context.duration_s:
        found.outside += 1
    else:
        found.at_s.append(at_s)
        found.prompt.append(prompt)
        found.output.append(output)


def _tokens(what: str, fields: Mapping[str, str], layout: RequestLayout, least: int) -> int:
    name, text = layout.columns.wanted()[what], fields.get(what, "").strip()
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not least <= number <= MOST_TOKENS or not number.is_integer():
        raise RefusedRowError(
            f"{name}={text!r}: must be a whole number >= {least} and <= {MOST_TOKENS:g}"
        )
    return int(number)


@dataclass(frozen=True, slots=True)
class RateLayout:
    """How rates of arrival are written down: a row for each window, or window and client."""

    arrival: str
    """Column of the start of the window, in seconds of the trace."""
    rate: str
    """Column of the mean rate in the window. [1/s]"""
    window_s: Positive
    client: str | None = None
    """Column of the client; the rates of all are added up."""
    origin_s: float = 0.0
    """Second of the trace that is second 0 of the run."""
    scale: NonNegative = 1.0
    """Factor on all rates, to fit a trace to a fleet."""


def read_rates(
    path: str | None, layout: RateLayout, context: WorkloadContext, key: str
) -> tuple[Floats, LoadReport]:
    """Return the rate in each window of the run [1/s], and what became of the rows.

    Raises
    ------
    ConfigError
        If no path is given.
    InputFileError
        If the file cannot be read, lacks a column, has a row that cannot be used, a window
        twice, one out of order, or none for part of the run.
    """
    names = [layout.arrival, layout.rate, *([layout.client] if layout.client else [])]
    if not path:
        raise ConfigError(f"{key}.path: is required, a table with {', '.join(names)}")
    file_path = Path(path).expanduser()
    report = LoadReport(str(file_path))
    windows = int(np.ceil(context.duration_s / layout.window_s - 1e-9))
    total, covered = np.zeros(windows), np.zeros(windows, dtype=bool)
    last: dict[str, float] = {}
    with open_text(file_path) as file:
        table = table_rows(file, file_path)
        at = positions(next(table, (0, []))[1], {name: name for name in names}, file_path)
        for line, fields in table:
            report.read += 1
            where = f"{file_path}:{line}"
            t = _number(layout.arrival, fields, at, where)
            rate = _number(layout.rate, fields, at, where)
            client = fields[at[layout.client]] if layout.client else ""
            if t <= last.get(client, -np.inf):
                again = "again" if t == last[client] else "out of order"
                raise InputFileError(f"{where}: {layout.arrival}={t:g}: {again}: must rise")
            if rate < 0:
                raise InputFileError(f"{where}: {layout.rate}={rate:g}: must be >= 0")
            last[client] = t
            window = round((t - layout.origin_s) / layout.window_s)
            if 0 <= window < windows:
                total[window] += rate * layout.scale
                covered[window] = True
                report.used += 1
    if not covered.all():
        first = int(np.argmin(covered)) * layout.window_s + layout.origin_s
        raise InputFileError(
            f"{file_path}: no window for {layout.arrival}={first:g}, within the run: shorten "
            f"clock.duration_days or mend {key}.layout.window_s, {key}.layout.origin_s"
        )
    if report.used < report.read:
        report.notes.append(f"windows left out, outside the run: {report.read - report.used}")
    return total, report


def _number(name: str, fields: list[str], at: Mapping[str, int], where: str) -> float:
    text = fields[at[name]].strip() if at[name] < len(fields) else ""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputFileError(f"{where}: {name}={text!r}: must be a number")
    return value
