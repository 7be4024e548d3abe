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
    cost a start. Stopped replicas keep their GPUs, which idle, unless they are lent.
    """

    replicas_min: Count
    target_fraction: PositiveFraction
    """Load aimed at, over the most that a replica can serve."""
    startup_minutes: NonNegative
    """From the wish to the first request: finding a node, loading weights, warming up."""
    scale_down_minutes: NonNegative
    lend: bool = False
    """Whether the GPUs of stopped replicas are free for others. A replica asks for them anew
    when it is wanted, its start-up time before it serves."""

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

    def held(self, serving: Ints, per_step: int, step_s: float) -> Ints:
        """Return the replicas that want GPUs in each block of steps: all that start or serve.

        Parameters
        ----------
        serving : ndarray, shape (blocks * per_step,)
            Replicas that serve in each step.
        per_step : int
            Steps in a block.
        step_s : float
            Length of a step. [s]
        """
        early = math.ceil(self.startup_minutes * 60.0 / step_s - 1e-9)
        seen = np.concatenate([serving, np.full(early, serving[-1])])
        windows = np.lib.stride_tricks.sliding_window_view(seen, early + 1)
        held = windows[: len(serving)].max(axis=1)
        return np.asarray(held.reshape(-1, per_step).max(axis=1))
