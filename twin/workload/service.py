"""An inference service: replicas that hold their GPUs and follow a demand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Fraction, NonNegative, Positive, PositiveFraction
from twin.errors import ConfigError, require
from twin.records import Job, Service, WorkloadContext
from twin.units import SECONDS_PER_DAY
from twin.workload.base import Pace, ServiceProfile, Workload
from twin.workload.clocks import Reconfigure
from twin.workload.latency import Latency, histogram
from twin.workload.rhythm import Rhythm, hourly_noise, seconds_since_monday
from twin.workload.routing import Curve, Router, Routing

GRID_S = 60.0
"""Demand and activity are evaluated once a minute whatever the step of the profile, so that
the energy of a service depends on neither that step nor the heartbeat."""

POINTS = 128
"""Rates of a replica between which a router takes power to be a straight line."""

SHOWN_FRACTION = 1e-9
"""Turned-away demand below this share is rounding, not a warning."""


def batch_of_tokens(
    tokens_per_s: NDArray[np.float64], limit_tokens_per_s: float, half_batch: float
) -> NDArray[np.float64]:
    r"""Return how many requests run at once in a replica that makes so many tokens per second.

    Decoding B requests at once makes :math:`T = T_\infty B / (B + B_{1/2})` tokens per
    second: weights are read once for the whole batch, so a step hardly lengthens until
    attention and arithmetic fill it. Solved for B.

    Parameters
    ----------
    tokens_per_s : ndarray, shape (...)
        Output tokens of one replica, 0 <= tokens < limit. [1/s]
    limit_tokens_per_s : float
        Throughput at endless batch, T_inf. [1/s]
    half_batch : float
        Batch that gives half of it. [-]

    Returns
    -------
    ndarray, shape (...)
        Running requests; below 1 the share of time in which one request runs. [-]

    Raises
    ------
    ParameterError
        If a throughput is negative or not below the limit.

    Examples
    --------
    >>> batch_of_tokens(np.array([0.0, 50.0]), 100.0, 120.0).tolist()
    [0.0, 120.0]
    """
    inside = bool(np.all((tokens_per_s >= 0) & (tokens_per_s < limit_tokens_per_s)))
    require(inside, "tokens_per_s", tokens_per_s, f"in 0 .. below {limit_tokens_per_s}")
    return np.asarray(half_batch * tokens_per_s / (limit_tokens_per_s - tokens_per_s))


@dataclass(frozen=True, slots=True)
class Decode:
    """How fast a replica decodes, and what its GPUs do meanwhile."""

    tokens_per_s_limit: Positive
    """Output tokens of one replica at endless batch. [1/s]"""
    half_batch: Positive
    """Batch that gives half of that."""
    batch_max: Count
    """Requests a replica runs at once at most: what its memory for keys and values holds."""
    power_floor: PositiveFraction
    """GPU power over TDP when a single request decodes."""
    power_span: Fraction
    """What a full batch adds to it."""
    power_batch: Positive
    """Batch over which that is added: floor + span x (1 - exp(-B / power_batch))."""
    idle_fraction: Fraction
    """Idle power over TDP of the GPU on which the three above were measured."""

    def __post_init__(self) -> None:
        most = self.power_floor + self.power_span
        require(self.idle_fraction < self.power_floor, "idle_fraction", self.idle_fraction,
                f"below power_floor={self.power_floor}")  # fmt: skip
        require(most <= 1, "power_span", self.power_span, f"<= {1 - self.power_floor:g}")

    def capacity_tokens_per_s(self) -> float:
        """Return what one replica makes at its largest batch [1/s]."""
        return self.tokens_per_s_limit * self.batch_max / (self.batch_max + self.half_batch)

    def slowed(self, rate: float) -> Decode:
        """Return this on GPUs that work at *rate* of their own: a batch takes so much longer."""
        return replace(self, tokens_per_s_limit=self.tokens_per_s_limit * rate)

    def running(self, tokens_per_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the requests that run at once at *tokens_per_s*; below 1, a share of the time."""
        return batch_of_tokens(tokens_per_s, self.tokens_per_s_limit, self.half_batch)

    def itl_s(self, tokens_per_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the time between the tokens of a request: each step gives one to all [s]."""
        batch = np.maximum(self.running(tokens_per_s), 1.0)
        return np.asarray((batch + self.half_batch) / self.tokens_per_s_limit)

    def kept_tokens_per_s(self, itl_s: float) -> float:
        """Return what one replica makes at most so that each token comes within *itl_s* [1/s]."""
        batch = min(self.tokens_per_s_limit * itl_s - self.half_batch, float(self.batch_max))
        if batch < 1.0:
            return 0.0
        return self.tokens_per_s_limit * batch / (batch + self.half_batch)

    def activity(self, tokens_per_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the activity of a replica's GPUs at *tokens_per_s* [-].

        Measured power P becomes activity ``a = (P/TDP - idle) / (1 - idle)``, with
        idle as a fraction of TDP: 0 at idle power and 1 at TDP, the scale on which
        a GPU model turns activity back into watts. Where less than one request runs
        on average, the GPUs decode one request for that share of the time and idle otherwise.
        """
        running = self.running(tokens_per_s)
        # One request alone makes limit / (1 + half) tokens; the share of time at that rate.
        alone = self.tokens_per_s_limit / (1 + self.half_batch)
        busy = np.minimum(tokens_per_s / alone, 1.0)
        batch = np.maximum(running, 1.0)
        power = self.power_floor + self.power_span * (1 - np.exp(-batch / self.power_batch))
        return np.asarray(busy * (power - self.idle_fraction) / (1 - self.idle_fraction))


@dataclass(kw_only=True)
class InferenceService(Workload):
    """Identical replicas behind one even balance of load, for as long as the run lasts.

    Demand beyond what all replicas make at their largest batch is turned away and
    counted. Prompts are not modelled apart (their work is in the measured tokens per
    second); of latency only the time between tokens, and only where ``reconfigure`` says how
    long it may be. Noise is a factor drawn for each hour, joined by straight lines.
    """

    replicas: Count
    gpus_per_replica: Count
    requests_per_s: NonNegative
    """Mean demand over a week."""
    tokens_per_request: Positive
    """Output tokens of a request."""
    decode: Decode
    routing: Routing = "even"
    """``headroom``: more goes to replicas whose rows have more power left. Each replica is
    then a job of its own."""
    heat_margin_k: NonNegative | None = None
    """Routed replicas whose inlet is this near to what slows GPUs down get what the others
    cannot take; null: heat is not looked at, and where it slows some, all are taken to be as
    slow. [K]"""
    reconfigure: Reconfigure | None = None
    """When routed replicas lower their clocks; null: never."""
    asked_within_s: NonNegative = 0.0
    """Replicas ask for their GPUs one by one, at random within this time, each as a job of its
    own; 0: all at once. [s]"""
    rhythm: Rhythm = field(default_factory=Rhythm)
    noise_fraction: Fraction = 0.0
    """Standard deviation of hourly demand around its rhythm, over that demand."""
    step_s: Positive = 300.0
    """Step of the profile; a whole number of minutes."""
    growth: list[tuple[NonNegative, Positive]] = field(default_factory=list)
    """Demand over ``requests_per_s``: points ``[day of the run, factor]``, days rising, joined
    by equal growth each day and held beyond the last; none: no growth."""
    build_out: list[tuple[NonNegative, Count]] = field(default_factory=list)
    """Replicas in service: ``[day of the run, replicas]``, both rising, the last being
    ``replicas``, the first at day 0; none: all from the start."""

    _router: Router | None = field(init=False, default=None, repr=False)
    _until_s: float = field(init=False, default=0.0, repr=False)

    def __post_init__(self) -> None:
        for name in ("growth", "build_out"):
            days = [day for day, _ in getattr(self, name)]
            rising = all(a < b for a, b in pairwise(days))
            require(rising, name, getattr(self, name), "points with days rising")
        steps = self.build_out or [(0.0, self.replicas)]
        rising = all(a < b for (_, a), (_, b) in pairwise(steps))
        allowed = f"from day 0, replicas rising to replicas={self.replicas}"
        ends = (steps[0][0], steps[-1][1]) == (0.0, self.replicas)
        require(rising and ends, "build_out", self.build_out, allowed)
        whole = self.step_s % GRID_S == 0
        require(whole, "step_s", self.step_s, f"a multiple of {GRID_S:g} s")
        at_once = not (self.build_out and self.asked_within_s)
        require(at_once, "asked_within_s", self.asked_within_s, "0 where build_out says when")
        self._check_routing()

    def _check_routing(self) -> None:
        """Refuse what only a router does, and an objective that no request can meet."""
        for name in ("heat_margin_k", "reconfigure"):
            value, needless = getattr(self, name), self.routing != "even"
            require(value is None or needless, name, value, "null unless routing is headroom")
        if self.reconfigure is not None:
            itl_s, alone_s = self.reconfigure.itl_s, float(self.decode.itl_s(np.zeros(1))[0])
            require(self.decode.kept_tokens_per_s(itl_s) > 0, "reconfigure.itl_s", itl_s,
                    f">= {alone_s:.3g}, what a single request takes")  # fmt: skip

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield nothing: a service is no job that ends."""
        return iter(())

    def held_gpus(self) -> int:
        """Return the GPUs of all replicas."""
        return self.replicas * self.gpus_per_replica

    def check(self, context: WorkloadContext) -> None:
        """Refuse a fleet larger than the facility.

        Raises
        ------
        ConfigError
            If the replicas hold more GPUs than there are.
        """
        gpus = self.held_gpus()
        if gpus > context.gpus:
            raise ConfigError(
                f"{self.key}.replicas={self.replicas}: of {self.gpus_per_replica} GPUs each, "
                f"{gpus} GPUs: must be at most {context.gpus} GPUs, all of the facility"
            )

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the service with its profile over the whole run, one for each tranche of replicas.

        A tranche asks for its GPUs on its day and shares the load with the others from then.
        Where requests are routed there is one service, whose replicas ask for themselves.
        """
        steps, self._until_s = math.ceil(context.duration_s / self.step_s), context.duration_s
        demand = self._demand(context, steps)
        tranches = self.build_out or [(0.0, self.replicas)]
        days = self._middle_s(steps) / SECONDS_PER_DAY
        number = np.searchsorted([day for day, _ in tranches], days, side="right") - 1
        replicas = np.array([count for _, count in tranches], dtype=float)[number]
        tokens = demand * self.tokens_per_request / replicas

        @cache
        def made(rate: float) -> tuple[NDArray[np.float64], ...]:
            """Return tokens and activity of a replica, and what is left over, at a rate of GPUs."""
            decode = self.decode.slowed(rate)
            served = np.minimum(tokens, decode.capacity_tokens_per_s())
            unserved = np.maximum(demand - served * replicas / self.tokens_per_request, 0.0)
            return served, decode.activity(served), unserved

        unserved = made(1.0)[2]
        self.warnings = self._warnings(float(unserved.sum()), float(demand.sum()))

        def profile(
            own: NDArray[np.float64], there: NDArray[np.bool_], first: bool, rate: float = 1.0
        ) -> ServiceProfile:
            served, activity, unserved = made(rate)
            values = (
                activity * there,
                served * own / self.tokens_per_request * there,
                served * own * there,
                unserved * (there if first else 0.0),
            )
            return ServiceProfile(*(value.reshape(steps, -1).mean(axis=1) for value in values))

        name = self.label("inference")
        if self.routing != "even" or self.asked_within_s:
            held = replicas.reshape(steps, -1).max(axis=1).astype(int)
            whole = profile(replicas, number >= 0, True)
            router = self._router = self._make_router(demand) if self.routing != "even" else None
            asked = self._asked_at_s(context)
            paced = partial(profile, replicas, number >= 0, True)
            each = Service(name, self.gpus_per_replica, self.step_s, whole, held, router=router)
            return [replace(each, asked_at_s=asked, paced=cache(paced))]
        found, before = [], 0
        for k, (day, count) in enumerate(tranches):
            own, before = count - before, count
            paced = partial(profile, np.full(len(number), float(own)), number >= k, k == 0)
            label = name + (f"-{k + 1}" if len(tranches) > 1 else "")
            gpus, first = own * self.gpus_per_replica, int(day * SECONDS_PER_DAY // self.step_s)
            if first < steps:
                tranche = Service(label, gpus, self.step_s, paced(), from_step=first)
                found.append(replace(tranche, paced=cache(paced)))
        return found

    def _asked_at_s(self, context: WorkloadContext) -> list[float]:
        """Return when each replica asks for its GPUs; empty: all at once."""
        if not self.asked_within_s:
            return []
        drawn = context.rng(f"{self.key}.asked").uniform(0.0, self.asked_within_s, self.replicas)
        return [at_s for at_s in sorted(drawn.tolist()) if at_s < context.duration_s]

    def _make_router(self, demand: NDArray[np.float64]) -> Router:
        """Return what shares *demand* among the replicas."""
        return Router(
            round(self.step_s / GRID_S),
            self.tokens_per_request,
            lambda _: demand,
            cache(self._curve),
            reconfigure=self.reconfigure,
            heat_margin_k=self.heat_margin_k,
        )

    def _curve(self, rate: float) -> Curve:
        """Return what a replica makes of each rate of requests on GPUs at *rate* of their own."""
        decode = self.decode.slowed(rate)
        most = decode.capacity_tokens_per_s()
        alone = decode.tokens_per_s_limit / (1 + decode.half_batch)
        tokens = np.unique([*np.linspace(0.0, most, POINTS), min(alone, most)])
        if self.reconfigure is None:
            return Curve(tokens / self.tokens_per_request, decode.activity(tokens))
        kept = min(decode.kept_tokens_per_s(self.reconfigure.itl_s), most)
        beyond = min(float(np.nextafter(kept, np.inf)), most)
        tokens = np.unique([*tokens, kept, beyond])
        within = np.asarray(tokens <= kept, dtype=float)
        requests = tokens / self.tokens_per_request
        last = float(requests[np.count_nonzero(within) - 1])
        return Curve(requests, decode.activity(tokens), within, last)

    def latency(self, paces: Sequence[Pace] = ()) -> Latency | None:
        """Return the times between tokens where an objective is given for them, and else None.

        How long first tokens take is not known.
        """
        router, rule = self._router, self.reconfigure
        if router is None or rule is None:
            return None
        router.close(self._until_s)
        found, replica_s, lowered_s = Latency(), 0.0, 0.0
        for sent in router.sent:
            decode, requests = self.decode.slowed(sent.rate), sent.requests()
            most = decode.capacity_tokens_per_s()
            itl_s = decode.itl_s(np.minimum(sent.each * self.tokens_per_request, most))
            itl = histogram(itl_s.ravel(), requests.ravel() * self.tokens_per_request)
            within = float(requests[itl_s <= rule.itl_s * (1 + SHOWN_FRACTION)].sum())
            found += Latency(itl=itl, requests=float(requests.sum()), within=within)
            busy_s = (sent.each > 0) * sent.replicas[:, None] * sent.part_s()
            replica_s += float(busy_s.sum())
            lowered_s += float(busy_s.sum()) * (sent.speed < 1.0)
        if lowered_s:
            self.warnings.append(
                f"{self.key}: clocks were lowered for {lowered_s / replica_s:.3g} of the time that "
                f"replicas served, to {min(sent.speed for sent in router.sent):.3g} of their speed "
                f"at least, for rows to draw less than {rule.near_w / 1e3:g} kW"
            )
        return found

    def _middle_s(self, steps: int) -> NDArray[np.float64]:
        """Return the middle of each minute of *steps* steps, in seconds of the run."""
        return GRID_S * np.arange(0.5, steps * round(self.step_s / GRID_S))

    def _grown(self, middle_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return demand over ``requests_per_s`` by growth alone."""
        if not self.growth:
            return np.ones(len(middle_s))
        days, factors = zip(*self.growth, strict=True)
        return np.asarray(np.exp(np.interp(middle_s / SECONDS_PER_DAY, days, np.log(factors))))

    def _demand(self, context: WorkloadContext, steps: int) -> NDArray[np.float64]:
        """Return requests per second in the middle of each minute of *steps* steps."""
        middle_s = self._middle_s(steps)
        weight = self.rhythm.weight(middle_s + seconds_since_monday(context.start))
        weight *= self._grown(middle_s)
        rng = context.rng(f"{self.key}.noise")
        noise = hourly_noise(middle_s, context.duration_s, self.noise_fraction, rng)
        return np.asarray(self.requests_per_s * weight * noise)

    def _warnings(self, unserved: float, demand: float) -> list[str]:
        if unserved <= SHOWN_FRACTION * demand:
            return []
        requests = unserved * GRID_S
        return [
            f"{self.key}: {requests:.0f} requests ({unserved / demand:.2%} of demand) exceed "
            f"what {self.replicas} replicas can serve and are turned away"
        ]
