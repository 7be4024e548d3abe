"""How many replicas are up: started as demand rises, stopped some time after it has fallen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, NonNegative, PositiveFraction

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """A controller that wants as many replicas as keep the load at a target.

    A replica wanted now serves after its start-up time. One is stopped only when none of
    the wishes of the last ``scale_down_minutes`` asked for it, so that a lull does not
    cost a start. Stopped replicas keep their GPUs, which idle.
    """

    replicas_min: Count
    target_fraction: PositiveFraction
    """Load aimed at, over the most that a replica can serve."""
    startup_minutes: NonNegative
    """From the wish to the first request: finding a node, loading weights, warming up."""
    scale_down_minutes: NonNegative

    def replicas(self, demand: Floats, capacity: float, most: int, step_s: float) -> Ints:
        """Return the replicas that serve in each step.

        Parameters
        ----------
        demand : ndarray, shape (steps,)
            Requests asked for. [1/s]
        capacity : float
            What one replica can serve at most. [1/s]
        most : int
            Replicas there are.
        step_s : float
            Length of a step. [s]
        """
        wanted = np.ceil(demand / (capacity * self.target_fraction) - 1e-9)
        wanted = np.clip(wanted, self.replicas_min, most).astype(np.int64)
        late = math.ceil(self.startup_minutes * 60.0 / step_s - 1e-9)
        kept = math.ceil(self.scale_down_minutes * 60.0 / step_s - 1e-9)
        # What was wanted before the run began is taken to be what its first step wants.
        seen = np.concatenate([np.full(late + kept, wanted[0]), wanted])
        windows = np.lib.stride_tricks.sliding_window_view(seen, kept + 1)
        return np.asarray(windows[: len(wanted)].max(axis=1))
