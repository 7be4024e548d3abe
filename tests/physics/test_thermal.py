import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.thermal import (
    air_density,
    carnot_cop,
    crossflow_effectiveness,
    crossflow_ntu,
    linear_pair,
    ramp_factor,
    relax,
)


@pytest.mark.parametrize(("altitude_m", "ratio"), [(1416, 0.845), (1193, 0.868), (1139, 0.873)])
def test_air_is_thinner_at_the_high_sites(altitude_m, ratio):
    assert air_density(altitude_m) / air_density(0.0) == pytest.approx(ratio, abs=1e-3)


def test_altitude_outside_the_atmosphere_model_is_refused():
    with pytest.raises(ParameterError, match="altitude_m=9000"):
        air_density(9000.0)


@given(st.floats(-50.0, 5.0))
def test_ramp_factor_is_continuous_through_its_series(z):
    exact = math.fsum(z**k / math.factorial(k + 2) for k in range(60)) if abs(z) < 5 else None
    if exact is not None:
        assert ramp_factor(z) == pytest.approx(exact, rel=1e-9)
    assert ramp_factor(z) > 0.0


@given(st.floats(-20, 60), st.floats(-20, 60), st.floats(0, 50))
def test_first_order_response_equals_the_closed_form_and_loses_no_heat(start, target, steps):
    change, mean = relax(start, target, steps)

    assert start + change == pytest.approx(target + (start - target) * math.exp(-steps), abs=1e-9)
    assert change == pytest.approx(steps * (target - mean), abs=1e-9)


def test_one_node_alone_follows_the_first_order_response():
    """With a negligible second body the pair is the textbook exponential."""
    tau_s = 100.0
    x, _, mean, _ = linear_pair(20.0, 20.0, (-1 / tau_s, 1e-12, 1e-12, -1e-12), 0.3, 0.0, 70.0)

    final = 0.3 * tau_s
    assert 20.0 + x == pytest.approx(final + (20.0 - final) * math.exp(-0.7), abs=1e-6)
    assert mean == pytest.approx(
        final + (20.0 - final) * tau_s / 70.0 * (1 - math.exp(-0.7)), abs=1e-6
    )


rates = st.floats(1e-5, 0.2)


@given(rates, rates, rates, st.floats(-1, 1), st.floats(10, 60), st.floats(10, 60))
def test_one_long_step_equals_many_short_ones(lose, give, take, source, x, y):
    a = (-lose - give, give, take, -take)
    long = linear_pair(x, y, a, source, 0.0, 300.0)
    xs, ys, x_sum = x, y, 0.0
    for _ in range(60):
        x_change, y_change, x_mean, _ = linear_pair(xs, ys, a, source, 0.0, 5.0)
        xs, ys = xs + x_change, ys + y_change
        x_sum += x_mean

    assert x + long[0] == pytest.approx(xs, abs=1e-7)
    assert y + long[1] == pytest.approx(ys, abs=1e-7)
    assert long[2] == pytest.approx(x_sum / 60, abs=1e-7)


@given(rates, rates, st.floats(-1, 1), st.floats(10, 60), st.floats(10, 60), st.floats(1, 3600))
def test_change_and_mean_belong_together_even_for_a_pure_integrator(give, take, source, x, y, dt_s):
    """x' = give (y - x) + source has no way to lose heat: its matrix is singular."""
    x_change, y_change, x_mean, y_mean = linear_pair(
        x, y, (-give, give, take, -take), source, 0.0, dt_s
    )

    assert x_change == pytest.approx(dt_s * (give * (y_mean - x_mean) + source), abs=1e-6)
    assert x_change / give + y_change / take == pytest.approx(
        source * dt_s / give, rel=1e-9, abs=1e-6
    )


@given(st.floats(0.0, 20.0), st.floats(0.0, 1.0))
def test_effectiveness_and_transfer_units_are_inverse(ntu, ratio):
    effectiveness = crossflow_effectiveness(ntu, ratio)

    assert 0.0 <= effectiveness <= 1.0
    if effectiveness < 0.999:
        assert crossflow_ntu(effectiveness, ratio) == pytest.approx(ntu, rel=1e-5, abs=1e-9)


def test_a_refrigerator_that_lifts_nothing_is_refused():
    with pytest.raises(ParameterError, match="hot_c=10"):
        carnot_cop(10.0, 10.0)
