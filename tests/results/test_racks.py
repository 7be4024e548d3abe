"""Rack power: histograms agree with sorting all the samples."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.results import racks as module
from twin.results.racks import BINS, RackPower


def feed(power_w, rated_w, dt_s=60.0):
    racks = RackPower(power_w.shape[1], rated_w)
    for beat in power_w:
        racks.beat(beat, dt_s)
    return racks


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(module).failed == 0


def test_means_and_peaks_are_exact_and_p95_within_one_bin():
    power_w = np.random.default_rng(0).uniform(0.0, 10e3, (1000, 7))
    racks = feed(power_w, 10e3)
    assert racks.mean_w() == pytest.approx(power_w.mean(axis=0), rel=1e-12)
    assert (racks.peak_w() == power_w.max(axis=0)).all()
    exact = np.percentile(power_w, 95, axis=0)
    assert np.abs(racks.p95_w() - exact).max() <= 10e3 / BINS


def test_pooled_density_over_racks_of_different_ratings():
    rng = np.random.default_rng(2)
    rated_w = np.array([6.5e3, 30e3, 100e3])
    power_w = rng.uniform(0.2, 1.0, (500, 3)) * rated_w
    mean_kw, p95_kw, peak_kw = feed(power_w, rated_w).density_kw()
    assert mean_kw == pytest.approx(power_w.mean() / 1e3)
    assert p95_kw == pytest.approx(np.percentile(power_w, 95) / 1e3, abs=100.0 / BINS)
    assert peak_kw == power_w.max() / 1e3


def test_the_peak_of_a_row_is_of_its_racks_together_and_the_last_row_may_be_short():
    racks = RackPower(5, 10e3, per_row=2)
    power_w = np.array([[1.0, 2.0, 5.0, 0.0, 4.0], [3.0, 3.0, 0.0, 1.0, 3.0]])
    assert racks.block(power_w, np.full(2, 60.0)).tolist() == [5.0, 6.0]
    assert racks.row_peak_w() == 6.0, "not 9, the peaks of two racks at different times"
    racks.beat(np.array([0.0, 0.0, 0.0, 0.0, 7.0]), 60.0)
    assert racks.row_peak_w() == 7.0
    rowless = RackPower(5, 10e3)
    assert np.isnan(rowless.block(power_w, np.full(2, 60.0)))
    assert rowless.row_peak_w() is None


def test_beats_weigh_by_their_length():
    racks = RackPower(1, 100.0)
    racks.beat(np.array([10.0]), 90.0)
    racks.beat(np.array([90.0]), 10.0)
    assert racks.mean_w().tolist() == [18.0]
    assert racks.histogram_s().sum() == 100.0
    assert racks.p95_w()[0] == pytest.approx(90.0, abs=0.5)


def test_a_rack_at_its_rating_is_not_counted_as_over_it_but_above_is():
    racks = feed(np.array([[10e3], [10e3], [10.4e3]]), 10e3)
    histogram = racks.histogram_s()[0]
    assert histogram[BINS - 1] == 120.0 and histogram[BINS] == 60.0
    assert racks.p95_w()[0] == 10.4e3


def test_a_constant_rack_has_all_percentiles_at_its_power():
    racks = feed(np.full((100, 2), 3210.0), 10e3)
    assert racks.p95_w() == pytest.approx(3210.0, abs=1e-9)
    assert racks.density_kw() == pytest.approx((3.21, 3.21, 3.21))


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(1, 5))
def test_no_time_is_lost_whatever_the_number_of_beats(beats, racks):
    power_w = np.random.default_rng(beats).uniform(0.0, 12e3, (beats, racks))
    seen = feed(power_w, 10e3)
    assert (seen.histogram_s().sum(axis=1) == beats * 60.0).all()
    assert (seen.p95_w() <= seen.peak_w()).all()


def test_nothing_seen_is_not_a_number():
    assert np.isnan(RackPower(2, 1e3).mean_w()).all()
    assert np.isnan(RackPower(2, 1e3).p95_w()).all()


def test_a_rating_of_zero_is_refused():
    with pytest.raises(ParameterError, match="rated_w=0"):
        RackPower(2, 0.0)
