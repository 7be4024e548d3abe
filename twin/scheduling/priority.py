"""Priority with preemption: who matters less makes room, at the price of lost work."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.records import Job
from twin.scheduling.backfill import Backfill
from twin.scheduling.base import Policy, View


@dataclass(kw_only=True)
class PreemptivePriority(Policy):
    """The waiting job of highest priority starts first, over stopped jobs if need be.

    If it does not fit, running jobs of lower priority are stopped: the lowest first, of
    equals the one started last, and none that need not be. A stopped job goes back to its
    last checkpoint and queues where its arrival puts it. If even all of them make no room,
    nobody is stopped and the job holds a reservation behind which others backfill. Low
    priorities may starve.
    """

    keyed = True
    preempts = True

    priorities: dict[str, int]
    """Priority of a kind of job, added to the job's own; 0 for kinds not named."""

    _backfill: Backfill = field(init=False, default_factory=Backfill, repr=False)
    _refused: tuple[Job, int] | None = field(init=False, default=None, repr=False)
    """For whom no room could be made, and the changes up to then."""

    def priority(self, job: Job) -> int:
        """Return the priority of *job*; more goes first."""
        return job.priority + self.priorities.get(job.kind, 0)

    def key(self, job: Job) -> float:
        """Return what is smallest for the first in line."""
        return -float(self.priority(job))

    def next(self, view: View) -> int | None:
        """Return the job of highest priority if it fits, else one that may overtake it."""
        return self._backfill.next(view, _first(view)) if view.queue.jobs else None

    def victims(self, view: View) -> list[Job]:
        """Return the fewest that matter least and together make room for the first in line."""
        if not view.queue.jobs:
            return []
        head = view.queue.jobs[_first(view)]
        if self._refused == (head, view.changes):
            return []
        named = self._room_for(view, head)
        self._refused = None if named else (head, view.changes)
        return named

    def _room_for(self, view: View, head: Job) -> list[Job]:
        own = self.priority(head)
        lower = [job for job in reversed(list(view.running)) if self.priority(job) < own]
        lower.sort(key=self.priority)
        plan = view.capacity()
        named: list[Job] = []
        for job in lower:
            assert job.placement is not None
            plan.release(job.placement)
            named.append(job)
            if plan.fits(head.gpus):
                break
        else:
            return []
        for job in reversed(named[:-1]):  # the last one is needed, or there were no more
            assert job.placement is not None
            plan.hold(job.placement)
            if plan.fits(head.gpus):
                named.remove(job)
            else:
                plan.release(job.placement)
        return named


def _first(view: View) -> int:
    """Return the place of the highest priority, of equals the oldest."""
    return int(view.queue.keys.argmin())
