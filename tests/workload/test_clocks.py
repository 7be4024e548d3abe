"""Clocks go down where a row nears its power, no further than it needs or requests bear."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workload.conftest import fleet, parse_conf
from twin.errors import ConfigError, ParameterError
from twin.records import Standing
from twin.workload.clocks import Reconfigure
from twin.workload.routing import Curve, Router

RATE = np.array([0.0, 4.0])
RULE = {"row_kw": 10.0, "near": 0.8, "itl_s": 0.2, "least_speed": 0.75}


def capped(part):
    """Give half of what power is taken from a GPU as speed."""
    return part, 0.5 + 0.5 * part


def standing(others_w, rows=(0, 1)):
    """Return where replicas stand that draw 800 W at most."""
    return Standing(list(rows), list(others_w), watts, capped)


def watts(activity):
    return 800.0 * activity


def router(demand, near_w=np.inf, least_speed=0.75, kept=np.inf):
    """Return a router of replicas that serve 4 requests/s at most and draw 200 W for each."""
    rule = Reconfigure(near_w / 1e3, 1.0, 0.2, least_speed)

    def curve(speed):
        within = np.ones(2) if kept == np.inf else None
        return Curve(RATE * speed, RATE / 4.0, within, kept if speed == 1.0 else kept - 1.0)

    return Router(1, 10.0, lambda _: np.full(2, float(demand)), curve, reconfigure=rule)


def row_powers(shares, others_w):
    return [other + watts(activity) for other, (activity, _) in zip(others_w, shares, strict=True)]


def test_a_row_that_nears_its_power_goes_down_as_far_as_it_needs():
    """Two rows alike draw 1400 W; part p of the power leaves 400 p / (0.5 + 0.5 p) of 400 W.

    At most 301 W are left for p <= 0.603, and 0.60 is the first step below that.
    """
    found = router(4, near_w=1301.0).share(0, 0.0, 1.0, standing([1000.0, 1000.0]))
    assert [activity for activity, _ in found] == pytest.approx([0.375, 0.375])
    assert [served[1] for _, served in found] == pytest.approx([2.0, 2.0])


def test_only_the_row_that_nears_its_power_goes_down_and_takes_no_less():
    """All 2 requests/s go to the second row, 500 W of 600; the first is full without any."""
    there = router(2, near_w=600.0)
    found = there.share(0, 0.0, 1.0, standing([2000.0, 100.0]))
    assert found[0] == (0.0, (0.0, 0.0, 0.0, 0.0))
    assert found[1][0] == pytest.approx(0.5)
    assert {sent.speed for sent in there.sent} == {1.0}


def test_a_clock_goes_down_no_further_than_wished():
    """Speed 0.9 at 0.8 of the power: 8/9 of 400 W."""
    found = router(4, near_w=1.0, least_speed=0.9).share(0, 0.0, 1.0, standing([0.0, 0.0]))
    assert [activity for activity, _ in found] == pytest.approx([4 / 9, 4 / 9])


def test_a_clock_that_cannot_serve_what_is_asked_for_is_not_taken():
    """3.8 of 4 each: a clock of 0.95 just will do, 0.9 of the power."""
    found = router(7.599, near_w=1.0).share(0, 0.0, 1.0, standing([0.0, 0.0]))
    assert found[0][0] == pytest.approx(0.9 * 0.95 / 0.95, rel=1e-3)
    full = router(7.99, near_w=1.0).share(0, 0.0, 1.0, standing([0.0, 0.0]))
    assert full[0][0] == pytest.approx(7.99 / 8, rel=0.01)


def test_without_slack_nothing_is_lowered():
    """Requests bear 1/s at full clocks and none below."""
    there = router(2, near_w=1.0, kept=1.0)
    found = there.share(0, 0.0, 1.0, standing([0.0, 0.0]))
    assert [activity for activity, _ in found] == pytest.approx([0.25, 0.25])


@given(
    st.lists(st.floats(0, 3000), min_size=1, max_size=4),
    st.floats(0, 1.2),
    st.floats(1, 5000),
    st.floats(0.5, 1.0),
)
def test_lower_clocks_conserve_requests_and_never_fill_a_row_more(others_w, load, near_w, least):
    demand = load * 4.0 * len(others_w)
    rows = range(len(others_w))
    plain = router(demand).share(0, 0.0, 1.0, standing(others_w, rows))
    lower = router(demand, near_w, least).share(0, 0.0, 1.0, standing(others_w, rows))
    sent, sent_lower = (sum(served[1] for _, served in each) for each in (plain, lower))
    assert sent == pytest.approx(min(demand, 4.0 * len(others_w)))
    assert sent_lower == pytest.approx(sent)
    fullest, fullest_lower = (max(row_powers(each, others_w)) for each in (plain, lower))
    assert fullest_lower <= fullest + 0.01


def test_warm_replicas_come_last_and_go_down_at_once():
    there = router(5, near_w=1e9)
    cool, warm = standing([0.0, 0.0], [0]), standing([0.0, 0.0], [1])
    found = there.share(0, 0.0, 1.0, cool, (1.0, warm))
    assert [served[1] for _, served in found] == pytest.approx([4.0, 1.0])
    assert found[0][0] == 1.0
    assert found[1][0] == pytest.approx(0.25 * 0.5 / 0.75)
    over = router(9, near_w=1e9).share(0, 0.0, 1.0, cool, (0.5, warm))
    assert [served[1] for _, served in over] == pytest.approx([4.0, 2.0])
    none = there.share(0, 0.0, 1.0, standing([0.0, 0.0], []), (1.0, warm))
    assert [served[1] for _, served in none] == pytest.approx([4.0])


def test_clocks_end_where_the_measurement_ends():
    assert Reconfigure(1.0, 0.8, 0.2, 0.3).clocks(lambda part: (part, max(part, 0.96))) == [
        (1.0, 1.0), (0.98, 0.98), (0.96, 0.96),
    ]  # fmt: skip


# ---- a service measured by its tokens ----


def share_all(offer, steps=12, others_w=(9e3, 9e3)):
    """Let its router share each step among ten replicas in two rows."""
    where = standing(others_w, [0, 1] * 5)
    return [offer.router.share(step, 300.0 * step, 1.0, where) for step in range(steps)]


def test_slower_steps_take_longer_and_hold_more_requests(decode):
    full, slow = decode, decode.slowed(0.9)
    tokens = np.array([3000.0])
    assert slow.itl_s(tokens) * 3000 * 349 / 350 == pytest.approx(slow.running(tokens))
    assert slow.running(tokens) > full.running(tokens)
    assert slow.capacity_tokens_per_s() == pytest.approx(0.9 * full.capacity_tokens_per_s())
    for each in (full, slow):
        kept = each.kept_tokens_per_s(0.03)
        assert float(each.itl_s(np.array([kept]))[0]) == pytest.approx(0.03)
    assert full.kept_tokens_per_s(0.01) == 0.0, "not even a single request"


def test_times_between_tokens_are_told_and_kept(on_h100, decode):
    rule = Reconfigure(10.0, 0.8, 0.2, 0.75)
    service = fleet(routing="headroom", reconfigure=rule, noise_fraction=0.0)
    (offer,) = service.services(on_h100(days=1 / 24))
    assert service.latency().requests == 0.0, "before anything is sent"
    share_all(offer)
    found = service.latency()
    served = 300.0 * float(offer.profile.requests_per_s.sum())
    assert found.requests == pytest.approx(served)
    assert found.within_fraction() == pytest.approx(1.0)
    assert found.ttft_s(0.5) is None
    each = offer.profile.tokens_per_s / 10
    slowest_s = float(decode.slowed(0.75).itl_s(each).max())
    assert found.itl_s(0.99) == pytest.approx(slowest_s, rel=0.04)
    (told,) = service.warnings
    assert "1 of the time" in told
    assert "below" not in told


def test_without_slack_a_service_does_what_it_does_without_lower_clocks(on_h100, decode):
    alone_s = decode.fixed_s + decode.per_request_s
    settings = {"routing": "headroom", "requests_per_s": 1.0, "noise_fraction": 0.0}
    (plain,) = fleet(**settings).services(on_h100(days=1 / 24))
    tight = fleet(**settings, reconfigure=Reconfigure(0.001, 0.8, alone_s * (1 + 1e-9), 0.75))
    (offer,) = tight.services(on_h100(days=1 / 24))
    lowered, as_ever = (chain.from_iterable(share_all(each)) for each in (offer, plain))
    for (activity, served), (usual, served_so) in zip(lowered, as_ever, strict=True):
        assert activity == pytest.approx(usual, rel=1e-6)
        assert served[:2] == pytest.approx(served_so[:2])
    assert tight.latency().within_fraction() == pytest.approx(1.0)
    assert not tight.warnings


def test_what_is_sent_beyond_the_objective_is_late(on_h100):
    itl_s = 0.03  # at full clocks a batch of 101, 3,390 tokens a second
    rule = Reconfigure(1000.0, 0.8, itl_s, 0.75)
    service = fleet(routing="headroom", reconfigure=rule, requests_per_s=105.0, noise_fraction=0.0,
                    rhythm=fleet().rhythm.__class__())  # fmt: skip
    (offer,) = service.services(on_h100(days=1 / 24))
    share_all(offer)
    assert service.latency().within_fraction() == 0.0


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"reconfigure": RULE}, "reconfigure"),
        ({"heat_margin_k": 3.0}, "heat_margin_k"),
        ({"asked_within_s": 60.0, "build_out": [[0, 128]]}, "asked_within_s"),
    ],
)
def test_what_a_service_cannot_do_is_refused_by_key(more, key):
    with pytest.raises((ConfigError, ParameterError), match=key):
        parse_conf("llm_serving", **more)


@pytest.mark.parametrize(
    ("key", "value"), [("near", 0.0), ("near", 1.1), ("least_speed", 0.0), ("row_kw", -1.0)]
)
def test_a_rule_out_of_range_is_refused_by_key(key, value):
    with pytest.raises(ConfigError, match=f"workload.reconfigure.{key}"):
        parse_conf("llm_serving", routing="headroom", reconfigure=RULE | {key: value})


def test_an_objective_that_a_single_request_misses_is_refused(on_h100):
    service = fleet(routing="headroom", reconfigure=Reconfigure(10.0, 0.8, 0.016, 0.75))
    with pytest.raises(ConfigError, match=r"reconfigure.itl_s=0.016: must be >= 0.016\d, what a"):
        service.check(on_h100())


def test_replicas_ask_at_random_within_the_time_given(on_h100):
    service = fleet(asked_within_s=600.0)
    (offer,) = service.services(on_h100())
    assert (offer.gpus, offer.router, len(offer.asked_at_s)) == (4, None, 10)
    assert offer.asked_at_s == sorted(offer.asked_at_s)
    assert 0.0 <= offer.asked_at_s[0] < offer.asked_at_s[-1] <= 600.0
    (again,) = fleet(asked_within_s=600.0).services(on_h100())
    assert again.asked_at_s == offer.asked_at_s
