"""A parallel file system of equal nodes: bandwidth shared by all, power by load."""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Count, NonNegative, Positive
from twin.errors import require
from twin.storage.base import Storage
from twin.units import BYTES_PER_GIGABYTE


def shared_fraction(demand_bytes_per_s: float, bandwidth_bytes_per_s: float) -> float:
    """Fraction of its demand each reader gets when all are slowed alike.

    Parameters
    ----------
    demand_bytes_per_s : float
        Sum of what all readers would take, >= 0. [B/s]
    bandwidth_bytes_per_s : float
        What the storage gives, > 0. [B/s]

    Returns
    -------
    float
        1 up to the bandwidth, then bandwidth over demand. [-]

    Examples
    --------
    >>> shared_fraction(4e12, 2e12)
    0.5
    """
    if demand_bytes_per_s <= bandwidth_bytes_per_s:
        return 1.0
    return bandwidth_bytes_per_s / demand_bytes_per_s


@dataclass
class ParallelStorage(Storage):
    """Storage nodes side by side; a file is spread over all of them."""

    nodes: Count
    node_gb_per_s: Positive
    """Read bandwidth of one node. [GB/s]"""
    node_idle_w: NonNegative
    node_busy_w: NonNegative
    """One node at full bandwidth. [W]"""
    capacity_pb: Positive | None
    """Usable capacity; None where it is not known. [PB]"""

    def __post_init__(self) -> None:
        """Refuse a node that draws less when it works."""
        enough = self.node_busy_w >= self.node_idle_w
        require(enough, "node_busy_w", self.node_busy_w, f">= node_idle_w={self.node_idle_w}")

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Return the bandwidth of all nodes together [B/s]."""
        return self.nodes * self.node_gb_per_s * BYTES_PER_GIGABYTE

    def level(self, demand_bytes_per_s: float) -> float:
        """Return the fraction 0-1 of its demand every reader gets at this total demand."""
        return shared_fraction(demand_bytes_per_s, self.bandwidth_bytes_per_s)

    def power_w(self, demand_bytes_per_s: float) -> float:
        """Return the power at this total demand [W]: idle to busy with what is really read."""
        load = min(1.0, demand_bytes_per_s / self.bandwidth_bytes_per_s)
        return self.nodes * (self.node_idle_w + (self.node_busy_w - self.node_idle_w) * load)
