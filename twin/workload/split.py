"""Prefill and decode apart: some replicas only prefill, the others only decode.

A request goes to a prefill replica, which gives its first token; its keys and values then
move to a decode replica over the fabric, which gives the rest. No prompt holds up a token
any more, the line for prefill is all that a first token waits for, and the move, with the
wait for room in a batch, comes between the first token and the second.

Both kinds take turns. Links are not shared out: each move has the bandwidth to itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, Positive
from twin.physics.queueing import birth_death, mg1_wait_cdf
from twin.workload.fluid import (
    EVEN,
    LOADS,
    SHARES,
    STAND_INS,
    Fleet,
    Levels,
    Served,
    serve_levels,
    token_steps,
)
from twin.workload.latency import BINS, EDGES_S, bin_of, histogram
from twin.workload.request_mode import Books, Record, Records, Requests, WorkClock, run_replica

Floats = NDArray[np.float64]

_FINE = (np.arange(4096) + 0.5) / 4096


@dataclass(frozen=True, slots=True)
class Split:
    """Which replicas of a fleet prefill, and how fast what they cache moves."""

    prefill_replicas: Count
    """Of all replicas; the others decode."""
    kv_gb_per_s: Positive | None = None
    """From a prefill replica to a decode replica; null: all GPUs of one at line rate. [GB/s]"""


def capacity_per_s(fleet: Fleet) -> float:
    """Return the requests that the fleet can serve at most: its slower kind decides."""
    lengths, costs = fleet.lengths, fleet.replica.costs
    running = fleet.replica.running_limit(lengths.held_tokens)
    step_s = costs.decode_s(running, running * lengths.cached_tokens)
    decoding = (fleet.replicas - fleet.prefill) * running / (lengths.decoded_mean * step_s)
    prompt_s, _ = lengths.prefill(costs)
    return min(decoding, fleet.prefill / prompt_s) if prompt_s > 0 else decoding


def serve_fluid(fleet: Fleet, demand: Floats, active: NDArray[np.int64], step_s: float) -> Served:
    """Serve *demand* [1/s] as a fluid; all replicas are up in each step of *step_s*."""
    capacity = capacity_per_s(fleet)
    solved = levels(fleet, capacity), np.full(len(demand), capacity)
    return serve_levels(fleet, solved, demand, active, step_s)


def levels(fleet: Fleet, capacity: float) -> Levels:
    """Solve both kinds of replicas at each of ``LOADS``."""
    points = [_Point(fleet, load * capacity) for load in LOADS]
    running, limit = len(points[0].states) - 1, fleet.objective
    drawn = fleet.replica.power_table(running, fleet.lengths.cached_tokens)
    return Levels(
        np.array([point.power_fraction(drawn) for point in points]),
        np.array([point.states @ np.arange(len(point.states)) for point in points]),
        np.array([point.ttft() for point in points]),
        np.array([point.itl() for point in points]),
        np.array([float(point.ttft_share(np.array([limit.ttft_s]))[0]) for point in points]),
        np.array([point.itl_share(limit.itl_s) for point in points]),
    )


class _Point:
    """Both kinds at one rate of arrivals at the service."""

    def __init__(self, fleet: Fleet, rate: float) -> None:
        lengths, costs, replica = fleet.lengths, fleet.replica.costs, fleet.replica
        self.fleet, self.lengths = fleet, lengths
        decoders = fleet.replicas - fleet.prefill
        running = replica.running_limit(lengths.held_tokens)
        n = np.arange(1.0, running + 1)
        per_request_s = costs.per_request_s + costs.per_cached_token_s * lengths.cached_tokens
        step_s = costs.fixed_s + per_request_s * n
        death = n / (lengths.decoded_mean * step_s)
        self.states, self.beyond = birth_death(rate / decoders, death)
        self.made, self.step_s = token_steps(self.states[1:] * death, step_s)
        self.prompt_s = costs.prefill_s(lengths.prompt_quantiles(STAND_INS))
        mean_s, scv = lengths.prefill(costs)
        self.share = rate / fleet.prefill * mean_s
        """Share of the time that prefill replicas work."""
        self.stretch = (fleet.arrival_cv**2 / fleet.prefill + scv) / (1 + scv)
        fine_s = costs.prefill_s(lengths.prompt_quantiles(_FINE))
        self.waits = mg1_wait_cdf(self.share, fine_s) if mean_s > 0 else (np.zeros(1), np.ones(1))
        # Little's law: those beyond the batch wait this long, on average over all.
        self.room_s = self.beyond * decoders / rate if rate > 0 else 0.0
        self.answers = np.maximum(lengths.output_quantiles(EVEN[::8]) - 1, 1.0)

    def power_fraction(self, drawn: Floats) -> float:
        """Return power over TDP where decoding draws so much by running requests."""
        replica, fleet = self.fleet.replica, self.fleet
        decode = float(self.states @ drawn)
        prefill = self.share * replica.power.prefill() + (1 - self.share) * replica.idle_fraction
        return (fleet.prefill * prefill + (fleet.replicas - fleet.prefill) * decode) / (
            fleet.replicas
        )

    def ttft_share(self, limit_s: Floats) -> Floats:
        left_s = limit_s[:, None] - self.prompt_s
        turn_s, below = self.waits
        waited = np.interp(np.maximum(left_s, 0.0), turn_s * self.stretch, below)
        return np.asarray(np.where(left_s >= 0, waited, 0.0) @ SHARES)

    def ttft(self) -> Floats:
        below = self.ttft_share(EDGES_S)
        below[0], below[-1] = 0.0, 1.0
        return np.diff(below)

    def gap_s(self) -> Floats:
        """Return what comes between the first token and the second besides a step [s]."""
        moved_s = self.fleet.kv_s_per_token * self.lengths.prompt_quantiles(STAND_INS)
        residual_s = 0.5 * float(self.made @ self.step_s) * (1 - self.states[0])
        return np.asarray(moved_s + residual_s + self.room_s)

    def itl(self) -> Floats:
        """Return the histogram of the time between two tokens."""
        usual = histogram(self.step_s, self.made)
        seconds = self.step_s[:, None] + self.gap_s()
        first = histogram(seconds.ravel(), (self.made[:, None] * SHARES).ravel())
        part = 1.0 / self.lengths.decoded_mean if self.lengths.decoded_mean > 1 else 1.0
        return (1 - part) * usual + part * first

    def itl_share(self, limit_s: float) -> float:
        """Return the share of requests whose mean time between tokens is within *limit_s*."""
        spread_s = self.gap_s()[:, None] / self.answers
        room_s = limit_s - spread_s
        inside = (self.step_s[:, None, None] <= room_s).mean(axis=2) @ SHARES
        return float(self.made @ inside)


# ---- request by request ----


def records(
    fleet: Fleet,
    requests: Requests,
    active: NDArray[np.int64],
    step_s: float,
    clock: WorkClock | None = None,
) -> Records:
    """Serve each of *requests*; all that became of them is one record.

    With a *clock*, moves are slowed down with the GPUs.
    """
    steps, costs = len(active), fleet.replica.costs
    at_s = requests.at_s if clock is None else clock.work_s(requests.at_s)
    books = Books(steps, step_s)
    ready_s = _prefilled_s(fleet, requests, at_s, books)
    extra, tokens = np.array(books.extra), np.array(books.tokens)
    there_s = ready_s + fleet.kv_s_per_token * requests.prompt
    finished_s = np.where(requests.output == 1, ready_s, np.inf)
    goes_on = np.flatnonzero(np.isfinite(ready_s) & (requests.output > 1))
    goes_on = goes_on[np.argsort(there_s[goes_on], kind="stable")]
    itl = np.zeros(BINS)
    decoder = replace(fleet.replica, costs=replace(costs, per_prompt_token_s=0.0, attention_s=0.0))
    decoders = fleet.replicas - fleet.prefill
    for k in range(decoders):
        mine = goes_on[k::decoders]
        if not len(mine):
            continue
        each = Requests(there_s[mine], requests.prompt[mine], requests.output[mine])
        record = run_replica(decoder, each, steps, step_s, fleet.queue_max_s, clock)
        extra, tokens = extra + record.extra, tokens + record.tokens
        finished_s[mine] = record.finished_s
        itl += _with_gaps(record, each, ready_s[mine], clock)
    ready_s[~np.isfinite(finished_s)] = np.nan  # prefilled in vain
    if clock is not None:
        ready_s, finished_s = clock.at_s(ready_s), clock.ends_s(finished_s)
    ttft_s = ready_s - requests.at_s
    yield requests, Record(ttft_s, finished_s, itl.tolist(), extra.tolist(), tokens.tolist())


def _prefilled_s(fleet: Fleet, requests: Requests, at_s: Floats, books: Books) -> Floats:
    """Return when each prompt is prefilled [s], NaN for those that gave up waiting."""
    ready_s = np.full(len(requests), np.nan)
    watts = fleet.replica.power.prefill() - fleet.replica.idle_fraction
    prefill_s = fleet.replica.costs.prefill_s
    for k in range(fleet.prefill):
        free_s, ready = 0.0, []
        rows = zip(
            at_s[k :: fleet.prefill].tolist(),
            requests.prompt[k :: fleet.prefill].tolist(),
            requests.output[k :: fleet.prefill].tolist(),
            strict=True,
        )
        for arrived_s, prompt, output in rows:
            begin_s = max(free_s, arrived_s)
            if begin_s - arrived_s > fleet.queue_max_s:
                ready.append(np.nan)
                continue
            free_s = begin_s + prefill_s(float(prompt))
            # The first token of an answer that goes on is counted where it goes on.
            books.add(begin_s, free_s, watts, 1.0 if output == 1 else 0.0)
            ready.append(free_s)
        ready_s[k :: fleet.prefill] = ready
    return ready_s


def _with_gaps(record: Record, each: Requests, ready_s: Floats, clock: WorkClock | None) -> Floats:
    """Return tokens by the time since the token before, the second of each behind its gap."""
    itl = np.array(record.itl)
    served = np.isfinite(record.ttft_s)
    started_s = each.at_s[served] + record.ttft_s[served]
    gap_s = started_s - ready_s[served]
    usual_s = (record.finished_s[served] - started_s) / (each.output[served] - 1)
    if clock is not None:
        slow = 1.0 / np.array([clock.rate(at_s) for at_s in started_s.tolist()])
        gap_s, usual_s = gap_s * slow, usual_s * slow
    itl -= np.bincount(bin_of(usual_s), minlength=BINS)
    itl += np.bincount(bin_of(usual_s + gap_s), minlength=BINS)
    return itl
