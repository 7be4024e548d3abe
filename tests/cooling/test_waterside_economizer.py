import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import design, plant, residual, steady
from tests.support.plants import settings as plant_keys
from twin.config import parse
from twin.cooling.waterside_economizer import Economizer
from twin.errors import ConfigError

NAME = "waterside_economizer"


def economizer(**changes):
    return parse(Economizer, plant_keys(NAME)["economizer"] | changes, "cooling.economizer")


@pytest.mark.parametrize(
    ("wetbulb_c", "mode", "free"), [(25.0, "FMC", 0.0), (12.0, "PMC", 0.0), (-2.0, "FC", 1.0)]
)
def test_the_mode_follows_the_wet_bulb(wetbulb_c, mode, free):
    made = plant(NAME)
    state = steady(made, 8e5, wetbulb_c + 5.0, wetbulb_c)

    assert made.economizer.mode == mode
    assert state.free_fraction == free
    assert (state.parts_w["chiller"] == 0.0) == (mode == "FC")
    assert state.supply_c == pytest.approx(23.0)


def test_free_cooling_costs_a_third_of_mechanical_cooling():
    """0.06-0.10 kW per kW of heat with full free cooling."""
    heat_w = 0.9 * design().heat_w
    free = steady(plant(NAME), heat_w, -5.0, -8.0).power_w / heat_w
    assert 0.05 <= free <= 0.10


def test_partly_free_cooling_unloads_the_chillers():
    warm, cool = (steady(plant(NAME), 8e5, t + 4.0, t).parts_w["chiller"] for t in (22.0, 11.0))
    assert 0.0 < cool < 0.7 * warm


def test_neither_economizer_nor_chillers_change_within_their_least_time():
    made = economizer()
    made.decide(22.0, 5.0, 5.0, 16.0)
    made.pass_time(60.0)
    assert made.mode == "FC"
    for _ in range(18):
        made.decide(22.0, 25.0, 25.0, 16.0)
        made.pass_time(60.0)
        assert made.on
    made.decide(22.0, 25.0, 25.0, 16.0)
    made.pass_time(60.0)
    made.decide(22.0, 25.0, 25.0, 16.0)
    made.pass_time(60.0)
    assert made.mode == "FMC"


@given(st.lists(st.floats(-10.0, 30.0), min_size=60, max_size=200))
def test_whatever_the_weather_no_change_comes_before_its_time(tower_c):
    made = economizer()
    last_change, before = -math.inf, made.on
    for minute, water_c in enumerate(tower_c):
        made.decide(22.0, water_c, water_c, 16.0)
        made.pass_time(60.0)
        assert made.on or made.chillers_on
        if made.on != before:
            assert minute - last_change >= 20
            last_change, before = minute, made.on


def test_the_mode_is_looked_at_every_minute_only_near_a_change():
    made = economizer()
    made.decide(22.0, 25.0, 25.0, 16.0)
    assert made.mode == "FMC"
    assert made.quiet_s(22.0, 25.0, 25.0, 16.0) == math.inf
    assert made.quiet_s(22.0, 19.0, 19.0, 16.0) == 60.0

    made.on_for_s = 0.0  # it has just gone off: the cold must wait out the least time
    made.pass_time(240.0)
    assert made.quiet_s(22.0, 5.0, 5.0, 16.0) == 20 * 60.0 - 240.0


def test_while_chillers_must_wait_the_water_follows_the_tower():
    made = plant(NAME)
    steady(made, 1e6, 2.0, -2.0)
    made.economizer.chillers_for_s = made.economizer.on_for_s = 0.0
    for _ in range(10):
        state = made.step(1e6, 16.0, 12.0, 60.0)
    assert state.free_fraction == 1.0
    assert made.chilled_water.water_c > made.chilled_water_c + 0.5

    state = steady(made, 1e6, 16.0, 12.0)
    assert made.economizer.mode == "PMC"
    assert made.chilled_water.water_c == made.chilled_water_c


def test_with_all_chillers_tripped_on_a_cold_day_the_hall_stays_cool():
    made = plant(NAME)
    steady(made, 1e6, 0.0, -3.0)
    made.set_available("chiller", 0.0)
    assert steady(made, 1e6, 0.0, -3.0).inlet_c < 25.0


def test_thresholds_that_would_chatter_are_refused():
    with pytest.raises(ConfigError, match=r"economizer\.on_margin_k=1\.0: must be > approach_k"):
        economizer(on_margin_k=1.0)
    with pytest.raises(ConfigError, match="chiller_on_margin_k"):
        economizer(chiller_off_margin_k=2.0)


@pytest.mark.parametrize("wetbulb_c", [12.0, 18.0, 22.0])
def test_half_the_chillers_leave_the_hall_no_warmer_than_none(wetbulb_c):
    """Chillers that could not carry all kept the share of the economizer from the load."""
    warmest_c = []
    for fraction in (0.0, 0.5, 1.0):
        made = plant("waterside_economizer")
        heat_w = 0.8 * design().heat_w
        steady(made, heat_w, wetbulb_c + 8.0, wetbulb_c)
        made.set_available("chiller", fraction)
        states = [made.step(heat_w, wetbulb_c + 8.0, wetbulb_c, 60.0) for _ in range(60)]
        warmest_c.append(max(state.inlet_max_c for state in states))
        assert max(residual(state, heat_w, 60.0) for state in states) < 1e-9
    assert warmest_c[0] >= warmest_c[1] - 0.1
    assert warmest_c[1] >= warmest_c[2] - 0.1


def test_a_load_about_where_a_pump_starts_does_not_start_and_stop_it_again_and_again():
    made = plant(NAME)
    steady(made, 0.6 * design().heat_w, -3.0, -5.0)
    assert made.economizer.mode == "FC"
    rejection, weather_c, pumps_w = made._rejection, (-3.0, -5.0), []
    for sign in (-1.0, 1.0) * 20:
        unit_w, _ = made.chillers.unit_w(made.chilled_water_c, rejection.condenser.water_c)
        load_w = made.chillers.stage_up_plr * unit_w * (1.0 + 0.005 * sign)
        done = rejection.step(load_w, made.chilled_water_c, weather_c, 60.0)
        pumps_w.append(done.pump_w)
    changes = sum(after != before for before, after in pairwise(pumps_w))
    assert changes <= 1
