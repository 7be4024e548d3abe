"""Offers of services: what each replica serves, by its profile, its router and where it stands.

One SimPy process drives each service: it holds its GPUs as jobs without end, and at each of
its steps their demand is shared among those that have GPUs. It is shared anew when replicas
come or go, and when heat or power limits change what GPUs leave of their rate.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from math import inf
from typing import Protocol

import simpy

from twin.cluster.cluster import Cluster
from twin.jobs.books import NOTHING, Heat, Served, Tally
from twin.records import Job, Service, Standing
from twin.workload.base import ServiceProfile
from twin.workload.routing import Router

Life = Generator[simpy.Event, None, None]


class Offers:
    """The services on offer, and what each of their replicas makes of its GPUs."""

    inlet_c: float = -inf
    """Inlet temperature of the hall, told each beat. [degC]"""
    _waiting: bool = False
    """Whether services wait for their demand to be shared anew."""
    _slowest: float = 1.0
    """Rate of the slowest GPUs that serve requests. [-]"""

    def __init__(
        self,
        env: simpy.Environment,
        cluster: Cluster,
        tally: Tally,
        heat: Heat,
        work_at: Callable[[Job, float], None],
    ) -> None:
        self.env = env
        self.cluster = cluster
        self.tally = tally
        self.heat = heat
        self.work_at = work_at
        """Lets a job work at an activity from now on."""
        self.paces: list[tuple[float, float]] = []
        """When the rate of GPUs that serve changed, and to what fraction of their own; of the
        slowest of them."""
        self._served: dict[Job, Served] = {}
        """What each job of a service makes while it holds its GPUs."""
        self._steps: dict[str, tuple[Service, int]] = {}
        """Each service, and the step of its profile it is in."""
        # What a replica of so many GPUs draws by its activity, at what limits leave of that.
        self._drawn_w: dict[tuple[int, float], Callable[[float], float]] = {}

    # ---- replicas come and go ----

    def join(self, job: Job) -> None:
        """Let what *job* makes count: it has its GPUs now."""
        self._count(self._served.get(job, NOTHING), 1.0)
        self._renew_soon()

    def leave(self, job: Job) -> None:
        """Let what *job* makes count no longer: its GPUs are taken from it."""
        self._count(self._served.get(job, NOTHING), -1.0)
        self._renew_soon()

    def forget(self, job: Job) -> None:
        """Know *job* no longer: it has ended."""
        self._served.pop(job, None)

    def _count(self, served: Served, sign: float) -> None:
        tally = self.tally
        tokens_per_s, requests_per_s, judged_per_s, within_per_s = served
        tally.tokens_per_s += sign * tokens_per_s
        tally.requests_per_s += sign * requests_per_s
        tally.judged_per_s += sign * judged_per_s
        tally.within_per_s += sign * within_per_s

    # ---- demand over time ----

    def follow(self, offer: Service, step: int) -> None:
        """Let the jobs of a service do what its profile says of *step*, at the pace of GPUs."""
        self._steps[offer.name] = (offer, step)
        self.tally.advance(self.env.now)
        self.tally.asked_per_s = sum(
            each.profile.asked_per_s(at) for each, at in self._steps.values()
        )
        if offer.router is not None:
            self._route(offer, step)
            return
        pace_of = self.heat.of
        serving = len(offer.jobs) if offer.serving is None else int(offer.serving[step])
        each = {
            rate: _share(offer, step, rate, max(serving, 1))
            for rate in {pace_of(job)[1] for job in offer.jobs}
        }
        for place, job in enumerate(offer.jobs):
            activity, served = each[pace_of(job)[1]]
            self._serve(job, activity, served if place < serving else NOTHING)

    def renew(self) -> None:
        """Let services do what they can where their replicas stand now."""
        self._waiting = False
        offers, heat = list(self._steps.values()), self.heat
        for offer, step in offers:
            self.follow(offer, step)
        serving = [heat.of(job)[1] for offer, _ in offers for job in offer.jobs]
        rate = min(serving, default=heat.usual[1])
        if rate != self._slowest:
            self._slowest = rate
            self.paces.append((self.env.now, rate))

    def _renew_soon(self) -> None:
        """Have services share their demand anew, once all that happens now has happened."""
        alone = any(offer.router or offer.asked_at_s for offer, _ in self._steps.values())
        if (alone or self.heat.servers) and not self._waiting:
            self._waiting = True
            self.env.timeout(0.0).callbacks.append(self._renew_after_all)

    def _renew_after_all(self, _: simpy.Event) -> None:
        self.renew()

    def _serve(self, job: Job, activity: float, served: Served) -> None:
        """Let *job*, a service or a replica of one, work at *activity* from now on."""
        before = self._served.get(job, NOTHING)
        self._served[job] = served
        self.work_at(job, activity)
        if job.placement is not None:
            self._count(before, -1.0)
            self._count(served, 1.0)

    # ---- routers ----

    def _route(self, offer: Service, step: int) -> None:
        """Let the jobs of a service do what its router sends each of them."""
        router: Router = offer.router
        seated: list[Job] = []
        for job in offer.jobs:
            if job.placement is None:
                self._serve(job, float(offer.profile.activity[step]), NOTHING)
            else:
                seated.append(job)
        if not seated:
            router.close(self.env.now)
            return
        others_w, rows = self._beside(seated, offer.gpus)
        margin_k, pace_of = router.heat_margin_k, self.heat.of
        warm = [] if margin_k is None else self._near_too_warm(seated, margin_k)
        if not warm:
            rate = min(pace_of(job)[1] for job in seated)
            where = self._standing(rows, others_w, offer.gpus, self.heat.usual[0])
            shares = router.share(step, self.env.now, rate, where)
        else:
            later = set(warm)
            cool = [job for job in seated if job not in later]
            row_of = dict(zip(seated, rows, strict=True))
            tiers = [
                (
                    min((pace_of(job)[1] for job in tier), default=1.0),
                    self._standing(
                        [row_of[job] for job in tier],
                        others_w,
                        offer.gpus,
                        min((pace_of(job)[0] for job in tier), default=1.0),
                    ),
                )
                for tier in (cool, warm)
            ]
            seated = cool + warm
            shares = router.share(step, self.env.now, *tiers[0], tiers[1])
        for job, (activity, served) in zip(seated, shares, strict=True):
            self._serve(job, activity, served)

    def _beside(self, jobs: Sequence[Job], gpus: int) -> tuple[list[float], list[int]]:
        """Return what each row draws beside what *jobs* draw beyond idling, and their rows."""
        cluster = self.cluster
        others_w, rows = cluster.row_power_w(), []
        idle_w = cluster.server.power_w(0.0)[0] * gpus / cluster.server.gpus_per_server
        for job in jobs:
            assert job.placement is not None
            row = cluster.row_at(job.placement)
            others_w[row] -= job.power_w - idle_w
            rows.append(row)
        return others_w, rows

    def _standing(
        self, rows: list[int], others_w: list[float], gpus: int, factor: float
    ) -> Standing:
        """Return where replicas stand whose GPUs keep *factor* of their activity."""
        server, known = self.cluster.server, (gpus, factor)
        if known not in self._drawn_w:
            idle_w, per_server = server.power_w(0.0)[0], server.gpus_per_server
            self._drawn_w[known] = lambda activity: (
                (server.power_w(server.drive(activity * factor))[0] - idle_w) * gpus / per_server
            )
        return Standing(rows, others_w, self._drawn_w[known], server.capped)

    def _near_too_warm(self, jobs: Iterable[Job], margin_k: float) -> list[Job]:
        """Return those of *jobs* with a server whose inlet is so near to what slows GPUs down."""
        cluster, inlet_c = self.cluster, self.inlet_c
        limits, fans = cluster.server.limits, cluster.power.fans
        rises_k = [0.0] * cluster.racks if fans is None else fans.rise_k
        at_c = inlet_c + margin_k
        warm = {rise_k for rise_k in set(rises_k) if limits(at_c + rise_k, False, False)[0]}
        if not warm:
            return []
        rack_of = cluster.rack_of
        return [
            job
            for job in jobs
            if job.placement is not None
            and any(rises_k[rack_of[server]] in warm for server in job.placement.servers())
        ]


def _share(offer: Service, step: int, rate: float, serving: int) -> tuple[float, Served]:
    """Return what one of so many jobs of a service does where GPUs work at *rate*."""
    profile: ServiceProfile = offer.profile
    if offer.paced is not None and rate < 1.0:
        profile = offer.paced(rate)
    share = 1.0 / serving
    columns = (
        profile.tokens_per_s,
        profile.requests_per_s,
        profile.judged_per_s,
        profile.within_per_s,
    )
    tokens, requests, judged, within = (
        0.0 if column is None else float(column[step]) * share for column in columns
    )
    return float(profile.activity[step]), (tokens, requests, judged, within)


class Desk(Protocol):
    """Where the jobs of services ask for GPUs, and give them back."""

    offers: Offers

    def submit(self, job: Job) -> None:
        """Let *job* join those that wait for GPUs."""

    def end(self, job: Job) -> None:
        """Let *job* end, whether it has its GPUs or still waits."""


def service(env: simpy.Environment, desk: Desk, offer: Service) -> Life:
    """Hold a service's GPUs as jobs without end, and let their activity follow demand.

    One job holds them all, or one each replica that is wanted: GPUs that no replica
    wants are then free for others. Requests and tokens count only while GPUs are held.
    """
    profile: ServiceProfile = offer.profile
    first = offer.from_step
    if first:
        yield env.timeout(first * offer.step_s - env.now)
    if offer.asked_at_s:
        env.process(_asking_one_by_one(env, desk, offer))
    for step, activity in enumerate(profile.activity[first:].tolist(), start=first):
        wanted = 1 if offer.replicas is None else int(offer.replicas[step])
        if not offer.asked_at_s:
            _scale(env, desk, offer, wanted, activity)
        desk.offers.follow(offer, step)
        yield env.timeout((step + 1) * offer.step_s - env.now)


def _asking_one_by_one(env: simpy.Environment, desk: Desk, offer: Service) -> Life:
    """Let each replica of a service ask for its GPUs in its turn."""
    for number, at_s in enumerate(offer.asked_at_s, start=1):
        yield env.timeout(at_s - env.now)
        activity = offer.profile.activity[int(at_s // offer.step_s)]
        _scale(env, desk, offer, number, float(activity))


def _scale(
    env: simpy.Environment, desk: Desk, offer: Service, wanted: int, activity: float
) -> None:
    """Let a service have as many jobs as are *wanted*; those started last end first."""
    while len(offer.jobs) > wanted:
        desk.end(offer.jobs.pop())
    while len(offer.jobs) < wanted:
        offer.started += 1
        job = Job(
            job_id=offer.name if offer.replicas is None else f"{offer.name}-{offer.started}",
            kind="inference",
            arrived_at_s=env.now,
            gpus=offer.gpus,
            work_s=inf,
            limit_s=inf,
            activity=activity,
        )
        offer.jobs.append(job)
        desk.submit(job)
