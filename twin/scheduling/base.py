"""The contract of a scheduling policy: what it may see, and what it may say.

A policy sees a :class:`View` and returns the jobs to start now, in order. It never
places them (``cluster`` does) and never sees a job's true run time, only its limit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from twin.config import Component
from twin.records import Job, Placement


class FreeState(Protocol):
    """A copy of who is free, on which a policy may try things out."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits."""

    def take(self, gpus: int) -> Placement | None:
        """Hold GPUs for a gang as the cluster would; None where it does not fit."""

    def hold(self, placement: Placement) -> None:
        """Hold exactly this placement."""

    def release(self, placement: Placement) -> None:
        """Give a placement back."""

    def copy(self) -> FreeState:
        """Return an independent copy."""


class View(Protocol):
    """What a policy may see."""

    now_s: float
    queue: Sequence[Job]
    """Waiting jobs in order of arrival."""
    arrived: int
    """How many jobs at the end of ``queue`` came since the last pass in which nothing
    else changed; ``len(queue)`` if GPUs were released since."""

    def free(self) -> FreeState:
        """Return a copy of the free GPUs to plan on."""

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits right now (cheap, no copy)."""

    def releases(self) -> Iterator[tuple[float, Job]]:
        """Yield (expected end by limit, running job), earliest first."""


@dataclass
class Policy(Component):
    """A scheduling policy; subclasses are one file each in ``twin/scheduling``."""

    family: ClassVar[str] = "scheduling"

    @abstractmethod
    def select(self, view: View) -> list[Job]:
        """Return the jobs of ``view.queue`` to start now, in order of start."""
