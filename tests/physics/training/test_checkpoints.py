"""Checkpoints, failures and goodput: closed forms and published figures."""

import pytest

from twin.physics.training.checkpoints import (
    checkpoint_bytes,
    daly_interval_s,
    goodput_fraction,
    mean_time_to_failure_s,
    young_interval_s,
)


def test_projected_time_to_failure_of_the_research_superclusters():
    assert mean_time_to_failure_s(16384 / 8, 6.5e-3) / 3600 == pytest.approx(1.8, rel=0.05)
    assert mean_time_to_failure_s(131072 / 8, 6.5e-3) / 3600 == pytest.approx(0.23, rel=0.05)


def test_checkpoint_of_llama3_lies_within_the_published_range():
    assert 5.6e12 <= checkpoint_bytes(405e9) <= 6.5e12


@pytest.mark.parametrize("mttf_s", [3600.0, 86400.0])
@pytest.mark.parametrize("checkpoint_s", [5.0, 60.0])
def test_the_interval_of_daly_loses_no_more_than_any_other_within_a_thousandth(
    mttf_s, checkpoint_s
):
    at_daly = goodput_fraction(
        daly_interval_s(checkpoint_s, mttf_s, 0.0), checkpoint_s, mttf_s, 300.0
    )
    tried = [20.0 * 1.02**i for i in range(400)]
    best = max(tried, key=lambda tau: goodput_fraction(tau, checkpoint_s, mttf_s, 300.0))
    assert at_daly > goodput_fraction(best, checkpoint_s, mttf_s, 300.0) - 1e-3
    assert daly_interval_s(checkpoint_s, mttf_s, 0.0) == pytest.approx(best, rel=0.05)


def test_goodput_to_first_order():
    tau, c, m, r = 300.0, 1.0, 1e6, 10.0
    expected = 1 - c / tau - tau / (2 * m) - r / m
    assert goodput_fraction(tau, c, m, r) == pytest.approx(expected, abs=1e-4)


def test_goodput_of_the_llama3_run():
    """16 384 GPUs, 3.9e-3 failures per node-day, 15 s blocked, 8 min restart: above 90 %."""
    mttf_s = mean_time_to_failure_s(2048, 3.9e-3)
    tau_s = young_interval_s(15.0, mttf_s)
    assert 54 * 86400 / mttf_s == pytest.approx(419, rel=0.05)
    assert goodput_fraction(tau_s, 15.0, mttf_s, 480.0) == pytest.approx(0.90, abs=0.04)


def test_young_and_daly_agree_where_failures_are_rare():
    assert daly_interval_s(1.0, 1e9, 60.0) == pytest.approx(young_interval_s(1.0, 1e9), rel=1e-4)
