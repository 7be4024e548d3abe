"""Work told in time on one GPU, done on the GPUs of the facility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from twin.config import Fraction, Range
from twin.errors import ConfigError, require
from twin.physics.another_gpu import relative_speed
from twin.records import WorkloadContext
from twin.units import BYTES_PER_GIGABYTE
from twin.workload.base import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFor:
    """The GPU for which times are told, and what binds the work there."""

    peak_tflops: Annotated[float, Range(1.0, 1e6)]
    """Dense FP16/BF16, as of the facility's GPU; a million, or less than one, is a typing error."""
    memory_bandwidth_tb_per_s: Annotated[float, Range(0.01, 1e3)]
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

    def refuse_mfu(
        self, key: str, mfu: float | None, comm_fraction: float, context: WorkloadContext
    ) -> None:
        """Refuse work that would do more here than the peak of the facility's GPUs.

        Raises
        ------
        ConfigError
            If ``mfu``, told for this GPU, comes out above 1, with *key*.
        """
        if mfu is None:
            return
        here = mfu * self.speed(context, comm_fraction) / self.arithmetic(context)
        if here > 1.0:
            raise ConfigError(
                f"{key}.mfu={mfu:g}: told for a GPU of {self.peak_tflops:g} TFLOPS, it would be "
                f"{here:.3g} on GPUs of {context.gpu_peak_flops / 1e12:g}: must be at most "
                f"{mfu / here:.3g} with told_for.memory_fraction={self.memory_fraction:g} and "
                f"comm_fraction={comm_fraction:g}, or these less: what computes so much does not "
                "wait for memory and others for so long"
            )


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
            f"and {told.memory_bandwidth_tb_per_s:g} TB/s ({self.key}.told_for): here it is done "
            f"{speed:.3g} times as fast, communication apart"
        ]
