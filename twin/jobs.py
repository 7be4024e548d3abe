"""The life of a job: it arrives, waits, runs at a rate that may change, ends or is stopped.

One SimPy process brings the arrivals and one drives each service (:mod:`twin.offers`); a
running job has one event ahead of it, its end, put off or brought forward whenever its rate
changes, and one more, its next checkpoint, where the storage can be full (:mod:`twin.saving`).
What they know lives in the :class:`~twin.records.Job` and in the :class:`Dispatcher`, never in
a generator. What jobs move to and from the storage is shared in :mod:`twin.storage_traffic`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from itertools import count
from math import floor, inf

import simpy

from twin.cluster.cluster import Cluster
from twin.cluster.free import FreeServers
from twin.cluster.placing import rule
from twin.errors import RunError
from twin.job_books import (
    Heat,
    Pace,
    Space,
    Spans,
    Tally,
    high_share,
    mean_activity,
)
from twin.network.base import Fabric
from twin.network.gangs import Gangs
from twin.offers import Offers
from twin.records import (
    COMPLETED,
    KILLED,
    QUEUED,
    RUNNING,
    Event,
    Inlet,
    Job,
    Placement,
)
from twin.saving import Saving
from twin.scheduling.base import Capacity, Policy, Queue
from twin.storage.base import Storage
from twin.storage_traffic import StorageTraffic

Life = Generator[simpy.Event, None, None]
Expected = tuple[float, int, Job]
"""When a running job ends if it runs to its limit, the order of its start, and the job."""


class Dispatcher:
    """Where a job meets the queue, the policy, the servers, the fabric and the storage.

    It is the :class:`~twin.scheduling.base.View` that the policy sees.
    """

    # Of an object with more than thirty attributes CPython finds methods quickly only so.
    __slots__ = (
        "_cut_off",
        "_ends",
        "_heat",
        "_number",
        "_put_off",
        "_rule",
        "_share_every_s",
        "_shared_at_s",
        "_watch",
        "activity_gpu_s",
        "capacity",
        "changes",
        "cluster",
        "completed",
        "env",
        "fabric",
        "fits",
        "follow",
        "gangs",
        "killed",
        "known_flops_gpu_s",
        "leaving",
        "lost_gpu_s",
        "moved",
        "offers",
        "on_end",
        "place",
        "policy",
        "queue",
        "running",
        "saving",
        "service_j",
        "signals",
        "spans",
        "storage",
        "submitted",
        "tally",
        "traffic",
        "useful_flops",
        "useful_gpu_s",
    )

    follow: Callable[[Job], Iterable[Job]] | None
    """Says which work the end of a job sets free; None where none waits for another."""
    changes: int
    """How often servers came or went, or jobs left, so that who plans on them plans anew."""
    _put_off: bool
    """Whether a pass waits for what else happens at this moment."""
    _shared_at_s: float
    """When links and storage are shared anew next, or were last."""

    def __init__(
        self,
        env: simpy.Environment,
        cluster: Cluster,
        policy: Policy,
        fabric: Fabric,
        storage: Storage,
        on_end: Callable[[Job], None],
        share_every_s: float = 60.0,
        record: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.env = env
        self.cluster = cluster
        self.policy = policy
        self.fabric = fabric
        self.storage = storage
        self.on_end = on_end
        self.follow = None
        self.queue = Queue(policy.key if policy.keyed else None)
        self.changes = 0
        self._put_off = False
        self.tally = Tally()
        self.running: dict[Job, Expected] = {}
        """Running jobs and their entry among the expected ends."""
        self.leaving: dict[Job, None] = {}
        """Running jobs that write a last checkpoint before they make way."""
        self.submitted = self.completed = 0
        self.killed = 0
        """Jobs refused for asking for more GPUs than there are."""
        self.useful_gpu_s = self.lost_gpu_s = self.service_j = 0.0
        self.useful_flops = self.known_flops_gpu_s = 0.0
        self.activity_gpu_s = [0.0] * 101
        """GPU time held, by percent of GPU activity."""
        self._ends: list[Expected] = []
        self._number = count()
        self.gangs = Gangs(fabric)
        """Running jobs that communicate over the fabric."""
        self._share_every_s = share_every_s
        self._shared_at_s = 0.0
        self._cut_off: set[int] = set()
        self._watch = policy.held if policy.watches else None
        self._rule = rule(policy.placement, cluster, fabric.leaf_of())
        self.signals: dict[str, Callable[[float], float]] = {}
        """What electricity costs and emits over time, for policies that wait for it."""
        self.spans = Spans()
        self.fits = cluster.free.fits
        """Whether a gang of so many GPUs fits right now."""
        self.place: Callable[[int], Placement | None] = partial(self._rule, cluster.free)
        """Where a gang of so many GPUs would be placed if it started now."""
        self.capacity: Callable[[], Capacity] = cluster.free.counts
        """A copy of what is free, to plan on."""
        heat = self._heat = Heat()
        self.saving = _saving(storage, env, record, self.hold)
        """Who puts what on the storage; None where its capacity is not known."""
        self.traffic = StorageTraffic(
            env, storage, self.tally, self.running, self._pace, self._share_soon
        )
        """Who asks for how much of the storage, and gets it."""
        self.moved = self.traffic.moved
        self.offers = Offers(env, cluster, self.tally, heat, self.work_at)
        """What services serve with the GPUs that their jobs hold."""

    # ---- what a policy may see ----

    @property
    def now_s(self) -> float:
        """Time now [s]."""
        return self.env.now

    @property
    def activity_factor(self) -> float:
        """Activity that power limits leave GPUs, and heat where it is felt by all [-]."""
        return self._heat.usual[0]

    @property
    def free_gpus(self) -> int:
        """GPUs free now."""
        return self.cluster.free.gpus

    @property
    def free_by_server(self) -> list[int]:
        """GPUs free now on each server."""
        return self.cluster.free.free

    @property
    def gpus_per_server(self) -> int:
        """GPUs of a whole server."""
        return self.cluster.free.size

    @property
    def rack_power_w(self) -> Sequence[float]:
        """Power of each rack now; watched from the first moment somebody asks [W]."""
        return self.cluster.watched_w or self.cluster.watch_racks()

    def place_on(self, free_by_server: list[int], gpus: int) -> Placement | None:
        """Return where a gang would be placed if just these GPUs were free."""
        return self._rule(FreeServers(free_by_server, self.cluster.free.size), gpus)

    def signal(self, name: str, at_s: float) -> float:
        """Return what electricity costs or emits at *at_s*.

        Raises
        ------
        RunError
            If nobody said.
        """
        if name not in self.signals:
            raise RunError(f"scheduling waits for {name!r}: nobody says what it is over time")
        return self.signals[name](at_s)

    def releases(self) -> Iterator[tuple[float, Placement]]:
        """Yield (expected end by limit, placement) of running jobs, earliest first."""
        for end_s, _, job in self._ends:
            if job.placement is not None:
                yield end_s, job.placement

    # ---- a job's life ----

    def submit(self, job: Job) -> None:
        """Let *job* join the queue, and start whoever may start."""
        self.submitted += 1
        if job.gpus > self.cluster.gpus:
            job.status = KILLED
            job.finished_at_s = self.env.now
            self.killed += 1
            self.on_end(job)
            return
        job.remaining_s = job.work_s
        self.queue.append(job)
        tally = self.tally
        tally.advance(self.env.now)
        tally.queued += 1.0
        self.dispatch()

    def dispatch(self) -> None:
        """Start jobs for as long as the policy names one.

        What else happens at this very moment happens first: a policy that planned on a job
        whose end is due now, but not yet booked, would have to break its promises.
        """
        if not self.queue.jobs:
            return
        if self.env.peek() > self.env.now:
            self._dispatch()
        elif not self._put_off:
            self._put_off = True
            self.env.timeout(0.0).callbacks.append(self._dispatch_after_all)

    def _dispatch_after_all(self, _: simpy.Event) -> None:
        self._put_off = False
        self.dispatch()

    def _dispatch(self) -> None:
        policy, queue = self.policy, self.queue
        while queue.jobs:
            place = policy.next(self)
            if place is not None:
                self._start(queue.pop(place))
                continue
            victims = policy.victims(self) if policy.preempts else []
            if not victims:
                return
            for job in victims:
                self.make_way(job)

    def _start(self, job: Job) -> None:
        now_s = self.env.now
        placement = self.policy.seat(self, job)
        assert placement is not None, f"{job.job_id} was chosen but does not fit"
        if job.status == QUEUED and job.restarts == 0:
            job.started_at_s = now_s
        job.status = RUNNING
        job.network_factor = self._connect(job, placement)
        if job.restarts:
            self._begin_restart(job, placement)
        heat = self._heat
        if heat.servers and heat.reaches(placement):
            heat.jobs.add(job)
        left, _ = heat.of(job) if heat.jobs else heat.usual
        self.cluster.place(job, placement, self._mean_drive(job, left), now_s)
        finite = job.work_s < inf
        end_s = now_s + job.limit_s - (job.work_s - job.remaining_s) if finite else inf
        expected = self.running[job] = (end_s, next(self._number), job)
        insort(self._ends, expected)
        self._count(job, 1.0, now_s)
        job.rate_since_s = now_s
        job.worked_s = 0.0
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self.traffic.use(job, 1.0)
        job.rate = self._rate(job)
        if not finite:
            self.offers.join(job)
        elif job.unread_bytes and job.ready_at_s <= now_s:
            self._load(job)
        else:
            self._await(job)

    def _connect(self, job: Job, placement: Placement) -> float:
        """Count what *placement* spans; join the fabric, and return what it leaves of the rate."""
        spans = self.spans
        spans.starts += 1
        if len(placement.whole) + (placement.part_gpus > 0) == 1:
            return self._join(job, placement, 1)
        leaves, servers = self.gangs.span(placement)
        spans.gangs += 1
        spans.gang_leaves += leaves
        return self._join(job, placement, leaves, servers)

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
        comm_fraction = job.comm_fraction if gang else 0.0
        if not stored and (not comm_fraction or (leaves == 1 and self.fabric.servers_joined() > 1)):
            return 1.0
        factor = self.gangs.join(job, comm_fraction, leaves, placement, servers)
        self._share_soon()
        return factor

    def _count(self, job: Job, change: float, now_s: float) -> None:
        """Let *job* count among those that hold GPUs (+1), or no longer (-1)."""
        tally = self.tally
        if now_s != tally.since_s:
            tally.advance(now_s)
        tally.running += change
        tally.queued -= change
        gpus = change * job.gpus
        if self._watch is not None:
            self._watch(job, int(gpus), now_s)
        tally.allocated_gpus += gpus
        activity = job.activity
        if job.duty < 1.0 or job.stands:
            activity = mean_activity(job)
        heat = self._heat
        pace = heat.of(job) if heat.jobs else heat.usual
        tally.active_gpus += gpus * activity * pace[0]
        if not tally.running:
            tally.active_gpus = 0.0  # sums of activities leave a rounding rest
        tally.busy_servers = self.cluster.busy_servers()

    def _mean_drive(self, job: Job, factor: float) -> float:
        """Return the mean drive of the GPUs of *job*, with its activity times *factor*."""
        drive = self.cluster.server.drive
        high = drive(job.activity * factor)
        if job.duty == 1.0 and not job.stands:
            return high
        share = high_share(job)
        return share * high + (1.0 - share) * drive(job.low_activity * factor)

    def _await(self, job: Job) -> None:
        """Wait anew for what *job* does next by itself; whoever changes its rate says so here."""
        if job.due is not None:
            job.due.callbacks.clear()
        wait_s = job.remaining_s / job.rate if job.rate > 0.0 else self._stands_s(job)
        if wait_s == inf:
            job.due = None
        else:
            job.due = self.env.timeout(wait_s)
            job.due.callbacks.append(partial(self._go_on, job))
        if self.saving is not None and job.checkpoint_bytes:
            self.saving.plan(job)

    def _go_on(self, job: Job, _: simpy.Event) -> None:
        """Work falls at the present rate until none is left, or the job starts to work again."""
        job.due = None
        if job.rate > 0.0:
            self._finish(job)
            return
        self.settle(job)  # a part of the restart is over, or the last checkpoint written
        if job in self.leaving:
            self._leave(job, True)
            self.dispatch()
            return
        if job.load_bytes_per_s:
            self._end_load(job)
        elif job.unread_bytes:
            self._load(job)
            return
        self._let_stand(job, False)
        job.rate = self._rate(job)
        self._await(job)

    def _let_stand(self, job: Job, stands: bool) -> None:
        """Let the GPUs that *job* holds wait at their low level from now on, or no longer."""
        self.tally.advance(self.env.now)
        before = mean_activity(job)
        job.stands = stands
        change = mean_activity(job) - before
        left, _ = self.pace_of(job)
        self.tally.active_gpus += job.gpus * change * left
        self.cluster.drive(job, self._mean_drive(job, left), self.env.now)

    def _stands_s(self, job: Job) -> float:
        """Return how long *job* does no work, as far as it knows."""
        if job.load_bytes_per_s:
            return job.unread_bytes / job.loading_bytes_per_s if job.loading_bytes_per_s else inf
        starting_s = job.ready_at_s - self.env.now
        return starting_s if starting_s > 0.0 else inf

    def _finish(self, job: Job) -> None:
        now_s = self.env.now
        self.settle(job)
        job.remaining_s = 0.0
        job.status = COMPLETED
        job.finished_at_s = now_s
        self.completed += 1
        self._vacate(job)
        if self.saving is not None:
            self.saving.clear(job)
        self.tally.queued -= 1.0
        self.on_end(job)
        if self.follow is not None:
            self.release(self.follow(job))
        self.dispatch()

    def release(self, jobs: Iterable[Job]) -> None:
        """Let *jobs* that were set free now arrive, each at its time."""
        released = sorted(jobs, key=lambda each: each.arrived_at_s)
        if released:
            self.env.process(arrivals(self.env, iter(released), self.submit))

    def end(self, job: Job) -> None:
        """Let a job of unending work end here, whether it has its GPUs or still waits."""
        if job in self.running:
            self.settle(job)
            self._vacate(job)
        else:
            self.tally.advance(self.env.now)
            self.queue.pop(self.queue.jobs.index(job))
            self.changes += 1
        self.offers.forget(job)
        job.status = COMPLETED
        job.finished_at_s = self.env.now
        self.completed += 1
        self.tally.queued -= 1.0
        self.on_end(job)
        self.dispatch()

    def _vacate(self, job: Job) -> None:
        """Take *job* off its GPUs; it counts as waiting until somebody says otherwise."""
        if job.load_bytes_per_s:
            self._end_load(job)
        now_s = self.env.now
        del self._ends[bisect_left(self._ends, self.running.pop(job))]
        self.cluster.remove(job, now_s)
        job.rate = 0.0
        if job.comm_fraction or self.fabric.carries_storage:
            self.gangs.leave(job)
            self._share_soon()
        self._count(job, -1.0, now_s)
        if job.work_s == inf:
            self.offers.leave(job)
        self._heat.jobs.discard(job)
        self.changes += 1
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self.traffic.use(job, -1.0)

    def settle(self, job: Job) -> None:
        """Book what *job* did since its rate last changed."""
        now_s = self.env.now
        passed_s = now_s - job.rate_since_s
        if passed_s <= 0.0:
            return
        job.rate_since_s = now_s
        job.service_s += passed_s
        energy_j = job.power_w * passed_s
        job.energy_j += energy_j
        gpu_s = job.gpus * passed_s
        if job.load_bytes_per_s:
            self.traffic.settle_load(job, passed_s)
        worked_s = job.rate * passed_s
        job.worked_s += worked_s
        moved = self.moved
        moved.read_bytes += job.read_bytes_per_s * worked_s
        moved.written_bytes += job.write_bytes_per_s * worked_s
        useful_gpu_s = gpu_s * job.rate
        self.useful_gpu_s += useful_gpu_s
        heat = self._heat
        percent = 100.0 * (heat.of(job) if heat.jobs else heat.usual)[0]
        if job.duty >= 1.0 and not job.stands:
            self.activity_gpu_s[round(job.activity * percent)] += gpu_s
        else:
            high = high_share(job)
            self.activity_gpu_s[round(job.activity * percent)] += high * gpu_s
            self.activity_gpu_s[round(job.low_activity * percent)] += (1.0 - high) * gpu_s
        if job.work_s < inf:
            left_s = job.remaining_s - worked_s
            job.remaining_s = left_s if left_s > 0.0 else 0.0
            if job.flops:
                self.useful_flops += job.flops * job.rate * passed_s / job.work_s
                self.known_flops_gpu_s += gpu_s
        else:
            self.service_j += energy_j

    def make_way(self, job: Job) -> None:
        """Let a running job write a checkpoint and then leave, if the grace is long enough.

        It keeps its GPUs and stands still meanwhile. Without that time it is stopped.
        """
        if job.save_s > self.policy.grace_s or job.work_s == inf:
            self.stop(job)
            return
        starts = job.ready_at_s > self.env.now or job.unread_bytes > 0.0
        if job.save_s == 0.0 or starts:  # no time needed, or nothing new to write
            self._halt(job)
            self._leave(job, not starts)
            return
        if self.saving is not None:
            self.saving.forget(job)
        self.settle(job)
        job.rate = 0.0
        self._let_stand(job, True)
        job.ready_at_s = self.env.now + job.save_s
        self.leaving[job] = None
        entry = self.running[job]
        del self._ends[bisect_left(self._ends, entry)]
        leaves = self.running[job] = (job.ready_at_s, entry[1], job)
        insort(self._ends, leaves)
        self.changes += 1
        self._await(job)

    def stop(self, job: Job) -> None:
        """Take a running job off its GPUs; what it did since its last checkpoint is lost."""
        self._halt(job)
        self._put_back(job, self._kept_s(job))

    def _leave(self, job: Job, new: bool) -> None:
        """Let *job* make way with all its work, if there is room for a *new* checkpoint of it."""
        saving = self.saving
        if new and saving is not None and not saving.write(job):
            saving.tell_full(job, "it makes way without")
            self._put_back(job, self._kept_s(job))
        else:
            self._put_back(job, job.work_s - job.remaining_s)

    def _kept_s(self, job: Job) -> float:
        """Return the work in the newest checkpoint of *job* [s]."""
        since_s = job.work_s - job.remaining_s - job.saved_s
        interval_s = job.checkpoint_s
        kept_s = floor(since_s / interval_s) * interval_s if interval_s < inf else 0.0
        return min(job.saved_s + kept_s, job.safe_s)

    def _halt(self, job: Job) -> None:
        """Let *job* do nothing more by itself."""
        self.settle(job)
        if job.due is not None:
            job.due.callbacks.clear()
            job.due = None

    def _put_back(self, job: Job, kept_s: float) -> None:
        """Take *job* off its GPUs and let it queue again with *kept_s* of its work done."""
        self.leaving.pop(job, None)
        if self.saving is not None:
            self.saving.forget(job)
        job.status = QUEUED
        if job.work_s < inf:
            done_s = job.work_s - job.remaining_s
            lost_gpu_s = (done_s - kept_s) * job.gpus
            job.lost_gpu_s += lost_gpu_s
            job.remaining_s = job.work_s - kept_s
            job.saved_s = kept_s
            job.saves, job.safe_s = 0, inf
            self.lost_gpu_s += lost_gpu_s
            self.useful_gpu_s -= lost_gpu_s
            if job.flops:
                self.useful_flops -= job.flops * (done_s - kept_s) / job.work_s
        job.restarts += 1
        self._vacate(job)
        job.stands = False
        self.queue.restore(job)

    # ---- restarts and checkpoints ----

    def _begin_restart(self, job: Job, placement: Placement) -> None:
        """Let *job* stand still until all is ready, and then load what it left behind.

        ``restart_s`` contains the time of loading alone on the storage; only what others make
        that longer comes to it.
        """
        job.unread_bytes = job.checkpoint_bytes if job.saved_s > 0.0 else 0.0
        alone_s = 0.0
        if job.unread_bytes:
            alone_s = job.unread_bytes / self._load_most(placement)
        job.ready_at_s = self.env.now + max(0.0, job.restart_s - alone_s)
        job.stands = job.restart_s > 0.0 or job.unread_bytes > 0.0

    def _load_most(self, placement: Placement) -> float:
        """Return what a checkpoint is loaded with alone [B/s]: no faster than servers have ports.

        Of a storage network of its own the ports are not known; they are taken to be no wider
        than those into the fabric.
        """
        servers = placement.gpus() / placement.per_server_gpus
        ports_bytes_per_s = self.fabric.server_bytes_per_s() * servers
        return min(self.storage.load_bandwidth_bytes_per_s, ports_bytes_per_s)

    def _load(self, job: Job) -> None:
        """Let *job* read its checkpoint, as fast as storage and fabric allow."""
        assert job.placement is not None
        carried = self.fabric.carries_storage
        if carried:
            self.gangs.leave(job)
        job.load_bytes_per_s = self._load_most(job.placement)
        if carried:
            job.network_factor = self.gangs.join(job, 0.0, 1, job.placement)
            self._share_soon()
        self.traffic.begin_load(job)

    def _end_load(self, job: Job) -> None:
        """Let *job*, which has read its checkpoint or is stopped, read no more."""
        assert job.placement is not None
        carried, before = self.fabric.carries_storage, job.load_bytes_per_s
        if carried:
            self.gangs.leave(job)
        job.load_bytes_per_s = job.unread_bytes = job.loading_bytes_per_s = job.worked_s = 0.0
        if carried:
            job.network_factor = self._join(job, job.placement, *self.gangs.span(job.placement))
        self.traffic.end_load(job, before)

    def hold(self, job: Job, stands: bool) -> None:
        """Let *job* stand still because a checkpoint finds no room, or no longer."""
        self._halt(job)
        self._let_stand(job, stands)
        job.rate = self._rate(job)
        self._await(job)

    # ---- what changes the rate ----

    def _rate(self, job: Job) -> float:
        if job.stands:
            return 0.0
        heat = self._heat
        rate = job.network_factor * (heat.of(job) if heat.jobs else heat.usual)[1]
        if job.burst_bytes_per_s:
            # What others leave: the room beside all, and what is its own of the rest.
            room = self.moved.room + job.write_bytes_per_s
            stretch = max(1.0, job.burst_bytes_per_s / room)
            rate /= 1.0 + rate * job.burst_fraction * (stretch - 1.0)
        readers, writers = self.moved.shares
        if job.read_bytes_per_s and rate > readers:
            rate = readers
        if job.write_bytes_per_s and rate > writers:
            rate = writers
        return rate

    def _pace(self, jobs: Iterable[Job]) -> None:
        """Give *jobs* their present rate; those it changes start their wait anew."""
        for job in jobs:
            if job.load_bytes_per_s:
                pace = job.load_bytes_per_s * min(self.moved.load_share, job.network_factor)
                if pace != job.loading_bytes_per_s:
                    self.settle(job)
                    job.loading_bytes_per_s = pace
                    self._await(job)
                continue
            rate = self._rate(job)
            if rate != job.rate:
                self.settle(job)
                job.rate = rate
                if job.work_s < inf:
                    self._await(job)

    def work_at(self, job: Job, activity: float) -> None:
        """Let *job*, a service or a replica of one, work at *activity* from now on."""
        now_s, tally = self.env.now, self.tally
        tally.advance(now_s)
        if job.placement is None:
            job.activity = activity
            return
        self.settle(job)
        factor = self.pace_of(job)[0]
        tally.active_gpus += job.gpus * high_share(job) * (activity - job.activity) * factor
        job.activity = activity
        self.cluster.drive(job, self._mean_drive(job, factor), now_s)

    def pace_of(self, job: Job) -> Pace:
        """Return what heat and power limits leave of the activity and the rate of its GPUs."""
        return self._heat.of(job)

    def slowed_by_heat(self) -> int:
        """Return the GPUs of jobs that have some in air that is too warm, where not all are."""
        return sum(job.gpus for job in self._heat.jobs)

    def throttle(
        self,
        activity_factor: float,
        rate_factor: float,
        hot: Collection[int] = (),
        hot_pace: Pace = (1.0, 1.0),
    ) -> None:
        """Let all GPUs work at these fractions of their own activity and rate from now on.

        Jobs that have any of their GPUs on a *hot* server work at *hot_pace* instead.
        """
        now_s, tally, heat = self.env.now, self.tally, self._heat
        tally.advance(now_s)
        running = list(self.running)
        before = [heat.of(job)[0] for job in running]
        for job in running:
            self.settle(job)
        heat.usual, heat.servers = (activity_factor, rate_factor), frozenset(hot)
        heat.pace = hot_pace
        heat.jobs = {job for job in running if heat.reaches(job.placement)} if hot else set()
        for job, factor in zip(running, before, strict=True):
            left, _ = heat.of(job)
            self.cluster.drive(job, self._mean_drive(job, left), now_s)
            tally.active_gpus += job.gpus * mean_activity(job) * (left - factor)
        self.offers.renew()
        self._pace(running)

    # ---- links that are shared, or lost ----

    def _share_soon(self) -> None:
        """Have links and storage shared anew at the next full minute, if that changes anything."""
        if not (self.gangs.links.stale or self.traffic.stale):
            return
        now_s, every_s = self.env.now, self._share_every_s
        if self._shared_at_s <= now_s:
            self._shared_at_s = (floor(now_s / every_s) + 1) * every_s
            due = self.env.timeout(self._shared_at_s - now_s)
            due.callbacks.append(self._share_anew)

    def _share_anew(self, _: simpy.Event) -> None:
        self._slow(self.gangs.share())
        self.traffic.share_anew()

    def _slow(self, factors: Mapping[Job, float]) -> None:
        """Let jobs work at what the fabric leaves them."""
        now_s, tally = self.env.now, self.tally
        tally.advance(now_s)
        for job, factor in factors.items():
            self.settle(job)
            before = mean_activity(job)
            job.network_factor = factor
            if job.duty < 1.0:
                change = mean_activity(job) - before
                left, _ = self.pace_of(job)
                tally.active_gpus += job.gpus * change * left
                self.cluster.drive(job, self._mean_drive(job, left), now_s)
        self._pace(factors)

    def rewire(self, unit: str, broken: Collection[int]) -> tuple[int, int]:
        """Let exactly these machines of a unit of the fabric be out of service from now on.

        Servers that are cut off take no new jobs; gangs across them stop, others go on.

        Returns
        -------
        (int, int)
            Servers cut off from now on, and jobs stopped.
        """
        fabric, now_s = self.fabric, self.env.now
        fabric.set_broken(unit, broken)
        cut_off = fabric.cut_off()
        gone = cut_off - self._cut_off
        hit = [
            job
            for job in self.running
            if job.placement is not None
            and job in self.gangs
            and not gone.isdisjoint(job.placement.servers())
        ]
        for job in hit:
            self.stop(job)
        self.cluster.bar(sorted(gone), now_s)
        self.cluster.unbar(sorted(self._cut_off - cut_off), now_s)
        self._cut_off = cut_off
        self._slow(self.gangs.rewire())
        self.changes += 1
        return len(gone), len(hit)

    # ---- servers out of service ----

    def shut_down(self, servers: Collection[int]) -> int:
        """Stop the jobs on *servers* and cut their power; return how many jobs.

        Whoever calls lets the others :meth:`dispatch` when all is said.
        """
        now_s, gone = self.env.now, frozenset(servers)
        hit = [
            job
            for job in self.running
            if job.placement is not None and not gone.isdisjoint(job.placement.servers())
        ]
        for job in hit:
            self.stop(job)
        self.cluster.take_out(servers, now_s)
        self.cluster.switch_off(servers, now_s)
        self.changes += 1
        return len(hit)

    def start_up(self, servers: Collection[int], restart_s: float) -> None:
        """Power *servers* again; they take jobs when *restart_s* has passed."""
        self.cluster.switch_on(servers, self.env.now)
        self.env.process(self._restart(servers, restart_s))

    def _restart(self, servers: Collection[int], restart_s: float) -> Life:
        yield self.env.timeout(restart_s)
        self.cluster.put_back(servers, self.env.now)
        self.changes += 1
        self.dispatch()

    def close(self) -> None:
        """Book everything up to now and hand over the jobs that have not ended."""
        self.traffic.settle_inlet()
        if self.saving is not None:
            self.saving.close()
        for job in [*self.running, *self.queue.jobs]:
            if job.placement is not None:
                self.settle(job)
            self.on_end(job)


def _saving(
    storage: Storage,
    env: simpy.Environment,
    record: Callable[[Event], None],
    hold: Callable[[Job, bool], None],
) -> Saving | None:
    if storage.capacity_bytes is None:
        return None
    return Saving(env, Space(storage.capacity_bytes, storage.used_bytes), record, hold)


def arrivals(env: simpy.Environment, jobs: Iterator[Job], submit: Callable[[Job], None]) -> Life:
    """Submit each job at its time of arrival, made only when its turn comes."""
    for job in jobs:
        wait_s = job.arrived_at_s - env.now
        if wait_s > 0.0:
            yield env.timeout(wait_s)
        submit(job)


def filling(env: simpy.Environment, dispatcher: Dispatcher, inlet: Inlet) -> Life:
    """Write what flows in, step by step, and let the jobs arrive that it sets free."""
    traffic = dispatcher.traffic
    traffic.inlet = inlet
    for k in count(1):
        traffic.settle_inlet()
        wanted_bytes_per_s, jobs = inlet.turn(env.now, inlet.written_bytes)
        if dispatcher.saving is not None:
            wanted_bytes_per_s = dispatcher.saving.admit(inlet, wanted_bytes_per_s)
        traffic.fill(wanted_bytes_per_s)
        dispatcher.release(jobs)
        yield env.timeout(k * inlet.step_s - env.now)


def asking(env: simpy.Environment, dispatcher: Dispatcher, every_s: float) -> Life:
    """Ask the policy at ``k * every_s`` though no job came or ended."""
    for k in count(1):
        yield env.timeout(k * every_s - env.now)
        dispatcher.dispatch()
