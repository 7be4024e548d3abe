from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import design, plant, residual, steady
from twin.cooling.airside_economizer import evaporative_air_c, outdoor_share, pad_cooling_k
from twin.errors import ConfigError
from twin.physics.moist_air import RATIO_PER_K, coil_leaving_ratio, ratio_from_wetbulb
from twin.physics.psychrometrics import wetbulb_c

DIRECT, INDIRECT = "airside_economizer", "indirect_evaporative"
both = pytest.mark.parametrize("name", [DIRECT, INDIRECT])


def test_a_wetted_pad_cools_part_of_the_way_to_the_wet_bulb():
    assert evaporative_air_c(35.0, 20.0, 0.0) == 35.0
    assert evaporative_air_c(35.0, 20.0, 1.0) == 20.0
    assert evaporative_air_c(35.0, 20.0, 0.85) == pytest.approx(22.25)


@both
def test_cold_weather_needs_neither_water_nor_compressor(name):
    state = steady(plant(name), 9e5, -5.0, -7.0)
    assert state.free_fraction == 1.0
    assert state.water_kg_per_s == 0.0
    assert state.parts_w["trim"] == state.parts_w["spray_pump"] == 0.0
    assert state.supply_c == pytest.approx(24.0)


@both
def test_mild_and_dry_is_evaporation_alone(name):
    state = steady(plant(name), 9e5, 27.0, 14.0)
    assert state.free_fraction == 1.0
    assert state.water_kg_per_s > 0.0


@both
def test_hot_and_humid_needs_trim_and_the_set_point_holds(name):
    state = steady(plant(name), design().heat_w, 34.0, 27.5)
    assert state.parts_w["trim"] > 0.0
    assert state.supply_c == pytest.approx(24.0)


@pytest.mark.parametrize("name", [DIRECT, INDIRECT])
def test_the_way_back_from_a_hot_hall_takes_the_same_energy_at_any_heartbeat(name):
    """Over a long beat the mean of a hall that cools down hides that the trim was overloaded."""
    energy_j = []
    for beat_s in (60.0, 300.0):
        made = plant(name)
        steady(made, 0.8 * design().heat_w, 30.0, 22.0)
        made.set_available("fan", 0.0)
        for _ in range(int(900.0 / beat_s)):
            made.step(0.8 * design().heat_w, 30.0, 22.0, beat_s)
        made.set_available("fan", 1.0)
        powers_w = [
            made.step(0.8 * design().heat_w, 30.0, 22.0, beat_s).power_w
            for _ in range(int(3600.0 / beat_s))
        ]
        energy_j.append(sum(powers_w) * beat_s)
    assert energy_j[1] == pytest.approx(energy_j[0], rel=2e-3)


def test_dampers_close_when_even_wetted_air_is_hotter_than_the_return():
    state = steady(plant(DIRECT), 9e5, 45.0, 41.0)
    assert state.water_kg_per_s == 0.0
    assert state.parts_w["trim"] > 0.1 * 9e5


def test_evaporated_water_carries_its_latent_heat():
    """Air at 30 degC wetted to the set point: the water is the sensible heat it took up."""
    made = plant(DIRECT)
    state = steady(made, 9e5, 30.0, 15.0)
    air, fan_w = made.fans.move(9e5 / 13.6)
    wetted_k = 30.0 - (24.0 - fan_w / air)
    evaporated = state.water_kg_per_s * 3.0 / 4.0
    assert evaporated * 2.45e6 == pytest.approx(air * wetted_k, rel=1e-9)


@pytest.mark.parametrize("weather_c", [(38.0, 17.0), (20.0, 18.0), (14.0, 9.0)])
def test_sprayed_scavenger_air_leaves_saturated(weather_c):
    """As humid as psychrolib says air is that took up this heat; dry air is cooled by it too."""
    psychrolib = pytest.importorskip("psychrolib")
    psychrolib.SetUnitSystem(psychrolib.SI)
    made = plant(INDIRECT)
    air_w_per_k = made._air_w_per_k
    got = made._outdoors((37.0, 29.0), air_w_per_k, weather_c)
    moved = got.fan_w / made._scavenger_w
    kg_per_s = made.scavenger_ratio * air_w_per_k / 1006.0 * moved ** (1.0 / 2.9)
    ratio = psychrolib.GetHumRatioFromTWetBulb(*weather_c, 101325.0)
    leaving = ratio + got.evaporated_kg_per_s / kg_per_s
    enthalpy = psychrolib.GetMoistAirEnthalpy(weather_c[0], ratio)
    taken = (got.heat_w - got.fan_w) / kg_per_s
    sprayed_c = weather_c[1]
    gained = taken + (leaving - ratio) * 4186.0 * sprayed_c
    leaving_c = psychrolib.GetTDryBulbFromEnthalpyAndHumRatio(enthalpy + gained, leaving)
    assert leaving == pytest.approx(psychrolib.GetSatHumRatio(leaving_c, 101325.0), rel=0.03)
    assert (got.evaporated_kg_per_s * 2.45e6 > got.sprayed_w) == (weather_c[0] > 30.0)


SURFACE, LEAVING = (14.0, 0.0100), (23.0, 0.0157)


@given(st.floats(23.5, 45.0), st.floats(0.004, 0.028))
def test_after_the_pad_the_coil_leads_to_the_air_wanted(outdoor_c, ratio):
    pad_k = pad_cooling_k((outdoor_c, ratio), LEAVING, SURFACE)
    padded = outdoor_c - pad_k, ratio + RATIO_PER_K * pad_k
    if padded[0] < LEAVING[0] or padded[1] < SURFACE[1]:
        return  # the pad alone suffices: the coil has nothing to do
    assert coil_leaving_ratio(*padded, LEAVING[0], SURFACE) == pytest.approx(LEAVING[1], rel=1e-9)


@given(st.floats(15.0, 35.0), st.floats(0.0158, 0.028), st.floats(35.0, 45.0))
def test_humid_air_and_return_mix_so_that_the_coil_leads_to_the_air_wanted(
    outdoor_c, ratio, return_c
):
    share = outdoor_share((outdoor_c, ratio), return_c, LEAVING, SURFACE)
    if share > 1.0:
        return
    mixed_c = return_c + share * (outdoor_c - return_c)
    mixed_ratio = LEAVING[1] + share * (ratio - LEAVING[1])
    leaving = coil_leaving_ratio(mixed_c, mixed_ratio, LEAVING[0], SURFACE)
    assert leaving == pytest.approx(LEAVING[1], rel=1e-9)


def opened(drybulb_c, wetbulb_c, return_c=37.0, wanted_c=23.2, air_w_per_k=1006.0):
    """Return what 1 kg/s of air does in that weather, and its outdoor humidity ratio."""
    made = plant(DIRECT)
    got = made._outdoors((return_c, wanted_c), air_w_per_k, (drybulb_c, wetbulb_c))
    return got, ratio_from_wetbulb(drybulb_c, wetbulb_c, 101325.0)


def test_humid_outdoor_air_costs_the_trim_its_condensation():
    """26 degC at 85 % is only 2.8 K too warm, yet costs the trim four times as much.

    By hand: 0.01806 kg/kg outdoors, 0.01505 wanted (80 % at 24 degC), 0.01001 at the coil's
    14 degC. Share x of outdoor air: x (37.0 - 26.0 + 9.2 * 301/504) = 13.8, x = 0.837. It is
    mixed to 37.0 - 0.837 * 11.0 = 27.79 degC; per kg, 4.59 K and 0.837 * 3.01 g to condense.
    """
    got, ratio = opened(26.0, 24.0)
    assert ratio == pytest.approx(0.01806, rel=0.003)
    assert got.trim_w == pytest.approx(4.59 * 1006.0 + 0.837 * 3.01e-3 * 2.45e6, rel=0.01)
    assert got.sprayed_w == 0.0


def test_open_dampers_match_the_enthalpies_of_psychrolib():
    psychrolib = pytest.importorskip("psychrolib")
    psychrolib.SetUnitSystem(psychrolib.SI)
    got, _ = opened(26.0, 24.0)
    wet = psychrolib.GetHumRatioFromTWetBulb(26.0, 24.0, 101325.0)
    dry = psychrolib.GetHumRatioFromRelHum(24.0, 0.8, 101325.0)
    share = got.heat_w / (1006.0 * (37.0 - 26.0) - 2.45e6 * (wet - dry))
    enthalpy = psychrolib.GetMoistAirEnthalpy
    mixed = share * enthalpy(26.0, wet) + (1.0 - share) * enthalpy(37.0, dry)
    assert got.trim_w == pytest.approx(mixed - enthalpy(23.2, dry), rel=0.04)


def test_dampers_close_when_drying_outdoor_air_costs_more_than_cooling_the_hall():
    """30 degC and 80 %: cooler than the return, yet not worth taking in."""
    got, _ = opened(30.0, 27.0)
    assert got.trim_w == pytest.approx(1006.0 * (37.0 - 23.2))
    assert got.heat_w == got.sprayed_w == 0.0


def test_an_overloaded_trim_dries_as_far_as_it_can_and_no_less():
    """It gave up drying at once: 5 % more heat took 25 % less power."""
    made = plant(DIRECT)
    powers_w = []
    for fraction in (0.86, 0.90, 0.93, 0.94, 0.95, 1.0):
        state = steady(made, fraction * design().heat_w, 39.0, 25.0)
        powers_w.append(state.power_w)
        assert state.supply_c == pytest.approx(24.0)
    assert powers_w == sorted(powers_w)
    got = made._outdoors((37.6, 23.3), made.fans.full_flow_w_per_k, (39.0, 25.0))
    assert got.trim_w == pytest.approx(made._trim_most_w(39.0), rel=1e-5)


def test_dry_heat_is_for_the_pad_alone():
    got, _ = opened(35.0, 17.0)
    assert got.trim_w == pytest.approx(0.0, abs=1e-6)
    assert got.sprayed_w == pytest.approx(1006.0 * (35.0 - 23.2))


def test_the_pad_wets_no_further_than_the_supply_may_be_humid():
    got, _ = opened(33.0, 22.5)
    assert 0.0 < got.sprayed_w < 1006.0 * 0.85 * (33.0 - 22.5)
    assert got.trim_w > 0.0


@given(st.floats(-30.0, 44.0), st.floats(0.0, 20.0), st.floats(24.5, 45.0))
def test_every_joule_of_the_hall_goes_outdoors_or_into_the_coil(drybulb_c, depression_k, return_c):
    got, _ = opened(drybulb_c, drybulb_c - depression_k, return_c)
    assert got.heat_w + got.trim_w == pytest.approx(1006.0 * (return_c - 23.2), abs=1e-6)
    assert got.trim_w >= 0.0
    assert got.trim_w <= 1006.0 * (return_c - 23.2) + 1e-6


def test_humidity_outside_the_envelopes_is_said_once_each():
    made = plant(DIRECT)
    for drybulb_c in (22.0, 22.5, -15.0, -16.0):
        steady(made, 9e5, drybulb_c, drybulb_c - 0.5)
    humid, dry = made.warnings
    assert "above 15 degC, outside what ASHRAE TC 9.9 calls recommended" in humid
    assert "below -12 degC" in dry
    assert "allowable" in dry


def test_a_failed_trim_lets_the_supply_be_too_humid_before_it_is_too_warm():
    made = plant(DIRECT)
    made.set_available("chiller", 0.0)
    state = steady(made, 9e5, 23.0, 22.9)
    assert state.supply_c == pytest.approx(24.0, abs=0.2)
    assert any("calls allowable" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dewpoint_max_c": 13.0}, r"dewpoint_max_c=13.0: must be > 14"),
        ({"supply_c": 16.0}, r"supply_c=16.0: must be warmer"),
        ({"humidity_max": 1.5}, r"humidity_max=1.5"),
    ],
)
def test_humidity_that_the_coil_cannot_make_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        plant(DIRECT, **changes)


@both
@pytest.mark.parametrize("vapour_pa", [1000.0, 1800.0, 2400.0, 2900.0])
def test_hotter_air_of_the_same_humidity_never_lowers_trim_power(name, vapour_pa):
    powers = []
    for drybulb_c in range(24, 46, 3):
        made = plant(name)
        made.chillers.fixed_units = made.chillers.duty_units
        wet_c = float(wetbulb_c(drybulb_c, vapour_pa, 101325.0))
        powers.append(steady(made, 9e5, float(drybulb_c), wet_c).parts_w["trim"])
    assert all(b >= a * (1 - 1e-9) for a, b in pairwise(powers))


@both
def test_wetter_air_never_lowers_trim_power(name):
    powers = []
    for wet_c in range(14, 32, 2):
        made = plant(name)
        made.chillers.fixed_units = made.chillers.duty_units
        powers.append(steady(made, 9e5, 35.0, float(wet_c)).parts_w["trim"])
    assert powers == sorted(powers)


@both
def test_when_the_trim_is_tripped_on_a_humid_day_the_inlet_floats_with_the_outdoors(name):
    made = plant(name)
    before = steady(made, 1e6, 34.0, 27.0)
    made.set_available("chiller", 0.0)
    state = steady(made, 1e6, 34.0, 27.0, hours=1)

    assert state.inlet_c > before.inlet_c + 2.0
    # Outdoor air bounds the rise: this hall does not run away.
    assert state.inlet_c < 40.0
    assert residual(state, 1e6, 300.0) <= 1e-9


def test_spraying_stops_below_the_chosen_temperature():
    dry = steady(plant(INDIRECT, dry_below_c=20.0), 9e5, 18.0, 12.0)
    wet = steady(plant(INDIRECT, dry_below_c=5.0), 9e5, 18.0, 12.0)
    assert dry.water_kg_per_s == 0.0 < wet.water_kg_per_s
    assert dry.parts_w["outdoor_fan"] > wet.parts_w["outdoor_fan"]


@both
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supply_c": 8.0}, "supply_c=8"),
        ({"cycles_of_concentration": 1.0}, "cycles_of_concentration=1"),
        ({"containment": "open"}, "containment=open"),
    ],
)
def test_impossible_set_points_are_refused(name, changes, message):
    with pytest.raises(ConfigError, match=message):
        plant(name, **changes)


@pytest.mark.parametrize("weather_c", [(15.0, 11.0), (38.0, 20.0), (33.0, 28.0), (5.0, 3.0)])
def test_less_heat_takes_less_outdoor_air_through_the_exchanger(weather_c):
    """Down to the least speed, in proportion to the hall's air: the cube of it in power."""
    fan_w = [
        steady(plant(INDIRECT), part * design().heat_w, *weather_c).parts_w["outdoor_fan"]
        for part in (0.4, 0.6, 0.8, 1.0)
    ]
    assert fan_w == sorted(fan_w)
    assert fan_w[0] <= 0.4 * fan_w[-1] or fan_w[0] == pytest.approx(fan_w[1])
