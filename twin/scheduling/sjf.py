"""Shortest job first, by the limit its user gave."""

from __future__ import annotations

from dataclasses import dataclass

from twin.scheduling.base import Policy, View


@dataclass
class ShortestJobFirst(Policy):
    """The waiting job with the shortest limit starts as soon as it fits; all others wait.

    Of equals the oldest. A job that has started is not disturbed. Long jobs may starve
    while shorter ones keep coming: nothing here prevents it.
    """

    def next(self, view: View) -> int | None:
        """Return the shortest job if it fits."""
        if not view.queue.jobs or view.free_gpus == 0:
            return None
        place = int(view.queue.limits_s.argmin())
        return place if view.fits(view.queue.jobs[place].gpus) else None
