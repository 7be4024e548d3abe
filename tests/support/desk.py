"""A dispatcher on a toy cluster, for tests whose subject is not the hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import simpy

from twin.cluster.cluster import Cluster
from twin.gpu.base import GpuServer
from twin.jobs.life import Dispatcher, arrivals
from twin.network.base import Fabric, Link
from twin.records import Event, Job
from twin.scheduling.base import Policy
from twin.storage.base import Storage


@dataclass
class ToyServer(GpuServer):
    """100 W idle, 100 W more for each GPU at work."""

    gpus_per_server: int = 8
    nameplate_w: float = 900.0
    mass_kg: float | None = None
    rack_units: float | None = None
    peak_flops: float = 1e12
    memory_bytes: float = 80e9
    memory_bytes_per_s: float = 2e12
    multiprocessors: int | None = None
    scale_up_bytes_per_s: float = 300e9
    link_fraction: float = 0.5
    exchange_us: float = 5.0
    attention_us: float = 10.0
    attention_speed: float | None = None
    nic_bytes_per_s: float = 200e9

    def drive(self, activity: float) -> float:
        return activity

    def power_w(self, drive: float) -> tuple[float, float]:
        return 100.0 + 100.0 * self.gpus_per_server * drive, 10.0

    def gpu_power_w(self, activity: float) -> float:
        return 100.0 * activity

    def fan_factor(self, inlet_c: float) -> float:
        return 1.0

    def limits(self, inlet_c: float, throttled: bool, tripped: bool) -> tuple[bool, bool]:
        return inlet_c > 35, inlet_c > 45

    def throttle(self) -> tuple[float, float]:
        return 0.5, 0.5

    def output_w(self, drive: float) -> float:
        return self.power_w(drive)[0]

    @property
    def least_cap(self) -> float:
        return 0.25

    def capped(self, dynamic: float) -> tuple[float, float]:
        return dynamic, dynamic


@dataclass
class OneSwitch(Fabric):
    """Everything on one leaf."""

    servers: int = 0

    def size(self, servers: int, gpus_per_server: int) -> None:
        self.servers = servers

    def graph(self) -> Any:
        return None

    def power_w(self) -> float:
        return 0.0

    def counts(self) -> dict[str, int]:
        return {}

    def leaf_of(self) -> list[int]:
        return [0] * self.servers

    def server_bytes_per_s(self) -> float:
        return 200e9

    @property
    def line_share(self) -> float:
        return 1.0

    def capacity(self) -> dict[Link, float]:
        return {}

    def route(self, servers: Mapping[int, float]) -> dict[Link, float]:
        return {}

    def route_out(self, servers: Mapping[int, float]) -> dict[Link, float]:
        return {}


@dataclass
class Disk(Storage):
    """Fixed bandwidth for reading, writing and loading together, 1 W for each byte a second."""

    bytes_per_s: float = float("inf")
    holds_bytes: float | None = None
    used_bytes: float = 0.0

    @property
    def capacity_bytes(self) -> float | None:
        return self.holds_bytes

    @property
    def load_bandwidth_bytes_per_s(self) -> float:
        return self.bytes_per_s

    @property
    def bandwidth_bytes_per_s(self) -> float:
        return self.bytes_per_s

    @property
    def write_bandwidth_bytes_per_s(self) -> float:
        return self.bytes_per_s

    def shares(self, read: float, write: float, load: float = 0.0) -> tuple[float, float]:
        asked = read + write + load
        share = min(1.0, self.bytes_per_s / asked) if asked else 1.0
        return share, share

    def room_bytes_per_s(self, read: float, write: float, load: float = 0.0) -> float:
        return max(0.0, self.bytes_per_s - read - write - load)

    def power_w(self, read: float, write: float = 0.0, load: float = 0.0) -> float:
        return min(read + write + load, self.bytes_per_s)


def job(name: str, arrived_at_s: float, gpus: int, work_s: float, **more: Any) -> Job:
    """Return a job whose limit is its work unless said otherwise."""
    more.setdefault("limit_s", work_s)
    return Job(name, "training", arrived_at_s, gpus, work_s, **more)


def desk(
    policy: Policy,
    servers: int,
    gpus_per_server: int = 8,
    disk: Storage | None = None,
    on_end: Callable[[Job], None] = lambda job: None,
    fabric: Fabric | None = None,
    record: Callable[[Event], None] = lambda event: None,
) -> Dispatcher:
    """Return a dispatcher on *servers* toy servers, one to a rack."""
    server = ToyServer(gpus_per_server=gpus_per_server)
    fabric = fabric or OneSwitch(servers=servers)
    fabric.size(servers, gpus_per_server)
    cluster = Cluster(server, servers * gpus_per_server, 1)
    disk = disk or Disk()
    env = simpy.Environment()
    return Dispatcher(env, cluster, policy, fabric, disk, on_end, record=record)


def play(dispatcher: Dispatcher, jobs: Iterable[Job], until_s: float | None = None) -> None:
    """Let *jobs* arrive and run."""
    env = dispatcher.env
    env.process(arrivals(env, iter(jobs), dispatcher.submit))
    env.run(until=until_s)


def starts(
    policy: Policy, jobs: list[Job], servers: int, gpus_per_server: int = 1
) -> dict[str, float]:
    """Return when each of *jobs* starts under *policy*."""
    play(desk(policy, servers, gpus_per_server), jobs)
    return {each.job_id: each.started_at_s for each in jobs}
