import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import settings as plant_keys
from twin.config import parse
from twin.cooling.dry_cooler import DryCooler, relative_conductance
from twin.errors import ConfigError, ParameterError


def cooler(altitude_m=0.0, load_w=2931e3, **changes):
    keys = plant_keys("direct_liquid_dry")["cooler"] | {"margin": 1.0} | changes
    made = parse(DryCooler, keys, "cooling.cooler")
    made.size(load_w, 46.11 - 40.55, altitude_m)
    return made


def test_the_bac_data_sheet_point():
    """TDFS1238N: 2931 kW with water 46.11 -> 40.55 degC in air at 35 degC, fans 117.68 kW."""
    made = cooler()
    heat_w = made.exchange_w_per_k(made.water_w_per_k, 1.0) * (46.11 - 35.0)

    assert heat_w == pytest.approx(2931e3, rel=0.02)
    assert made.fan_w(1.0) == pytest.approx(117.68e3, rel=0.02)


def test_fewer_banks_never_draw_less_for_the_same_air():
    """The spare bank runs in place of another; with more out, the rest turn faster."""
    made = cooler(duty_banks=4, spares=1)
    powers = []
    for banks in (5, 4, 3, 2):
        made.set_available(banks / 5)
        powers.append(made.fan_w(0.5))
    assert powers[0] == powers[1]
    assert powers[2:] == pytest.approx([powers[0] * (4 / 3) ** 2, powers[0] * 2**2])
    made.set_available(0.6)
    assert made.fan_w(made.most_air) == pytest.approx(0.75 * made.full_fan_w)
    made.set_available(0.0)
    assert made.fan_w(made.still_air_fraction) == 0.0


@given(st.floats(0.3, 1.0), st.floats(0.1, 1.0))
def test_air_flow_is_the_inverse_of_the_exchange(water, air):
    made = cooler()
    flow = water * made.water_w_per_k
    assert made.air_for(made.exchange_w_per_k(flow, air), flow) == pytest.approx(air, rel=1e-4)


@given(st.floats(0.4, 1.0), st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_more_air_never_cools_less(water, one, other):
    made = cooler()
    flow = water * made.water_w_per_k
    low, high = sorted((one, other))
    assert made.exchange_w_per_k(flow, low) <= made.exchange_w_per_k(flow, high) * (1 + 1e-12)


def test_fans_stop_when_still_air_suffices_and_cannot_pass_their_full_speed():
    made = cooler()
    assert made.fan_w(made.air_for(1.0, made.water_w_per_k)) == 0.0
    assert made.air_for(1e9, made.water_w_per_k) == 1.0


def test_thin_air_takes_more_fan_power():
    assert cooler(1400.0).fan_w(1.0) == pytest.approx(cooler().fan_w(1.0) / 0.8465, rel=1e-3)


def test_one_bank_of_five_is_spare():
    made = cooler()
    made.set_available(0.8)
    assert made.most_air == pytest.approx(1.0)
    made.set_available(0.4)
    assert made.most_air == pytest.approx(0.5)


def test_conductance_is_one_at_design_and_needs_flow():
    assert relative_conductance(1.0, 1.0, 0.4) == pytest.approx(1.0)
    with pytest.raises(ParameterError, match="water, air"):
        relative_conductance(0.0, 1.0, 0.5)


def test_a_coil_no_one_can_build_is_refused():
    with pytest.raises(ConfigError, match=r"approach_k=0\.1"):
        cooler(approach_k=0.1)
    with pytest.raises(ConfigError, match="approach_k=-1"):
        cooler(approach_k=-1.0)
