"""An endpoint's requests in a running facility: where they go, and that none goes astray."""

import dataclasses

import numpy as np
import pytest

from tests.support.desk import desk, job
from twin import compose, run
from twin.jobs import arrivals, service
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
    watched_w = bench.cluster.watch_racks()
    bench.submit(job("wide", 0, 16, 50))
    bench.env.run(until=1)
    assert watched_w == [900, 900, 100]


def short(*overrides):
    """Return the rows of TAPAS by the hour, cooled simply."""
    lean = ["clock.duration_days=0.02", "output=data_only", "site.heat_wave=null"]
    return compose.load(["scenario=tapas_rows", *lean, *overrides])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return summaries of packed rows: evenly shared, routed, and routed at a longer beat."""
    routed = "workload.streams.endpoints.routing=headroom"
    found = []
    for more in ([], [routed], [routed, "clock.heartbeat_s=300"]):
        config = short("scheduling.placement=pack", *more)
        found.append(run.execute(config, tmp_path_factory.mktemp("run")))
    return found


def test_routing_loses_no_request_and_lowers_the_fullest_row(served):
    even, routed, _ = served
    for key in ("requests_served", "tokens_served"):
        assert routed[key] == pytest.approx(even[key], rel=1e-12)
    assert routed["row_power_peak_kw"] < 0.99 * even["row_power_peak_kw"]
    assert routed["jobs_submitted"] == even["jobs_submitted"] + 143


def test_routing_does_not_depend_on_the_beat(served):
    _, routed, slow = served
    for key in ("energy_per_token_j", "requests_served", "tokens_served"):
        assert slow[key] == pytest.approx(routed[key], rel=1e-9)
