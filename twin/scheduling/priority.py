"""Priority with preemption: who matters less makes room, at the price of lost work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from twin.config import NonNegative
from twin.records import Job, Placement
from twin.scheduling.backfill import Backfill
from twin.scheduling.base import Policy, View
from twin.units import SECONDS_PER_MINUTE


@dataclass(kw_only=True)
class PreemptivePriority(Policy):
    """The waiting job of highest priority starts first, over stopped jobs if need be.

    If it does not fit, running jobs of lower priority are stopped: the lowest first, of
    equals the one started last, and none that need not be. With a grace they first write
    a checkpoint, if that takes no longer, and lose no work; otherwise they go back to their
    last one. They queue where their arrival puts them. If even all of them make no room,
    nobody is stopped and the job holds a reservation behind which others backfill. Low
    priorities may starve.
    """

    keyed = True
    preempts = True

    priorities: dict[str, int]
    """Priority of a kind of job, added to the job's own; 0 for kinds not named."""
    grace_minutes: NonNegative = 0.0
    """Longest time a job may take to write a checkpoint before it makes way."""

    _backfill: Backfill = field(init=False, default_factory=Backfill, repr=False)
    _refused: tuple[Job, int] | None = field(init=False, default=None, repr=False)
    """For whom no room could be made, and the changes up to then."""

    @property
    def grace_s(self) -> float:
        """Return how long a job may hold its GPUs to write a checkpoint [s]."""
        return self.grace_minutes * SECONDS_PER_MINUTE

    def priority(self, job: Job) -> int:
        """Return the priority of *job*; more goes first."""
        return job.priority + self.priorities.get(job.kind, 0)

    def key(self, job: Job) -> float:
        """Return what is smallest for the first in line."""
        return -float(self.priority(job))

    def next(self, view: View) -> int | None:
        """Return the job of highest priority if it fits, else one that may overtake it.

        While others make way nobody overtakes, or the room would be gone when it is made.
        """
        if not view.queue.jobs:
            return None
        first = _first(view)
        if view.leaving:
            return first if view.fits(view.queue.jobs[first].gpus) else None
        return self._backfill.next(view, first)

    def victims(self, view: View) -> list[Job]:
        """Return the fewest that matter least and together make room for the first in line.

        For whom others already make way does not ask for more; the next in line may.
        """
        if not view.queue.jobs:
            return []
        if not view.leaving and self._refused == (view.queue.jobs[_first(view)], view.changes):
            return []
        seats = _Seats(view)
        for place in _in_line(view):
            job = view.queue.jobs[place]
            if seats.take(job.gpus):
                continue
            if self._refused == (job, view.changes):
                return []
            named = self._room_for(view, job, seats)
            self._refused = None if named else (job, view.changes)
            return named
        return []

    def _room_for(self, view: View, waiting: Job, seats: _Seats) -> list[Job]:
        own = self.priority(waiting)
        running = reversed(list(view.running))
        lower = [job for job in running if self.priority(job) < own and job not in view.leaving]
        lower.sort(key=self.priority)
        named: list[Job] = []
        for job in lower:
            seats.move(job, 1)
            named.append(job)
            if seats.fits(waiting.gpus):
                break
        else:
            return []
        for job in reversed(named[:-1]):  # the last one is needed, or there were no more
            seats.move(job, -1)
            if seats.fits(waiting.gpus):
                named.remove(job)
            else:
                seats.move(job, 1)
        return named


class _Seats:
    """The GPUs free once those who make way are gone, server by server, to plan on."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.free = list(view.free_by_server)
        self.gpus = sum(self.free)
        for job in view.leaving:
            self.move(job, 1)

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits."""
        return gpus <= self.gpus and self.view.place_on(self.free, gpus) is not None

    def take(self, gpus: int) -> bool:
        """Seat a gang of *gpus*; return whether it fits."""
        placement = self.view.place_on(self.free, gpus) if gpus <= self.gpus else None
        if placement is not None:
            self._change(placement, -1)
        return placement is not None

    def move(self, job: Job, sign: int) -> None:
        """Give back the GPUs of a running *job* (1), or leave them to it again (-1)."""
        assert job.placement is not None
        self._change(job.placement, sign)

    def _change(self, placement: Placement, sign: int) -> None:
        for server in placement.whole:
            self.free[server] += sign * placement.per_server_gpus
        if placement.part_gpus:
            self.free[placement.part_server] += sign * placement.part_gpus
        self.gpus += sign * placement.gpus()


def _in_line(view: View) -> Iterator[int]:
    """Yield places by priority, of equals the oldest; for the first alone nothing is sorted."""
    yield _first(view)
    yield from np.argsort(view.queue.keys, kind="stable")[1:].tolist()


def _first(view: View) -> int:
    """Return the place of the highest priority, of equals the oldest."""
    return int(view.queue.keys.argmin())
