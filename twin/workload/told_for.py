"""Work told in time on one GPU, done on the GPUs of the facility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from twin.config import Fraction, Range
from twin.errors import require
from twin.physics.another_gpu import relative_speed
from twin.records import WorkloadContext
from twin.units import BYTES_PER_GIGABYTE
from twin.workload.base import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFor:
    """The GPU for which times are told, and what binds the work there."""

    peak_tflops: Annotated[float, Range(0.0, 1e6, open_low=True)]
    """Dense FP16/BF16, as of the facility's GPU; a million is a typing error."""
    memory_bandwidth_tb_per_s: Annotated[float, Range(0.0, 1e3, open_low=True)]
    memory_fraction: Fraction
    """Share of the time that memory binds, not arithmetic; communication left out."""

    def arithmetic(self, context: WorkloadContext) -> float:
        """Return the peak of the facility's GPU over that of this one [-]."""
        return context.gpu_peak_flops / (self.peak_tflops * 1e12)

    def speed(self, context: WorkloadContext, comm_fraction: float = 0.0) -> float:
        """Return how many times as fast the facility's GPUs do work that communicates so much."""
        hardware = context.hardware
        require(hardware is not None, "hardware", hardware, "known where work is told for a GPU")
        assert hardware is not None
        told = self.memory_bandwidth_tb_per_s * 1e3 * BYTES_PER_GIGABYTE
        bandwidth = hardware.memory_bytes_per_s / told
        ratio = self.arithmetic(context)
        return relative_speed(ratio, bandwidth, self.memory_fraction, comm_fraction)


@dataclass(kw_only=True)
class ToldWork(Workload):
    """A source of work that says how long it takes on some GPU, not what it computes."""

    told_for: ToldFor | None = None
    """The GPU whose times are told; null: they hold on any GPU."""

    def check(self, context: WorkloadContext) -> None:
        """Say how fast the work is on the GPUs of the facility, where that is not as told."""
        told = self.told_for
        self.warnings = []
        if told is None or (speed := told.speed(context)) == 1.0:
            return
        self.warnings = [
            f"{self.label(self.key)}: its times are told for a GPU of {told.peak_tflops:g} TFLOPS "
            f"and {told.memory_bandwidth_tb_per_s:g} TB/s: here it is done {speed:.3g} times as "
            "fast, communication apart"
        ]
