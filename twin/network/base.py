"""The contract of a fabric: what it is made of, what it draws, what a spread job loses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from twin.config import Component


@dataclass
class Fabric(Component):
    """A network; subclasses are one file each in ``twin/network``."""

    family: ClassVar[str] = "network"

    @abstractmethod
    def size(self, servers: int, gpus_per_server: int) -> None:
        """Lay out switches and links for *servers*; ConfigError where ports do not suffice."""

    @abstractmethod
    def graph(self) -> Any:
        """Return the fabric as a ``networkx.Graph`` of servers, switches and links."""

    @abstractmethod
    def power_w(self) -> float:
        """Return the power of all switches and optics [W]."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Return how many of each: switches by tier, cables, transceivers."""

    @abstractmethod
    def leaf_of(self) -> list[int]:
        """Return the leaf (or leaf group) of each server, by server number."""

    @abstractmethod
    def server_bytes_per_s(self) -> float:
        """Return the bandwidth of one server into the fabric, one direction [B/s]."""

    def servers_joined(self) -> int:
        """Return how many servers share one scale-up domain, as in a rack of NVLink."""
        return 1

    @abstractmethod
    def rate_factor(self, comm_fraction: float, leaves: int) -> float:
        """Return the rate 0-1 of a job that spans *leaves*, given its exposed communication."""
