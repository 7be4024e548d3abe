"""EnergyPlus Weather files: a typical year of hourly weather.

Eight header lines, then one line an hour. Hour 1 is the interval from 0:00 to
1:00 of local standard time; its values are placed at 0:30. The year column is
ignored, since the months of a typical year come from different years. A file
without 29 February repeats 28 February there.
"""

from __future__ import annotations

import calendar
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.physics.psychrometrics import saturation_pressure_pa
from twin.site.gaps import without_gaps
from twin.site.weather_file import FEBRUARY_29, WeatherFile

Floats = NDArray[np.float64]

HEADER = (
    "LOCATION",
    "DESIGN CONDITIONS",
    "TYPICAL/EXTREME PERIODS",
    "GROUND TEMPERATURES",
    "HOLIDAYS/DAYLIGHT SAVINGS",
    "COMMENTS 1",
    "COMMENTS 2",
    "DATA PERIODS",
)
FIELDS = (
    # (place in the row, name, lowest, highest, missing from): limits of the format.
    (6, "dry bulb", -70.0, 70.0, 99.9),
    (7, "dew point", -70.0, 70.0, 99.9),
    (8, "relative humidity", 0.0, 110.0, 999.0),
    (9, "pressure", 31_000.0, 120_000.0, 999_999.0),
)
LONGEST_GAP_H = 3
A_LEAP_YEAR = 2000


def read_epw(text: str, path: str) -> WeatherFile:
    """Read the text of an EPW file.

    Raises
    ------
    InputFileError
        With ``file:line`` for a bad header, a broken line, rows that are absent or out
        of order, a value out of the format's range, or more than 3 h missing in a row.
    """
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    place, latitude, longitude, utc_offset_h, altitude_m = _location(lines, path)
    values, has_february_29 = _rows(lines, path)
    drybulb_c, dewpoint_c, rh_percent, pressure_pa = values.T

    def where(i: int) -> str:
        return f"{path}:{i + len(HEADER) + 1}"

    warnings: list[str] = []

    def complete(hourly: Floats, name: str) -> Floats:
        filled, hours = without_gaps(hourly, name, LONGEST_GAP_H, where, wrap=True)
        if hours:
            warnings.append(f"{path}: {name} interpolated in {hours} missing hour(s)")
        return filled

    drybulb_c = complete(drybulb_c, "dry bulb")
    from_dewpoint = saturation_pressure_pa(np.nan_to_num(dewpoint_c))
    from_rh = saturation_pressure_pa(drybulb_c) * np.minimum(rh_percent, 100.0) / 100
    no_dewpoint = np.isnan(dewpoint_c)
    vapour_pa = complete(np.where(no_dewpoint, from_rh, from_dewpoint), "humidity")
    if no_dewpoint.any():
        warnings.append(
            f"{path}: dew point missing in {int(no_dewpoint.sum())} hour(s), "
            "relative humidity used where present"
        )
    pressure = None if np.isnan(pressure_pa).all() else complete(pressure_pa, "pressure")

    def whole(hourly: Floats) -> Floats:
        if has_february_29:
            return hourly
        before = hourly[FEBRUARY_29.start - 24 : FEBRUARY_29.start]
        return np.insert(hourly, FEBRUARY_29.start, before)

    return WeatherFile(
        path=path,
        what=f"EPW typical year of {place}",
        first=datetime(A_LEAP_YEAR, 1, 1, 0, 30),
        utc_offset_h=utc_offset_h,
        drybulb_c=whole(drybulb_c),
        vapour_pa=whole(vapour_pa),
        pressure_pa=None if pressure is None else whole(pressure),
        typical=True,
        has_february_29=has_february_29,
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude_m,
        warnings=warnings,
    )


def _location(lines: list[str], path: str) -> tuple[str, float, float, float, float]:
    """Check the header; return place, latitude, longitude, UTC offset, altitude."""
    for number, name in enumerate(HEADER, start=1):
        line = lines[number - 1] if number <= len(lines) else ""
        if not line.upper().startswith(name):
            raise InputFileError(f"{path}:{number}: {line[:40]!r}: must begin with {name!r}")
    periods = lines[7].split(",")
    if [field.strip() for field in periods[1:3]] != ["1", "1"]:
        raise InputFileError(
            f"{path}:8: {lines[7][:40]!r}: must be one data period of one record per hour"
        )
    location = [field.strip() for field in lines[0].split(",")]
    try:
        latitude, longitude, utc_offset_h, altitude_m = map(float, location[6:10])
    except ValueError:
        raise InputFileError(
            f"{path}:1: {location[6:10]}: must be latitude, longitude, time zone, elevation"
        ) from None
    return location[1], latitude, longitude, utc_offset_h, altitude_m


def _rows(lines: list[str], path: str) -> tuple[Floats, bool]:
    """Return the four fields of all hours, NaN where missing, and whether 29 Feb is there."""
    first_day = _first_day_of_months()
    values = np.empty((len(lines) - len(HEADER), len(FIELDS)))
    expected = 0
    skipped = False
    for i, line in enumerate(lines[len(HEADER) :]):
        where = f"{path}:{i + len(HEADER) + 1}"
        fields = line.split(",", 10)
        if len(fields) < 11:
            raise InputFileError(f"{where}: {line[:60]!r}: is cut off after {len(fields)} fields")
        hour = _hour_of_leap_year(fields, first_day, where)
        if hour == FEBRUARY_29.stop and expected == FEBRUARY_29.start:
            skipped, expected = True, hour
        if hour != expected:
            raise InputFileError(f"{where}: {_misplaced(fields, hour, expected)}")
        expected += 1
        for k, (at, name, low, high, missing) in enumerate(FIELDS):
            values[i, k] = _number(fields[at], low, high, missing, f"{where}: {name}")
    if expected != 366 * 24:
        raise InputFileError(
            f"{path}:{len(lines)}: the file ends after {len(values)} hours; a year has 8760"
        )
    return values, not skipped


def _hour_of_leap_year(fields: list[str], first_day: list[int], where: str) -> int:
    try:
        month, day, hour = (int(field) for field in fields[1:4])
    except ValueError:
        raise InputFileError(
            f"{where}: {','.join(fields[:4])!r}: must be year, month, day, hour"
        ) from None
    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(A_LEAP_YEAR, month)[1]):
        raise InputFileError(f"{where}: {month}/{day}: must be a month and day")
    if not 1 <= hour <= 24:
        raise InputFileError(f"{where}: hour={hour}: must be 1 to 24")
    return (first_day[month - 1] + day - 1) * 24 + hour - 1


def _first_day_of_months() -> list[int]:
    lengths = [calendar.monthrange(A_LEAP_YEAR, month)[1] for month in range(1, 12)]
    return [0, *np.cumsum(lengths).tolist()]


def _misplaced(fields: list[str], hour: int, expected: int) -> str:
    found = f"found {fields[1].strip()}/{fields[2].strip()} hour {fields[3].strip()}"
    if hour > expected:
        return f"{found}, {hour - expected} hour(s) absent before it; all hours of a year must be"
    return f"{found}, out of order or twice; hours must follow each other"


def _number(text: str, low: float, high: float, missing: float, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputFileError(f"{where}={text!r}: must be a number") from None
    if value >= missing:
        return float("nan")
    if not low <= value <= high:
        raise InputFileError(f"{where}={text.strip()}: must be {low:g} to {high:g}")
    return value
