"""A site whose hourly weather is drawn around monthly normals, or read from a file."""

from __future__ import annotations

import calendar
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Celsius, Range
from twin.errors import require
from twin.physics.psychrometrics import saturation_pressure_pa, standard_pressure_pa
from twin.records import Sunshine
from twin.rng import RngFor
from twin.site.air import HeatWave, OutdoorAir, weather_series
from twin.site.base import Site, WeatherSeries
from twin.site.sunshine import sunshine_at
from twin.site.weather_file import air_from_file
from twin.site.weather_formats import read_weather_file
from twin.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]

Swing = Annotated[float, Range(0.0, 40.0)]
"""Of a day or from day to day [K]; more would leave the air that psychrometrics know."""
WARMEST_HOUR = 15.0
"""Local hour of the daily maximum; 15-16 h in the typical years of Beijing and Shanghai."""
DAY_TO_DAY = 0.6
"""Correlation of daily mean temperature with the day before, as in the typical years of
Beijing (0.60) and Shanghai (0.63), Chinese Standard Weather Data."""
DEWPOINT_FOLLOWS = 0.9
DEWPOINT_FOLLOWS_IN_SUMMER = 0.4
"""Change of dew point per change of daily mean temperature: 0.40-0.88 in the seasons of the
typical year of Beijing and 0.77-1.45 of Shanghai, but 0.23 and 0.53 in their summers. A warm
day is moister than normal yet of lower relative humidity."""
RH_TOLERANCE_PERCENT = 0.01
RH_ROUNDS = 60


def hours_of_months(year: int) -> list[slice]:
    """Return where each month lies among the hours of a year."""
    days = [calendar.monthrange(year, month)[1] for month in range(1, 13)]
    ends = (np.cumsum(days) * 24).tolist()
    return [slice(end - 24 * n, end) for n, end in zip(days, ends, strict=True)]


def seasonal_course(monthly: Sequence[float], year: int) -> Floats:
    """Return a smooth hourly course through a year that has the given monthly means.

    Straight lines between mid-months, December joined to January, whose corner
    values are solved for so that the mean of each month is kept.

    Parameters
    ----------
    monthly : sequence of 12 float
        Mean of each month, any unit.
    year : int
        The calendar year, for the length of February.

    Returns
    -------
    ndarray, shape (8760,) or (8784,)
        Value at the start of each hour, unit of `monthly`.

    Examples
    --------
    >>> course = seasonal_course([1, 2, 4, 6, 8, 9, 9, 8, 6, 4, 2, 1], 2023)
    >>> [round(float(course[month].mean()), 9) for month in hours_of_months(2023)[:3]]
    [1.0, 2.0, 4.0]
    """
    months = hours_of_months(year)
    total = months[-1].stop
    middles = np.array([(m.start + m.stop - 1) / 2 for m in months])
    corners = np.concatenate([middles[-1:] - total, middles, middles[:1] + total])
    units = np.eye(12)
    hours = np.arange(total)
    tents = [np.interp(hours, corners, [u[-1], *u, u[0]]) for u in units]
    means = np.array([[tent[month].mean() for tent in tents] for month in months])
    return np.asarray(np.linalg.solve(means, np.asarray(monthly, dtype=float)) @ np.array(tents))


def warmest_months(monthly_mean_c: Sequence[float]) -> set[int]:
    """Return the indices 0-11 of the three warmest months, the summer on either hemisphere.

    Examples
    --------
    >>> sorted(warmest_months([-3, 0, 7, 15, 21, 25, 27, 26, 21, 14, 5, -1]))
    [5, 6, 7]
    """
    return set(sorted(range(12), key=lambda month: -monthly_mean_c[month])[:3])


def daily_anomalies_k(year: int, scatter_k: Sequence[float], rng: np.random.Generator) -> Floats:
    """Return how far each day of a year departs from its season, correlated day to day.

    In each month the departures sum to zero and, read as straight lines from noon to
    noon, give daily means with the month's `scatter_k`: months are as
    typical as their normals, and only the order of warm and cold days is drawn.

    Parameters
    ----------
    year : int
        The calendar year.
    scatter_k : sequence of 12 float
        Standard deviation of daily means about the season, by month. [K]
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ndarray, shape (365,) or (366,)
        Departure of each day. [K]

    Examples
    --------
    >>> days = daily_anomalies_k(2023, [3.3] * 12, np.random.default_rng(1))
    >>> len(days), round(abs(float(days[:31].sum())), 9)
    (365, 0.0)
    """
    months = hours_of_months(year)
    draws = rng.standard_normal(months[-1].stop // 24).tolist()
    fresh = math.sqrt(1 - DAY_TO_DAY**2)
    values = [draws[0]]
    for draw in draws[1:]:
        values.append(DAY_TO_DAY * values[-1] + fresh * draw)
    days = np.array(values)
    for month, scatter in zip(months, scatter_k, strict=True):
        part = days[month.start // 24 : month.stop // 24]
        part[:] = _normal_scores(len(part))[np.argsort(np.argsort(part))]
        padded = np.pad(part, 1, mode="edge")
        daily_means = 0.125 * padded[:-2] + 0.75 * part + 0.125 * padded[2:]
        part *= scatter / daily_means.std()
    return days


def hourly_departure_k(year: int, scatter_k: Sequence[float], rng: RngFor) -> Floats:
    """Return :func:`daily_anomalies_k` by the hour, joined from noon to noon.

    Each year has its own draws, and looks over its ends at its neighbours', so that
    a day is the same whichever years are computed with it.
    """
    before, days, after = (
        daily_anomalies_k(y, scatter_k, rng(f"weather {y}")) for y in (year - 1, year, year + 1)
    )
    noons = 24.0 * np.arange(-1, len(days) + 1) + 12.0
    values = [before[-1], *days, after[0]]
    return np.asarray(np.interp(np.arange(24 * len(days)), noons, values))


@functools.cache
def _normal_scores(n: int) -> Floats:
    """Return what n draws of a standard normal are expected to be, lowest first."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / n) for k in range(n)])


def pinned(hourly: Floats, monthly: Sequence[float], year: int) -> Floats:
    """Return hourly values moved so that each month has its mean, leaving month ends alone."""
    result = hourly.copy()
    for month, target in zip(hours_of_months(year), monthly, strict=True):
        swell = _swell(month.stop - month.start)
        result[month] += (target - result[month].mean()) * swell
    return result


def vapour_for_humidity(
    drybulb_c: Floats, dewpoint_course_c: Floats, monthly_rh: Sequence[float], year: int
) -> tuple[Floats, list[int]]:
    """Return the vapour pressure that gives each month its mean relative humidity.

    The vapour pressure is a slowly changing share of saturation at a course without
    daily cycle, so relative humidity swings against temperature within the day.
    Air does not hold more than saturation.

    Parameters
    ----------
    drybulb_c : ndarray, shape (hours of the year,)
        Dry bulb. [degC]
    dewpoint_course_c : ndarray, shape (hours of the year,)
        Temperature whose saturation pressure humidity follows. [degC]
    monthly_rh : sequence of 12 float
        Mean relative humidity of each month, above 0 to 100. [%]
    year : int
        The calendar year.

    Returns
    -------
    ndarray, shape (hours of the year,)
        Vapour pressure. [Pa]
    list of int
        Months (1-12) whose mean could not be met within 0.01 % because of saturation.
    """
    limit_pa = saturation_pressure_pa(drybulb_c)
    course = np.clip(seasonal_course(monthly_rh, year), 1.0, 100.0) / 100
    wanted_pa = course * saturation_pressure_pa(dewpoint_course_c)
    vapour_pa = np.empty_like(wanted_pa)
    missed = []
    for number, (month, target) in enumerate(
        zip(hours_of_months(year), monthly_rh, strict=True), start=1
    ):
        swell, limit = _swell(month.stop - month.start), limit_pa[month]
        lift = 0.0
        for _ in range(RH_ROUNDS):
            held = np.minimum(wanted_pa[month] * np.exp(lift * swell), limit)
            mean = 100 * float((held / limit).mean())
            if abs(mean - target) <= RH_TOLERANCE_PERCENT:
                break
            lift += math.log(target / mean)
        else:
            missed.append(number)
        vapour_pa[month] = held
    return vapour_pa, missed


def _swell(hours: int) -> Floats:
    """Return a hump over a month: mean 1, and almost 0 at both ends."""
    hump = np.sin(np.pi * (np.arange(hours) + 0.5) / hours) ** 2
    return np.asarray(hump / hump.mean())


@dataclass(kw_only=True)
class NormalsSite(Site):
    """Weather from monthly normals, unless ``weather_path`` names a file.

    The generator gives each calendar year its own draws, so a day has the same
    weather whichever day a run starts and however long it lasts. In every month
    the mean dry bulb is the normal exactly, and the mean relative humidity to
    0.01 % where saturation allows it. What normals do not fix is approximate: the
    wet bulb exceeded in 50 hours of a year comes within 2 K of the design value.
    """

    monthly_mean_c: list[Celsius]
    monthly_rh_percent: list[Annotated[float, Range(1.0, 100.0)]]
    daily_range_k: Swing
    """Daily maximum minus minimum. [K]"""
    scatter_k: Swing
    """Standard deviation of daily means about the season. [K]"""
    summer_scatter_k: Swing
    """The same in the three warmest months. [K]"""
    weather_path: str | None = None
    """EPW, Open-Meteo JSON or hourly CSV, also gzipped; null for the generator."""
    climate_shift_k: Annotated[float, Range(-20.0, 20.0)] = 0.0
    heat_wave: HeatWave | None = None

    def __post_init__(self) -> None:
        for key in ("monthly_mean_c", "monthly_rh_percent"):
            count = len(getattr(self, key))
            require(count == 12, key, f"{count} values", "12 values, January to December")

    def weather(self, start: datetime, duration_s: float, rng: RngFor) -> WeatherSeries:
        """Return the outdoor air from *start* (site-local) on."""
        if self.weather_path is None:
            air = self._generated(start, duration_s, rng)
        else:
            file = read_weather_file(self.weather_path)
            air = air_from_file(file, self, start, duration_s)
        return weather_series(air, self.climate_shift_k, self.heat_wave)

    def sunshine(self, start: datetime, duration_s: float, weather: WeatherSeries) -> Sunshine:
        """Return where the sun stands; what arrives is known from an EPW file alone."""
        return sunshine_at(self, self.weather_path, start, duration_s, weather)

    def _generated(self, start: datetime, duration_s: float, rng: RngFor) -> OutdoorAir:
        january = datetime(start.year, 1, 1)
        into_s = (start - january).total_seconds()
        first = int(into_s // SECONDS_PER_HOUR)
        last = int((into_s + duration_s) // SECONDS_PER_HOUR) + 1
        years = range(start.year, (january + timedelta(hours=last)).year + 1)
        parts = [self._year(year, rng) for year in years]
        drybulb_c = np.concatenate([part[0] for part in parts])[first : last + 1]
        pressure_pa = float(standard_pressure_pa(self.altitude_m))
        return OutdoorAir(
            first_at_s=first * SECONDS_PER_HOUR - into_s,
            drybulb_c=drybulb_c,
            vapour_pa=np.concatenate([part[1] for part in parts])[first : last + 1],
            pressure_pa=np.full_like(drybulb_c, pressure_pa),
            mean_pressure_pa=pressure_pa,
            source=f"generated from the monthly normals of {self.name}, "
            f"daily range {self.daily_range_k:g} K, scatter {self.scatter_k:g} K "
            f"({self.summer_scatter_k:g} K in summer)",
            warnings=[
                f"{self.name} {year}-{month:02d}: saturation keeps the mean relative humidity "
                f"from its normal of {self.monthly_rh_percent[month - 1]:g} %"
                for year, part in zip(years, parts, strict=True)
                for month in part[2]
            ],
        )

    def _year(self, year: int, rng: RngFor) -> tuple[Floats, Floats, list[int]]:
        """Return dry bulb, vapour pressure and months of missed humidity of a whole year."""
        season_c = seasonal_course(self.monthly_mean_c, year)
        summer = [month in warmest_months(self.monthly_mean_c) for month in range(12)]
        scatter_k = [self.summer_scatter_k if warm else self.scatter_k for warm in summer]
        followed_k = [
            k * (DEWPOINT_FOLLOWS_IN_SUMMER if warm else DEWPOINT_FOLLOWS)
            for k, warm in zip(scatter_k, summer, strict=True)
        ]
        hours = np.arange(len(season_c))
        cycle_k = self.daily_range_k / 2 * np.cos(2 * np.pi * (hours - WARMEST_HOUR) / 24)
        departure_k = hourly_departure_k(year, scatter_k, rng)
        drybulb_c = pinned(season_c + departure_k + cycle_k, self.monthly_mean_c, year)
        dewpoint_course_c = season_c + hourly_departure_k(year, followed_k, rng)
        vapour_pa, missed = vapour_for_humidity(
            drybulb_c, dewpoint_course_c, self.monthly_rh_percent, year
        )
        return drybulb_c, vapour_pa, missed
