"""The contract of a workload: jobs in order of arrival, and services that stay."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.records import Job, LoadReport, Service, WorkloadContext


@dataclass(slots=True)
class ServiceProfile:
    """A service's demand in equal steps from the start of the run; arrays of one length.

    Activity is what the GPUs do if the service has them all; requests and tokens
    count only while it runs.
    """

    activity: NDArray[np.float64]
    requests_per_s: NDArray[np.float64]
    tokens_per_s: NDArray[np.float64]


@dataclass
class Workload(Component):
    """A source of work; subclasses are one file each in ``twin/workload``."""

    family: ClassVar[str] = "workload"
    report: LoadReport | None = field(init=False, default=None)
    """What a file reader did with its rows; None where nothing is read."""

    @abstractmethod
    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield jobs in order of ``arrived_at_s``, made as they are needed, never all at once."""

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the services that run from second 0 to the end."""
        return []

    def check(self, context: WorkloadContext) -> None:
        """Read whatever files are needed and refuse bad ones, before anything is written."""
