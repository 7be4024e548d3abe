"""How long a beat may be: a second after something has happened, a heartbeat when all is calm.

A beat takes its load and the air of the servers as one; where these move fast, a whole
heartbeat is too long to find the moment at which a server throttles or a breaker opens. So
an upset (the start of a run, a break, a repair, a step of the load) is looked at after a
second, then after two more, four, eight; and while the air still moves, so often that it
moves little from one look to the next. Looks follow from what happens, not from heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan

FIRST_S = 1.0
"""From an upset to the first look, and the shortest time between two. [s]"""
GROWTH = 2.0
"""From one look to the next, over the last."""
CALM_S = 60.0
"""A look may wait so long where only the plant is on its way; where nothing is, for good. [s]"""
LARGEST_K = 0.2
"""What the air may move from one look to the next; less than this in ``CALM_S`` is calm. [K]"""
STEP_FRACTION = 0.1
"""A step of the load, over what all servers draw at full activity. [-]"""
STILL_K = 0.01
"""Air that moves less in a heartbeat stands still. [K]"""
ON_ITS_WAY = 0.01
"""A plant on its way to rest keeps this much more or less of its heat in a beat than before. [-]"""


@dataclass(slots=True)
class Looks:
    """When to look next, without waiting for the heartbeat."""

    due_s: float = FIRST_S
    """``inf`` when all is calm. [s]"""
    wait_s: float = FIRST_S
    """From the last look to that. [s]"""

    def upset(self, now_s: float) -> None:
        """Look again soon."""
        self.wait_s = FIRST_S
        self.due_s = now_s + FIRST_S

    def step(self, now_s: float, looked_at_s: float) -> None:
        """Look right now, but not too soon after the last look."""
        self.wait_s = FIRST_S
        self.due_s = max(now_s, looked_at_s + FIRST_S)

    def lived(
        self,
        now_s: float,
        dt_s: float,
        moves: tuple[float, bool],
        heeded_in_s: Callable[[float], float],
    ) -> None:
        """Choose the next look, now that a beat is over.

        Parameters
        ----------
        now_s, dt_s : float
            The end of the beat, and how long it was. [s]
        moves : (float, bool)
            By how much the air at the servers has warmed in it (NaN: not known) [K], and
            whether the plant behind it is still on its way.
        heeded_in_s : callable
            Takes a rate of warming [K/s]; returns when the servers would heed it. [s]
        """
        warmed_k, on_its_way = moves
        if now_s >= self.due_s:
            self.wait_s *= GROWTH
            self.due_s = now_s + self.wait_s
        if self.wait_s >= CALM_S:
            self.wait_s = CALM_S
            self.due_s = now_s + CALM_S if on_its_way else inf
        if warmed_k == 0.0 or isnan(warmed_k):
            return
        rate = warmed_k / dt_s
        calm_s = LARGEST_K / abs(rate)
        if calm_s < self.wait_s:
            self.wait_s = max(calm_s, FIRST_S)
            self.due_s = min(self.due_s, now_s + self.wait_s)
        self.due_s = min(self.due_s, now_s + max(heeded_in_s(rate), FIRST_S))
