"""Moist air against psychrolib, known points, and itself."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics import psychrometrics
from twin.physics.psychrometrics import (
    humidity_ratio,
    saturation_pressure_pa,
    standard_pressure_pa,
    wetbulb_c,
)

drybulbs = st.floats(-50.0, 55.0)
humidities = st.floats(0.0, 100.0)
pressures = st.floats(65_000.0, 106_000.0)


def wetbulb_at(drybulb_c, rh_percent, pressure_pa):
    """Return the wet bulb of air of a relative humidity."""
    vapour_pa = saturation_pressure_pa(drybulb_c) * np.asarray(rh_percent) / 100
    return wetbulb_c(drybulb_c, vapour_pa, pressure_pa)


def test_documented_examples_hold():
    assert doctest.testmod(psychrometrics).failed == 0


@pytest.fixture(scope="module")
def states():
    rng = np.random.default_rng(3)
    return (
        rng.uniform(-40.0, 50.0, 3000),
        rng.uniform(2.0, 100.0, 3000),
        rng.uniform(68_000.0, 105_000.0, 3000),
    )


def test_wet_bulb_equals_psychrolib_outside_the_freezing_band(states):
    psychrolib = pytest.importorskip("psychrolib")
    psychrolib.SetUnitSystem(psychrolib.SI)
    reference = np.array(
        [psychrolib.GetTWetBulbFromRelHum(t, rh / 100, p) for t, rh, p in zip(*states, strict=True)]
    )
    # Its bisection stops within 0.001 K and may enter the gap between ice and water.
    outside = np.abs(reference) > 0.72
    error_k = np.abs(wetbulb_at(*states) - reference)
    assert error_k[outside].max() < 0.002
    assert error_k.max() < 0.72


def test_pressures_and_ratio_equal_psychrolib(states):
    psychrolib = pytest.importorskip("psychrolib")
    psychrolib.SetUnitSystem(psychrolib.SI)
    for t, rh, p in list(zip(*states, strict=True))[:200]:
        vapour_pa = psychrolib.GetVapPresFromRelHum(t, rh / 100)
        ratio = psychrolib.GetHumRatioFromVapPres(vapour_pa, p)
        assert saturation_pressure_pa(t) == pytest.approx(psychrolib.GetSatVapPres(t), rel=1e-12)
        assert humidity_ratio(vapour_pa, p) == pytest.approx(ratio, rel=1e-9, abs=2e-7)
    for z in (0.0, 35.0, 1416.0, 4000.0):
        reference_pa = psychrolib.GetStandardAtmPressure(z)
        assert standard_pressure_pa(z) == pytest.approx(reference_pa, rel=1e-9)


@given(drybulbs, humidities, pressures)
def test_wet_bulb_satisfies_its_own_definition(t, rh, p):
    """Saturated at the wet bulb, less what evaporation added, is the air's own humidity."""
    vapour_pa = float(saturation_pressure_pa(t)) * rh / 100
    wet = float(wetbulb_c(t, vapour_pa, p))
    assert wet <= t
    if 0.01 < wet < t:
        saturated = float(humidity_ratio(saturation_pressure_pa(wet), p))
        latent, below = 2501 - 2.326 * wet, 2501 + 1.86 * t - 4.186 * wet
        ratio = (latent * saturated - 1.006 * (t - wet)) / below
        assert ratio == pytest.approx(float(humidity_ratio(vapour_pa, p)), abs=1e-12)


@settings(max_examples=30)
@given(st.lists(st.tuples(drybulbs, humidities, pressures), min_size=1, max_size=20))
def test_vector_equals_scalar(states):
    t, rh, p = np.array(states).T
    one_by_one = [float(wetbulb_at(*state)) for state in states]
    np.testing.assert_allclose(wetbulb_at(t, rh, p), one_by_one, rtol=0, atol=1e-11)


@given(drybulbs, st.floats(0.0, 99.0), st.floats(0.01, 1.0), pressures)
def test_moister_air_has_a_higher_wet_bulb(t, rh, more, p):
    assert wetbulb_at(t, rh + more, p) >= wetbulb_at(t, rh, p) - 1e-9


def test_saturated_air_has_its_dry_bulb_as_wet_bulb():
    t = np.array([-30.0, -1.0, 0.0, 0.01, 5.0, 35.0])
    np.testing.assert_allclose(wetbulb_at(t, 100.0, 101325.0), t, atol=1e-7)


def test_a_dew_point_above_the_dry_bulb_counts_as_saturation():
    vapour_pa = saturation_pressure_pa(7.6)
    assert wetbulb_c(7.5, vapour_pa, 101325.0) == pytest.approx(7.5, abs=1e-9)


@pytest.mark.parametrize("t", [-60.1, 60.1, float("nan")])
def test_temperature_outside_the_formulas_is_refused(t):
    with pytest.raises(ParameterError, match=r"drybulb_c=.*must be in -60\.\.60 degC"):
        saturation_pressure_pa([20.0, t])


def test_impossible_humidity_is_refused():
    with pytest.raises(ParameterError, match="vapour_pa"):
        humidity_ratio(-1.0, 101325.0)
    with pytest.raises(ParameterError, match="altitude_m=20000"):
        standard_pressure_pa(20_000.0)
