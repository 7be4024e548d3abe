"""First come, first served: nobody overtakes."""

from __future__ import annotations

from dataclasses import dataclass

from twin.scheduling.base import Policy, View


@dataclass
class FirstComeFirstServed(Policy):
    """The oldest waiting job starts as soon as it fits; the others wait behind it."""

    def next(self, view: View) -> int | None:
        """Return 0 if the head of the queue fits."""
        return 0 if view.queue.jobs and view.fits(view.queue.jobs[0].gpus) else None
