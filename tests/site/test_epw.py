"""EPW files: whole ones are read, damaged ones are refused with file and line."""

import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.support.weather import beijing, hour_values
from twin.errors import InputFileError
from twin.rng import rng_for
from twin.site.weather_file import FEBRUARY_29
from twin.site.weather_formats import read_weather_file

HOUR_S = 3600.0


def test_hour_one_is_placed_at_half_past_midnight(epw):
    site = beijing(weather_path=epw.write(epw.rows()))
    series = site.weather(datetime(2023, 1, 1), 24 * HOUR_S, rng_for(0))
    values = hour_values()
    assert series.at(0.5 * HOUR_S)[0] == pytest.approx(values[0])
    assert series.at(23.5 * HOUR_S)[0] == pytest.approx(values[23])
    assert series.at(HOUR_S)[0] == pytest.approx((values[0] + values[1]) / 2)
    assert series.at(0.0)[0] == pytest.approx((values[-1] + values[0]) / 2)
    assert series.pressure_pa == 101000.0
    assert series.source == "EPW typical year of Beijing, a.epw"


def test_line_ends_and_compression_do_not_matter(epw):
    plain = read_weather_file(epw.write(epw.rows()))
    windows = read_weather_file(epw.write(epw.rows(), end="\r\n"))
    packed = Path(epw.write(epw.rows()))
    target = packed.with_name("a.epw.gz")
    target.write_bytes(gzip.compress(packed.read_bytes()))
    assert plain.drybulb_c.tolist() == windows.drybulb_c.tolist()
    assert plain.drybulb_c.tolist() == read_weather_file(str(target)).drybulb_c.tolist()


def test_any_start_year_reads_the_same_hour(epw):
    site = beijing(weather_path=epw.write(epw.rows()))
    noons = [
        site.weather(datetime(year, 3, 1, 12), 10 * HOUR_S, rng_for(0)).at(1800.0)
        for year in (1999, 2000, 2023, 2024)
    ]
    assert len(set(noons)) == 1
    assert noons[0][0] == pytest.approx(hour_values()[59 * 24 + 12])


def test_february_29_repeats_the_day_before(epw):
    site = beijing(weather_path=epw.write(epw.rows()))
    series = site.weather(datetime(2024, 2, 28), 72 * HOUR_S, rng_for(0))
    for hour in range(24):
        at_s = (hour + 0.5) * HOUR_S
        assert series.at(at_s) == series.at(at_s + 24 * HOUR_S)
    march = hour_values()[59 * 24]
    assert series.at(48.5 * HOUR_S)[0] == pytest.approx(march)
    assert any("29 February repeats 28 February" in note for note in series.warnings)
    dry = site.weather(datetime(2023, 2, 28), 72 * HOUR_S, rng_for(0))
    assert not any("29 February" in note for note in dry.warnings)


def test_a_file_with_february_29_keeps_it(epw):
    file = read_weather_file(epw.write(epw.rows(leap=True)))
    assert file.drybulb_c[FEBRUARY_29] == pytest.approx(hour_values(leap=True)[FEBRUARY_29])


def test_a_run_over_new_year_continues(epw):
    site = beijing(weather_path=epw.write(epw.rows()))
    series = site.weather(datetime(2023, 12, 31), 48 * HOUR_S, rng_for(0))
    assert series.at(23.5 * HOUR_S)[0] == pytest.approx(hour_values()[-1])
    assert series.at(24.5 * HOUR_S)[0] == pytest.approx(hour_values()[0])


def damaged(rows, line, edit):
    """Return rows with the one at *line* of the file edited."""
    rows = list(rows)
    rows[line - 9] = edit(rows[line - 9])
    return rows


@pytest.mark.parametrize(
    ("line", "edit", "message"),
    [
        (100, lambda row: ",".join(row.split(",")[:7]), r"a\.epw:100: .*is cut off after 7 fields"),
        (200, lambda row: row.replace(",-5.0,", ",-x5.0,"), r"a\.epw:200: dew point='-x5\.0'"),
        (300, lambda row: row.replace(",-5.0,", ",-75.0,"), r"a\.epw:300: dew point=-75\.0: must"),
        (400, lambda row: row.replace("2001,1,", "2001,13,"), r"a\.epw:400: 13/\d+: must be a mon"),
        (500, lambda row: "2001,1,x" + row[8:], r"a\.epw:500: .*must be year, month, day, hour"),
        (9, lambda row: row.replace(",1,60", ",0,60"), r"a\.epw:9: hour=0: must be 1 to 24"),
    ],
)
def test_a_broken_line_is_named(epw, line, edit, message):
    path = epw.write(damaged(epw.rows(), line, edit))
    with pytest.raises(InputFileError, match=message):
        read_weather_file(path)


def test_absent_hours_are_refused(epw):
    rows = epw.rows()
    path = epw.write(rows[:100] + rows[102:])
    with pytest.raises(InputFileError, match=r":109: found 1/5 hour 7, 2 hour\(s\) absent"):
        read_weather_file(path)


def test_a_repeated_hour_is_refused(epw):
    rows = epw.rows()
    path = epw.write(rows[:100] + rows[99:])
    with pytest.raises(InputFileError, match=":109: found 1/5 hour 4, out of order or twice"):
        read_weather_file(path)


def test_a_file_that_ends_early_is_refused(epw):
    with pytest.raises(InputFileError, match=r":8760: the file ends after 8752 hours"):
        read_weather_file(epw.write(epw.rows()[:-8]))


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "LOCATION,Beijing", r":1: .*must be latitude, longitude, time zone, elevation"),
        (1, "LOCATION,B,-,C,x,1,39.8,inf,8,31", "longitude=inf: must be -180 to 180, a place"),
        (1, "LOCATION,B,-,C,x,1,nan,116,8,31", "latitude=nan: must be -90 to 90, a place"),
        (1, "LOCATION,B,-,C,x,1,39.8,116,1e9,31", r"utc_offset_h=1e\+09: must be -12 to 14"),
        (3, "SOMETHING,0", r":3: 'SOMETHING,0': must begin with 'TYPICAL/EXTREME PERIODS'"),
        (8, "DATA PERIODS,1,4,Data,Sunday,1/1,12/31", ":8: .*one record per hour"),
    ],
)
def test_a_bad_header_is_refused(epw, line, text, message):
    header = epw.header()
    header[line - 1] = text
    with pytest.raises(InputFileError, match=message):
        read_weather_file(epw.write(epw.rows(), header=header))


def with_missing(rows, field, code, lines):
    for line in lines:
        fields = rows[line - 9].split(",")
        fields[field] = code
        rows[line - 9] = ",".join(fields)
    return rows


def test_three_missing_hours_are_interpolated_and_said(epw):
    file = read_weather_file(epw.write(with_missing(epw.rows(), 6, "99.9", [30, 31, 32])))
    assert file.drybulb_c == pytest.approx(np.insert(hour_values(), 1416, hour_values()[1392:1416]))
    assert any("dry bulb interpolated in 3 missing hour(s)" in each for each in file.warnings)


def test_a_gap_over_new_year_is_bridged(epw):
    lines = [9, 10, 8768]
    file = read_weather_file(epw.write(with_missing(epw.rows(), 6, "99.9", lines)))
    before, after = hour_values()[8758], hour_values()[2]
    assert file.drybulb_c[0] == pytest.approx(before + (after - before) / 2)


def test_four_missing_hours_are_refused(epw):
    path = epw.write(with_missing(epw.rows(), 6, "99.9", [30, 31, 32, 33]))
    with pytest.raises(InputFileError, match=r":30: dry bulb is missing for 4 hours in a row; at"):
        read_weather_file(path)


def test_relative_humidity_stands_in_for_the_dew_point(epw):
    rows = with_missing(epw.rows(), 7, "99.9", range(30, 80))
    file = read_weather_file(epw.write(rows))
    assert any("dew point missing in 50 hour(s)" in each for each in file.warnings)
    both = with_missing(rows, 8, "999", range(40, 50))
    with pytest.raises(InputFileError, match=":40: humidity is missing for 10 hours"):
        read_weather_file(epw.write(both))


def test_a_file_without_pressure_uses_its_altitude(epw):
    path = epw.write(with_missing(epw.rows(), 9, "999999", range(9, 8769)))
    series = beijing(weather_path=path).weather(datetime(2023, 1, 1), HOUR_S, rng_for(0))
    assert series.pressure_pa == pytest.approx(100949, abs=1)
    assert any("standard pressure at 31.3 m" in each for each in series.warnings)


@pytest.mark.parametrize(
    ("name", "mean_c", "hours_below_10_wet"),
    [
        ("CHN_Beijing.545110_CSWD.epw", 12.6, None),
        ("CHN_Shanghai.583620_CSWD.epw", 16.7, None),
        ("USA_AK_Anchorage.702735_TMY3.epw", 4.5, None),
        ("USA_AZ_Phoenix.722780_TMYx.epw", 24.7, 2725),
        ("USA_VA_Leesburg.724055_TMYx.epw", 13.8, 4188),
    ],
)
def test_published_files_are_read_whole(shared_data, name, mean_c, hours_below_10_wet):
    path = str(shared_data / "weather" / "epw" / name)
    file = read_weather_file(path)
    assert len(file.drybulb_c) == 8784
    assert file.warnings == []
    series = beijing(weather_path=path).weather(
        datetime(2023, 1, 1, 0, 30), 8759 * HOUR_S, rng_for(0)
    )
    assert len(series.drybulb_c) in (8760, 8761)
    assert series.drybulb_c[:8760].mean() == pytest.approx(mean_c, abs=0.06)
    assert np.all(series.wetbulb_c <= series.drybulb_c + 1e-9)
    if hours_below_10_wet:
        count = int((series.wetbulb_c[:8760] < 10).sum())
        assert count == pytest.approx(hours_below_10_wet, abs=25)
