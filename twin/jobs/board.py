"""What a scheduling policy sees: who waits, who runs until when, what is free.

The dispatcher writes it, the policy reads it and asks where a gang would fit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count

import simpy

from twin.cluster.cluster import Cluster
from twin.cluster.free import FreeServers
from twin.cluster.placing import rule
from twin.errors import RunError
from twin.records import Job, Placement
from twin.scheduling.base import Capacity, Policy, Queue

Expected = tuple[float, int, Job]
"""When a running job ends if it runs to its limit, the order of its start, and the job."""


class Board:
    """The :class:`~twin.scheduling.base.View` of a policy."""

    changes: int = 0
    """How often servers came or went, or jobs left, so that who plans on them plans anew."""

    def __init__(
        self, env: simpy.Environment, cluster: Cluster, policy: Policy, leaf_of: Sequence[int]
    ) -> None:
        self.env = env
        self.cluster = cluster
        self.queue = Queue(policy.key if policy.keyed else None)
        self.running: dict[Job, Expected] = {}
        """Running jobs and their entry among the expected ends."""
        self.leaving: dict[Job, None] = {}
        """Running jobs that write a last checkpoint before they make way."""
        self.signals: dict[str, Callable[[float], float]] = {}
        """What electricity costs and emits over time, for policies that wait for it."""
        self._ends: list[Expected] = []
        self._ends_s: list[float] = []
        """Their times alone: floats are compared in a fifth of the time of entries."""
        self._number = count()
        self._rule = rule(policy.placement, cluster, leaf_of)
        self.fits = cluster.free.fits
        """Whether a gang of so many GPUs fits right now."""
        self.place: Callable[[int], Placement | None] = partial(self._rule, cluster.free)
        """Where a gang of so many GPUs would be placed if it started now."""
        self.capacity: Callable[[], Capacity] = cluster.free.counts
        """A copy of what is free, to plan on."""

    # ---- what is written ----

    def start(self, job: Job, end_s: float) -> None:
        """Let *job* run from now on, to *end_s* at the latest if it keeps to its limit."""
        self._expect(job, end_s, next(self._number))

    def expect(self, job: Job, end_s: float) -> None:
        """Let a running *job* be expected to end at *end_s* instead."""
        before = self.running[job]
        self._drop(before)
        self._expect(job, end_s, before[1])
        self.changes += 1

    def end(self, job: Job) -> None:
        """Let *job* run no longer."""
        self._drop(self.running.pop(job))
        self.changes += 1

    def _expect(self, job: Job, end_s: float, number: int) -> None:
        """Put *job* among the expected ends, in order of time and then of start."""
        expected = self.running[job] = (end_s, number, job)
        ends_s = self._ends_s
        place = bisect_right(ends_s, end_s)
        if place and ends_s[place - 1] == end_s and self._ends[place - 1] > expected:
            place = bisect_left(self._ends, expected, 0, place)
        ends_s.insert(place, end_s)
        self._ends.insert(place, expected)

    def _drop(self, expected: Expected) -> None:
        """Take an entry out of the expected ends."""
        place = bisect_left(self._ends_s, expected[0])
        if self._ends[place] is not expected:  # others end at the same time
            place = bisect_left(self._ends, expected, place)
        del self._ends[place], self._ends_s[place]

    # ---- what is read ----

    @property
    def now_s(self) -> float:
        """Time now [s]."""
        return self.env.now

    @property
    def free_gpus(self) -> int:
        """GPUs free now."""
        return self.cluster.free.gpus

    @property
    def free_by_server(self) -> list[int]:
        """GPUs free now on each server."""
        return self.cluster.free.free

    @property
    def gpus_per_server(self) -> int:
        """GPUs of a whole server."""
        return self.cluster.free.size

    def place_on(self, free_by_server: list[int], gpus: int) -> Placement | None:
        """Return where a gang would be placed if just these GPUs were free."""
        return self._rule(FreeServers(free_by_server, self.cluster.free.size), gpus)

    def signal(self, name: str, at_s: float) -> float:
        """Return what electricity costs or emits at *at_s*.

        Raises
        ------
        RunError
            If nobody said.
        """
        if name not in self.signals:
            raise RunError(f"scheduling waits for {name!r}: nobody says what it is over time")
        return self.signals[name](at_s)

    def releases(self) -> Iterator[tuple[float, Placement]]:
        """Yield (expected end by limit, placement) of running jobs, earliest first."""
        for end_s, _, job in self._ends:
            if job.placement is not None:
                yield end_s, job.placement
