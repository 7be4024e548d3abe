import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.flow import affinity_power_w, cycling_power_w, moving_power_w


@pytest.mark.parametrize(
    ("pressure_pa", "rise_k", "efficiency", "kw_per_kw"),
    [(400.0, 12.0, 0.6, 0.046), (200.0, 14.0, 0.6, 0.0197)],
)
def test_air_handler_fan_power_per_heat(pressure_pa, rise_k, efficiency, kw_per_kw):
    volume = 1e3 / (1.2 * 1006.0 * rise_k)
    assert moving_power_w(pressure_pa, volume, efficiency) / 1e3 == pytest.approx(
        kw_per_kw, rel=0.01
    )


@pytest.mark.parametrize(("rise_k", "kw_per_kw"), [(6.0, 0.017), (10.0, 0.010)])
def test_pump_power_per_heat(rise_k, kw_per_kw):
    volume = 1e3 / (rise_k * 4186.0 * 998.0)
    assert moving_power_w(300e3, volume, 0.7) / 1e3 == pytest.approx(kw_per_kw, rel=0.03)


def test_half_speed_is_an_eighth_of_the_power():
    assert affinity_power_w(1000.0, 0.5, 3.0) == 125.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_flow_never_costs_less(one, other):
    low, high = sorted((one, other))
    assert cycling_power_w(1e3, low, 0.3, 0.125, 3.0) <= cycling_power_w(1e3, high, 0.3, 0.125, 3.0)


def test_a_cycling_fan_meets_the_affinity_law_at_its_least_speed():
    assert cycling_power_w(1e3, 0.3, 0.3, 0.125, 3.0) == pytest.approx(27.0)
    assert cycling_power_w(1e3, 0.3 - 1e-9, 0.3, 0.125, 3.0) == pytest.approx(27.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: affinity_power_w(1e3, -0.1, 3.0), "speed=-0.1"),
        (lambda: moving_power_w(-1.0, 1.0, 0.5), "pressure_pa=-1.0"),
        (lambda: moving_power_w(1.0, 1.0, 0.0), "efficiency=0.0"),
        (lambda: cycling_power_w(1e3, 0.5, 0.1, 0.125, 3.0), "min_speed=0.1"),
    ],
)
def test_impossible_machines_are_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
