"""What is kept account of while jobs run: integrals over time, traffic, spans, and heat.

Plain books: whoever changes a job writes here what changes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

from twin.records import Job, Placement

Served = tuple[float, float, float, float]
"""Tokens, requests, requests of known latency and those within their objective, each second."""
NOTHING = (0.0, 0.0, 0.0, 0.0)
Pace = tuple[float, float]
"""What heat and power limits leave of the activity and of the rate of GPUs. [-]"""


@dataclass(slots=True)
class Tally:
    """Exact time integrals (``_s``, ``_j`` and counts) of what changes whenever a job does."""

    since_s: float = 0.0
    """Up to when everything is integrated. [s]"""
    running: float = 0.0
    """Whole numbers, as floats: times seconds they are integrated at every start and end."""
    queued: float = 0.0
    allocated_gpus: float = 0.0
    active_gpus: float = 0.0
    """GPUs weighted by their activity."""
    busy_servers: int = 0
    storage_w: float = 0.0
    tokens_per_s: float = 0.0
    requests_per_s: float = 0.0
    judged_per_s: float = 0.0
    """Requests whose latency is known."""
    within_per_s: float = 0.0
    """Those of them within their objective."""
    asked_per_s: float = 0.0
    """Requests made of all services, whether served or not."""
    running_s: float = 0.0
    queued_s: float = 0.0
    allocated_s: float = 0.0
    active_s: float = 0.0
    busy_servers_s: float = 0.0
    storage_j: float = 0.0
    tokens: float = 0.0
    requests: float = 0.0
    judged: float = 0.0
    within: float = 0.0
    asked: float = 0.0
    """Since the start of the run."""

    def advance(self, now_s: float) -> None:
        """Integrate up to now with the present values."""
        passed_s = now_s - self.since_s
        self.since_s = now_s
        self.allocated_s += self.allocated_gpus * passed_s
        self.active_s += self.active_gpus * passed_s
        self.running_s += self.running * passed_s
        self.queued_s += self.queued * passed_s
        self.storage_j += self.storage_w * passed_s
        self.busy_servers_s += self.busy_servers * passed_s
        if self.asked_per_s:
            self.asked += self.asked_per_s * passed_s
            self.tokens += self.tokens_per_s * passed_s
            self.requests += self.requests_per_s * passed_s
            self.judged += self.judged_per_s * passed_s
            self.within += self.within_per_s * passed_s

    def take(self, now_s: float) -> tuple[float, ...]:
        """Return the integrals since the last call and start again from zero.

        In the order: allocated GPU-s, active GPU-s, running job-s, queued job-s,
        storage J, tokens, requests.
        """
        self.advance(now_s)
        taken = (
            self.allocated_s,
            self.active_s,
            self.running_s,
            self.queued_s,
            self.storage_j,
            self.tokens,
            self.requests,
        )
        self.allocated_s = self.active_s = self.running_s = self.queued_s = 0.0
        self.storage_j = self.tokens = self.requests = 0.0
        return taken

    def take_slo(self) -> float:
        """Return the share of requests within their objective since the last call, or NaN."""
        share = self.within / self.judged if self.judged > 0.0 else nan
        self.judged = self.within = 0.0
        return share


def high_share(job: Job) -> float:
    """Return the share of its time that a job's GPUs spend at ``activity`` [-].

    What the fabric makes a step longer they wait through at ``low_activity``. A job without
    a duty cycle has one level, the mean over its steps, and keeps it. Restarts and last
    checkpoints are waited through as well.
    """
    if job.stands:
        return 0.0
    return job.duty * job.network_factor if job.duty < 1.0 else 1.0


def mean_activity(job: Job) -> float:
    """Return the activity of its GPUs over its duty cycle [-]."""
    high = high_share(job)
    return high * job.activity + (1.0 - high) * job.low_activity


@dataclass(slots=True)
class Transfers:
    """What running jobs move to and from storage, and what they get of it."""

    reading: float = 0.0
    """Data read if storage can keep up. [B/s]"""
    writing: float = 0.0
    """Data written if it can keep up, in the mean. [B/s]"""
    loading: float = 0.0
    """Checkpoints read at restarts if it can keep up. [B/s]"""
    shares: tuple[float, float] = (1.0, 1.0)
    """Of their demand that readers and writers get. [-]"""
    loaders: dict[Job, None] = field(default_factory=dict)
    """Jobs that load a checkpoint."""
    load_share: float = 1.0
    """Of what they would read alone, what they get. [-]"""
    bursting: dict[Job, None] = field(default_factory=dict)
    """Jobs that stop for each checkpoint until it is written."""
    room: float = 0.0
    """What storage has left for those. [B/s]"""
    read_bytes: float = 0.0
    written_bytes: float = 0.0

    def asked(self) -> tuple[float, float, float]:
        """Return what is read, written and loaded if the storage can keep up [B/s]."""
        return self.reading, self.writing, self.loading


@dataclass(slots=True)
class Space:
    """The room on a storage of known capacity, in bytes."""

    capacity_bytes: float
    used_bytes: float
    """What lies there now; at first, what did before the run."""
    most_bytes: float = 0.0
    """The most that ever lay there."""
    since_s: float = 0.0
    used_byte_s: float = 0.0
    """Integral since it was last taken, up to ``since_s``."""

    def __post_init__(self) -> None:
        self.most_bytes = self.used_bytes

    @property
    def free_bytes(self) -> float:
        """Return what can still be put there [B]."""
        return max(0.0, self.capacity_bytes - self.used_bytes)

    def put(self, size: float, now_s: float) -> None:
        """Let *size* bytes lie there from now on; whoever calls has seen that they fit."""
        self._advance(now_s)
        self.used_bytes += size
        self.most_bytes = max(self.most_bytes, self.used_bytes)

    def delete(self, size: float, now_s: float) -> None:
        """Let *size* bytes lie there no longer."""
        self._advance(now_s)
        self.used_bytes = max(0.0, self.used_bytes - size)  # sums leave a rounding rest

    def mean_bytes(self, from_s: float, to_s: float) -> float:
        """Return what lay there on the mean since it was last asked, at *from_s* [B]."""
        self._advance(to_s)
        mean = self.used_byte_s / (to_s - from_s)
        self.used_byte_s = 0.0
        return mean

    def _advance(self, now_s: float) -> None:
        self.used_byte_s += self.used_bytes * (now_s - self.since_s)
        self.since_s = now_s


@dataclass(slots=True)
class Done:
    """What came of all jobs since the start of the run."""

    submitted: int = 0
    completed: int = 0
    killed: int = 0
    """Jobs refused for asking for more GPUs than there are."""
    useful_gpu_s: float = 0.0
    lost_gpu_s: float = 0.0
    service_j: float = 0.0
    """Energy of jobs without an end, those of services. [J]"""
    useful_flops: float = 0.0
    known_flops_gpu_s: float = 0.0
    """GPU time of the jobs whose operations are known."""
    activity_gpu_s: list[float] = field(default_factory=lambda: [0.0] * 101)
    """GPU time held, by percent of GPU activity."""


@dataclass(slots=True)
class Spans:
    """How far placements reach: counts of starts, and of leaves of the gangs among them."""

    starts: int = 0
    gangs: int = 0
    """Starts on more than one server."""
    gang_leaves: int = 0
    """Leaves that those span, added up."""

    def record(self) -> dict[str, float | int | None]:
        """Return counts and means for run.json; a mean of nothing is None."""
        leaves = self.starts - self.gangs + self.gang_leaves
        return {
            "starts": self.starts,
            "leaves_mean": leaves / self.starts if self.starts else None,
            "gang_starts": self.gangs,
            "gang_leaves_mean": self.gang_leaves / self.gangs if self.gangs else None,
        }


@dataclass(slots=True)
class Heat:
    """What heat and power limits leave of the activity and the rate of GPUs."""

    usual: Pace = (1.0, 1.0)
    servers: frozenset[int] = frozenset()
    """Those in air that is too warm, where others are not."""
    pace: Pace = (1.0, 1.0)
    """Of the jobs that have GPUs on those servers: the others wait for them."""
    jobs: set[Job] = field(default_factory=set)
    """These, as long as they run."""

    def of(self, job: Job) -> Pace:
        """Return what they leave *job*."""
        return self.pace if job in self.jobs else self.usual

    def reaches(self, placement: Placement | None) -> bool:
        """Return whether any server of *placement* is in air that is too warm."""
        return placement is not None and not self.servers.isdisjoint(placement.servers())
