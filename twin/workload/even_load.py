"""What replicas make of a demand that all of them in service share evenly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from twin.records import Hardware
from twin.workload.base import ServiceProfile
from twin.workload.decode import Decode
from twin.workload.replica import activity_of

Floats = NDArray[np.float64]


@dataclass(eq=False)
class EvenLoad:
    """A demand and the replicas that share it, minute by minute."""

    decode: Decode
    """What one replica makes and draws, on GPUs at their full rate."""
    hardware: Hardware
    demand: Floats
    """Requests asked for. [1/s]"""
    replicas: Floats
    """Replicas in service."""
    steps: int
    """Steps of a profile, over all these minutes."""

    def __post_init__(self) -> None:
        decode = self.decode
        self._asked = self.demand * decode.fits * decode.tokens_per_request / self.replicas
        self.made = cache(self._made)

    def profile(
        self, own: Floats, there: NDArray[np.bool_], first: bool, rate: float = 1.0
    ) -> ServiceProfile:
        """Return what *own* of the replicas do while they are *there*, on GPUs at *rate*.

        What is left over is told by those that are the *first*.
        """
        served, power, unserved = self.made(rate)
        idle = self.decode.power_fraction[0]
        values = (
            idle + (power - idle) * there,
            served * own / self.decode.tokens_per_request * there,
            served * own * there,
            unserved * (there if first else 0.0),
        )
        drawn, *rest = (value.reshape(self.steps, -1).mean(axis=1) for value in values)
        return ServiceProfile(activity_of(drawn, self.hardware), *rest)

    def _made(self, rate: float) -> tuple[Floats, Floats, Floats]:
        """Return tokens and power of a replica, and the requests left over, at a rate of GPUs."""
        decode = self.decode.slowed(rate)
        served = np.minimum(self._asked, decode.capacity_tokens_per_s())
        made = served * self.replicas / decode.tokens_per_request
        return served, decode.drawn(served), np.maximum(self.demand - made, 0.0)
