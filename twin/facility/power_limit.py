"""What happens when the feed cannot give what the servers want: refuse, cap or shed.

Once a beat the feed says how much IT power fits; a policy keeps the servers below it:

========  =====================================================  =======================
policy    what it does                                           against which limit
========  =====================================================  =======================
refuse    starts no job whose GPUs at full activity do not fit   steady: redundancy kept
cap       slows all GPUs down to what fits                       rating of what is there
shed      stops jobs, the least important and youngest first,    rating of what is there
          and starts none that do not fit
========  =====================================================  =======================

A reservation of a policy that backfills promises watts as it promises seats, so that small
jobs cannot starve a large one; conservative backfill reserves servers only, and a promise of
it slips while the feed cannot carry the job.

Capped GPUs use a part of their dynamic power and work at the speed that was measured for
it. The part moves in steps; it is loosened only when two steps fit, so that it comes to
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor, inf

from twin.jobs.life import Dispatcher
from twin.power.base import PowerFeed
from twin.records import Event, Job, Placement
from twin.scheduling.base import Capacity
from twin.units import SECONDS_PER_MINUTE

STEPS = 50
"""Steps of the cap between idle and full dynamic power."""


class WattPlan(Capacity):
    """What is free, seats and watts, to plan on: a reservation promises both.

    Whoever runs gives back the power it draws now; whoever starts is taken to draw what its
    GPUs draw at full activity.
    """

    def __init__(
        self, seats: Capacity, room_w: float, gpu_w: float, drawn_w: Mapping[int, float]
    ) -> None:
        self._seats = seats
        self._room_w = room_w
        self._gpu_w = gpu_w
        self._drawn_w = drawn_w

    @property
    def gpus(self) -> int:
        """GPUs free, wherever they are."""
        return self._seats.gpus

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of *gpus* fits, seats and watts."""
        return gpus * self._gpu_w <= self._room_w and self._seats.fits(gpus)

    def release(self, placement: Placement) -> None:
        """Give a placement back."""
        self._room_w += self._power_w(placement)
        self._seats.release(placement)

    def hold(self, placement: Placement) -> None:
        """Take exactly this placement."""
        self._room_w -= self._power_w(placement)
        self._seats.hold(placement)

    def _power_w(self, placement: Placement) -> float:
        drawn_w = self._drawn_w.get(id(placement))
        return placement.gpus() * self._gpu_w if drawn_w is None else drawn_w


@dataclass(slots=True)
class PowerLimit:
    """Keeps the servers below what the feed can carry, by the feed's ``over_limit``."""

    feed: PowerFeed
    dispatcher: Dispatcher
    record: Callable[[Event], None]
    jobs_shed: int = 0
    acts: bool = field(init=False)
    """Whether there is anything to do each beat."""
    part: float = 1.0
    """Dynamic power that GPUs may use, over what they would. [-]"""
    servers_w: float = inf
    """What all servers together may draw. [W]"""
    _gpu_w: float = field(init=False)
    """Most that one busy GPU adds. [W]"""
    _seat: Callable[[int], Placement | None] = field(init=False)
    """The rule by which gangs are placed where watts do not matter."""
    _capped_at_s: float = field(init=False, default=0.0)
    _least_rate: float = field(init=False, default=1.0)

    def __post_init__(self) -> None:
        self.acts = self.feed.over_limit != "ignore"
        server = self.dispatcher.cluster.server
        busy_w, idle_w = server.power_w(1.0)[0], server.power_w(0.0)[0]
        self._gpu_w = (busy_w - idle_w) / server.gpus_per_server
        if self.feed.over_limit in ("refuse", "shed"):
            board = self.dispatcher.board
            self._seat = board.place
            board.fits, board.place, board.capacity = self.fits, self.place, self.capacity

    # ---- what the scheduler sees ----

    def fits(self, gpus: int) -> bool:
        """Return whether a gang of so many GPUs fits right now, seats and watts."""
        cluster = self.dispatcher.cluster
        wanted_w = cluster.power.total_w + gpus * self._gpu_w
        return wanted_w <= self.servers_w and cluster.free.fits(gpus)

    def place(self, gpus: int) -> Placement | None:
        """Return where a gang of so many GPUs would be placed if it started now."""
        return self._seat(gpus) if self.fits(gpus) else None

    def capacity(self) -> WattPlan:
        """Return what is free, seats and watts, to plan on."""
        cluster = self.dispatcher.cluster
        idle_w = cluster.server.power_w(0.0)[0] / cluster.server.gpus_per_server
        drawn_w = {
            id(job.placement): job.power_w - job.gpus * idle_w for job in self.dispatcher.running
        }
        room_w = self.servers_w - cluster.power.total_w
        return WattPlan(cluster.free.counts(), room_w, self._gpu_w, drawn_w)

    # ---- each beat ----

    def heed(self, it_w: float, other_w: float, warm: float) -> bool:
        """Act on what the feed can carry now; return whether the pace of GPUs changed.

        Parameters
        ----------
        it_w : float
            IT power of the last beat. [W]
        other_w : float
            The part of it that is not servers. [W]
        warm : float
            Server power over that with cool inlets. [-]
        """
        policy = self.feed.over_limit
        headroom_w = self.feed.headroom_w(steady=policy == "refuse")
        self.servers_w = (it_w + headroom_w - other_w) / warm
        if policy == "cap":
            return self._cap()
        if policy == "shed":
            self._shed()
        if len(self.dispatcher.queue):
            self.dispatcher.board.changes += 1
            self.dispatcher.dispatch()
        return False

    def pace(self) -> tuple[float, float]:
        """Return (activity factor, rate factor) of the cap."""
        return self.dispatcher.cluster.server.capped(self.part)

    def _cap(self) -> bool:
        cluster, before = self.dispatcher.cluster, self.part
        idle_w = cluster.idle_power_w
        wanted_w = (cluster.power.total_w - idle_w) / before
        fits = (self.servers_w - idle_w) / wanted_w if wanted_w > 0.0 else inf
        reach = floor(min(fits, 2.0) * STEPS) / STEPS
        if before <= reach < before + 2.0 / STEPS and before < 1.0:
            return False
        gently = before + 5.0 / STEPS
        part = max(min(reach, gently, 1.0), cluster.server.least_cap)
        self.part = part
        if part != before:
            self._write(before)
        return part != before

    def _write(self, before: float) -> None:
        now_s, rate = self.dispatcher.env.now, self.pace()[1]
        if before == 1.0:
            self._capped_at_s, self._least_rate = now_s, rate
            detail = f"servers held to {self.servers_w / 1e3:.0f} kW, GPUs at {rate:.0%} of rate"
            self.record(Event(now_s, "cap", "hall", detail))
        self._least_rate = min(self._least_rate, rate)
        if self.part == 1.0:
            minutes = (now_s - self._capped_at_s) / SECONDS_PER_MINUTE
            detail = f"after {minutes:.1f} min, GPUs at {self._least_rate:.0%} of rate at worst"
            self.record(Event(now_s, "cap_end", "hall", detail))

    def _shed(self) -> None:
        """Stop jobs until the others fit."""
        desk = self.dispatcher
        cluster = desk.cluster
        before_w = cluster.power.total_w
        if before_w <= self.servers_w:
            return
        stopped = 0
        for job in sorted(desk.running, key=_importance):
            if cluster.power.total_w <= self.servers_w:
                break
            desk.stop(job)
            stopped += 1
        self.jobs_shed += stopped
        if stopped:
            shed_kw = (before_w - cluster.power.total_w) / 1e3
            detail = f"{stopped} jobs stopped, {shed_kw:.0f} kW shed"
            self.record(Event(desk.env.now, "shed", "hall", detail))


def _importance(job: Job) -> tuple[int, float]:
    return job.priority, -job.rate_since_s
