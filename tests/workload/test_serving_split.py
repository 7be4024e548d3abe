"""Prefill and decode on replicas of their own: limits, closed forms, and both modes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.workload.test_serving import chat
from tests.workload.test_serving_modes import COSTS, poisson
from tests.workload.test_serving_modes import replica as make_replica
from twin.errors import ConfigError
from twin.workload import fluid, split
from twin.workload.latency import Objective
from twin.workload.lengths import LengthConfig, Lengths
from twin.workload.request_mode import booked, records

CHAT = LengthConfig(600, 250, 1.0, 0.8, 8000)
MINUTES = 60
FREE = replace(COSTS, per_prompt_token_s=1e-12)
"""Prompts that cost next to nothing."""


def fleet(prefill, decode, costs=COSTS, kv_s=0.0, lengths=CHAT):
    sample = Lengths(*lengths.draw(np.random.default_rng(0), 20_000))
    replicas = prefill + decode
    limit = Objective(1.0, 0.05)
    return fluid.Fleet(make_replica(costs), sample, replicas, limit, 600.0, 1.0, prefill, kv_s)


def both(one, rate, lengths=CHAT):
    active = np.full(MINUTES, one.replicas)
    made = poisson(rate, MINUTES * 60.0, 3, lengths)
    return booked(one, split.records(one, made, active, 60.0), active, 60.0), flowing(one, rate)


def flowing(one, rate):
    active = np.full(MINUTES, one.replicas)
    return split.serve_fluid(one, np.full(MINUTES, rate), active, 60.0)


@pytest.mark.parametrize("load", [0.15, 0.3, 0.6, 0.75])
def test_the_two_modes_agree(load):
    one = fleet(1, 3, kv_s=2e-5)
    single, flow = both(one, load * split.capacity_per_s(one))
    assert flow.power_fraction.mean() == pytest.approx(single.power_fraction.mean(), rel=0.03)
    assert flow.tokens_per_s.mean() == pytest.approx(single.tokens_per_s.mean(), rel=0.04)
    for share in (0.5, 0.9):
        assert flow.latency.ttft_s(share) == pytest.approx(single.latency.ttft_s(share), rel=0.15)
        assert flow.latency.itl_s(share) == pytest.approx(single.latency.itl_s(share), rel=0.15)
    assert flow.latency.within_fraction() == pytest.approx(
        single.latency.within_fraction(), abs=0.05
    )


def test_with_free_prompts_and_endless_links_the_decoders_are_a_fleet_of_their_own():
    """Equal hardware: what is left of the split is the fleet without its prefill replicas."""
    apart = fleet(1, 4, FREE)
    together = replace(apart, replicas=4, prefill=0)
    active = np.full(MINUTES, 4)
    rate = 0.6 * 4 * fluid.capacity_per_s(apart.replica, apart.lengths)
    made = poisson(rate, MINUTES * 60.0, 5)
    alone = booked(together, records(together, made, active, 60.0), active, 60.0)
    flow = flowing(apart, rate)
    parted = booked(apart, split.records(apart, made, active, 60.0), active, 60.0)
    assert parted.tokens_per_s == pytest.approx(alone.tokens_per_s, rel=1e-6)
    assert parted.latency.itl_s(0.5) == pytest.approx(alone.latency.itl_s(0.5), rel=0.03)
    idle = apart.replica.idle_fraction
    decoders = (parted.power_fraction * 5 - idle) / 4
    assert decoders == pytest.approx(alone.power_fraction, rel=1e-6)
    usual = fluid.serve_fluid(together, np.full(MINUTES, rate), active, 60.0)
    assert flow.latency.itl_s(0.9) == pytest.approx(usual.latency.itl_s(0.9), rel=0.03)


def test_a_first_token_waits_as_in_a_queue_of_one_server():
    """Prompts alike, arrivals at random: M/D/1, whose mean wait is rho/(2(1-rho)) services."""
    alike = LengthConfig(2000, 20)
    one = fleet(1, 7, lengths=alike)
    prompt_s = 2000 * COSTS.per_prompt_token_s
    rate = 0.7 / prompt_s
    single, flow = both(one, rate, alike)
    expected_s = prompt_s * (1 + 0.7 / (2 * 0.3))
    for latency in (single.latency, flow.latency):
        edges = fluid.EDGES_S
        mean_s = latency.ttft @ np.sqrt(edges[1:] * edges[:-1]) / latency.ttft.sum()
        assert mean_s == pytest.approx(expected_s, rel=0.08)


def test_no_prompt_holds_up_a_token_once_they_are_apart():
    apart = fleet(2, 4)
    rate = 0.5 * split.capacity_per_s(apart)
    flow = flowing(apart, rate)
    together = replace(apart, prefill=0)
    mixed = fluid.serve_fluid(together, np.full(MINUTES, rate), np.full(MINUTES, 6), 60.0)
    stall_s = mixed.latency.itl_s(0.99) - mixed.latency.itl_s(0.5)
    assert flow.latency.itl_s(0.99) - flow.latency.itl_s(0.5) < 0.5 * stall_s


@pytest.mark.parametrize("mode", [0, 1], ids=["requests", "fluid"])
def test_a_slow_link_delays_the_second_token_and_not_the_first(mode):
    quick, slow = fleet(1, 3), fleet(1, 3, kv_s=1e-3)  # 0.6 s for a prompt of mean length
    rate = 0.4 * split.capacity_per_s(quick)
    fast, late = (both(one, rate)[mode].latency for one in (quick, slow))
    assert late.ttft_s(0.9) == pytest.approx(fast.ttft_s(0.9), rel=1e-9)
    assert late.itl_s(0.5) == pytest.approx(fast.itl_s(0.5), rel=0.05)
    assert late.itl_s(0.999) > fast.itl_s(0.999) + 0.5
    assert late.within_fraction() < fast.within_fraction()


def test_requests_of_one_token_never_leave_the_prefill():
    short = LengthConfig(600, 1)
    one = fleet(1, 1, lengths=short)
    made = poisson(2.0, 600.0, 3, short)
    ((_, record),) = split.records(one, made, np.full(10, 2), 60.0)
    assert np.isfinite(record.ttft_s).all()
    assert record.finished_s == pytest.approx(made.at_s + record.ttft_s)
    assert sum(record.tokens) == len(made)


def test_the_slower_kind_decides_what_a_fleet_can_serve():
    few, many = fleet(1, 40), fleet(20, 1)
    prompt_s = float(few.lengths.prompt.mean()) * COSTS.per_prompt_token_s
    assert split.capacity_per_s(few) == pytest.approx(1 / prompt_s)
    assert split.capacity_per_s(many) < 1.01 * 20 / prompt_s
    demand = np.full(MINUTES, 2 / prompt_s)
    served = split.serve_fluid(few, demand, np.full(MINUTES, 41), 60.0)
    assert served.unserved_per_s[20:].mean() == pytest.approx(1 / prompt_s, rel=0.05)


def test_a_service_is_split_by_its_configuration(configured, on_h100):
    serving = chat(
        configured, autoscaling=None, replicas=8, requests_per_s=30.0,
        split={"prefill_replicas": 2},
    )  # fmt: skip
    (offer,) = serving.services(on_h100(days=0.1))
    assert offer.gpus == 32
    # 327,680 B over four ports of 50 GB/s each
    assert serving._plan.fleet.kv_s_per_token == pytest.approx(327_680 / 200e9)
    assert serving.latency().requests > 0
    slow = offer.paced(0.7)
    assert np.all(slow.activity >= offer.profile.activity - 1e-6)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"split": {"prefill_replicas": 64}, "autoscaling": None}, "below replicas=64"),
        ({"split": {"prefill_replicas": 2}}, "null where prefill and decode are split"),
    ],
)
def test_a_split_that_cannot_be_is_refused(configured, more, said):
    with pytest.raises(ConfigError, match=said):
        chat(configured, **more)
