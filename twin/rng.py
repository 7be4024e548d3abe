"""One source of randomness per purpose, all spawned from one seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

RngFor = Callable[[str], np.random.Generator]
"""``purpose -> generator``: the same purpose and seed always give the same stream."""


def rng_for(seed: int, replication: int = 0) -> RngFor:
    """Return a function that gives each named purpose its own independent generator.

    Purposes do not disturb each other: adding one leaves the draws of all others
    unchanged, so designs that share a seed see the same jobs, weather and faults.
    """

    def generator(purpose: str) -> np.random.Generator:
        key = zlib.crc32(purpose.encode())
        return np.random.default_rng(np.random.SeedSequence([seed, replication, key]))

    return generator
