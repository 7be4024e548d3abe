"""The life of a job: it arrives, waits, runs at a rate that may change, ends or is stopped.

One SimPy process brings the arrivals and one drives each service (:mod:`twin.jobs.offers`); a
running job has one event ahead of it, its end, put off or brought forward whenever its rate
changes, and one more, its next checkpoint, where the storage can be full (:mod:`twin.jobs.saving`).
What they know lives in the :class:`~twin.records.Job` and in the :class:`Dispatcher`, never in
a generator. What jobs move to and from the storage is shared in :mod:`twin.jobs.storage_traffic`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from math import floor, inf

import simpy

from twin.cluster.cluster import Cluster
from twin.jobs.board import Board
from twin.jobs.books import Pace, Space, Tally
from twin.jobs.fabric_traffic import FabricTraffic
from twin.jobs.offers import Offers
from twin.jobs.saving import Saving
from twin.jobs.storage_traffic import StorageTraffic
from twin.jobs.work import JobWork
from twin.network.base import Fabric
from twin.records import COMPLETED, KILLED, QUEUED, RUNNING, Event, Inlet, Job, Placement
from twin.scheduling.base import Policy
from twin.storage.base import Storage

Life = Generator[simpy.Event, None, None]


class Dispatcher:
    """Where a job meets the queue, the policy, the servers, the fabric and the storage."""

    follow: Callable[[Job], Iterable[Job]] | None = None
    """Says which work the end of a job sets free; None where none waits for another."""
    _put_off: bool = False
    """Whether a pass waits for what else happens at this moment."""
    _shared_at_s: float = 0.0
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
        self.storage = storage
        self.on_end = on_end
        self.board = Board(env, cluster, policy, fabric.leaf_of())
        """What the policy sees."""
        self.queue, self.running = self.board.queue, self.board.running
        self.tally = Tally()
        self._cut_off: set[int] = set()
        self._share_every_s = share_every_s
        self.fabric = fabric
        self.network = FabricTraffic(fabric, self._share_soon)
        """Who is on the fabric."""
        self.traffic = StorageTraffic(
            env, storage, self.tally, self.running, self._pace, self._share_soon
        )
        """Who asks for how much of the storage, and gets it."""
        self.saving = _saving(storage, env, record, self.hold)
        """Who puts what on the storage; None where its capacity is not known."""
        watch = policy.held if policy.watches else None
        self.work = JobWork(env, cluster, self.tally, self.traffic, watch)
        self.done = self.work.done
        self.offers = Offers(env, cluster, self.tally, self.work.heat, self.work.work_at)
        """What services serve with the GPUs that their jobs hold."""

    # ---- a job's life ----

    def submit(self, job: Job) -> None:
        """Let *job* join the queue, and start whoever may start."""
        self.done.submitted += 1
        if job.gpus > self.cluster.gpus:
            job.status = KILLED
            job.finished_at_s = self.env.now
            self.done.killed += 1
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
        policy, queue, board = self.policy, self.queue, self.board
        while queue.jobs:
            place = policy.next(board)
            if place is not None:
                self._start(queue.pop(place))
                continue
            victims = policy.victims(board) if policy.preempts else []
            if not victims:
                return
            for job in victims:
                self.make_way(job)

    def _start(self, job: Job) -> None:
        now_s, work = self.env.now, self.work
        placement = self.policy.seat(self.board, job)
        assert placement is not None, f"{job.job_id} was chosen but does not fit"
        if job.status == QUEUED and job.restarts == 0:
            job.started_at_s = now_s
        job.status = RUNNING
        job.network_factor = self.network.connect(job, placement)
        if job.restarts:
            self._begin_restart(job, placement)
        heat = work.heat
        if heat.servers and heat.reaches(placement):
            heat.jobs.add(job)
        left, _ = heat.of(job) if heat.jobs else heat.usual
        self.cluster.place(job, placement, work.mean_drive(job, left), now_s)
        finite = job.work_s < inf
        self.board.start(
            job, now_s + job.limit_s - (job.work_s - job.remaining_s) if finite else inf
        )
        work.count(job, 1.0, now_s)
        job.rate_since_s = now_s
        job.worked_s = 0.0
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self.traffic.use(job, 1.0)
        job.rate = work.rate(job)
        if not finite:
            self.offers.join(job)
        elif job.unread_bytes and job.ready_at_s <= now_s:
            self._load(job)
        else:
            self._await(job)

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
        self.work.settle(job)  # a part of the restart is over, or the last checkpoint written
        if job in self.board.leaving:
            self._leave(job, True)
            self.dispatch()
            return
        if job.load_bytes_per_s:
            self._end_load(job)
        elif job.unread_bytes:
            self._load(job)
            return
        self.work.let_stand(job, False)
        job.rate = self.work.rate(job)
        self._await(job)

    def _stands_s(self, job: Job) -> float:
        """Return how long *job* does no work, as far as it knows."""
        if job.load_bytes_per_s:
            return job.unread_bytes / job.loading_bytes_per_s if job.loading_bytes_per_s else inf
        starting_s = job.ready_at_s - self.env.now
        return starting_s if starting_s > 0.0 else inf

    def _finish(self, job: Job) -> None:
        now_s = self.env.now
        self.work.settle(job)
        job.remaining_s = 0.0
        job.status = COMPLETED
        job.finished_at_s = now_s
        self.done.completed += 1
        self._vacate(job)
        if self.saving is not None:
            self.saving.clear(job)
        self.tally.queued -= 1.0
        self.on_end(job)
        if self.follow is not None:
            self.release(self.follow(job))
        if self.queue.jobs:
            self.dispatch()

    def release(self, jobs: Iterable[Job]) -> None:
        """Let *jobs* that were set free now arrive, each at its time."""
        released = sorted(jobs, key=lambda each: each.arrived_at_s)
        if released:
            self.env.process(arrivals(self.env, iter(released), self.submit))

    def end(self, job: Job) -> None:
        """Let a job of unending work end here, whether it has its GPUs or still waits."""
        if job in self.running:
            self.work.settle(job)
            self._vacate(job)
        else:
            self.tally.advance(self.env.now)
            self.queue.pop(self.queue.jobs.index(job))
            self.board.changes += 1
        self.offers.forget(job)
        job.status = COMPLETED
        job.finished_at_s = self.env.now
        self.done.completed += 1
        self.tally.queued -= 1.0
        self.on_end(job)
        self.dispatch()

    def _vacate(self, job: Job) -> None:
        """Take *job* off its GPUs; it counts as waiting until somebody says otherwise."""
        if job.load_bytes_per_s:
            self._end_load(job)
        now_s = self.env.now
        self.board.end(job)
        self.cluster.remove(job, now_s)
        job.rate = 0.0
        self.network.leave(job)
        self.work.count(job, -1.0, now_s)
        if job.work_s == inf:
            self.offers.leave(job)
        self.work.heat.jobs.discard(job)
        if job.read_bytes_per_s or job.write_bytes_per_s:
            self.traffic.use(job, -1.0)

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
        self.work.settle(job)
        job.rate = 0.0
        self.work.let_stand(job, True)
        job.ready_at_s = self.env.now + job.save_s
        self.board.leaving[job] = None
        self.board.expect(job, job.ready_at_s)
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
        self.work.settle(job)
        if job.due is not None:
            job.due.callbacks.clear()
            job.due = None

    def _put_back(self, job: Job, kept_s: float) -> None:
        """Take *job* off its GPUs and let it queue again with *kept_s* of its work done."""
        self.board.leaving.pop(job, None)
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
            self.done.lost_gpu_s += lost_gpu_s
            self.done.useful_gpu_s -= lost_gpu_s
            if job.flops:
                self.done.useful_flops -= job.flops * (done_s - kept_s) / job.work_s
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
        """Return what a checkpoint is loaded with alone: ports allow no more [B/s]."""
        ports_bytes_per_s = self.network.ports_bytes_per_s(placement)
        return min(self.storage.load_bandwidth_bytes_per_s, ports_bytes_per_s)

    def _load(self, job: Job) -> None:
        """Let *job* read its checkpoint, as fast as storage and fabric allow."""
        assert job.placement is not None
        self.network.begin_load(job, job.placement, self._load_most(job.placement))
        self.traffic.begin_load(job)

    def _end_load(self, job: Job) -> None:
        """Let *job*, which has read its checkpoint or is stopped, read no more."""
        assert job.placement is not None
        before = job.load_bytes_per_s
        self.network.end_load(job, job.placement)
        self.traffic.end_load(job, before)

    def hold(self, job: Job, stands: bool) -> None:
        """Let *job* stand still because a checkpoint finds no room, or no longer."""
        self._halt(job)
        self.work.let_stand(job, stands)
        job.rate = self.work.rate(job)
        self._await(job)

    # ---- what changes the rate ----

    def _pace(self, jobs: Iterable[Job]) -> None:
        """Give *jobs* their present rate; those it changes start their wait anew."""
        for job in jobs:
            if job.load_bytes_per_s:
                pace = job.load_bytes_per_s * min(self.traffic.moved.load_share, job.network_factor)
                if pace != job.loading_bytes_per_s:
                    self.work.settle(job)
                    job.loading_bytes_per_s = pace
                    self._await(job)
                continue
            rate = self.work.rate(job)
            if rate != job.rate:
                self.work.settle(job)
                job.rate = rate
                if job.work_s < inf:
                    self._await(job)

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
        running = list(self.running)
        self.work.throttle(running, (activity_factor, rate_factor), hot, hot_pace)
        self.offers.renew()
        self._pace(running)

    # ---- links that are shared, or lost ----

    def _share_soon(self) -> None:
        """Have links and storage shared anew at the next full minute, if that changes anything."""
        if not (self.network.gangs.links.stale or self.traffic.stale):
            return
        now_s, every_s = self.env.now, self._share_every_s
        if self._shared_at_s <= now_s:
            self._shared_at_s = (floor(now_s / every_s) + 1) * every_s
            due = self.env.timeout(self._shared_at_s - now_s)
            due.callbacks.append(self._share_anew)

    def _share_anew(self, _: simpy.Event) -> None:
        self._slow(self.network.gangs.share())
        self.traffic.share_anew()

    def _slow(self, factors: Mapping[Job, float]) -> None:
        """Let jobs work at what the fabric leaves them."""
        self.work.slow(factors)
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
            and job in self.network.gangs
            and not gone.isdisjoint(job.placement.servers())
        ]
        for job in hit:
            self.stop(job)
        self.cluster.bar(sorted(gone), now_s)
        self.cluster.unbar(sorted(self._cut_off - cut_off), now_s)
        self._cut_off = cut_off
        self._slow(self.network.gangs.rewire())
        self.board.changes += 1
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
        self.board.changes += 1
        return len(hit)

    def start_up(self, servers: Collection[int], restart_s: float) -> None:
        """Power *servers* again; they take jobs when *restart_s* has passed."""
        self.cluster.switch_on(servers, self.env.now)
        self.env.process(self._restart(servers, restart_s))

    def _restart(self, servers: Collection[int], restart_s: float) -> Life:
        yield self.env.timeout(restart_s)
        self.cluster.put_back(servers, self.env.now)
        self.board.changes += 1
        self.dispatch()

    def close(self) -> None:
        """Book everything up to now and hand over the jobs that have not ended."""
        self.traffic.settle_inlet()
        if self.saving is not None:
            self.saving.close()
        for job in [*self.running, *self.queue.jobs]:
            if job.placement is not None:
                self.work.settle(job)
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
