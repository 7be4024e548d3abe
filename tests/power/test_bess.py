"""Storage at the meter: what it shaves, what it costs, and that it never exports."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.power.bess import Bess, discharge_w


def bess(contracted_w=1e6, **keys):
    values = {
        "at": "utility",
        "power_fraction": 0.2,
        "hours": 2.0,
        "round_trip_efficiency": 0.81,
        "reserve_fraction": 0.1,
        "import_limit_fraction": 0.9,
        "charge_below_price": None,
        "discharge_above_price": None,
    }
    storage = Bess(**(values | keys))
    storage.size(contracted_w)
    return storage


@given(st.floats(0, 1e8), st.floats(0, 1e8), st.floats(0, 1e8), st.booleans(), st.booleans())
def test_it_never_exports_nor_charges_above_the_limit(site_w, limit_w, power_w, dear, cheap):
    give_w = discharge_w(site_w, limit_w, power_w, dear=dear, cheap=cheap)
    assert abs(give_w) <= power_w
    assert site_w - give_w >= -1e-6
    if site_w <= limit_w:
        assert site_w - give_w <= limit_w * (1 + 1e-12)


@given(st.lists(st.tuples(st.floats(0, 2e6), st.floats(1, 3600)), min_size=1, max_size=30))
def test_energy_in_is_energy_out_plus_heat_plus_what_is_stored(beats):
    storage = bess()
    for site_w, dt_s in beats:
        before_j = storage.stored_j
        drawn_w, heat_w = storage.step(site_w, None, dt_s)
        assert heat_w >= 0.0
        assert storage.stored_j - before_j == pytest.approx((drawn_w - heat_w) * dt_s, abs=1e-3)
        assert 0.1 * 1.44e9 - 1 <= storage.stored_j <= 1.44e9 + 1


def test_a_peak_is_shaved_until_the_reserve_is_reached():
    storage = bess()
    assert storage.step(1.0e6, None, 60.0)[0] == pytest.approx(-0.1e6)
    shaved = [storage.step(1.0e6, None, 600.0)[0] for _ in range(40)]
    assert shaved[-1] == 0.0
    given_j = 0.1e6 * 60 - 600 * sum(shaved)
    assert given_j == pytest.approx(0.9 * 1.44e9 * 0.9)  # usable energy, one way


def test_a_cycle_costs_the_round_trip():
    storage = bess(import_limit_fraction=None, charge_below_price=0.3, discharge_above_price=0.8)
    out_j = sum(-storage.step(1e6, 0.9, 600.0)[0] * 600.0 for _ in range(40))
    in_j = sum(storage.step(1e6, 0.2, 600.0)[0] * 600.0 for _ in range(40))
    assert out_j / in_j == pytest.approx(0.81)


def test_between_the_prices_it_rests():
    storage = bess(import_limit_fraction=None, charge_below_price=0.3, discharge_above_price=0.8)
    assert storage.step(1e6, 0.5, 60.0) == (0.0, 0.0)
    assert storage.step(1e6, None, 60.0) == (0.0, 0.0)


def test_without_a_limit_nothing_is_above_it():
    assert discharge_w(1e9, math.inf, 1e6, dear=False, cheap=False) == 0.0


@pytest.mark.parametrize(("low", "high"), [(0.5, None), (None, 0.5), (0.8, 0.3)])
def test_prices_come_in_pairs_low_and_high(low, high):
    with pytest.raises(ParameterError, match="discharge_above_price"):
        bess(charge_below_price=low, discharge_above_price=high)
