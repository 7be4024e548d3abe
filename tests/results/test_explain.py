"""Fronts, effects of settings, and where two designs differ."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.results import explain
from twin.results.explain import non_dominated

points = st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=25)


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(explain).failed == 0


@given(points, st.tuples(*[st.sampled_from(["lower", "higher"])] * 3))
def test_the_front_is_what_pairwise_comparison_says(rows, better):
    values = np.array(rows, dtype=float)
    sign = np.array([1.0 if sense == "lower" else -1.0 for sense in better])

    def beats(a, b):
        return (sign * a <= sign * b).all() and (sign * a < sign * b).any()

    beaten = [any(beats(b, a) for b in values) for a in values]
    assert non_dominated(values, better).tolist() == [not one for one in beaten]


@given(points)
def test_every_design_off_the_front_is_beaten_by_one_on_it(rows):
    values = np.array(rows, dtype=float)
    front = non_dominated(values, ["lower"] * 3)
    assert front.any()
    for row in values[~front]:
        assert ((values[front] <= row).all(axis=1) & (values[front] < row).any(axis=1)).any()


def test_a_design_without_a_figure_is_on_no_front():
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert non_dominated(values, ["lower", "lower"]).tolist() == [False, True]


def test_as_many_senses_as_columns():
    with pytest.raises(ParameterError, match="better"):
        non_dominated(np.zeros((2, 2)), ["lower"])
