"""Several workloads that share one facility."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from twin.errors import ConfigError, require
from twin.records import FlowReport, Inlet, Job, LoadReport, Service, Used, WorkloadContext
from twin.workload.base import Pace, Workload
from twin.workload.latency import Latency


def merged(reports: list[LoadReport]) -> LoadReport | None:
    """Return one report on all files read, or None where none was read."""
    if not reports:
        return None
    total = LoadReport(path=", ".join(report.path for report in reports))
    for report in reports:
        total.read += report.read
        total.used += report.used
        total.refused += report.refused
        total.refused_count += report.refused_count
        total.notes += report.notes
        total.measured |= report.measured
    return total


@dataclass(kw_only=True)
class Mix(Workload):
    """Streams by name, merged in order of arrival.

    Each stream draws from random streams of its own name: adding one leaves the
    jobs of the others unchanged. Services hold their GPUs for good, so the
    jobs of a mix are offered to, and must fit in, the GPUs that are left.
    """

    streams: dict[str, Workload]

    def __post_init__(self) -> None:
        require(bool(self.streams), "streams", self.streams, "a mapping of at least one stream")
        self.name_as(self.key)

    def name_as(self, key: str) -> None:
        """Take *key* as the key path and hand each stream its own below it."""
        self.key = key
        for name, stream in self.streams.items():
            stream.name_as(f"{key}.streams.{name}")

    def check(self, context: WorkloadContext) -> None:
        """Check each stream against the GPUs it can have.

        Raises
        ------
        ConfigError
            If services hold more GPUs than there are, or a stream refuses.
        """
        held = self.held_gpus()
        if held > context.gpus:
            raise ConfigError(
                f"{self.key}.streams: services hold {held} GPUs: must be at most "
                f"{context.gpus} GPUs, all of the facility"
            )
        pipelines = [name for name, stream in sorted(self.streams.items()) if stream.chain()]
        if len(pipelines) > 1:
            raise ConfigError(
                f"{self.key}.streams: {' and '.join(pipelines)} are pipelines: must be at most one"
            )
        for stream in self._in_order():
            stream.check(self._seen_by(stream, context))
        self.report = merged([s.report for s in self._in_order() if s.report is not None])

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield the jobs of all streams; those of one instant in order of stream name."""
        sources = [stream.jobs(self._seen_by(stream, context)) for stream in self._in_order()]
        return heapq.merge(*sources, key=attrgetter("arrived_at_s"))

    def services(self, context: WorkloadContext) -> list[Service]:
        """Return the services of all streams."""
        found = [service for stream in self._in_order() for service in stream.services(context)]
        self.warnings = [warning for stream in self._in_order() for warning in stream.warnings]
        return found

    def latency(self, paces: Sequence[Pace] = ()) -> Latency | None:
        """Return the latencies of all its services; None unless each of them knows its own."""
        found = [stream.latency(paces) for stream in self._in_order() if stream.held_gpus()]
        self.warnings = [warning for stream in self._in_order() for warning in stream.warnings]
        known = [each for each in found if each is not None]
        return sum(known, start=Latency()) if known and len(known) == len(found) else None

    def chain(self) -> Callable[[Job], list[Job]] | None:
        """Return what asks each stream in which jobs wait for others."""
        chains = [chain for stream in self._in_order() if (chain := stream.chain()) is not None]
        if len(chains) <= 1:
            return chains[0] if chains else None
        return lambda ended: [job for chain in chains for job in chain(ended)]

    def inlet(self) -> Inlet | None:
        """Return that of the one pipeline among the streams, if there is one."""
        inlets = (stream.inlet() for stream in self._in_order())
        return next((inlet for inlet in inlets if inlet is not None), None)

    def flow_report(self, used: Used) -> FlowReport | None:
        """Return that of the one pipeline among the streams, if there is one."""
        reports = (stream.flow_report(used) for stream in self._in_order())
        return next((report for report in reports if report is not None), None)

    def held_gpus(self) -> int:
        """Return the GPUs that the services of all streams hold."""
        return sum(stream.held_gpus() for stream in self.streams.values())

    def _in_order(self) -> list[Workload]:
        return [self.streams[name] for name in sorted(self.streams)]

    def _seen_by(self, stream: Workload, context: WorkloadContext) -> WorkloadContext:
        """Return *context* without the GPUs that services of other streams hold."""
        others = self.held_gpus() - stream.held_gpus()
        return dataclasses.replace(context, gpus=context.gpus - others)
