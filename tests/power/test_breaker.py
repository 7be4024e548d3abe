"""Inverse-time trips against the class of moulded-case breakers, and memory of overload."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.power.breaker import Breaker, trip_s


def breaker():
    return Breaker(constant_s=80.0, instant_fraction=10.0, cooling_s=300.0)


@pytest.mark.parametrize(
    ("load_fraction", "from_s", "to_s"),
    [(1.25, 60, 600), (1.35, 60, 600), (2.0, 10, 60), (10.0, 0, 0.1)],
)
def test_trip_times_lie_in_the_published_band(load_fraction, from_s, to_s):
    assert from_s <= trip_s(load_fraction, 80.0, 10.0) <= to_s


def test_the_rating_itself_is_carried_for_ever():
    assert trip_s(1.0, 80.0, 10.0) == math.inf
    assert breaker().trips_in_s(1.0) == math.inf


@given(st.floats(1.01, 20.0), st.integers(1, 40))
def test_a_constant_overload_trips_after_the_curve_whatever_the_step(load_fraction, steps):
    one = breaker()
    bears_s = one.trips_in_s(load_fraction)
    opened = [one.bear(load_fraction, bears_s / steps) for _ in range(steps)]
    assert opened[-1]
    assert bears_s == 0.0 or not any(opened[:-1])


def test_repeated_overloads_add_up_and_a_pause_is_forgotten():
    one = breaker()
    whole_s = one.trips_in_s(1.5)
    assert not one.bear(1.5, 0.6 * whole_s)
    one.bear(0.5, 1.0)
    assert one.trips_in_s(1.5) == pytest.approx(0.4 * whole_s, rel=0.02)
    one.bear(0.5, 1e5)
    assert one.trips_in_s(1.5) == whole_s


def test_a_closed_breaker_is_cold():
    one = breaker()
    one.bear(5.0, 1e3)
    one.reset()
    assert one.heat == 0.0


@pytest.mark.parametrize("bad", [(-0.1, 80, 10), (1, 0, 10), (1, 80, 1)])
def test_values_outside_the_range_are_refused(bad):
    with pytest.raises(ParameterError):
        trip_s(*bad)


def test_a_breaker_that_always_opens_is_refused():
    with pytest.raises(ParameterError, match="instant_fraction=1"):
        Breaker(constant_s=80.0, instant_fraction=1.0, cooling_s=300.0)
