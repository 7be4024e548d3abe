"""Loss equations against published efficiencies and their own limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.power.elements import efficiency, loss_w, output_w

UPS = (0.0079, 0.0051, 0.0200)
LEGACY_UPS = (0.040, 0.050, 0.0)
ECO_UPS = (0.004, 0.006, 0.0)
TRANSFORMER = (0.0012, 0.0, 0.008)
PDU = (0.015, 0.0, 0.015)
BUSWAY = (0.0, 0.0, 0.0125)
RECTIFIER = (0.006, 0.004, 0.018)

coefficients = st.tuples(*[st.floats(0.0, 0.1)] * 3)


@pytest.mark.parametrize(
    ("loss", "load_fraction", "published"),
    [
        (UPS, 0.10, 0.921),
        (UPS, 0.20, 0.954),
        (UPS, 0.30, 0.964),
        (UPS, 0.50, 0.970),
        (UPS, 0.75, 0.970),
        (UPS, 1.00, 0.968),
        (LEGACY_UPS, 0.20, 0.800),
        (LEGACY_UPS, 0.50, 0.885),
        (LEGACY_UPS, 1.00, 0.917),
        (ECO_UPS, 0.20, 0.975),
        (ECO_UPS, 0.50, 0.986),
        (ECO_UPS, 1.00, 0.990),
        (TRANSFORMER, 0.50, 0.994),
        (PDU, 0.50, 0.964),
        (BUSWAY, 0.50, 0.9935),
        (RECTIFIER, 0.50, 0.976),
    ],
)
def test_efficiencies_are_the_published_ones(loss, load_fraction, published):
    assert efficiency(load_fraction, loss) == pytest.approx(published, abs=6e-4)


def test_losses_at_the_limits_are_the_coefficients():
    assert loss_w(0.0, 1e6, UPS) == pytest.approx(7900.0)
    assert loss_w(1e6, 1e6, UPS) == pytest.approx(33_000.0)
    assert efficiency(0.0, UPS) == 0.0


@given(coefficients, st.floats(0.0, 2e6), st.floats(0.0, 2e6), st.floats(1.0, 2e6))
def test_more_load_never_lowers_the_loss(loss, one_w, other_w, rated_w):
    low_w, high_w = sorted((one_w, other_w))
    assert loss_w(low_w, rated_w, loss) <= loss_w(high_w, rated_w, loss)


@given(coefficients, st.floats(0.0, 3.0), st.floats(1.0, 1e8))
def test_output_is_the_inverse_of_output_plus_loss(loss, load_fraction, rated_w):
    out_w = load_fraction * rated_w
    entering_w = out_w + loss_w(out_w, rated_w, loss)
    assert output_w(entering_w, rated_w, loss) == pytest.approx(out_w, rel=1e-9, abs=1e-9 * rated_w)


def test_an_element_fed_less_than_its_no_load_loss_delivers_nothing():
    assert output_w(500.0, 100e3, UPS) == 0.0


def test_efficiency_is_best_where_no_load_and_copper_loss_are_equal():
    best = math.sqrt(TRANSFORMER[0] / TRANSFORMER[2])
    assert efficiency(best, TRANSFORMER) > efficiency(best * 0.99, TRANSFORMER)
    assert efficiency(best, TRANSFORMER) > efficiency(best * 1.01, TRANSFORMER)


@pytest.mark.parametrize(
    ("output", "rated", "loss", "named"),
    [(-1.0, 1.0, UPS, "output_w=-1"), (1.0, 0.0, UPS, "rated_w=0"), (1, 1, (0, -0.1, 0), "loss=")],
)
def test_values_outside_the_range_are_named(output, rated, loss, named):
    with pytest.raises(ParameterError, match=named):
        loss_w(output, rated, loss)
