"""What the sun sends to a site, hour by hour: from an EPW file, or nothing known but the place."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.records import Sunshine
from twin.site import epw
from twin.site.base import Site, WeatherSeries
from twin.site.gaps import without_gaps
from twin.site.hourly_file import hour_of_leap_year
from twin.site.weather_file import FEBRUARY_29, file_clock_ahead_h
from twin.site.weather_formats import is_epw, text_of
from twin.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]

FIELDS = (
    # (place in the row of an EPW file, name, missing from)
    (13, "global horizontal irradiance", 9999.0),
    (14, "direct normal irradiance", 9999.0),
    (15, "diffuse horizontal irradiance", 9999.0),
    (21, "wind speed", 999.0),
)
LONGEST_GAP_H = 3
HALF_HOUR = timedelta(minutes=30)


def sunshine_at(
    site: Site, weather_path: str | None, start: datetime, duration_s: float, weather: WeatherSeries
) -> Sunshine:
    """Return where the sun stands over a run and, if its weather is an EPW file, what arrives."""
    if weather_path is not None:
        text = text_of(weather_path)
        if is_epw(text, weather_path):
            return sunshine_of_file(text, weather_path, site, start, duration_s, weather)
    return sunshine_unknown(site, start, duration_s, weather)


def sunshine_of_file(
    text: str, path: str, site: Site, start: datetime, duration_s: float, weather: WeatherSeries
) -> Sunshine:
    """Return the irradiance of an EPW file over a run, read at its station's own sun.

    Raises
    ------
    InputFileError
        With ``file:line`` for a number that is none, or more than 3 h missing in a row.
    """
    file = epw.read_epw(text, path)
    ahead_h, _ = file_clock_ahead_h(file, site)
    table, absent = _irradiance(text.splitlines()[len(epw.HEADER) :], path, file.has_february_29)
    begin = start + timedelta(hours=ahead_h)
    first = begin.replace(minute=0, second=0, microsecond=0)
    first_at_s = (first - begin).total_seconds()
    count = math.ceil((duration_s - first_at_s) / SECONDS_PER_HOUR)
    stamps = np.datetime64(first, "h") + np.arange(count).astype("timedelta64[h]")
    ghi, dni, dhi, wind = table[hour_of_leap_year(stamps)].T
    if absent:
        raise InputFileError(f"{path}: {absent}: no value in any row; PV needs it")
    assert file.latitude is not None and file.longitude is not None
    return Sunshine(
        first_at_s=first_at_s,
        middles_utc=_middles(first, count, file.utc_offset_h),
        latitude=file.latitude,
        longitude=file.longitude,
        altitude_m=site.altitude_m if file.altitude_m is None else file.altitude_m,
        drybulb_c=_drybulb_c(weather, first_at_s, count),
        irradiance_w_per_m2=(ghi, dni, dhi),
        wind_m_per_s=wind,
        source=f"irradiance of {file.what}",
    )


def sunshine_unknown(
    site: Site, start: datetime, duration_s: float, weather: WeatherSeries
) -> Sunshine:
    """Return where the sun stands over a run whose weather knows no irradiance."""
    first = start.replace(minute=0, second=0, microsecond=0)
    first_at_s = (first - start).total_seconds()
    count = math.ceil((duration_s - first_at_s) / SECONDS_PER_HOUR)
    return Sunshine(
        first_at_s=first_at_s,
        middles_utc=_middles(first, count, site.utc_offset_h),
        latitude=site.latitude,
        longitude=site.longitude,
        altitude_m=site.altitude_m,
        drybulb_c=_drybulb_c(weather, first_at_s, count),
        irradiance_w_per_m2=None,
        wind_m_per_s=None,
        source=f"no irradiance in: {weather.source}",
    )


def _middles(first: datetime, count: int, utc_offset_h: float) -> NDArray[np.datetime64]:
    """Return the middle of each hour, where the sun stands for it, in UTC."""
    middle = first + HALF_HOUR - timedelta(hours=utc_offset_h)
    return np.datetime64(middle, "m") + np.arange(count) * np.timedelta64(60, "m")


def _drybulb_c(weather: WeatherSeries, first_at_s: float, count: int) -> Floats:
    """Return the air in the middle of each hour, that of the last one be it after the run."""
    middles_s = first_at_s + SECONDS_PER_HOUR * (np.arange(count) + 0.5)
    inside_s = np.clip(middles_s, 0.0, weather.last_at_s).tolist()
    return np.array([weather.at(at_s)[0] for at_s in inside_s])


def _irradiance(rows: list[str], path: str, has_february_29: bool) -> tuple[Floats, str]:
    """Return the fields by hour of a leap year, shape (8784, 4), and which are absent."""
    rows = [row for row in rows if row.strip()]
    values = np.empty((len(rows), len(FIELDS)))
    for i, row in enumerate(rows):
        fields = row.split(",")
        for k, (at, name, missing) in enumerate(FIELDS):
            values[i, k] = _number(fields, at, missing, f"{path}:{i + len(epw.HEADER) + 1}: {name}")
    absent = ""
    for k, (_, name, _) in enumerate(FIELDS):
        if np.isnan(values[:, k]).all():
            absent = absent or name
            continue
        values[:, k], _ = without_gaps(
            values[:, k],
            name,
            LONGEST_GAP_H,
            lambda i: f"{path}:{i + len(epw.HEADER) + 1}",
            wrap=True,
        )
    if not has_february_29:
        before = values[FEBRUARY_29.start - 24 : FEBRUARY_29.start]
        values = np.insert(values, FEBRUARY_29.start, before, axis=0)
    return values, absent


def _number(fields: list[str], at: int, missing: float, where: str) -> float:
    if at >= len(fields):
        return math.nan
    try:
        value = float(fields[at])
    except ValueError:
        raise InputFileError(f"{where}={fields[at]!r}: must be a number") from None
    if value >= missing:
        return math.nan
    if value < 0.0:
        raise InputFileError(f"{where}={fields[at]}: must be >= 0")
    return value
