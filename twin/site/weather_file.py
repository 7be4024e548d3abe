"""What a weather file holds, and the stretch of it that a run needs.

Dew point and relative humidity below freezing are read as over ice, as building
simulation does; where a station meant them over water, its air is up to 10 %
moister at -10 degC than read, which moves the wet bulb by 0.2 K.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError
from twin.physics.psychrometrics import standard_pressure_pa
from twin.site.air import OutdoorAir
from twin.site.base import Site
from twin.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]

EDGE_HOURS = 3
"""A file this much shorter than the run, at either end, keeps its outermost value."""
SAME_PLACE_KM = 300.0
"""A station farther from the site than this is read as if the site stood there."""
SAME_ALTITUDE_M = 200.0
FEBRUARY_29 = slice(59 * 24, 60 * 24)
"""Its hours in a leap year."""
EARTH_RADIUS_KM = 6371.0
DAY = timedelta(days=1)
PLACES = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "altitude_m": (-1000.0, 9999.9),
    "utc_offset_h": (-12.0, 14.0),
}
"""Where on earth a station may stand: limits of the EPW format, and of clocks in use."""


@dataclass(slots=True)
class WeatherFile:
    """What a file holds: complete hourly arrays, without gaps.

    A typical year has 8,784 hours and serves every year; where the file has no
    29 February, that day repeats the one before.
    """

    path: str
    what: str
    """The format and, where the file knows it, the place."""
    first: datetime
    """Instant of the first sample, by the file's clock."""
    utc_offset_h: float
    """The file's clock minus UTC. [h]"""
    drybulb_c: Floats
    vapour_pa: Floats
    pressure_pa: Floats | None = None
    """Station pressure; None where the file has none to be trusted."""
    typical: bool = False
    has_february_29: bool = True
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, (low, high) in PLACES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:  # NaN neither
                raise InputFileError(
                    f"{self.path}: {name}={value:g}: must be {low:g} to {high:g}, a place on earth"
                )


def air_from_file(file: WeatherFile, site: Site, start: datetime, duration_s: float) -> OutdoorAir:
    """Return the air of a run from a weather file.

    Raises
    ------
    InputFileError
        If the file does not cover the run.
    """
    ahead_h, notes = file_clock_ahead_h(file, site)
    begin = start + timedelta(hours=ahead_h)
    altitude_m = site.altitude_m if file.altitude_m is None else file.altitude_m
    mean_pa = float(standard_pressure_pa(altitude_m))
    if file.pressure_pa is not None:
        mean_pa = float(file.pressure_pa.mean())
    if file.typical:
        file, leap_notes = _spread_typical_year(file, begin, duration_s)
        notes += leap_notes
    into_s = (begin - file.first).total_seconds()
    first = math.floor(into_s / SECONDS_PER_HOUR)
    last = math.floor((into_s + duration_s) / SECONDS_PER_HOUR) + 1
    stretch, edge_notes = _stretch(file, first, last)
    pressure_pa = file.pressure_pa
    if pressure_pa is None:
        pressure_pa = np.full_like(file.drybulb_c, mean_pa)
        notes.append(f"{file.path}: pressure taken as the standard pressure at {altitude_m:g} m")
    return OutdoorAir(
        first_at_s=first * SECONDS_PER_HOUR - into_s,
        drybulb_c=file.drybulb_c[stretch],
        vapour_pa=file.vapour_pa[stretch],
        pressure_pa=pressure_pa[stretch],
        mean_pressure_pa=mean_pa,
        source=f"{file.what}, {Path(file.path).name}",
        warnings=[*file.warnings, *notes, *edge_notes],
    )


def file_clock_ahead_h(file: WeatherFile, site: Site) -> tuple[float, list[str]]:
    """Return what to add to the site's clock to get the file's, and what to warn of.

    A station near the site shares its time: both clocks are compared through UTC.
    With a far one the site is imagined to stand there, so that its afternoon is warm:
    its clock is the station's own.
    """
    if file.latitude is None or file.longitude is None:
        return 0.0, []
    notes = []
    if file.altitude_m is not None and abs(file.altitude_m - site.altitude_m) > SAME_ALTITUDE_M:
        notes.append(
            f"{file.path}: station at {file.altitude_m:g} m, site.altitude_m={site.altitude_m:g}"
        )
    apart_km = great_circle_km(file.latitude, file.longitude, site.latitude, site.longitude)
    if apart_km <= SAME_PLACE_KM:
        return file.utc_offset_h - site.utc_offset_h, notes
    sun_h = round(file.longitude / 15.0)
    local_h = file.utc_offset_h if abs(file.utc_offset_h - sun_h) <= 3 else sun_h
    notes.append(
        f"{file.path}: station {apart_km:.0f} km from {site.name}; its weather is read at the "
        f"station's own local time, UTC{local_h:+g} h"
    )
    return file.utc_offset_h - local_h, notes


def great_circle_km(latitude: float, longitude: float, to_lat: float, to_lon: float) -> float:
    """Return the distance between two places on the globe, given in degrees.

    Examples
    --------
    >>> round(great_circle_km(0.0, 0.0, 0.0, 90.0))
    10008
    """
    a, b, dlon = map(math.radians, (latitude, to_lat, to_lon - longitude))
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(dlon / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def _spread_typical_year(
    file: WeatherFile, begin: datetime, duration_s: float
) -> tuple[WeatherFile, list[str]]:
    """Return a file whose typical year is repeated over the years around a run."""
    end = begin + timedelta(seconds=duration_s)
    # One year more at both ends, since samples fall half an hour into the hour.
    years = range(begin.year - 1, end.year + 2)

    def spread(values: Floats) -> Floats:
        common = np.delete(values, FEBRUARY_29)
        return np.concatenate([values if _is_leap(year) else common for year in years])

    notes = [f"{file.path}: a typical year, repeated for each year from {begin.year}"]
    leap_days = (datetime(year, 2, 29) for year in years if _is_leap(year))
    if not file.has_february_29 and any(begin < day + DAY and end > day for day in leap_days):
        notes.append(f"{file.path}: 29 February repeats 28 February")
    repeated = dataclasses.replace(
        file,
        first=file.first.replace(year=years[0]),
        drybulb_c=spread(file.drybulb_c),
        vapour_pa=spread(file.vapour_pa),
        pressure_pa=None if file.pressure_pa is None else spread(file.pressure_pa),
        typical=False,
    )
    return repeated, notes


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _stretch(file: WeatherFile, first: int, last: int) -> tuple[NDArray[np.int64], list[str]]:
    """Return the rows *first* to *last*, the outermost repeated where few are lacking."""
    n = len(file.drybulb_c)
    early, late = max(0, -first), max(0, last - n + 1)
    if max(early, late) > EDGE_HOURS:
        begin, end = (file.first + timedelta(hours=h) for h in (first, last))
        final = file.first + timedelta(hours=n - 1)
        raise InputFileError(
            f"site.weather_path={file.path}: covers {file.first:%Y-%m-%d %H:%M} to "
            f"{final:%Y-%m-%d %H:%M} of its own clock, the run needs {begin:%Y-%m-%d %H:%M} to "
            f"{end:%Y-%m-%d %H:%M}; set clock.start and clock.duration_days"
        )
    ends = (("first", early), ("last", late))
    notes = [f"{file.path}: its {end} value is kept beyond it" for end, hours in ends if hours]
    return np.clip(np.arange(first, last + 1), 0, n - 1), notes
