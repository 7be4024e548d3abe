import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import settings as plant_keys
from twin.config import parse
from twin.cooling.room import Room, coupling_w_per_k
from twin.errors import ParameterError

SET_POINT = (18.0, 0.0)


def room(heat_w=5e3, racks=1, servers=1, recirculation=0.05, altitude_m=0.0):
    made = parse(Room, plant_keys("chilled_air")["room"], "cooling.room")
    made.recirculation = recirculation
    made.size(heat_w, racks, servers, altitude_m)
    made.settle(18.0)
    return made


def test_a_5_kw_cabinet_without_cooling_warms_20_k_in_about_three_minutes():
    """Measured: automatic thermal shutdown after 3 min 9 s (Opengate/Active Power)."""
    assert seconds_to_warm_20_k(5.0, 1) == pytest.approx(189, rel=0.05)


def seconds_to_warm_20_k(kw, servers):
    made = room(kw * 1e3, servers=servers)
    for second in range(1, 1000):
        made.solve(kw * 1e3, 0.0, SET_POINT, 1.0)
        made.commit()
        if made.inlet_c >= 38.0:
            return second
    return 1000


def test_denser_cabinets_have_less_time():
    """5 kW to 100 kW of air-cooled servers: from three minutes to seconds."""
    cabinets = [(5.0, 1), (13.0, 2), (26.0, 4), (50.0, 5), (100.0, 7)]
    seconds = [seconds_to_warm_20_k(kw, servers) for kw, servers in cabinets]

    assert seconds == sorted(seconds, reverse=True)
    assert seconds[3] == pytest.approx(35, abs=15)
    assert 3 <= seconds[4] <= 25


def test_coupling_grows_with_the_square_root_of_the_flow():
    assert coupling_w_per_k(400.0, 5e3, 5e3) == 400.0
    assert coupling_w_per_k(400.0, 10e3, 5e3) == pytest.approx(400.0 * math.sqrt(2.0))
    with pytest.raises(ParameterError, match="server_w=0"):
        coupling_w_per_k(400.0, 0.0, 5e3)


def test_air_store_at_rest_holds_6_to_10_m3_of_air_per_rack():
    assert 7e3 <= room().air_j_per_k <= 12e3
    assert room(altitude_m=1400.0).air_j_per_k < room().air_j_per_k


def test_without_metal_the_inlet_follows_the_first_order_response():
    """With no coupling to metal: C T' = G ((1 - r) Ts + r hot - T), one exponential."""
    made = room(6e3)
    made._coupling_w_per_k = 1e-9
    made.inlet_c = 30.0
    flow = 6e3 / made.air_rise_k
    made.solve(6e3, flow, SET_POINT, 20.0)
    made.commit()

    r = 0.05
    bypassed = r
    hot_per_inlet = 1.0 / (1.0 + bypassed)
    gain = flow / made.air_j_per_k * (1.0 - r * hot_per_inlet)
    hot_const = (made.air_rise_k + bypassed * 18.0) / (1.0 + bypassed)
    final = ((1 - r) * 18.0 + r * hot_const) / (1.0 - r * hot_per_inlet)
    assert made.inlet_c == pytest.approx(final + (30.0 - final) * math.exp(-gain * 20.0), abs=1e-6)


@given(
    st.floats(0.0, 8e3),
    st.floats(0.0, 800.0),
    st.floats(0.0, 1.0),
    st.floats(10.0, 60.0),
    st.floats(10.0, 60.0),
    st.floats(1.0, 3600.0),
)
def test_no_heat_is_lost_by_mixing(heat_w, flow, slope, inlet_c, mass_c, dt_s):
    made = room()
    made.inlet_c, made.mass_c = inlet_c, mass_c
    return_c, supply_c, stored_j = made.solve(heat_w, flow, (18.0 * (1 - slope), slope), dt_s)

    removed_j = flow * (return_c - supply_c) * dt_s
    assert stored_j + removed_j == pytest.approx(heat_w * dt_s, rel=1e-9, abs=1e-3)


def test_the_air_store_shrinks_with_altitude():
    low, high = room(), room(altitude_m=1416.0)
    assert high.air_j_per_k / low.air_j_per_k == pytest.approx(0.845, abs=1e-3)
