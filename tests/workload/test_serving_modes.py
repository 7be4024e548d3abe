"""Request mode against hand arithmetic and theory, and the fluid against request mode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.physics.inference import StepCosts, StepPower
from twin.physics.queueing import birth_death
from twin.workload.fluid import Fleet, capacity_per_s, serve_fluid
from twin.workload.latency import Objective
from twin.workload.lengths import LengthConfig, Lengths
from twin.workload.replica import Replica
from twin.workload.request_mode import Requests, booked, in_turn, records, run_replica
from twin.workload.scaling import Autoscaling

# Llama-3.1-70B on four H100, as in conf/workload/serving_70b.yaml.
COSTS = StepCosts(0.0161, 8.5e-5, 3.2e-8, 6.7e-5, 4.48e5)
POWER = StepPower(COSTS, 0.25, 5.66e-3, 6.12e-5, 1.33e-8, 5.5e-5)
CHAT = LengthConfig(600, 250, 1.0, 0.8, 8000)


def replica(costs=COSTS, batch_max=256):
    return Replica(4, costs, batch_max, POWER, 0.1, 700.0)


def requests(*rows):
    at_s, prompt, output = zip(*rows, strict=True)
    return Requests(np.array(at_s, dtype=float), np.array(prompt), np.array(output))


def alone(costs, *rows, batch_max=256, queue_max_s=1e9):
    return run_replica(replica(costs, batch_max), requests(*rows), 60, 60.0, queue_max_s)


def poisson(rate, seconds, seed=1, lengths=CHAT):
    rng = np.random.default_rng(seed)
    number = rng.poisson(rate * seconds)
    at_s = np.sort(rng.uniform(0, seconds, number))
    return Requests(at_s, *lengths.draw(rng, number))


# ---- one replica, by hand ----


def test_a_request_alone_is_prefilled_and_then_decoded_step_by_step():
    record = alone(COSTS, (3.0, 1000, 101))
    first = 1000 * COSTS.per_prompt_token_s
    # 100 more tokens; token k is made with a cache of 1000 + k, on average halfway.
    steps = sum(COSTS.decode_s(1, 1001 + k + 0.5) for k in range(100))
    assert record.ttft_s[0] == pytest.approx(first)
    assert record.finished_s[0] == pytest.approx(3.0 + first + steps)
    assert sum(record.tokens) == pytest.approx(101)


def test_two_requests_share_the_steps_and_the_second_holds_up_the_first():
    costs = StepCosts(0.01, 0.01, 0.0, 0.001, 1e6)
    # The first is given 10 tokens alone (0.02 s each), waits 0.1 s for the second's prompt,
    # has 10 tokens left (0.03 s each), and the second's last 10 come alone again.
    record = alone(costs, (0.0, 100, 21), (0.3, 100, 21))
    assert record.ttft_s.tolist() == pytest.approx([0.1, 0.1 + 0.5 * 0.02])
    assert record.finished_s.tolist() == pytest.approx([0.7, 0.9])


def test_one_that_finds_the_batch_full_waits_for_its_end():
    costs = StepCosts(0.01, 0.0, 0.0, 0.001, 1e6)
    record = alone(costs, (0.0, 100, 101), (0.2, 100, 11), batch_max=1)
    assert record.finished_s[0] == pytest.approx(1.1)
    assert record.ttft_s[1] == pytest.approx(1.1 - 0.2 + 0.1)


def test_one_that_finds_memory_full_waits_though_a_shorter_one_behind_it_would_fit():
    costs = StepCosts(0.01, 0.0, 0.0, 0.0, 1000.0)
    record = alone(costs, (0.0, 700, 101), (0.1, 250, 11), (0.2, 100, 11))
    assert record.ttft_s[1:].tolist() == pytest.approx(
        [0.9, 0.805]
    )  # half a step more: the one before it decodes already


def test_one_that_never_fits_into_memory_is_turned_away():
    record = alone(StepCosts(0.01, 0.0, 0.0, 0.0, 1000.0), (0.0, 900, 101), (0.1, 10, 2))
    assert np.isnan(record.ttft_s[0])
    assert record.finished_s[1] == pytest.approx(0.11)


def test_one_that_waits_too_long_gives_up():
    costs = StepCosts(0.01, 0.0, 0.0, 0.0, 1e6)
    record = alone(costs, (0.0, 1, 1001), (0.1, 1, 2), batch_max=1, queue_max_s=5.0)
    assert np.isnan(record.ttft_s[1])


def test_power_is_that_of_prefill_then_of_the_batch():
    record = alone(COSTS, (3.0, 1000, 101))
    expected = (POWER.prefill() - 0.1) * 1000 * COSTS.per_prompt_token_s
    for token in range(100):
        step_s = COSTS.decode_s(1, 1001 + token + 0.5)
        expected += (POWER.decode(1, 1001 + token + 0.5) - 0.1) * step_s
    assert sum(record.extra) == pytest.approx(expected, rel=1e-9)


def test_what_spans_several_steps_is_spread_over_them():
    costs = StepCosts(1.0, 0.0, 0.0, 0.0, 1e6)
    record = alone(costs, (30.0, 1, 121))
    assert record.tokens[:4] == pytest.approx([31, 60, 30, 0])


ROWS = st.lists(
    st.tuples(st.floats(0, 100), st.integers(1, 3000), st.integers(1, 800)), min_size=1, max_size=40
)


@settings(max_examples=40)
@given(ROWS, st.integers(1, 8), st.sampled_from([0.5, 20.0, 1e9]))
def test_no_request_is_lost_and_every_token_is_made_once(rows, batch_max, queue_max_s):
    costs = StepCosts(0.016, 1e-3, 1e-6, 1e-4, 4000.0)
    given_ = requests(*sorted(rows))
    record = run_replica(replica(costs, batch_max), given_, 600, 60.0, queue_max_s)
    served = ~np.isnan(record.ttft_s)
    assert np.isfinite(record.finished_s).tolist() == served.tolist()
    assert sum(record.tokens) == pytest.approx(float(given_.output[served].sum()), rel=1e-6)
    decoded = float((given_.output[served] - 1).sum())
    assert sum(record.itl) == pytest.approx(decoded, rel=1e-6, abs=1e-6)
    least = given_.prompt * costs.per_prompt_token_s
    assert np.all(record.ttft_s[served] >= least[served] - 1e-9)
    first_at = (given_.at_s + record.ttft_s)[served]
    step_s = costs.decode_s(batch_max, costs.kv_tokens)
    assert np.all(np.diff(first_at) >= -0.5 * step_s - 1e-9)  # first come, first served
    fastest = (given_.output[served] - 1) * costs.fixed_s
    assert np.all(record.finished_s[served] - first_at >= fastest - 0.5 * step_s - 1e-9)


# ---- against theory ----


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_the_mean_batch_is_that_of_the_chain_whatever_the_lengths(sigma):
    """Requests that share a server evenly do not notice how their work is distributed."""
    costs = StepCosts(0.015, 2e-4, 0.0, 0.0, 1e9)
    lengths = LengthConfig(1, 200, 0.0, sigma, 100_000)
    seconds, rate, runs = 2000.0, 12.0, 4
    batches = []
    for seed in range(runs):
        made = poisson(rate, seconds, seed, lengths)
        batches.append(run_replica(replica(costs), made, 1, 60.0, 1e9).batch_s / seconds)
    decoded = Lengths(*lengths.draw(np.random.default_rng(0), 200_000)).decoded_mean
    n = np.arange(1.0, 2001)
    states, _ = birth_death(rate, n / (decoded * (costs.fixed_s + costs.per_request_s * n)))
    expected = float(states @ np.arange(2001.0))
    error = np.mean(batches) - expected
    assert abs(error) < 4 * np.std(batches, ddof=1) / np.sqrt(runs) + 0.01 * expected


# ---- the two modes ----

HOURS, STEP_S = 1, 60.0


def serve_requests(fleet, requests, active, step_s):
    return booked(fleet, records(fleet, requests, active, step_s), active, step_s)


def both(load, replicas):
    sample = Lengths(*CHAT.draw(np.random.default_rng(0), 20_000))
    rate = load * capacity_per_s(replica(), sample) * replicas
    fleet = Fleet(replica(), sample, replicas, Objective(1.0, 0.05), 600.0)
    active = np.full(round(HOURS * 3600 / STEP_S), replicas)
    made = poisson(rate, HOURS * 3600.0, 3)
    return (
        serve_requests(fleet, made, active, STEP_S),
        serve_fluid(fleet, np.full(len(active), rate), active, STEP_S),
    )


def assert_alike(single, fluid, power, waits):
    """Find the fluid near what came of single requests; *waits*: how near, by quantile."""
    assert fluid.power_fraction.mean() == pytest.approx(single.power_fraction.mean(), rel=power)
    assert fluid.tokens_per_s.mean() == pytest.approx(single.tokens_per_s.mean(), rel=0.04)
    assert fluid.requests_per_s.mean() == pytest.approx(single.requests_per_s.mean(), rel=0.03)
    for share, within in waits.items():
        one, other = single.latency.ttft_s(share), fluid.latency.ttft_s(share)
        assert other == pytest.approx(one, rel=within), f"first token, {share:.0%}"
        one, other = single.latency.itl_s(share), fluid.latency.itl_s(share)
        assert other == pytest.approx(one, rel=within), f"next token, {share:.0%}"
    within_single, within_fluid = (each.latency.within_fraction() for each in (single, fluid))
    assert within_fluid == pytest.approx(within_single, abs=0.07)


@pytest.mark.parametrize(("load", "replicas"), [(0.3, 1), (0.5, 2), (0.7, 1)])
def test_the_fluid_agrees_with_request_mode(load, replicas):
    """Means within 4 % (of random lengths alone 1-2 %), latencies within 15 to 25 %."""
    single, fluid = both(load, replicas)
    assert_alike(single, fluid, 0.02, {0.5: 0.15, 0.9: 0.2, 0.99: 0.25})


@pytest.mark.parametrize("peak", [1.6, 2.6, 3.4])
def test_the_fluid_agrees_with_request_mode_while_replicas_come_and_go(peak):
    """Two hours from a third of the peak up to it and back, four replicas at most.

    Near their most no minute is in steady state, as the fluid takes it to be.
    """
    sample = Lengths(*CHAT.draw(np.random.default_rng(0), 20_000))
    capacity = capacity_per_s(replica(), sample)
    minutes = np.arange(120)
    demand = peak * capacity * (2 - np.cos(2 * np.pi * minutes / 120)) / 3
    active = Autoscaling(1, 0.7, 2, 10).replicas(demand, capacity, 4, STEP_S)
    assert len(set(active.tolist())) >= 2
    rng = np.random.default_rng(4)
    number = rng.poisson(demand * STEP_S)
    at_s = np.sort(STEP_S * (np.repeat(minutes, number) + rng.uniform(0, 1, number.sum())))
    made = Requests(at_s, *CHAT.draw(rng, len(at_s)))
    fleet = Fleet(replica(), sample, 4, Objective(1.0, 0.05), 600.0)
    single = serve_requests(fleet, made, active, STEP_S)
    fluid = serve_fluid(fleet, demand, active, STEP_S)
    assert_alike(single, fluid, 0.03, {0.5: 0.2, 0.9: 0.25})


@pytest.mark.parametrize("mode", [0, 1], ids=["requests", "fluid"])
def test_demand_no_fleet_can_serve_runs_and_is_counted(mode):
    sample = Lengths(*CHAT.draw(np.random.default_rng(0), 5000))
    rate = 2.0 * capacity_per_s(replica(), sample)
    fleet = Fleet(replica(), sample, 1, Objective(1.0, 0.05), 30.0)
    active = np.ones(60, dtype=np.int64)
    if mode:
        served = serve_fluid(fleet, np.full(60, rate), active, 60.0)
    else:
        served = serve_requests(fleet, poisson(rate, 3600.0), active, 60.0)
    share = served.unserved_per_s.mean() / rate
    assert share == pytest.approx(0.5, abs=0.1)
    assert served.latency.ttft_s(0.5) == pytest.approx(30.0, rel=0.15)
    assert served.latency.within_fraction() == pytest.approx(0.0, abs=0.02)


def test_a_wait_in_the_fluid_drains_when_demand_falls():
    sample = Lengths(*CHAT.draw(np.random.default_rng(0), 5000))
    most = capacity_per_s(replica(), sample)
    fleet = Fleet(replica(), sample, 1, Objective(1.0, 0.05), 1e6)
    demand = np.array([1.5] * 10 + [0.2] * 20) * most
    served = serve_fluid(fleet, demand, np.ones(30, dtype=np.int64), 60.0)
    assert served.requests_per_s.sum() == pytest.approx(demand.sum(), rel=1e-9)
    assert served.requests_per_s[10] == pytest.approx(0.995 * most)
    assert served.requests_per_s[-1] == pytest.approx(0.2 * most)


def test_requests_go_to_the_replicas_that_are_up_in_turn():
    at_s = np.array([0.0, 1.0, 2.0, 61.0, 62.0])
    assert in_turn(at_s, np.array([2, 1]), 60.0).tolist() == [0, 1, 0, 0, 0]


def test_nothing_asked_is_nothing_drawn_but_idle_power():
    sample = Lengths(*CHAT.draw(np.random.default_rng(0), 5000))
    fleet = Fleet(replica(), sample, 2, Objective(1.0, 0.05), 30.0)
    served = serve_fluid(fleet, np.zeros(5), np.full(5, 2), 60.0)
    assert served.power_fraction.tolist() == pytest.approx([0.1] * 5)
    assert served.latency.ttft_s(0.99) is None
    assert served.latency.within_fraction() is None
