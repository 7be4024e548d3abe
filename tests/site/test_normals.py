"""The generator keeps its normals, exactly for temperature, and is smooth and repeatable."""

import doctest
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.weather import beijing
from twin.errors import ParameterError
from twin.physics.psychrometrics import saturation_pressure_pa
from twin.rng import rng_for
from twin.site import normals
from twin.site.normals import hours_of_months, seasonal_course, vapour_for_humidity

DAY_S = 86_400.0
STATIONS = {
    # HDD18, CDD10 of the ASHRAE climatic design data, and how far normals may be off.
    "beijing": (2801, 2379, 0.07),
    "baoding": (2675, 2443, 0.07),
    "zhangjiakou": (3925, 1656, 0.07),
    "shanghai": (1565, 3007, 0.07),
    "huzhou": (1572, 3044, 0.07),
    "guiyang": (1631, 2483, 0.07),
    "ulanqab": (4959, 1044, 0.07),
    "qingyang": (3240, 1472, 0.07),
    "zhongwei": (3252, 1855, 0.10),
    # The normals are 0.5 K colder in winter than the years behind the station's degree days.
    "oak_ridge": (1824, 2532, 0.12),
}


def year_of(site, year, seed=0):
    hours = 8784 if year % 4 == 0 else 8760
    series = site.weather(datetime(year, 1, 1), hours * 3600.0, rng_for(seed))
    return series, hours


def test_documented_examples_hold():
    assert doctest.testmod(normals).failed == 0


@pytest.mark.parametrize("year", [2023, 2024, 2100])
@pytest.mark.parametrize("seed", [0, 7])
def test_monthly_means_are_exact(year, seed):
    site = beijing()
    series, _ = year_of(site, year, seed)
    for month, normal in zip(hours_of_months(year), site.monthly_mean_c, strict=True):
        assert series.drybulb_c[month].mean() == pytest.approx(normal, abs=1e-9)


# within 45 K: a wilder year swings beyond the air that psychrometrics know
normals_of_a_year = st.lists(st.floats(-15.0, 30.0), min_size=12, max_size=12)


@settings(max_examples=20)
@given(normals_of_a_year, st.integers(1990, 2060), st.integers(0, 99))
def test_any_normals_are_kept(means, year, seed):
    site = beijing(monthly_mean_c=means, daily_range_k=6.0, scatter_k=2.0, summer_scatter_k=1.0)
    series, _ = year_of(site, year, seed)
    for month, normal in zip(hours_of_months(year), means, strict=True):
        assert series.drybulb_c[month].mean() == pytest.approx(normal, abs=1e-9)


def test_monthly_humidity_is_kept_to_a_hundredth_of_a_percent():
    site = beijing()
    air = site._generated(datetime(2023, 1, 1), 364.99 * DAY_S, rng_for(0))
    rh = 100 * air.vapour_pa / saturation_pressure_pa(air.drybulb_c)
    assert rh.min() > 0
    assert rh.max() <= 100 + 1e-9
    for month, normal in zip(hours_of_months(2023), site.monthly_rh_percent, strict=True):
        assert rh[month].mean() == pytest.approx(normal, abs=0.011)
    assert air.warnings == []


def test_humidity_that_saturation_keeps_from_its_normal_is_said():
    vapour_pa, missed = vapour_for_humidity(
        np.full(8760, 20.0), np.full(8760, 20.0), [50.0] * 11 + [100.0], 2023
    )
    assert missed == [12]
    assert vapour_pa[-1] <= saturation_pressure_pa(20.0) + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_no_hour_jumps_at_month_or_year_ends(seed):
    series = beijing().weather(datetime(2022, 12, 1), 400 * DAY_S, rng_for(seed))
    steps = np.abs(np.diff(series.drybulb_c))
    daily_cycle = np.pi * 11.0 / 24
    assert steps.max() < daily_cycle + 0.8
    ends = [31 * 24, 62 * 24, 90 * 24, 396 * 24]
    assert max(steps[end - 1] for end in ends) < daily_cycle + 0.8


def test_a_day_has_its_weather_whenever_the_run_starts():
    site = beijing()
    year = site.weather(datetime(2023, 1, 1), 365 * DAY_S, rng_for(4))
    july = site.weather(datetime(2023, 7, 1, 6, 30), 2 * DAY_S, rng_for(4))
    long = site.weather(datetime(2022, 3, 1), 700 * DAY_S, rng_for(4))
    at_s = 181 * DAY_S + 6.5 * 3600
    for offset_s in (0.0, 1234.5, DAY_S, 2 * DAY_S):
        assert july.at(offset_s) == pytest.approx(year.at(at_s + offset_s), abs=1e-9)
        assert long.at(306 * DAY_S + at_s + offset_s) == pytest.approx(july.at(offset_s), abs=1e-9)


def test_seeds_and_years_differ_and_a_seed_repeats():
    site = beijing()
    a, b, again = (site.weather(datetime(2023, 5, 1), DAY_S, rng_for(s)) for s in (1, 2, 1))
    assert a.drybulb_c.tolist() == again.drybulb_c.tolist()
    assert a.drybulb_c.tolist() != b.drybulb_c.tolist()


def test_daily_means_scatter_as_told():
    """About the season, in summer and outside."""
    site = beijing()
    series, hours = year_of(site, 2023)
    course = seasonal_course(site.monthly_mean_c, 2023)
    days = (series.drybulb_c[:hours] - course).reshape(-1, 24).mean(axis=1)
    summer = slice(151, 243)
    assert days[summer].std() == pytest.approx(2.6, rel=0.05)
    assert np.delete(days, range(151, 243)).std() == pytest.approx(3.3, rel=0.05)
    assert np.corrcoef(days[1:], days[:-1])[0, 1] > 0.5


@pytest.mark.parametrize("name", STATIONS)
def test_degree_days_are_those_of_the_station(name, site_named):
    """Independent of the normals: temperatures of other years, from another source."""
    hdd, cdd, tolerance = STATIONS[name]
    heating, cooling = degree_days(site_named(name))
    assert heating == pytest.approx(hdd, rel=tolerance)
    assert cooling == pytest.approx(cdd, rel=tolerance)


def test_degree_days_of_shenzhen(site_named):
    heating, cooling = degree_days(site_named("shenzhen"))
    assert heating == pytest.approx(265, abs=20)
    assert cooling == pytest.approx(4809, rel=0.07)


def test_mean_wet_bulb_of_golden_is_that_of_hourly_records(site_named):
    """4.9 degC from Denver's hourly file."""
    series, hours = year_of(site_named("golden_co"), 2023)
    assert series.wetbulb_c[:hours].mean() == pytest.approx(4.9, abs=0.4)


@pytest.mark.parametrize("name", [*STATIONS, "shenzhen", "golden_co"])
def test_hottest_hours_are_near_the_design_values(name, site_named):
    """The Chinese design values are exceeded in 50 hours of a year."""
    site = site_named(name)
    series, hours = year_of(site, 2023)
    wet, dry = (np.sort(each[:hours])[-50] for each in (series.wetbulb_c, series.drybulb_c))
    assert wet == pytest.approx(site.design_wetbulb_c, abs=2.0)
    assert dry == pytest.approx(site.design_drybulb_c, abs=2.5)


@pytest.mark.parametrize("city", ["Beijing.545110", "Shanghai.583620"])
def test_free_cooling_hours_are_those_of_the_typical_year(city, shared_data, site_named):
    """Hours with a wet bulb below 10, 14 and 18 degC, from the file and from the normals."""
    generated = site_named(city.partition(".")[0].lower())
    path = shared_data / "weather" / "epw" / f"CHN_{city}_CSWD.epw"
    read = replace(generated, weather_path=str(path))
    for limit_c in (10.0, 14.0, 18.0):
        ours, theirs = (
            int((year_of(site, 2023)[0].wetbulb_c[:8760] < limit_c).sum())
            for site in (generated, read)
        )
        assert ours == pytest.approx(theirs, rel=0.05)


def degree_days(site):
    years = [year_of(site, year) for year in (2021, 2022, 2023)]
    days = [series.drybulb_c[:hours].reshape(-1, 24).mean(axis=1) for series, hours in years]
    heating = np.mean([np.maximum(18 - each, 0).sum() for each in days])
    cooling = np.mean([np.maximum(each - 10, 0).sum() for each in days])
    return heating, cooling


def test_eleven_months_are_refused():
    with pytest.raises(ParameterError, match="monthly_mean_c=11 values: must be 12 values"):
        beijing(monthly_mean_c=[1.0] * 11)


def test_source_says_generator_and_normals():
    series = beijing().weather(datetime(2023, 1, 1), DAY_S, rng_for(0))
    assert "generated from the monthly normals of Beijing" in series.source
    assert not Path(series.source).exists()
