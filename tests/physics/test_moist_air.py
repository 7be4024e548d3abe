import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics import psychrometrics
from twin.physics.moist_air import (
    RATIO_PER_K,
    SaturatedAir,
    coil_leaving_ratio,
    ratio_from_wetbulb,
    saturated_ratio,
)
from twin.physics.thermal import AIR_CP, WATER_CP, WATER_LATENT_HEAT

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


def test_ratio_is_that_of_psychrolib(psychrolib):
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


# ---- air that leaves wet surfaces ----


@pytest.mark.parametrize("pressure_pa", [*PRESSURES, 75000.0])
def test_tables_of_saturated_air_are_near_the_formulas(pressure_pa):
    air = SaturatedAir(pressure_pa)
    for at_c in np.linspace(-40.0, 60.0, 1111).tolist():
        enthalpy = AIR_CP * at_c + WATER_LATENT_HEAT * saturated_ratio(at_c, pressure_pa)
        assert air.temperature_c(enthalpy) == pytest.approx(at_c, abs=0.01)
        assert air.temperature_c(air.enthalpy_j_per_kg(at_c)) == pytest.approx(at_c, abs=0.01)


def test_tables_of_saturated_air_end_where_no_tower_works():
    air = SaturatedAir(101325.0)
    assert air.temperature_c(1e9) == pytest.approx(80.0, abs=0.1)
    with pytest.raises(ParameterError, match="pressure_pa"):
        SaturatedAir(1e4)


@pytest.fixture
def psychrolib():
    found = pytest.importorskip("psychrolib")
    found.SetUnitSystem(found.SI)
    return found


def evaporated_by(psychrolib, air, heat_w, air_kg_per_s, makeup_c):
    """Water that air takes up, with full enthalpies, leaving saturated. [kg/s]."""
    drybulb_c, rh, pressure_pa = air
    ratio = psychrolib.GetHumRatioFromRelHum(drybulb_c, rh, pressure_pa)
    enthalpy = psychrolib.GetMoistAirEnthalpy(drybulb_c, ratio)
    low_c, high_c = -30.0, 60.0
    for _ in range(60):
        leaving_c = 0.5 * (low_c + high_c)
        leaving = psychrolib.GetSatHumRatio(leaving_c, pressure_pa)
        gained = psychrolib.GetSatAirEnthalpy(leaving_c, pressure_pa) - enthalpy
        gained -= (leaving - ratio) * WATER_CP * makeup_c
        low_c, high_c = (
            (leaving_c, high_c) if air_kg_per_s * gained < heat_w else (low_c, leaving_c)
        )
    return air_kg_per_s * (leaving - ratio)


@pytest.mark.parametrize("pressure_pa", PRESSURES)
@pytest.mark.parametrize("gained", [10e3, 30e3, 60e3])
@pytest.mark.parametrize(
    ("drybulb_c", "rh"),
    [(-10.0, 0.7), (5.0, 0.9), (15.0, 0.4), (25.0, 0.2), (25.0, 0.9), (35.0, 0.5), (42.0, 0.1)],
)
def test_evaporation_is_that_of_a_full_balance_of_the_air(
    psychrolib, drybulb_c, rh, gained, pressure_pa
):
    wet_c = psychrolib.GetTWetBulbFromRelHum(drybulb_c, rh, pressure_pa)
    expected = evaporated_by(psychrolib, (drybulb_c, rh, pressure_pa), gained, 1.0, 25.0)
    share = SaturatedAir(pressure_pa).evaporated_share((drybulb_c, wet_c), gained)
    assert share * gained / WATER_LATENT_HEAT == pytest.approx(expected, rel=0.03, abs=1e-4)


def test_evaporation_of_a_published_tower():
    """Cengel and Boles, *Thermodynamics*, "Cooling of a Power Plant by a Cooling Tower".

    100 kg/s of water from 35 to 22 degC, air of 20 degC and 60 %: 96.9 kg/s of dry air leave
    saturated at 30 degC, and 1.80 kg/s of water are made up.
    """
    vapour_pa = 0.6 * psychrometrics.saturation_pressure_pa(20.0)
    wet_c = float(psychrometrics.wetbulb_c(20.0, vapour_pa, 101325.0))
    heat_w = 100.0 * 4180.0 * 13.0
    share = SaturatedAir(101325.0).evaporated_share((20.0, wet_c), heat_w / 96.9, 35.0)
    assert heat_w * share / WATER_LATENT_HEAT == pytest.approx(1.80, rel=0.015)


def test_air_leaves_no_warmer_than_the_water_it_meets():
    air = SaturatedAir(101325.0)
    warmest_c = 24.0
    share = air.evaporated_share((-10.0, -11.0), 200e3, warmest_c)
    gained = air.enthalpy_j_per_kg(warmest_c) - air.enthalpy_j_per_kg(-11.0)
    assert share == pytest.approx(air.evaporated_share((-10.0, -11.0), gained), rel=1e-3)
    assert 0.5 < share < 0.65


@given(st.floats(-30.0, 40.0), st.floats(0.05, 1.0), st.floats(1e3, 2e5), st.floats(5.0, 60.0))
def test_air_never_gives_water_back(drybulb_c, rh, gained, above_k):
    vapour_pa = psychrometrics.saturation_pressure_pa(drybulb_c) * rh
    wet_c = float(psychrometrics.wetbulb_c(drybulb_c, vapour_pa, 101325.0))
    share = SaturatedAir(101325.0).evaporated_share((drybulb_c, wet_c), gained, wet_c + above_k)
    assert share >= -1e-3
