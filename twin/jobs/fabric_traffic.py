"""Traffic of running jobs over the fabric: who is on it, and what it leaves of their rates.

Gangs communicate, and where the fabric carries storage as well, all send what they read and
write. How links are shared is worked out in :mod:`twin.network.gangs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twin.jobs.books import Spans
from twin.network.base import Fabric
from twin.network.gangs import Gangs
from twin.records import Job, Placement


class FabricTraffic:
    """The jobs that use the fabric."""

    def __init__(self, fabric: Fabric, share_soon: Callable[[], None]) -> None:
        self.fabric = fabric
        self.share_soon = share_soon
        """Has links shared anew at the next full minute, if that changes anything."""
        self.gangs = Gangs(fabric)
        self.spans = Spans()

    def connect(self, job: Job, placement: Placement) -> float:
        """Let *job* start on *placement*; return what the fabric leaves of its rate."""
        spans = self.spans
        spans.starts += 1
        if len(placement.whole) + (placement.part_gpus > 0) == 1:
            return self._join(job, placement, 1) if self.fabric.carries_storage else 1.0
        leaves, servers = self.gangs.span(placement)
        spans.gangs += 1
        spans.gang_leaves += leaves
        return self._join(job, placement, leaves, servers)

    def leave(self, job: Job) -> None:
        """Let *job* use the fabric no longer, if it did."""
        if job.comm_fraction or job.hidden_comm or self.fabric.carries_storage:
            self.gangs.leave(job)
            self.share_soon()

    def ports_bytes_per_s(self, placement: Placement) -> float:
        """Return what the ports of the servers of a gang carry together [B/s].

        Of a storage network of its own the ports are not known; they are taken to be no wider
        than those into the fabric.
        """
        servers = placement.gpus() / placement.per_server_gpus
        return self.fabric.server_bytes_per_s() * servers

    def begin_load(self, job: Job, placement: Placement, bytes_per_s: float) -> None:
        """Let *job* send nothing but the checkpoint that it loads, with so much at the most."""
        carried = self.fabric.carries_storage
        if carried:
            self.gangs.leave(job)
        job.load_bytes_per_s = bytes_per_s
        if carried:
            job.network_factor = self.gangs.join(job, 0.0, 1, placement)
            self.share_soon()

    def end_load(self, job: Job, placement: Placement) -> None:
        """Let *job*, which has read its checkpoint or is stopped, go back to its own traffic."""
        carried = self.fabric.carries_storage
        if carried:
            self.gangs.leave(job)
        job.load_bytes_per_s = job.unread_bytes = job.loading_bytes_per_s = job.worked_s = 0.0
        if carried:
            job.network_factor = self._join(job, placement, *self.gangs.span(placement))

    def _join(
        self,
        job: Job,
        placement: Placement,
        leaves: int,
        servers: Mapping[int, float] | None = None,
    ) -> float:
        """Let *job* use the fabric for its work, and return what that leaves of its rate.

        Until the links are shared anew the job is taken to be alone on them.
        """
        gang = len(placement.whole) + (placement.part_gpus > 0) > 1
        stored = self.fabric.carries_storage and (job.read_bytes_per_s or job.write_bytes_per_s)
        if not gang and not stored:
            return 1.0
        comm_fraction, hidden = (job.comm_fraction, job.hidden_comm) if gang else (0.0, ())
        talks = bool(comm_fraction or hidden)
        if not stored and (not talks or (leaves == 1 and self.fabric.servers_joined() > 1)):
            return 1.0
        factor = self.gangs.join(job, comm_fraction, leaves, placement, servers, hidden)
        self.share_soon()
        return factor
