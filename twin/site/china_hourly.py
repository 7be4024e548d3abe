"""Hourly CSV of measured Chinese cities: real years at the cities' airports.

The layout of the UCI data set "PM2.5 Data of Five Chinese Cities" (Liang et al.,
J. Geophys. Res. Atmos. 2016): local time, TEMP and DEWP in degC, HUMI in percent,
``NA`` or an impossible number where a value is missing. Its pressure is reduced
to sea level and is not used.
"""

from __future__ import annotations

import csv
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.physics.psychrometrics import saturation_pressure_pa
from twin.site.gaps import without_gaps
from twin.site.weather_file import WeatherFile

Floats = NDArray[np.float64]

TIME = ("year", "month", "day", "hour")
PLAUSIBLE = {"TEMP": (-60.0, 60.0), "DEWP": (-60.0, 40.0), "HUMI": (0.0, 100.0)}
"""Outside lie the codes for missing values, -97 and -9999."""
UTC_OFFSET_H = 8.0
LONGEST_GAP_H = 3
LONGEST_HUMIDITY_GAP_H = 6
"""Longer than for temperature: the moisture of air has hardly a daily cycle."""


def knows(header: str) -> bool:
    """Return whether a first line is that of such a file."""
    return {*TIME, "TEMP", "DEWP"} <= {name.strip().strip('"') for name in header.split(",")}


def read_china_hourly(text: str, path: str) -> WeatherFile:
    """Read the text of such a file.

    Raises
    ------
    InputFileError
        With ``file:line`` for a broken line, hours that are absent or out of order, or
        too many missing values in a row.
    """
    lines = csv.reader(text.splitlines())
    places = {name.strip(): i for i, name in enumerate(next(lines))}
    keys = [key for key in PLAUSIBLE if key in places]
    columns: dict[str, list[float]] = {key: [] for key in keys}
    first = expected = None
    for number, row in enumerate(lines, start=2):
        if not row:
            continue
        if len(row) < len(places):
            raise InputFileError(f"{path}:{number}: is cut off after {len(row)} fields")
        stamp = _stamp(row, places, f"{path}:{number}")
        if expected is not None and stamp != expected:
            raise InputFileError(f"{path}:{number}: found {stamp}, must be {expected}")
        first, expected = first or stamp, stamp + timedelta(hours=1)
        for key in keys:
            columns[key].append(_number(row[places[key]], key, f"{path}:{number}"))
    if first is None:
        raise InputFileError(f"{path}:2: holds no rows")
    return _assembled({key: np.array(column) for key, column in columns.items()}, first, path)


def _assembled(columns: dict[str, Floats], first: datetime, path: str) -> WeatherFile:
    warnings: list[str] = []

    def complete(values: Floats, name: str, limit_h: int) -> Floats:
        filled, hours = without_gaps(values, name, limit_h, lambda i: f"{path}:{i + 2}", wrap=False)
        if hours:
            warnings.append(f"{path}: {name} interpolated in {hours} missing hour(s)")
        return filled

    drybulb_c = complete(columns["TEMP"], "TEMP", LONGEST_GAP_H)
    dewpoint_c = columns["DEWP"]
    vapour_pa = saturation_pressure_pa(np.nan_to_num(dewpoint_c))
    rh = columns.get("HUMI", np.full_like(drybulb_c, np.nan))
    from_rh = saturation_pressure_pa(drybulb_c) * rh / 100
    vapour_pa = np.where(np.isnan(dewpoint_c), from_rh, vapour_pa)
    return WeatherFile(
        path=path,
        what=f"measured hours from {first:%Y-%m-%d}",
        first=first,
        utc_offset_h=UTC_OFFSET_H,
        drybulb_c=drybulb_c,
        vapour_pa=complete(vapour_pa, "DEWP and HUMI", LONGEST_HUMIDITY_GAP_H),
        warnings=warnings,
    )


def _stamp(row: list[str], places: dict[str, int], where: str) -> datetime:
    fields = [row[places[key]] for key in TIME]
    try:
        return datetime(*(int(field) for field in fields))  # type: ignore[arg-type]
    except ValueError:
        raise InputFileError(f"{where}: {fields}: must be year, month, day, hour 0-23") from None


def _number(text: str, key: str, where: str) -> float:
    if text in ("NA", ""):
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        raise InputFileError(f"{where}: {key}={text!r}: must be a number or NA") from None
    low, high = PLAUSIBLE[key]
    return value if low <= value <= high else float("nan")
