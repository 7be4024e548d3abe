"""Price and carbon of electricity: exact means, time of use, and hourly files on any clock."""

import gzip
import itertools
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.weather import beijing
from twin.errors import ConfigError, InputFileError, ParameterError
from twin.physics.steps import StepSeries
from twin.site.grid import GridCarbon, Period, Tariff
from twin.site.hourly_file import read_hourly

HOUR_S = 3600.0
YEAR_S = 365 * 24 * HOUR_S
ROOT = Path(__file__).resolve().parents[2]


def tariff(**keys):
    return Tariff(**{"price_per_kwh": 0.7, "currency": "EUR"} | keys)


def prices(start=datetime(2023, 7, 3), hours=24.0, offset_h=1.0, **keys):
    site = beijing(tariff=tariff(**keys), utc_offset_h=offset_h)
    return site.grid(start, hours * HOUR_S)


def write(folder, rows, header="Datetime (UTC),Price (EUR/MWh)", name="p.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def hourly(first, count, value=lambda i: 10.0 * i):
    return [f"{first + timedelta(hours=i)},{value(i):g}" for i in range(count)]


# ---- steps ----------------------------------------------------------------------


@given(
    values=st.lists(st.floats(-1.0, 9.0), min_size=1, max_size=6),
    cuts=st.lists(st.floats(0.0, 8.0 * HOUR_S), min_size=2, max_size=12, unique=True),
)
def test_an_integral_does_not_depend_on_where_it_is_cut(values, cuts):
    series = StepSeries(values, first_at_s=-600.0, step_s=HOUR_S)
    cuts = sorted(cuts)
    parts = sum(series.mean(a, b) * (b - a) for a, b in itertools.pairwise(cuts) if b > a)
    span_s = cuts[-1] - cuts[0]
    assert parts == pytest.approx(series.mean(cuts[0], cuts[-1]) * span_s, abs=1e-6)
    edges = np.arange(len(values) + 12) * HOUR_S - 600.0
    held = [*values, *[values[-1]] * 12]
    exact = sum(
        v * max(0.0, min(cuts[-1], a + HOUR_S) - max(cuts[0], a))
        for v, a in zip(held, edges, strict=False)
    )
    assert parts == pytest.approx(exact, abs=1e-6)


def test_the_outermost_value_holds_beyond_a_series():
    series = StepSeries([1.0, 2.0], first_at_s=0.0, step_s=10.0)
    assert [series.at(t) for t in (-5.0, 0.0, 9.9, 10.0, 99.0)] == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert series.mean(5.0, 40.0) == pytest.approx((5 * 1.0 + 30 * 2.0) / 35)


# ---- tariffs without a file ---------------------------------------------------------


def test_a_flat_site_has_one_price_and_one_factor():
    grid = beijing().grid(datetime(2023, 7, 3), 86400.0)
    assert beijing().currency == "CNY"
    assert grid.price_per_kwh.mean(5.0, 50_000.0) == 0.78
    assert grid.carbon_kg_per_kwh.at(5.0) == 0.5554
    assert grid.market_kg_per_kwh is None
    assert grid.sources == {"price": "flat", "carbon": "annual factor"}


def test_time_of_use_follows_the_site_clock_months_and_days():
    peak = Period(price_per_kwh=1.5, hours=[(10, 12)], months=[7], days="weekdays")
    valley = Period(price_per_kwh=0.3, hours=[(22, 6)])
    grid = prices(datetime(2023, 7, 7, 9, 30), 48.0, time_of_use=[peak, valley])
    at = [grid.price_per_kwh.at(h * HOUR_S) for h in (0.0, 0.5, 2.5, 12.5, 20.4, 20.5, 24.5)]
    assert at == [0.7, 1.5, 0.7, 0.3, 0.3, 0.7, 0.7]  # Friday 9:30 on; 24.5 h is a Saturday
    assert grid.price_per_kwh.mean(0.0, HOUR_S) == pytest.approx(0.5 * 0.7 + 0.5 * 1.5)


def test_midnight_to_midnight_is_a_whole_day_one_way_only():
    whole = Period(price_per_kwh=1.0, hours=[(0, 24)])
    night = Period(price_per_kwh=1.0, hours=[(24, 6)])
    instants = [datetime(2023, 7, 3, hour) for hour in range(24)]
    assert all(whole.holds(at) for at in instants)
    assert [at.hour for at in instants if night.holds(at)] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ParameterError, match=r"hours=\[24, 0\]: must be two different hours"):
        Period(price_per_kwh=1.0, hours=[(24, 0)])


def test_a_period_names_two_different_hours_and_no_file_beside():
    with pytest.raises(ParameterError, match="two different hours"):
        Period(price_per_kwh=1.0, hours=[(8, 8)])
    with pytest.raises(ParameterError, match="price_path"):
        tariff(price_path="x", time_of_use=[Period(price_per_kwh=1.0, hours=[(8, 9)])])


# ---- hourly files --------------------------------------------------------------------


def test_an_instant_in_utc_falls_on_the_clock_of_the_site(tmp_path):
    path = write(tmp_path, hourly(datetime(2023, 7, 2), 72))
    grid = prices(price_path=path, offset_h=8.0, add_per_kwh=0.1)
    # 0:00 at the site is 16:00 UTC of the day before: row 16 of the file.
    assert grid.price_per_kwh.at(0.0) == pytest.approx(0.16 + 0.1)
    assert grid.price_per_kwh.mean(1800.0, 5400.0) == pytest.approx(0.165 + 0.1)
    assert any("own dates" in note for note in grid.warnings)


def test_offsets_in_the_file_make_summer_time_harmless(tmp_path):
    rows = ["2023-11-05 00:00:00-05:00,1", "2023-11-05 01:00:00-05:00,2"]
    rows += ["2023-11-05 01:00:00-06:00,3", "2023-11-05 02:00:00-06:00,4"]
    path = write(tmp_path, rows, "Datetime,Price (EUR/MWh)")
    grid = prices(datetime(2023, 11, 4, 23), 4.0, offset_h=-6.0, price_path=path)
    assert [1e3 * grid.price_per_kwh.at(h * HOUR_S) for h in range(4)] == pytest.approx(
        [1, 2, 3, 4]
    )


def test_a_clock_with_summer_time_skips_one_hour_and_doubles_another(tmp_path):
    spring = write(
        tmp_path, hourly(datetime(2023, 3, 26), 6, lambda i: i), "Datetime,Price (EUR/MWh)"
    )
    file = read(spring, clock="Europe/Berlin", utc_offset_h=1.0)
    assert file.first == datetime(2023, 3, 26)
    assert (1e3 * file.per_kwh).tolist() == pytest.approx([0, 1, 3, 4, 5])
    assert any("skips" in note for note in file.notes)
    autumn = write(
        tmp_path, hourly(datetime(2023, 10, 29), 5, lambda i: i), "Datetime,Price (EUR/MWh)"
    )
    file = read(autumn, clock="Europe/Berlin", utc_offset_h=1.0)
    assert file.first == datetime(2023, 10, 28, 23)
    assert (1e3 * file.per_kwh).tolist() == pytest.approx([0, 1, 2, 2, 3, 4])
    twice = [*hourly(datetime(2023, 10, 29), 3), *hourly(datetime(2023, 10, 29, 2), 2)]
    path = write(tmp_path, twice, "Datetime,Price (EUR/MWh)")
    assert len(read(path, clock="Europe/Berlin", utc_offset_h=1.0).per_kwh) == 5
    with pytest.raises(InputFileError, match=r"p\.csv:5: .*file_clock"):
        read(path)


def read(path, quantity="price", column=None, clock=None, utc_offset_h=8.0, shift_hours=0.0):
    return read_hourly(
        path,
        quantity,
        column=column,
        clock=clock,
        utc_offset_h=utc_offset_h,
        shift_hours=shift_hours,
    )


def test_times_without_a_clock_are_the_sites_and_it_is_said(tmp_path):
    path = write(tmp_path, hourly(datetime(2023, 7, 3), 30, float), "time,price_per_kwh")
    file = read(path)
    assert file.first == datetime(2023, 7, 3)
    assert file.per_kwh[2] == 2.0
    assert "read as the site's own" in file.notes[0]
    assert read(path, shift_hours=-7.0).first == datetime(2023, 7, 2, 17)


def test_short_gaps_are_filled_and_long_ones_refused(tmp_path):
    rows = hourly(datetime(2023, 7, 3), 24)
    file = read(write(tmp_path, rows[:5] + rows[7:]), utc_offset_h=0.0)
    assert (1e3 * file.per_kwh[3:9]).tolist() == pytest.approx([30, 40, 50, 60, 70, 80])
    assert "2 missing hour(s)" in file.notes[-1]
    with pytest.raises(InputFileError, match=r"p\.csv:6: price is missing for 4 hours"):
        read(write(tmp_path, rows[:5] + rows[9:]))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2023-07-03 02:00:00,abc", r"p\.csv:4: price='abc': must be a number"),
        ("2023-07-03 02:30:00,1", r"p\.csv:4: 2023-07-03 02:30 follows 2023-07-03 01:00"),
        ("2023-07-03 01:00:00,1", r"p\.csv:4: .*none twice"),
        ("2023-07-03 02:00:00,9e9", r"p\.csv:4: .*unit in the header"),
        ("3 July,1", r"p\.csv:4: '3 July': must be a time"),
        ("0001-01-01 00:00,1", r"p\.csv:4: '0001-01-01 00:00': must be a time"),
        ("9" * 200_000, r"p\.csv: no readable table: field larger"),
        ("2023-07-03 02:00:00", r"p\.csv:4: .*has 1 fields, the header 2"),
        ("2023-07-03 02:00:00+01:00,1", r"p\.csv:4: .*offset from UTC"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, said):
    path = write(tmp_path, [*hourly(datetime(2023, 7, 3), 2), row])
    with pytest.raises(InputFileError, match=said):
        read(path)


def test_a_broken_gzip_file_of_prices_is_refused(tmp_path):
    packed = bytearray(gzip.compress("\n".join(hourly(datetime(2023, 7, 3), 99)).encode()))
    packed[30] ^= 255
    path = tmp_path / "p.csv"
    path.write_bytes(packed)
    with pytest.raises(InputFileError, match=r"p\.csv: cannot be read"):
        read(str(path))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("when,Price (EUR/MWh)", "a column of times"),
        ("Datetime,Price", "no column fits"),
        ("Datetime,A (EUR/MWh),B (EUR/MWh)", "several columns fit; file_column"),
    ],
)
def test_a_header_that_does_not_say_enough_is_refused(tmp_path, header, said):
    path = write(tmp_path, ["2023-07-03 00:00,1" + ",1" * (header.count(",") - 1)], header)
    with pytest.raises(InputFileError, match=said):
        read(path)


def test_a_clock_is_given_only_where_the_file_says_none(tmp_path):
    with pytest.raises(ParameterError, match="say their own clock"):
        read(write(tmp_path, hourly(datetime(2023, 7, 3), 3)), clock="UTC")
    naive = write(tmp_path, hourly(datetime(2023, 7, 3), 3), "time,price_per_kwh")
    with pytest.raises(ParameterError, match="Europe/Berlin"):
        read(naive, clock="Mars/Olympus")


def test_a_wrong_clock_is_told_with_the_key_it_stands_under(tmp_path):
    path = write(tmp_path, hourly(datetime(2023, 7, 2), 72), "time,price (EUR/kWh)")
    with pytest.raises(ParameterError, match=r"^tariff\.file_clock=Mars: must be null, UTC or"):
        prices(price_path=path, file_clock="Mars")
    path = write(tmp_path, hourly(datetime(2023, 7, 2), 72), "time,carbon (gCO2/kWh)")
    carbon = GridCarbon(location_kg_per_kwh=0.3, carbon_path=path, file_clock="Mars")
    with pytest.raises(ParameterError, match=r"^carbon\.file_clock=Mars: must be null, UTC or"):
        beijing(carbon=carbon).grid(datetime(2023, 7, 3), HOUR_S)


def test_keys_that_speak_of_a_file_say_so_where_there_is_none():
    assert prices().warnings == []
    assert prices(add_per_kwh=0.1, file_year=2023).warnings == [
        "site.tariff.price_path is null: without effect is file_year",
        "site.tariff.price_path is null: without effect is add_per_kwh",
    ]


def test_the_currency_of_the_file_is_that_of_the_tariff(tmp_path):
    path = write(tmp_path, hourly(datetime(2023, 7, 2), 72))
    with pytest.raises(ParameterError, match=r"tariff\.currency=USD: must be EUR"):
        prices(price_path=path, currency="USD")


def test_a_run_outside_the_file_is_refused_or_mapped_by_date(tmp_path):
    rows = hourly(datetime(2023, 1, 1), 8760, lambda i: i % 97)
    path = write(tmp_path, rows)
    with pytest.raises(InputFileError, match="file_year=2023"):
        prices(datetime(2024, 2, 27), 96.0, offset_h=0.0, price_path=path)
    grid = prices(datetime(2024, 2, 27), 96.0, offset_h=0.0, price_path=path, file_year=2023)
    day = [grid.price_per_kwh.values[24 * d : 24 * d + 24] for d in range(4)]
    year = [i % 97 / 1e3 for i in range(8760)]
    at = 24 * (31 + 26)
    assert day[0] == pytest.approx(year[at : at + 24])
    assert day[1] == day[2] == pytest.approx(year[at + 24 : at + 48])  # 28 February twice
    assert day[3] == pytest.approx(year[at + 48 : at + 72])  # 1 March
    assert any("stands for every year" in note for note in grid.warnings)
    assert any("29 February repeats" in note for note in grid.warnings)
    later = prices(datetime(2024, 3, 5), 96.0, offset_h=0.0, price_path=path, file_year=2023)
    assert not any("29 February" in note for note in later.warnings)
    with pytest.raises(InputFileError, match="it holds 2023 to 2023"):
        prices(price_path=path, offset_h=0.0, file_year=2021)


def test_a_year_in_utc_serves_a_whole_year_at_a_site_far_east(tmp_path):
    path = write(tmp_path, hourly(datetime(2023, 1, 1), 8760, lambda i: i % 97))
    grid = prices(datetime(2023, 1, 1), 8760.0, offset_h=8.0, price_path=path, file_year=2023)
    assert grid.price_per_kwh.at(8 * HOUR_S) == pytest.approx(0.0)
    assert grid.price_per_kwh.at(0.0) == pytest.approx((8760 - 8) % 97 / 1e3)
    assert any("8 hour(s) at an end of 2023" in note for note in grid.warnings)
    assert len(grid.price_per_kwh.values) >= 8760


# ---- the real files -------------------------------------------------------------------

PRICES = [  # file, clock, rows, instants, least, most, negative hours
    ("DE-LU", "Europe/Berlin", 8760, 8760, -0.5, 0.52427, 301),
    ("SG", "Asia/Singapore", 8760, 8760, 0.0, 4.5, 0),
    ("US-TEX-ERCO", None, 8760, 8760, None, 4.192, None),
]


@pytest.mark.parametrize(("zone", "clock", "rows", "hours", "low", "high", "negative"), PRICES)
def test_real_prices_are_read_whole(shared_data, zone, clock, rows, hours, low, high, negative):
    path = shared_data / "grid" / "price" / f"price_{zone}_2023.csv.gz"
    file = read(str(path), clock=clock, utc_offset_h=1.0)
    assert (file.rows, len(file.per_kwh)) == (rows, hours)
    assert file.per_kwh.max() == pytest.approx(high, rel=1e-3)
    assert low is None or file.per_kwh.min() >= low
    if negative is not None:
        assert (file.per_kwh < 0.0).sum() == negative
    if zone == "DE-LU":  # the least price of the year: 2 July 2023, 14:00 summer time, 13:00 CET
        at = file.first + timedelta(hours=int(file.per_kwh.argmin()))
        assert at == datetime(2023, 7, 2, 13)


@pytest.mark.parametrize("zone", ["DE-LU", "SG", "US-TEX-ERCO"])
def test_real_carbon_is_read_whole(shared_data, zone):
    path = str(shared_data / "grid" / "carbon" / f"carbon_{zone}_2023.csv.gz")
    with pytest.raises(InputFileError, match="several columns fit"):
        read(path, "carbon")
    direct, lca = (
        read(path, "carbon", column=name, utc_offset_h=0.0) for name in ("direct", "LCA")
    )
    assert direct.rows == len(direct.per_kwh) == 8760
    assert direct.first == datetime(2023, 1, 1)
    assert 0.03 < (lca.per_kwh - direct.per_kwh).mean() < 0.13
    text = gzip.decompress(Path(path).read_bytes()).decode()
    assert direct.per_kwh[0] == pytest.approx(float(text.split("\n")[1].split(",")[4]) / 1e3)


def test_four_years_of_dutch_carbon_are_read_from_parquet(shared_data):
    path = str(shared_data / "grid" / "carbon" / "carbon_NL_2021-2024.parquet")
    file = read(path, "carbon", clock="UTC", utc_offset_h=1.0)
    assert file.rows == len(file.per_kwh) == 35_064  # 2024 is a leap year
    assert file.first == datetime(2021, 1, 1, 1)
    assert file.per_kwh[0] == pytest.approx(0.46462)
    carbon = GridCarbon(location_kg_per_kwh=0.3, carbon_path=path, file_clock="UTC", file_year=2024)
    grid = beijing(carbon=carbon).grid(datetime(2023, 1, 1), YEAR_S)
    assert grid.carbon_kg_per_kwh.mean(0.0, YEAR_S) == pytest.approx(
        file.per_kwh[-8784:].mean(), rel=0.01
    )


def test_the_sites_of_the_catalogue_use_the_published_provincial_factors(shared_data):
    path = shared_data / "grid" / "carbon" / "china_provincial_emissions_2023.json"
    data = json.loads(path.read_text(encoding="utf-8"))["data"]
    assert len(data) == 30
    factors = {each["description"]: each["emission_factor"] / 1e3 for each in data.values()}
    checked = 0
    for file in (ROOT / "conf" / "site").glob("*.yaml"):
        site = yaml.safe_load(file.read_text(encoding="utf-8"))
        if site.get("province") in factors:
            assert site["carbon"]["location_kg_per_kwh"] == pytest.approx(
                factors[site["province"]]
            ), file.name
            checked += 1
    assert checked >= 9


def test_a_missing_file_is_the_users_to_mend():
    with pytest.raises(ConfigError, match="no such file"):
        prices(price_path="nowhere.csv")
