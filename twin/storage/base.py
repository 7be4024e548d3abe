"""The contract of shared storage: who gets which bandwidth, and what it draws."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from twin.config import Component
from twin.units import BYTES_PER_PETABYTE


@dataclass
class Storage(Component):
    """Shared storage; subclasses are one file each in ``twin/storage``.

    Demands are means: a job that writes a checkpoint now and then counts with its bytes over
    the time between two.
    """

    family: ClassVar[str] = "storage"

    def warnings(self) -> list[str]:
        """Return sentences for run.json."""
        return []

    @property
    @abstractmethod
    def capacity_bytes(self) -> float | None:
        """Return what it holds, None where that is not known [B]."""

    def overfull(self, written_bytes: float) -> list[str]:
        """Return a sentence if a run wrote more than there is room for."""
        room = self.capacity_bytes
        if room is None or written_bytes <= room:
            return []
        return [
            f"{written_bytes / BYTES_PER_PETABYTE:.3g} PB were written to storage that holds "
            f"{room / BYTES_PER_PETABYTE:g}: data must have been deleted, which nobody waits for"
        ]

    @property
    @abstractmethod
    def bandwidth_bytes_per_s(self) -> float:
        """Return what all readers together can have at most, were there no writers [B/s]."""

    @property
    @abstractmethod
    def write_bandwidth_bytes_per_s(self) -> float:
        """Return what all writers together can have at most, were there no readers [B/s]."""

    @abstractmethod
    def shares(self, read_bytes_per_s: float, write_bytes_per_s: float) -> tuple[float, float]:
        """Return the fractions 0-1 of their demand that readers and writers get."""

    @abstractmethod
    def room_bytes_per_s(self, read_bytes_per_s: float, write_bytes_per_s: float) -> float:
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
    def power_w(self, read_bytes_per_s: float, write_bytes_per_s: float = 0.0) -> float:
        """Return the power at these demands [W]."""
