"""What services of a language model have in common: alike replicas on GPUs of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twin.config import Count, Positive
from twin.errors import ConfigError, require
from twin.records import Hardware, Job, WorkloadContext
from twin.workload.base import Workload
from twin.workload.replica import Engine, LanguageModel, Replica, ServingPower, make_replica

GRID_S = 60.0
"""Everything is worked out once a minute, whatever the step of the profile and the
heartbeat, so that the energy of a service depends on neither."""
SHOWN_FRACTION = 1e-9
"""Turned-away demand below this share is rounding, not a warning."""


@dataclass(kw_only=True)
class ReplicaFleet(Workload):
    """Identical replicas of a model; what they are asked is up to subclasses."""

    replicas: Count
    """All there are."""
    gpus_per_replica: Count
    model: LanguageModel
    engine: Engine
    power: ServingPower
    step_s: Positive = 300.0
    """Step of the profile; a whole number of minutes."""

    def __post_init__(self) -> None:
        whole = self.step_s % GRID_S == 0
        require(whole, "step_s", self.step_s, f"a multiple of {GRID_S:g} s")

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield nothing: a service is no job that ends."""
        return iter(())

    def held_gpus(self) -> int:
        """Return the GPUs of all replicas."""
        return self.replicas * self.gpus_per_replica

    def check(self, context: WorkloadContext) -> None:
        """Refuse a fleet larger than the facility, or a model too large for its GPUs.

        Raises
        ------
        ConfigError
            If the replicas hold more GPUs than there are, or cannot hold the weights.
        """
        gpus = self.replicas * self.gpus_per_replica
        if gpus > context.gpus:
            raise ConfigError(
                f"{self.key}.replicas={self.replicas}: of {self.gpus_per_replica} GPUs each, "
                f"{gpus} GPUs: must be at most {context.gpus} GPUs, all of what the facility has"
            )
        self.replica(*gpus_of(context))

    def replica(self, peak_flops: float, hardware: Hardware) -> Replica:
        """Return one replica on GPUs of *peak_flops* in *hardware*."""
        return make_replica(
            self.model,
            self.engine,
            self.power,
            self.gpus_per_replica,
            (peak_flops, hardware),
            self.key,
        )

    def not_served(self, unserved: float, asked: float, within: str = "") -> list[str]:
        """Return a sentence on those of the requests *asked* that went *unserved*, if any did.

        Both are sums over minutes [1/s]; *within* says what else they were held to.
        """
        if unserved <= SHOWN_FRACTION * asked:
            return []
        return [
            f"{self.key}: {unserved * GRID_S:.0f} requests ({100 * unserved / asked:.3g} % of "
            f"demand) were not served: {self.replicas} replicas cannot take them{within}, or "
            "their memory cannot hold one"
        ]


def gpus_of(context: WorkloadContext) -> tuple[float, Hardware]:
    """Return the peak of a GPU of the facility [FLOP/s] and the rest of its hardware."""
    require(context.hardware is not None, "hardware", context.hardware, "known to a serving fleet")
    assert context.hardware is not None
    return context.gpu_peak_flops, context.hardware
