"""A job is remaining work with a rate: what slows it makes it end later, exactly."""

import math

import numpy as np
import pytest

from tests.support.desk import Disk, desk, job, play
from twin.jobs.offers import service
from twin.physics.training.checkpoints import goodput_fraction
from twin.records import COMPLETED, Service
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.workload.base import ServiceProfile


def bench(servers=2, **more):
    return desk(FirstComeFirstServed(), servers, **more)


def at(dispatcher, when_s, action):
    def wait():
        yield dispatcher.env.timeout(when_s)
        action()

    dispatcher.env.process(wait())


def off(dispatcher):
    dispatcher.shut_down(range(dispatcher.cluster.servers))


def on(dispatcher, restart_s=0.0):
    dispatcher.start_up(range(dispatcher.cluster.servers), restart_s)


def test_an_undisturbed_job_takes_its_work():
    one = job("one", 5, 8, 100)
    play(bench(), [one])
    assert (one.started_at_s, one.finished_at_s, one.status) == (5, 105, COMPLETED)
    assert one.energy_j == 900 * 100


def test_a_policy_is_asked_only_while_somebody_waits():
    asked, policy = [], FirstComeFirstServed()
    name_next = policy.next
    policy.next = lambda view: asked.append(len(view.queue)) or name_next(view)
    play(desk(policy, 1), [job("one", 0, 8, 100), job("two", 10, 8, 50)])
    assert asked == [1, 1, 1]  # one starts; two does not, and does when one has ended


def test_half_rate_for_40_s_costs_20_s_of_work():
    one = job("one", 0, 8, 100)
    desk = bench()
    at(desk, 30, lambda: desk.throttle(0.5, 0.5))
    at(desk, 70, lambda: desk.throttle(1.0, 1.0))
    play(desk, [one])
    assert one.finished_at_s == 120
    # 80 s at 900 W, 40 s at half activity: 100 + 400 W
    assert one.energy_j == 80 * 900 + 40 * 500
    assert desk.done.useful_gpu_s == 8 * 100
    assert desk.tally.take(120)[1] == 8 * (80 + 20)  # active GPU-seconds


def test_a_duty_cycle_draws_its_mean_and_is_seen_at_both_levels():
    """A quarter of the time at 0.8, the rest at 0.2: a mean of 0.35, half of it while throttled."""
    one = job("one", 0, 8, 100, activity=0.8, duty=0.25, low_activity=0.2)
    desk = bench()
    at(desk, 40, lambda: desk.throttle(0.5, 1.0))
    play(desk, [one])
    mean = 0.25 * 0.8 + 0.75 * 0.2
    assert one.energy_j == pytest.approx(40 * (100 + 800 * mean) + 60 * (100 + 800 * mean / 2))
    assert desk.tally.take(100)[1] == pytest.approx(8 * mean * (40 + 60 / 2))
    seen = {step: gpu_s for step, gpu_s in enumerate(desk.done.activity_gpu_s) if gpu_s}
    assert seen == {
        80: 8 * 40 * 0.25,
        20: 8 * 40 * 0.75,
        40: 8 * 60 * 0.25,
        10: 8 * 60 * 0.75,
    }


def test_a_stop_loses_what_was_not_in_the_checkpoint():
    one = job("one", 0, 8, 100, checkpoint_s=30)
    desk = bench()
    at(desk, 75, lambda: off(desk))  # kept: 60 of 75
    at(desk, 200, lambda: on(desk))
    play(desk, [one])
    assert one.finished_at_s == 240
    assert (one.restarts, one.lost_gpu_s) == (1, 15 * 8)
    assert one.started_at_s == 0
    assert one.service_s == 75 + 40
    assert desk.done.useful_gpu_s == 8 * 100
    assert desk.done.lost_gpu_s == 15 * 8


def test_a_restart_takes_its_time_and_holds_its_gpus():
    """Stopped at 35 s with 30 s kept, 20 s to load: 70 s of work from 60 s on, a limit between."""
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=20, flops=1e3)
    desk = bench()
    at(desk, 35, lambda: (off(desk), on(desk)))
    at(desk, 40, lambda: desk.throttle(1.0, 0.5))
    at(desk, 45, lambda: desk.throttle(1.0, 1.0))
    play(desk, [one])
    assert one.finished_at_s == 35 + 20 + 70
    assert one.service_s == 125
    assert desk.done.useful_gpu_s == 8 * 100
    assert desk.done.lost_gpu_s == 8 * 5
    assert desk.done.useful_flops == pytest.approx(1e3)


def test_gpus_wait_at_their_low_level_while_a_checkpoint_is_loaded():
    """Toy server: 100 W and 100 W for each GPU at work. 0.75 x 1 + 0.25 x 0.2 = 0.8 in work."""
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=20, duty=0.75, low_activity=0.2)
    plain = job("plain", 0, 8, 100, checkpoint_s=10, restart_s=20)
    desk = bench(servers=2)
    at(desk, 30, lambda: (off(desk), on(desk)))
    at(desk, 40, lambda: desk.throttle(0.5, 1.0))
    at(desk, 45, lambda: desk.throttle(1.0, 1.0))
    seen = {}
    for when_s in (29, 31, 42, 49, 51):
        at(desk, when_s, lambda: seen.update({desk.env.now: desk.tally.active_gpus}))
    play(desk, [one, plain])
    work, wait = 8 * (0.8 + 1.0), 8 * 0.2
    assert seen == pytest.approx({29: work, 31: wait, 42: wait / 2, 49: wait, 51: work})
    assert one.finished_at_s == plain.finished_at_s == 120
    assert one.energy_j == pytest.approx(100 * (100 + 640) + 15 * 260 + 5 * 180)
    assert plain.energy_j == pytest.approx(100 * 900 + 20 * 100)
    assert desk.tally.active_gpus == 0.0


def kept_while_failing(one, gaps_s):
    """Return work kept over time, of a job on all servers that fail at the end of each gap."""
    desk = bench()

    def fail():
        for gap_s in gaps_s:
            yield desk.env.timeout(gap_s)
            off(desk), on(desk)

    failing = desk.env.process(fail())
    desk.submit(one)
    desk.env.run(until=failing)
    desk.work.settle(one)
    return desk.done.useful_gpu_s / one.gpus / desk.env.now


@pytest.mark.parametrize(
    ("interval_s", "blocked_s", "mttf_s", "restart_s"),
    [(200.0, 30.0, 1e4, 200.0), (752.0, 30.0, 1e4, 200.0), (3000.0, 30.0, 4e3, 600.0)],
)
def test_a_run_that_fails_at_random_keeps_what_the_closed_form_says(
    interval_s, blocked_s, mttf_s, restart_s
):
    """Six seeded runs of 500 failures lie within 4 standard errors; 752 s is Daly's interval."""
    work = {"checkpoint_s": interval_s + blocked_s, "restart_s": restart_s}
    in_steps = interval_s / (interval_s + blocked_s)
    kept = [
        in_steps * kept_while_failing(job("run", 0, 8, 1e12, **work), rng.exponential(mttf_s, 500))
        for rng in np.random.default_rng(5).spawn(6)
    ]
    expected = goodput_fraction(interval_s, blocked_s, mttf_s, restart_s)
    assert abs(np.mean(kept) - expected) < 4 * np.std(kept, ddof=1) / np.sqrt(6)
    assert np.mean(kept) == pytest.approx(expected, rel=0.05)


def test_a_job_stopped_while_it_restarts_restarts_anew():
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=20)
    desk = bench()
    at(desk, 30, lambda: (off(desk), on(desk)))
    at(desk, 40, lambda: (off(desk), on(desk)))
    play(desk, [one])
    assert (one.finished_at_s, one.restarts, one.lost_gpu_s) == (130, 2, 0)


def test_without_checkpoints_a_stop_loses_everything():
    one = job("one", 0, 8, 100)
    desk = bench()
    at(desk, 99, lambda: off(desk))
    at(desk, 99, lambda: on(desk))
    play(desk, [one])
    assert one.finished_at_s == 199


def test_stopped_jobs_queue_in_order_of_arrival():
    jobs = [job("a", 0, 8, 100), job("b", 1, 8, 100), job("c", 2, 8, 100)]
    desk = bench(servers=2)
    at(desk, 50, lambda: off(desk))
    at(desk, 60, lambda: on(desk))
    play(desk, jobs)
    assert [j.finished_at_s for j in jobs] == [160, 160, 260]


def test_readers_share_storage_and_slow_down_together():
    # 100 B/s wanted by each, 150 to be had: both at 0.75 from 10 on; b has 90 left at 10.
    a = job("a", 0, 8, 100, read_bytes_per_s=100.0)
    b = job("b", 10, 8, 30, read_bytes_per_s=100.0)
    desk = bench(disk=Disk(bytes_per_s=150.0))
    play(desk, [a, b])
    assert b.finished_at_s == 10 + 30 / 0.75
    assert a.finished_at_s == pytest.approx(50 + (100 - 10 - 40 * 0.75))
    assert desk.tally.take(desk.env.now)[4] == pytest.approx(10 * 100 + 40 * 150 + 60 * 100)


def test_where_storage_stays_short_it_is_shared_anew_each_full_minute():
    """Two get 0.5 from 10 on; the third, at 20, takes what they have until 60, then all 1/3."""
    jobs = [job(name, at, 4, 90, read_bytes_per_s=100.0) for name, at in (("a", 0), ("b", 10))]
    third = job("c", 20, 4, 30, read_bytes_per_s=100.0)
    desk = bench(disk=Disk(bytes_per_s=100.0))
    play(desk, [*jobs, third])
    assert third.finished_at_s == pytest.approx(60 + (30 - 40 * 0.5) * 3)
    # a has 90 - 10 - 25 - 10 = 45 left when c ends, b 55; both at 1/3 until 120, then at 1/2.
    assert jobs[0].finished_at_s == pytest.approx(120 + (45 - 30 / 3) * 2)
    assert jobs[1].finished_at_s == pytest.approx(jobs[0].finished_at_s + 55 - 30 / 3 - 35)


def test_who_reads_nothing_is_not_slowed_by_storage():
    a = job("a", 0, 8, 100, read_bytes_per_s=100.0)
    b = job("b", 0, 8, 100)
    play(bench(disk=Disk(bytes_per_s=50.0)), [a, b])
    assert (a.finished_at_s, b.finished_at_s) == (200, 100)


def test_checkpoints_written_behind_the_steps_share_storage_with_readers():
    """100 B/s read and 100 written of 150: both at 0.75, and every byte is in the books."""
    a = job("a", 0, 8, 90, read_bytes_per_s=100.0)
    b = job("b", 0, 8, 90, write_bytes_per_s=100.0)
    desk = bench(disk=Disk(bytes_per_s=150.0))
    play(desk, [a, b])
    assert a.finished_at_s == b.finished_at_s == 120
    assert (desk.traffic.moved.read_bytes, desk.traffic.moved.written_bytes) == (
        pytest.approx(9000),
        pytest.approx(9000),
    )
    assert desk.tally.take(120)[4] == pytest.approx(120 * 150)


def test_a_checkpoint_that_stops_the_work_takes_as_long_as_others_leave_room():
    """A fifth of the time it writes at 100 B/s; a reader of 60 leaves 40 of 100: 2.5 x as long."""
    a = job("a", 0, 8, 100, write_bytes_per_s=20.0, burst_bytes_per_s=100.0, burst_fraction=0.2)
    play(bench(disk=Disk(bytes_per_s=100.0)), [a])
    assert a.finished_at_s == 100
    a = job("a", 0, 8, 100, write_bytes_per_s=20.0, burst_bytes_per_s=100.0, burst_fraction=0.2)
    reader = job("r", 0, 8, 1000, read_bytes_per_s=60.0)
    play(bench(disk=Disk(bytes_per_s=100.0)), [a, reader])
    assert a.finished_at_s == pytest.approx(100 * (1 + 0.2 * (2.5 - 1)))


def test_requests_that_are_turned_away_or_find_no_gpus_were_asked_all_the_same():
    profile = ServiceProfile(
        activity=np.array([0.5, 1.0]),
        requests_per_s=np.array([1.0, 2.0]),
        tokens_per_s=np.array([10.0, 20.0]),
        unserved_requests_per_s=np.array([0.0, 3.0]),
    )
    desk = bench()
    for name in ("chat", "code"):  # the second finds all servers taken
        desk.env.process(service(desk.env, desk, Service(name, 16, 100.0, profile)))
    desk.env.run(until=200.0)
    desk.tally.advance(200.0)
    assert desk.tally.asked == pytest.approx(2 * (100.0 + 500.0))
    assert desk.tally.requests == pytest.approx(300.0)


def test_a_service_counts_tokens_only_while_it_has_gpus():
    profile = ServiceProfile(
        activity=np.array([0.5, 1.0]),
        requests_per_s=np.array([1.0, 2.0]),
        tokens_per_s=np.array([10.0, 20.0]),
        unserved_requests_per_s=np.zeros(2),
    )
    desk = bench()
    desk.env.process(service(desk.env, desk, Service("chat", 8, 100.0, profile)))
    at(desk, 50, lambda: off(desk))
    at(desk, 150, lambda: on(desk))
    desk.env.run(until=200)
    *_, tokens, requests = desk.tally.take(200)
    assert tokens == 50 * 10 + 50 * 20
    assert requests == 50 * 1 + 50 * 2


def test_a_service_that_is_slowed_serves_what_its_slower_profile_says():
    def profile(part):
        return ServiceProfile(
            activity=np.array([0.5]),
            requests_per_s=np.array([4.0 * part]),
            tokens_per_s=np.array([40.0 * part]),
            unserved_requests_per_s=np.zeros(1),
            judged_per_s=np.array([4.0 * part]),
            within_per_s=np.array([4.0 if part == 1.0 else 1.0]),
        )

    desk = bench()
    offer = Service("chat", 8, 200.0, profile(1.0), paced=profile)
    desk.env.process(service(desk.env, desk, offer))
    at(desk, 50, lambda: desk.throttle(0.5, 0.5))
    at(desk, 150, lambda: desk.throttle(1.0, 1.0))
    desk.env.run(until=200)
    *_, tokens, requests = desk.tally.take(200)
    assert (tokens, requests) == (100 * 40 + 100 * 20, 100 * 4 + 100 * 2)
    assert desk.tally.take_slo() == (100 * 4 + 100 * 1) / 600
    assert np.isnan(desk.tally.take_slo())
    assert desk.offers.paces == [(50, 0.5), (150, 1.0)]


def test_energy_is_exact_however_often_the_beat_closes():
    jobs = [job("a", 3, 8, 41), job("b", 7.25, 5, 0.5), job("c", 7.5, 3, 77)]
    for beat_s in (0.7, 1.0, 13.0, 200.0):
        desk = bench()
        total = 0.0
        racks = np.zeros(2)

        def beats(desk=desk, beat_s=beat_s):
            nonlocal total, racks
            before = 0.0
            while desk.env.now < 200:
                yield desk.env.timeout(min(beat_s, 200 - desk.env.now))
                energy_j, _ = desk.cluster.power.take_beat(desk.env.now)
                total += energy_j
                racks += desk.cluster.power.take_racks()[0] * (desk.env.now - before)
                before = desk.env.now

        desk.env.process(beats())
        play(desk, [job(j.job_id, j.arrived_at_s, j.gpus, j.work_s) for j in jobs], 200)
        desk.env.run(until=200.0 + 1e-9)
        gpu_s = 8 * 41 + 5 * 0.5 + 3 * 77
        assert total == pytest.approx(2 * 100 * 200 + 100 * gpu_s, rel=1e-12)
        assert racks.sum() == pytest.approx(total, rel=1e-12)


def test_an_endless_job_never_ends():
    endless = job("svc", 0, 8, math.inf, limit_s=math.inf)
    play(bench(), [endless], until_s=1e6)
    assert math.isnan(endless.finished_at_s)


def test_air_that_is_too_warm_slows_the_jobs_that_breathe_it_and_no_others():
    """Servers 0 and 2 at half from 20 to 60 s: a loses 20 s, the gang too, b nothing."""
    a, b = job("a", 0, 8, 100), job("b", 0, 8, 100)
    gang = job("gang", 0, 16, 100)
    desk = bench(servers=4)
    at(desk, 20, lambda: desk.throttle(1.0, 1.0, [0, 2], (0.5, 0.5)))
    at(desk, 30, lambda: slowed.append(desk.work.slowed_by_heat()))
    at(desk, 60, lambda: desk.throttle(1.0, 1.0))
    at(desk, 70, lambda: slowed.append(desk.work.slowed_by_heat()))
    slowed = []
    play(desk, [a, b, gang])
    assert (a.finished_at_s, b.finished_at_s, gang.finished_at_s) == (120, 100, 120)
    assert slowed == [8 + 16, 0]
    assert a.energy_j == 900 * 80 + 500 * 40
    assert b.energy_j == 900 * 100
    assert desk.tally.take(120)[1] == pytest.approx(8 * (80 + 20) + 8 * 100 + 16 * (80 + 20))
    assert desk.done.activity_gpu_s[50] == 40 * 24


def test_a_job_that_starts_in_air_that_is_too_warm_is_slow_from_the_start():
    early, late, other = job("early", 0, 8, 30), job("late", 10, 8, 40), job("other", 0, 8, 200)
    desk = bench()
    at(desk, 5, lambda: desk.throttle(0.9, 0.8, [0], (0.5, 0.5)))
    play(desk, [early, other, late])
    assert early.finished_at_s == 5 + 25 / 0.5
    assert late.finished_at_s == early.finished_at_s + 40 / 0.5
    assert other.finished_at_s == pytest.approx(5 + 195 / 0.8)
    assert desk.work.slowed_by_heat() == 0
    assert desk.tally.active_gpus == pytest.approx(0.0)


def test_a_replica_in_air_that_is_too_warm_serves_less_and_the_other_as_before():
    def profile(part):
        ones = np.ones(1)
        return ServiceProfile(0.5 * ones, 4.0 * part * ones, 40.0 * part * ones, 0.0 * ones)

    desk = bench()
    offer = Service("chat", 8, 200.0, profile(1.0), np.array([2]), paced=profile)
    desk.env.process(service(desk.env, desk, offer))
    at(desk, 50, lambda: desk.throttle(1.0, 1.0, [1], (0.5, 0.5)))
    at(desk, 100, lambda: desk.throttle(1.0, 1.0, [0, 1], (0.5, 0.5)))
    at(desk, 150, lambda: desk.throttle(1.0, 1.0))
    desk.env.run(until=200)
    *_, tokens, _ = desk.tally.take(200)
    assert tokens == pytest.approx(40 * (50 + 0.75 * 50 + 0.5 * 50 + 50))
    assert desk.offers.paces == [(50, 0.5), (150, 1.0)]


def test_a_replica_that_comes_to_stand_in_air_that_is_too_warm_serves_less():
    def profile(part):
        ones = np.ones(1)
        return ServiceProfile(0.5 * ones, 4.0 * part * ones, 40.0 * part * ones, 0.0 * ones)

    desk = bench()
    offer = Service("chat", 8, 200.0, profile(1.0), paced=profile)
    desk.env.process(service(desk.env, desk, offer))
    at(desk, 10, lambda: desk.throttle(1.0, 1.0, [1], (0.5, 0.5)))
    at(desk, 50, lambda: desk.shut_down([0]))
    at(desk, 50, desk.dispatch)
    desk.env.run(until=100)
    *_, tokens, _ = desk.tally.take(100)
    assert tokens == pytest.approx(50 * 40 + 50 * 20)
    assert desk.offers.paces == [(50, 0.5)]
