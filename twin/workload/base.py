"""The contract of a workload: jobs in order of arrival, and services that stay."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.records import FlowReport, Inlet, Job, LoadReport, Service, Used, WorkloadContext
from twin.workload.latency import Latency

Pace = tuple[float, float]
"""From this second on, GPUs work at this fraction of their own rate."""


@dataclass(slots=True)
class ServiceProfile:
    """A service's demand in equal steps from the start of the run; arrays of one length.

    Activity is what the GPUs do if the service has them all; requests and tokens
    are those served and count only while it runs. Every value is the mean over its step.
    """

    activity: NDArray[np.float64]
    requests_per_s: NDArray[np.float64]
    tokens_per_s: NDArray[np.float64]
    unserved_requests_per_s: NDArray[np.float64]
    """Demand beyond what the fleet can serve, which is turned away."""
    judged_per_s: NDArray[np.float64] | None = None
    """Requests whose latency is known, and ..."""
    within_per_s: NDArray[np.float64] | None = None
    """... those of them within their objective; None where latency is not modelled."""

    def asked_per_s(self, step: int) -> float:
        """Return the requests made in *step*, whether served or not [1/s]."""
        return float(self.requests_per_s[step] + self.unserved_requests_per_s[step])


@dataclass
class Workload(Component):
    """A source of work; subclasses are one file each in ``twin/workload``."""

    family: ClassVar[str] = "workload"
    key: str = field(init=False, default="workload")
    """Key path in the configuration: names its errors and its random streams."""
    report: LoadReport | None = field(init=False, default=None)
    """What a file reader did with its rows; None where nothing is read."""
    warnings: list[str] = field(init=False, default_factory=list)
    """Sentences for run.json, e.g. how much demand was beyond capacity."""

    @abstractmethod
    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield jobs in order of ``arrived_at_s``, made as they are needed, never all at once."""

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the services that run from second 0 to the end."""
        return []

    def check(self, context: WorkloadContext) -> None:
        """Read whatever files are needed and refuse bad ones, before anything is written."""

    def held_gpus(self) -> int:
        """Return how many GPUs its services hold for good."""
        return 0

    def latency(self, paces: Sequence[Pace] = ()) -> Latency | None:
        """Return how long its requests waited, known once ``services`` was asked; or None.

        *paces* tell when heat or a power limit changed the rate of the GPUs, and to what.
        """
        return None

    def chain(self) -> Callable[[Job], list[Job]] | None:
        """Return what says which jobs the end of a job sets free; None where none waits."""
        return None

    def inlet(self) -> Inlet | None:
        """Return what flows into the storage beside all jobs, once ``jobs`` was asked; or None."""
        return None

    def flow_report(self, used: Used) -> FlowReport | None:
        """Return what came of a pipeline of batches in a run; None where there is none."""
        return None

    def name_as(self, key: str) -> None:
        """Take *key* as the key path, so that streams of a mix do not share random numbers."""
        self.key = key

    def label(self, alone: str) -> str:
        """Return the last word of the key path, or *alone* for a workload that is no stream."""
        return self.key.rpartition(".")[2] if "." in self.key else alone
