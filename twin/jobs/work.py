"""What running jobs do with the GPUs they hold: how fast, how active, and the account of it.

What heat, power limits, fabric and storage leave of a job's rate meets here, and so does
what its GPUs draw. When a job starts and ends is not known here: see :mod:`twin.jobs.life`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import inf

import simpy

from twin.cluster.cluster import Cluster
from twin.jobs.books import Done, Heat, Pace, Tally, high_share, mean_activity
from twin.jobs.storage_traffic import StorageTraffic
from twin.records import Job


class JobWork:
    """The work of all running jobs."""

    def __init__(
        self,
        env: simpy.Environment,
        cluster: Cluster,
        tally: Tally,
        traffic: StorageTraffic,
        watch: Callable[[Job, int, float], None] | None,
    ) -> None:
        self.env = env
        self.cluster = cluster
        self.tally = tally
        self.traffic = traffic
        self.watch = watch
        """Is told of every change of who holds GPUs."""
        self.heat = Heat()
        self.done = Done()

    # ---- what the GPUs of a job do ----

    def count(self, job: Job, change: float, now_s: float) -> None:
        """Let *job* count among those that hold GPUs (+1), or no longer (-1)."""
        tally = self.tally
        if now_s != tally.since_s:
            tally.advance(now_s)
        tally.running += change
        tally.queued -= change
        gpus = change * job.gpus
        if self.watch is not None:
            self.watch(job, int(gpus), now_s)
        tally.allocated_gpus += gpus
        activity = job.activity
        if job.duty < 1.0 or job.stands:
            activity = mean_activity(job)
        heat = self.heat
        pace = heat.of(job) if heat.jobs else heat.usual
        tally.active_gpus += gpus * activity * pace[0]
        if not tally.running:
            tally.active_gpus = 0.0  # sums of activities leave a rounding rest
        tally.busy_servers = self.cluster.busy_servers()

    def mean_drive(self, job: Job, factor: float) -> float:
        """Return the mean drive of the GPUs of *job*, with its activity times *factor*."""
        drive = self.cluster.server.drive
        high = drive(job.activity * factor)
        if job.duty == 1.0 and not job.stands:
            return high
        share = high_share(job)
        return share * high + (1.0 - share) * drive(job.low_activity * factor)

    def let_stand(self, job: Job, stands: bool) -> None:
        """Let the GPUs that *job* holds wait at their low level from now on, or no longer."""
        self.tally.advance(self.env.now)
        before = mean_activity(job)
        job.stands = stands
        change = mean_activity(job) - before
        left, _ = self.heat.of(job)
        self.tally.active_gpus += job.gpus * change * left
        self.cluster.drive(job, self.mean_drive(job, left), self.env.now)

    def work_at(self, job: Job, activity: float) -> None:
        """Let *job*, a service or a replica of one, work at *activity* from now on."""
        now_s, tally = self.env.now, self.tally
        tally.advance(now_s)
        if job.placement is None:
            job.activity = activity
            return
        self.settle(job)
        factor = self.heat.of(job)[0]
        tally.active_gpus += job.gpus * high_share(job) * (activity - job.activity) * factor
        job.activity = activity
        self.cluster.drive(job, self.mean_drive(job, factor), now_s)

    def slow(self, factors: Mapping[Job, float]) -> None:
        """Let the fabric leave jobs these *factors* of their rates from now on."""
        now_s, tally = self.env.now, self.tally
        tally.advance(now_s)
        for job, factor in factors.items():
            self.settle(job)
            before = mean_activity(job)
            job.network_factor = factor
            if job.duty < 1.0:
                change = mean_activity(job) - before
                left, _ = self.heat.of(job)
                tally.active_gpus += job.gpus * change * left
                self.cluster.drive(job, self.mean_drive(job, left), now_s)

    def throttle(
        self, running: Collection[Job], usual: Pace, hot: Collection[int], hot_pace: Pace
    ) -> None:
        """Let GPUs keep *usual* of their activity and rate from now on.

        Jobs that have any of their GPUs on a *hot* server keep *hot_pace* instead.
        """
        now_s, tally, heat = self.env.now, self.tally, self.heat
        tally.advance(now_s)
        before = [heat.of(job)[0] for job in running]
        for job in running:
            self.settle(job)
        heat.usual, heat.servers, heat.pace = usual, frozenset(hot), hot_pace
        heat.jobs = {job for job in running if heat.reaches(job.placement)} if hot else set()
        for job, factor in zip(running, before, strict=True):
            left, _ = heat.of(job)
            self.cluster.drive(job, self.mean_drive(job, left), now_s)
            tally.active_gpus += job.gpus * mean_activity(job) * (left - factor)

    def slowed_by_heat(self) -> int:
        """Return the GPUs of jobs that have some in air that is too warm, where not all are."""
        return sum(job.gpus for job in self.heat.jobs)

    # ---- how fast it works, and what it did ----

    def rate(self, job: Job) -> float:
        """Return the rate that all limits together leave *job* now [-]."""
        if job.stands:
            return 0.0
        heat, moved = self.heat, self.traffic.moved
        rate = job.network_factor * (heat.of(job) if heat.jobs else heat.usual)[1]
        if job.burst_bytes_per_s:
            # What others leave: the room beside all, and what is its own of the rest.
            room = moved.room + job.write_bytes_per_s
            stretch = max(1.0, job.burst_bytes_per_s / room)
            rate /= 1.0 + rate * job.burst_fraction * (stretch - 1.0)
        readers, writers = moved.shares
        if job.read_bytes_per_s and rate > readers:
            rate = readers
        if job.write_bytes_per_s and rate > writers:
            rate = writers
        return rate

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
        moved, done = self.traffic.moved, self.done
        moved.read_bytes += job.read_bytes_per_s * worked_s
        moved.written_bytes += job.write_bytes_per_s * worked_s
        done.useful_gpu_s += gpu_s * job.rate
        self._book_activity(job, gpu_s)
        if job.work_s < inf:
            left_s = job.remaining_s - worked_s
            job.remaining_s = left_s if left_s > 0.0 else 0.0
            if job.flops:
                done.useful_flops += job.flops * job.rate * passed_s / job.work_s
                done.known_flops_gpu_s += gpu_s
        else:
            done.service_j += energy_j

    def _book_activity(self, job: Job, gpu_s: float) -> None:
        """Book GPU time by the activity at which it was spent."""
        heat, booked = self.heat, self.done.activity_gpu_s
        percent = 100.0 * (heat.of(job) if heat.jobs else heat.usual)[0]
        if job.duty >= 1.0 and not job.stands:
            booked[round(job.activity * percent)] += gpu_s
        else:
            high = high_share(job)
            booked[round(job.activity * percent)] += high * gpu_s
            booked[round(job.low_activity * percent)] += (1.0 - high) * gpu_s
