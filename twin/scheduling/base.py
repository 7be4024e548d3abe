"""The contract of a scheduling policy: what it may see, and what it may say.

A policy is asked *who starts next?* again and again until it says *nobody*. It sees a
:class:`View`; it never places a job (``cluster`` does) and never learns a job's true
run time, only the limit its user gave. What it remembers between two questions is
scratch that it could work out again from the view.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.records import Job, Placement


class Capacity(Protocol):
    """A copy of how much is free, on which a policy may plan."""

    gpus: int
    """GPUs free, wherever they are."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits."""

    def release(self, placement: Placement) -> None:
        """Give a placement back."""

    def hold(self, placement: Placement) -> None:
        """Take exactly this placement."""


class Queue:
    """Waiting jobs in order of arrival, with sizes and limits as arrays beside them.

    The arrays let a policy look for candidates among 50,000 waiting jobs in one pass
    without visiting each in Python.
    """

    __slots__ = ("_gpus", "_limits", "jobs")

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._gpus = np.zeros(64, dtype=np.int64)
        self._limits = np.zeros(64)

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def gpus(self) -> NDArray[np.int64]:
        """GPUs asked for, by place in the queue."""
        return self._gpus[: len(self.jobs)]

    @property
    def limits_s(self) -> NDArray[np.float64]:
        """Run-time limits, by place in the queue [s]."""
        return self._limits[: len(self.jobs)]

    def append(self, job: Job) -> None:
        """Add *job* at the end."""
        self._grow()
        n = len(self.jobs)
        self._gpus[n], self._limits[n] = job.gpus, job.limit_s
        self.jobs.append(job)

    def restore(self, job: Job) -> None:
        """Put back a job that had run, where its time of arrival puts it."""
        self._grow()
        n = len(self.jobs)
        insort(self.jobs, job, key=lambda waiting: waiting.arrived_at_s)
        place = self.jobs.index(job)
        for array, value in ((self._gpus, job.gpus), (self._limits, job.limit_s)):
            array[place + 1 : n + 1] = array[place:n]
            array[place] = value

    def pop(self, place: int) -> Job:
        """Remove and return the job at *place*."""
        n = len(self.jobs)
        if place < n - 1:
            self._gpus[place : n - 1] = self._gpus[place + 1 : n]
            self._limits[place : n - 1] = self._limits[place + 1 : n]
        return self.jobs.pop(place)

    def _grow(self) -> None:
        if len(self.jobs) == len(self._gpus):
            self._gpus = np.concatenate([self._gpus, np.zeros_like(self._gpus)])
            self._limits = np.concatenate([self._limits, np.zeros_like(self._limits)])


class View(Protocol):
    """What a policy may see."""

    queue: Queue
    changes: int
    """Goes up whenever GPUs are given back, a job is put back or priorities move:
    while it stands still, a job that could not start before cannot start now."""

    @property
    def now_s(self) -> float:
        """Time now [s]."""

    @property
    def free_gpus(self) -> int:
        """GPUs free now, wherever they are."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits right now."""

    def place(self, gpus: int) -> Placement | None:
        """Return where a gang would be placed if it started now."""

    def capacity(self) -> Capacity:
        """Return a copy of what is free, to plan on."""

    def releases(self) -> Iterator[tuple[float, Placement]]:
        """Yield (expected end by limit, placement) of running jobs, earliest first [s]."""


@dataclass
class Policy(Component):
    """A scheduling policy; subclasses are one file each in ``twin/scheduling``."""

    family: ClassVar[str] = "scheduling"

    @abstractmethod
    def next(self, view: View) -> int | None:
        """Return the place in the queue of the job to start now, or None for nobody."""
