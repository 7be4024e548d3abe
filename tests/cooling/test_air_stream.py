import pytest

from tests.support.plants import design, plant, residual, steady
from twin.cooling.airside_economizer import evaporative_air_c
from twin.errors import ConfigError

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


@both
def test_wetter_air_never_lowers_trim_power(name):
    powers = []
    for wetbulb_c in range(14, 32, 2):
        made = plant(name)
        made.chillers.fixed_units = made.chillers.duty_units
        powers.append(steady(made, 9e5, 35.0, float(wetbulb_c)).parts_w["trim"])
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
