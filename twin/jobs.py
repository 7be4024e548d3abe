"""The life of a job: it arrives, waits, runs at a rate that may change, ends or is stopped.

One SimPy process brings the arrivals and one drives each service; a running job has one
event ahead of it, its end, put off or brought forward whenever its rate changes, and one more,
its next checkpoint, where the storage can be full (:mod:`twin.saving`). What they know lives
in the :class:`~twin.records.Job` and in the :class:`Dispatcher`, never in a generator.
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
    NOTHING,
    Heat,
    Pace,
    Served,
    Space,
    Spans,
    Tally,
    Transfers,
    high_share,
    mean_activity,
)
from twin.network.base import Fabric
from twin.network.gangs import Gangs
from twin.records import (
    COMPLETED,
    KILLED,
    QUEUED,
    RUNNING,
    Event,
    Inlet,
    Job,
    Placement,
    Service,
    Standing,
)
from twin.saving import Saving
from twin.scheduling.base import Capacity, Policy, Queue
from twin.storage.base import Storage
from twin.workload.base import ServiceProfile
from twin.workload.routing import Router

Life = Generator[simpy.Event, None, None]
ROOM_STEPS = 50
"""The room that storage has for checkpoints is told in so many steps, always rounded down."""
Expected = tuple[float, int, Job]
"""When a running job ends if it runs to its limit, the order of its start, and the job."""


class Dispatcher:
    """Where a job meets the queue, the policy, the servers, the fabric and the storage.

    It is the :class:`~twin.scheduling.base.View` that the policy sees.
    """

    follow: Callable[[Job], Iterable[Job]] | None = None
    """Says which work the end of a job sets free; None where none waits for another."""
    inlet: Inlet | None = None
    """What flows into the storage beside all jobs; None where nothing does."""
    changes: int = 0
    """How often servers came or went, or jobs left, so that who plans on them plans anew."""
    _storage_stale: bool = False
    """Whether users of a short storage wait for it to be shared anew."""
    inlet_c: float = -inf
    """Inlet temperature of the hall, told each beat. [degC]"""
    _put_off: bool = False
    """Whether a pass waits for what else happens at this moment."""
    _shared_at_s: float = 0.0
    """When links and storage are shared anew next, or were last."""
    _offering: bool = False
    """Whether services wait for it to share their demand anew."""

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
        self.queue = Queue(policy.key if policy.keyed else None)
        self.tally = Tally()
        self.tally.storage_w = storage.power_w(0.0)
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
        leaf_of = fabric.leaf_of()
        self._leaf_of = leaf_of
        self.gangs = Gangs(fabric)
        """Running jobs that communicate over the fabric."""
        self._share_every_s = share_every_s
        # What a replica of so many GPUs draws by its activity, at what limits leave of that.
        self._drawn_w: dict[tuple[int, float], Callable[[float], float]] = {}
        self._cut_off: set[int] = set()
        self._watch = policy.held if policy.watches else None
        self._rule = rule(policy.placement, cluster, leaf_of)
        self.signals: dict[str, Callable[[float], float]] = {}
        """What electricity costs and emits over time, for policies that wait for it."""
        self.spans = Spans()
        self.fits = cluster.free.fits
        """Whether a gang of so many GPUs fits right now."""
        self.place: Callable[[int], Placement | None] = partial(self._rule, cluster.free)
        """Where a gang of so many GPUs would be placed if it started now."""
        self.capacity: Callable[[], Capacity] = cluster.free.counts
        """A copy of what is free, to plan on."""
        self._heat = Heat()
        self.moved = Transfers()
        self.saving = _saving(storage, env, record, self.hold)
        """Who puts what on the storage; None where its capacity is not known."""
        self._serving: dict[Job, Served] = {}
        """What each job of a service makes while it holds its GPUs."""
        self._offers: dict[str, tuple[Service, int]] = {}
        """Each service, and the step of its profile it is in."""
        self.paces: list[tuple[float, float]] = []
        """When the rate of GPUs that serve changed, and to what fraction of their own; of the
        slowest of them."""

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
        tally.queued += 1
        self.dispatch()

    def dispatch(self) -> None:
        """Start jobs for as long as the policy names one.

        What else happens at this very moment happens first: a policy that planned on a job
        whose end is due now, but not yet booked, would have to break its promises.
        """
        if self.env.peek() > self.env.now:
            self._dispatch()
        elif not self._put_off:
            self._put_off = True
            self.env.timeout(0.0).callbacks.append(self._dispatch_after_all)

    def _dispatch_after_all(self, _: simpy.Event) -> None:
        self._put_off = False
        self.dispatch()

    def _dispatch(self) -> None:
        policy = self.policy
        next_job = policy.next
        while True:
            while (place := next_job(self)) is not None:
                self._start(self.queue.pop(place))
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
        self._count(job, 1)
        job.rate_since_s = now_s
        job.worked_s = 0.0
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self._transfer(job, 1.0)
        job.rate = self._rate(job)
        if not finite:
            self._serving_counts(job, 1.0)
            self._offer_soon()
        elif job.unread_bytes and job.ready_at_s <= now_s:
            self._load(job)
        else:
            self._await(job)

    def _connect(self, job: Job, placement: Placement) -> float:
        """Count what *placement* spans; join the fabric, and return what it leaves of the rate."""
        spans, servers = self.spans, placement.servers()
        spans.starts += 1
        leaves = 1
        if len(servers) > 1:
            leaves = self._leaves(servers)
            spans.gangs += 1
            spans.gang_leaves += leaves
        return self._join(job, placement, leaves)

    def _leaves(self, servers: list[int]) -> int:
        leaf_of = self._leaf_of
        return len({leaf_of[server] for server in servers})

    def _join(self, job: Job, placement: Placement, leaves: int) -> float:
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
        factor = self.gangs.join(job, comm_fraction, leaves, placement)
        self._share_soon()
        return factor

    def _count(self, job: Job, change: int) -> None:
        """Let *job* count among those that hold GPUs (+1), or no longer (-1)."""
        tally, now_s = self.tally, self.env.now
        if now_s != tally.since_s:
            tally.advance(now_s)
        tally.running += change
        tally.queued -= change
        gpus = change * job.gpus
        if self._watch is not None:
            self._watch(job, gpus, now_s)
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
        wait_s = self._wait_s(job)
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

    def _wait_s(self, job: Job) -> float:
        """Return how long *job* goes on at its present rate."""
        if job.rate > 0.0:
            return job.remaining_s / job.rate
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
        self.tally.queued -= 1
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
        self._serving.pop(job, None)
        job.status = COMPLETED
        job.finished_at_s = self.env.now
        self.completed += 1
        self.tally.queued -= 1
        self.on_end(job)
        self.dispatch()

    def _vacate(self, job: Job) -> None:
        """Take *job* off its GPUs; it counts as waiting until somebody says otherwise."""
        if job.load_bytes_per_s:
            self._end_load(job)
        del self._ends[bisect_left(self._ends, self.running.pop(job))]
        self.cluster.remove(job, self.env.now)
        job.rate = 0.0
        if job.comm_fraction or self.fabric.carries_storage:
            self.gangs.leave(job)
            self._share_soon()
        self._count(job, -1)
        if job.work_s == inf:
            self._serving_counts(job, -1.0)
            self._offer_soon()
        self._heat.jobs.discard(job)
        self.changes += 1
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self._transfer(job, -1.0)

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
            self._settle_load(job, passed_s)
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
        self.moved.loaders[job] = None
        self._share_loads(job.load_bytes_per_s)

    def _end_load(self, job: Job) -> None:
        """Let *job*, which has read its checkpoint or is stopped, read no more."""
        assert job.placement is not None
        carried, before = self.fabric.carries_storage, job.load_bytes_per_s
        del self.moved.loaders[job]
        if carried:
            self.gangs.leave(job)
        job.load_bytes_per_s = job.unread_bytes = job.loading_bytes_per_s = job.worked_s = 0.0
        if carried:
            leaves = self._leaves(job.placement.servers())
            job.network_factor = self._join(job, job.placement, leaves)
        self._share_loads(-before)

    def _share_loads(self, change_bytes_per_s: float) -> None:
        """Let checkpoints be loaded with so much more than before, or less.

        Who loads feels it at once. All others do at the next full minute, so that the seconds
        that most loads take disturb nobody.
        """
        moved = self.moved
        moved.loading = max(0.0, moved.loading + change_bytes_per_s)
        self.tally.advance(self.env.now)
        self._share_storage(waits=True)
        self._pace(iter(list(moved.loaders)))

    def _settle_load(self, job: Job, passed_s: float) -> None:
        """Book what *job* read of its checkpoint."""
        read_bytes = min(job.unread_bytes, job.loading_bytes_per_s * passed_s)
        job.unread_bytes -= read_bytes
        job.worked_s += read_bytes / job.load_bytes_per_s  # at full rate, for the links
        self.moved.read_bytes += read_bytes

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

    def _pace(self, jobs: Iterator[Job]) -> None:
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

    def _transfer(self, job: Job, sign: float) -> None:
        """Let *job* use the storage (+1) or no longer (-1); where it is short, users slow down."""
        moved = self.moved
        reading = moved.reading + sign * job.read_bytes_per_s
        writing = moved.writing + sign * job.write_bytes_per_s
        if sign < 0.0:  # differences leave a rounding rest
            reading, writing = max(0.0, reading), max(0.0, writing)
        moved.reading, moved.writing = reading, writing
        if job.burst_bytes_per_s:
            if sign > 0.0:
                moved.bursting[job] = None
            else:
                del moved.bursting[job]
        self._share_storage()

    def _share_storage(self, waits: bool | None = None) -> None:
        """Let those who use the storage have what it leaves each, if that is another part now.

        At once where it gets short or is no longer; while it stays short, or checkpoints are
        loaded, at the next full minute, so that it may be promised a little too much or too
        little for that long. *waits* says that in place of these two.
        """
        moved = self.moved
        asked = moved.asked()
        self.tally.storage_w = self.storage.power_w(*asked)
        shares = self.storage.shares(*asked)
        moved.load_share = shares[1]
        if waits is None:
            waits = min(moved.shares) < 1.0 or bool(moved.loaders)
        if shares != moved.shares:
            if waits and min(shares) < 1.0:
                self._storage_stale = True
                self._share_soon()
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
            self._pace(iter(list(moved.bursting)))

    def _grant(self, shares: tuple[float, float]) -> None:
        """Let readers and writers have these shares of their demands."""
        self.settle_inlet()
        self.moved.shares, self.moved.load_share = shares, shares[1]
        self._storage_stale = False
        users = [
            job
            for job in self.running
            if job.read_bytes_per_s or job.write_bytes_per_s or job.load_bytes_per_s
        ]
        self._pace(iter(users))

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
            self._share_storage(waits=False)

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
        self._offer_anew()
        self._pace(iter(running))

    def _offer_anew(self, _: simpy.Event | None = None) -> None:
        """Let services do what they can where their replicas stand now."""
        self._offering = False
        offers = list(self._offers.values())
        for offer, step in offers:
            self.offer(offer, step)
        heat = self._heat
        serving = [heat.of(job)[1] for offer, _ in offers for job in offer.jobs]
        rate = min(serving, default=heat.usual[1])
        if rate != heat.served_at:
            heat.served_at = rate
            self.paces.append((self.env.now, rate))

    # ---- links that are shared, or lost ----

    def _share_soon(self) -> None:
        """Have links and storage shared anew at the next full minute, if that changes anything."""
        if not (self.gangs.stale or self._storage_stale):
            return
        now_s, every_s = self.env.now, self._share_every_s
        if self._shared_at_s <= now_s:
            self._shared_at_s = (floor(now_s / every_s) + 1) * every_s
            due = self.env.timeout(self._shared_at_s - now_s)
            due.callbacks.append(self._share_anew)

    def _share_anew(self, _: simpy.Event) -> None:
        self._slow(self.gangs.share())
        if self._storage_stale:
            self._grant(self.storage.shares(*self.moved.asked()))

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
        self._pace(iter(factors))

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

    def offer(self, offer: Service, step: int) -> None:
        """Let the jobs of a service do what its profile says of *step*, at the pace of GPUs."""
        self._offers[offer.name] = (offer, step)
        self.tally.advance(self.env.now)
        self.tally.asked_per_s = sum(
            each.profile.asked_per_s(at) for each, at in self._offers.values()
        )
        if offer.router is not None:
            self._route(offer, step)
            return
        serving = len(offer.jobs) if offer.serving is None else int(offer.serving[step])
        each = {
            rate: self._share(offer, step, rate, max(serving, 1))
            for rate in {self.pace_of(job)[1] for job in offer.jobs}
        }
        for place, job in enumerate(offer.jobs):
            activity, served = each[self.pace_of(job)[1]]
            self.serve(job, activity, served if place < serving else NOTHING)

    def _share(self, offer: Service, step: int, rate: float, serving: int) -> tuple[float, Served]:
        """Return what one of so many jobs of a service does where GPUs work at *rate*."""
        profile: ServiceProfile = offer.profile
        if offer.paced is not None and rate < 1.0:
            profile = offer.paced(rate)
        share = 1.0 / serving
        columns = (
            profile.tokens_per_s,
            profile.requests_per_s,
            profile.judged_per_s,
            profile.within_per_s,
        )
        tokens, requests, judged, within = (
            0.0 if column is None else float(column[step]) * share for column in columns
        )
        return float(profile.activity[step]), (tokens, requests, judged, within)

    def _route(self, offer: Service, step: int) -> None:
        """Let the jobs of a service do what its router sends each of them."""
        router: Router = offer.router
        seated: list[Job] = []
        for job in offer.jobs:
            if job.placement is None:
                self.serve(job, float(offer.profile.activity[step]), NOTHING)
            else:
                seated.append(job)
        if not seated:
            router.close(self.env.now)
            return
        others_w, rows = self._beside(seated, offer.gpus)
        margin_k, pace_of = router.heat_margin_k, self.pace_of
        warm = [] if margin_k is None else self._near_too_warm(seated, margin_k)
        if not warm:
            rate = min(pace_of(job)[1] for job in seated)
            where = self._standing(rows, others_w, offer.gpus, self.activity_factor)
            shares = router.share(step, self.env.now, rate, where)
        else:
            later = set(warm)
            cool = [job for job in seated if job not in later]
            row_of = dict(zip(seated, rows, strict=True))
            tiers = [
                (
                    min((pace_of(job)[1] for job in tier), default=1.0),
                    self._standing(
                        [row_of[job] for job in tier],
                        others_w,
                        offer.gpus,
                        min((pace_of(job)[0] for job in tier), default=1.0),
                    ),
                )
                for tier in (cool, warm)
            ]
            seated = cool + warm
            shares = router.share(step, self.env.now, *tiers[0], tiers[1])
        for job, (activity, served) in zip(seated, shares, strict=True):
            self.serve(job, activity, served)

    def _beside(self, jobs: Sequence[Job], gpus: int) -> tuple[list[float], list[int]]:
        """Return what each row draws beside what *jobs* draw beyond idling, and their rows."""
        cluster = self.cluster
        others_w, rows = cluster.row_power_w(), []
        idle_w = cluster.server.power_w(0.0)[0] * gpus / cluster.server.gpus_per_server
        for job in jobs:
            assert job.placement is not None
            row = cluster.row_at(job.placement)
            others_w[row] -= job.power_w - idle_w
            rows.append(row)
        return others_w, rows

    def _standing(
        self, rows: list[int], others_w: list[float], gpus: int, factor: float
    ) -> Standing:
        """Return where replicas stand whose GPUs keep *factor* of their activity."""
        server, known = self.cluster.server, (gpus, factor)
        if known not in self._drawn_w:
            idle_w, per_server = server.power_w(0.0)[0], server.gpus_per_server
            self._drawn_w[known] = lambda activity: (
                (server.power_w(server.drive(activity * factor))[0] - idle_w) * gpus / per_server
            )
        return Standing(rows, others_w, self._drawn_w[known], server.capped)

    def _near_too_warm(self, jobs: Iterable[Job], margin_k: float) -> list[Job]:
        """Return those of *jobs* with a server whose inlet is so near to what slows GPUs down."""
        cluster, inlet_c = self.cluster, self.inlet_c
        limits, fans = cluster.server.limits, cluster.rack_fans
        rises_k = [0.0] * cluster.racks if fans is None else fans.rise_k
        at_c = inlet_c + margin_k
        warm = {rise_k for rise_k in set(rises_k) if limits(at_c + rise_k, False, False)[0]}
        if not warm:
            return []
        rack_of = cluster.rack_of
        return [
            job
            for job in jobs
            if job.placement is not None
            and any(rises_k[rack_of[server]] in warm for server in job.placement.servers())
        ]

    def _offer_soon(self) -> None:
        """Have services share their demand anew, once all that happens now has happened."""
        alone = any(offer.router or offer.asked_at_s for offer, _ in self._offers.values())
        if (alone or self._heat.servers) and not self._offering:
            self._offering = True
            self.env.timeout(0.0).callbacks.append(self._offer_anew)

    def serve(self, job: Job, activity: float, served: Served) -> None:
        """Let *job*, a service or a replica of one, work at *activity* from now on."""
        now_s = self.env.now
        tally = self.tally
        tally.advance(now_s)
        before = self._serving.get(job, NOTHING)
        self._serving[job] = served
        if job.placement is None:
            job.activity = activity
            return
        self.settle(job)
        self._add_served(before, -1.0)
        self._add_served(served, 1.0)
        factor = self.pace_of(job)[0]
        tally.active_gpus += job.gpus * high_share(job) * (activity - job.activity) * factor
        job.activity = activity
        self.cluster.drive(job, self._mean_drive(job, factor), now_s)

    def _serving_counts(self, job: Job, sign: float) -> None:
        """Let the tokens of a service count, or not, as it takes or leaves its GPUs."""
        self._add_served(self._serving.get(job, NOTHING), sign)

    def _add_served(self, served: Served, sign: float) -> None:
        tally = self.tally
        tokens_per_s, requests_per_s, judged_per_s, within_per_s = served
        tally.tokens_per_s += sign * tokens_per_s
        tally.requests_per_s += sign * requests_per_s
        tally.judged_per_s += sign * judged_per_s
        tally.within_per_s += sign * within_per_s

    def close(self) -> None:
        """Book everything up to now and hand over the jobs that have not ended."""
        self.settle_inlet()
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
        if job.arrived_at_s > env.now:
            yield env.timeout(job.arrived_at_s - env.now)
        submit(job)


def filling(env: simpy.Environment, dispatcher: Dispatcher, inlet: Inlet) -> Life:
    """Write what flows in, step by step, and let the jobs arrive that it sets free."""
    dispatcher.inlet = inlet
    for k in count(1):
        dispatcher.settle_inlet()
        wanted_bytes_per_s, jobs = inlet.turn(env.now, inlet.written_bytes)
        if dispatcher.saving is not None:
            wanted_bytes_per_s = dispatcher.saving.admit(inlet, wanted_bytes_per_s)
        dispatcher.fill(wanted_bytes_per_s)
        dispatcher.release(jobs)
        yield env.timeout(k * inlet.step_s - env.now)


def asking(env: simpy.Environment, dispatcher: Dispatcher, every_s: float) -> Life:
    """Ask the policy at ``k * every_s`` though no job came or ended."""
    for k in count(1):
        yield env.timeout(k * every_s - env.now)
        dispatcher.dispatch()


def service(env: simpy.Environment, dispatcher: Dispatcher, offer: Service) -> Life:
    """Hold a service's GPUs as jobs without end, and let their activity follow demand.

    One job holds them all, or one each replica that is wanted: GPUs that no replica
    wants are then free for others. Requests and tokens count only while GPUs are held.
    """
    profile: ServiceProfile = offer.profile
    first = offer.from_step
    if first:
        yield env.timeout(first * offer.step_s - env.now)
    if offer.asked_at_s:
        env.process(_asking_one_by_one(env, dispatcher, offer))
    for step, activity in enumerate(profile.activity[first:].tolist(), start=first):
        wanted = 1 if offer.replicas is None else int(offer.replicas[step])
        if not offer.asked_at_s:
            _scale(env, dispatcher, offer, wanted, activity)
        dispatcher.offer(offer, step)
        yield env.timeout((step + 1) * offer.step_s - env.now)


def _asking_one_by_one(env: simpy.Environment, dispatcher: Dispatcher, offer: Service) -> Life:
    """Let each replica of a service ask for its GPUs in its turn."""
    for number, at_s in enumerate(offer.asked_at_s, start=1):
        yield env.timeout(at_s - env.now)
        activity = offer.profile.activity[int(at_s // offer.step_s)]
        _scale(env, dispatcher, offer, number, float(activity))


def _scale(
    env: simpy.Environment, dispatcher: Dispatcher, offer: Service, wanted: int, activity: float
) -> None:
    """Let a service have as many jobs as are *wanted*; those started last end first."""
    while len(offer.jobs) > wanted:
        dispatcher.end(offer.jobs.pop())
    while len(offer.jobs) < wanted:
        offer.started += 1
        job = Job(
            job_id=offer.name if offer.replicas is None else f"{offer.name}-{offer.started}",
            kind="inference",
            arrived_at_s=env.now,
            gpus=offer.gpus,
            work_s=inf,
            limit_s=inf,
            activity=activity,
        )
        offer.jobs.append(job)
        dispatcher.submit(job)
