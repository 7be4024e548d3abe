"""EASY backfill: overtake only where the head of the queue is not made to wait longer.

D. Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; A. Mu'alem and D. Feitelson,
"Utilization, predictability, workloads, and user runtime estimates in scheduling the
IBM SP2 with backfilling", IEEE TPDS 12(6), 2001.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from twin.records import Job
from twin.scheduling.base import Capacity, Policy, View

_SHORT_QUEUE = 48
"""Below this many jobs a Python loop is quicker than numpy."""


@dataclass(slots=True)
class Reservation:
    """When the head of the queue can start by the limits of those who run, and on what."""

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
    for end_s, placement in view.releases():
        then.release(placement)
        if then.fits(head.gpus):
            return Reservation(head, max(end_s, view.now_s), then)
    return Reservation(head, float("inf"), then)


@dataclass
class EasyBackfill(Policy):
    """The head of the queue holds a reservation; others start if they respect it.

    A job behind the head starts when it fits now and either ends, by its limit, before
    the head's reserved start, or leaves room for the head at that moment.
    """

    _reservation: Reservation | None = field(init=False, default=None, repr=False)
    _changes: int = field(init=False, default=-1, repr=False)
    _seen: int = field(init=False, default=0, repr=False)
    """Places in the queue already refused under this reservation."""

    def next(self, view: View) -> int | None:
        """Return the head if it fits, else the first job that may overtake it."""
        jobs = view.queue.jobs
        if not jobs:
            return None
        head = jobs[0]
        if view.fits(head.gpus):
            self._reservation = None
            return 0
        if view.free_gpus == 0 or len(jobs) == 1:
            return None
        reservation = self._reservation
        if reservation is None or reservation.head is not head or self._changes != view.changes:
            reservation = self._reservation = reserve(view, head)
            self._changes = view.changes
            self._seen = 1
        return self._backfill(view, reservation)

    def _backfill(self, view: View, reservation: Reservation) -> int | None:
        then, head = reservation.then, reservation.head
        for place in _candidates(view, self._seen, reservation):
            job = view.queue.jobs[place]
            placement = view.place(job.gpus)
            if placement is None:
                continue
            ends_before = view.now_s + job.limit_s <= reservation.shadow_s
            then.hold(placement)
            may_start = ends_before or then.fits(head.gpus)
            if ends_before or not may_start:
                then.release(placement)  # it is gone again when the head starts
            if may_start:
                self._seen = place  # it leaves; its follower moves up to this place
                return place
        self._seen = len(view.queue)
        return None


def _candidates(view: View, start: int, reservation: Reservation) -> Iterator[int]:
    """Yield places from *start* on whose job might overtake: a sieve by plain counts.

    A job needs free GPUs now, and then either ends in time or leaves enough GPUs for
    the head; where the gangs sit is left to the exact test.
    """
    queue = view.queue
    free = view.free_gpus
    slack_s = reservation.shadow_s - view.now_s
    spare = reservation.then.gpus - reservation.head.gpus
    if len(queue) - start < _SHORT_QUEUE:
        for place in range(start, len(queue)):
            job = queue.jobs[place]
            if job.gpus <= free and (job.limit_s <= slack_s or job.gpus <= spare):
                yield place
        return
    gpus, limits_s = queue.gpus[start:], queue.limits_s[start:]
    sieve = (gpus <= free) & ((limits_s <= slack_s) | (gpus <= spare))
    yield from (np.flatnonzero(sieve) + start).tolist()
