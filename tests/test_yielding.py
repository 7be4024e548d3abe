"""Checkpoint, then yield: who makes way keeps its work, who asks waits for the grace at most."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import desk, job, play
from twin.jobs.offers import service
from twin.records import COMPLETED, RUNNING, Service
from twin.scheduling.priority import PreemptivePriority
from twin.workload.base import ServiceProfile
from twin.workload.scaling import Autoscaling

SERVES = {"inference": 1000}


def pool(servers, grace_minutes=5.0, on_end=lambda job: None):
    policy = PreemptivePriority(priorities=SERVES, grace_minutes=grace_minutes)
    return desk(policy, servers, on_end=on_end)


def low(name, at_s, gpus, work_s, **more):
    return job(name, at_s, gpus, work_s, **{"checkpoint_s": 1000.0, "save_s": 120.0, **more})


def test_with_grace_a_job_writes_stands_still_leaves_and_loses_nothing():
    # Told at 50, gone at 170 with 50 s kept; high runs to 190; 30 s to load, 150 s to go.
    one = low("low", 0, 16, 200, restart_s=30)
    high = job("high", 50, 8, 20, priority=5)
    play(pool(2), [one, high])
    assert high.started_at_s == 50 + 120
    assert one.finished_at_s == 190 + 30 + 150
    assert (one.restarts, one.lost_gpu_s) == (1, 0)
    assert one.service_s == 50 + 120 + 30 + 150


def test_who_cannot_write_in_time_is_stopped_at_once():
    one = low("low", 0, 16, 200, checkpoint_s=30, save_s=301)
    high = job("high", 50, 8, 20, priority=5)
    play(pool(2), [one, high])
    assert high.started_at_s == 50
    assert one.lost_gpu_s == 20 * 16


def test_a_failure_while_it_writes_costs_the_work_since_the_last_checkpoint():
    one = low("low", 0, 16, 200, checkpoint_s=30)
    high = job("high", 50, 8, 20, priority=5)
    dispatcher = pool(2)

    def fail():
        yield dispatcher.env.timeout(100)
        dispatcher.shut_down([1])
        dispatcher.dispatch()
        yield dispatcher.env.timeout(900)
        dispatcher.start_up([1], 0.0)

    dispatcher.env.process(fail())
    play(dispatcher, [one, high])
    assert high.started_at_s == 100
    assert one.lost_gpu_s == 20 * 16
    assert one.status == COMPLETED
    assert not dispatcher.board.leaving


def test_a_later_failure_costs_only_work_after_the_checkpoint_of_the_yield():
    # Yields at 50 with 50 s kept, 45 s past a checkpoint every 100 s would have lost all.
    one = low("low", 0, 8, 200, checkpoint_s=100)
    high = job("high", 50, 8, 30, priority=5)
    dispatcher = pool(1)

    def fail():
        yield dispatcher.env.timeout(200 + 40)  # it runs again from 200 on
        dispatcher.shut_down([0])
        dispatcher.start_up([0], 0.0)

    dispatcher.env.process(fail())
    play(dispatcher, [one, high])
    assert one.lost_gpu_s == 40 * 8
    assert one.finished_at_s == 240 + 150


def test_who_has_written_its_last_checkpoint_leaves_whatever_else_happens_then():
    """All GPUs change their pace in the very moment, told of before."""
    one, web = low("low", 0, 16, 500), job("web", 50, 8, 20)
    web.kind = "inference"
    dispatcher = pool(2)

    def pace(when_s, factor):
        yield dispatcher.env.timeout(when_s)
        dispatcher.throttle(1.0, factor)

    dispatcher.env.process(pace(170, 0.5))  # 50 + 120, and first in line for it
    dispatcher.env.process(pace(180, 1.0))
    play(dispatcher, [one, web])
    assert (web.started_at_s, one.restarts, one.lost_gpu_s) == (170, 1, 0)
    assert not one.stands


def test_several_who_ask_at_once_all_wait_one_grace():
    lows = [low(f"low{i}", 0, 8, 10_000) for i in range(4)]
    high = [job(f"high{i}", 100, 8, 50, priority=9) for i in range(3)]
    play(pool(4), [*lows, *high], until_s=1000)
    assert [each.started_at_s for each in high] == [220, 220, 220]
    assert sorted(each.restarts for each in lows) == [0, 1, 1, 1]


def test_room_that_is_being_made_is_not_taken_by_others():
    # Servers come free at 160, 220, 220 and 280; high0 starts at 220 and high1 at 280. At 160
    # one of eight GPUs would fit beside high0, on a server that is meant for high1.
    lows = [low(f"low{i}", 0, 8, 10_000, save_s=s) for i, s in enumerate([60, 120, 120, 180])]
    small = low("small", 90, 8, 5000)
    high = [job(f"high{i}", 100, 16, 500, priority=9) for i in range(2)]
    play(pool(4), [*lows, small, *high], until_s=300)
    assert [each.started_at_s for each in high] == [220, 280]
    assert math.isnan(small.started_at_s)


def fleet(held, step_s=600.0, gpus=8, serving=None):
    """Return a service of as many replicas as are *held*; all make 10 tokens/s together."""
    steps = len(held)
    tens = np.full(steps, 10.0)
    profile = ServiceProfile(np.full(steps, 0.5), tens, tens, np.zeros(steps))
    return Service("chat", gpus, step_s, profile, np.array(held))


def test_replicas_ask_for_gpus_as_they_are_wanted_and_give_them_back():
    ended = []
    dispatcher = pool(4, on_end=ended.append)
    long = low("train", 10, 24, 100_000)
    dispatcher.env.process(service(dispatcher.env, dispatcher, fleet([1, 1, 3, 3, 1])))
    play(dispatcher, [long], until_s=2999)
    dispatcher.close()
    rows = {each.job_id: (each.arrived_at_s, each.started_at_s, each.status) for each in ended}
    assert rows["chat-1"] == (0, 0, RUNNING)
    assert rows["chat-2"] == (1200, 1320, COMPLETED)  # train has written its checkpoint
    assert rows["chat-3"] == (1200, 1320, COMPLETED)
    assert (long.restarts, long.lost_gpu_s, long.status) == (1, 0, RUNNING)
    # It stands still for 120 s, is away from 1320 to 2400, and works all the rest.
    assert long.work_s - long.remaining_s == (1200 - 10) + (2999 - 2400)
    # Two thirds of the tokens of a step are missed while two of three replicas wait.
    assert dispatcher.tally.take(2999)[5] == 10 * 2999 - 120 * 10 * 2 / 3


def test_a_replica_that_starts_has_no_share_of_the_requests():
    """Two serve while a third waits for its GPUs and starts: no token is missed."""
    dispatcher = pool(4)
    offer = fleet([2, 3, 3])
    offer.serving = np.array([2, 2, 3])
    dispatcher.env.process(service(dispatcher.env, dispatcher, offer))
    play(dispatcher, [low("train", 10, 16, 100_000)], until_s=1799)
    assert dispatcher.tally.take(1799)[5] == pytest.approx(10 * 1799)


def test_a_replica_is_wanted_from_its_start_up_until_it_stops():
    scaling = Autoscaling(1, 0.7, startup_minutes=5, scale_down_minutes=30, lend=True)
    serving = np.array([1] * 10 + [3] * 10 + [2] * 10)
    assert scaling.held(serving, 5, 60.0).tolist() == [1, 3, 3, 3, 2, 2]


batch = st.lists(
    st.tuples(
        st.integers(0, 3000),
        st.sampled_from([1, 2, 8, 16, 24]),
        st.integers(10, 5000),
        st.sampled_from([0.0, 60.0, 240.0, 500.0]),
    ),
    min_size=1,
    max_size=12,
)


@given(rows=batch, held=st.lists(st.integers(1, 3), min_size=4, max_size=12))
@settings(max_examples=80)
def test_in_a_shared_pool_no_gpu_is_held_twice_and_no_promise_is_broken(rows, held):
    """32 GPUs, up to 24 wanted by the service: each replica gets its own within the grace."""
    grace_s, every_s = 300.0, 90.0
    ended = []
    dispatcher = pool(4, grace_s / 60, ended.append)
    jobs = [
        low(f"j{i}", at_s, gpus, work_s, save_s=save_s, checkpoint_s=every_s)
        for i, (at_s, gpus, work_s, save_s) in enumerate(sorted(rows))
    ]

    def watch():
        while True:
            yield dispatcher.env.timeout(37.0)
            taken = sum(each.gpus for each in dispatcher.running)
            assert taken + dispatcher.board.free_gpus == 32
            assert taken == dispatcher.tally.allocated_gpus
            seats = [
                (server, each) for each in dispatcher.running for server in each.placement.whole
            ]
            assert len({server for server, _ in seats}) == len(seats)

    dispatcher.env.process(watch())
    dispatcher.env.process(service(dispatcher.env, dispatcher, fleet(held)))
    play(dispatcher, jobs, until_s=600.0 * len(held) - 1)
    dispatcher.close()
    for each in ended:
        if each.kind == "inference" and each.placement is not None:
            assert each.started_at_s - each.arrived_at_s <= grace_s
        if each.kind == "training":
            promised = 0.0 if each.save_s <= grace_s else every_s * each.gpus
            assert each.lost_gpu_s <= promised * each.restarts + 1e-6
    came = {each.job_id for each in jobs if each.arrived_at_s < 600 * len(held) - 1}
    assert came <= {each.job_id for each in ended}


def test_the_end_of_a_job_sets_others_free_now_and_later():
    one, two, three = job("1", 0, 8, 100), job("2", 100, 8, 10), job("3", 150, 8, 10)
    dispatcher = pool(1)
    dispatcher.follow = lambda each: [three, two] if each is one else []
    play(dispatcher, [one])
    assert (two.started_at_s, three.started_at_s) == (100, 150)
