"""Speed on another GPU: one for the same, between its ratios, slower with more communication."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.another_gpu import relative_speed

ratios = st.floats(0.05, 50.0)
shares = st.floats(0.0, 1.0)


@given(shares, shares)
def test_the_same_gpu_is_exactly_as_fast(memory, comm):
    assert relative_speed(1.0, 1.0, memory, comm) == 1.0


@given(ratios, ratios, shares)
def test_speed_lies_between_the_ratios_of_arithmetic_and_bandwidth(arithmetic, bandwidth, memory):
    low, high = sorted((arithmetic, bandwidth))
    assert low * (1 - 1e-12) <= relative_speed(arithmetic, bandwidth, memory) <= high * (1 + 1e-12)


def test_a_gpu_beyond_all_measure_is_as_fast_as_that_and_no_division_by_zero():
    assert relative_speed(1e20, 1e20, 0.64) == pytest.approx(1e20)
    assert relative_speed(1e20, 1e20, 0.64, 0.5) == pytest.approx(2.0)


@given(ratios, ratios, shares)
def test_what_binds_alone_decides_alone(arithmetic, bandwidth, memory):
    assert relative_speed(arithmetic, bandwidth, 0.0) == pytest.approx(arithmetic)
    assert relative_speed(arithmetic, bandwidth, 1.0) == pytest.approx(bandwidth)
    assert relative_speed(arithmetic, bandwidth, memory, 1.0) == 1.0


@given(ratios, ratios, shares, shares, st.floats(1.0, 10.0))
def test_more_arithmetic_or_bandwidth_is_never_slower(arithmetic, bandwidth, memory, comm, more):
    speed = relative_speed(arithmetic, bandwidth, memory, comm) * (1 - 1e-12)
    assert relative_speed(arithmetic * more, bandwidth, memory, comm) >= speed
    assert relative_speed(arithmetic, bandwidth * more, memory, comm) >= speed


@given(ratios, ratios, shares, shares)
def test_communication_takes_as_long_as_it_did(arithmetic, bandwidth, memory, comm):
    """The rest of the time is the rest of it without communication."""
    speed = relative_speed(arithmetic, bandwidth, memory, comm)
    alone = relative_speed(arithmetic, bandwidth, memory)
    assert 1.0 / speed == pytest.approx(comm + (1.0 - comm) / alone)


@given(ratios, ratios, shares, shares)
def test_the_way_back_takes_the_time_back(arithmetic, bandwidth, memory, comm):
    """What takes 1 s here and 1/s there takes 1 s again, its shares being those of there."""
    speed = relative_speed(arithmetic, bandwidth, memory, comm)
    if comm > 0.999:
        return
    bound = (1.0 - comm) * memory / bandwidth * speed
    back = relative_speed(
        1.0 / arithmetic, 1.0 / bandwidth, min(bound / (1.0 - comm * speed), 1.0), comm * speed
    )
    assert back * speed == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("given_values", "name"),
    [
        ((0.0, 1.0, 0.5, 0.0), "arithmetic"),
        ((1.0, -1.0, 0.5, 0.0), "bandwidth"),
        ((1.0, 1.0, 1.5, 0.0), "memory_fraction"),
        ((1.0, 1.0, 0.5, float("nan")), "comm_fraction"),
    ],
)
def test_nonsense_is_refused_by_name(given_values, name):
    with pytest.raises(ParameterError, match=name):
        relative_speed(*given_values)
