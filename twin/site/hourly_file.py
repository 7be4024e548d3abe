"""Hourly prices or grid carbon from a CSV or Parquet file, placed on the clock of a site.

One row an hour, a column of times and a column whose header names its unit. Times with
an offset (``2023-07-01 00:00:00-05:00``), or under a header that says UTC, are instants.
Others belong to a clock that nobody wrote down; the configuration says which.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError, ParameterError, require
from twin.site.gaps import without_gaps
from twin.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Quantity = Literal["price", "carbon"]

KEYS = {"price": "site.tariff.price_path", "carbon": "site.carbon.carbon_path"}
LONGEST_GAP_H = 3
"""Hours in a row that are interpolated; beyond, the file is refused."""
EDGE_HOURS = 3
"""A file this much shorter than the run, at either end, keeps its outermost value."""
AHEAD_HOURS = 168
"""A series goes on this long after the run, for policies that look ahead."""
LEAP_DAY = slice(59 * 24, 60 * 24)
"""Hours of 29 February in a leap year."""
LEAP_NOTE = "29 February repeats 28 February"
EPOCH = datetime(1970, 1, 1)
HOUR = timedelta(hours=1)
CALENDAR = range(1900, 2300)
"""Years of a file: few enough for a list of their hours, and far from where calendars end."""

PER_KWH = {"kWh": 1.0, "MWh": 1e-3}
KILOGRAMS = {"g": 1e-3, "kg": 1.0, "t": 1e3}
PLAUSIBLE = {"price": (-100.0, 100.0), "carbon": (0.0, 5.0)}
"""Beyond any market's cap, or any fuel's emission, per kWh: the unit must be wrong."""
TIME_HEADER = re.compile(r"^(date|time)", re.IGNORECASE)
PRICE_HEADER = re.compile(r"(?:\b(?P<currency>[A-Z]{3})\s*/\s*|price_per_)(?P<per>[kM]Wh|kwh)")
CARBON_HEADER = re.compile(r"\b(?P<mass>k?g|t)(?:\s*CO[^/\s]*)?\s*/\s*(?P<per>[kM]Wh)")
OPENDC_CARBON = "carbon_intensity"
"""The column of OpenDC's carbon traces, in gCO2/kWh."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the header of a column of values says."""

    header: str
    per_kwh: float
    """Factor to currency/kWh or kg/kWh."""
    currency: str | None = None


@dataclass(slots=True)
class HourlyFile:
    """A complete hourly series; it begins at *first* of the site's clock."""

    path: str
    column: Column
    first: datetime
    per_kwh: Floats
    rows: int
    """Rows of the file."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    """The two columns of a file, not yet understood."""

    times: Sequence[Any]
    values: Sequence[Any]
    time_header: str
    column: Column
    where: Callable[[int], str]
    """Row number -> ``file:line``."""


def read_hourly(
    path: str,
    quantity: Quantity,
    *,
    column: str | None,
    clock: str | None,
    utc_offset_h: float,
    shift_hours: float,
) -> HourlyFile:
    """Read hourly prices or carbon of electricity.

    Parameters
    ----------
    path : str
        CSV, plain or gzipped, or Parquet.
    quantity : "price" or "carbon"
        What is looked for; its unit stands in the header.
    column : str or None
        Part of the header to read, where several have the unit.
    clock : str or None
        Clock of times that do not say it: ``UTC`` or a name like ``Europe/Berlin``.
        None: they are taken for the site's own.
    utc_offset_h : float
        The site's clock minus UTC. [h]
    shift_hours : float
        Added to the site-local time of every row. [h]

    Raises
    ------
    InputFileError
        With ``file:line`` for what cannot be read, is not hourly, or is missing for long.
    ParameterError
        If *clock* is given for times that say theirs, or is unknown.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputFileError(f"{KEYS[quantity]}={path}: no such file")
    table = _parquet(file, path, quantity, column)
    if table is None:
        table = _csv(file, path, quantity, column)
    if not len(table.times):
        raise InputFileError(f"{path}: holds no rows")
    instants, owners, in_utc, notes = _instants(table, clock, path)
    values = _values(table, quantity)[owners]
    hours, lines = _hours(instants, owners, table.where)
    hourly = np.full(int(hours[-1]) + 1, np.nan)
    hourly[hours] = values
    before = np.maximum.accumulate(_spread(lines, hours, len(hourly)))
    filled, missing = without_gaps(
        hourly, quantity, LONGEST_GAP_H, lambda i: table.where(int(before[i])), wrap=False
    )
    if missing:
        notes.append(f"{path}: {quantity} interpolated in {missing} missing hour(s)")
    offset_h = (utc_offset_h if in_utc else 0.0) + shift_hours
    first = EPOCH + timedelta(seconds=int(instants[0]), hours=offset_h)
    return HourlyFile(path, table.column, first, filled, len(table.times), notes)


def _spread(lines: NDArray[np.int64], hours: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    rows = np.zeros(n, dtype=np.int64)
    rows[hours] = lines
    return rows


# ---- the two formats ----------------------------------------------------------


def _csv(file: Path, path: str, quantity: Quantity, wanted: str | None) -> _Table:
    try:
        data = file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise InputFileError(f"{path}: no readable table: {error}") from error
    at, time_header, column = _columns(header, quantity, wanted, f"{path}:1")
    value_at = header.index(column.header)
    times, values, lines = [], [], []
    for line, row in rows:
        if len(row) != len(header):
            raise InputFileError(
                f"{path}:{line}: {','.join(row)[:60]!r}: has {len(row)} fields, "
                f"the header {len(header)}"
            )
        times.append(row[at].strip())
        values.append(row[value_at].strip())
        lines.append(line)
    return _Table(times, values, time_header, column, lambda i: f"{path}:{lines[i]}")


def _parquet(file: Path, path: str, quantity: Quantity, wanted: str | None) -> _Table | None:
    """Return the columns of a Parquet file; None where it is none."""
    with file.open("rb") as opened:
        if opened.read(4) != b"PAR1":
            return None
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    names = table.column_names
    at, time_header, column = _columns(names, quantity, wanted, path)
    return _Table(
        table.column(at).to_pylist(),
        table.column(names.index(column.header)).to_pylist(),
        time_header,
        column,
        lambda i: f"{path}: row {i + 1}",
    )


def _columns(
    header: list[str], quantity: Quantity, wanted: str | None, where: str
) -> tuple[int, str, Column]:
    """Return place and header of the times, and the column of values."""
    times = [i for i, name in enumerate(header) if TIME_HEADER.match(name)]
    if not times:
        raise InputFileError(
            f"{where}: {', '.join(header)[:80]!r}: must hold a column of times, "
            "headed 'Datetime' or 'timestamp'"
        )
    found = [column for name in header if (column := _unit(name, quantity)) is not None]
    if wanted is not None:
        found = [column for column in found if wanted.lower() in column.header.lower()]
    if len(found) == 1:
        return times[0], header[times[0]], found[0]
    unit = "EUR/MWh or CNY/kWh" if quantity == "price" else "gCO2/kWh or kg/MWh"
    names = [column.header for column in found] or header
    many = "several columns fit; file_column must be part of one" if found else "no column fits"
    said = "" if wanted is None else f", and file_column={wanted}"
    raise InputFileError(
        f"{where}: {many} (the {quantity}, its unit in the header as {unit}{said}): "
        + ", ".join(names)
    )


def _unit(header: str, quantity: Quantity) -> Column | None:
    """Return how to read a column from its header; None if it is something else."""
    if quantity == "price":
        said = PRICE_HEADER.search(header)
        per = {**PER_KWH, "kwh": 1.0}
        return said and Column(header, per[said["per"]], said["currency"])
    if header == OPENDC_CARBON:
        return Column(header, KILOGRAMS["g"])
    said = CARBON_HEADER.search(header)
    return said and Column(header, KILOGRAMS[said["mass"]] * PER_KWH[said["per"]])


# ---- values and times ------------------------------------------------------------


def _values(table: _Table, quantity: Quantity) -> Floats:
    low, high = PLAUSIBLE[quantity]
    out = np.empty(len(table.values))
    for i, raw in enumerate(table.values):
        try:
            out[i] = np.nan if raw in ("", None) else float(raw) * table.column.per_kwh
        except (TypeError, ValueError):
            raise InputFileError(
                f"{table.where(i)}: {quantity}={raw!r}: must be a number"
            ) from None
        if not (np.isnan(out[i]) or low <= out[i] <= high):
            raise InputFileError(
                f"{table.where(i)}: {table.column.header}={raw}: must be {low:g} to {high:g} per "
                "kWh; is the unit in the header right?"
            )
    return out


def _instants(
    table: _Table, clock: str | None, path: str
) -> tuple[list[int], list[int], bool, list[str]]:
    """Return seconds since 1970, the row each belongs to, whether in UTC, and notes.

    Without a clock of their own or one given, seconds are of the site's clock.
    """
    stamps = [_stamp(raw, table.where(i)) for i, raw in enumerate(table.times)]
    aware = {stamp.tzinfo is not None for stamp in stamps}
    if len(aware) == 2:
        odd = next(
            i for i, s in enumerate(stamps) if (s.tzinfo is None) != (None is stamps[0].tzinfo)
        )
        raise InputFileError(
            f"{table.where(odd)}: {table.times[odd]}: must have an offset from UTC where the "
            "first row has one, and only there"
        )
    says_utc = "utc" in table.time_header.lower()
    if aware == {True} or says_utc:
        allowed = "null: the times of the file say their own clock"
        require(clock is None, "file_clock", clock, allowed)
        seconds = [
            _seconds(s.astimezone(UTC).replace(tzinfo=None) if s.tzinfo else s) for s in stamps
        ]
        return seconds, list(range(len(seconds))), True, []
    if clock is None:
        note = f"{path}: its times say no clock; read as the site's own (file_clock: null)"
        return [_seconds(s) for s in stamps], list(range(len(stamps))), False, [note]
    return _from_zone(stamps, _zone(clock), clock, path)


def _zone(clock: str) -> tzinfo:
    try:
        return UTC if clock == "UTC" else ZoneInfo(clock)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ParameterError(
            f"file_clock={clock}: must be null, UTC or a time zone such as Europe/Berlin"
        ) from None


def _from_zone(
    stamps: Sequence[datetime], zone: tzinfo, clock: str, path: str
) -> tuple[list[int], list[int], bool, list[str]]:
    """Turn times of a clock with summer time to UTC.

    An hour that the clock skips in spring is left out; the hour that comes twice in
    autumn keeps both rows, or gives its one row to both.
    """
    seconds: list[int] = []
    owners: list[int] = []
    skipped = doubled = 0
    for i, stamp in enumerate(stamps):
        early, late = (
            stamp.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(tzinfo=None)
            for fold in (0, 1)
        )
        if early == late:
            seconds.append(_seconds(early))
            owners.append(i)
        elif early > late:  # the clock jumps over it
            skipped += 1
        elif i and stamps[i - 1] == stamp:
            seconds.append(_seconds(late))
            owners.append(i)
        else:
            once = i + 1 == len(stamps) or stamps[i + 1] != stamp
            seconds += [_seconds(early), _seconds(late)] if once else [_seconds(early)]
            owners += [i, i] if once else [i]
            doubled += once
    notes = [f"{path}: its times read as those of {clock}"]
    if skipped:
        notes.append(f"{path}: {skipped} hour(s) that {clock} skips in spring left out")
    if doubled:
        notes.append(f"{path}: {doubled} hour(s) that {clock} has twice in autumn used for both")
    return seconds, owners, True, notes


def _stamp(raw: Any, where: str) -> datetime:
    try:
        stamp = raw if isinstance(raw, datetime) else datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        stamp = None
    if stamp is None or stamp.year not in CALENDAR:
        raise InputFileError(f"{where}: {raw!r}: must be a time as 2023-07-01 00:00")
    return stamp


def _seconds(stamp: datetime) -> int:
    return round((stamp - EPOCH).total_seconds())


def _hours(
    instants: Sequence[int], owners: Sequence[int], where: Callable[[int], str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return hours since the first row, and the rows; refuse what is out of step."""
    seconds = np.array(instants, dtype=np.int64)
    hours, rest = np.divmod(seconds - seconds[0], int(SECONDS_PER_HOUR))
    bad = np.flatnonzero((rest != 0) | (np.diff(hours, prepend=-1) <= 0))
    if len(bad):
        i = int(bad[0])
        after = EPOCH + timedelta(seconds=instants[i - 1])
        found = EPOCH + timedelta(seconds=instants[i])
        raise InputFileError(
            f"{where(owners[i])}: {found:%Y-%m-%d %H:%M} follows {after:%Y-%m-%d %H:%M}: rows must "
            "be whole hours apart, in order and none twice; a clock with summer time needs "
            "file_clock"
        )
    return hours, np.array(owners, dtype=np.int64)


# ---- the stretch of a run ----------------------------------------------------------


def stretch(
    file: HourlyFile, start: datetime, duration_s: float, year: int | None
) -> tuple[datetime, Floats, list[str]]:
    """Return the series that a run needs: its first hour, its values, and notes.

    With *year* that year of the file stands for every year, date by date; without, the
    run must lie within the file.

    Raises
    ------
    InputFileError
        If the file does not cover the run, or the year.
    """
    into_h = (start - file.first) // HOUR
    hours = int(-(-duration_s // SECONDS_PER_HOUR)) + 1
    begin = file.first + into_h * HOUR
    if year is not None:
        whole, notes = _calendar_year(file, year)
        stamps = np.datetime64(begin, "h") + np.arange(hours + AHEAD_HOURS).astype("timedelta64[h]")
        places = hour_of_leap_year(stamps)
        if not ((places[:hours] >= LEAP_DAY.start) & (places[:hours] < LEAP_DAY.stop)).any():
            notes = [note for note in notes if LEAP_NOTE not in note]
        return begin, whole[places], notes
    n = len(file.per_kwh)
    early, late = max(0, -into_h), max(0, into_h + hours - 1 - n)
    if max(early, late) > EDGE_HOURS:
        raise InputFileError(
            f"{file.path}: covers {file.first:%Y-%m-%d %H:%M} to "
            f"{file.first + n * HOUR:%Y-%m-%d %H:%M} of the site's clock, the run "
            f"{start:%Y-%m-%d %H:%M} to {start + timedelta(seconds=duration_s):%Y-%m-%d %H:%M}; "
            f"set clock.start, or file_year={(file.first + n // 2 * HOUR).year} to let that year "
            "stand for every year"
        )
    ends = (("first", early), ("last", late))
    notes = [f"{file.path}: its {end} value is kept beyond it" for end, some in ends if some]
    notes.append(f"{file.path}: read at its own dates")
    last = max(into_h + 1, min(n, into_h + hours + AHEAD_HOURS))
    return begin, file.per_kwh[np.clip(np.arange(into_h, last), 0, n - 1)], notes


def _calendar_year(file: HourlyFile, year: int) -> tuple[Floats, list[str]]:
    """Return a leap year of hours, by date, from one year of a file."""
    stamps = np.datetime64(file.first, "h") + np.arange(len(file.per_kwh)).astype("timedelta64[h]")
    of_year = stamps.astype("datetime64[Y]").astype(int) + 1970 == year
    if not of_year.any():
        years = f"{file.first.year} to {(file.first + (len(stamps) - 1) * HOUR).year}"
        raise InputFileError(f"{file.path}: file_year={year}: it holds {years}")
    notes = [
        f"{file.path}: {year} stands for every year of the run, date by date; weekdays move with it"
    ]
    whole = np.full(366 * 24, np.nan)
    for chosen in (~of_year, of_year):  # its own hours last: they win
        near = chosen & (abs(stamps - stamps[of_year][0]).astype(int) < 2 * 366 * 24)
        whole[hour_of_leap_year(stamps[near])] = file.per_kwh[near]
    leap_day = np.datetime64(f"{year}-02-28") + np.timedelta64(1, "D")
    of_leap_day = stamps[of_year].astype("datetime64[D]") == leap_day
    if year % 4 or (year % 100 == 0 and year % 400) or not of_leap_day.any():
        whole[LEAP_DAY] = whole[LEAP_DAY.start - 24 : LEAP_DAY.start]
        notes.append(f"{file.path}: {LEAP_NOTE}")
    lacking = int(np.isnan(whole).sum())
    if lacking:
        raise InputFileError(
            f"{file.path}: file_year={year}: {lacking} hours of that year are not in the file"
        )
    borrowed = 8760 + 24 * bool(year % 4 == 0 and (year % 100 or year % 400 == 0))
    borrowed -= int(of_year.sum())
    if borrowed:
        notes.append(
            f"{file.path}: {borrowed} hour(s) at an end of {year} (site-local) are those of the "
            "same dates in the year beside it"
        )
    return whole, notes


def hour_of_leap_year(stamps: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return which hour of a year of 366 days each stamp is, by its date."""
    days = stamps.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    day = (days - years.astype("datetime64[D]")).astype(np.int64)
    number = years.astype(np.int64) + 1970
    leap = (number % 4 == 0) & ((number % 100 != 0) | (number % 400 == 0))
    day += ~leap & (day >= 59)
    hour = (stamps - days.astype("datetime64[h]")).astype(np.int64)
    return np.asarray(day * 24 + hour)
