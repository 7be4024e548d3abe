"""PV gives what the sun, the cells and the inverters allow, and says what was assumed."""

import sys
from datetime import datetime

import numpy as np
import pytest

from tests.support.weather import EpwWriter, beijing
from twin.errors import ConfigError, InputFileError, ParameterError
from twin.power.pv import PvArray
from twin.records import Sunshine
from twin.rng import rng_for

HOUR_S = 3600.0
YEAR_S = 8760 * HOUR_S


@pytest.fixture(autouse=True)
def _pvlib():
    pytest.importorskip("pvlib")


def array(**keys):
    values = {
        "at": "utility",
        "kw_peak": 100.0,
        "tilt_deg": 30.0,
        "azimuth_deg": 180.0,
        "albedo": 0.2,
        "temperature_per_k": -0.0037,
        "system_loss_fraction": 0.14,
        "inverter_efficiency": 0.96,
        "dc_ac_ratio": 1.2,
        "clear_sky_fraction": None,
    }
    return PvArray(**(values | keys))


def noon(drybulb_c=25.0, ghi=900.0, dni=800.0, dhi=150.0, hours=1):
    """Return the sun of Beijing about noon on 21 June."""
    ones = np.ones(hours)
    first = np.datetime64("2023-06-21T04:30", "m")
    return Sunshine(
        first_at_s=0.0,
        middles_utc=first + np.arange(hours) * np.timedelta64(60, "m"),
        latitude=39.8,
        longitude=116.47,
        altitude_m=35.0,
        drybulb_c=drybulb_c * ones,
        irradiance_w_per_m2=(ghi * ones, dni * ones, dhi * ones),
        wind_m_per_s=ones,
        source="a test",
    )


def sun_of(site, start, hours):
    weather = site.weather(start, hours * HOUR_S, rng_for(0))
    return site.sunshine(start, hours * HOUR_S, weather)


def test_no_light_no_power_and_twice_the_modules_twice_the_power():
    assert array().power_w(noon(ghi=0.0, dni=0.0, dhi=0.0)).tolist() == [0.0]
    one, two = (array(kw_peak=kw).power_w(noon())[0] for kw in (100.0, 200.0))
    assert one > 0.0
    assert two == pytest.approx(2 * one, rel=1e-12)


def test_flat_modules_follow_the_law_of_the_manual():
    """Level modules see the horizontal irradiance; the rest is arithmetic by hand."""
    sun = noon(drybulb_c=20.0, ghi=500.0, dni=0.0, dhi=500.0)
    power_w = array(tilt_deg=0.0, dc_ac_ratio=1.0).power_w(sun)[0]
    cell_c = 20.0 + 500.0 / (25.0 + 6.84)
    direct_w = 100e3 * 0.5 * (1.0 - 0.0037 * (cell_c - 25.0)) * 0.86
    load = direct_w / (100e3 / 0.96)
    efficiency = 0.96 / 0.9637 * (-0.0162 * load - 0.0059 / load + 0.9858)
    assert power_w == pytest.approx(efficiency * direct_w, rel=1e-9)


def test_warm_cells_give_less_and_inverters_cut_off_the_top():
    cool, warm = (array().power_w(noon(drybulb_c=t))[0] for t in (10.0, 20.0))
    assert 0.03 < 1.0 - warm / cool < 0.045
    assert array(dc_ac_ratio=2.0).power_w(noon())[0] == pytest.approx(100e3 / 2.0)


def test_the_sun_stands_highest_at_true_noon_of_the_site():
    """Beijing lies 3.5 degrees west of its zone's meridian: noon at 12:14."""
    site = beijing()
    sun = sun_of(site, datetime(2023, 4, 15), 24)
    pv = array(clear_sky_fraction=1.0, tilt_deg=0.0, temperature_per_k=0.0, dc_ac_ratio=1.0)
    pv.know_sun(sun)
    hourly = np.array([pv.mean_w(h * HOUR_S, (h + 1) * HOUR_S) for h in range(24)])
    assert hourly.argmax() in (11, 12)
    assert (hourly * (np.arange(24) + 0.5)).sum() / hourly.sum() == pytest.approx(12.23, abs=0.05)
    assert hourly[:5].max() == hourly[20:].max() == 0.0
    assert "1 of a clear sky in every hour, assumed" in pv.source


def test_without_irradiance_it_refuses_unless_told_what_to_assume():
    with pytest.raises(ConfigError, match=r"power\.pv\.clear_sky_fraction=null: .*weather_path"):
        array().know_sun(sun_of(beijing(), datetime(2023, 7, 3), 24))


def test_half_the_clear_sky_gives_about_half_the_power():
    sun = sun_of(beijing(), datetime(2023, 7, 3), 24)
    full, half = (array(clear_sky_fraction=f).power_w(sun).sum() for f in (1.0, 0.5))
    assert half / full == pytest.approx(0.5, abs=0.08)


def test_a_missing_library_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "pvlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'twin\[pv\]'") as caught:
        array().know_sun(noon())
    assert caught.value.exit_status == 2


def test_an_epw_without_irradiance_is_refused(tmp_path):
    writer = EpwWriter(tmp_path)
    site = beijing(weather_path=writer.write(writer.rows()))
    with pytest.raises(InputFileError, match="global horizontal irradiance: no value in any row"):
        sun_of(site, datetime(2023, 7, 3), 24)


def test_keys_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="system_loss_fraction"):
        array(system_loss_fraction=1.0)


@pytest.mark.parametrize(
    ("name", "place", "low", "high"),
    [  # kWh per kW and year at 30 degrees, south, 14 % losses: PVWatts and PVGIS give such figures
        ("CHN_Beijing.545110_CSWD", {}, 1150, 1500),
        (
            "USA_AZ_Phoenix.722780_TMYx",
            {"latitude": 33.45, "longitude": -111.98, "utc_offset_h": -7.0, "altitude_m": 337.0},
            1600,
            1950,
        ),
    ],
)
def test_real_years_yield_what_their_climates_do(shared_data, name, place, low, high):
    path = shared_data / "weather" / "epw" / f"{name}.epw"
    site = beijing(weather_path=str(path), **place)
    sun = sun_of(site, datetime(2024, 1, 1), 8784)
    assert len(sun.drybulb_c) == 8784
    power_w = array().power_w(sun)
    assert low < power_w.sum() / 1e3 / 100.0 < high
    by_hour = power_w.reshape(366, 24).mean(axis=0)
    assert by_hour.argmax() in (11, 12), "the sun must stand over the site's own noon"
    assert by_hour[[0, 1, 2, 22, 23]].max() == 0.0
