"""Which format a file is, whose clock it keeps, and how far it reaches."""

import doctest
import json
import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from tests.support.weather import beijing
from twin.errors import InputFileError
from twin.rng import rng_for
from twin.site import weather_file
from twin.site.gaps import without_gaps
from twin.site.weather_formats import read_weather_file

HOUR_S = 3600.0


def reply(hours=48, start="2023-01-01T00:00", offset_s=28_800, **changes):
    first = datetime.fromisoformat(start)
    content = {
        "latitude": 39.9,
        "longitude": 116.4,
        "elevation": 50.0,
        "utc_offset_seconds": offset_s,
        "hourly_units": {"temperature_2m": "°C", "relative_humidity_2m": "%"},
        "hourly": {
            "time": [(first + timedelta(hours=h)).isoformat("T", "minutes") for h in range(hours)],
            "temperature_2m": [float(h) for h in range(hours)],
            "relative_humidity_2m": [50] * hours,
        },
    }
    return content | changes


@pytest.fixture
def saved(tmp_path):
    def save(content, name="w.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return save


def run(path, start, hours, **site):
    site = beijing(weather_path=path, **site)
    return site.weather(datetime.fromisoformat(start), hours * HOUR_S, rng_for(0))


def test_documented_examples_hold():
    assert doctest.testmod(weather_file).failed == 0


def test_a_missing_file_is_named():
    with pytest.raises(InputFileError, match=r"site\.weather_path=nowhere\.epw: no such file"):
        read_weather_file("nowhere.epw")


def test_an_unknown_format_is_refused(saved):
    with pytest.raises(InputFileError, match=r"begins with 'a,b.*must be EPW, Open-Meteo JSON"):
        read_weather_file(saved("a,b\n1,2\n", "w.csv"))


def test_a_broken_archive_is_refused(tmp_path):
    path = tmp_path / "w.epw.gz"
    path.write_bytes(b"\x1f\x8b not gzip at all")
    with pytest.raises(InputFileError, match="cannot be read"):
        read_weather_file(str(path))


def test_time_stamps_are_read_on_the_clock_of_the_site(saved):
    local = run(saved(reply()), "2023-01-01 05:00", 2)
    assert local.at(0.0)[0] == pytest.approx(5.0)
    utc = run(saved(reply(start="2022-12-31T16:00", offset_s=0)), "2023-01-01 05:00", 2)
    assert utc.at(0.0)[0] == pytest.approx(5.0)


def test_a_far_station_keeps_its_own_afternoon(saved):
    """Dallas, stamped at -5 h: 15:00 there is 15:00 of the run, wherever the site says it is."""
    far = reply(latitude=32.8, longitude=-96.8, offset_s=-18_000)
    series = run(saved(far), "2023-01-01 15:00", 2)
    assert series.at(0.0)[0] == pytest.approx(15.0)
    assert any("read at the station's own local time, UTC-5 h" in each for each in series.warnings)
    in_utc = reply(latitude=32.8, longitude=-96.8, offset_s=0)
    assert run(saved(in_utc), "2023-01-01 15:00", 2).at(0.0)[0] == pytest.approx(21.0)


def test_a_station_much_higher_than_the_site_is_said(saved):
    series = run(saved(reply(elevation=1500.0)), "2023-01-01 15:00", 2)
    assert any("station at 1500 m, site.altitude_m=35" in each for each in series.warnings)


def test_a_run_outside_the_file_is_refused_with_both_ranges(saved):
    message = r"covers 2023-01-01 00:00 to 2023-01-02 23:00.*needs 2023-07-01 00:00"
    with pytest.raises(InputFileError, match=message):
        run(saved(reply()), "2023-07-01", 2)


def test_the_last_hour_of_a_file_is_kept_to_the_end_of_its_day(saved):
    series = run(saved(reply()), "2023-01-01", 48)
    assert series.at(47.9 * HOUR_S)[0] == pytest.approx(47.0)
    assert any("its last value is kept beyond it" in each for each in series.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hourly": None}, "key 'hourly' is required"),
        ({"hourly": {"time": []}}, "hourly.time is required"),
        ({"hourly": {"time": [1, 2]}}, r"hourly\.time\[0\]=1: must be times like"),
        ({"hourly_units": {"temperature_2m": "°F"}}, r"temperature_2m='°F': must be '°C'"),
        ({"elevation": None}, "elevation=None: must be a number"),
        ({"elevation": 10**400}, "elevation=1000.*: must be a number"),
        ({"latitude": math.nan}, "latitude=nan: must be a number"),
        ({"longitude": 1e9}, r"longitude=1e\+09: must be -180 to 180, a place on earth"),
        ({"utc_offset_seconds": 1e9}, "utc_offset_h=277778: must be -12 to 14, a place on earth"),
        ({"hourly_units": [1]}, "hourly_units: must be a mapping, or left out"),
        ({"hourly": {"time": {"a": 1}}}, "hourly.time is required"),
        (
            {"hourly": {"time": ["2023-01-01T00:00+08:00"]}},
            r"time\[0\]=.*08:00': must be times like",
        ),
        ({"hourly": {"time": ["2023-01-01T00:00", "2023-01-01T02:00"]}}, r"time\[1\].*one hour af"),
        ({"hourly": {"time": ["2023-01-01T00:00"]}}, r"hourly\.temperature_2m: must be a list"),
        (
            {"hourly": {"time": ["2023-01-01T00:00"], "temperature_2m": ["warm"]}},
            r"hourly\.temperature_2m: must be numbers or null",
        ),
        (
            {"hourly": {"time": ["2023-01-01T00:00"], "temperature_2m": [[1.0]]}},
            r"hourly\.temperature_2m: must be numbers or null",
        ),
        (
            {"hourly": {"time": ["2023-01-01T00:00"], "temperature_2m": [math.inf]}},
            r"hourly\.temperature_2m: holds a number beyond any range",
        ),
        (
            {"hourly": {"time": ["2023-01-01T00:00"], "temperature_2m": [10**400]}},
            r"hourly\.temperature_2m: holds a number beyond any range",
        ),
        (
            {"hourly": {"time": ["2023-01-01T00:00"], "temperature_2m": [1.0]}},
            "dew_point_2m or hourly.relative_humidity_2m is required",
        ),
    ],
)
def test_a_reply_that_cannot_be_used_is_refused(saved, change, message):
    with pytest.raises(InputFileError, match=message):
        read_weather_file(saved(reply() | change))


def test_text_that_is_not_json_is_refused_with_its_line(saved):
    with pytest.raises(InputFileError, match=r"w\.json:2: not JSON"):
        read_weather_file(saved("{\n oops"))


def test_json_nested_without_end_is_refused(saved):
    with pytest.raises(InputFileError, match=r"w\.json: no JSON that can be read"):
        read_weather_file(saved('{"hourly":' * 100_000))


def test_nulls_are_interpolated_up_to_three_hours(saved):
    content = reply()
    content["hourly"]["temperature_2m"][10:13] = [None] * 3
    file = read_weather_file(saved(content))
    assert file.drybulb_c.tolist() == pytest.approx(list(range(48)))
    content["hourly"]["temperature_2m"][13] = None
    with pytest.raises(InputFileError, match="hourly row 10: temperature_2m is missing for 4"):
        read_weather_file(saved(content))


def test_dew_point_and_pressure_are_used_where_given(saved):
    content = reply()
    content["hourly"]["dew_point_2m"] = [5.0] * 48
    content["hourly"]["surface_pressure"] = [950.0] * 48
    file = read_weather_file(saved(content))
    assert file.pressure_pa[0] == pytest.approx(95_000.0)
    assert file.vapour_pa[0] == pytest.approx(872.5, abs=0.1)


@pytest.mark.parametrize("zone", ["SG", "DE-LU", "US-TEX-ERCO"])
def test_open_meteo_years_are_read_whole(shared_data, zone):
    path = shared_data / "weather" / "open-meteo" / f"openmeteo_{zone}_2023.json.gz"
    file = read_weather_file(str(path))
    assert len(file.drybulb_c) == 8760
    assert file.first == datetime(2023, 1, 1)
    assert file.warnings == []


CSV = "No,year,month,day,hour,DEWP,HUMI,PRES,TEMP\n"


def csv_rows(count=30, **at):
    rows = []
    for i in range(count):
        stamp = datetime(2013, 1, 1) + timedelta(hours=i)
        fields = [i, stamp.year, stamp.month, stamp.day, stamp.hour, -10, 50, 1020, i / 2]
        rows.append(",".join(map(str, at.get(f"row_{i}", fields))))
    return CSV + "\n".join(rows) + "\n"


def test_measured_hours_stay_at_their_stamps(saved):
    series = run(saved(csv_rows(), "w.csv"), "2013-01-01 04:00", 3)
    assert series.at(0.0)[0] == pytest.approx(2.0)
    assert series.pressure_pa == pytest.approx(100905, abs=1)
    assert any("standard pressure at 35 m" in each for each in series.warnings)


def test_sentinels_and_na_are_missing_values(saved):
    gone = {"row_5": [5, 2013, 1, 1, 5, -9999, -9999, "NA", "NA"]}
    file = read_weather_file(saved(csv_rows(**gone), "w.csv"))
    assert file.drybulb_c[5] == pytest.approx(2.5)
    assert file.vapour_pa[5] == pytest.approx(file.vapour_pa[0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([5, 2013, 1, 1, 7, 0, 50, 1020, 1], r"w\.csv:7: found 2013-01-01 07:00:00, must be"),
        ([5, 2013, 1, 1, 24, 0, 50, 1020, 1], r"w\.csv:7: .*must be year, month, day, hour 0-23"),
        ([5, 2013, 1, 1, 5, "x", 50, 1020, 1], r"w\.csv:7: DEWP='x': must be a number or NA"),
        ([5, 2013, 1, 1], r"w\.csv:7: is cut off after 4 fields"),
    ],
)
def test_a_broken_csv_line_is_named(saved, row, message):
    with pytest.raises(InputFileError, match=message):
        read_weather_file(saved(csv_rows(row_5=row), "w.csv"))


def test_a_csv_without_rows_is_refused(saved):
    with pytest.raises(InputFileError, match=r"w\.csv:2: holds no rows"):
        read_weather_file(saved(CSV, "w.csv"))


@pytest.mark.parametrize("city", ["Beijing", "Shanghai", "Guangzhou"])
def test_measured_years_are_read_whole(shared_data, city):
    path = str(shared_data / "weather" / "china-hourly-actual" / f"{city}_2013-2015.csv.gz")
    file = read_weather_file(path)
    assert len(file.drybulb_c) == 26_280
    assert len(file.warnings) == 2
    series = run(path, "2013-07-01", 31 * 24)
    assert np.all(series.wetbulb_c <= series.drybulb_c + 1e-9)


def test_gaps_at_the_ends_are_held_within_the_limit():
    values = np.array([np.nan, 1.0, 2.0, np.nan, np.nan])
    filled, count = without_gaps(values, "x", 2, str, wrap=False)
    assert filled.tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]
    assert count == 3
    with pytest.raises(InputFileError, match="3: x is missing for 2 hours in a row; at most 1"):
        without_gaps(values, "x", 1, str, wrap=False)


def test_a_quantity_missing_everywhere_is_refused():
    with pytest.raises(InputFileError, match="0: x is missing in all rows"):
        without_gaps(np.full(3, np.nan), "x", 3, str, wrap=True)
