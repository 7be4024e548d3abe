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
    hourly = reply.get("hourly")
    if not isinstance(hourly, Mapping):
        raise InputFileError(f"{path}: key 'hourly' is required")
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
    if not times:
        raise InputFileError(f"{path}: hourly.time is required")
    try:
        stamps = [datetime.fromisoformat(each) for each in times]
    except (TypeError, ValueError):
        raise InputFileError(
            f"{path}: hourly.time[0]={times[0]!r}: must be times like 2023-01-01T00:00"
        ) from None
    for i, (earlier, later) in enumerate(itertools.pairwise(stamps), start=1):
        if later - earlier != timedelta(hours=1):
            raise InputFileError(
                f"{path}: hourly.time[{i}]={times[i]}: must be one hour after {times[i - 1]}"
            )
    return stamps[0]


def _column(reply: Mapping[str, Any], key: str, path: str) -> Floats:
    hourly = reply["hourly"]
    values = hourly.get(key)
    if not isinstance(values, list) or len(values) != len(hourly["time"]):
        raise InputFileError(f"{path}: hourly.{key}: must be a list as long as hourly.time")
    unit = reply.get("hourly_units", {}).get(key)
    if unit is not None and unit != UNITS[key]:
        raise InputFileError(f"{path}: hourly_units.{key}={unit!r}: must be {UNITS[key]!r}")
    try:
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    except (TypeError, ValueError):
        raise InputFileError(f"{path}: hourly.{key}: must be numbers or null") from None


def _number(reply: Mapping[str, Any], key: str, path: str) -> float:
    value = reply.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputFileError(f"{path}: {key}={value!r}: must be a number")
    return float(value)
