"""Conservative backfill: every waiting job knows when it starts, and nobody makes it later.

D. Feitelson and A. Weil, "Utilization and predictability in scheduling the IBM SP2 with
backfilling", IPPS/SPDP 1998; A. Mu'alem and D. Feitelson, IEEE TPDS 12(6), 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, nextafter

from twin.config import Count
from twin.records import Job, Placement
from twin.scheduling.base import Policy, View
from twin.scheduling.profile import Profile


@dataclass(slots=True)
class Reservation:
    """From when to when a waiting job will sit, and where."""

    job: Job
    start_s: float
    end_s: float
    """When it ends at the latest, by its limit. [s]"""
    seat: Placement


@dataclass(kw_only=True)
class ConservativeBackfill(Policy):
    """Each of the first ``depth`` waiting jobs holds a reservation of servers and time.

    A job gets, when it comes within reach, the earliest time at which servers for it are
    free for as long as its limit says, beside all who run and all who hold reservations.
    It starts then, or sooner if a job that ends before its limit makes room for all of its
    time, the earliest reservation first; never later. Jobs further back than ``depth``
    hold none and wait until somebody before them leaves.

    A job that runs past its limit is taken to end the next moment; whoever is promised its
    servers keeps them and waits, and only then a reservation may slip.
    """

    watches = True
    asks_every_s = 60.0  # what a reservation waited for may have ended before its limit

    depth: Count

    _profile: Profile | None = field(init=False, default=None, repr=False)
    """What is free when; None while nobody is promised anything."""
    _changes: int = field(init=False, default=-1, repr=False)
    """The changes that the profile knows of."""
    _ended: bool = field(init=False, default=False, repr=False)
    """Whether a job ended since reservations were last moved forward."""
    _reserved: dict[Job, Reservation] = field(init=False, default_factory=dict, repr=False)
    _seated: dict[Job, tuple[Placement, float]] = field(
        init=False, default_factory=dict, repr=False
    )
    """Running jobs as the profile knows them: where, and up to when [s]."""

    def next(self, view: View) -> int | None:
        """Return a job whose reservation begins now."""
        jobs = view.queue.jobs
        if not jobs:
            return None
        if not self._reserved and view.fits(jobs[0].gpus):
            self._profile = None  # nobody is promised anything: no need to look ahead
            return 0
        self._promise(view, self._present(view))
        due = self._due(view)
        if due is not None and not self._is_there(view, due):
            self._promise(view, self._renewed(view))  # servers left service unannounced
            due = self._due(view)
        return jobs.index(due) if due is not None and view.fits(due.gpus) else None

    def seat(self, view: View, job: Job) -> Placement | None:
        """Return the servers that *job* was promised."""
        held = self._reserved.pop(job, None)
        if held is None:
            return view.place(job.gpus)
        self._seated[job] = (held.seat, held.end_s)
        return held.seat

    def held(self, job: Job, gpus: int, now_s: float) -> None:
        """Learn that *job* gave its GPUs back, perhaps before its limit."""
        if gpus > 0:
            return
        self._changes += 1
        self._ended = True
        seat, end_s = self._seated.pop(job, (None, now_s))
        if self._profile is not None and seat is not None and end_s > now_s:
            self._profile.advance(now_s)
            self._profile.unhold(seat, now_s, end_s)

    def promised_s(self, job: Job) -> float | None:
        """Return when *job* is promised to start; None if it holds no reservation [s]."""
        held = self._reserved.get(job)
        return held.start_s if held else None

    def _due(self, view: View) -> Job | None:
        """Return a job whose reservation begins now."""
        now_s = view.now_s
        return next((job for job, held in self._reserved.items() if held.start_s <= now_s), None)

    def _present(self, view: View) -> Profile:
        """Return the profile of now, moved on, or made anew where it cannot be trusted."""
        profile = self._profile
        if profile is None or self._changes != view.changes:
            return self._renewed(view)
        first_end_s, _ = next(view.releases(), (inf, None))
        cuts = 2 * (len(view.running) + len(self._reserved))
        if first_end_s <= view.now_s or len(profile) > 2 * cuts + 64:
            return self._renewed(view)
        profile.advance(view.now_s)
        if self._ended:
            self._move_forward(view, profile, list(self._reserved.values()))
        return profile

    def _promise(self, view: View, profile: Profile) -> None:
        """Give everybody within reach a reservation."""
        jobs, reserved = view.queue.jobs, self._reserved
        if len(reserved) >= min(self.depth, len(jobs)):
            return
        for job in jobs[: self.depth]:
            if job not in reserved:
                self._reserve(view, profile, job)

    def _reserve(self, view: View, profile: Profile, job: Job) -> None:
        """Let *job* hold its earliest start, if there is one."""
        found = profile.earliest(job.gpus, job.limit_s)
        if found is None:
            return
        start_s, bits = found
        seat = view.place_on(profile.free_by_server(bits), job.gpus)
        assert seat is not None, f"{job.job_id} does not fit where it was found to fit"
        held = self._reserved[job] = Reservation(job, start_s, start_s + job.limit_s, seat)
        profile.hold(seat, start_s, held.end_s)

    def _is_there(self, view: View, job: Job) -> bool:
        """Return whether the servers promised to *job* are free in truth."""
        seat, free = self._reserved[job].seat, view.free_by_server
        if seat.part_gpus and free[seat.part_server] < seat.part_gpus:
            return False
        return all(free[server] == seat.per_server_gpus for server in seat.whole)

    def _renewed(self, view: View) -> Profile:
        """Return the profile of who runs now, all reservations kept or moved forward."""
        now_s = view.now_s
        soon_s = nextafter(now_s, inf)
        profile = self._profile = Profile(now_s, view.free_by_server, view.gpus_per_server)
        self._changes = view.changes
        self._seated = {
            job: (job.placement, max(entry[0], soon_s))
            for job, entry in view.running.items()
            if job.placement is not None
        }
        for end_s, placement in view.releases():
            if end_s < inf:
                profile.release(max(end_s, soon_s), placement)
        reserved = sorted(self._reserved.values(), key=lambda held: held.start_s)
        kept = [held for held in reserved if self._keep(profile, held, now_s, soon_s)]
        self._move_forward(view, profile, kept)
        return profile

    def _keep(self, profile: Profile, held: Reservation, now_s: float, soon_s: float) -> bool:
        """Hold a reservation where it was, or the next moment; else forget it.

        One that waits a moment for somebody who ends right now ends no later for it, or it
        would push aside whoever is promised its servers after it.
        """
        begin_s = max(held.start_s, now_s)
        end_s = begin_s + held.job.limit_s
        for start_s in (begin_s, max(begin_s, soon_s)):
            if profile.is_free(held.seat, start_s, end_s):
                held.start_s, held.end_s = start_s, end_s
                profile.hold(held.seat, start_s, end_s)
                return True
        del self._reserved[held.job]
        return False

    def _move_forward(self, view: View, profile: Profile, reserved: list[Reservation]) -> None:
        """Let reservations begin now that can, the earliest first.

        One that moves may make room for one before it, so until none does.
        """
        self._ended = False
        reserved.sort(key=lambda held: held.start_s)
        moved = True
        while moved:
            moved = False
            for held in [self._reserved[each.job] for each in reserved]:
                job, start_s = held.job, held.start_s
                if start_s <= view.now_s or not view.fits(job.gpus):
                    continue
                if profile.fits_now(job.gpus, job.limit_s, held.seat, start_s):
                    profile.unhold(held.seat, start_s, held.end_s)
                    self._reserve(view, profile, job)
                    moved = True
