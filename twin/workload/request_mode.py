"""Serving request by request: for hours, and to check the fluid against.

The running requests of a replica share it evenly, so one number, *virtual time*, counts the
tokens each of them has been given since the replica was last empty. A request ends when
virtual time has passed its length, and between two events the time it takes is known in
closed form: no event per token, and no error from stepping.

Prompts are prefilled in the order of arrival as soon as there is room, before decoding goes
on. A request is let in when the batch has a place and memory would hold it to its end.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, inf, log10, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.workload.base import Pace
from twin.workload.fluid import Fleet, Served
from twin.workload.latency import BINS, LOWEST_S, PER_DECADE, Latency, histogram
from twin.workload.lengths import Tokens
from twin.workload.replica import Replica

Floats = NDArray[np.float64]

FAR_S = 1e12
SLOWEST = 1e-3
"""Least rate told apart from standing still."""
ALIKE = 1e-9
"""Tokens by which virtual time may miss the end of a request through rounding."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in order of arrival."""

    at_s: Floats
    prompt: Tokens
    output: Tokens

    def __getitem__(self, which: NDArray[np.int64]) -> Requests:
        """Return some of them."""
        return Requests(self.at_s[which], self.prompt[which], self.output[which])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.at_s)


@dataclass(slots=True)
class Record:
    """What became of the requests of one replica."""

    ttft_s: Floats
    """NaN for those turned away or that gave up."""
    finished_s: Floats
    itl: list[float]
    """Tokens by the time since the token before."""
    extra: list[float]
    """Power over idle, over TDP, times time, in each step of the run. [s]"""
    tokens: list[float]
    """Output tokens in each step."""
    batch_s: float = 0.0
    """Running requests times time while decoding. [s]"""


class WorkClock:
    """Time of work against time of the run, where heat or a power cap slows the GPUs down.

    All that a replica does takes longer by the same factor, so a run in time of work, from
    arrivals carried over to it, is the run itself; its instants are carried back.
    """

    def __init__(self, paces: Sequence[Pace]) -> None:
        at_s, rates = [0.0], [1.0]
        for since_s, rate in paces:
            if since_s <= at_s[-1]:
                rates[-1] = max(rate, SLOWEST)
            else:
                at_s.append(since_s)
                rates.append(max(rate, SLOWEST))
        # The last pace holds for ever: one more instant, far beyond any run.
        self._at_s = np.array([*at_s, at_s[-1] + FAR_S])
        self._rates = np.array(rates)
        done = np.cumsum(np.diff(self._at_s) * self._rates)
        self._work_s = np.concatenate([[0.0], done])

    def work_s(self, at_s: Floats) -> Floats:
        """Return the work that GPUs could do up to *at_s* [s]."""
        return np.asarray(np.interp(at_s, self._at_s, self._work_s))

    def at_s(self, work_s: Floats) -> Floats:
        """Return when they have done it [s]."""
        return np.asarray(np.interp(work_s, self._work_s, self._at_s))

    def ends_s(self, work_s: Floats) -> Floats:
        """Return when requests end that may never do [s]."""
        return np.where(np.isfinite(work_s), self.at_s(work_s), np.inf)

    def rate(self, work_s: float) -> float:
        """Return the rate at a time of work [-]."""
        return float(self._rates[np.searchsorted(self._work_s[1:-1], work_s, side="right")])


class Books:
    """Spreads what happens between two instants over the steps of the run."""

    def __init__(self, steps: int, step_s: float) -> None:
        self.step_s = step_s
        self.end_s = steps * step_s
        self.extra = [0.0] * steps
        self.tokens = [0.0] * steps

    def add(self, from_s: float, to_s: float, extra: float, tokens: float) -> None:
        """Note *extra* power and *tokens* made evenly from *from_s* to *to_s*."""
        if from_s >= self.end_s:
            return
        step = int(from_s / self.step_s)
        edge_s = (step + 1) * self.step_s
        if to_s <= edge_s:  # nearly always
            self.extra[step] += extra * (to_s - from_s)
            self.tokens[step] += tokens
            return
        per_s = tokens / (to_s - from_s)
        while from_s < to_s and step < len(self.extra):
            until_s = min(to_s, (step + 1) * self.step_s)
            self.extra[step] += extra * (until_s - from_s)
            self.tokens[step] += per_s * (until_s - from_s)
            from_s = until_s
            step += 1


class ReplicaRun:
    """One replica at work; its state is where it stands between two events.

    While *n* requests run, a step takes ``a + q v`` after *v* more tokens each (their
    caches grow), so *v* tokens take ``a v + q v^2 / 2`` seconds.
    """

    def __init__(self, replica: Replica, requests: Requests, books: Books, queue_max_s: float):
        self.costs = replica.costs
        self.batch_max = replica.batch_max
        self.idle = replica.idle_fraction
        self.decode_power = replica.power.decode
        self.prefill_power = replica.power.prefill() - self.idle
        self.at_s: list[float] = requests.at_s.tolist()
        self.prompt: list[int] = requests.prompt.tolist()
        self.output: list[int] = requests.output.tolist()
        self.queue_max_s = queue_max_s
        self.books = books
        self.ttft_s = [nan] * len(requests)
        self.finished_s = [inf] * len(requests)
        self.itl = [0.0] * BINS
        self.batch_s = 0.0
        self.now_s = 0.0
        self.waiting: deque[int] = deque()
        self.running: list[tuple[float, int]] = []
        """Heap of (virtual time at its end, request)."""
        self.coming = 0
        """The next request to arrive."""
        self.virtual = 0.0
        self.base = 0.0
        """Tokens in memory, less those that running requests were given since virtual time 0."""
        self.held = 0.0
        """Tokens that memory is kept for."""
        self.stall_s = 0.0
        """What prompts add to the tokens that come next ..."""
        self.stalled = 0
        """... so many of them ..."""
        self.stall_ends = 0.0
        """... which are out at this virtual time."""
        self.clock: WorkClock | None = None
        """Tells the rate of the GPUs, if it is not always 1: tokens are apart by more then."""

    def run(self) -> None:
        """Serve all requests to the last."""
        while True:
            while self.waiting and self.admit():
                pass
            if self.running:
                self.decode()
            elif self.coming < len(self.at_s):
                self.virtual = self.base = self.held = self.stall_s = 0.0
                self.now_s = self.at_s[self.coming]
                self.join()
            else:
                break

    def join(self) -> None:
        """Let those join the line that have arrived by now."""
        coming, number = self.coming, len(self.at_s)
        while coming < number and self.at_s[coming] <= self.now_s:
            self.waiting.append(coming)
            coming += 1
        self.coming = coming

    def admit(self) -> bool:
        """Prefill the first in line, or send it away; return whether there was room."""
        one = self.waiting[0]
        tokens = self.prompt[one] + self.output[one]
        room = self.costs.kv_tokens
        if self.now_s - self.at_s[one] > self.queue_max_s or tokens > room:
            self.waiting.popleft()
            return True
        if len(self.running) >= self.batch_max or self.held + tokens > room:
            return False
        self.waiting.popleft()
        spent_s = self.costs.prefill_s(float(self.prompt[one]))
        residual_s = 0.0
        if self.running:
            step_s = self.step_s()
            residual_s = 0.5 * step_s  # the step under way is finished first
            if self.stall_s == 0.0:
                self.stalled, self.stall_ends = len(self.running), floor(self.virtual) + 1.0
            self.stall_s += spent_s
        until_s = self.now_s + spent_s
        self.books.add(self.now_s, until_s, self.prefill_power, 1.0)
        self.now_s = until_s
        self.ttft_s[one] = until_s - self.at_s[one] + residual_s
        if self.output[one] > 1:
            heapq.heappush(self.running, (self.virtual + self.output[one] - 1, one))
            self.base += self.prompt[one] + 1 - self.virtual
            self.held += tokens
        else:
            self.finished_s[one] = until_s
        self.join()
        return True

    def step_s(self) -> float:
        """Return the length of a decode step now [s]."""
        running = len(self.running)
        return self.costs.decode_s(running, self.base + running * self.virtual)

    def decode(self) -> None:
        """Decode until a request ends or one arrives."""
        running, step_s = len(self.running), self.step_s()
        growth_s = self.costs.per_cached_token_s * running
        tokens = self.running[0][0] - self.virtual
        until_s = self.now_s + tokens * (step_s + 0.5 * growth_s * tokens)
        arrives = self.coming < len(self.at_s) and self.at_s[self.coming] < until_s
        if arrives:
            until_s = self.at_s[self.coming]
            spent_s = until_s - self.now_s
            tokens = 2.0 * spent_s / (step_s + sqrt(step_s * step_s + 2.0 * growth_s * spent_s))
        # Halfway, the cache has its mean; power of a step and its time are linear in it.
        halfway = self.base + running * (self.virtual + 0.5 * tokens)
        extra = self.decode_power(running, halfway) - self.idle
        self.books.add(self.now_s, until_s, extra, running * tokens)
        self.batch_s += running * (until_s - self.now_s)
        slow = 1.0 if self.clock is None else 1.0 / self.clock.rate(self.now_s)
        self.itl[_bin_of((step_s + 0.5 * growth_s * tokens) * slow)] += running * tokens
        self.now_s = until_s
        self.virtual += tokens
        if self.stall_s > 0.0 and self.virtual >= self.stall_ends:
            self.itl[_bin_of(step_s * slow)] -= self.stalled
            self.itl[_bin_of((step_s + self.stall_s) * slow)] += self.stalled
            self.stall_s = 0.0
        if arrives:
            self.join()
        else:
            self.finish()

    def finish(self) -> None:
        """End the requests that have all their tokens."""
        while self.running and self.running[0][0] <= self.virtual + ALIKE:
            _, one = heapq.heappop(self.running)
            self.finished_s[one] = self.now_s
            # It leaves with its prompt and all tokens given so far, the first included.
            self.base -= self.prompt[one] + self.output[one] - self.virtual
            self.held -= self.prompt[one] + self.output[one]


def _bin_of(seconds: float) -> int:
    if seconds <= LOWEST_S:
        return 0
    return min(int(PER_DECADE * log10(seconds / LOWEST_S)), BINS - 1)


def run_replica(
    replica: Replica,
    requests: Requests,
    steps: int,
    step_s: float,
    queue_max_s: float,
    clock: WorkClock | None = None,
) -> Record:
    """Serve *requests* on one replica to the last; *steps* of *step_s* are booked.

    With a *clock*, requests arrive and are served in time of work.
    """
    books = Books(steps, step_s)
    done = ReplicaRun(replica, requests, books, queue_max_s)
    done.clock = clock
    done.run()
    return Record(
        np.array(done.ttft_s),
        np.array(done.finished_s),
        done.itl,
        books.extra,
        books.tokens,
        done.batch_s,
    )


def in_turn(at_s: Floats, active: NDArray[np.int64], step_s: float) -> NDArray[np.int64]:
    """Return the replica of each request: those that are up take turns."""
    step = np.minimum((at_s / step_s).astype(np.int64), len(active) - 1)
    return np.asarray(np.arange(len(at_s)) % active[step])


Records = Iterable[tuple[Requests, Record]]
"""Requests, and what became of them on the replica, or replicas, they went to."""


def records(
    fleet: Fleet,
    requests: Requests,
    active: NDArray[np.int64],
    step_s: float,
    clock: WorkClock | None = None,
) -> Records:
    """Serve each of *requests* with *active* replicas in each step; yield it by replica.

    A replica that is taken out of service finishes what it has. With a *clock*, GPUs work at
    its paces; the longest wait is then taken in time of work, and what is booked by step too.
    """
    for mine in _parts(fleet, requests, active, step_s):
        work = mine
        if clock is not None:
            work = Requests(clock.work_s(mine.at_s), mine.prompt, mine.output)
        record = run_replica(fleet.replica, work, len(active), step_s, fleet.queue_max_s, clock)
        if clock is not None:
            record.ttft_s = clock.at_s(work.at_s + record.ttft_s) - mine.at_s
            record.finished_s = clock.ends_s(record.finished_s)
        yield mine, record


def booked(fleet: Fleet, found: Records, active: NDArray[np.int64], step_s: float) -> Served:
    """Return what came of *found* in each step of *step_s*.

    What ends after the last step is not counted as served in a step, but its latency is.
    """
    steps = len(active)
    extra, tokens, ended = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    dropped, judged, within = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    latency = Latency()
    for mine, record in found:
        extra += record.extra
        tokens += record.tokens
        served = np.isfinite(record.ttft_s)
        ended += _by_step(record.finished_s[served], steps, step_s)
        dropped += _by_step(mine.at_s[~served], steps, step_s)
        in_time, waited = _judge(record, mine, fleet)
        judged += _by_step(mine.at_s[served], steps, step_s)
        within += _by_step(mine.at_s[served][in_time], steps, step_s)
        latency += waited
    power = fleet.replica.idle_fraction + extra / (step_s * fleet.replicas)
    return Served(
        power,
        ended / step_s,
        tokens / step_s,
        dropped / step_s,
        active,
        latency,
        judged / step_s,
        within / step_s,
    )


def latency_of(fleet: Fleet, found: Records) -> Latency:
    """Return the latencies of *found*."""
    return sum((_judge(record, mine, fleet)[1] for mine, record in found), start=Latency())


def _parts(
    fleet: Fleet, requests: Requests, active: NDArray[np.int64], step_s: float
) -> list[Requests]:
    """Return the requests of each replica that has any."""
    turn = in_turn(requests.at_s, active, step_s)
    order = np.argsort(turn, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(turn, minlength=fleet.replicas))[:-1])
    return [requests[part] for part in parts if len(part)]


def _by_step(at_s: Floats, steps: int, step_s: float) -> Floats:
    inside = at_s[at_s < steps * step_s]
    return np.bincount((inside / step_s).astype(np.int64), minlength=steps).astype(float)


def _judge(record: Record, mine: Requests, fleet: Fleet) -> tuple[NDArray[np.bool_], Latency]:
    """Return which of the requests served are within their objective, and how long all waited."""
    served = np.isfinite(record.ttft_s)
    ttft_s = record.ttft_s[served]
    decoding_s = record.finished_s[served] - mine.at_s[served] - ttft_s
    itl_s = np.maximum(decoding_s, 0.0) / np.maximum(mine.output[served] - 1, 1)
    limit = fleet.objective
    within = (ttft_s <= limit.ttft_s) & (itl_s <= limit.itl_s)
    itl = np.maximum(np.array(record.itl), 0.0)
    return within, Latency(histogram(ttft_s), itl, float(served.sum()), float(within.sum()))
