"""What a GPU, its network and its software make of a training step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from twin.errors import require
from twin.physics.products import Multiplier

BANDWIDTH_REACHED = 0.9
"""Share of the memory's bandwidth that passes over it reach: 3.01 of 3.35 TB/s on an H100,
Guo, Zadouri and Dao, "Getting memory-bound kernels to speed-of-light", 2025. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What one GPU can do, and the network it sees."""

    peak_flops: float
    math_efficiency: float
    """Share of the peak reached within the tiles of matrix products. [-]"""
    memory_bytes: float
    memory_bytes_per_s: float
    multiprocessors: int | None = None
    """Of one GPU; None: not known, products of any shape fill them."""
    domain_gpus: int
    """GPUs of a scale-up domain: a server, or a rack of NVLink."""
    domain_bytes_per_s: float
    """Bandwidth of a GPU inside the domain, one direction. [B/s]"""
    fabric_bytes_per_s: float
    """Bandwidth of a GPU into the fabric, one direction, as usable. [B/s]"""
    domain_latency_s: float = 2e-6
    fabric_latency_s: float = 4e-6
    linear_speed: float = 1.0
    """Speed of the layers' products with weights over that of all others; above 1 where
    they are of 8 bits, while attention and output layer stay at 16. [-]"""
    attention_speed: float = 1.0
    """Speed of attention in long sequences over that of 16-bit products within their tiles. [-]"""

    def __post_init__(self) -> None:
        """Refuse machines that cannot be."""
        inside = 0 < self.math_efficiency <= 1
        require(inside, "math_efficiency", self.math_efficiency, "> 0 and <= 1")
        for name in ("peak_flops", "memory_bytes_per_s", "domain_bytes_per_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        for name in ("linear_speed", "attention_speed"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        require(self.fabric_bytes_per_s > 0, "fabric_bytes_per_s", self.fabric_bytes_per_s, "> 0")

    def multiplier(self, speed: float = 1.0) -> Multiplier:
        """Return the GPU as its products see it, at *speed* over that of 16 bits."""
        return Multiplier(
            flops_per_s=self.peak_flops * self.math_efficiency * speed,
            bytes_per_s=BANDWIDTH_REACHED * self.memory_bytes_per_s,
            multiprocessors=self.multiprocessors,
        )

    def without(self, multiprocessors: int, name: str) -> Machine:
        """Return what *multiprocessors* fewer leave, all the memory's bandwidth among it.

        All of it where nobody knows how many there are; *name* is what a refusal calls them.
        """
        have = self.multiprocessors
        if have is None or multiprocessors == 0:
            return self
        lent, allowed = 0 < multiprocessors < have, f">= 0 and < {have}"
        require(lent, name, multiprocessors, allowed)
        left = have - multiprocessors
        return replace(self, multiprocessors=left, peak_flops=self.peak_flops * left / have)


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What the training software hides, and what it loses to the slowest of many."""

    tensor_overlap: float = 0.5
    """Share of tensor-parallel communication hidden behind mathematics (assumed), as long as
    there is some to hide it. [-]"""
    expert_overlap: float = 0.5
    """Share of expert dispatch and return hidden (assumed), likewise. [-]"""
    communication_multiprocessors: int = 0
    """Multiprocessors that run hidden communication of tensor and expert ranks, and no products
    meanwhile."""
    data_multiprocessors: int = 0
    """The same of data ranks."""
    gradient_bytes: float = 4.0
    """Of a gradient on its way to other data ranks: 4 in FP32, 2 in 16 bits. [B]"""
    straggler: float = 0.0075
    """Step lengthens by this times ln(GPUs); 0.005-0.01 over published runs. [-]"""
