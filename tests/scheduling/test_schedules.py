"""SJF, conservative backfill, preemption, fair share, deferral: by hand and by promise."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.calls import calls_of
from tests.support.desk import desk, job, play, starts
from twin.errors import RunError
from twin.jobs.life import asking
from twin.records import COMPLETED
from twin.scheduling.conservative import ConservativeBackfill
from twin.scheduling.deadline import DeadlineDeferral
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fair_share import FairShare, faded_usage
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.scheduling.priority import PreemptivePriority
from twin.scheduling.sjf import ShortestJobFirst

PLACEMENTS = ["pack", "spread", "topology", "power_headroom", "thermal"]


def deadline(**more):
    given = {"wait_for": "price", "quantile": 0.5, "ahead_hours": 2.0, "slack_hours": {}}
    return DeadlineDeferral(**{**given, **more})


POLICIES = {
    "fcfs": FirstComeFirstServed,
    "easy": EasyBackfill,
    "sjf": ShortestJobFirst,
    "conservative": lambda **more: ConservativeBackfill(depth=100, **more),
    "conservative, shallow": lambda **more: ConservativeBackfill(depth=2, **more),
    "priority": lambda **more: PreemptivePriority(priorities={}, **more),
    "fair share": lambda **more: FairShare(half_life_days=0.001, shares={}, **more),
    "deadline": deadline,
}


def test_sjf_starts_the_shortest_and_lets_nobody_overtake_it():
    """Ten GPUs, one to a server.

    ====  ======  ====  =====  ======================================================
    name  arrive  GPUs  limit  starts
    ====  ======  ====  =====  ======================================================
    a     0       6     100    0
    b     1       8      50    100: the shortest until e comes, and does not fit
    c     2       4      90    150: would fit at 2, but b is shorter
    d     3       2     200    150
    e     4       2      10    4: the shortest of all, and fits
    f     5       4      60    150: shortest after b; two GPUs are free beside b
    ====  ======  ====  =====  ======================================================
    """
    jobs = [
        job("a", 0, 6, 100),
        job("b", 1, 8, 50),
        job("c", 2, 4, 90),
        job("d", 3, 2, 200),
        job("e", 4, 2, 10),
        job("f", 5, 4, 60),
    ]
    got = starts(ShortestJobFirst(), jobs, 10)
    assert got == {"a": 0, "b": 100, "c": 150, "d": 150, "e": 4, "f": 150}


def third_in_line():
    """Ten GPUs, one to a server.

    ====  ======  ====  =====  ================  ==========================================
    name  arrive  GPUs  limit  conservative      EASY
    ====  ======  ====  =====  ================  ==========================================
    a     0       6     100    0                 0
    b     1       8      50    100               100: head, eight of ten at 100
    c     2       10     10    150, promised     204: nothing is promised to the second
    d     3       2      60    3, ends before b  3
    e     4       2     200    160: not over c   4: leaves eight for b at 100
    ====  ======  ====  =====  ================  ==========================================
    """
    return [
        job("a", 0, 6, 100),
        job("b", 1, 8, 50),
        job("c", 2, 10, 10),
        job("d", 3, 2, 60),
        job("e", 4, 2, 200),
    ]


def test_conservative_keeps_its_promise_to_the_third_in_line():
    got = starts(ConservativeBackfill(depth=100), third_in_line(), 10)
    assert got == {"a": 0, "b": 100, "c": 150, "d": 3, "e": 160}


def test_easy_breaks_that_promise():
    got = starts(EasyBackfill(), third_in_line(), 10)
    assert got == {"a": 0, "b": 100, "c": 204, "d": 3, "e": 4}


def test_conservative_gives_no_reservation_beyond_its_depth():
    # Only b holds a reservation; c, d and e wait until b starts at 100. Then c is promised
    # 150, d would end after that and waits with c's promise kept; so does e.
    got = starts(ConservativeBackfill(depth=1), third_in_line(), 10)
    assert got == {"a": 0, "b": 100, "c": 150, "d": 160, "e": 160}


def test_an_early_end_moves_reservations_forward():
    # a says 100 s and takes 40: b, promised 100, starts at 40; c, promised 110, at 50.
    jobs = [job("a", 0, 4, 40, limit_s=100), job("b", 1, 4, 10), job("c", 2, 2, 10)]
    assert starts(ConservativeBackfill(depth=100), jobs, 4) == {"a": 0, "b": 40, "c": 50}


def test_conservative_reserves_gangs_on_servers_not_gpus():
    # Two servers of 8. x holds 4 GPUs of server 0 until 100, y server 1 until 10. The pair
    # (16 GPUs) is promised 100. p (4 GPUs, 200 s) fits beside x now but would hold server 0
    # at 100; it goes after the pair. q (8 GPUs, 80 s) has server 1 from 10 to 90.
    jobs = [
        job("x", 0, 4, 100),
        job("y", 0, 8, 10),
        job("pair", 1, 16, 10),
        job("p", 2, 4, 200),
        job("q", 3, 8, 80),
    ]
    got = starts(ConservativeBackfill(depth=100), jobs, 2, 8)
    assert got == {"x": 0, "y": 0, "pair": 100, "p": 110, "q": 10}


def test_a_job_over_its_limit_makes_promises_slip_and_no_more():
    # a says 10 s and takes 50. b, promised 10, keeps its servers and starts at 50; c fits
    # beside both and starts at once.
    jobs = [job("a", 0, 2, 50, limit_s=10), job("b", 1, 3, 10), job("c", 20, 1, 5)]
    assert starts(ConservativeBackfill(depth=100), jobs, 4) == {"a": 0, "b": 50, "c": 20}


def test_preemption_costs_what_was_not_in_the_checkpoint():
    # low holds both servers; high needs one at 50. low keeps 30 of 50 s, waits for high to
    # end at 70 and has 70 s left.
    low = job("low", 0, 16, 100, checkpoint_s=30)
    high = job("high", 50, 8, 20, priority=5)
    play(desk(PreemptivePriority(priorities={}), 2), [low, high])
    assert (high.started_at_s, low.finished_at_s) == (50, 140)
    assert (low.restarts, low.lost_gpu_s) == (1, 20 * 16)


def test_preemption_stops_the_least_important_and_only_as_many_as_must_be():
    # Three servers: a (priority 1), b and c (0; c started last). high needs two: b and c go.
    # next needs one, priority 1: nobody is below a but b and c, who wait; it waits as well.
    jobs = [
        job("a", 0, 8, 100, priority=1),
        job("b", 1, 8, 100),
        job("c", 2, 8, 100),
        job("high", 50, 16, 10, priority=9),
        job("next", 51, 8, 10, priority=1),
    ]
    play(desk(PreemptivePriority(priorities={}), 3), jobs)
    assert [each.restarts for each in jobs] == [0, 1, 1, 0, 0]
    assert (jobs[3].started_at_s, jobs[4].started_at_s) == (50, 60)


def test_preemption_stops_nobody_in_vain():
    # 8 of 16 GPUs belong to an equal: even without low there is no room for both servers.
    jobs = [
        job("equal", 0, 8, 100, priority=5),
        job("low", 1, 8, 50),
        job("high", 2, 16, 10, priority=5),
    ]
    play(desk(PreemptivePriority(priorities={}), 2), jobs)
    assert [each.restarts for each in jobs] == [0, 0, 0]


def test_a_kind_may_be_worth_more_than_a_priority():
    jobs = [job("a", 0, 8, 100), job("b", 1, 8, 10, priority=3)]
    jobs[1].kind = "labelling"
    play(desk(PreemptivePriority(priorities={"training": 7}), 1), jobs)
    assert (jobs[0].restarts, jobs[1].started_at_s) == (0, 100)


def test_usage_fades_by_half():
    held = np.array([2.0, 0.0])
    got = faded_usage(np.array([0.0, 100.0]), held, 10.0, 10.0)
    assert got == pytest.approx([2 * 10 / np.log(2) * 0.5, 50.0])


def test_fair_share_serves_who_used_less():
    # One GPU. A's three jobs come first; B has used nothing when the first of them ends.
    jobs = [job(f"a{i}", 0, 1, 100, account="A") for i in range(3)]
    jobs.append(job("b", 1, 1, 100, account="B"))
    got = starts(FairShare(half_life_days=7.0, shares={}), jobs, 1)
    assert got == {"a0": 0, "b": 100, "a1": 200, "a2": 300}


@pytest.mark.parametrize(("half_life_days", "second"), [(1e-4, "a1"), (1e4, "b1")])
def test_old_usage_is_forgotten_with_the_half_life(half_life_days, second):
    # A held the GPU for 1000 s, then B for 100 s. With a half-life of 9 s only B's is left.
    jobs = [
        job("a0", 0, 1, 1000, account="A"),
        job("b0", 1, 1, 100, account="B"),
        job("b1", 2, 1, 100, account="B"),
        job("a1", 3, 1, 100, account="A"),
    ]
    got = starts(FairShare(half_life_days=half_life_days, shares={}), jobs, 1)
    assert got["b0"] == 1000
    assert got[second] == 1100


def test_a_double_share_may_use_twice_as_much():
    # A 200 GPU-s of a share of 3, B 100 GPU-s of a share of 1: A goes first.
    jobs = [
        job("a0", 0, 1, 200, account="A"),
        job("b0", 1, 1, 100, account="B"),
        job("b1", 2, 1, 100, account="B"),
        job("a1", 3, 1, 100, account="A"),
    ]
    got = starts(FairShare(half_life_days=1e4, shares={"A": 3.0}), jobs, 1)
    assert got == {"a0": 0, "b0": 200, "a1": 300, "b1": 400}


def priced(policy, jobs, price, until_s=20_000.0):
    dispatcher = desk(policy, 2)
    dispatcher.board.signals["price"] = price
    dispatcher.env.process(asking(dispatcher.env, dispatcher, policy.asks_every_s))
    play(dispatcher, jobs, until_s)
    return [each.started_at_s for each in jobs]


def dear_first_hour(at_s):
    return 1.0 if at_s < 3600 else 0.1


def test_work_with_slack_waits_for_the_cheap_hour_and_no_longer_than_its_slack():
    jobs = [job("patient", 0, 8, 100), job("too", 20, 8, 100)]
    assert priced(deadline(slack_hours={"training": 2.0}), jobs, dear_first_hour) == [3600, 3600]
    jobs = [job("half an hour", 0, 8, 100)]
    assert priced(deadline(slack_hours={"training": 0.5}), jobs, dear_first_hour) == [1800]


def test_work_without_slack_starts_at_once_and_overtakes_what_waits():
    jobs = [job("a", 0, 8, 100), job("b", 10, 8, 100)]
    jobs[1].kind = "inference"
    got = priced(deadline(slack_hours={"training": 2.0}), jobs, dear_first_hour)
    assert got == [3600, 10]


def test_at_a_flat_price_nothing_is_put_off():
    jobs = [job("a", 5, 8, 100)]
    assert priced(deadline(slack_hours={"training": 2.0}), jobs, lambda at_s: 0.5) == [5]


def test_waiting_for_a_signal_that_nobody_gives_is_refused():
    with pytest.raises(RunError, match="'price'"):
        play(desk(deadline(), 1), [job("a", 0, 8, 10)])


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


def make(rows, true_limits=False):
    at_s, jobs = 0, []
    for i, (gap, gpus, work, factor) in enumerate(rows):
        at_s += gap
        limit_s = work if true_limits else work * factor
        more = {"account": "AB"[i % 2], "priority": i % 3, "checkpoint_s": 20.0}
        jobs.append(job(str(i), at_s, gpus, work, limit_s=limit_s, **more))
    return jobs


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("policy", POLICIES)
@given(rows=job_lists)
@settings(max_examples=10)
def test_no_gpu_is_held_twice_and_no_job_is_lost(policy, placement, rows):
    jobs, ended = make(rows), []
    dispatcher = desk(POLICIES[policy](placement=placement), 3, on_end=ended.append)
    dispatcher.board.signals["price"] = lambda at_s: 1.0
    held = []
    seat = dispatcher.policy.seat

    def watched(view, each):
        place = seat(view, each)
        assert all(view.free_by_server[server] == 8 for server in place.whole)
        assert view.free_by_server[place.part_server] >= place.part_gpus
        assert place.gpus() == each.gpus
        held.append(each)
        return place

    dispatcher.policy.seat = watched
    play(dispatcher, jobs)
    assert sorted(each.job_id for each in ended) == sorted(each.job_id for each in jobs)
    assert all(each.status == COMPLETED for each in jobs)
    assert dispatcher.cluster.free.free == [8, 8, 8]
    assert len(held) == dispatcher.network.spans.starts == len(jobs) + sum(j.restarts for j in jobs)


@given(rows=job_lists)
@settings(max_examples=60)
def test_sjf_never_starts_a_job_while_a_shorter_one_waits(rows):
    jobs = make(rows)
    play(desk(ShortestJobFirst(), 3), jobs)
    for one in jobs:
        for other in jobs:
            if other.arrived_at_s < one.started_at_s < other.started_at_s:
                assert one.limit_s <= other.limit_s


@pytest.mark.parametrize("placement", PLACEMENTS)
@given(rows=job_lists)
@example(
    rows=[  # several end at one moment, and the promises behind them touch
        *[(0, 1, work, 1) for work in (1, 1, 4)],
        *[(0, gpus, work, 1) for gpus, work in ((11, 3), (14, 1), (11, 1), (14, 1))],
    ]
)
@example(
    rows=[  # two end at one moment: who looks after the first must not plan on the second
        *[(46, 19, 238, 3), (31, 15, 96, 1), (54, 13, 276, 1), (39, 1, 120, 1), (34, 8, 222, 1)],
        *[(47, 11, 26, 1), (0, 7, 118, 1), (0, 12, 1, 1), (34, 20, 1, 1), (18, 7, 1, 1)],
        *[(57, 4, 284, 1), (0, 1, 257, 1)],
    ]
)
@settings(max_examples=60)
def test_conservative_never_delays_any_reservation_with_true_limits(placement, rows):
    jobs, promised = make(rows, true_limits=True), {}
    policy = ConservativeBackfill(depth=100, placement=placement)
    dispatcher = desk(policy, 3)
    start_who_may = dispatcher._dispatch

    def promise():
        start_who_may()
        for each in dispatcher.queue.jobs:  # nor does a newcomer change what others were promised
            promised.setdefault(each, policy.promised_s(each))
            assert policy.promised_s(each) <= promised[each] + 1e-9

    dispatcher._dispatch = promise
    play(dispatcher, jobs)
    assert all(each.started_at_s <= promised.get(each, each.arrived_at_s) for each in jobs)


def behind_a_wide_one(rows, held_s):
    """Return the wide job and all: it waits for one of 20 GPUs while small ones keep coming."""
    wide = job("wide", 1, 24, 200, account="B")
    at_s, jobs = 1, [job("first", 0, 20, held_s), wide]
    for i, (gap, gpus, work) in enumerate(rows):
        at_s += gap
        jobs.append(job(str(i), at_s, gpus, work))
    return wide, jobs


small_jobs = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 8), st.integers(1, 90)), min_size=20, max_size=60
)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("policy", sorted(POLICIES.keys() - {"sjf"}))
@given(rows=small_jobs, held_s=st.integers(5, 120))
@settings(max_examples=4)
def test_a_wide_job_does_not_starve_behind_small_ones(policy, placement, rows, held_s):
    """It starts when the one before it ends, whoever filled the gap beside that."""
    wide, jobs = behind_a_wide_one(rows, held_s)
    dispatcher = desk(POLICIES[policy](placement=placement), 3)
    dispatcher.board.signals["price"] = lambda at_s: 1.0
    play(dispatcher, jobs)
    assert wide.started_at_s == held_s


def test_shortest_job_first_lets_a_long_one_wait_as_long_as_shorter_ones_come():
    wide, jobs = behind_a_wide_one([(3, 8, 50)] * 60, 60)
    play(desk(ShortestJobFirst(), 3), jobs)
    assert wide.started_at_s > max(each.started_at_s for each in jobs if each is not wide)


@given(rows=job_lists)
@settings(max_examples=60)
def test_without_preemption_priority_is_kept_among_jobs_of_one_size(rows):
    """Where everybody wants all GPUs, nobody starts while somebody more important waits."""
    jobs = make([(gap, 24, work, 1) for gap, _, work, _ in rows])
    play(desk(PreemptivePriority(priorities={}), 3), jobs)
    for one in jobs:
        for other in jobs:
            if other.arrived_at_s < one.started_at_s < other.started_at_s:
                assert one.priority >= other.priority


@given(rows=job_lists)
@settings(max_examples=60)
def test_whoever_matters_most_waits_for_nobody_who_matters_less(rows):
    """Who is stopped matters less, is needed, and what is left to stop would not make room."""
    jobs = make(rows)
    dispatcher = desk(PreemptivePriority(priorities={}), 20, 1)
    name_victims, start_who_may = dispatcher.policy.victims, dispatcher._dispatch

    def first():
        return min(dispatcher.queue.jobs, key=lambda each: (-each.priority, each.arrived_at_s))

    def watched(view):
        named, wanted = name_victims(view), first().gpus
        room = view.free_gpus + sum(each.gpus for each in named)
        for each in named:
            assert each.priority < first().priority
            assert room - each.gpus < wanted <= room
        return named

    def passed():
        start_who_may()
        if dispatcher.queue.jobs and not dispatcher._put_off:
            lower = [j for j in dispatcher.running if j.priority < first().priority]
            assert dispatcher.board.free_gpus + sum(each.gpus for each in lower) < first().gpus

    dispatcher.policy.victims, dispatcher._dispatch = watched, passed
    play(dispatcher, jobs)
    assert all(each.status == COMPLETED for each in jobs)


@pytest.mark.parametrize("policy", POLICIES)
@given(rows=job_lists, failures=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 2))))
@settings(max_examples=10)
def test_servers_that_fail_lose_no_job_and_hold_none(policy, rows, failures):
    """One of three servers at a time is away for a minute; jobs of 20 GPUs wait for all of them."""
    jobs = make(rows)
    dispatcher = desk(POLICIES[policy](), 3)
    dispatcher.board.signals["price"] = lambda at_s: 1.0
    env = dispatcher.env

    def failing():
        for after_s, server in failures:
            yield env.timeout(after_s)
            dispatcher.shut_down([server])
            dispatcher.dispatch()
            assert dispatcher.board.free_by_server[server] == 0
            yield env.timeout(30)
            assert all(server not in each.placement.servers() for each in dispatcher.running)
            dispatcher.start_up([server], restart_s=30.0)
            yield env.timeout(31)

    env.process(failing())
    env.process(asking(env, dispatcher, 60.0))
    play(dispatcher, jobs, until_s=200_000.0)
    assert all(each.status == COMPLETED for each in jobs)
    assert dispatcher.cluster.free.free == [8, 8, 8]
    held = sum(each.gpus * each.service_s for each in jobs)
    assert held == pytest.approx(dispatcher.done.useful_gpu_s + dispatcher.done.lost_gpu_s)


def calls_of_one_pass(make_policy, waiting):
    """Return how many functions are called when one job's end lets the queue move."""
    policy = make_policy()
    dispatcher = desk(policy, 8)
    dispatcher.board.signals["price"] = lambda at_s: 1.0
    wide = [job("wide", 0, 64, 100)]
    queue = [job(str(i), 1, 1 + i % 8, 50 + i % 997) for i in range(waiting)]
    play(dispatcher, [*wide, *queue], until_s=99)
    assert len(dispatcher.queue) == waiting
    calls = calls_of(lambda: dispatcher.env.run(until=100.5))
    assert dispatcher.running
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_a_pass_over_50_000_waiting_jobs_is_not_quadratic(policy):
    half, whole = (calls_of_one_pass(POLICIES[policy], n) for n in (25_000, 50_000))
    assert whole <= 2.5 * half
