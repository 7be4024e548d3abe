"""JSON of the Open-Meteo archive: hourly weather of real years.

Temperatures are instantaneous and stay at their time stamps. The stamps run at
the one fixed offset that the file states, daylight saving or not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.config import LARGEST
from twin.errors import InputFileError
from twin.physics.psychrometrics import saturation_pressure_pa
from twin.site.gaps import without_gaps
from twin.site.weather_file import WeatherFile
from twin.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]

LONGEST_GAP_H = 3
UNITS = {
    "temperature_2m": "°C",
    "dew_point_2m": "°C",
    "dewpoint_2m": "°C",
    "relative_humidity_2m": "%",
    "relativehumidity_2m": "%",
    "surface_pressure": "hPa",
}
PASCALS_PER_HECTOPASCAL = 100.0


def read_open_meteo(text: str, path: str) -> WeatherFile:
    """Read the text of an Open-Meteo reply.

    Raises
    ------
    InputFileError
        Naming the key and row, if it is not such a reply, if hours are absent, or if
        more than 3 h are missing in a row.
    """
    try:
        reply = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputFileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # nested without end, a number of 5,000 digits
        raise InputFileError(f"{path}: no JSON that can be read: {error}") from None
    hourly = reply.get("hourly")
    if not isinstance(hourly, Mapping):
        raise InputFileError(f"{path}: key 'hourly' is required")
    if not isinstance(reply.get("hourly_units", {}), Mapping):
        raise InputFileError(f"{path}: hourly_units: must be a mapping, or left out")
    first = _first_stamp(hourly, path)
    warnings: list[str] = []

    def column(key: str) -> Floats:
        return _column(reply, key, path)

    def complete(values: Floats, name: str) -> Floats:
        filled, hours = without_gaps(
            values, name, LONGEST_GAP_H, lambda i: f"{path}: hourly row {i}", wrap=False
        )
        if hours:
            warnings.append(f"{path}: {name} interpolated in {hours} missing hour(s)")
        return filled

    drybulb_c = complete(column("temperature_2m"), "temperature_2m")
    vapour_pa = complete(_vapour_pa(hourly, drybulb_c, column, path), "humidity")
    pressure_pa = None
    if "surface_pressure" in hourly:
        pressure_pa = complete(column("surface_pressure"), "surface_pressure")
        pressure_pa = pressure_pa * PASCALS_PER_HECTOPASCAL
    latitude, longitude, altitude_m, offset_s = (
        _number(reply, key, path)
        for key in ("latitude", "longitude", "elevation", "utc_offset_seconds")
    )
    return WeatherFile(
        path=path,
        what=f"Open-Meteo {first.year} at {latitude:.2f}, {longitude:.2f}",
        first=first,
        utc_offset_h=offset_s / SECONDS_PER_HOUR,
        drybulb_c=drybulb_c,
        vapour_pa=vapour_pa,
        pressure_pa=pressure_pa,
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude_m,
        warnings=warnings,
    )


def _vapour_pa(
    hourly: Mapping[str, Any], drybulb_c: Floats, column: Callable[[str], Floats], path: str
) -> Floats:
    """Return the vapour pressure from dew point or humidity, NaN where both miss a value."""
    for key in ("dew_point_2m", "dewpoint_2m"):
        if key in hourly:
            dewpoint_c = column(key)
            vapour_pa = saturation_pressure_pa(np.nan_to_num(dewpoint_c))
            return np.asarray(np.where(np.isnan(dewpoint_c), np.nan, vapour_pa))
    for key in ("relative_humidity_2m", "relativehumidity_2m"):
        if key in hourly:
            rh_percent = np.minimum(column(key), 100.0)
            return np.asarray(saturation_pressure_pa(drybulb_c) * rh_percent / 100)
    raise InputFileError(f"{path}: hourly.dew_point_2m or hourly.relative_humidity_2m is required")


def _first_stamp(hourly: Mapping[str, Any], path: str) -> datetime:
    times = hourly.get("time")
    if not times or not isinstance(times, list):
        raise InputFileError(f"{path}: hourly.time is required")
    stamps = [_stamp(each, f"{path}: hourly.time[{i}]") for i, each in enumerate(times)]
    for i, (earlier, later) in enumerate(itertools.pairwise(stamps), start=1):
        if later - earlier != timedelta(hours=1):
            raise InputFileError(
                f"{path}: hourly.time[{i}]={times[i]}: must be one hour after {times[i - 1]}"
            )
    return stamps[0]


def _stamp(text: Any, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is not None:
        raise InputFileError(f"{where}={text!r}: must be times like 2023-01-01T00:00")
    return at


def _column(reply: Mapping[str, Any], key: str, path: str) -> Floats:
    hourly = reply["hourly"]
    values = hourly.get(key)
    if not isinstance(values, list) or len(values) != len(hourly["time"]):
        raise InputFileError(f"{path}: hourly.{key}: must be a list as long as hourly.time")
    unit = reply.get("hourly_units", {}).get(key)
    if unit is not None and unit != UNITS[key]:
        raise InputFileError(f"{path}: hourly_units.{key}={unit!r}: must be {UNITS[key]!r}")
    if not all(value is None or type(value) in (int, float) for value in values):
        raise InputFileError(f"{path}: hourly.{key}: must be numbers or null")
    try:
        read = np.array([np.nan if value is None else value for value in values], dtype=float)
    except OverflowError:  # a whole number of hundreds of digits
        read = np.array([np.inf])
    if np.isinf(read).any():
        raise InputFileError(f"{path}: hourly.{key}: holds a number beyond any range")
    return read


def _number(reply: Mapping[str, Any], key: str, path: str) -> float:
    value: Any = reply.get(key)
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not known or not abs(value) <= LARGEST:  # NaN neither
        raise InputFileError(f"{path}: {key}={value!r}: must be a number")
    return float(value)
