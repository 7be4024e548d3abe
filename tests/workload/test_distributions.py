"""Means of job sizes and run times are exact; draws agree with them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.workload.distributions import (
    RunTimes,
    ServerSizes,
    check_quantiles,
    clipped_mean,
    draw_quantiles,
    solve_rising,
    tail,
    whole_mean,
)


def quantiles_of_a_lognormal(mu, sigma, n=200_001):
    """Values at equally likely points, by the inverse of the tail: an independent oracle."""
    normal = np.array([0.0]) if n == 1 else np.linspace(-9, 9, n)
    density = np.exp(-(normal**2) / 2)
    return np.exp(mu + sigma * normal), density / density.sum()


@pytest.mark.parametrize(
    ("mu", "sigma", "low", "high"),
    [(0.0, 1.0, 0.0, 5.0), (-3.0, 2.2, 0.01, 300.0), (2.0, 0.5, 3.0, 9.0), (9.0, 1.0, 1.0, 10.0)],
)
def test_clipped_mean_matches_numerical_integration(mu, sigma, low, high):
    value, weight = quantiles_of_a_lognormal(mu, sigma)
    numeric = float((np.clip(value, low, high) * weight).sum())
    assert clipped_mean(mu, sigma, low, high) == pytest.approx(numeric, rel=1e-4)


def test_mean_without_bounds_is_that_of_the_lognormal():
    assert clipped_mean(0.3, 0.8, 0.0, 1e30) == pytest.approx(math.exp(0.3 + 0.32), rel=1e-12)


def test_whole_mean_is_the_sum_over_all_sizes():
    mu, sigma, low, high = 1.1, 1.5, 2, 40
    share = {k: tail(k - 1, mu, sigma) - tail(k, mu, sigma) for k in range(low + 1, high)}
    share[low], share[high] = 1 - tail(low, mu, sigma), tail(high - 1, mu, sigma)
    assert sum(share.values()) == pytest.approx(1)
    expected = sum(k * p for k, p in share.items())
    assert whole_mean(mu, sigma, low, high) == pytest.approx(expected, rel=1e-12)


@given(st.floats(0.01, 0.99), st.floats(0.05, 5.0), st.floats(0.0, 2.0), st.floats(2.5, 1000.0))
def test_any_mean_within_the_bounds_is_met_exactly(part, sigma, low, high):
    mean = low + part * (high - low)
    run = RunTimes(mean_h=mean, max_h=high, min_h=low, sigma=sigma)
    assert clipped_mean(run.mu, run.spread, low, high) == pytest.approx(mean, rel=1e-9)


def test_mean_and_median_of_the_acme_trace_give_its_spread():
    run = RunTimes(mean_h=0.393, median_h=0.0339, max_h=336)
    assert math.exp(run.mu) == pytest.approx(0.0339)
    assert clipped_mean(run.mu, run.spread, 0, 336) == pytest.approx(0.393, rel=1e-9)
    assert run.spread == pytest.approx(math.sqrt(2 * math.log(0.393 / 0.0339)), rel=0.01)


def test_draws_have_the_mean_and_stay_within_the_bounds():
    run, n = RunTimes(mean_h=2.3, sigma=1.5, min_h=0.01, max_h=100), 200_000
    drawn_h = run.draw_s(np.random.default_rng(1), n) / 3600
    error = drawn_h.std() / math.sqrt(n)
    assert abs(drawn_h.mean() - 2.3) < 4 * error
    assert drawn_h.min() >= 0.01
    assert drawn_h.max() == 100


def test_sizes_are_whole_servers_with_the_mean_asked_for():
    sizes, n = ServerSizes(mean=10, sigma=1.5, max=512), 200_000
    drawn = sizes.draw(np.random.default_rng(2), n)
    assert abs(drawn.mean() - 10) < 4 * drawn.std() / math.sqrt(n)
    assert (drawn.min(), drawn.max()) == (1, 512)
    assert whole_mean(sizes.mu, 1.5, 1, 512) == pytest.approx(10, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mean_h": 5.0, "max_h": 4.0, "sigma": 1.0}, "mean_h=5.0: must be between 0.0 and 4.0"),
        ({"mean_h": 1.0, "max_h": 4.0}, "sigma=None: must be given"),
        ({"mean_h": 1.0, "max_h": 4.0, "sigma": 1.0, "median_h": 0.5}, "sigma=1.0: must be given"),
        ({"mean_h": 1.0, "max_h": 4.0, "median_h": 2.0}, "mean_h=1.0: must be above median_h=2.0"),
        ({"mean_h": 3.9, "max_h": 4.0, "median_h": 0.1}, "mean_h=3.9: must be above"),
        ({"mean_h": 1.0, "max_h": 4.0, "min_h": 5.0, "sigma": 1.0}, "min_h=5.0: must be below"),
    ],
)
def test_impossible_run_times_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        RunTimes(**wrong)


def test_impossible_sizes_are_refused():
    with pytest.raises(ParameterError, match="mean=600: must be between min=1 and max=512"):
        ServerSizes(mean=600, sigma=1, max=512)
    with pytest.raises(ParameterError, match="min=9: must be below max=8"):
        ServerSizes(mean=8, sigma=1, min=9, max=8)


@pytest.mark.parametrize(
    "points", [[(0, 1)], [(0, 0.1), (0.5, 0.2)], [(0, 0), (0.5, 1), (0.5, 1), (1, 1)]]
)
def test_quantile_points_must_cover_every_probability(points):
    with pytest.raises(ParameterError, match="activity"):
        check_quantiles(points, "activity")


def test_quantile_points_must_not_fall():
    with pytest.raises(ParameterError, match="never falls"):
        check_quantiles([(0, 0.5), (1, 0.4)], "activity")


def test_draws_from_quantile_points_have_their_mean():
    points, n = [(0, 0.1), (0.5, 0.2), (1, 1.0)], 100_000
    drawn = draw_quantiles(points, np.random.default_rng(3), n)
    exact = 0.5 * 0.15 + 0.5 * 0.6
    assert abs(drawn.mean() - exact) < 4 * drawn.std() / math.sqrt(n)


def test_solving_finds_a_root_at_zero():
    assert abs(solve_rising(lambda x: x**3, 0.0, -3.0, 2.0)) < 1e-13
