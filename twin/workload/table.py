"""Rows of a delimited text file, plain or gzipped, and the meaning of their fields."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.units import SECONDS_PER_DAY

GZIP = b"\x1f\x8b"
"""How a gzipped file begins."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open *path* as text, unpacked where it is gzipped; errors while reading are mended too.

    Raises
    ------
    InputFileError
        If it is missing, unreadable, no text, or a broken gzip file.
    """
    if path.is_char_device() or path.is_block_device():  # it might never end
        raise InputFileError(f"{path}: is a device, not a file")
    try:
        with path.open("rb") as raw:
            packed = raw.peek(len(GZIP)).startswith(GZIP)  # whatever its name says
            unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as file:
                yield file
    except FileNotFoundError:
        raise InputFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputFileError(f"{path}: is a folder, not a file") from None
    except UnicodeDecodeError:
        raise InputFileError(f"{path}: must be text in UTF-8, plain or gzipped") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from None


def table_rows(
    file: TextIO, path: Path, delimiter: str = ",", comment: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, fields) of each row that is neither empty nor a comment.

    The *delimiter* ``whitespace`` splits on any run of blanks.

    Raises
    ------
    InputFileError
        If the text is not made of rows.
    """
    if delimiter == "whitespace":
        numbered = ((line, text.split()) for line, text in enumerate(file, 1))
    else:
        reader = csv.reader(file, delimiter=delimiter)
        numbered = ((reader.line_num, fields) for fields in reader)
    try:
        for line, fields in numbered:
            if fields and not (comment and fields[0].startswith(comment)):
                yield line, fields
    except csv.Error as error:
        raise InputFileError(f"{path}: no readable table: {error}") from None


def positions(header: Sequence[str], wanted: Mapping[str, str], path: Path) -> dict[str, int]:
    """Return where each wanted column stands: ``{what: position}`` for ``{what: column}``.

    Raises
    ------
    InputFileError
        Listing the columns there are and the mapping that was wanted.
    """
    if not header:
        raise InputFileError(f"{path}: is empty")
    names = [name.strip() for name in header]
    missing = [column for column in wanted.values() if column not in names]
    if missing:
        lacks = "no column " + ", ".join(f"'{column}'" for column in missing)
        mapping = ", ".join(f"{what}: {column}" for what, column in wanted.items())
        raise InputFileError(
            f"{path}: {lacks}\ncolumns seen: {', '.join(names)}\nmapping wanted: {mapping}"
        )
    return {what: names.index(column) for what, column in wanted.items()}


def read_columns(
    path: Path, numbers: Sequence[str], words: Sequence[str] = (), delimiter: str = ","
) -> tuple[NDArray[np.float64], list[list[str]]]:
    """Return columns of a table that is neither a list of jobs nor of requests.

    For what is published beside a trace: rates, queueing times, sizes over time.

    Parameters
    ----------
    path : Path
        A delimited text file that starts with its column names; plain or gzipped.
    numbers : sequence of str
        Names of columns of numbers; an empty field is NaN.
    words : sequence of str
        Names of columns to be taken as they are written, such as dates and names.
    delimiter : str
        One character, or ``whitespace``.

    Returns
    -------
    ndarray of shape (len(numbers), rows), and list of as many lists as *words*

    Raises
    ------
    InputFileError
        If the file cannot be read, lacks a column (it lists those seen), or naming the first
        line that lacks a field or holds something else than a number.
    """
    taken: list[list[float]] = [[] for _ in numbers]
    said: list[list[str]] = [[] for _ in words]
    with open_text(path) as file:
        table = table_rows(file, path, delimiter)
        wanted = {name: name for name in (*numbers, *words)}
        at = positions(next(table, (0, []))[1], wanted, path)
        for line, fields in table:
            if len(fields) <= max(at.values()):
                least = max(at.values()) + 1
                raise InputFileError(f"{path}:{line}: {len(fields)} fields: must be >= {least}")
            for column, name in zip(taken, numbers, strict=True):
                text = fields[at[name]].strip()
                try:
                    column.append(float(text) if text else np.nan)
                except ValueError:
                    raise InputFileError(
                        f"{path}:{line}: {name}={text!r}: must be a number"
                    ) from None
            for texts, name in zip(said, words, strict=True):
                texts.append(fields[at[name]].strip())
    return np.array(taken), said


def duration_s(text: str, unit_s: float = 1.0) -> float:
    """Return a duration written as a number of *unit_s* or as Slurm's ``[D-]HH:MM:SS`` [s].

    Raises
    ------
    ValueError, OverflowError
        If *text* is neither, or of more days than there are numbers for.

    Examples
    --------
    >>> duration_s("90", 60.0)
    5400.0
    >>> duration_s("1-02:03:04"), duration_s("03:04.5")
    (93784.0, 184.5)
    """
    if ":" not in text:
        return float(text) * unit_s
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return int(days or 0) * SECONDS_PER_DAY + seconds


def instant_reader(
    time_format: str, start: datetime, origin_s: float, zones: set[str] | None = None
) -> Callable[[str], float]:
    """Return a function from the text of an instant to seconds of the run.

    *time_format* is ``iso``, ``seconds`` (second *origin_s* of the file is second 0
    of the run) or a ``strptime`` pattern. Dates are read as local time of the site:
    a zone written behind them is dropped, and noted in *zones*.

    Examples
    --------
    >>> read = instant_reader("iso", datetime(2017, 10, 1), 0.0)
    >>> read("2017-10-02 00:00:05"), read("2017-10-02T00:00:05+08:00")
    (86405.0, 86405.0)
    >>> instant_reader("seconds", datetime(2017, 10, 1), 100.0)("130.5")
    30.5
    """
    if time_format == "seconds":
        return lambda text: float(text) - origin_s
    if time_format == "iso":
        return lambda text: _since_s(datetime.fromisoformat(text), start, zones)
    return lambda text: _since_s(_by_pattern(text, time_format), start, zones)


def _by_pattern(text: str, pattern: str) -> datetime:
    try:
        return datetime.strptime(text, pattern)
    except re.error as error:  # a pattern that names a thing twice
        raise ValueError(str(error)) from None


def _since_s(at: datetime, start: datetime, zones: set[str] | None) -> float:
    if at.tzinfo is not None:
        if zones is not None:
            zones.add(str(at.tzinfo))
        at = at.replace(tzinfo=None)
    return (at - start).total_seconds()
