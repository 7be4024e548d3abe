"""The contract of shared storage: who gets which bandwidth, and what it draws."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from twin.config import Component


@dataclass
class Storage(Component):
    """Shared storage; subclasses are one file each in ``twin/storage``.

    Demands are means: a job that writes a checkpoint now and then counts with its bytes over
    the time between two. Who loads one reads as fast as he can; checkpoints are read in large
    pieces, so he gets of his demand what writers get of theirs.
    """

    family: ClassVar[str] = "storage"

    def warnings(self) -> list[str]:
        """Return sentences for run.json."""
        return []

    @property
    @abstractmethod
    def capacity_bytes(self) -> float | None:
        """Return what it can hold, None where that is not known [B]."""

    @property
    @abstractmethod
    def used_bytes(self) -> float:
        """Return what lies on it before the run, and stays [B]."""

    @property
    @abstractmethod
    def bandwidth_bytes_per_s(self) -> float:
        """Return what all readers together can have at most, were there no writers [B/s]."""

    @property
    @abstractmethod
    def write_bandwidth_bytes_per_s(self) -> float:
        """Return what all writers together can have at most, were there no readers [B/s]."""

    @property
    @abstractmethod
    def load_bandwidth_bytes_per_s(self) -> float:
        """Return what one who loads a checkpoint can have at most, alone [B/s]."""

    @abstractmethod
    def shares(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> tuple[float, float]:
        """Return the fractions 0-1 of their demand that readers, and all others, get."""

    def serve(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float
    ) -> tuple[tuple[float, float], float]:
        """Return :meth:`shares` and :meth:`power_w` at these demands, at every start and end."""
        asked = read_bytes_per_s, write_bytes_per_s, load_bytes_per_s
        return self.shares(*asked), self.power_w(*asked)

    @abstractmethod
    def room_bytes_per_s(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> float:
        """Return what is left at these demands for one who writes as fast as he can [B/s]."""

    def asked_fraction(self, read_bytes_per_s: float, write_bytes_per_s: float) -> float:
        """Return what is asked over what there is, above 1 if it is too much [-].

        It is the larger of the demand of readers over the most they can have and of the time
        that readers and writers take together; beyond 1, how much longer readers take.
        """
        slowed = min(self.shares(read_bytes_per_s, write_bytes_per_s))
        if slowed < 1.0:
            return 1.0 / slowed
        left = self.room_bytes_per_s(read_bytes_per_s, write_bytes_per_s)
        taken = 1.0 - left / self.write_bandwidth_bytes_per_s
        return max(taken, read_bytes_per_s / self.bandwidth_bytes_per_s)

    @abstractmethod
    def power_w(
        self,
        read_bytes_per_s: float,
        write_bytes_per_s: float = 0.0,
        load_bytes_per_s: float = 0.0,
    ) -> float:
        """Return the power at these demands [W]."""
