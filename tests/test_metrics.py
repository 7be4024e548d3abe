"""Scorecard formulas: known points, limits, and what they owe each other."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin import metrics
from twin.errors import ParameterError

energy = st.floats(1.0, 1e15)


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(metrics).failed == 0


@pytest.mark.parametrize(
    "value",
    [
        metrics.pue(1.0, 0.0),
        metrics.ppue(1.0, 0.0),
        metrics.tue(1.0, 0.0, 0.0),
        metrics.tue(2.0, 1.0, 1.0),
        metrics.wue_l_per_kwh(1.0, 0.0),
        metrics.cue_kg_per_kwh(1.0, 0.0),
        metrics.ere(1.0, 0.0, 0.0),
        metrics.mlc(1.0, 0.0),
        metrics.elc(0.0, 0.0),
        metrics.goodput_fraction(0.0, 0.0),
        metrics.mfu(0.0, 3e14, 0.0),
        metrics.free_cooling_fraction(0.0, 0.0),
    ],
)
def test_a_ratio_over_nothing_does_not_exist(value):
    assert value is None


@given(energy, energy, energy, energy)
def test_partial_pues_add_up_to_pue(it, loss, cooling, aux):
    whole = metrics.pue(it + loss + cooling + aux, it)
    parts = sum(metrics.ppue(part, it) - 1.0 for part in (loss, cooling, aux))
    assert whole == pytest.approx(1.0 + parts, rel=1e-9)


@given(energy, energy, st.floats(0.0, 0.9))
def test_tue_is_never_below_pue_and_equals_it_without_fans(it, rest, fan_share):
    assert metrics.tue(it + rest, it, 0.0) == metrics.pue(it + rest, it)
    assert metrics.tue(it + rest, it, fan_share * it) >= metrics.pue(it + rest, it)


def test_ere_equals_pue_where_no_heat_is_reused():
    assert metrics.ere(1.3, 0.0, 1.0) == metrics.pue(1.3, 1.0)


def test_elc_is_one_minus_the_path_efficiency():
    efficiency = 0.99 * 0.965 * 0.98
    assert metrics.elc(1.0 - efficiency, efficiency) == pytest.approx(1.0 - efficiency)


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_slowdown_is_never_below_one(turnaround, service):
    assert metrics.slowdown(turnaround, service) >= 1.0


def test_slowdown_refuses_negative_times():
    with pytest.raises(ParameterError, match="turnaround_s=-1"):
        metrics.slowdown(-1.0, 5.0)
