"""Cost of a GPU-hour against arithmetic done by hand."""

import doctest
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twin import economics
from twin.config import parse
from twin.economics import Building, Economics, annuity
from twin.errors import ConfigError, ParameterError

CONF = Path(__file__).resolve().parent.parent / "conf/economics"
CHOICES = sorted(path.stem for path in CONF.glob("*.yaml"))


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
    capital = own.capital(gpus, Building(nameplate_w))
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
    costs = own.costs(own.capital(8, Building(6500.0)), 8760.0, 3000.0, 0.0, "CNY")
    used = costs.per_gpu_hour(8 * 8760.0) / (2.0 * 7.0)
    assert costs.total == pytest.approx(own.rent(used * 8 * 8760, "CNY"))
    assert prices().rent(100.0, "CNY") is None


def test_impossible_arguments_are_refused():
    with pytest.raises(ParameterError, match="years=0"):
        annuity(0.1, 0.0)


@given(st.floats(0.0, 1.0))
def test_liquid_makes_the_building_dearer_by_its_share_of_the_heat(share):
    capital = prices(liquid_surcharge_per_w=2.0).capital(8, Building(6500.0, share))
    assert (capital.it, capital.floor) == (160_000.0, 0.0)
    assert capital.building == pytest.approx(6500.0 * (10.0 + 2.0 * share))


def test_floor_and_racks_are_paid_for_by_hand():
    """Two positions of 2.5 m2 at 3,000 a m2 and 4,000 a rack: 23,000, over 20 years."""
    own = prices(floor_price_per_m2=3000.0, rack_position_price=4000.0)
    capital = own.capital(8, Building(6500.0, 0.0, 5.0, 2))
    assert (capital.it, capital.building, capital.floor) == (160_000.0, 65_000.0, 23_000.0)
    costs = own.costs(capital, 8760.0, 0.0, 0.0, "USD")
    assert costs.floor_capital == pytest.approx(23_000 / 20)
    assert costs.maintenance == pytest.approx(0.02 * 248_000)
    assert costs.total == pytest.approx(32_000 + 65_000 / 20 + 23_000 / 20 + 0.02 * 248_000)


def load(name, **changes):
    data = yaml.safe_load((CONF / f"{name}.yaml").read_text()) | changes
    return parse(Economics, data, "economics")


def price_per_w(own, rack_kw, floor_m2=2.5):
    """Return what a watt of a hall of such racks costs to build."""
    capital = own.capital(8, Building(100 * rack_kw * 1e3, 0.0, 100 * floor_m2, 100))
    return (capital.building + capital.floor) / (100 * rack_kw * 1e3)


@pytest.mark.parametrize(("name", "whole"), [(n, 25 if "china" in n else 10) for n in CHOICES])
def test_prices_of_floor_and_racks_are_taken_out_of_the_price_of_a_watt(name, whole):
    """At 12 kW in 2.5 m2 all three are what surveys say of the whole: nothing counts twice."""
    assert price_per_w(load(name), 12.0) == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("name", CHOICES)
@given(st.floats(1.0, 200.0), st.floats(1.01, 10.0))
def test_denser_racks_never_make_a_watt_dearer_to_build(name, rack_kw, times):
    own = load(name)
    assert price_per_w(own, rack_kw * times) < price_per_w(own, rack_kw)


@pytest.mark.parametrize("name", CHOICES)
def test_density_saves_much_up_to_5_kw_and_little_beyond_15(name):
    """As Schneider Electric's White Paper 156 finds of rooms of its own prices."""
    own = load(name)
    at_1, at_5, at_15, at_100 = (price_per_w(own, kw) for kw in (1.0, 5.0, 15.0, 100.0))
    assert at_1 > 1.5 * at_5 > 1.5 * at_15
    assert at_15 - at_100 < 0.1 * at_15


@pytest.mark.parametrize("key", ["floor_price_per_m2", "rack_position_price"])
def test_a_price_below_nothing_is_refused_by_key(key):
    with pytest.raises(ConfigError, match=rf"economics\.{key}=-1"):
        load("default", **{key: -1})
