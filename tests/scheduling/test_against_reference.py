"""Schedules of random work against schedulers written a second time, without any cleverness.

The references know servers of one GPU, look at every job and every moment anew, and keep no
state between two passes but what their definition asks for: reservations, faded usage.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import desk, job, play
from twin.records import Job
from twin.scheduling.base import Policy
from twin.scheduling.conservative import ConservativeBackfill
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fair_share import FairShare
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.scheduling.sjf import ShortestJobFirst

HALF_LIFE_S = 300.0
SHARES = {"A": 2.0, "B": 0.5}


@dataclass
class Reference:
    """A cluster of one-GPU servers that is asked at each arrival and each end."""

    servers: int
    now_s: float = 0.0
    waiting: list[Job] = field(default_factory=list)
    began_s: dict[Job, float] = field(default_factory=dict)
    running: list[Job] = field(default_factory=list)
    history: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """GPUs that each account holds, from each moment on."""

    def play(self, jobs: list[Job], start: Callable[["Reference"], None]) -> dict[str, float]:
        """Return when each job starts if *start* is asked at each moment."""
        coming = list(jobs)
        while coming or self.running:
            moments = [each.arrived_at_s for each in coming[:1]]
            self.now_s = min(moments + [self.end_s(each) for each in self.running])
            self.running = [each for each in self.running if self.end_s(each) > self.now_s]
            while coming and coming[0].arrived_at_s <= self.now_s:
                self.waiting.append(coming.pop(0))
            start(self)
            held = {name: self.held(name) for name in "ABC"}
            self.history.append((self.now_s, held))
        return {each.job_id: at_s for each, at_s in self.began_s.items()}

    def end_s(self, one: Job) -> float:
        return self.began_s[one] + one.work_s

    def limit_at_s(self, one: Job) -> float:
        return self.began_s[one] + one.limit_s

    @property
    def free(self) -> int:
        return self.servers - sum(each.gpus for each in self.running)

    def held(self, account: str) -> int:
        return sum(each.gpus for each in self.running if each.account == account)

    def begin(self, one: Job) -> None:
        self.waiting.remove(one)
        self.began_s[one] = self.now_s
        self.running.append(one)


def in_order(key: Callable[[Job], float]) -> Callable[[Reference], None]:
    """Start whoever is first by *key* as long as it fits."""

    def start(cluster: Reference) -> None:
        while cluster.waiting:
            first = min(cluster.waiting, key=key)
            if first.gpus > cluster.free:
                return
            cluster.begin(first)

    return start


def backfilled(first: Callable[[Reference], Job]) -> Callable[[Reference], None]:
    """Start the *first*, else the oldest that leaves its earliest start where it is."""

    def overtaker(cluster: Reference, head: Job) -> Job | None:
        free, shadow_s = cluster.free, cluster.now_s
        for end_s, gpus in sorted((cluster.limit_at_s(r), r.gpus) for r in cluster.running):
            if free < head.gpus:
                free, shadow_s = free + gpus, end_s
        for each in cluster.waiting:
            in_time = cluster.now_s + each.limit_s <= shadow_s
            beside = each.gpus <= free - head.gpus
            if each is not head and each.gpus <= cluster.free and (in_time or beside):
                return each
        return None

    def start(cluster: Reference) -> None:
        while cluster.waiting:
            head = first(cluster)
            chosen = head if head.gpus <= cluster.free else overtaker(cluster, head)
            if chosen is None:
                return
            cluster.begin(chosen)

    return start


def least_served(cluster: Reference) -> Job:
    """Return the oldest job of whoever held least GPU time, faded by half in a half-life."""

    def usage(account: str) -> float:
        rate, faded = log(2.0) / HALF_LIFE_S, 0.0
        moments = [*cluster.history, (cluster.now_s, {})]
        for (from_s, held), (to_s, _) in pairwise(moments):
            late, early = (2.0 ** ((s - cluster.now_s) / HALF_LIFE_S) for s in (to_s, from_s))
            faded += held[account] * (late - early) / rate
        return faded

    served = {name: usage(name) / SHARES.get(name, 1.0) for name in "ABC"}
    return min(cluster.waiting, key=lambda each: served[each.account])


class Conservative:
    """Reservations on named servers, looked for among all moments at which one gets free."""

    def __init__(self) -> None:
        self.promised: dict[Job, tuple[float, list[int]]] = {}
        self.seats: dict[Job, list[int]] = {}

    def __call__(self, cluster: Reference) -> None:
        gone = self.seats.keys() - set(cluster.running)
        for each in gone:
            del self.seats[each]
        moved = bool(gone)
        while moved:
            moved = False
            for each, (at_s, _) in sorted(self.promised.items(), key=lambda item: item[1][0]):
                sooner = self.earliest(cluster, each)
                if sooner[0] <= cluster.now_s < at_s:
                    self.promised[each], moved = sooner, True
        for each in cluster.waiting:
            if each not in self.promised:
                self.promised[each] = self.earliest(cluster, each)
        for each in list(cluster.waiting):
            if self.promised[each][0] <= cluster.now_s:
                self.seats[each] = self.promised.pop(each)[1]
                cluster.begin(each)

    def earliest(self, cluster: Reference, one: Job) -> tuple[float, list[int]]:
        taken = [(cluster.now_s, cluster.limit_at_s(r), self.seats[r]) for r in cluster.running]
        for other, (at_s, seats) in self.promised.items():
            if other is not one:
                taken.append((at_s, at_s + other.limit_s, seats))
        for at_s in sorted({cluster.now_s, *(end_s for _, end_s, _ in taken)}):
            until_s = at_s + one.limit_s
            busy = {s for a, b, seats in taken if a < until_s and b > at_s for s in seats}
            free = [server for server in range(cluster.servers) if server not in busy]
            if len(free) >= one.gpus:
                return at_s, free[: one.gpus]
        raise AssertionError("no moment at which all servers are free")


CASES: dict[str, tuple[Callable[[], Policy], Callable[[], Callable[[Reference], None]]]] = {
    "fcfs": (FirstComeFirstServed, lambda: in_order(lambda each: each.arrived_at_s)),
    "sjf": (ShortestJobFirst, lambda: in_order(lambda each: each.limit_s)),
    "easy": (EasyBackfill, lambda: backfilled(lambda cluster: cluster.waiting[0])),
    "fair_share": (
        lambda: FairShare(half_life_days=HALF_LIFE_S / 86400.0, shares=SHARES),
        lambda: backfilled(least_served),
    ),
    "conservative": (lambda: ConservativeBackfill(depth=1000), Conservative),
}


def random_work(seed: int) -> tuple[int, list[Job]]:
    """Return servers and jobs, no two moments of which coincide."""
    rng = random.Random(seed)
    servers, at_s, jobs = rng.choice([2, 3, 5, 8]), 0.0, []
    for number in range(rng.randint(3, 25)):
        at_s += rng.expovariate(1.0 / rng.choice([3.0, 20.0, 60.0]))
        gpus = rng.randint(1, servers if rng.random() < 0.3 else max(1, servers // 3))
        work_s = rng.uniform(1.0, 200.0)
        limit_s = work_s * rng.choice([1.0, 1.0, rng.uniform(1.0, 4.0)])
        account = rng.choice("ABC")
        jobs.append(job(str(number), at_s, gpus, work_s, limit_s=limit_s, account=account))
    return servers, jobs


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 1_000_000))
@settings(max_examples=60)
def test_every_job_starts_when_the_reference_starts_it(name, seed):
    policy, reference = CASES[name]
    servers, jobs = random_work(seed)
    expected = Reference(servers).play(jobs, reference())
    play(desk(policy(), servers, 1), jobs)
    assert {each.job_id: each.started_at_s for each in jobs} == pytest.approx(expected)
