"""EASY backfill: overtake only where the head of the queue is not made to wait longer.

D. Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; A. Mu'alem and D. Feitelson,
"Utilization, predictability, workloads, and user runtime estimates in scheduling the
IBM SP2 with backfilling", IEEE TPDS 12(6), 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.scheduling.backfill import Backfill
from twin.scheduling.base import Policy, View


@dataclass
class EasyBackfill(Policy):
    """The oldest waiting job holds a reservation; others start if they respect it."""

    _backfill: Backfill = field(init=False, default_factory=Backfill, repr=False)

    def next(self, view: View) -> int | None:
        """Return the head of the queue if it fits, else the first job that may overtake it."""
        return self._backfill.next(view, 0) if view.queue.jobs else None
