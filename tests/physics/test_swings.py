"""Pulse trains have exact means, and the figures of a waveform are those one reads off it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.swings import pulse_means, swing

shares = st.floats(0.0, 1.0)


@given(
    period_s=st.floats(0.2, 40.0),
    duty=shares,
    edge_s=st.floats(0.01, 5.0),
    phase=shares,
    begin_s=st.floats(0.0, 100.0),
    steps=st.integers(1, 5),
)
def test_the_mean_over_whole_steps_is_the_duty_whatever_edge_and_phase(
    period_s, duty, edge_s, phase, begin_s, steps
):
    edges = np.linspace(begin_s, begin_s + steps * period_s, 101)
    means = pulse_means(edges, period_s=period_s, duty=duty, edge_s=edge_s, phase=phase)
    assert means.mean() == pytest.approx(duty, abs=1e-7)
    assert means.min() > -1e-7
    assert means.max() < 1.0 + 1e-7


def test_a_sharp_pulse_is_the_square_wave_counted_by_hand():
    edges = np.linspace(0.0, 10.0, 101)
    means = pulse_means(edges, period_s=5.0, duty=0.6, edge_s=1e-4, phase=0.2)
    middle = 0.5 * (edges[:-1] + edges[1:])
    assert means == pytest.approx(((middle + 1.0) % 5.0 < 3.0).astype(float), abs=1e-3)


def test_a_ramp_lasts_as_long_as_its_edge():
    edges = np.arange(0.0, 4.0 + 1e-9, 0.05)
    means = pulse_means(edges, period_s=4.0, duty=0.5, edge_s=0.4, phase=0.0)
    fastest = np.abs(np.diff(means)).max() / 0.05
    assert fastest == pytest.approx(1.0 / 0.4, rel=1e-9)
    between = ((means > 1e-9) & (means < 1.0 - 1e-9)).sum() * 0.05
    assert between == pytest.approx(2 * 0.4, abs=0.05)


def test_figures_of_a_square_wave_are_its_closed_forms():
    sample_s = 0.05
    square = np.where(np.arange(400) * sample_s % 4.0 < 3.0, 20.0, 8.0)
    found = swing(square, sample_s)
    assert (found.low_w, found.high_w, found.swing_w) == (8.0, 20.0, 12.0)
    assert found.mean_w == pytest.approx(17.0)
    assert found.dominant_hz == pytest.approx(0.25)
    assert found.ramp_w_per_s == pytest.approx(12.0 / sample_s)
    assert found.flatten_w == pytest.approx(9.0)
    assert found.flatten_j == pytest.approx(9.0 * 1.0)  # 9 W short for a second in each step


def test_a_level_power_does_not_swing():
    found = swing(np.full(10, 5.0), 0.1)
    assert found.dominant_hz is None
    assert (found.swing_w, found.flatten_j) == (0.0, 0.0)


@pytest.mark.parametrize("wrong", [{"period_s": 0.0}, {"edge_s": 0.0}, {"duty": 1.1}])
def test_what_is_no_pulse_is_refused(wrong):
    keys = {"period_s": 4.0, "duty": 0.5, "edge_s": 0.1, "phase": 0.0} | wrong
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        pulse_means(np.arange(3.0), **keys)
