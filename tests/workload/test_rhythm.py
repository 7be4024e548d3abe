"""A week's rhythm has mean 1 and is undone exactly by the time change."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.workload.rhythm import WEEK_S, Rhythm, TimeChange, seconds_since_monday

rhythms = st.builds(
    Rhythm, swing=st.floats(0, 1), peak_hour=st.floats(0, 24), weekend_factor=st.floats(0.05, 3)
)


@given(rhythms)
def test_mean_over_a_week_is_one(rhythm):
    middles = np.arange(450.0, WEEK_S, 900.0)
    assert rhythm.weight(middles).mean() == pytest.approx(1, rel=1e-12)


def test_peak_trough_and_weekend_are_as_named():
    rhythm = Rhythm(swing=0.4, peak_hour=15, weekend_factor=0.5)
    workday, weekend = 7 / 6, 7 / 12  # (5 x 1 + 2 x 0.5) / 7 = 6/7 is the mean
    at = np.array([15, 3, 5 * 24 + 15]) * 3600.0
    assert rhythm.weight(at) == pytest.approx([1.4 * workday, 0.6 * workday, 1.4 * weekend])


@given(rhythms, st.floats(0, 30 * 86400), st.integers(0, 10_000))
def test_clock_and_even_time_are_inverse(rhythm, clock_s, start_minute):
    change = TimeChange(rhythm, datetime(2023, 7, 3) + timedelta(minutes=start_minute))
    there = change.even_s(clock_s)
    assert float(change.clock_s(np.array([there]))[0]) == pytest.approx(clock_s, abs=1e-3)


@given(rhythms)
def test_a_whole_week_is_a_week_of_even_time(rhythm):
    change = TimeChange(rhythm, datetime(2023, 7, 5, 13, 37))
    assert change.even_s(WEEK_S) == pytest.approx(WEEK_S, rel=1e-12)


def test_no_rhythm_changes_no_time():
    change = TimeChange(Rhythm(), datetime(2023, 7, 5, 13, 37))
    even = np.linspace(0, 3 * WEEK_S, 1001)
    assert change.clock_s(even) == pytest.approx(even, abs=1e-6)


def test_monday_midnight_is_second_zero():
    assert seconds_since_monday(datetime(2023, 7, 3)) == 0
    assert seconds_since_monday(datetime(2023, 7, 9, 23, 59, 59)) == WEEK_S - 1
