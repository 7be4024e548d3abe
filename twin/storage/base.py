"""The contract of shared storage: who gets which bandwidth, and what it draws."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from twin.config import Component


@dataclass
class Storage(Component):
    """Shared storage; subclasses are one file each in ``twin/storage``."""

    family: ClassVar[str] = "storage"

    @property
    @abstractmethod
    def bandwidth_bytes_per_s(self) -> float:
        """Return what all readers together can have at most [B/s]."""

    @abstractmethod
    def level(self, demand_bytes_per_s: float) -> float:
        """Return the fraction 0-1 of its demand every reader gets at this total demand."""

    @abstractmethod
    def power_w(self, demand_bytes_per_s: float) -> float:
        """Return the power at this total demand [W]."""
