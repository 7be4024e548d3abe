"""The contract of a scheduling policy: what it may see, and what it may say.

A policy is asked *who starts next?* again and again until it says *nobody*. It sees a
:class:`View`; it never learns a job's true run time, only the limit its user gave. Where a
job sits is a rule of its own (``placement``), which ``cluster`` follows. What a policy
remembers between two questions is scratch that it could work out again from the view, or
what it was told on the way (:meth:`Policy.held`).
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.records import Job, Placement


class Capacity(Protocol):
    """A copy of how much is free, on which a policy may plan."""

    @property
    def gpus(self) -> int:
        """GPUs free, wherever they are."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits."""

    def release(self, placement: Placement) -> None:
        """Give a placement back."""

    def hold(self, placement: Placement) -> None:
        """Take exactly this placement."""

    def release_until(self, gpus: int, releases: Iterable[tuple[float, Placement]]) -> float:
        """Give placements back until a gang of *gpus* fits; return when, ``inf`` if never [s]."""
        for at_s, placement in releases:
            self.release(placement)
            if self.gpus >= gpus and self.fits(gpus):
                return at_s
        return inf


class Queue:
    """Waiting jobs in order of arrival, with sizes and limits as arrays beside them.

    The arrays let a policy look for candidates among 50,000 waiting jobs in one pass
    without visiting each in Python; a job enters them when somebody asks. *key* gives a job
    the number by which its policy ranks it, worked out when it joins the queue.
    """

    __slots__ = ("_filled", "_gpus", "_key", "_keys", "_limits", "jobs")

    def __init__(self, key: Callable[[Job], float] | None = None) -> None:
        self.jobs: list[Job] = []
        self._gpus = np.zeros(64, dtype=np.int64)
        self._limits = np.zeros(64)
        self._key = key
        self._keys = np.zeros(64 if key else 0)
        self._filled = 0  # jobs in the arrays: those at the head

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def gpus(self) -> NDArray[np.int64]:
        """GPUs asked for, by place in the queue."""
        self._fill()
        return self._gpus[: self._filled]

    @property
    def limits_s(self) -> NDArray[np.float64]:
        """Run-time limits, by place in the queue [s]."""
        self._fill()
        return self._limits[: self._filled]

    @property
    def keys(self) -> NDArray[np.float64]:
        """What :meth:`Policy.key` said, by place in the queue; empty if it is not keyed."""
        return self._keys[: self._filled]

    def append(self, job: Job) -> None:
        """Add *job* at the end."""
        self.jobs.append(job)
        if self._key is not None:
            self._fill()

    def restore(self, job: Job) -> None:
        """Put back a job that had run, where its time of arrival puts it."""
        self._fill()
        n = self._filled
        insort(self.jobs, job, key=lambda waiting: waiting.arrived_at_s)
        place = self.jobs.index(job)
        self._grow()
        for array in (self._gpus, self._limits, self._keys):
            if len(array):
                array[place + 1 : n + 1] = array[place:n]
        self._filled = n + 1
        self._set(place, job)

    def pop(self, place: int) -> Job:
        """Remove and return the job at *place*."""
        n = self._filled
        if place < n:
            for array in (self._gpus, self._limits, self._keys):
                array[place : n - 1] = array[place + 1 : n]
            self._filled = n - 1
        return self.jobs.pop(place)

    def _fill(self) -> None:
        if self._filled < len(self.jobs):
            self._grow()
            for place in range(self._filled, len(self.jobs)):
                self._set(place, self.jobs[place])
            self._filled = len(self.jobs)

    def _set(self, place: int, job: Job) -> None:
        self._gpus[place], self._limits[place] = job.gpus, job.limit_s
        if self._key is not None:
            self._keys[place] = self._key(job)

    def _grow(self) -> None:
        while len(self._gpus) < len(self.jobs):
            self._gpus = np.concatenate([self._gpus, np.zeros_like(self._gpus)])
            self._limits = np.concatenate([self._limits, np.zeros_like(self._limits)])
            self._keys = np.concatenate([self._keys, np.zeros_like(self._keys)])


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

    @property
    def free_by_server(self) -> list[int]:
        """GPUs free now on each server; to be read, not written."""

    @property
    def gpus_per_server(self) -> int:
        """GPUs of a whole server."""

    @property
    def running(self) -> Mapping[Job, tuple[float, Any, Any]]:
        """Running jobs in the order of their start; first their expected end by limit [s]."""

    @property
    def leaving(self) -> Mapping[Job, Any]:
        """Running jobs that were told to make way and write a checkpoint before they do."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits right now."""

    def place(self, gpus: int) -> Placement | None:
        """Return where a gang would be placed if it started now."""

    def place_on(self, free_by_server: list[int], gpus: int) -> Placement | None:
        """Return where a gang would be placed if just these GPUs were free."""

    def capacity(self) -> Capacity:
        """Return a copy of what is free, to plan on."""

    def releases(self) -> Iterator[tuple[float, Placement]]:
        """Yield (expected end by limit, placement) of running jobs, earliest first [s]."""

    def signal(self, name: Literal["price", "carbon"], at_s: float) -> float:
        """Return what electricity costs [per kWh] or emits [kg/kWh] at *at_s*."""


@dataclass
class Policy(Component):
    """A scheduling policy; subclasses are one file each in ``twin/scheduling``."""

    family: ClassVar[str] = "scheduling"
    keyed: ClassVar[bool] = False
    """Whether the queue shall keep :meth:`key` of each job."""
    watches: ClassVar[bool] = False
    """Whether it must be told of every change of who holds GPUs, see :meth:`held`."""
    preempts: ClassVar[bool] = False
    """Whether it may name jobs to stop, see :meth:`victims`."""
    asks_every_s: ClassVar[float] = inf
    """How often it wants to be asked though no job came or ended. [s]"""

    placement: Literal["pack", "spread", "topology", "power_headroom", "thermal"] = "pack"
    """pack: lowest numbers, tightest servers; spread: emptiest racks first; topology: fewest
    leaves; power_headroom: racks that draw least of their rating, on the branch of the feed
    and in the row that do; thermal: racks there that are coolest together with their neighbours."""

    @property
    def grace_s(self) -> float:
        """Return how long a job it stops may hold its GPUs to write a checkpoint [s]."""
        return 0.0

    @abstractmethod
    def next(self, view: View) -> int | None:
        """Return the place in the queue of the job to start now, or None for nobody.

        Asked only while somebody waits.
        """

    def seat(self, view: View, job: Job) -> Placement | None:
        """Return where *job*, chosen a moment ago, sits."""
        return view.place(job.gpus)

    def key(self, job: Job) -> float:
        """Return the number by which a waiting *job* is ranked, once, if ``keyed``."""
        return job.arrived_at_s

    def held(self, job: Job, gpus: int, now_s: float) -> None:
        """Learn that *job* takes *gpus* GPUs, or gives them back (negative), if ``watches``."""

    def victims(self, view: View) -> list[Job]:
        """Return running jobs to stop so that a waiting one may start, if ``preempts``.

        Asked when :meth:`next` has said *nobody*, and again after the victims stopped.
        """
        return []
