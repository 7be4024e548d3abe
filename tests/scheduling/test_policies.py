"""Schedules against hand-computed oracles, queueing theory, and invariants."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import desk, job, play, starts
from twin.cluster.free import FreeServers
from twin.records import COMPLETED, KILLED
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fcfs import FirstComeFirstServed

POLICIES = [FirstComeFirstServed, EasyBackfill]


def hand_jobs():
    """Ten GPUs, one to a server.

    ====  ======  ====  =====
    name  arrive  GPUs  limit
    ====  ======  ====  =====
    a     0       6     100
    b     1       8      50     head of the queue until 100
    c     2       4      90     ends at 92, before b may start
    d     3       2     200     would hold 2 of b's 8 at 100? no: 10 - 8 = 2 stay free
    e     4       2      10     no GPU is free before 92
    f     5       4      60     fits at 92 but would delay b to 152
    ====  ======  ====  =====
    """
    return [
        job("a", 0, 6, 100),
        job("b", 1, 8, 50),
        job("c", 2, 4, 90),
        job("d", 3, 2, 200),
        job("e", 4, 2, 10),
        job("f", 5, 4, 60),
    ]


def test_fcfs_lets_nobody_overtake():
    assert starts(FirstComeFirstServed(), hand_jobs(), 10) == {
        "a": 0,
        "b": 100,
        "c": 150,
        "d": 150,
        "e": 150,
        "f": 160,
    }


def test_easy_fills_the_hole_and_never_delays_the_head():
    # c takes the four free GPUs until 92. Then four are free and b needs eight at 100:
    # two GPUs stay over. d (2 GPUs, long) uses exactly those; e (2 GPUs, 10 s) would end
    # at 102, after 100, and there is nothing over: it waits; so does f. At 100 b starts
    # on 8, d holds 2; at 150 b ends: e and f start.
    assert starts(EasyBackfill(), hand_jobs(), 10) == {
        "a": 0,
        "c": 2,
        "d": 92,
        "b": 100,
        "e": 150,
        "f": 150,
    }


def test_easy_reserves_whole_servers_not_gpus():
    # Two servers of 8. x and y hold 4 GPUs of a server each (tightest fit: the same one),
    # z holds the other until 100. The head wants 16: only when all are gone, at 100.
    # p (4 GPUs, limit 50) would sit beside x or y; it ends at 60 and may overtake.
    # q (1 GPU, limit 500) would leave 15 GPUs at 100: refused, though 7 are free by count.
    jobs = [
        job("x", 0, 4, 40),
        job("y", 0, 4, 10),
        job("z", 0, 8, 100),
        job("head", 1, 16, 10),
        job("q", 2, 1, 500),
        job("p", 3, 4, 50),
    ]
    got = starts(EasyBackfill(), jobs, 2, 8)
    assert got == {"x": 0, "y": 0, "z": 0, "p": 10, "head": 100, "q": 110}


def test_a_job_past_its_limit_does_not_stop_backfill():
    # a says 10 s and runs 100. At 20 the head's reservation is "now", so only jobs that
    # leave room for the head may overtake: short (1 GPU) fits beside it, 4 - 3 = 1.
    jobs = [
        job("a", 0, 2, 100, limit_s=10),
        job("head", 1, 3, 10),
        job("wide", 20, 2, 5),
        job("thin", 21, 1, 5),
    ]
    assert starts(EasyBackfill(), jobs, 4) == {"a": 0, "head": 100, "wide": 110, "thin": 21}


def test_a_job_larger_than_the_cluster_is_killed_and_blocks_nobody():
    jobs = [job("giant", 0, 99, 10), job("small", 1, 1, 10)]
    got = starts(FirstComeFirstServed(), jobs, 4)
    assert jobs[0].status == KILLED
    assert math.isnan(got["giant"])
    assert got["small"] == 1


def test_backfill_tries_no_gang_like_one_it_just_refused():
    # Four servers of 8. At 100 the head has 0 and 3; 1 and 2 have three GPUs free each. Six
    # are left by count, but each of 200 gangs of four would sit on server 0: once it is tried
    # as it comes, and when GPUs are given back the first alone. One that ends in time is still
    # found behind them.
    dispatcher = desk(EasyBackfill(), 4)
    tried, place = [], dispatcher.board.place
    dispatcher.board.place = lambda gpus: tried.append(gpus) or place(gpus)
    running = [job("0", 0, 4, 100), job("1", 0, 5, 999), job("2", 0, 5, 999), job("3", 0, 8, 100)]
    late = [job(f"late{i}", 2, 4, 500) for i in range(200)]
    short = job("short", 2, 4, 20)
    play(dispatcher, [*running, job("head", 1, 16, 10), *late, short], until_s=50)
    assert (short.started_at_s, short.finished_at_s) == (2, 22)
    assert len(tried) == 4 + 200 + 2 + 1  # seated, tried, tried and seated; at 22 one is tried


def erlang_c_wait_s(arrivals_per_s: float, service_s: float, servers: int) -> float:
    """Mean wait of M/M/c, Erlang's C formula."""
    load = arrivals_per_s * service_s
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last) * service_s / (servers - load)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 2.8), (8, 6.4)])
def test_mean_wait_matches_erlang_c(servers, load):
    """Ten seeded runs of single-GPU jobs lie within 4 standard errors of the closed form."""
    service_s, number = 600.0, 4000
    means = []
    for rng in np.random.default_rng(7).spawn(10):
        at = np.cumsum(rng.exponential(service_s / load, number))
        work = rng.exponential(service_s, number)
        jobs = [job(str(i), t, 1, w) for i, (t, w) in enumerate(zip(at, work, strict=True))]
        play(desk(FirstComeFirstServed(), servers, 1), jobs)
        means.append(np.mean([each.started_at_s - each.arrived_at_s for each in jobs]))
    error_s = np.mean(means) - erlang_c_wait_s(load / service_s, service_s, servers)
    assert abs(error_s) < 4 * np.std(means, ddof=1) / np.sqrt(len(means))


job_lists = st.lists(
    st.tuples(
        st.integers(0, 60),  # gap to the next arrival
        st.integers(1, 20),  # GPUs
        st.integers(1, 300),  # work
        st.integers(1, 4),  # limit over work
    ),
    min_size=1,
    max_size=40,
)


def make(rows):
    at_s, jobs = 0, []
    for i, (gap, gpus, work, factor) in enumerate(rows):
        at_s += gap
        jobs.append(job(str(i), at_s, gpus, work, limit_s=work * factor))
    return jobs


@pytest.mark.parametrize("policy", POLICIES)
@given(rows=job_lists)
@settings(max_examples=60)
def test_no_gpu_is_held_twice_and_no_job_is_lost(policy, rows):
    jobs = make(rows)
    ended = []
    dispatcher = desk(policy(), 3, 8, on_end=ended.append)
    play(dispatcher, jobs)
    assert sorted(each.job_id for each in ended) == sorted(each.job_id for each in jobs)
    assert all(each.status == COMPLETED for each in jobs)
    assert dispatcher.cluster.free.free == [8, 8, 8]
    moments = sorted({each.started_at_s for each in jobs})
    for moment in moments:
        held = [j.gpus for j in jobs if j.started_at_s <= moment < j.finished_at_s]
        assert sum(held) <= 24


@given(rows=job_lists)
@settings(max_examples=60)
def test_fcfs_starts_in_order_of_arrival(rows):
    jobs = make(rows)
    play(desk(FirstComeFirstServed(), 3, 8), jobs)
    begun = [each.started_at_s for each in jobs]
    assert begun == sorted(begun)


def reservation_oracle(waiting, running, now_s, capacity):
    """Earliest start of the head on single-GPU servers, by counting alone."""
    free = capacity - sum(j.gpus for j in running)
    for end_s, gpus in sorted((j.started_at_s + j.limit_s, j.gpus) for j in running):
        if free >= waiting.gpus:
            break
        free += gpus
        now_s = max(now_s, end_s)
    return now_s


@given(rows=job_lists)
@settings(max_examples=60)
def test_easy_starts_no_head_later_than_its_first_reservation(rows):
    """With true limits the reservation given when a job becomes head is kept."""
    jobs = make([(gap, gpus, work, 1) for gap, gpus, work, _ in rows])
    play(desk(EasyBackfill(), 20, 1), jobs)
    for each in jobs:
        ahead = [j for j in jobs if j.arrived_at_s < each.arrived_at_s]
        head_at = max([each.arrived_at_s, *(j.started_at_s for j in ahead)])
        running = [j for j in jobs if j.started_at_s < head_at < j.finished_at_s]
        tied = any(j is not each and j.arrived_at_s == each.arrived_at_s for j in jobs)
        same = any(j is not each and j.started_at_s == head_at for j in jobs)
        if not tied and not same:
            assert each.started_at_s <= reservation_oracle(each, running, head_at, 20)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=80)
def test_free_counts_agree_with_free_servers(seed):
    """What the planning copy says fits is what the servers say fits."""
    rng = random.Random(seed)
    free = FreeServers([8, 8, 8, 8, 2], 8)
    held = []
    for _ in range(60):
        plan = free.counts()
        for gpus in range(1, 36):
            assert plan.fits(gpus) == free.fits(gpus)
        if held and rng.random() < 0.45:
            back = held.pop(rng.randrange(len(held)))
            plan.release(back)
            free.give(back)
        else:
            wanted = free.pack(rng.randint(1, 20))
            if wanted is None:
                continue
            plan.hold(wanted)
            free.take(wanted)
            held.append(wanted)
        assert [plan.fits(g) for g in range(1, 36)] == [free.fits(g) for g in range(1, 36)]
        assert plan.gpus == free.gpus == sum(free.free)
        assert all(0 <= n <= c for n, c in zip(free.free, [8, 8, 8, 8, 2], strict=True))
