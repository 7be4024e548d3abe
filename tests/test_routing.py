"""An endpoint's requests in a running facility: where they go, and that none goes astray."""

import dataclasses
import json

import numpy as np
import pytest

from tests.support.desk import desk, job
from tests.support.tapas import rows
from twin import run
from twin.jobs.life import arrivals
from twin.jobs.offers import service
from twin.records import Service
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.workload.base import ServiceProfile
from twin.workload.routing import Curve, Router

RATE = np.array([0.0, 4.0])


def chat(replicas=2):
    """Return replicas on servers of their own: 200 W for each request per second, 4 at most."""
    router = Router(1, 10.0, lambda _: np.full(2, 2.0), lambda _: Curve(RATE, RATE / 4.0))
    profile = ServiceProfile(np.full(2, 0.25), np.full(2, 2.0), np.full(2, 20.0), np.zeros(2))
    return Service("chat", 8, 100.0, profile, np.full(2, replicas), router=router)


def running(offer, jobs=(), rows=(0, 0, 1)):
    bench = desk(FirstComeFirstServed(), len(rows))
    bench.cluster.row_of = list(rows)
    bench.env.process(arrivals(bench.env, iter(jobs), bench.submit))
    bench.env.process(service(bench.env, bench, offer))
    return bench


def test_requests_go_around_a_row_that_others_fill_until_it_is_empty():
    """1000 W without them and 100 W: all 400 W go to the second; then 200 W and 100 W: 3 to 5."""
    bench = running(chat(), [job("hog", 0, 8, 50)])
    bench.env.run(until=60)
    assert bench.cluster.row_power_w() == [200, 500]  # looked at again only in the next step
    bench.env.run(until=150)
    assert bench.cluster.row_power_w() == pytest.approx([350, 350])
    *_, tokens, requests = bench.tally.take(150)
    assert (tokens, requests) == pytest.approx((150 * 20, 150 * 2))


def test_where_a_replica_is_lost_the_others_take_its_requests_at_once():
    bench = running(chat(), rows=(0, 1))

    def lose():
        yield bench.env.timeout(30)
        bench.shut_down([1])
        yield bench.env.timeout(40)
        bench.start_up([1], 0.0)

    bench.env.process(lose())
    bench.env.run(until=50)
    assert bench.cluster.row_power_w() == [500, 0]
    bench.env.run(until=90)
    assert bench.cluster.row_power_w() == pytest.approx([300, 300])
    *_, tokens, requests = bench.tally.take(90)
    assert (tokens, requests) == pytest.approx((90 * 20, 90 * 2))


def test_what_the_replicas_that_are_left_cannot_take_is_not_served():
    offer = chat()
    offer.router = dataclasses.replace(offer.router, demand=lambda _: np.full(2, 6.0))
    bench = running(offer, rows=(0, 1))
    bench.env.run(until=10)
    bench.shut_down([0])
    bench.env.run(until=20)
    bench.shut_down([1])
    bench.env.run(until=30)
    *_, requests = bench.tally.take(30)
    assert requests == pytest.approx(10 * 6 + 10 * 4)


def test_a_shared_server_is_halved_between_its_replicas():
    offer = dataclasses.replace(chat(), gpus=4)
    bench = running(offer, rows=(0,))
    bench.env.run(until=10)
    # Two of 4 GPUs, 1 request/s and a quarter of 400 W each.
    assert bench.cluster.row_power_w() == [300]
    assert [each.activity for each in offer.jobs] == [0.25, 0.25]


def test_a_wide_job_is_seen_by_who_watches_racks(monkeypatch):
    monkeypatch.setattr("twin.cluster.cluster.WIDE", 2)
    bench = desk(FirstComeFirstServed(), 3)
    watched_w = bench.cluster.power.watch()
    bench.submit(job("wide", 0, 16, 50))
    bench.env.run(until=1)
    assert watched_w == [900, 900, 100]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return summaries of packed rows: evenly shared, routed, and routed at a longer beat."""
    found = []
    slow = ["clock.heartbeat_s=300", "output.interval_s=300"]
    for routing, more in (("even", []), ("headroom", []), ("headroom", slow)):
        config = rows(0.02, "scheduling.placement=pack", *more, routing=routing)
        found.append(run.execute(config, tmp_path_factory.mktemp("run")))
    return found


def test_routing_loses_no_request_and_lowers_the_fullest_row(served):
    even, routed, _ = served
    for key in ("requests_served", "tokens_served"):
        assert routed[key] == pytest.approx(even[key], rel=1e-12)
    assert routed["row_power_peak_kw"] < 0.99 * even["row_power_peak_kw"]
    assert routed["jobs_submitted"] == even["jobs_submitted"] + 143


def test_lower_clocks_lose_no_request_and_leave_tenants_as_fast_as_they_were(served, tmp_path):
    _, routed, _ = served
    rule = "{row_kw: 150, near: 0.8, itl_s: 0.2, least_speed: 0.93}"
    config = rows(0.02, "scheduling.placement=pack", routing="headroom", reconfigure=rule)
    low = run.execute(config, tmp_path)
    assert low["requests_served"] == pytest.approx(routed["requests_served"], rel=1e-12)
    assert low["slo_attainment_fraction"] == 1.0
    assert routed["slo_attainment_fraction"] is None
    assert low["row_power_peak_kw"] < 0.97 * routed["row_power_peak_kw"]
    assert low["gpu_hours_useful"] == pytest.approx(routed["gpu_hours_useful"], rel=1e-12)
    assert low["energy_residual_fraction"] < 1e-9
    (told,) = (each for each in json.loads((tmp_path / "run.json").read_text())["warnings"]
               if "clocks were lowered" in each)  # fmt: skip
    assert "to 0.93 of their speed" in told


def test_replicas_in_air_that_is_nearly_too_warm_get_what_is_left():
    offer = chat(3)
    offer.router = dataclasses.replace(offer.router, demand=lambda _: np.full(2, 6.0))
    offer.router.heat_margin_k = 3.0
    bench = desk(FirstComeFirstServed(), 3)
    bench.cluster.draw_warm([0.0, 4.0, 0.0])
    bench.offers.inlet_c = 27.0  # throttling begins above 35
    bench.env.process(service(bench.env, bench, offer))
    bench.env.run(until=10)
    assert bench.cluster.row_power_w() == pytest.approx([500, 500, 500])
    bench.offers.inlet_c = 29.0
    bench.offers.follow(offer, 0)
    assert bench.cluster.row_power_w() == pytest.approx([700, 100, 700])
    offer.router.demand = lambda _: np.full(2, 9.0)
    bench.offers.follow(offer, 0)
    assert bench.cluster.row_power_w() == pytest.approx([900, 300, 900])


def test_replicas_come_one_by_one_and_others_between_them():
    offer = dataclasses.replace(chat(2), asked_at_s=[5.0, 20.0])
    bench = running(offer, [job("tenant", 10, 8, 500)])
    bench.env.run(until=4)
    assert not offer.jobs
    bench.env.run(until=30)
    assert [each.placement.servers() for each in offer.jobs] == [[0], [2]]
    assert [each.started_at_s for each in offer.jobs] == [5.0, 20.0]
    *_, requests = bench.tally.take(30)
    assert requests == pytest.approx(25 * 2)


def test_replicas_that_come_one_by_one_share_evenly_without_a_router():
    offer = dataclasses.replace(chat(2), asked_at_s=[5.0, 20.0], router=None)
    bench = running(offer, [], rows=(0, 1))
    bench.env.run(until=30)
    assert [each.activity for each in offer.jobs] == [0.25, 0.25]
    *_, requests = bench.tally.take(30)
    assert requests == pytest.approx(25 * 2)


def test_routing_does_not_depend_on_the_beat(served):
    _, routed, slow = served
    for key in ("energy_per_token_j", "requests_served", "tokens_served"):
        assert slow[key] == pytest.approx(routed[key], rel=1e-9)
