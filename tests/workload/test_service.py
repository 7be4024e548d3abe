"""A service follows its demand, within its capacity, and turns the rest away."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workload.conftest import H100, fleet, hardware
from twin.errors import ConfigError, ParameterError
from twin.workload.decode import batch_of_tokens
from twin.workload.fluid import capacity_per_s
from twin.workload.lengths import LengthConfig, Lengths
from twin.workload.rhythm import Rhythm

# ML.ENERGY, Llama-3.1-70B on four H100 of 700 W: batch, W per GPU, output tokens per second
MEASURED = [(8, 441, 470), (64, 500, 2511), (128, 546, 3876), (512, 623, 5921), (1024, 637, 6827)]


def lasting(batch_max):
    """Return a service whose replicas run so many requests at once."""
    return fleet(engine=replace(fleet().engine, batch_max=batch_max))


def profile(service, context):
    (offer,) = service.services(context)
    return offer.profile


@pytest.mark.parametrize(("batch", "watts", "tokens_per_s"), MEASURED)
def test_throughput_and_power_agree_with_the_measurement(on_h100, batch, watts, tokens_per_s):
    curve = lasting(batch).decode(on_h100())
    made = curve.capacity_tokens_per_s()
    assert made == pytest.approx(tokens_per_s, rel=0.06)
    assert 700 * curve.drawn(np.array([made]))[0] == pytest.approx(watts, rel=0.02)


@pytest.mark.parametrize(
    "tokens", [LengthConfig(190, 350), LengthConfig(2000, 28), LengthConfig(500, 90, 1.0, 0.7)]
)
def test_a_replica_makes_what_it_makes_request_by_request(on_h100, tokens):
    service = fleet(tokens=tokens)
    replica = service.replica(H100.peak_flops, hardware(H100))
    lengths = Lengths(*tokens.draw(on_h100().rng("workload.lengths"), 20_000))
    curve = service.decode(on_h100())
    served = curve.capacity_tokens_per_s() / curve.tokens_per_request
    assert served == pytest.approx(capacity_per_s(replica, lengths), rel=1e-9)


def test_power_is_that_of_steps_and_of_the_prompts_that_come_with_them(on_h100, decode):
    """By hand, for 64 requests of 190 and 350 tokens, each of them 349 steps."""
    replica = fleet().replica(H100.peak_flops, hardware(H100))
    step_s = replica.costs.decode_s(64, 64 * 365.0)
    prompts_s = 64 / 349 * replica.costs.prefill_s(190.0)
    power = step_s * replica.power.decode(64, 64 * 365.0) + prompts_s * replica.power.prefill()
    made = np.array([64 * 350 / 349 / (step_s + prompts_s)])
    assert decode.running(made)[0] == pytest.approx(64)
    assert decode.drawn(made)[0] == pytest.approx(power / (step_s + prompts_s))


@given(st.floats(0.001, 1000))
def test_batch_and_throughput_are_inverse(batch):
    made = 7470 * batch / (batch + 121)
    assert float(batch_of_tokens(np.array([made]), 7470, 121)[0]) == pytest.approx(batch, rel=1e-9)


def test_a_throughput_beyond_the_limit_is_refused():
    with pytest.raises(ParameterError, match="tokens_per_s"):
        batch_of_tokens(np.array([7470.0]), 7470, 121)


def test_power_rises_from_idle_with_demand(decode):
    power = decode.drawn(np.linspace(0, decode.capacity_tokens_per_s(), 500))
    assert power[0] == pytest.approx(0.1), "70 of 700 W"
    assert np.all(np.diff(power) >= 0)
    assert power[-1] <= 1


def test_below_one_request_the_gpus_idle_in_between(decode):
    alone = decode.tokens_per_s(1)
    idle, half, full = decode.drawn(np.array([0.0, alone / 2, alone]))
    assert half == pytest.approx((idle + full) / 2)


@pytest.mark.parametrize("step_s", [60.0, 900.0, 3600.0, 21_600.0])
def test_the_step_changes_neither_energy_nor_requests(on_h100, step_s):
    """A service's energy is the same however it is sampled."""
    fine, coarse = profile(fleet(), on_h100()), profile(fleet(step_s=step_s), on_h100())
    for name in ("requests_per_s", "tokens_per_s", "unserved_requests_per_s"):
        assert getattr(coarse, name).mean() == pytest.approx(getattr(fine, name).mean(), rel=1e-12)
    watts = [
        np.mean([H100.gpu_power_w(activity) for activity in each.activity.tolist()])
        for each in (fine, coarse)
    ]
    assert watts[0] == pytest.approx(watts[1], rel=1e-4)


def test_the_profile_covers_the_run_and_one_step_more_at_most(on_h100):
    (offer,) = fleet(step_s=7200.0).services(on_h100(days=1.01))
    assert offer.step_s == 7200
    assert len(offer.profile.activity) == 13
    assert (offer.name, offer.gpus) == ("inference", 40)


def test_served_and_turned_away_make_up_the_demand(on_h100):
    small, big = fleet(replicas=4), fleet(replicas=1000)
    there, all_served = profile(small, on_h100()), profile(big, on_h100())
    assert all_served.unserved_requests_per_s.max() == pytest.approx(0, abs=1e-9)
    both = there.requests_per_s + there.unserved_requests_per_s
    assert both == pytest.approx(all_served.requests_per_s)
    assert there.unserved_requests_per_s.sum() > 0
    assert there.tokens_per_s == pytest.approx(350 * there.requests_per_s)
    most = 4 * small.decode(on_h100()).capacity_tokens_per_s() / 350
    assert there.requests_per_s.max() == pytest.approx(most)
    assert "were not served: 4 replicas cannot take them, or" in small.warnings[0]
    assert big.warnings == []


def test_mean_demand_over_a_week_is_the_one_asked_for(on_h100):
    quiet = profile(fleet(noise_fraction=0.0, replicas=100), on_h100())
    assert quiet.requests_per_s.mean() == pytest.approx(50, rel=1e-6)


def test_peak_and_trough_follow_the_rhythm(on_h100):
    day = profile(fleet(noise_fraction=0.0, replicas=100), on_h100()).requests_per_s[:288]
    workday = 50 * 7 / 6.4
    assert day.max() == pytest.approx(1.45 * workday, rel=1e-3)
    assert day.min() == pytest.approx(0.55 * workday, rel=1e-3)
    assert np.argmax(day) == pytest.approx(15 * 12, abs=1)


def test_noise_is_seeded(on_h100):
    first, again = (profile(fleet(), on_h100(seed=3)).requests_per_s for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, profile(fleet(), on_h100(seed=4)).requests_per_s)


def test_it_has_no_jobs(on_h100):
    assert list(fleet().jobs(on_h100())) == []


def test_a_fleet_larger_than_the_facility_is_refused(on_h100):
    with pytest.raises(ConfigError, match=r"workload.replicas=10: of 4 GPUs each, 40 GPUs"):
        fleet().check(on_h100(gpus=32))


def test_a_model_too_large_for_its_gpus_is_refused(on_h100):
    with pytest.raises(ConfigError, match=r"workload.gpus_per_replica=1: weights of 141 GB"):
        fleet(gpus_per_replica=1).check(on_h100())


def test_a_step_of_broken_minutes_is_refused():
    with pytest.raises(ParameterError, match="step_s=90"):
        fleet(step_s=90.0)


# ---- growth and build-out ----


def test_demand_grows_by_equal_factors_each_day(on_h100):
    flat = {"rhythm": Rhythm(), "noise_fraction": 0.0, "requests_per_s": 1.0}
    growing = fleet(**flat, growth=[(0.0, 1.0), (2.0, 4.0)])
    requests = profile(growing, on_h100(days=3)).requests_per_s
    assert requests[288] / requests[0] == pytest.approx(2.0)
    assert requests[-1] == pytest.approx(4.0)


def test_tranches_share_the_load_from_their_day_on(on_h100):
    flat = {"rhythm": Rhythm(), "noise_fraction": 0.0, "requests_per_s": 60.0}
    whole = profile(fleet(**flat), on_h100(days=1))
    first, second = fleet(**flat, build_out=[(0.0, 4), (0.5, 10)]).services(on_h100(days=1))
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


def test_slowed_gpus_serve_less_and_work_as_hard(on_h100, decode):
    (offer,) = fleet(requests_per_s=60.0).services(on_h100())
    usual, slow = offer.profile, offer.paced(0.5)
    most = 10 * decode.capacity_tokens_per_s()
    asked = usual.requests_per_s + usual.unserved_requests_per_s
    assert slow.requests_per_s + slow.unserved_requests_per_s == pytest.approx(asked)
    assert slow.tokens_per_s.max() == pytest.approx(0.5 * most)
    assert np.all(slow.requests_per_s <= usual.requests_per_s * (1 + 1e-12))
    assert np.all(slow.activity >= usual.activity)
    assert offer.paced(1.0).requests_per_s == pytest.approx(usual.requests_per_s)
    assert offer.paced(0.5) is slow
