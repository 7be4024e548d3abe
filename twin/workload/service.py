"""An inference service: replicas that hold their GPUs and follow a demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Fraction, NonNegative, Positive
from twin.errors import ConfigError, require
from twin.records import Hardware, Service, WorkloadContext
from twin.units import SECONDS_PER_DAY
from twin.workload.base import Pace
from twin.workload.clocks import Reconfigure
from twin.workload.decode import Decode, decode_of
from twin.workload.even_load import EvenLoad
from twin.workload.latency import Latency, histogram
from twin.workload.lengths import SAMPLES, LengthConfig, Lengths
from twin.workload.replica import activity_of
from twin.workload.replica_fleet import GRID_S, SHOWN_FRACTION, ReplicaFleet, gpus_of
from twin.workload.rhythm import Rhythm, hourly_noise, seconds_since_monday
from twin.workload.routing import Curve, Router, Routing

POINTS = 128
"""Rates of a replica between which a router takes power to be a straight line."""


@dataclass(kw_only=True)
class InferenceService(ReplicaFleet):
    """Identical replicas behind one even balance of load, for as long as the run lasts.

    Each runs the batch that its demand needs in the mean: what that makes and draws follows
    from the same costs and energies of a step as where requests are served one by one.
    Demand beyond what all replicas make at their largest batch is turned away and
    counted. Of latency there is only the time between tokens, and only where ``reconfigure``
    says how long it may be. Noise is a factor drawn for each hour, joined by straight lines.
    """

    requests_per_s: NonNegative
    """Mean demand over a week."""
    tokens: LengthConfig
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
    growth: list[tuple[NonNegative, Positive]] = field(default_factory=list)
    """Demand over ``requests_per_s``: points ``[day of the run, factor]``, days rising, joined
    by equal growth each day and held beyond the last; none: no growth."""
    build_out: list[tuple[NonNegative, Count]] = field(default_factory=list)
    """Replicas in service: ``[day of the run, replicas]``, both rising, the last being
    ``replicas``, the first at day 0; none: all from the start."""

    _decode: Decode | None = field(init=False, default=None, repr=False)
    _router: Router | None = field(init=False, default=None, repr=False)
    _until_s: float = field(init=False, default=0.0, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("growth", "build_out"):
            days = [day for day, _ in getattr(self, name)]
            rising = all(a < b for a, b in pairwise(days))
            require(rising, name, getattr(self, name), "points with days rising")
        steps = self._tranches()
        rising = all(a < b for (_, a), (_, b) in pairwise(steps))
        allowed = f"from day 0, replicas rising to replicas={self.replicas}"
        ends = (steps[0][0], steps[-1][1]) == (0.0, self.replicas)
        require(rising and ends, "build_out", self.build_out, allowed)
        at_once = not (self.build_out and self.asked_within_s)
        require(at_once, "asked_within_s", self.asked_within_s, "0 where build_out says when")
        for name in ("heat_margin_k", "reconfigure"):
            value, needless = getattr(self, name), self.routing != "even"
            require(value is None or needless, name, value, "null unless routing is headroom")

    def check(self, context: WorkloadContext) -> None:
        """Refuse a fleet or a model that is too large, and an objective no request can meet.

        Raises
        ------
        ConfigError
            If the facility has too few GPUs or too small ones, or too slow ones for
            ``reconfigure.itl_s``.
        """
        super().check(context)
        if self.reconfigure is None:
            return
        itl_s, decode = self.reconfigure.itl_s, self.decode(context)
        if decode.kept_tokens_per_s(itl_s) == 0.0:
            alone_s = float(decode.itl_s(np.zeros(1))[0])
            raise ConfigError(
                f"{self.key}.reconfigure.itl_s={itl_s:g}: must be >= {alone_s:.3g}, what a single "
                "request takes on what the facility has"
            )

    def decode(self, context: WorkloadContext) -> Decode:
        """Return what one replica makes and draws on the GPUs of the facility."""
        drawn = self.tokens.draw(context.rng(f"{self.key}.lengths"), SAMPLES)
        return decode_of(self.replica(*gpus_of(context)), Lengths(*drawn))

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the service with its profile over the whole run, one for each tranche of replicas.

        A tranche asks for its GPUs on its day and shares the load with the others from then.
        Where requests are routed there is one service, whose replicas ask for themselves.
        """
        steps = math.ceil(context.duration_s / self.step_s)
        tranche_of = self._tranche_of(steps)
        replicas = np.array([count for _, count in self._tranches()], dtype=float)[tranche_of]
        demand, hardware = self._demand(context, steps), gpus_of(context)[1]
        load = EvenLoad(self.decode(context), hardware, demand, replicas, steps)
        self._decode, self._until_s = load.decode, context.duration_s
        _, _, unserved = load.made(1.0)
        self.warnings = self.not_served(float(unserved.sum()), float(demand.sum()))
        if self.routing != "even" or self.asked_within_s:
            return [self._one_by_one(load, context)]
        return self._by_tranche(load, tranche_of)

    def _one_by_one(self, load: EvenLoad, context: WorkloadContext) -> Service:
        """Return one service whose replicas are jobs of their own."""
        always = np.ones(len(load.demand), dtype=bool)
        paced = cache(partial(load.profile, load.replicas, always, True))
        if self.routing != "even":
            asked = load.demand * load.decode.fits
            self._router = self._make_router(asked, load.decode, load.hardware)
        return Service(
            self.label("inference"),
            self.gpus_per_replica,
            self.step_s,
            load.profile(load.replicas, always, True),
            load.replicas.reshape(load.steps, -1).max(axis=1).astype(int),
            router=self._router,
            asked_at_s=self._asked_at_s(context),
            paced=paced,
        )

    def _by_tranche(self, load: EvenLoad, tranche_of: NDArray[np.intp]) -> list[Service]:
        """Return a service for each tranche that comes within the run."""
        tranches, name = self._tranches(), self.label("inference")
        found, before = [], 0
        for number, (day, count) in enumerate(tranches):
            own, before = count - before, count
            first = int(day * SECONDS_PER_DAY // self.step_s)
            if first >= load.steps:
                continue
            owned = np.full(len(tranche_of), float(own))
            paced = partial(load.profile, owned, tranche_of >= number, number == 0)
            label = name + (f"-{number + 1}" if len(tranches) > 1 else "")
            gpus = own * self.gpus_per_replica
            found.append(
                Service(label, gpus, self.step_s, paced(), from_step=first, paced=cache(paced))
            )
        return found

    def _tranches(self) -> list[tuple[float, int]]:
        """Return ``(day of the run, replicas)`` in service from then."""
        return self.build_out or [(0.0, self.replicas)]

    def _tranche_of(self, steps: int) -> NDArray[np.intp]:
        """Return the newest tranche in service in each minute."""
        days = self._middle_s(steps) / SECONDS_PER_DAY
        begun = [day for day, _ in self._tranches()]
        return np.searchsorted(begun, days, side="right") - 1

    def _asked_at_s(self, context: WorkloadContext) -> list[float]:
        """Return when each replica asks for its GPUs; empty: all at once."""
        if not self.asked_within_s:
            return []
        drawn = context.rng(f"{self.key}.asked").uniform(0.0, self.asked_within_s, self.replicas)
        return [at_s for at_s in sorted(drawn.tolist()) if at_s < context.duration_s]

    def _make_router(
        self, demand: NDArray[np.float64], decode: Decode, hardware: Hardware
    ) -> Router:
        """Return what shares *demand* among the replicas."""
        return Router(
            round(self.step_s / GRID_S),
            decode.tokens_per_request,
            lambda _: demand,
            cache(lambda rate: self._curve(decode.slowed(rate), hardware)),
            reconfigure=self.reconfigure,
            heat_margin_k=self.heat_margin_k,
        )

    def _curve(self, decode: Decode, hardware: Hardware) -> Curve:
        """Return what a replica makes of each rate of requests."""
        most, each = decode.capacity_tokens_per_s(), decode.tokens_per_request
        tokens = np.unique([*np.linspace(0.0, most, POINTS), min(decode.tokens_per_s(1.0), most)])
        if self.reconfigure is None:
            return Curve(tokens / each, activity_of(decode.drawn(tokens), hardware))
        kept = min(decode.kept_tokens_per_s(self.reconfigure.itl_s), most)
        beyond = min(float(np.nextafter(kept, np.inf)), most)
        tokens = np.unique([*tokens, kept, beyond])
        within = np.asarray(tokens <= kept, dtype=float)
        last = float(tokens[np.count_nonzero(within) - 1]) / each
        return Curve(tokens / each, activity_of(decode.drawn(tokens), hardware), within, last)

    def latency(self, paces: Sequence[Pace] = ()) -> Latency | None:
        """Return the times between tokens where an objective is given for them, and else None.

        How long first tokens take is not known.
        """
        router, rule, usual = self._router, self.reconfigure, self._decode
        if router is None or rule is None or usual is None:
            return None
        router.close(self._until_s)
        found, replica_s, lowered_s = Latency(), 0.0, 0.0
        for sent in router.sent:
            decode, requests = usual.slowed(sent.rate), sent.requests()
            most = decode.capacity_tokens_per_s()
            itl_s = decode.itl_s(np.minimum(sent.each * usual.tokens_per_request, most))
            itl = histogram(itl_s.ravel(), requests.ravel() * usual.tokens_per_request)
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
