"""Deadlines, with work that can wait put off to cheap or clean hours."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal

import numpy as np

from twin.config import Fraction, HoursAhead, NonNegative
from twin.records import Job
from twin.scheduling.backfill import Backfill
from twin.scheduling.base import Policy, View
from twin.units import SECONDS_PER_HOUR

_LOOK_S = 300.0
"""Prices and deadlines are looked at this often."""
_SAMPLE_S = 900.0
"""And the hours ahead are sampled this finely: the shortest settlement period of a market."""


@dataclass(kw_only=True)
class DeadlineDeferral(Policy):
    """Earliest deadline first; a job with slack waits for cheap or clean power meanwhile.

    A job's deadline is for its *start*: arrival plus the slack of its kind. Until then it
    starts only while the price (or the carbon) of electricity is within the lowest
    ``quantile`` of the hours ahead, which are taken to be known, as day-ahead prices are;
    from then on it goes as soon as it fits. Once started it runs through, dear hours too.
    The first in line holds a reservation behind which others backfill. At a flat price
    nothing is put off.
    """

    keyed = True
    asks_every_s = _LOOK_S

    wait_for: Literal["price", "carbon"]
    quantile: Fraction
    ahead_hours: HoursAhead
    """How far ahead the hours are compared. [h]"""
    slack_hours: dict[str, NonNegative]
    """By kind of job, how long it may be put off; 0 for kinds not named. [h]"""

    _backfill: Backfill = field(init=False, default_factory=Backfill, repr=False)
    _sampled_s: float = field(init=False, default=-inf, repr=False)
    _cheap_below: float = field(init=False, default=inf, repr=False)

    def key(self, job: Job) -> float:
        """Return the deadline of the job's start [s]."""
        return job.arrived_at_s + self.slack_hours.get(job.kind, 0.0) * SECONDS_PER_HOUR

    def next(self, view: View) -> int | None:
        """Return the job with the earliest deadline that need not wait, or an overtaker."""
        if not view.queue.jobs or view.free_gpus == 0:
            return None
        first = int(view.queue.keys.argmin())
        if self.is_cheap(view):
            return self._backfill.next(view, first)
        due = view.queue.keys[first] <= view.now_s
        return self._backfill.next(view, first, view.now_s) if due else None

    def is_cheap(self, view: View) -> bool:
        """Return whether now is among the cheapest (cleanest) of the hours ahead."""
        if view.now_s >= self._sampled_s + _SAMPLE_S:
            self._sampled_s = view.now_s
            ahead_s = np.arange(0.0, self.ahead_hours * SECONDS_PER_HOUR, _SAMPLE_S)
            values = [view.signal(self.wait_for, view.now_s + s) for s in ahead_s.tolist()]
            self._cheap_below = float(np.quantile(values, self.quantile, method="lower"))
        return view.signal(self.wait_for, view.now_s) <= self._cheap_below
