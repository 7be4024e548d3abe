"""Batteries: known points, limits, and energy that is never invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.power.battery import Battery, backup_s

RATED_W = 1e6


def vrla(**keys):
    values = {"type": "vrla", "minutes_at_rating": 10.0, "exponent": 1.2}
    values |= {"recharge_fraction": 0.15, "recharge_efficiency": 0.85, **keys}
    battery = Battery(**values)
    battery.size(RATED_W)
    return battery


def test_backup_time_at_the_rating_is_the_rated_time():
    assert backup_s(RATED_W, RATED_W, 600.0, 1.2) == 600.0


def test_half_the_load_lasts_two_to_the_exponent_longer():
    assert backup_s(0.5e6, RATED_W, 600.0, 1.25) == pytest.approx(600.0 * 2**1.25)


def test_a_flywheel_holds_the_same_energy_at_any_pace():
    for power_w in (1e4, 3e5, 1e6):
        assert backup_s(power_w, RATED_W, 20.0, 1.0) * power_w == pytest.approx(20.0 * RATED_W)


@given(st.floats(1.0, 3e6), st.floats(1.0, 3e6), st.floats(1.0, 1.4))
def test_a_smaller_load_never_lasts_shorter_nor_gives_less(one_w, other_w, exponent):
    small_w, large_w = sorted((one_w, other_w))
    slow_s = backup_s(small_w, RATED_W, 600.0, exponent)
    fast_s = backup_s(large_w, RATED_W, 600.0, exponent)
    assert slow_s >= fast_s * (1 - 1e-12)
    assert slow_s * small_w >= fast_s * large_w * (1 - 1e-12)


@given(st.floats(1e3, 2e6), st.integers(1, 50))
def test_emptying_does_not_depend_on_the_step(power_w, steps):
    battery = vrla()
    lasts_s = battery.lasts_s(power_w, RATED_W)
    for _ in range(steps):
        assert battery.charge > 0.0
        battery.discharge(power_w, RATED_W, lasts_s / steps)
    assert battery.charge == 0.0
    assert battery.missing_j == pytest.approx(power_w * lasts_s)
    assert battery.energy_j() >= -1e-3


@given(st.floats(1e3, 1e6), st.floats(1.0, 500.0), st.floats(1.0, 600.0))
def test_recharging_returns_all_that_was_taken_and_the_rest_is_heat(power_w, used_s, dt_s):
    battery = vrla()
    full_j = battery.energy_j()
    battery.discharge(power_w, RATED_W, used_s)
    drawn_j = heat_j = 0.0
    while battery.missing_j > 0.0:
        charge_w = battery.recharge_w(RATED_W, dt_s)
        heat_j += battery.store(charge_w, dt_s) * dt_s
        drawn_j += charge_w * dt_s
        assert charge_w <= 0.15 * RATED_W
        assert 0.0 <= battery.charge <= 1.0
    assert battery.charge == 1.0
    assert battery.energy_j() == full_j
    assert drawn_j == pytest.approx(power_w * used_s / 0.85, rel=1e-9)
    assert heat_j == pytest.approx(0.15 * drawn_j, rel=1e-9)


def test_a_full_battery_draws_nothing_and_no_load_lasts_forever():
    assert vrla().recharge_w(RATED_W, 60.0) == 0.0
    assert vrla().lasts_s(0.0, RATED_W) == float("inf")


@pytest.mark.parametrize("bad", [(0.0, 1, 1, 1), (1, 0.0, 1, 1), (1, 1, 0.0, 1), (1, 1, 1, 0.9)])
def test_values_outside_the_range_are_refused(bad):
    with pytest.raises(ParameterError):
        backup_s(*bad)
