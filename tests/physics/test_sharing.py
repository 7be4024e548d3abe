"""What a spread job loses, by hand and by its limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.sharing import outlasting_fraction, spanning_rate


def test_a_job_on_one_leaf_loses_nothing():
    assert spanning_rate(0.9, 1, 10.0) == 1.0


def test_hidden_communication_costs_nothing_until_it_outlasts_its_cover():
    assert outlasting_fraction([(0.2, 0.5)], 1.5) == 0.0
    assert outlasting_fraction([(0.2, 0.5), (0.1, 0.4)], 7.0) == pytest.approx(1.1 + 0.4)
    assert outlasting_fraction([], 7.0) == 0.0


def test_what_is_not_hidden_at_full_bandwidth_is_in_the_step_already():
    assert outlasting_fraction([(0.5, 0.3)], 0.0) == 0.0
    assert outlasting_fraction([(0.5, 0.3)], 1.0) == pytest.approx(0.5)


def test_communication_above_the_whole_step_is_refused():
    with pytest.raises(ParameterError, match=r"comm_fraction=1.5: must be >= 0 and <= 1"):
        spanning_rate(1.5, 2, 2.0)


@given(st.floats(0, 1), st.integers(2, 100), st.floats(1, 10), st.floats(0, 1), st.floats(1, 10))
def test_rate_never_rises_with_communication_or_oversubscription(f, leaves, s, g, t):
    rate = spanning_rate(f, leaves, s)
    assert 0 < rate <= 1
    assert spanning_rate(max(f, g), leaves, max(s, t)) <= rate * (1 + 1e-12)
    assert spanning_rate(f, leaves + 1, s) <= rate * (1 + 1e-12)
