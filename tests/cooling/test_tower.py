import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import NAMES, design, plant, steady
from tests.support.plants import settings as plant_keys
from twin.config import parse
from twin.cooling.tower import (
    CoolingTower,
    approach_k,
    approach_quadratic,
    liquid_to_gas_for,
    unaided_range_k,
    wetbulb_terms,
)
from twin.errors import ConfigError, ParameterError


def tower(**changes):
    return parse(CoolingTower, plant_keys("chilled_air")["tower"] | changes, "cooling.tower")


def supplied(cells, wetbulb_c, range_k):
    """Leaving water and air flow at the condensers' set point and design water flow."""
    terms, wanted_c = cells.terms(wetbulb_c), cells.set_point_c(wetbulb_c)
    return cells.supply_c(wetbulb_c, terms, range_k, 1.0, wanted_c)


@pytest.mark.parametrize(
    ("wetbulb_c", "full_k", "half_k"),
    [
        (20, 5.1, 10.9),
        (15, 6.3, 13.1),
        (10, 7.8, 15.4),
        (5, 9.4, 17.9),
        (0, 11.2, 20.5),
        (-5, 13.1, 23.3),
    ],
)
def test_york_approach_at_full_and_half_air(wetbulb_c, full_k, half_k):
    """The published figures are rounded to 0.1 K."""
    assert approach_k(wetbulb_c, 5.56, 1.0) == pytest.approx(full_k, abs=0.05 + 0.005 * full_k)
    assert approach_k(wetbulb_c, 5.56, 2.0) == pytest.approx(half_k, abs=0.05 + 0.005 * half_k)


def test_york_approach_at_its_nominal_point():
    assert approach_k(25.55, 5.56, 1.0) == pytest.approx(3.84, rel=0.005)


@given(st.floats(-30, 26.7), st.floats(1.5, 10), st.floats(1.0, 4.0))
def test_air_flow_for_an_approach_is_the_inverse_of_the_correlation(wetbulb_c, range_k, ratio):
    quadratic = approach_quadratic(wetbulb_terms(wetbulb_c), range_k)
    wanted_k = approach_k(wetbulb_c, range_k, ratio)

    assert liquid_to_gas_for(quadratic, wanted_k) == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize(
    ("args", "key"),
    [
        ((27.5, 5.0, 1.0), "wetbulb_c"),
        ((20.0, 0.5, 1.0), "range_k"),
        ((20.0, 5.0, 9.0), "liquid_to_gas"),
    ],
)
def test_the_correlation_refuses_what_it_does_not_know(args, key):
    with pytest.raises(ParameterError, match=key):
        approach_k(*args)


def test_a_wet_bulb_off_the_correlation_is_held_and_said_once():
    cells = tower()
    assert cells.terms(29.0) == wetbulb_terms(26.7)
    cells.terms(30.0)
    assert len(cells.warnings) == 1
    assert "29.0" in cells.warnings[0]


def test_a_wet_bulb_just_off_it_is_said_with_the_digits_that_show_it():
    cells = tower()
    cells.terms(26.7034)
    assert "wet bulb 26.703 degC (known for -34.4..26.7 degC)" in cells.warnings[0]


def test_minimum_supply_is_held_by_bypass_with_the_fans_off():
    cells = tower(least_supply_c=32.0)
    cells.size(2, 1e6, 0.0)
    supply_c, air = cells.supply_c(-5.0, cells.terms(-5.0), 1.1, 1.0, cells.set_point_c(-5.0))

    assert supply_c == cells.least_supply_c
    assert cells.fan_w(2, air) == 0.0


@given(st.floats(-25, 28), st.floats(0, 10), st.floats(1.2, 9.0))
def test_wetter_air_never_cools_the_water_more(wetbulb_c, wetter_k, range_k):
    cells = tower()
    low, _ = supplied(cells, wetbulb_c, range_k)
    high_c = wetbulb_c + wetter_k
    high, _ = supplied(cells, high_c, range_k)

    assert high >= low - 1e-9


def made_up(weather_c, air=1.0, **changes):
    """Make-up of a cell that cools 1 MW from 35 to 29.44 degC. [kg/s]."""
    cell = tower(**changes)
    cell.size(1, 1e6, 0.0)
    return cell.water_kg_per_s(1e6, weather_c, air, 35.0, 1e6 / 5.56)


@pytest.mark.parametrize("weather_c", [(28.0, 25.0), (30.0, 24.0), (32.0, 25.6)])
def test_a_humid_summers_day_evaporates_a_percent_of_the_water_for_seven_kelvin(weather_c):
    """ASHRAE, *HVAC Systems and Equipment*, "Cooling Towers": about 1 % for 7 K, here 5.56 K."""
    evaporated = made_up(weather_c) * 3.0 / 4.0  # four cycles of concentration
    circulating = 1e6 / (4186.0 * 5.56)
    assert evaporated / circulating == pytest.approx(0.01 * 5.56 / 7.0, rel=0.25)


def test_dry_heat_takes_more_water_than_humid_heat_of_the_same_wet_bulb():
    humid, dry, desert = (made_up((c, 20.0)) for c in (21.0, 30.0, 40.0))
    assert dry > 1.3 * humid
    assert desert > 1.2 * dry


def test_frost_takes_little_water():
    assert made_up((-20.0, -20.5), 0.3) < 0.65 * made_up((25.0, 20.0))


def test_more_cycles_of_concentration_save_water():
    few, many = (made_up((20.0, 15.0), cycles_of_concentration=c) for c in (3, 6))
    assert many < few


def test_an_idle_cell_loses_its_drift_only():
    cell = tower()
    cell.size(1, 1e6, 0.0)
    assert cell.water_kg_per_s(0.0, (20.0, 15.0), 0.125, 20.0, 4186.0) == cell.drift_fraction


@given(
    st.tuples(st.floats(-5.0, 10.0), st.floats(-0.2, 2.0), st.floats(-0.01, 0.1)),
    st.floats(0.5, 20.0),
    st.floats(0.3, 5.0),
)
def test_the_range_of_a_tower_alone_takes_what_the_other_water_gives(quadratic, over_k, flows):
    p0, p1, p2 = quadratic
    above_k = p0 + over_k
    range_k = unaided_range_k(quadratic, above_k, flows)
    if (p1 + flows) ** 2 + 4.0 * p2 * over_k > 0.0:
        taken_k = above_k - (p0 + p1 * range_k + p2 * range_k**2)
        assert flows * range_k == pytest.approx(taken_k, rel=1e-6, abs=1e-9)


# ---- cells ----

TOWERS = [name for name in NAMES if "tower" in plant_keys(name)]
LARGE = design(racks=1000, servers=2000)


@pytest.mark.parametrize("name", TOWERS)
@pytest.mark.parametrize("weather_c", [(32.0, 24.0), (15.0, 11.0), (2.0, 0.0)])
def test_the_same_water_over_more_cells_takes_less_fan_power_and_no_more_of_the_rest(
    name, weather_c
):
    fans_w, power_w, inlet_c = [], [], []
    for staging in ("fewest", "all"):
        made = plant(name, LARGE, tower__staging=staging, tower__spares=4)
        state = steady(made, 0.6 * LARGE.heat_w, *weather_c)
        fans_w.append(sum(w for part, w in state.parts_w.items() if part.endswith("_fan")))
        power_w.append(state.power_w)
        inlet_c.append(state.inlet_c)
    assert power_w[1] <= power_w[0] * (1.0 + 1e-9)
    assert power_w[1] < power_w[0] or fans_w[1] == fans_w[0]
    assert inlet_c[1] == pytest.approx(inlet_c[0], abs=1e-6)


@pytest.mark.parametrize(
    ("pumps", "flow", "in_service", "fewest", "every"),
    [(1, 1.0, 3, 1, 1), (3, 3.0, 9, 3, 4), (6, 6.0, 7, 6, 7), (4, 4.0, 3, 3, 3), (2, 1.6, 3, 2, 2)],
)
def test_no_cell_gets_less_than_its_least_flow(pumps, flow, in_service, fewest, every):
    for staging, cells in (("fewest", fewest), ("all", every)):
        made = tower(staging=staging)
        made.in_service = in_service
        assert made.wetted(pumps, flow) == cells


@pytest.mark.parametrize(
    ("key", "value"),
    [("approach_k", -1.0), ("cycles_of_concentration", 1.0), ("min_speed", 0.1)],
)
def test_impossible_towers_are_refused(key, value):
    with pytest.raises(ConfigError, match=f"cooling.tower.{key}={value}"):
        tower(**{key: value})
