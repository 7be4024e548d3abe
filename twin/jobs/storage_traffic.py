"""Traffic to and from the storage: what all who use it ask for, and what each gets of it.

Running jobs read their data and write their checkpoints, restarted ones load what they left
behind, and an inlet may write beside them all. Where the storage is short it is shared anew,
at once as it gets short or is no longer, and otherwise at the next full minute. How fast a
job then goes on is not known here: whoever drives the jobs is told which of them to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from math import floor

import simpy

from twin.jobs.books import Tally, Transfers
from twin.records import Inlet, Job
from twin.storage.base import Storage

ROOM_STEPS = 50
"""The room that storage has for checkpoints is told in so many steps, always rounded down."""


class StorageTraffic:
    """What is moved to and from the storage, and the shares of it that its users have."""

    inlet: Inlet | None = None
    """What flows into the storage beside all jobs; None where nothing does."""
    stale: bool = False
    """Whether users of a short storage wait for it to be shared anew."""

    def __init__(
        self,
        env: simpy.Environment,
        storage: Storage,
        tally: Tally,
        running: Collection[Job],
        pace: Callable[[Iterable[Job]], None],
        share_soon: Callable[[], None],
    ) -> None:
        self.env = env
        self.storage = storage
        self.tally = tally
        self.running = running
        self.pace = pace
        """Gives jobs the rate that they have now."""
        self.share_soon = share_soon
        """Has :meth:`share_anew` called at the next full minute, if it is ``stale``."""
        self.moved = Transfers()
        tally.storage_w = storage.power_w(0.0)

    def use(self, job: Job, sign: float) -> None:
        """Let *job* use the storage (+1) or no longer (-1); where it is short, users slow down."""
        moved = self.moved
        reading = moved.reading + sign * job.read_bytes_per_s
        writing = moved.writing + sign * job.write_bytes_per_s
        moved.reading = reading if reading > 0.0 else 0.0  # differences leave a rounding rest
        moved.writing = writing if writing > 0.0 else 0.0
        if job.burst_bytes_per_s:
            if sign > 0.0:
                moved.bursting[job] = None
            else:
                del moved.bursting[job]
        self._share()

    # ---- checkpoints that are loaded ----

    def begin_load(self, job: Job) -> None:
        """Let *job* read its checkpoint, at ``load_bytes_per_s`` if the storage keeps up."""
        self.moved.loaders[job] = None
        self._share_loads(job.load_bytes_per_s)

    def end_load(self, job: Job, bytes_per_s: float) -> None:
        """Let *job*, which asked for *bytes_per_s*, read its checkpoint no longer."""
        del self.moved.loaders[job]
        self._share_loads(-bytes_per_s)

    def settle_load(self, job: Job, passed_s: float) -> None:
        """Book what *job* read of its checkpoint."""
        read_bytes = min(job.unread_bytes, job.loading_bytes_per_s * passed_s)
        job.unread_bytes -= read_bytes
        job.worked_s += read_bytes / job.load_bytes_per_s  # at full rate, for the links
        self.moved.read_bytes += read_bytes

    def _share_loads(self, change_bytes_per_s: float) -> None:
        """Let checkpoints be loaded with so much more than before, or less.

        Who loads feels it at once. All others do at the next full minute, so that the seconds
        that most loads take disturb nobody.
        """
        moved = self.moved
        moved.loading = max(0.0, moved.loading + change_bytes_per_s)
        self.tally.advance(self.env.now)
        self._share(waits=True)
        self.pace(list(moved.loaders))

    # ---- what flows in beside the jobs ----

    def fill(self, wanted_bytes_per_s: float) -> None:
        """Let the inlet write so much from now on; where storage is short, it slows down too."""
        inlet, moved = self.inlet, self.moved
        assert inlet is not None
        self.settle_inlet()
        more = wanted_bytes_per_s - inlet.wanted_bytes_per_s
        inlet.wanted_bytes_per_s = wanted_bytes_per_s
        if more:
            moved.writing = max(0.0, moved.writing + more)
            self.tally.advance(self.env.now)
            self._share(waits=False)

    def settle_inlet(self) -> None:
        """Book what the inlet wrote since its pace last changed."""
        inlet = self.inlet
        if inlet is None:
            return
        passed_s = self.env.now - inlet.since_s
        written = inlet.wanted_bytes_per_s * self.moved.shares[1] * passed_s
        inlet.since_s = self.env.now
        inlet.written_bytes += written
        self.moved.written_bytes += written

    # ---- who gets what ----

    def share_anew(self) -> None:
        """Let users who wait for it have what the storage leaves each of them now."""
        if self.stale:
            self._grant(self.storage.shares(*self.moved.asked()))

    def _share(self, waits: bool | None = None) -> None:
        """Let those who use the storage have what it leaves each, if that is another part now.

        At once where it gets short or is no longer; while it stays short, or checkpoints are
        loaded, at the next full minute, so that it may be promised a little too much or too
        little for that long. *waits* says that in place of these two.
        """
        moved = self.moved
        shares, self.tally.storage_w = self.storage.serve(
            moved.reading, moved.writing, moved.loading
        )
        moved.load_share = shares[1]
        if shares != moved.shares:
            if waits is None:
                waits = min(moved.shares) < 1.0 or bool(moved.loaders)
            if waits and min(shares) < 1.0:
                self.stale = True
                self.share_soon()
            else:
                self._grant(shares)
        if moved.bursting:
            self._leave_room()

    def _leave_room(self) -> None:
        """Let jobs that stop to write a checkpoint have what others leave."""
        moved, storage = self.moved, self.storage
        step = storage.write_bandwidth_bytes_per_s / ROOM_STEPS
        room = floor(storage.room_bytes_per_s(*moved.asked()) / step) * step
        if room != moved.room:
            moved.room = room
            self.pace(list(moved.bursting))

    def _grant(self, shares: tuple[float, float]) -> None:
        """Let readers and writers have these shares of their demands."""
        self.settle_inlet()
        self.moved.shares, self.moved.load_share = shares, shares[1]
        self.stale = False
        users = [
            job
            for job in self.running
            if job.read_bytes_per_s or job.write_bytes_per_s or job.load_bytes_per_s
        ]
        self.pace(users)
