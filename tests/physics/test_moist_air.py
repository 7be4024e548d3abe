import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.physics import psychrometrics
from twin.physics.moist_air import (
    RATIO_PER_K,
    coil_leaving_ratio,
    ratio_from_wetbulb,
    saturated_ratio,
)

PRESSURES = [101325.0, 85431.0]
SURFACE = (14.0, 0.010)
warm = st.floats(14.5, 45.0)


@pytest.mark.parametrize("pressure_pa", PRESSURES)
def test_saturated_ratio_is_that_of_the_formulas_on_arrays(pressure_pa):
    temperatures_c = np.linspace(-40.0, 50.0, 181)
    vapour_pa = psychrometrics.saturation_pressure_pa(temperatures_c)
    expected = psychrometrics.humidity_ratio(vapour_pa, pressure_pa)

    got = [saturated_ratio(t, pressure_pa) for t in temperatures_c.tolist()]

    assert got == pytest.approx(expected.tolist(), rel=1e-12)
    half = psychrometrics.humidity_ratio(0.5 * vapour_pa, pressure_pa)
    got = [saturated_ratio(t, pressure_pa, 0.5) for t in temperatures_c.tolist()]
    assert got == pytest.approx(half.tolist(), rel=1e-12)


@pytest.mark.parametrize("pressure_pa", PRESSURES)
@pytest.mark.parametrize("drybulb_c", [10.0, 15.0, 25.0, 35.0, 45.0])
@pytest.mark.parametrize("rh_percent", [30.0, 60.0, 100.0])
def test_ratio_from_the_wet_bulb_is_within_two_percent(pressure_pa, drybulb_c, rh_percent):
    vapour_pa = psychrometrics.saturation_pressure_pa(drybulb_c) * rh_percent / 100
    expected = float(psychrometrics.humidity_ratio(vapour_pa, pressure_pa))
    wet_c = float(psychrometrics.wetbulb_c(drybulb_c, vapour_pa, pressure_pa))
    assert ratio_from_wetbulb(drybulb_c, wet_c, pressure_pa) == pytest.approx(expected, rel=0.02)


def test_ratio_of_air_too_dry_for_its_wet_bulb_is_zero():
    assert ratio_from_wetbulb(40.0, 5.0, 101325.0) == 0.0


def test_ratio_is_that_of_psychrolib():
    psychrolib = pytest.importorskip("psychrolib")
    psychrolib.SetUnitSystem(psychrolib.SI)
    assert ratio_from_wetbulb(33.0, 27.0, 101325.0) == pytest.approx(
        psychrolib.GetHumRatioFromTWetBulb(33.0, 27.0, 101325.0), rel=0.006
    )
    assert saturated_ratio(33.0, 1e5) == pytest.approx(
        psychrolib.GetSatHumRatio(33.0, 1e5), rel=1e-9
    )


def test_a_coil_wets_only_air_more_humid_than_its_surface():
    assert coil_leaving_ratio(30.0, 0.009, 20.0, SURFACE) == 0.009
    assert coil_leaving_ratio(30.0, 0.018, 30.0, SURFACE) == 0.018
    assert coil_leaving_ratio(30.0, 0.018, 14.0, SURFACE) == pytest.approx(0.010)
    assert coil_leaving_ratio(30.0, 0.018, 22.0, SURFACE) == pytest.approx(0.014)


@given(warm, st.floats(0.0, 0.03), st.floats(0.0, 1.0))
def test_air_leaves_a_coil_between_its_surface_and_itself(entering_c, ratio, part):
    leaving_c = entering_c - part * (entering_c - SURFACE[0])
    leaving = coil_leaving_ratio(entering_c, ratio, leaving_c, SURFACE)
    assert min(ratio, SURFACE[1]) - 1e-12 <= leaving <= ratio


def test_evaporation_trades_heat_for_water():
    assert pytest.approx(1006.0 / 2.45e6) == RATIO_PER_K
