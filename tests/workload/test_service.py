"""A service follows its demand, within its capacity, and turns the rest away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ConfigError, ParameterError
from twin.workload.rhythm import Rhythm
from twin.workload.service import Decode, InferenceService, batch_of_tokens

# ML.ENERGY, Llama-3.1-70B on four H100 of 700 W: batch, W per GPU, output tokens per second
MEASURED = [(8, 441, 470), (64, 500, 2511), (128, 546, 3876), (512, 623, 5921), (1024, 637, 6827)]


def decode(**more):
    settings = {
        "tokens_per_s_limit": 7470.0,
        "half_batch": 121.0,
        "batch_max": 1024,
        "power_floor": 0.63,
        "power_span": 0.28,
        "power_batch": 180.0,
        "idle_fraction": 0.10,
    }
    return Decode(**(settings | more))


def fleet(**more):
    settings = {
        "replicas": 10,
        "gpus_per_replica": 4,
        "requests_per_s": 50.0,
        "tokens_per_request": 350.0,
        "decode": decode(batch_max=256),
        "rhythm": Rhythm(swing=0.45, peak_hour=15, weekend_factor=0.7),
        "noise_fraction": 0.1,
    }
    return InferenceService(**(settings | more))


def profile(service, context):
    (offer,) = service.services(context)
    return offer.profile


@pytest.mark.parametrize(("batch", "watts", "tokens_per_s"), MEASURED)
def test_throughput_and_power_agree_with_the_measurement(batch, watts, tokens_per_s):
    curve = decode(batch_max=batch)
    assert curve.capacity_tokens_per_s() == pytest.approx(tokens_per_s, rel=0.03)
    made = np.array([curve.capacity_tokens_per_s()])
    power = 70 + curve.activity(made)[0] * (700 - 70)  # activity is 0 at idle power, 1 at TDP
    assert power == pytest.approx(watts, rel=0.06)


@given(st.floats(0.001, 1000))
def test_batch_and_throughput_are_inverse(batch):
    made = 7470 * batch / (batch + 121)
    assert float(batch_of_tokens(np.array([made]), 7470, 121)[0]) == pytest.approx(batch, rel=1e-9)


def test_a_throughput_beyond_the_limit_is_refused():
    with pytest.raises(ParameterError, match="tokens_per_s"):
        batch_of_tokens(np.array([7470.0]), 7470, 121)


def test_activity_rises_from_zero_with_demand():
    tokens = np.linspace(0, decode().capacity_tokens_per_s(), 500)
    activity = decode().activity(tokens)
    assert activity[0] == 0
    assert np.all(np.diff(activity) >= 0)
    assert activity[-1] <= 1


def test_below_one_request_the_gpus_idle_in_between():
    alone = 7470 / 122  # tokens/s of a single request
    half, full = decode().activity(np.array([alone / 2, alone]))
    assert half == pytest.approx(full / 2)


@pytest.mark.parametrize("step_s", [60.0, 900.0, 3600.0, 21_600.0])
def test_the_step_changes_neither_energy_nor_requests(context, step_s):
    """A service's mean activity, and with it its energy, is the same however it is sampled."""
    fine, coarse = profile(fleet(), context()), profile(fleet(step_s=step_s), context())
    for name in ("activity", "requests_per_s", "tokens_per_s", "unserved_requests_per_s"):
        assert getattr(coarse, name).mean() == pytest.approx(getattr(fine, name).mean(), rel=1e-12)


def test_the_profile_covers_the_run_and_one_step_more_at_most(context):
    (offer,) = fleet(step_s=7200.0).services(context(days=1.01))
    assert offer.step_s == 7200
    assert len(offer.profile.activity) == 13
    assert (offer.name, offer.gpus) == ("inference", 40)


def test_served_and_turned_away_make_up_the_demand(context):
    small, big = fleet(replicas=4), fleet(replicas=1000)
    there, all_served = profile(small, context()), profile(big, context())
    assert all_served.unserved_requests_per_s.max() == pytest.approx(0, abs=1e-9)
    both = there.requests_per_s + there.unserved_requests_per_s
    assert both == pytest.approx(all_served.requests_per_s)
    assert there.unserved_requests_per_s.sum() > 0
    assert there.tokens_per_s == pytest.approx(350 * there.requests_per_s)
    most = 4 * small.decode.capacity_tokens_per_s() / 350
    assert there.requests_per_s.max() == pytest.approx(most)
    assert "turned away" in small.warnings[0]
    assert big.warnings == []


def test_mean_demand_over_a_week_is_the_one_asked_for(context):
    quiet = profile(fleet(noise_fraction=0.0, replicas=100), context())
    assert quiet.requests_per_s.mean() == pytest.approx(50, rel=1e-6)


def test_peak_and_trough_follow_the_rhythm(context):
    day = profile(fleet(noise_fraction=0.0, replicas=100), context()).requests_per_s[:288]
    workday = 50 * 7 / 6.4
    assert day.max() == pytest.approx(1.45 * workday, rel=1e-3)
    assert day.min() == pytest.approx(0.55 * workday, rel=1e-3)
    assert np.argmax(day) == pytest.approx(15 * 12, abs=1)


def test_noise_is_seeded(context):
    first, again = (profile(fleet(), context(seed=3)).requests_per_s for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, profile(fleet(), context(seed=4)).requests_per_s)


def test_it_has_no_jobs(context):
    assert list(fleet().jobs(context())) == []


def test_a_fleet_larger_than_the_facility_is_refused(context):
    with pytest.raises(ConfigError, match=r"workload.replicas=10: of 4 GPUs each, 40 GPUs"):
        fleet().check(context(gpus=32))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"power_span": 0.5}, "power_span=0.5: must be <= 0.37"),
        ({"idle_fraction": 0.7}, "idle_fraction=0.7: must be below power_floor=0.63"),
    ],
)
def test_a_power_curve_above_tdp_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        decode(**wrong)


def test_a_step_of_broken_minutes_is_refused():
    with pytest.raises(ParameterError, match="step_s=90"):
        fleet(step_s=90.0)


# ---- growth and build-out ----


def test_demand_grows_by_equal_factors_each_day(context):
    flat = {"rhythm": Rhythm(), "noise_fraction": 0.0, "requests_per_s": 1.0}
    growing = fleet(**flat, growth=[(0.0, 1.0), (2.0, 4.0)])
    requests = profile(growing, context(days=3)).requests_per_s
    assert requests[288] / requests[0] == pytest.approx(2.0)
    assert requests[-1] == pytest.approx(4.0)


def test_tranches_share_the_load_from_their_day_on(context):
    flat = {"rhythm": Rhythm(), "noise_fraction": 0.0, "requests_per_s": 60.0}
    whole = profile(fleet(**flat), context(days=1))
    first, second = fleet(**flat, build_out=[(0.0, 4), (0.5, 10)]).services(context(days=1))
    assert (first.gpus, second.gpus) == (16, 24)
    assert second.profile.activity[:144].max() == 0.0
    late = slice(144, None)
    assert first.profile.activity[late] == pytest.approx(whole.activity[late])
    together = first.profile.requests_per_s + second.profile.requests_per_s
    assert together[late] == pytest.approx(whole.requests_per_s[late])
    served = together + first.profile.unserved_requests_per_s
    assert served == pytest.approx(np.full(288, 60.0))


@pytest.mark.parametrize(
    "steps", [[(1.0, 10)], [(0.0, 4)], [(0.0, 4), (1.0, 4)], [(0.0, 10), (0.0, 10)]]
)
def test_a_build_out_that_ends_elsewhere_is_refused(steps):
    with pytest.raises(ParameterError, match="build_out"):
        fleet(build_out=steps)


def test_slowed_gpus_serve_less_and_work_as_hard(context):
    (offer,) = fleet(requests_per_s=60.0).services(context())
    usual, slow = offer.profile, offer.paced(0.5)
    most = 10 * decode(batch_max=256).capacity_tokens_per_s()
    asked = usual.requests_per_s + usual.unserved_requests_per_s
    assert slow.requests_per_s + slow.unserved_requests_per_s == pytest.approx(asked)
    assert slow.tokens_per_s.max() == pytest.approx(0.5 * most)
    assert np.all(slow.requests_per_s <= usual.requests_per_s * (1 + 1e-12))
    assert np.all(slow.activity >= usual.activity)
    assert offer.paced(1.0).requests_per_s == pytest.approx(usual.requests_per_s)
    assert offer.paced(0.5) is slow
