"""Serving as a fluid: what replicas draw and how long requests wait, from the load alone.

For weeks and months. Each replica is a birth-death chain of running requests: arrivals at
the rate that falls to it, departures at the rate its batch makes tokens. For arrivals at
random the chain gives batch and power exactly, whatever the lengths of answers; where
replicas take turns, arrivals are more even than that, and a lightly loaded replica idles less.

Prompts wait for each other as in M/G/1, stretched by Kingman's factor where arrivals are not
at random. Approximated besides: the wait for room in the batch is exponential, and of it and
the wait for a prompt's turn only the longer counts; prompts hold up tokens independently of
the batch; and the mean time between the tokens of one request is a shifted gamma variable.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.physics.queueing import birth_death, gamma_cdf, mg1_wait_cdf
from twin.workload.latency import EDGES_S, Latency, Objective, histogram
from twin.workload.lengths import Lengths
from twin.workload.replica import Replica

Floats = NDArray[np.float64]

LOADS = np.concatenate([[0.0], np.linspace(0.02, 0.94, 47), [0.955, 0.97, 0.98, 0.99, 0.995]])
"""Loads at which the chain is solved, over the most a replica can serve; between them,
straight lines. Beyond the last, demand waits outside."""
_EDGES = 1 - np.linspace(1.0, 0.0, 97) ** 2
STAND_INS = 0.5 * (_EDGES[1:] + _EDGES[:-1])
"""Quantiles of lengths that stand for all, closer together among the longest ..."""
SHARES = np.diff(_EDGES)
"""... and the share that each stands for."""
EVEN = (np.arange(256) + 0.5) / 256
"""Quantiles that stand for equal shares."""
_FINE = (np.arange(4096) + 0.5) / 4096
GROUPS = 32
"""Batches told apart in the times of tokens."""
STALLS = 8
"""Prompts in a row told apart that hold up a token."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a fleet did in each step, and to whom."""

    power_fraction: Floats
    """Power of all its GPUs over their TDP. [-]"""
    requests_per_s: Floats
    tokens_per_s: Floats
    unserved_per_s: Floats
    """Requests turned away, or that gave up. [1/s]"""
    replicas: NDArray[np.int64]
    """Replicas that served."""
    latency: Latency
    judged_per_s: Floats
    """Requests whose latency is known, and ... [1/s]"""
    within_per_s: Floats
    """... those of them within their objective. [1/s]"""
    latency_over: Callable[[Floats], Latency] | None = None
    """Latencies of a part of each step; None where they cannot be told apart by step."""
    alone: Alone | None = None
    """What a single replica does; None request by request, and where prefill is apart."""

    def changed(self, now: Served, usual: Served) -> Served:
        """Return this with all rates changed as from *usual* to *now*, step by step."""

        def like(mine: Floats, after: Floats, before: Floats) -> Floats:
            return mine * np.divide(after, before, out=np.ones_like(mine), where=before > 0)

        return replace(
            self,
            power_fraction=like(self.power_fraction, now.power_fraction, usual.power_fraction),
            requests_per_s=like(self.requests_per_s, now.requests_per_s, usual.requests_per_s),
            tokens_per_s=like(self.tokens_per_s, now.tokens_per_s, usual.tokens_per_s),
            judged_per_s=like(self.judged_per_s, now.judged_per_s, usual.judged_per_s),
            within_per_s=like(self.within_per_s, now.within_per_s, usual.within_per_s),
        )


def capacity_per_s(replica: Replica, lengths: Lengths) -> float:
    r"""Return the requests that a replica can serve at most.

    With N running, a request takes :math:`o (A + g N)` of decode time if all share it
    and a prefill of its own besides:

    .. math:: \lambda_{max} = \frac{N}{o (A + g N) + N t_p}
    """
    running = replica.running_limit(lengths.held_tokens)
    costs = replica.costs
    decode_s = costs.decode_s(running, running * lengths.cached_tokens)
    prefill_s, _ = lengths.prefill(costs)
    return running / (lengths.decoded_mean * decode_s + running * prefill_s)


def token_steps(made: Floats, step_s: Floats) -> tuple[Floats, Floats]:
    """Return shares of all tokens, and the decode step each was made in, in a few groups.

    *made* says how many are made with 1, 2, .. requests running, in steps of *step_s*.
    """
    if made.sum() == 0:
        return np.ones(1), step_s[:1]  # the one request that comes is alone
    made = made / made.sum()
    group = np.minimum((np.cumsum(made) * GROUPS).astype(int), GROUPS - 1)
    weight = np.asarray(np.bincount(group, made, GROUPS), dtype=float)
    held_s = np.asarray(np.bincount(group, made * step_s, GROUPS), dtype=float)
    return weight[weight > 0], held_s[weight > 0] / weight[weight > 0]


@dataclass(frozen=True, slots=True)
class Levels:
    """A replica at each of ``LOADS``."""

    power_fraction: Floats
    batch: Floats
    """Mean running requests."""
    ttft: Floats
    """Histogram of each load, shape (loads, bins)."""
    itl: Floats
    first_in_time: Floats
    """Share of requests whose first token comes in time."""
    rest_in_time: Floats
    """Share whose mean time between tokens is short enough."""


def levels(replica: Replica, lengths: Lengths, arrival_scv: float, objective: Objective) -> Levels:
    """Solve the chain of one replica at each of ``LOADS``."""
    most = capacity_per_s(replica, lengths)
    rng = np.random.default_rng(0)  # orders stand-ins; the same in every run
    prompt_s = replica.costs.prefill_s(lengths.prompt_quantiles(EVEN))
    prefill = lengths.prefill(replica.costs)
    sums_s = np.cumsum([rng.permutation(prompt_s) for _ in range(STALLS)], axis=0)
    points = [_Point(replica, lengths, load * most, (arrival_scv, *prefill)) for load in LOADS]
    drawn = replica.power_table(points[0].running, lengths.cached_tokens)
    return Levels(
        np.array([point.power_fraction(drawn) for point in points]),
        np.array([point.states @ np.arange(len(point.states)) for point in points]),
        np.array([point.ttft() for point in points]),
        np.array([point.itl(sums_s) for point in points]),
        np.array([float(point.ttft_share(np.array([objective.ttft_s]))[0]) for point in points]),
        np.array([point.itl_share(objective.itl_s) for point in points]),
    )


class _Point:
    """One replica at one rate of arrivals."""

    def __init__(
        self, replica: Replica, lengths: Lengths, rate: float, queue: tuple[float, float, float]
    ) -> None:
        """*queue*: squared variation of arrivals, mean time of prompts [s], and its own."""
        costs = replica.costs
        arrival_scv, self.mean_prompt_s, self.prompt_scv = queue
        running = replica.running_limit(lengths.held_tokens)
        self.replica, self.rate, self.running = replica, rate, running
        n = np.arange(1.0, running + 1)
        per_request_s = costs.per_request_s + costs.per_cached_token_s * lengths.cached_tokens
        step_s = costs.fixed_s + per_request_s * n
        self.prompt_s = costs.prefill_s(lengths.prompt_quantiles(STAND_INS))
        self.share = rate * self.mean_prompt_s
        """Share of the time that goes into prompts."""
        self.stretch = (arrival_scv + self.prompt_scv) / (1 + self.prompt_scv)
        self.waits = mg1_wait_cdf(self.share, costs.prefill_s(lengths.prompt_quantiles(_FINE)))
        self.answers = np.maximum(lengths.output_quantiles(EVEN[::8]) - 1, 1.0)
        death = n * (1 - self.share) / (lengths.decoded_mean * step_s)
        self.states, self.beyond = birth_death(rate, death)
        self.made, self.step_s = token_steps(self.states[1:] * death, step_s)

    def power_fraction(self, drawn: Floats) -> float:
        """Return power over TDP where decoding draws so much by running requests."""
        decode = float(self.states @ drawn)
        return self.share * self.replica.power.prefill() + (1 - self.share) * decode

    def itl(self, sums_s: Floats) -> Floats:
        """Return the histogram of the time between two tokens.

        Prompts that arrive during a step hold up its end, and those that arrive meanwhile
        too: their number is of the generalized Poisson distribution [1]_.

        References
        ----------
        .. [1] P. C. Consul, *Generalized Poisson Distributions*: the customers served in a
           busy period that begins with a Poisson number of them.
        """
        expected = self.rate * self.step_s
        total = histogram(self.step_s, self.made * np.exp(-expected))
        for prompts, sum_s in enumerate(sums_s, start=1):
            spread = expected + prompts * self.share
            weight = expected * spread ** (prompts - 1) * np.exp(-spread)
            weight = self.made * weight / math.factorial(prompts)
            seconds = self.step_s[:, None] + sum_s
            each = np.repeat(weight / len(sum_s), len(sum_s))
            total = total + histogram(seconds.ravel(), each)
        # Those few held up by more prompts than are told apart are left out.
        return np.asarray(total / max(total.sum(), 1e-300))

    def itl_share(self, limit_s: float) -> float:
        """Return the share of requests whose mean time between tokens is within *limit_s*.

        A token waits for its step and for the busy period of the prompts that come in
        between; over a request, the part that prompts add has a known mean and variance.
        """
        left = 1 - self.share
        room_s = limit_s - self.step_s
        if self.share == 0:
            return float(self.made[room_s >= 0].sum())
        mean_s = self.step_s * self.share / left
        square = self.mean_prompt_s**2 * (1 + self.prompt_scv)
        variance = self.rate * self.step_s * square / left**3
        shape = (mean_s**2 / variance)[:, None] * self.answers
        below = gamma_cdf(np.maximum(room_s / mean_s, 0.0)[:, None] * shape, shape)
        return float(self.made @ below.mean(axis=1))

    def ttft_share(self, limit_s: Floats) -> Floats:
        """Return the share of requests whose first token comes within each of *limit_s*."""
        busy = 1 - self.states[0]
        residual_s = 0.5 * float(self.made @ self.step_s) * busy  # the step under way
        left_s = limit_s[:, None] - self.prompt_s - residual_s
        after = np.maximum(left_s, 0.0)
        turn_s, below = self.waits
        waited = np.interp(after, turn_s * self.stretch, below)
        if self.beyond > 0:
            full = float(self.states[-1])
            waited *= 1 - full * np.exp(-after * full * self.rate / self.beyond)
        return np.asarray(np.where(left_s >= 0, waited, 0.0) @ SHARES)

    def ttft(self) -> Floats:
        below = self.ttft_share(EDGES_S)
        below[0], below[-1] = 0.0, 1.0
        return np.diff(below)


@dataclass(frozen=True, slots=True)
class Alone:
    """One replica at any load, while requests wait outside as long as they do."""

    table: Levels
    fleet: Fleet
    wait_s: Floats
    """Wait outside in each step. [s]"""

    def requests_per_s(self) -> Floats:
        """Return the requests at each of ``LOADS``."""
        return np.asarray(LOADS * capacity_per_s(self.fleet.replica, self.fleet.lengths))

    def within(self) -> Floats:
        """Return the share within their objective at each of ``LOADS``, if none waits outside."""
        return np.asarray(self.table.first_in_time * self.table.rest_in_time)

    def on_time(self) -> Floats:
        """Return for each step 1, or 0 where all come too late from outside."""
        return np.asarray(1.0 - _late(self.table, self.wait_s, self.fleet))

    def latency(self, steps: NDArray[np.int64], each: Floats, requests: Floats) -> Latency:
        """Return the latencies of *requests* in *steps*, sent to replicas that get *each* [1/s]."""
        load = each / capacity_per_s(self.fleet.replica, self.fleet.lengths)
        waiting = self.wait_s[steps], self.fleet
        in_time = _in_time(self.table, load, *waiting)
        return _latency(self.table, load, requests, in_time, waiting)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas and the requests they are for."""

    replica: Replica
    lengths: Lengths
    replicas: int
    objective: Objective
    queue_max_s: float
    """Longest wait before a request is turned away. [s]"""
    arrival_cv: float = 1.0
    """Coefficient of variation of the times between arrivals at the service; 1: Poisson."""
    prefill: int = 0
    """Replicas that do nothing but prefill, the others nothing but decode; 0: all do both."""
    kv_s_per_token: float = 0.0
    """Moving the keys and values of a prompt token from one to the other. [s]"""
    fits: float = 1.0
    """Share of requests that the memory of a replica holds; ``lengths`` are those of them."""


def serve_fluid(fleet: Fleet, demand: Floats, active: NDArray[np.int64], step_s: float) -> Served:
    """Serve *demand* [1/s] with *active* replicas in each step of *step_s*.

    Requests go to the replicas in turn, so that the arrivals at one of R vary R times less.
    """
    mean_active = float(active.mean())
    table = levels(fleet.replica, fleet.lengths, fleet.arrival_cv**2 / mean_active, fleet.objective)
    capacity = np.asarray(active * capacity_per_s(fleet.replica, fleet.lengths), dtype=float)
    return serve_levels(fleet, (table, capacity), demand, active, step_s)


def serve_levels(
    fleet: Fleet,
    solved: tuple[Levels, Floats],
    demand: Floats,
    active: NDArray[np.int64],
    step_s: float,
) -> Served:
    """Serve *demand* by what was solved: levels, and the capacity in each step [1/s]."""
    table, capacity = solved
    most = capacity * LOADS[-1]
    served, dropped, wait_s = _backlog(demand, most, fleet.queue_max_s, step_s)
    load = served / most * LOADS[-1]
    idle = fleet.replica.idle_fraction
    power = idle + (np.interp(load, LOADS, table.power_fraction) - idle) * active / fleet.replicas
    in_time = _in_time(table, load, wait_s, fleet)

    def latency_over(part: Floats) -> Latency:
        return _latency(table, load, served * step_s * part, in_time, (wait_s, fleet))

    tokens = served * fleet.lengths.output_mean
    whole = latency_over(np.ones_like(served))
    judged = served * in_time
    alone = None if fleet.prefill else Alone(table, fleet, wait_s)
    return Served(
        power, served, tokens, dropped, active, whole, served, judged, latency_over, alone
    )


def _backlog(
    demand: Floats, most: Floats, queue_max_s: float, step_s: float
) -> tuple[Floats, Floats, Floats]:
    """Return (served [1/s], turned away [1/s], wait [s]) of each step.

    What exceeds the most that can be served waits for later steps; what would wait longer
    than *queue_max_s* is turned away.
    """
    wait_s = np.zeros_like(demand)
    dropped = np.zeros_like(demand)
    if bool(np.all(demand <= most)):
        return demand, dropped, wait_s
    served = np.empty_like(demand)
    queued = 0.0
    steps = zip(demand.tolist(), most.tolist(), strict=True)
    for step, (asked, can) in enumerate(steps):
        offered = queued / step_s + asked
        served[step] = min(offered, can)
        after = (offered - served[step]) * step_s
        room = can * queue_max_s
        dropped[step] = max(after - room, 0.0) / step_s
        before, queued = queued, min(after, room)
        wait_s[step] = 0.5 * (before + queued) / can
    return served, dropped, wait_s


def _usual_s(table: Levels) -> float:
    """Return what is left to wait after a line outside: the prompt itself [s]."""
    return float(table.ttft[0] @ np.sqrt(EDGES_S[1:] * EDGES_S[:-1]))


def _late(table: Levels, wait_s: Floats, fleet: Fleet) -> NDArray[np.bool_]:
    """Return in which steps all come too late because they waited outside."""
    return np.asarray((wait_s > 0) & (wait_s + _usual_s(table) > fleet.objective.ttft_s))


def _in_time(table: Levels, load: Floats, wait_s: Floats, fleet: Fleet) -> Floats:
    """Return the share of requests within their objective in each step."""
    first = np.interp(load, LOADS, table.first_in_time)
    late = _late(table, wait_s, fleet)
    rest = np.interp(load, LOADS, table.rest_in_time)
    return np.asarray(np.where(late, 0.0, first) * rest)


def _latency(
    table: Levels,
    load: Floats,
    requests: Floats,
    in_time: Floats,
    waiting: tuple[Floats, Fleet],
) -> Latency:
    """Mix the histograms of all loads by the requests served at each."""
    wait_s, fleet = waiting
    below = np.clip(np.searchsorted(LOADS, load, side="right") - 1, 0, len(LOADS) - 2)
    part = (load - LOADS[below]) / (LOADS[below + 1] - LOADS[below])

    def mixed(rows: Floats, weight: Floats) -> Floats:
        at = np.bincount(below, weight * (1 - part), len(LOADS))
        at += np.bincount(below + 1, weight * part, len(LOADS))
        return np.asarray(at @ rows)

    queued = wait_s > 0
    ttft = mixed(table.ttft, np.where(queued, 0.0, requests))
    if queued.any():
        # Whoever came through the line has waited already.
        ttft = ttft + histogram((wait_s + _usual_s(table))[queued], requests[queued])
    tokens = requests * fleet.lengths.decoded_mean
    return Latency(
        ttft,
        mixed(table.itl, tokens),
        float(requests.sum()),
        float(requests @ in_time),
    )
