"""Inference by the token: a fleet of replicas, and what it makes of its demand."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twin.config import Positive
from twin.errors import require
from twin.records import Service, WorkloadContext
from twin.workload import request_mode
from twin.workload import split as disaggregated
from twin.workload.base import Pace, ServiceProfile
from twin.workload.fluid import Alone, Fleet, Served, capacity_per_s, serve_fluid
from twin.workload.latency import Latency, Objective
from twin.workload.lengths import (
    Lengths,
)
from twin.workload.replica import Replica, activity_of
from twin.workload.replica_fleet import GRID_S, SHOWN_FRACTION, ReplicaFleet, gpus_of
from twin.workload.request_mode import Requests, WorkClock, booked, latency_of
from twin.workload.routing import Curve, Router, Routing
from twin.workload.scaling import Autoscaling
from twin.workload.split import Split

Floats = NDArray[np.float64]

KEPT_FRACTION = 0.99
"""A router sends a replica no more than so many of its requests are within their objective
of, unless all get as much."""


def near(rate: float) -> float:
    """Return *rate* in steps of 1 %, so that a limit that hunts asks for few of them.

    Examples
    --------
    >>> near(0.8449), near(0.9999), near(0.001)
    (0.84, 1.0, 0.01)
    """
    return min(max(round(rate, 2), 0.01), 1.0)


def parts_of_steps(paces: Sequence[Pace], steps: int, step_s: float) -> dict[float, Floats]:
    """Return the part of each of *steps* that GPUs worked at each rate; they add up to 1.

    Examples
    --------
    >>> found = parts_of_steps([(30.0, 0.5), (90.0, 1.0)], 2, 60.0)
    >>> {rate: part.tolist() for rate, part in found.items()}
    {1.0: [0.5, 0.5], 0.5: [0.5, 0.5]}
    """
    edges_s = step_s * np.arange(steps + 1)
    found: dict[float, Floats] = {}
    changes = [(0.0, 1.0), *paces, (edges_s[-1], 1.0)]
    for (from_s, rate), (to_s, _) in pairwise(changes):
        spent_s = np.clip(edges_s, from_s, max(from_s, to_s))
        part = np.diff(spent_s) / step_s
        if part.any():
            found[near(rate)] = found.get(near(rate), 0.0) + part
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is asked to do, minute by minute."""

    fleet: Fleet
    demand: Floats
    active: NDArray[np.int64]
    requests: Requests | None
    """Each by itself, if they are served so."""


@dataclass(kw_only=True)
class Serving(ReplicaFleet):
    """A fleet of identical replicas; subclasses bring its demand.

    In the mode ``fluid`` each minute is in steady state; in the mode ``requests`` every
    request is served by itself, and step and heartbeat show what came of it. A fleet holds
    the GPUs of all its replicas for the whole run, and those of replicas that are down idle,
    unless its autoscaling lends them.
    Where heat or a power cap slows the GPUs down, fewer requests fit and all wait longer.
    """

    objective: Objective
    autoscaling: Autoscaling | None = None
    """How many replicas are up; None: always all."""
    split: Split | None = None
    """Replicas that only prefill, the others only decode; None: all do both."""
    routing: Routing = "even"
    """``headroom``: more goes to replicas whose rows have more power left, as long as they
    keep the objective. Each replica is then a job of its own. Only as a fluid."""
    queue_max_s: Positive = 60.0
    """Longest wait before a request gives up. [s]"""
    mode: Literal["fluid", "requests"] = "fluid"
    arrival_cv: Positive = 1.0
    """Coefficient of variation of the times between arrivals; 1: at random."""
    served: Served | None = field(init=False, default=None, repr=False)
    """What the fleet did, minute by minute; None before the run."""
    _served_for: WorkloadContext | None = field(init=False, default=None, repr=False)
    _plan: Plan | None = field(init=False, default=None, repr=False)
    _slowed: dict[float, Served] = field(init=False, default_factory=dict, repr=False)
    """What it would do at other rates of the GPUs."""
    _router: Router | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split is not None:
            some = self.split.prefill_replicas
            require(some < self.replicas, "split.prefill_replicas", some,
                    f"below replicas={self.replicas}: the others decode")  # fmt: skip
            require(self.autoscaling is None, "autoscaling", "...",
                    "null where prefill and decode are split")  # fmt: skip
        if self.routing != "even":
            plain = self.mode == "fluid" and self.autoscaling is None and self.split is None
            require(plain, "routing", self.routing,
                    "even unless mode is fluid and autoscaling and split are null")  # fmt: skip

    @abstractmethod
    def lengths(self, context: WorkloadContext) -> Lengths:
        """Return the lengths of the requests that are expected."""

    @abstractmethod
    def demand(self, context: WorkloadContext, steps: int) -> Floats:
        """Return the requests asked for in each of *steps* minutes [1/s]."""

    @abstractmethod
    def requests(self, context: WorkloadContext, demand: Floats) -> Requests:
        """Return the single requests that make up *demand*."""

    def held_gpus(self) -> int:
        """Return the GPUs held for good: of all replicas, or of those never lent."""
        scaling = self.autoscaling
        always = scaling.replicas_min if scaling and scaling.lend else self.replicas
        return always * self.gpus_per_replica

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the one service, with its profile over the whole run."""
        served = self.serve(context)
        gpus, held, serving = self.replicas * self.gpus_per_replica, None, None
        if self.autoscaling is not None and self.autoscaling.lend:
            gpus, per_step = self.gpus_per_replica, round(self.step_s / GRID_S)
            held = self.autoscaling.held(served.replicas, per_step, GRID_S)
            serving = served.replicas.reshape(-1, per_step).max(axis=1)
        profile = self._profile(served, held, context)

        def paced(rate: float) -> ServiceProfile:
            return self._profile(self._at(rate), held, context)

        if self.routing != "even":
            gpus, held = self.gpus_per_replica, np.full(len(profile.activity), self.replicas)
        name, router = self.label("inference"), self._router
        return [
            Service(name, gpus, self.step_s, profile, held, serving, paced=paced, router=router)
        ]

    def _alone(self, rate: float) -> Alone:
        """Return a replica on GPUs at *rate* of their own."""
        alone = self._at(rate).alone
        assert alone is not None  # routed as a fluid, with nothing apart
        return alone

    def _curve(self, rate: float, context: WorkloadContext) -> Curve:
        """Return what a replica makes of each rate of requests on GPUs at *rate* of their own."""
        alone = self._alone(rate)
        within, requests = alone.within(), alone.requests_per_s()
        kept = int(np.argmax(within < KEPT_FRACTION)) or len(within)
        activity = activity_of(alone.table.power_fraction, gpus_of(context)[1])
        return Curve(requests, activity, within, float(requests[max(kept - 1, 1)]))

    def _profile(self, served: Served, held: Any, context: WorkloadContext) -> ServiceProfile:
        """Return *served* in steps of the profile, its power as activity of the GPUs held."""
        peak_flops, hardware = gpus_of(context)
        steps = math.ceil(context.duration_s / self.step_s)

        def means(values: Floats) -> Floats:
            return np.asarray(values.reshape(steps, -1).mean(axis=1))

        power = means(served.power_fraction)
        if held is not None:
            idle = self.replica(peak_flops, hardware).idle_fraction
            power = idle + (power - idle) * self.replicas / held  # of those that hold GPUs
        return ServiceProfile(
            activity_of(power, hardware),
            means(served.requests_per_s),
            means(served.tokens_per_s),
            means(served.unserved_per_s),
            means(served.judged_per_s),
            means(served.within_per_s),
        )

    def latency(self, paces: Sequence[Pace] = ()) -> Latency | None:
        """Return how long requests waited, once the run has been worked out.

        Where *paces* say that GPUs were slowed, requests of that time waited longer.
        """
        plan, served = self._plan, self.served
        if plan is None or served is None:
            return None
        slowed = any(rate != 1.0 for _, rate in paces)
        if slowed:
            self._tell_of_slowing(paces, len(plan.demand))
        if self._router is not None and self._router.sent:
            return self._routed_latency(self._router)
        if not slowed:
            return served.latency
        if plan.requests is not None:
            records = disaggregated.records if plan.fleet.prefill else request_mode.records
            clock = WorkClock(paces)
            found_by = records(plan.fleet, plan.requests, plan.active, GRID_S, clock)
            return latency_of(plan.fleet, found_by)
        found = Latency()
        for rate, part in parts_of_steps(paces, len(plan.demand), GRID_S).items():
            over = self._at(rate).latency_over
            assert over is not None  # a fluid knows each step
            found += over(part)
        return found

    def _routed_latency(self, router: Router) -> Latency:
        """Return how long requests waited where they were sent, up to the end of the run."""
        assert self._served_for is not None  # a router is made for a run
        router.close(self._served_for.duration_s)
        found = Latency()
        for sent in router.sent:
            minutes = np.broadcast_to(sent.minutes, sent.each.shape).ravel()
            alone = self._alone(sent.rate)
            found += alone.latency(minutes, sent.each.ravel(), sent.requests().ravel())
        return found

    def serve(self, context: WorkloadContext) -> Served:
        """Return what the fleet does in each minute of the run."""
        if self.served is not None and self._served_for is context:
            return self.served
        steps = math.ceil(context.duration_s / self.step_s) * round(self.step_s / GRID_S)
        replica = self.replica(*gpus_of(context))
        fits, lengths = self.lengths(context).fitting(replica.costs.kv_tokens)
        demand = self.demand(context, steps)
        active = np.full(steps, self.replicas)
        if self.autoscaling is not None:
            capacity = capacity_per_s(replica, lengths)
            active = self.autoscaling.replicas(demand * fits, capacity, self.replicas, GRID_S)
        fleet = Fleet(
            replica,
            lengths,
            self.replicas,
            self.objective,
            self.queue_max_s,
            self.arrival_cv,
            *self._split(replica, context),
            fits,
        )
        if self.mode == "fluid":
            self._plan = Plan(fleet, demand, active, None)
            served = _fluid(fleet, demand, active)
        else:
            requests = self.requests(context, demand)
            self._plan = Plan(fleet, demand, active, requests)
            records = disaggregated.records if fleet.prefill else request_mode.records
            served = booked(fleet, records(fleet, requests, active, GRID_S), active, GRID_S)
        came = self._plan.requests
        asked = float(demand.sum()) if came is None else len(came) / GRID_S
        within = f" within queue_max_s={self.queue_max_s:g}"
        self.warnings = self.not_served(float(served.unserved_per_s.sum()), asked, within)
        self.served, self._served_for = served, context
        self._slowed = {1.0: served}
        self._router = self._make_router(context) if self.routing != "even" else None
        return served

    def _make_router(self, context: WorkloadContext) -> Router:
        """Return what shares that among the replicas."""
        assert self._plan is not None
        return Router(
            minutes=round(self.step_s / GRID_S),
            tokens_per_request=self._plan.fleet.lengths.output_mean,
            demand=lambda rate: self._at(rate).requests_per_s,
            curve=cache(lambda rate: self._curve(rate, context)),
            on_time=cache(lambda rate: self._alone(rate).on_time()),
        )

    def _split(self, replica: Replica, context: WorkloadContext) -> tuple[int, float]:
        """Return how many replicas only prefill, and what moving a prompt token takes [s]."""
        if self.split is None:
            return 0, 0.0
        _, hardware = gpus_of(context)
        kv_bytes = self.model.kv_bytes_per_token()
        if self.split.kv_gb_per_s is not None:
            return self.split.prefill_replicas, kv_bytes / (self.split.kv_gb_per_s * 1e9)
        each = hardware.fabric_bytes_per_s
        return self.split.prefill_replicas, kv_bytes / (replica.gpus * each)

    def _at(self, rate: float) -> Served:
        """Return what the fleet would do in each minute on GPUs at *rate* of their speed.

        Request by request nothing is worked out anew while a run goes on: what the fluid
        loses at that rate is taken from what each minute served.
        """
        rate = near(rate)
        if rate not in self._slowed:
            plan, served = self._plan, self.served
            assert plan is not None
            assert served is not None  # a run asks for it only once it has been served
            slow = replace(plan.fleet, replica=plan.fleet.replica.slowed(rate))
            found = _fluid(slow, plan.demand, plan.active)
            if plan.requests is not None:
                usual = _fluid(plan.fleet, plan.demand, plan.active)
                found = served.changed(found, usual)
            self._slowed[rate] = found
        return self._slowed[rate]

    def _tell_of_slowing(self, paces: Sequence[Pace], steps: int) -> None:
        """Say how many requests more were lost because GPUs were slowed."""
        assert self.served is not None
        parts = parts_of_steps(paces, steps, GRID_S)
        usual = self.served.requests_per_s
        lost = sum(float((usual - self._at(r).requests_per_s) @ part) for r, part in parts.items())
        if lost > SHOWN_FRACTION * float(usual.sum()):
            percent = 100 * lost / float(usual.sum())
            self.warnings.append(
                f"{self.key}: {lost * GRID_S:.0f} requests ({percent:.3g} %) more were not served "
                "because heat or a power limit slowed the GPUs"
            )


def _fluid(fleet: Fleet, demand: Floats, active: NDArray[np.int64]) -> Served:
    """Return what a fleet does as a fluid, minute by minute; what no memory holds is refused."""
    serve = disaggregated.serve_fluid if fleet.prefill else serve_fluid
    served = serve(fleet, demand * fleet.fits, active, GRID_S)
    return replace(served, unserved_per_s=served.unserved_per_s + demand * (1.0 - fleet.fits))
