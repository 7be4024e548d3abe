"""Two tiers: a fast one that holds what is used, a large one that holds everything."""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Fraction
from twin.errors import require
from twin.storage.base import Storage
from twin.storage.parallel import ParallelStorage


@dataclass
class TieredStorage(Storage):
    """A part of what is read is found in the fast tier, the rest comes from the large one.

    What is written goes to the fast tier, is read from there once more and moved to the
    large one, so that both carry it. The newest checkpoints are still in the fast tier and
    loaded from there. The tier with more to do slows everybody.
    """

    fast: ParallelStorage
    large: ParallelStorage
    hit_fraction: Fraction
    """Part of the bytes read that the fast tier holds. [-]"""

    def __post_init__(self) -> None:
        """Refuse data that would lie in the fast tier alone."""
        used = self.fast.used_fraction
        require(used == 0.0, "fast.used_fraction", used, "0: large.used_fraction is what counts")

    def warnings(self) -> list[str]:
        """Return sentences of both tiers."""
        return [*self.fast.warnings(), *self.large.warnings()]

    @property
    def capacity_bytes(self) -> float | None:
        """Return what the large tier holds, where everything is [B]."""
        return self.large.capacity_bytes

    @property
    def used_bytes(self) -> float:
        """Return what lies in the large tier before the run, and stays [B]."""
        return self.large.used_bytes

    @property
    def load_bandwidth_bytes_per_s(self) -> float:
        """Return what one who loads a checkpoint can have at most, alone [B/s]."""
        return self.fast.stream_bytes_per_s

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Return what all readers together can have at most, were there no writers [B/s]."""
        parts = ((self.fast, self.hit_fraction), (self.large, 1.0 - self.hit_fraction))
        return min(tier.bandwidth_bytes_per_s / part for tier, part in parts if part > 0.0)

    @property
    def write_bandwidth_bytes_per_s(self) -> float:
        """Return what all writers together can have at most, were there no readers [B/s]."""
        taken = 1.0 / self.fast.write_bytes_per_s + 1.0 / self.fast.stream_bytes_per_s
        return min(1.0 / taken, self.large.write_bytes_per_s)

    def _demands(self, read: float, write: float) -> tuple[tuple[float, float], ...]:
        """Return (read, write) of the fast and of the large tier [B/s]."""
        missed = (1.0 - self.hit_fraction) * read if self.hit_fraction < 1.0 else 0.0
        return (read - missed, write), (missed, write)

    def _loads(self, read: float, write: float, load: float) -> tuple[float, float]:
        fast, large = self._demands(read, write)
        moved = (write + load) / self.fast.stream_bytes_per_s
        return self.fast.load(*fast) + moved, self.large.load(*large)

    def shares(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> tuple[float, float]:
        """Return the fractions 0-1 of their demand that readers, and all others, get."""
        load = max(self._loads(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s))
        writers = 1.0 if load <= 1.0 else 1.0 / load
        most = self.bandwidth_bytes_per_s
        return writers * (min(1.0, most / read_bytes_per_s) if read_bytes_per_s else 1.0), writers

    def room_bytes_per_s(
        self, read_bytes_per_s: float, write_bytes_per_s: float, load_bytes_per_s: float = 0.0
    ) -> float:
        """Return what is left at these demands for one who writes as fast as he can [B/s].

        He is done when the fast tier has it all.
        """
        left = 1.0 - max(self._loads(read_bytes_per_s, write_bytes_per_s, load_bytes_per_s))
        return max(0.0, left) * self.write_bandwidth_bytes_per_s

    def power_w(
        self,
        read_bytes_per_s: float,
        write_bytes_per_s: float = 0.0,
        load_bytes_per_s: float = 0.0,
    ) -> float:
        """Return the power of both tiers at these demands [W]."""
        read = min(read_bytes_per_s, self.bandwidth_bytes_per_s)
        write = min(write_bytes_per_s, self.write_bandwidth_bytes_per_s)
        fast, large = self._demands(read, write)
        again = fast[0] + write
        return self.fast.power_w(again, fast[1], load_bytes_per_s) + self.large.power_w(*large)
