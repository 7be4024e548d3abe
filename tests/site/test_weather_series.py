"""Reading the air at an instant, and what-if changes to it."""

import doctest
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.weather import beijing
from twin.errors import RunError
from twin.physics.psychrometrics import humidity_ratio, saturation_pressure_pa
from twin.rng import rng_for
from twin.site import air
from twin.site.air import HeatWave, OutdoorAir, weather_series
from twin.site.base import WeatherSeries

DAY_S = 86_400.0


def ramp(first_at_s=0.0):
    dry = np.array([0.0, 10.0, 30.0])
    return WeatherSeries(3600.0, dry, dry - 5, 101325.0, "a ramp", first_at_s=first_at_s)


def test_documented_examples_hold():
    assert doctest.testmod(air).failed == 0


def test_air_is_linear_between_samples():
    assert ramp().at(0.0) == (0.0, -5.0)
    assert ramp().at(1800.0) == pytest.approx((5.0, 0.0))
    assert ramp().at(5400.0) == pytest.approx((20.0, 15.0))


def test_samples_before_the_start_are_kept():
    assert ramp(-1800.0).at(0.0) == pytest.approx((5.0, 0.0))


@given(st.lists(st.floats(-1800.0, 5399.0), min_size=1, max_size=12))
def test_what_was_read_before_never_shows(instants):
    read_before = ramp(-1800.0)
    for at_s in instants:
        assert read_before.at(at_s) == ramp(-1800.0).at(at_s)
    with pytest.raises(RunError):
        read_before.at(-1800.1)


@pytest.mark.parametrize("at_s", [-1.0, 7201.0])
def test_beyond_the_series_is_refused(at_s):
    with pytest.raises(RunError, match=rf"at_s={at_s}: the series covers 0\.0 to 7200\.0 s"):
        ramp().at(at_s)


def test_plain_floats_come_out():
    assert all(type(value) is float for value in ramp().at(10.0))


def outdoor(drybulb_c, rh):
    drybulb_c = np.full(100, drybulb_c)
    vapour_pa = saturation_pressure_pa(drybulb_c) * rh / 100
    return OutdoorAir(0.0, drybulb_c, vapour_pa, np.full(100, 101325.0), 101325.0, "still air")


def test_a_shift_keeps_the_humidity_ratio():
    """Warmer by 10 K at equal water: the wet bulb rises by a third or so, by hand."""
    before = weather_series(outdoor(20.0, 50.0), 0.0, None)
    after = weather_series(outdoor(20.0, 50.0), 10.0, None)
    assert after.drybulb_c[0] == pytest.approx(30.0)
    wet = after.wetbulb_c[0]
    ratio = (
        (2501 - 2.326 * wet) * float(humidity_ratio(saturation_pressure_pa(wet), 101325.0))
        - 1.006 * (30.0 - wet)
    ) / (2501 + 1.86 * 30.0 - 4.186 * wet)
    vapour_pa = 0.5 * float(saturation_pressure_pa(20.0))
    assert ratio == pytest.approx(float(humidity_ratio(vapour_pa, 101325.0)), rel=1e-9)
    assert 3.0 < wet - before.wetbulb_c[0] < 4.0
    assert "shifted by +10 K" in after.source


def test_cooling_below_the_dew_point_leaves_saturated_air():
    series = weather_series(outdoor(20.0, 90.0), -10.0, None)
    assert series.wetbulb_c[0] == pytest.approx(10.0, abs=1e-9)


def test_a_heat_wave_warms_its_days_only():
    wave = HeatWave(start_day=1.0, days=2.0, add_k=6.0)
    calm, hot = (
        beijing(heat_wave=each).weather(datetime(2023, 7, 1), 5 * DAY_S, rng_for(0))
        for each in (None, wave)
    )
    added = [hot.at(h * 3600.0)[0] - calm.at(h * 3600.0)[0] for h in range(120)]
    assert added[:24] == pytest.approx([0.0] * 24)
    assert added[30:66] == pytest.approx([6.0] * 36)
    assert added[72:] == pytest.approx([0.0] * 48)
    assert "heat wave of +6 K on day 1 for 2 d" in hot.source


@pytest.mark.parametrize(("start", "hours"), [("14:37", 1.4), ("12:00", 2.1), ("00:30", 3.0)])
def test_a_longer_run_does_not_change_its_past(start, hours):
    """Neither the air of hours begun, which warms PV, nor the pressure, which moves water."""
    site, begin = beijing(), datetime.fromisoformat(f"2023-08-05 {start}")
    short, long = (site.weather(begin, each * 3600.0, rng_for(0)) for each in (hours, 1.5 * hours))
    assert short.pressure_pa == long.pressure_pa
    suns = [
        site.sunshine(begin, each * 3600.0, series).drybulb_c
        for each, series in ((hours, short), (1.5 * hours, long))
    ]
    assert suns[0].tolist() == suns[1][: len(suns[0])].tolist()


def test_the_last_sample_can_be_read():
    assert ramp().at(7200.0) == (ramp().drybulb_c[-1], ramp().wetbulb_c[-1])
