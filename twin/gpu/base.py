"""The contract of a GPU server: what it draws for what its GPUs do, and what heat does to it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from twin.config import Component


@dataclass
class GpuServer(Component):
    """A server with its GPUs; subclasses are one file each in ``twin/gpu``.

    A server's state is one number, the mean *drive* of its GPUs, 0-1: each GPU
    contributes ``drive(activity) / gpus_per_server``, idle GPUs nothing. Drives add,
    so a server shared by jobs is as cheap as one that is not.
    """

    family: ClassVar[str] = "gpu"

    gpus_per_server: int
    nameplate_w: float
    """Most the server draws; racks are rated with it. [W]"""
    mass_kg: float | None
    """None: not known, and what racks and floor carry is not checked. [kg]"""
    rack_units: float | None
    """Height of the server; None: not known, and the height of racks is not checked. [U]"""
    peak_flops: float
    """Dense FP16/BF16 of one GPU. [FLOP/s]"""
    memory_bytes: float
    """Memory of one GPU. [B]"""
    memory_bytes_per_s: float
    multiprocessors: int | None
    """Of one GPU, that a matrix product is shared out over; None: not known."""
    scale_up_bytes_per_s: float
    """Bandwidth of one GPU to the others of its server, one direction; 0: none known. [B/s]"""
    link_fraction: float
    """Of it, what adding up the layers of a served model reaches."""
    exchange_us: float
    """From the start of such a sum until parts are exchanged, whatever their size. [us]"""
    attention_us: float
    """What attention of a decode step takes in each layer besides reading its cache. [us]"""
    attention_speed: float | None
    """Speed of attention in training, forward and back in long sequences, over that of matrix
    products within their tiles; None: not known."""
    nic_bytes_per_s: float
    """All network ports of the server, one direction. [B/s]"""

    @abstractmethod
    def drive(self, activity: float) -> float:
        """Return a GPU's dynamic power over its largest dynamic power, from its activity."""

    @abstractmethod
    def power_w(self, drive: float) -> tuple[float, float]:
        """Return (server input power, of which fans) at server-mean *drive*, cool inlet [W]."""

    @abstractmethod
    def output_w(self, drive: float) -> float:
        """Return what its supplies deliver at server-mean *drive*, cool inlet [W]."""

    @abstractmethod
    def gpu_power_w(self, activity: float) -> float:
        """Return the power of one GPU at *activity* [W]."""

    @abstractmethod
    def fan_factor(self, inlet_c: float) -> float:
        """Return fan power at *inlet_c* over fan power at a cool inlet; 1 in the flat band."""

    def place(self, altitude_m: float, air_fraction: float) -> str | None:
        """Fit the server to its hall: thin air, and the share of the heat that is left to the air.

        Returns what is to be said of a server that does not fit; none where it does.
        """
        del altitude_m, air_fraction
        return None

    @abstractmethod
    def limits(self, inlet_c: float, throttled: bool, tripped: bool) -> tuple[bool, bool]:
        """Return (throttled, tripped) at *inlet_c*, with hysteresis from the present state."""

    @abstractmethod
    def throttle(self) -> tuple[float, float]:
        """Return (activity factor, rate factor) while throttled, each 0-1."""

    @property
    @abstractmethod
    def least_cap(self) -> float:
        """Least part of their dynamic power that GPUs can be held to, 0-1."""

    @abstractmethod
    def capped(self, dynamic: float) -> tuple[float, float]:
        """Return (activity factor, rate factor) where GPUs use that part of dynamic power."""
