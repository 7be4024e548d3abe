"""A service on GPUs that heat or a power cap slows down: fewer fit, and all wait longer."""

import numpy as np
import pytest

from tests.workload.test_serving import chat
from twin.workload.request_mode import WorkClock
from twin.workload.serving_fleet import parts_of_steps

MODES = ("fluid", "requests")
FLAT = {"swing": 0.0, "weekend_factor": 1.0}


def small(configured, **more):
    settings = {
        "replicas": 4, "autoscaling": None, "noise_fraction": 0.0, "requests_per_s": 20.0, **more
    }  # fmt: skip
    return chat(configured, **settings)


@pytest.mark.parametrize("mode", MODES)
def test_at_its_own_pace_nothing_changes(configured, on_h100, mode):
    serving = small(configured, mode=mode)
    serving.serve(on_h100(days=0.05))
    assert serving.latency([]) is serving.latency([(100.0, 1.0)]) is serving.served.latency


@pytest.mark.parametrize("mode", MODES)
def test_at_half_pace_from_the_start_every_token_takes_twice_as_long(
    configured,
    on_h100,
    mode,
):
    """So few requests that they never meet: what is left is the time of prompt and tokens."""
    serving = small(configured, mode=mode, requests_per_s=0.02)
    serving.serve(on_h100(days=0.5))
    usual, slow = serving.latency(), serving.latency([(0.0, 0.5)])
    assert slow.requests == pytest.approx(usual.requests)
    assert slow.itl_s(0.5) == pytest.approx(2 * usual.itl_s(0.5), rel=0.03)
    assert slow.ttft_s(0.5) == pytest.approx(2 * usual.ttft_s(0.5), rel=0.05)


def test_both_modes_agree_on_what_a_cap_costs(configured, on_h100):
    paces = [(1200.0, 0.7), (2400.0, 1.0)]
    found = []
    for mode in MODES:
        serving = small(configured, mode=mode, requests_per_s=34.0, rhythm=FLAT)
        serving.serve(on_h100(days=1 / 24))
        found.append(serving.latency(paces))
    fluid, single = found
    assert fluid.itl_s(0.5) == pytest.approx(single.itl_s(0.5), rel=0.08)
    assert fluid.itl_s(0.9) == pytest.approx(single.itl_s(0.9), rel=0.15)
    assert fluid.within_fraction() == pytest.approx(single.within_fraction(), abs=0.05)


@pytest.mark.parametrize("mode", MODES)
def test_the_profile_of_a_slower_fleet_serves_no_more_and_works_harder(
    configured,
    on_h100,
    mode,
):
    serving = small(configured, mode=mode, requests_per_s=45.0, rhythm=FLAT)
    (offer,) = serving.services(on_h100(days=0.05))
    slow = offer.paced(0.6)
    assert np.all(slow.requests_per_s <= offer.profile.requests_per_s * (1 + 1e-9))
    assert slow.within_per_s.sum() < 0.9 * offer.profile.within_per_s.sum()
    assert np.all(slow.activity >= offer.profile.activity - 1e-6)


def test_what_a_slower_fleet_cannot_serve_is_said(configured, on_h100):
    serving = small(configured, requests_per_s=45.0, rhythm=FLAT)
    serving.serve(on_h100(days=0.05))
    assert serving.warnings == []
    serving.latency([(600.0, 0.5), (1800.0, 1.0)])
    (said,) = serving.warnings
    assert "more were not served because heat or a power limit slowed the GPUs" in said


def test_requests_within_their_objective_add_up_to_the_summary(configured, on_h100):
    for mode in MODES:
        serving = small(configured, mode=mode, requests_per_s=45.0, rhythm=FLAT)
        served = serving.serve(on_h100(days=0.05))
        within = served.within_per_s.sum() / served.judged_per_s.sum()
        assert within == pytest.approx(served.latency.within_fraction(), rel=1e-9)


def test_paces_split_steps_and_the_parts_add_up():
    parts = parts_of_steps([(30.0, 0.5), (150.0, 0.8), (10_000.0, 1.0)], 4, 60.0)
    assert parts[0.5].tolist() == [0.5, 1.0, 0.5, 0.0]
    assert sum(parts.values()).tolist() == [1.0] * 4


def test_work_and_clock_are_each_others_inverse():
    clock = WorkClock([(100.0, 0.5), (300.0, 1.0)])
    at_s = np.array([0.0, 50.0, 100.0, 200.0, 300.0, 1000.0])
    assert clock.work_s(at_s).tolist() == [0, 50, 100, 150, 200, 900]
    assert clock.at_s(clock.work_s(at_s)) == pytest.approx(at_s)
    assert [clock.rate(w) for w in (50.0, 150.0, 250.0)] == [1.0, 0.5, 1.0]
