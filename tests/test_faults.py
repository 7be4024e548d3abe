"""Random faults agree with the closed forms of reliability; overlaps and bad input behave."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import simpy

from tests.support.desk import desk, job, play
from twin.build import _feed_switch
from twin.config import parse
from twin.errors import ConfigError
from twin.facility.voltage import Motors
from twin.faults import (
    Faults,
    Group,
    RandomFault,
    ScheduledFault,
    Servers,
    Source,
    scheduled_fault,
)
from twin.meter import Meter
from twin.scheduling.fcfs import FirstComeFirstServed

MACHINES = {"cooling.chiller": 3, "power.ups": 2, "it.node": 4, "power.ats.stuck": 1}


def faults(scheduled=None, random=None):
    keys = {"scheduled": scheduled or {}, "random": random or {}, "breaker_reset_minutes": 30}
    return parse(Faults, keys, "faults")


def broken_for(hours, machines, source, seed=0):
    """Return (failures, machine-hours down, largest number down) of a source on its own."""
    env, down, worst = simpy.Environment(), Meter(), 0
    group = Group(machines, lambda available: None)
    events = []

    def record(event):
        nonlocal worst
        events.append(event)
        down.add(env.now, 1.0 if event.kind == "fault" else -1.0)
        worst = max(worst, round(down.power_w))

    env.process(Source("s", source, group, np.random.default_rng(seed), record).live(env))
    env.run(until=hours * 3600)
    failures = sum(event.kind == "fault" for event in events)
    return failures, down.take(hours * 3600) / 3600, worst


@pytest.mark.parametrize("repair", ["exponential", "fixed"])
@pytest.mark.parametrize(("mttf", "mttr"), [(100.0, 1.0), (10.0, 10.0)])
def test_random_failures_agree_with_the_renewal_closed_forms(repair, mttf, mttr):
    """Failures: T / (MTTF + MTTR) for each machine; availability MTTF / (MTTF + MTTR)."""
    machines, hours = 50, 4000.0
    source = RandomFault("u", mttf, mttr, repair)
    failures, down_hours, _ = broken_for(hours, machines, source)

    expected = machines * hours / (mttf + mttr)
    assert abs(failures - expected) < 4 * math.sqrt(expected)
    unavailable = down_hours / (machines * hours)
    # One cycle's down time has a standard deviation of at most about its mean.
    assert unavailable == pytest.approx(mttr / (mttf + mttr), rel=6 / math.sqrt(expected))


def test_a_machine_that_is_down_does_not_break_again():
    _, _, worst = broken_for(2000.0, 2, RandomFault("u", 1.0, 50.0, "fixed"))
    assert worst == 2


def test_two_sources_and_a_schedule_on_one_unit_add_up_and_cancel():
    told = []
    group = Group(4, told.append)
    group.fail(1)
    group.fail(1)  # another source: the same machine is out once, for two reasons
    group.fail(2)
    group.lose(0.25)
    group.mend(1)
    group.mend(1)
    group.lose(0.0)
    group.mend(2)
    assert told == [0.75, 0.75, 0.5, 0.25, 0.25, 0.5, 0.75, 1.0]


def test_more_than_everything_cannot_be_lost():
    told = []
    group = Group(2, told.append)
    group.fail(0)
    group.lose(1.0)
    assert told[-1] == 0.0


def test_motors_need_to_be_whole_and_fed_and_hear_news_once():
    told = []
    motors = Motors(lambda unit, fraction: told.append((unit, fraction)), {"a": 1.0, "b": 1.0})
    motors.repair("a", 0.5)
    motors.power(0.0, 0.0)
    motors.repair("a", 1.0)  # repaired in the dark: nothing to tell yet
    motors.power(1.0, 1.0)
    assert told == [("a", 0.5), ("a", 0.0), ("b", 0.0), ("a", 1.0), ("b", 1.0)]


def test_motors_on_the_ups_follow_its_voltage_alone():
    told = []
    motors = Motors(
        lambda unit, fraction: told.append((unit, fraction)),
        {"chiller": 1.0, "crah": 1.0},
        frozenset({"crah"}),
    )
    motors.power(0.0, 1.0)
    motors.power(0.0, 0.0)
    motors.power(1.0, 1.0)
    assert told == [("chiller", 0.0), ("crah", 0.0), ("chiller", 1.0), ("crah", 1.0)]


# ---- servers -------------------------------------------------------------------


def servers(dispatcher, per_server=1, restart_s=10.0):
    count = dispatcher.cluster.servers * per_server
    return Servers(count, per_server, dispatcher, np.random.default_rng(0), restart_s)


def test_a_node_failure_stops_its_jobs_alone_and_the_server_comes_back():
    dispatcher = desk(FirstComeFirstServed(), 2)
    unit, env = servers(dispatcher), dispatcher.env

    def story():
        yield env.timeout(40)
        unit.fail(0)
        yield env.timeout(20)
        unit.mend(0)

    env.process(story())
    a, b = job("a", 0, 8, 100, checkpoint_s=30), job("b", 0, 8, 100)
    play(dispatcher, [a, b])
    assert b.finished_at_s == 100
    assert a.finished_at_s == 70 + 70  # back at 60, restarted by 70, 30 of 40 s kept
    assert (a.restarts, a.lost_gpu_s) == (1, 80)
    assert dispatcher.cluster.gpus_out.take(env.now) == 8 * (70 - 40)
    assert dispatcher.cluster.free.gpus == 16


def test_a_gpu_takes_its_server_along():
    dispatcher = desk(FirstComeFirstServed(), 2)
    unit = servers(dispatcher, per_server=8)
    unit.fail(9)
    assert dispatcher.cluster.free.gpus == 8
    assert not dispatcher.board.fits(9)
    unit.mend(9)
    dispatcher.env.run()
    assert dispatcher.cluster.free.gpus == 16


def test_a_server_out_for_two_reasons_needs_both_put_right():
    dispatcher = desk(FirstComeFirstServed(), 2)
    one, other = servers(dispatcher), servers(dispatcher, per_server=8)
    one.fail(0)
    other.fail(3)
    assert dispatcher.cluster.power.total_w == 100
    one.mend(0)
    dispatcher.env.run()
    assert (dispatcher.cluster.free.gpus, dispatcher.cluster.power.total_w) == (8, 100)
    other.mend(3)
    dispatcher.env.run()
    assert (dispatcher.cluster.free.gpus, dispatcher.cluster.power.total_w) == (16, 200)


def test_a_scheduled_share_of_the_servers_goes_and_comes_back():
    dispatcher = desk(FirstComeFirstServed(), 10)
    unit = servers(dispatcher)
    unit.lose(0.25)
    assert dispatcher.cluster.servers_out == 3
    unit.lose(0.0)
    dispatcher.env.run()
    assert dispatcher.cluster.servers_out == 0
    assert sorted(dispatcher.cluster.free.whole) == list(range(10))


def test_maintenance_with_notice_stops_no_job_that_ends_in_time():
    """Two servers; one is drained from 20 s on and worked on from 80 s to 120 s."""
    dispatcher = desk(FirstComeFirstServed(), 2)
    unit, told = servers(dispatcher), []
    fault = ScheduledFault("it.node", 80 / 3600, 40 / 3600, 0.5, 60 / 3600)
    dispatcher.env.process(scheduled_fault(dispatcher.env, fault, unit, told.append))
    jobs = [job("a", 0, 8, 70), job("b", 0, 8, 70), job("c", 30, 8, 70), job("d", 31, 8, 10)]
    play(dispatcher, jobs, until_s=500)
    assert [one.restarts for one in jobs] == [0, 0, 0, 0]
    assert [one.started_at_s for one in jobs] == [0, 0, 70, 130]  # d waits for the second server
    assert [(round(event.at_s, 6), event.kind) for event in told] == [
        (20, "notice"),
        (80, "fault"),
        (120, "repair"),
    ]
    cluster = dispatcher.cluster
    assert (cluster.free.gpus, cluster.servers_on, cluster.servers_out) == (16, 2, 0)
    assert cluster.gpus_out.take(500) == 8 * (130 - 70)  # idle but closed counts as out


@pytest.mark.parametrize(
    ("count", "fraction", "lost"),
    [(1, 0.4, 1), (2, 0.2, 1), (4, 0.5, 2), (5, 0.1, 1), (3, 1 / 3, 1)],
)
def test_a_fault_that_takes_a_part_of_a_feed_unit_takes_it_whole_and_says_so(count, fraction, lost):
    left, told = [], []
    feed = SimpleNamespace(set_available=lambda element, units: left.append((element, units)))
    facility = SimpleNamespace(feed=feed, break_feed=lambda act: act())
    unit = Group(count, _feed_switch(facility, "ups", count))
    env, fault = simpy.Environment(), ScheduledFault("power.ups", 1.0, 1.0, fraction)
    env.process(scheduled_fault(env, fault, unit, told.append))
    env.run()
    assert left == [("ups", count - lost), ("ups", count)]
    assert told[0].detail == f"{lost} of {count} out of service"


def test_notice_of_the_next_work_leaves_the_present_one_alone():
    dispatcher = desk(FirstComeFirstServed(), 4)
    unit = servers(dispatcher)
    unit.lose(0.25)
    unit.drain(0.5)
    unit.lose(0.0)
    dispatcher.env.run()
    assert dispatcher.cluster.servers_on == 4
    assert dispatcher.cluster.free.gpus == 16  # two are closed to new jobs
    unit.lose(0.5)
    unit.lose(0.0)
    dispatcher.env.run()
    assert (dispatcher.cluster.free.gpus, dispatcher.cluster.servers_on) == (32, 4)


def test_maintenance_without_notice_stops_who_is_there():
    dispatcher = desk(FirstComeFirstServed(), 2)
    fault = ScheduledFault("it.node", 60 / 3600, 40 / 3600, 0.5)
    unit = servers(dispatcher)
    dispatcher.env.process(scheduled_fault(dispatcher.env, fault, unit, lambda event: None))
    jobs = [job("a", 0, 8, 70), job("b", 0, 8, 70)]
    play(dispatcher, jobs, until_s=500)
    assert sorted(one.restarts for one in jobs) == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_failing_servers_never_lose_a_gpu_or_a_job(seed):
    """Random failures of a busy cluster: seats, watts and work add up at the end."""
    dispatcher = desk(FirstComeFirstServed(), 6)
    rng = np.random.default_rng(seed)
    fault = RandomFault("it.node", 0.05, 0.01, "exponential")
    source = Source("s", fault, servers(dispatcher), rng, lambda event: None)
    dispatcher.env.process(source.live(dispatcher.env))
    jobs = [
        job(f"j{i}", float(rng.uniform(0, 500)), int(rng.integers(1, 30)), 50.0, checkpoint_s=5.0)
        for i in range(60)
    ]
    jobs.sort(key=lambda one: one.arrived_at_s)
    play(dispatcher, jobs, until_s=1e5)
    assert Counter(one.status for one in jobs) == {"completed": 60}
    cluster = dispatcher.cluster
    free = cluster.free.gpus + 8 * cluster.servers_out
    assert free == 48
    assert cluster.power.total_w == 100 * cluster.servers_on
    work = sum(one.gpus * one.work_s for one in jobs)
    assert dispatcher.done.useful_gpu_s == pytest.approx(work)
    held = sum(one.gpus * one.service_s for one in jobs)
    assert held == pytest.approx(work + dispatcher.done.lost_gpu_s)


# ---- bad input -----------------------------------------------------------------


def scheduled(unit="cooling.chiller", at=1.0, repair=2.0):
    return {"unit": unit, "at_hours": at, "repair_hours": repair}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: faults({"a": scheduled("cooling.chilller")}),
            r"faults\.scheduled\.a\.unit='cooling\.chilller'.*'cooling\.chiller'",
        ),
        (
            lambda: faults({"a": scheduled(), "b": scheduled(at=2.5)}),
            r"faults\.scheduled\.b\.at_hours=2\.5: cooling\.chiller is still under repair",
        ),
        (
            lambda: faults(
                random={
                    "a": {"unit": "it.nod", "mttf_hours": 1, "repair_hours": 1, "repair": "fixed"}
                }
            ),
            r"faults\.random\.a\.unit='it\.nod'.*'it\.node'",
        ),
    ],
)
def test_faults_that_cannot_be_are_refused(made, message):
    with pytest.raises(ConfigError, match=message):
        made().check(MACHINES)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (scheduled() | {"notice_hours": 0.5}, "must be 0 for cooling.chiller"),
        (scheduled("it.node") | {"notice_hours": 2.0}, "must be <= at_hours=1"),
    ],
)
def test_notice_that_cannot_be_given_is_refused(fault, message):
    with pytest.raises(ConfigError, match=rf"faults\.scheduled\.a\.notice_hours=.*{message}"):
        faults({"a": fault}).check(MACHINES)


def test_a_unit_of_no_machines_cannot_break():
    with pytest.raises(ConfigError, match="there is none here to break"):
        faults({"a": scheduled("cooling.trim")}).check({"cooling.trim": 0})


def test_one_after_the_other_is_no_overlap():
    faults({"a": scheduled(), "b": scheduled(at=3.0), "c": scheduled("power.ups")}).check(MACHINES)


def test_a_fault_after_the_end_of_the_run_is_noted():
    fault = {"unit": "cooling.chiller", "at_hours": 15.0, "repair_hours": 2.0}
    plan = faults(scheduled={"trip": fault})
    (note,) = plan.beyond(4.8)
    assert note.startswith("faults.scheduled.trip.at_hours=15: not within the run of 4.8 h")
    assert plan.beyond(15.0) and not plan.beyond(16.0)
