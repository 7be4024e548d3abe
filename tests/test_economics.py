"""Cost of a GPU-hour against arithmetic done by hand."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin import economics
from twin.economics import Economics, annuity
from twin.errors import ParameterError


def prices(**changes):
    keys = {
        "currency": "USD",
        "units_per_usd": {"USD": 1.0, "CNY": 7.0},
        "gpu_price": 10_000.0,
        "server_network_fraction": 1.0,
        "facility_price_per_w": 10.0,
        "it_life_years": 5.0,
        "facility_life_years": 20.0,
        "discount_rate": 0.0,
        "maintenance_fraction": 0.02,
        "water_price_per_m3": 0.5,
    }
    return Economics(**(keys | changes))


def gpu_hour(gpus, nameplate_w, gpu_hours, energy_cost, water_m3, hours, currency, **changes):
    own = prices(**changes)
    capital = own.capital(gpus, nameplate_w)
    return own.costs(capital, hours, energy_cost, water_m3, currency).per_gpu_hour(gpu_hours)


def test_documented_examples_hold():
    assert doctest.testmod(economics).failed == 0


def test_cost_by_hand_without_interest():
    """8 GPUs: 160,000 of IT and 65,000 of building, a year at full use."""
    cost = gpu_hour(8, 6500.0, 8 * 8760.0, 3000.0, 100.0, 8760.0, "USD")
    yearly = 160_000 / 5 + 65_000 / 20 + 0.02 * 225_000
    assert cost == pytest.approx((yearly + 3000 + 100 * 0.5) / (8 * 8760), rel=1e-12)


def test_annuity_repays_the_capital():
    """Interest on the rest, less the payment, leaves nothing at the end of life."""
    rest, payment = 1.0, annuity(0.08, 5)
    for _ in range(5):
        rest = rest * 1.08 - payment
    assert rest == pytest.approx(0.0, abs=1e-12)


@given(st.floats(0.0, 1.0), st.floats(0.5, 40.0))
def test_annuity_exceeds_both_interest_and_repayment(rate, years):
    assert annuity(rate, years) >= max(rate, 1 / years) * (1 - 1e-9)


def test_small_interest_tends_to_none():
    assert annuity(1e-9, 7.0) == pytest.approx(1 / 7, rel=1e-6)


def test_half_the_gpu_hours_cost_twice_as_much():
    full = gpu_hour(8, 6500.0, 8 * 24.0, 10.0, 1.0, 24.0, "USD")
    half = gpu_hour(8, 6500.0, 4 * 24.0, 10.0, 1.0, 24.0, "USD")
    assert half == pytest.approx(2 * full)


def test_capital_is_converted_and_energy_is_not():
    usd = gpu_hour(8, 6500.0, 100.0, 10.0, 1.0, 24.0, "USD")
    cny = gpu_hour(8, 6500.0, 100.0, 70.0, 1.0, 24.0, "CNY")
    assert cny == pytest.approx(7 * usd)


def test_no_gpu_hours_have_no_cost():
    assert gpu_hour(8, 6500.0, 0.0, 10.0, 1.0, 24.0, "USD") is None


def test_unknown_currency_is_refused_with_the_known_ones():
    with pytest.raises(ParameterError, match=r"currency=EUR: must be in units_per_usd.*CNY, USD"):
        prices().exchange("EUR")
    with pytest.raises(ParameterError, match="currency=GBP"):
        prices(currency="GBP")


def test_owning_breaks_even_where_its_cost_at_that_use_is_the_rent():
    own = prices(rent_per_gpu_hour=2.0)
    costs = own.costs(own.capital(8, 6500.0), 8760.0, 3000.0, 0.0, "CNY")
    used = costs.per_gpu_hour(8 * 8760.0) / (2.0 * 7.0)
    assert costs.total == pytest.approx(own.rent(used * 8 * 8760, "CNY"))
    assert prices().rent(100.0, "CNY") is None


def test_impossible_arguments_are_refused():
    with pytest.raises(ParameterError, match="years=0"):
        annuity(0.1, 0.0)


@given(st.floats(0.0, 1.0))
def test_liquid_makes_the_building_dearer_by_its_share_of_the_heat(share):
    it, building = prices(liquid_surcharge_per_w=2.0).capital(8, 6500.0, share)
    assert it == 160_000.0
    assert building == pytest.approx(6500.0 * (10.0 + 2.0 * share))
