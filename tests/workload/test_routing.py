"""Requests go where power is left: none is lost, no row is filled more than it need be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workload.conftest import fleet
from tests.workload.test_serving_slowed import FLAT, small
from twin.errors import ConfigError, ParameterError
from twin.records import Standing
from twin.workload.routing import filled

RATE = np.linspace(0.0, 4.0, 33)
CURVED_W = 900.0 * np.sqrt(RATE)
"""What a batch does: the more run at once, the less one more draws."""


def standing(rows, others_w, watts=2800.0):
    return Standing(rows, others_w, lambda activity: watts * activity)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(0, 20_000)), min_size=1, max_size=6),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_all_requests_are_sent_and_the_fullest_row_is_as_little_full_as_can_be(rows, asked):
    replicas, others_w = np.array(rows, dtype=float).T
    demand = np.array(asked) * replicas.sum() * RATE[-1]
    each = filled(RATE, CURVED_W, (replicas, others_w), demand)
    assert replicas @ each == pytest.approx(demand, rel=1e-12, abs=1e-12)
    assert np.all(each <= RATE[-1] * (1 + 1e-9))
    rows_w = others_w[:, None] + replicas[:, None] * np.interp(each, RATE, CURVED_W)
    for column, now_w in zip(each.T, rows_w.T, strict=True):
        given_some, has_room = column > 1e-9, column < RATE[-1] * (1 - 1e-9)
        if given_some.any() and has_room.any():
            # No row that was sent anything stands above one that could have taken it.
            assert now_w[given_some].max() <= now_w[has_room].min() + 1e-3


def test_rows_that_are_alike_get_alike():
    each = filled(RATE, CURVED_W, (np.array([3.0, 3.0]), np.array([5e3, 5e3])), np.array([7.0]))
    assert each.ravel() == pytest.approx([7 / 6, 7 / 6])


def test_a_replica_that_draws_less_where_it_does_more_is_refused():
    with pytest.raises(ParameterError, match="power_w"):
        filled(RATE, -RATE, (np.ones(1), np.zeros(1)), np.ones(1))


# ---- a service measured by its tokens ----


def test_replicas_in_rows_alike_do_what_an_even_share_does(on_h100):
    (even,) = fleet().services(on_h100())
    (routed,) = fleet(routing="headroom").services(on_h100())
    assert (routed.gpus, set(routed.replicas)) == (4, {10})
    shares = routed.router.share(7, 0.0, 1.0, standing([0, 1] * 5, [3e3, 3e3]))
    assert len(shares) == 10
    for activity, (tokens, requests, judged, within) in shares:
        assert activity == pytest.approx(even.profile.activity[7], rel=1e-3)
        assert 10 * tokens == pytest.approx(even.profile.tokens_per_s[7])
        assert 10 * requests == pytest.approx(even.profile.requests_per_s[7])
        assert (judged, within) == (0.0, 0.0)


def test_less_goes_to_the_fuller_row_and_all_is_served(on_h100):
    (even,) = fleet().services(on_h100())
    (routed,) = fleet(routing="headroom").services(on_h100())
    shares = routed.router.share(7, 0.0, 1.0, standing([0] * 5 + [1] * 5, [4e3, 3e3]))
    activity = [activity for activity, _ in shares]
    assert activity[0] < activity[9]
    requests = sum(served[1] for _, served in shares)
    assert requests == pytest.approx(even.profile.requests_per_s[7], rel=1e-12)


def test_the_replicas_that_are_left_serve_what_they_can(on_h100, decode):
    (routed,) = fleet(routing="headroom").services(on_h100())
    most = decode.capacity_tokens_per_s()
    few = routed.router.share(180, 0.0, 1.0, standing([0, 1], [0.0, 9e3]))
    assert [served[0] for _, served in few] == pytest.approx([most, most])


def test_routed_replicas_come_by_and_by(on_h100):
    build_out = [(0.0, 4), (0.5, 10)]
    (routed,) = fleet(routing="headroom", build_out=build_out).services(on_h100(days=1))
    assert routed.replicas.tolist() == [4] * 144 + [10] * 144


# ---- a fleet whose latency is known ----


def test_requests_in_rows_alike_wait_as_long_as_evenly_shared(configured, on_h100):
    settings = {"requests_per_s": 34.0, "rhythm": FLAT}
    latencies = []
    for routing in ("even", "headroom"):
        serving = small(configured, routing=routing, **settings)
        (offer,) = serving.services(on_h100(days=1 / 24))
        for step in range(12) if routing == "headroom" else ():
            offer.router.share(step, step * 300.0, 1.0, standing([0, 0, 1, 1], [1e3, 1e3]))
        latencies.append(serving.latency())
    even, routed = latencies
    assert routed.requests == pytest.approx(even.requests)
    assert routed.within == pytest.approx(even.within, rel=1e-3)
    for share in (0.5, 0.99):
        assert routed.itl_s(share) == pytest.approx(even.itl_s(share), rel=1e-3)
        assert routed.ttft_s(share) == pytest.approx(even.ttft_s(share), rel=1e-3)


def test_who_gets_more_answers_later_but_keeps_the_objective(configured, on_h100):
    serving = small(configured, routing="headroom", requests_per_s=12.0, rhythm=FLAT)
    (offer,) = serving.services(on_h100(days=1 / 24))
    even_s = serving.latency().itl_s(0.9)
    within = requests = 0.0
    for step in range(12):
        shares = offer.router.share(step, step * 300.0, 1.0, standing([0, 0, 1, 1], [9e3, 0.0]))
        within += 300.0 * sum(served[3] for _, served in shares)
        requests += 300.0 * sum(served[1] for _, served in shares)
    first, last = (served[1] for _, served in (shares[0], shares[3]))
    assert first < last
    assert last <= offer.router.curve(1.0).kept_per_s * (1 + 1e-9)
    routed = serving.latency()
    assert routed.requests == pytest.approx(requests) == pytest.approx(12.0 * 3600, rel=0.01)
    assert routed.within == pytest.approx(within, rel=1e-3)
    assert routed.within_fraction() > 0.98
    assert routed.itl_s(0.9) > even_s


def test_what_is_sent_for_half_a_step_counts_for_half_a_step(configured, on_h100):
    serving = small(configured, routing="headroom", requests_per_s=12.0, rhythm=FLAT)
    (offer,) = serving.services(on_h100(days=600 / 86400))
    where = standing([0, 0, 1, 1], [0.0, 0.0])
    for step, now_s in ((0, 0.0), (0, 150.0), (1, 300.0)):
        offer.router.share(step, now_s, 1.0, where)
    offer.router.close(450.0)  # nobody is left
    assert [sent.seconds for sent in offer.router.sent] == [150.0, 150.0, 150.0]
    assert serving.latency().requests == pytest.approx(450 * 12.0, rel=0.01)


def test_a_slowed_fleet_is_sent_what_it_can_serve(configured, on_h100):
    serving = small(configured, routing="headroom", requests_per_s=45.0, rhythm=FLAT)
    (offer,) = serving.services(on_h100(days=0.05))
    where = standing([0, 0, 1, 1], [0.0, 5e3])
    usual, slow = (
        sum(served[1] for _, served in offer.router.share(3, now_s, rate, where))
        for now_s, rate in ((0.0, 1.0), (10.0, 0.5))
    )
    assert slow == pytest.approx(float(offer.paced(0.5).requests_per_s[3]))
    assert slow < usual
    assert serving.latency([(10.0, 0.5)]).requests > 0


@pytest.mark.parametrize(
    "more",
    [{"mode": "requests"}, {"split": {"prefill_replicas": 1}},
     {"autoscaling": {"replicas_min": 1, "target_fraction": 0.7, "startup_minutes": 1,
                      "scale_down_minutes": 1}}],
)  # fmt: skip
def test_what_cannot_be_routed_is_refused(configured, more):
    with pytest.raises(ConfigError, match="routing"):
        small(configured, routing="headroom", **more)
