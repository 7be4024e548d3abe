"""The records that cross borders between families: plain data, no behaviour of models.

Instants ``_at_s`` count seconds from the start of the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.rng import RngFor

QUEUED = "queued"
RUNNING = "running"
COMPLETED = "completed"
KILLED = "killed"


@dataclass(slots=True)
class Placement:
    """Which GPUs a job holds: whole servers, and at most one server in part.

    ``per_server_gpus`` is the size of a whole server, so the placement holds
    ``len(whole) * per_server_gpus + part_gpus`` GPUs.
    """

    whole: list[int]
    per_server_gpus: int
    part_server: int = -1
    part_gpus: int = 0
    racks: Sequence[int] = ()
    """Rack of each whole server; filled in by the cluster."""
    servers_in_rack: Any = None
    """How many of them stand in each rack of the hall, an array, where there are very many."""

    def servers(self) -> list[int]:
        """Return every server touched."""
        return [*self.whole, self.part_server] if self.part_gpus else self.whole

    def gpus(self) -> int:
        """Return the number of GPUs held."""
        return len(self.whole) * self.per_server_gpus + self.part_gpus


@dataclass(slots=True, eq=False)
class Job:
    """Remaining work with a rate: never an end time.

    ``work_s`` is the time the job needs where nothing slows it; while it runs,
    ``remaining_s`` falls at ``rate`` seconds of work per second.
    """

    job_id: str
    kind: str
    """training, inference, labelling, simulation, ... ; free text shown in the output."""
    arrived_at_s: float
    gpus: int
    work_s: float
    """Work at rate 1; ``inf`` for a service that never ends by itself. [s]"""
    limit_s: float
    """The user's estimate of the run time, for reservations only. [s]"""
    activity: float = 1.0
    """GPU activity 0-1 while running at rate 1; drives power. [-]"""
    account: str = ""
    priority: int = 0
    comm_fraction: float = 0.0
    """Share of a step spent in communication that is not hidden, at full bandwidth. [-]"""
    read_bytes_per_s: float = 0.0
    """Data read from shared storage at rate 1, whole job. [B/s]"""
    checkpoint_s: float = float("inf")
    """Work between two checkpoints; what a stop loses at most. ``inf``: none kept. [s]"""
    flops: float = 0.0
    """Useful floating-point operations of the whole job; 0 where unknown."""
    duty: float = 1.0
    """Share of its time that its GPUs spend at ``activity``; the rest at ``low_activity``.
    They change within seconds, so servers draw the mean of both. [-]"""
    low_activity: float = 0.0
    restart_s: float = 0.0
    """From a new start after a stop to the first work: loading the checkpoint. [s]"""
    save_s: float = float("inf")
    """From the order to make way to a written checkpoint; ``inf``: it can write none. [s]"""
    write_bytes_per_s: float = 0.0
    """Data written to shared storage at rate 1, whole job, in the mean. [B/s]"""
    burst_bytes_per_s: float = 0.0
    """What a checkpoint that stops the work is written with where storage has room; 0 where
    none does. [B/s]"""
    burst_fraction: float = 0.0
    """Share of its time at rate 1 that such checkpoints stop it. [-]"""
    step_s: float = 0.0
    """Time of one step of synchronous work at rate 1, over which ``duty`` repeats; 0: unknown."""
    checkpoint_bytes: float = 0.0
    """Size of one of its checkpoints, read again at a restart. [B]"""
    keep: float = 2.0
    """Newest checkpoints that stay on the storage while it lives; ``inf``: all."""
    stays: bool = False
    """Whether they stay there when it has ended."""
    hidden_comm: tuple[tuple[float, float], ...] = ()
    """Communication hidden behind work, at full bandwidth, and the work it can hide behind, both
    over step time. Where the first takes longer than the second, the rest is not hidden. [-]"""

    # ---- life, owned by the room of jobs ----
    status: str = QUEUED
    started_at_s: float = float("nan")
    """First start."""
    finished_at_s: float = float("nan")
    remaining_s: float = 0.0
    saved_s: float = 0.0
    """Work in the checkpoint it last started from, or left behind. [s]"""
    rate: float = 0.0
    rate_since_s: float = 0.0
    worked_s: float = 0.0
    """Work done since it took the GPUs it has, kept or lost later. [s]"""
    ready_at_s: float = 0.0
    """When a restart is over and work goes on, or a last checkpoint is written."""
    stands: bool = False
    """Whether it holds GPUs and does no work until then; they are at their low level."""
    service_s: float = 0.0
    """Time spent holding GPUs. [s]"""
    restarts: int = 0
    lost_gpu_s: float = 0.0
    energy_j: float = 0.0
    rack_spread: int = 0
    placement: Placement | None = None
    drive: float = 0.0
    """Drive of its GPUs now, 0-1. [-]"""
    power_w: float = 0.0
    """Its share of server power now. [W]"""
    server_w: float = 0.0
    """Power of a server it has for itself, of which ``server_fan_w`` fans. [W]"""
    server_fan_w: float = 0.0
    network_factor: float = 1.0
    """Rate factor that its placement leaves, 0-1. [-]"""
    due: Any = None
    """The SimPy event at which it ends, or works again, where nothing changes before."""
    held: int = 0
    """Its checkpoints that take room on the storage, where room is kept account of."""
    saves: int = 0
    """Checkpoints begun since ``saved_s``, with or without room for them; likewise."""
    safe_s: float = float("inf")
    """Work in its newest checkpoint where one found no room since; ``inf``: none did. [s]"""
    save_due: Any = None
    """The SimPy event at which it looks for room for the next."""
    unread_bytes: float = 0.0
    """Of the checkpoint it starts again from. [B]"""
    load_bytes_per_s: float = 0.0
    """What that is read with where the storage has nothing else to do; 0: it is not read now."""
    loading_bytes_per_s: float = 0.0
    """What it is read with now. [B/s]"""


@dataclass(slots=True)
class Weather:
    """Outdoor air at one instant."""

    drybulb_c: float
    wetbulb_c: float


@dataclass(frozen=True, slots=True)
class Sunshine:
    """Where the sun stands over a run and what arrives, hour by hour; arrays of one length."""

    first_at_s: float
    """When the first hour begins, 0 or before. [s]"""
    middles_utc: NDArray[np.datetime64]
    latitude: float
    longitude: float
    altitude_m: float
    drybulb_c: NDArray[np.float64]
    irradiance_w_per_m2: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None
    """Means of the hour: global horizontal, direct normal, diffuse horizontal; None: not known."""
    wind_m_per_s: NDArray[np.float64] | None
    source: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a training step and its checkpoints see of the cluster; bandwidths one way."""

    memory_bytes: float
    """Memory of one GPU. [B]"""
    memory_bytes_per_s: float
    domain_gpus: int
    """GPUs of a scale-up domain: those of a server, or of a rack of NVLink; 1: none."""
    domain_bytes_per_s: float
    """Bandwidth of one GPU inside its domain. [B/s]"""
    fabric_bytes_per_s: float
    """Bandwidth of one GPU into the fabric, at line rate. [B/s]"""
    storage_bytes_per_s: float
    """Writing to shared storage, all of it. [B/s]"""
    gpu_power_w: Callable[[float], float]
    """Power of one GPU by its activity 0-1. [W]"""
    link_fraction: float
    """Of its bandwidth to others, what a GPU reaches in adding up the layers of a served model."""
    exchange_s: float
    """What each exchange of such a sum takes, whatever its size. [s]"""
    attention_s: float
    """What attention of a decode step takes in each layer besides reading. [s]"""
    storage_holds_bytes: float | None = None
    """Capacity of shared storage, None where it is not known. [B]"""
    multiprocessors: int | None = None
    """Of one GPU, None where they are not known."""
    attention_speed: float | None = None
    """Of attention in training, over that of matrix products; None where it is not known. [-]"""


@dataclass(slots=True)
class WorkloadContext:
    """What a workload may know when it makes jobs."""

    start: datetime
    """Site-local date and time of second 0."""
    duration_s: float
    gpus: int
    gpus_per_server: int
    gpu_peak_flops: float
    """Dense FP16/BF16 peak of one GPU. [FLOP/s]"""
    rng: RngFor
    hardware: Hardware | None = None
    """What steps of training are worked out from; None where nobody asks."""


@dataclass(slots=True)
class Service:
    """A fleet of identical replicas that answers requests for as long as the run lasts.

    It asks for its GPUs as jobs of unending work; their activity follows demand in
    steps of ``step_s`` (its own step, so the heartbeat does not change its energy).
    """

    name: str
    gpus: int
    """Of the whole fleet; of one replica where ``replicas`` is given."""
    step_s: float
    profile: Any
    """``ServiceProfile`` of workload/base.py: demand, activity and tokens in each step."""
    replicas: Any = None
    """Replicas that want GPUs in each step, shape (steps,); None: the fleet keeps them all."""
    serving: Any = None
    """How many of them serve, those started first; None: all. The others are starting."""
    jobs: list[Job] = field(default_factory=list)
    """Its jobs, in order of their start; owned by offers.py."""
    started: int = 0
    from_step: int = 0
    """Step in which it asks for its GPUs; before it there is nothing."""
    paced: Callable[[float], Any] | None = None
    """The profile if GPUs work at this fraction of their own rate; None: the same."""
    router: Any = None
    """``Router`` of workload/routing.py: what each of its jobs does; None: all the same."""
    asked_at_s: list[float] = field(default_factory=list)
    """When each of its ``replicas`` asks for GPUs, rising; empty: as soon as it is wanted. [s]"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the replicas of a service stand, and what its router may know of that place."""

    rows: list[int]
    """Of each replica: its row, or its rack where rows are not looked at."""
    others_w: list[float]
    """What each row draws without what these replicas draw beyond idling. [W]"""
    power_w: Callable[[float], float]
    """What a replica draws beyond idling, by the activity of its GPUs. [W]"""
    capped: Callable[[float], tuple[float, float]] | None = None
    """Activity and rate of GPUs held to a part of their dynamic power, over their own; None:
    they cannot be."""


@dataclass(slots=True)
class Inlet:
    """Data that flows into the shared storage beside all jobs, at one demand in each step."""

    step_s: float
    turn: Callable[[float, float], tuple[float, list[Job]]]
    """Told at each step's start the second and what was written so far in bytes; returns what
    is to be written in this step, in B/s, and the jobs that what was written sets free."""
    retention_s: float = float("inf")
    """How long what was written stays on the storage."""

    # ---- owned by storage_traffic.py and saving.py ----
    wanted_bytes_per_s: float = 0.0
    written_bytes: float = 0.0
    """Up to ``since_s``, from the start of the run on."""
    since_s: float = 0.0
    kept: deque[tuple[float, float]] = field(default_factory=deque)
    """(When it is deleted, bytes) of what was written, where room is kept account of."""
    kept_bytes: float = 0.0
    """All of ``written_bytes`` that was ever among those."""
    reserved_bytes: float = 0.0
    """Room taken for the present step."""
    outside: bool = False
    """Whether some of it waits because there is no room."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a finished run had, and what all its jobs and services took of it."""

    seconds: float
    gpus: int
    held_gpu_s: float
    read_bytes: float
    written_bytes: float
    """To the shared storage, by jobs and by what flows in beside them."""
    storage_load: Callable[[float, float], float]
    """What is asked of the storage over what it has, at these B/s read and written."""
    room: tuple[float, float] | None = None
    """(What lies on the storage, what it can hold), in bytes, if uploads wait for room at the end;
    None: they do not."""


@dataclass(slots=True)
class FlowReport:
    """What came of a pipeline of batches: for the summary, for run.json, and over time."""

    summary: dict[str, float | int | None]
    details: dict[str, Any]
    series: dict[str, Any]
    """Columns of ``pipeline.parquet``, arrays of one length."""


@dataclass(slots=True)
class Event:
    """One row of ``events.parquet``."""

    at_s: float
    kind: str
    where: str
    detail: str


@dataclass(slots=True)
class LoadReport:
    """What a reader of a file did with its rows."""

    path: str
    read: int = 0
    used: int = 0
    refused: list[str] = field(default_factory=list)
    """``file:line: why`` of each refused row, the first 20."""
    refused_count: int = 0
    notes: list[str] = field(default_factory=list)
    """Things a reader of the results must know, e.g. that limits were invented."""
    measured: dict[str, float] = field(default_factory=dict)
    """Measured figures to print beside the simulated ones."""
