"""Lower clocks for replicas whose row nears its power, as long as their requests stay in time.

Held to less power a GPU works more slowly, by the curve measured of it: the same requests run
as a larger batch, and each token takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twin.config import Positive, PositiveFraction

STEPS = 50
"""Steps of the power of a GPU between idle and full, as of a power cap."""


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """When the replicas of an endpoint lower their clocks, and how far."""

    row_kw: Positive
    """What a row is to draw at most; of a rack, where rows are not looked at. [kW]"""
    near: PositiveFraction
    """Part of that from which on its replicas lower their clocks."""
    itl_s: Positive
    """Longest time between tokens: clocks are lowered no further than keeps it. [s]"""
    least_speed: PositiveFraction
    """Least speed of GPUs at a lower clock over their own."""

    @property
    def near_w(self) -> float:
        """Return the power of a row from which on clocks are lowered [W]."""
        return self.near * self.row_kw * 1e3

    def clocks(self, capped: Callable[[float], tuple[float, float]]) -> list[tuple[float, float]]:
        """Return (activity factor, speed) of each step of clocks, falling, the first their own.

        Examples
        --------
        A GPU as slow as it draws little:

        >>> Reconfigure(100.0, 0.8, 0.2, 0.95).clocks(lambda part: (part, part))
        [(1.0, 1.0), (0.98, 0.98), (0.96, 0.96)]
        """
        found = [(1.0, 1.0)]
        for step in range(STEPS - 1, 0, -1):
            less, speed = capped(step / STEPS)
            if not self.least_speed <= speed < found[-1][1]:
                break  # as far as is wished, and as was measured
            found.append((less, speed))
        return found
