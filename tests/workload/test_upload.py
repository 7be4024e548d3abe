"""Uploads: a pipe of finite width against closed forms."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.workload.rhythm import Rhythm
from twin.workload.upload import (
    STEP_S,
    STEPS_PER_DAY,
    Fleet,
    Ingest,
    inflow,
    reached_s,
    through_pipe,
    wan_clips_per_s,
)

MILLION = {"vehicles": 1_000_000, "gb_per_vehicle_day": 1.0, "clip_mb": 100.0}
MONDAY = datetime(2023, 7, 3)


def backlog(fleet, wan_gbps, days=3):
    recorded = fleet.recorded(MONDAY, 0, days, np.random.default_rng(0))
    wan = wan_clips_per_s(wan_gbps, fleet.clip_bytes)
    flow = inflow(recorded, 0.0, wan, 1e12)
    return flow.recorded - flow.uploaded


def test_a_petabyte_a_day_needs_93_gbps():
    even = Fleet(**MILLION)
    assert even.clips_per_day == 1e7
    assert backlog(even, 93).max() == 0
    assert backlog(even, 92.6).max() == pytest.approx(0, abs=1e-3)
    # At 80 Gb/s the rest piles up evenly: 1 PB less 0.864 PB each day.
    short = backlog(even, 80.0)
    assert short[STEPS_PER_DAY] == pytest.approx(1e7 - 80e9 / 8 * 86400 / 1e8, rel=1e-9)
    assert short[2 * STEPS_PER_DAY] == pytest.approx(2 * short[STEPS_PER_DAY], rel=1e-9)


def test_an_evening_peak_waits_for_the_night():
    """A cosine of swing s through its own mean: the backlog peaks at s / pi of a day's clips."""
    cosine = Fleet(**MILLION, rhythm=Rhythm(swing=0.8, peak_hour=18.0))
    waiting = backlog(cosine, 1e15 * 8 / 86400 / 1e9)
    assert waiting.max() / 1e7 == pytest.approx(0.8 / np.pi, rel=2e-3)


def test_small_files_are_bound_by_metadata_and_large_ones_by_bytes():
    small = Ingest(write_gb_per_s=100, files_per_s=1e5, file_kb=100)
    large = Ingest(write_gb_per_s=100, files_per_s=1e5, file_kb=64_000)
    assert small.clips_per_s(1e8) == 1e5 * 1e5 / 1e8
    assert large.clips_per_s(1e8) == 100e9 / 1e8


def test_a_level_is_reached_within_a_step_or_never():
    at_s, total = np.array([0.0, 10.0, 20.0]), np.array([0.0, 4.0, 8.0])
    assert reached_s(total, at_s, 6.0) == pytest.approx(15.0)
    assert reached_s(total, at_s, 0.0) == 0.0
    assert reached_s(total, at_s, 9.0) == np.inf


def test_a_pipe_without_width_is_refused():
    with pytest.raises(ParameterError, match="most_per_step=0"):
        through_pipe(np.array([0.0, 1.0]), 0.0)


steps = st.lists(st.floats(0, 1e6), min_size=1, max_size=40)


@given(clips=steps, width=st.floats(1.0, 1e6))
def test_a_pipe_loses_nothing_never_runs_ahead_and_never_idles(clips, width):
    arrived = np.concatenate([[0.0], np.cumsum(clips)])
    left = through_pipe(arrived, width)
    scale = 1e-9 * (arrived[-1] + width * len(arrived))
    waiting = arrived - left
    assert (waiting >= 0).all()
    assert (np.diff(left) >= -scale).all()
    assert (np.diff(left) <= width + scale).all()
    # One queue after the other, step by step, by Lindley's recursion.
    rest = 0.0
    for clip, after in zip(clips, waiting[1:], strict=True):
        rest = max(0.0, rest + clip - width)
        assert after == pytest.approx(rest, abs=scale)


def test_days_vary_by_the_noise_and_are_the_same_for_a_longer_run():
    noisy = Fleet(**MILLION, noise_fraction=0.1)
    short = noisy.recorded(MONDAY, -2, 4, np.random.default_rng(3))
    long = noisy.recorded(MONDAY, -2, 9, np.random.default_rng(3))
    assert (long[: len(short)] == short).all()
    daily = np.diff(long[::STEPS_PER_DAY])
    assert 0.03 < daily.std() / daily.mean() < 0.2
    assert STEP_S * STEPS_PER_DAY == 86400
