"""Checkpoints and uploads on a storage that can be full: who finds room, and who waits for it.

A run looks for room whenever it has a checkpoint to write: one event ahead of each run, and
none where the capacity is not known. The newest ones stay, and an older one is deleted when a
newer is written, so that for a moment there is one more. Who finds no room waits. A run that
stops for its checkpoints stands still until there is some. One that writes behind its steps
goes on; what it set aside waits in its hosts, later checkpoints are left out meanwhile, and a
failure takes it back to the last one that was written. Room comes from runs that end, and from
uploads that have grown old.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import floor, inf

import simpy

from twin.jobs.books import Space
from twin.records import Event, Inlet, Job
from twin.units import BYTES_PER_PETABYTE, BYTES_PER_TERABYTE, SECONDS_PER_HOUR

FULL, ROOM = "storage_full", "storage_room"
"""Kinds of its events."""
WHERE = "storage"


class Saving:
    """What is put on a storage of known capacity, and what waits for room there."""

    def __init__(
        self,
        env: simpy.Environment,
        space: Space,
        record: Callable[[Event], None],
        hold: Callable[[Job, bool], None],
    ) -> None:
        self.env = env
        self.space = space
        self.began_bytes = space.used_bytes
        self.record = record
        self.hold = hold
        """Lets a job stand still, or no longer."""
        self.waiting: dict[Job, float] = {}
        """Running jobs whose checkpoint finds no room, and since when."""
        self.refused = 0
        """How often a checkpoint found no room."""
        self.kept_outside = False
        """Whether uploads ever did."""
        self.first_full_s = inf
        self.stalled_gpu_s = 0.0
        """GPU time of jobs that stood still because of it."""
        self.unwritten_bytes = 0.0
        """Checkpoints left out, which the mean of what jobs write counts in."""

    # ---- the checkpoints of a run ----

    def plan(self, job: Job) -> None:
        """Have *job* look for room when its next checkpoint is due, at its present rate."""
        _cancel(job)
        if job.rate <= 0.0 or job in self.waiting:
            return
        at_s = job.saved_s + (job.saves + 1 - job.burst_fraction) * job.checkpoint_s
        if at_s >= job.work_s:
            return
        wait_s = max(0.0, (at_s - self._done_s(job)) / job.rate)
        job.save_due = self.env.timeout(wait_s)
        job.save_due.callbacks.append(partial(self._begin, job))

    def write(self, job: Job) -> bool:
        """Put a checkpoint of *job* where there is room for it, and delete what it replaces."""
        space, size, now_s = self.space, job.checkpoint_bytes, self.env.now
        if not size:
            return True
        if size > space.free_bytes:
            return False
        space.put(size, now_s)
        job.held += 1
        if job.held > job.keep:
            job.held -= 1
            space.delete(size, now_s)
        return True

    def tell_full(self, job: Job, so: str) -> None:
        """Note that a checkpoint of *job* finds no room, and what comes of it."""
        size, free = job.checkpoint_bytes, self.space.free_bytes
        self.refused += 1
        self._tell(
            FULL,
            f"{job.job_id}: a checkpoint of {_tb(size)} finds no room, {_tb(size - free)} are "
            f"missing: {so}",
        )

    def forget(self, job: Job) -> None:
        """Let *job*, which is to leave its GPUs, neither wait nor look for room."""
        _cancel(job)
        if job in self.waiting:
            self._book(job)
            self.unwritten_bytes += (1.0 - job.burst_fraction) * job.checkpoint_bytes

    def clear(self, job: Job) -> None:
        """Delete what a job that has ended kept, unless it stays."""
        self.forget(job)
        if job.held and not job.stays:
            self.space.delete(job.held * job.checkpoint_bytes, self.env.now)
            job.held = 0
            self._fill_room()

    def _begin(self, job: Job, _: simpy.Event) -> None:
        """Write the checkpoint that is due now, or let it wait for room."""
        job.save_due = None
        job.saves += 1
        if self.write(job):
            job.safe_s = inf
            self.plan(job)
            return
        if job.safe_s == inf:
            job.safe_s = job.saved_s + (job.saves - 1) * job.checkpoint_s
        self.waiting[job] = self.env.now
        stops = job.burst_bytes_per_s > 0.0
        self.tell_full(job, "it stands still" if stops else "it goes on without")
        if stops:
            self.hold(job, True)

    def _fill_room(self) -> None:
        """Let those who wait have what came free, the first of them first."""
        for job in list(self.waiting):
            if self.write(job):
                waited_s = self.env.now - self.waiting[job]
                self._tell(ROOM, f"{job.job_id}: room after {waited_s / SECONDS_PER_HOUR:.3g} h")
                self._book(job)
                self._go_on(job)

    def _book(self, job: Job) -> None:
        """Take *job* from those who wait, and book what it missed while it did."""
        waited_s = self.env.now - self.waiting.pop(job)
        if job.burst_bytes_per_s > 0.0:
            self.stalled_gpu_s += job.gpus * waited_s
            return
        missed = max(0, self._due(job) - job.saves)
        self.unwritten_bytes += missed * job.checkpoint_bytes

    def _go_on(self, job: Job) -> None:
        """Let *job* go on, its checkpoint written."""
        if job.burst_bytes_per_s > 0.0:
            job.safe_s = inf
            self.hold(job, False)
            return
        job.safe_s = job.saved_s + job.saves * job.checkpoint_s  # what was set aside
        job.saves = max(job.saves, self._due(job))
        self.plan(job)

    def _due(self, job: Job) -> int:
        """Return how many checkpoints were due since ``saved_s``."""
        # A hair more, for one that is due in this very moment.
        return floor((self._done_s(job) - job.saved_s) / job.checkpoint_s + 1e-9)

    def _done_s(self, job: Job) -> float:
        """Return the work done up to now [s]."""
        worked_s = job.rate * (self.env.now - job.rate_since_s)
        return job.work_s - job.remaining_s + worked_s

    # ---- what flows in beside the jobs ----

    def admit(self, inlet: Inlet, wanted_bytes_per_s: float) -> float:
        """Return what of a step's uploads there is room for [B/s], once the old are deleted.

        Room is taken for the whole step, and what was not used of the last one given back.
        """
        now_s, space = self.env.now, self.space
        came = min(inlet.written_bytes - inlet.kept_bytes, inlet.reserved_bytes)
        inlet.kept_bytes = inlet.written_bytes
        space.put(came - inlet.reserved_bytes, now_s)
        inlet.kept.append((now_s + inlet.retention_s, came))
        while inlet.kept and inlet.kept[0][0] <= now_s:
            space.delete(inlet.kept.popleft()[1], now_s)
        self._fill_room()
        wanted = wanted_bytes_per_s * inlet.step_s
        inlet.reserved_bytes = min(wanted, space.free_bytes)
        space.put(inlet.reserved_bytes, now_s)
        outside = inlet.reserved_bytes < wanted
        if wanted and outside != inlet.outside:
            inlet.outside = outside
            if outside:
                self.kept_outside = True
                missing = _tb(wanted - inlet.reserved_bytes)
                self._tell(FULL, f"uploads find no room, {missing} wait outside")
            else:
                self._tell(ROOM, "uploads find room again")
        return inlet.reserved_bytes / inlet.step_s if outside else wanted_bytes_per_s

    def short_room(self, inlet: Inlet | None) -> tuple[float, float] | None:
        """Return what lies there and what it can hold [B], if uploads wait for room now."""
        if inlet is None or not inlet.outside:
            return None
        return self.space.used_bytes, self.space.capacity_bytes

    # ---- what is told ----

    def close(self) -> None:
        """Book what those missed who wait to the end."""
        for job in list(self.waiting):
            self.forget(job)

    def warnings(self) -> list[str]:
        """Return a sentence for run.json if the storage was full."""
        if self.first_full_s == inf:
            return []
        capacity, missed = self.space.capacity_bytes, ", ".join(self._missed())
        return [
            f"the storage of {capacity / BYTES_PER_PETABYTE:g} PB, "
            f"{self.began_bytes / capacity:.1%} of it taken at the start, was first full at hour "
            f"{self.first_full_s / SECONDS_PER_HOUR:.3g}: {missed} (events {FULL})"
        ]

    def _missed(self) -> list[str]:
        """Return what came of it, in words."""
        said = []
        if self.refused:
            said.append(f"checkpoints found no room (occasions: {self.refused})")
        if self.stalled_gpu_s:
            said.append(f"{self.stalled_gpu_s / SECONDS_PER_HOUR:.4g} GPU-hours stood still for it")
        if self.kept_outside:
            said.append("uploads waited outside")
        return said

    def _tell(self, kind: str, detail: str) -> None:
        now_s = self.env.now
        if kind == FULL:
            self.first_full_s = min(self.first_full_s, now_s)
        self.record(Event(now_s, kind, WHERE, detail))


def _cancel(job: Job) -> None:
    """Let *job* not look for room when its next checkpoint is due."""
    if job.save_due is not None:
        job.save_due.callbacks.clear()
        job.save_due = None


def _tb(size: float) -> str:
    return f"{size / BYTES_PER_TERABYTE:.3g} TB"
