"""Backfill behind one reservation: the mechanism that several policies share.

Whoever the policy ranks first holds a reservation; a job behind it starts when it fits now
and either ends, by its limit, before the reserved start, or leaves room for the first one
at that moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from twin.records import Job
from twin.scheduling.base import Capacity, View

_SHORT_QUEUE = 48
"""Below this many jobs a Python loop is quicker than numpy."""


@dataclass(slots=True)
class Reservation:
    """When the first job can start by the limits of those who run, and on what."""

    head: Job
    shadow_s: float
    then: Capacity
    """What is free at ``shadow_s``, the head not yet seated."""


def reserve(view: View, head: Job) -> Reservation:
    """Return the earliest start of *head* if every running job ends at its limit.

    Running jobs past their limit are taken to end now. Exact for gangs on servers: the
    releases are played on a copy of the free servers until the gang fits.
    """
    then = view.capacity()
    end_s = then.release_until(head.gpus, view.releases())
    return Reservation(head, max(end_s, view.now_s), then)


@dataclass(slots=True)
class Backfill:
    """Who starts next when one job holds a reservation, and how far the queue was searched."""

    reservation: Reservation | None = None
    changes: int = -1
    bound: float = inf
    seen: int = 0
    """Places in the queue already refused under this reservation."""

    def next(self, view: View, head_place: int, bound: float = inf) -> int | None:
        """Return the job at *head_place* if it fits, else the first that may overtake it.

        Only jobs whose key is at most *bound* may; without a bound the keys do not matter.
        """
        jobs = view.queue.jobs
        head = jobs[head_place]
        if view.fits(head.gpus):
            self.reservation = None
            return head_place
        if view.free_gpus == 0 or len(jobs) == 1:
            return None
        reservation = self.reservation
        if reservation is None or reservation.head is not head or self.changes != view.changes:
            reservation = self.reservation = reserve(view, head)
            self.changes = view.changes
            self.seen = 0 if head_place else 1
        elif bound != self.bound:
            self.seen = 0
        self.bound = bound
        return self._overtaker(view, reservation)

    def _overtaker(self, view: View, reservation: Reservation) -> int | None:
        then, head = reservation.then, reservation.head
        jobs, now_s, shadow_s = view.queue.jobs, view.now_s, reservation.shadow_s
        refused: set[tuple[int, bool]] = set()
        for place in _candidates(view, self.seen, reservation, self.bound):
            job = jobs[place]
            ends_before = now_s + job.limit_s <= shadow_s
            if (job.gpus, ends_before) in refused:  # a gang like it would sit on the same GPUs
                continue
            placement = view.place(job.gpus)
            may_start = placement is not None
            if placement is not None:
                then.hold(placement)
                may_start = ends_before or then.fits(head.gpus)
                if ends_before or not may_start:
                    then.release(placement)  # it is gone again when the head starts
            if may_start:
                self.seen = place  # it leaves; its follower moves up to this place
                return place
            refused.add((job.gpus, ends_before))
        self.seen = len(view.queue)
        return None


def _candidates(view: View, start: int, reservation: Reservation, bound: float) -> Iterator[int]:
    """Yield places from *start* on whose job might overtake: a sieve by plain counts.

    A job needs free GPUs now, and then either ends in time or leaves enough GPUs for
    the head; where the gangs sit is left to the exact test.
    """
    queue = view.queue
    free = view.free_gpus
    slack_s = reservation.shadow_s - view.now_s
    spare = reservation.then.gpus - reservation.head.gpus
    if len(queue) - start < _SHORT_QUEUE and bound == inf:
        for place, job in enumerate(queue.jobs[start:], start):
            if job.gpus <= free and (job.limit_s <= slack_s or job.gpus <= spare):
                yield place
        return
    gpus, limits_s = queue.gpus[start:], queue.limits_s[start:]
    sieve = (gpus <= free) & ((limits_s <= slack_s) | (gpus <= spare))
    if bound < inf:
        sieve &= queue.keys[start:] <= bound
    yield from (np.flatnonzero(sieve) + start).tolist()
