"""A parallel file system of equal nodes: time shared by readers and writers, power by load."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.config import Fraction, NonNegative, Positive, Units
from twin.errors import require
from twin.storage.base import Storage
from twin.units import BYTES_PER_GIGABYTE, BYTES_PER_MEGABYTE, BYTES_PER_PETABYTE

WHOLE = (1.0, 1.0)
"""The shares of readers and writers where there is enough for all."""


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


def read_bandwidth_bytes_per_s(
    stream_bytes_per_s: float, opens_per_s: float, file_bytes: float
) -> float:
    """Bandwidth of reading whole files, each of which must be opened first.

    Parameters
    ----------
    stream_bytes_per_s : float
        Bandwidth of large files, > 0. [B/s]
    opens_per_s : float
        Files the metadata servers open per second, > 0. [1/s]
    file_bytes : float
        Mean size of a file, > 0. [B]

    Returns
    -------
    float
        The smaller of the two limits: opening and streaming go on side by side. [B/s]

    Examples
    --------
    Files of 100 kB need 20 million opens a second to fill 2 TB/s:

    >>> read_bandwidth_bytes_per_s(2e12, 1e6, 1e5) / 2e12
    0.05
    """
    return min(stream_bytes_per_s, opens_per_s * file_bytes)


@dataclass
class ParallelStorage(Storage):
    """Storage nodes side by side; a file is spread over all of them.

    A node that reads a part of its time has the rest for writing. Only data files are small:
    checkpoints are written in large pieces and wait for no metadata.
    """

    nodes: Units
    node_gb_per_s: Positive
    """Read bandwidth of one node. [GB/s]"""
    node_write_gb_per_s: Positive
    """Write bandwidth of one node. [GB/s]"""
    node_idle_w: NonNegative
    node_busy_w: NonNegative
    """One node at full bandwidth. [W]"""
    metadata_opens_per_s: Positive
    """Files that all metadata servers together open per second. [1/s]"""
    file_mb: Positive
    """Mean size of the files as stored; small files are metadata-bound. [MB]"""
    capacity_pb: Positive | None
    """Usable capacity; None where it is not known. [PB]"""
    used_fraction: Fraction = 0.0
    """Part of it that is taken before the run, and stays taken. [-]"""

    stream_bytes_per_s: float = field(init=False)
    """Bandwidth of large files, all nodes together. [B/s]"""
    write_bytes_per_s: float = field(init=False)
    """Bandwidth of writing, all nodes together. [B/s]"""
    _bandwidth_bytes_per_s: float = field(init=False, repr=False)
    _node_more_w: float = field(init=False, repr=False)
    """What a node draws at full bandwidth beyond idling. [W]"""

    def __post_init__(self) -> None:
        """Work out the bandwidths, and refuse a node that draws less when it works."""
        known = self.capacity_pb is not None or self.used_fraction == 0.0
        require(known, "used_fraction", self.used_fraction, "0 where capacity_pb is null")
        enough = self.node_busy_w >= self.node_idle_w
        require(enough, "node_busy_w", self.node_busy_w, f">= node_idle_w={self.node_idle_w}")
        self._node_more_w = self.node_busy_w - self.node_idle_w
        self.stream_bytes_per_s = self.nodes * self.node_gb_per_s * BYTES_PER_GIGABYTE
        self.write_bytes_per_s = self.nodes * self.node_write_gb_per_s * BYTES_PER_GIGABYTE
        self._bandwidth_bytes_per_s = read_bandwidth_bytes_per_s(
            self.stream_bytes_per_s, self.metadata_opens_per_s, self.file_mb * BYTES_PER_MEGABYTE
        )

    @property
    def capacity_bytes(self) -> float | None:
        """Return what it holds, None where that is not known [B]."""
        return None if self.capacity_pb is None else self.capacity_pb * BYTES_PER_PETABYTE

    @property
    def used_bytes(self) -> float:
        """Return what lies on it before the run, and stays [B]."""
        return self.used_fraction * (self.capacity_bytes or 0.0)

    @property
    def load_bandwidth_bytes_per_s(self) -> float:
        """Return what one who loads a checkpoint can have at most, alone [B/s]."""
        return self.stream_bytes_per_s

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Return the bandwidth of files as they are stored [B/s]."""
        return self._bandwidth_bytes_per_s

    @property
    def write_bandwidth_bytes_per_s(self) -> float:
        """Return what all writers together can have at most, were there no readers [B/s]."""
        return self.write_bytes_per_s

    def warnings(self) -> list[str]:
        """Say so where opening files takes longer than reading them."""
        most = self._bandwidth_bytes_per_s
        if most >= self.stream_bytes_per_s:
            return []
        return [
            f"storage is bound by metadata: {self.metadata_opens_per_s:g} opens/s of files of "
            f"{self.file_mb:g} MB give {most / 1e12:.3g} of "
            f"{self.stream_bytes_per_s / 1e12:.3g} TB/s"
        ]

    def load(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> float:
        """Return the time the nodes would need over the time there is, above 1 if too much [-]."""
        most = self._bandwidth_bytes_per_s
        read = read_bytes_per_s if read_bytes_per_s < most else most
        read += load_bytes_per_s
        return read / self.stream_bytes_per_s + write_bytes_per_s / self.write_bytes_per_s

    def shares(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> tuple[float, float]:
        """Return the fractions 0-1 of their demand that readers, and all others, get."""
        load = self.load(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s)
        writers = 1.0 if load <= 1.0 else 1.0 / load
        if read_bytes_per_s <= self._bandwidth_bytes_per_s:
            return writers, writers
        return writers * shared_fraction(read_bytes_per_s, self._bandwidth_bytes_per_s), writers

    def serve(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float
    ) -> tuple[tuple[float, float], float]:
        """Return shares and power, asked at every start and end of a job.

        As :meth:`shares` and :meth:`power_w` say it where there is enough for all, in one go.
        """
        if read_bytes_per_s <= self._bandwidth_bytes_per_s:
            load = (read_bytes_per_s + load_bytes_per_s) / self.stream_bytes_per_s
            load += write_bytes_per_s / self.write_bytes_per_s
            if load <= 1.0:
                return WHOLE, self.nodes * (self.node_idle_w + self._node_more_w * load)
        return super().serve(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s)

    def room_bytes_per_s(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> float:
        """Return what is left at these demands for one who writes as fast as he can [B/s]."""
        left = 1.0 - self.load(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s)
        return max(0.0, left) * self.write_bytes_per_s

    def power_w(
        self,
        read_bytes_per_s: float,
        write_bytes_per_s: float = 0.0,
        load_bytes_per_s: float = 0.0,
    ) -> float:
        """Return the power at these demands [W]: idle to busy with what is really moved."""
        load = self.load(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s)
        return self._power_w(load if load < 1.0 else 1.0)

    def _power_w(self, load: float) -> float:
        """Return the power with the nodes at work for that part of the time [W]."""
        return self.nodes * (self.node_idle_w + self._node_more_w * load)
