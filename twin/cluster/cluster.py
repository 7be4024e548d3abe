"""The only owner of who sits where.

Servers and racks are arrays, never processes. When a job starts, ends or changes pace, the
difference it makes to the power of its racks goes to the books of ``server_power.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from twin.cluster.free import FreeServers
from twin.cluster.inlets import RackFans
from twin.cluster.server_power import ServerPower
from twin.gpu.base import GpuServer
from twin.meter import Meter
from twin.records import Job, Placement

WIDE = 4096
"""Servers from which on a placement is booked as one array over the racks, not server by server."""


class Cluster:
    """Servers in racks, the GPUs free in them, and the power they draw.

    Server powers are multiples of 2**-10 W (see ``GpuServer.power_w``), so sums of
    differences are exact and do not drift however many jobs come and go.
    """

    def __init__(self, server: GpuServer, gpus: int, servers_per_rack: int) -> None:
        size = server.gpus_per_server
        self.server = server
        self.gpus = gpus
        self.servers = -(-gpus // size)
        self.racks = -(-self.servers // servers_per_rack)
        capacities = [size] * self.servers
        capacities[-1] = gpus - size * (self.servers - 1)
        self.capacities = capacities
        self._last_is_part_filled = capacities[-1] < size
        self.free = FreeServers(capacities, size)
        self.rack_of = [i // servers_per_rack for i in range(self.servers)]
        self._drives = [0.0] * self.servers  # of servers shared by several jobs
        self._idle_w, self._idle_fan_w = server.power_w(0.0)
        self._out = [0] * self.servers  # reasons for which a server is out of service
        self._off = [0] * self.servers  # reasons for which it has no power
        self.branch_of = [0] * self.racks
        """Which branch of the feed each rack hangs on."""
        self.row_of = list(range(self.racks))
        """Which row each rack stands in; where rows are not looked at, one of its own."""
        self._barred: dict[int, int] = {}  # servers closed to new jobs, and GPUs held for that
        self._bars = [0] * self.servers
        self.servers_out = 0
        self.servers_on = self.servers
        self.gpus_out = Meter()
        """GPUs out of service, and their time."""
        in_rack = self._servers_in_rack(self.rack_of)
        self.power = ServerPower(in_rack, self._idle_w, self._idle_fan_w)
        """What the servers draw, rack by rack."""

    def draw_warm(self, rise_k: Sequence[float]) -> None:
        """Let each rack draw air so much warmer than the hall's inlet; before the first job."""
        fan_w = self._servers_in_rack(self.rack_of) * self._idle_fan_w
        self.power.fans = RackFans(rise_k, fan_w)

    def row_power_w(self) -> list[float]:
        """Return the power of each row now; racks are watched from the first call on [W]."""
        rows_w = [0.0] * (self.row_of[-1] + 1)
        racks_w = self.power.watched_w or self.power.watch()
        for row, rack_w in zip(self.row_of, racks_w, strict=True):
            rows_w[row] += rack_w
        return rows_w

    def row_at(self, placement: Placement) -> int:
        """Return the row of the first server of *placement*."""
        return self.row_of[self.rack_of[placement.servers()[0]]]

    def place(self, job: Job, placement: Placement, drive: float, now_s: float) -> None:
        """Seat *job* at *placement* with its GPUs at *drive*."""
        self.free.take(placement)
        job.placement = placement
        job.drive = 0.0
        job.server_w, job.server_fan_w = self._idle_w, self._idle_fan_w
        placement.racks = list(map(self.rack_of.__getitem__, placement.whole))
        if len(placement.racks) >= WIDE:
            placement.servers_in_rack = self._servers_in_rack(placement.racks)
        racks = set(placement.racks)
        if placement.part_gpus:
            racks.add(self.rack_of[placement.part_server])
        job.rack_spread = len(racks)
        self.drive(job, drive, now_s)

    def remove(self, job: Job, now_s: float) -> None:
        """Take *job* off its servers."""
        placement = job.placement
        assert placement is not None
        self._set(job, placement, 0.0, self._idle_w, self._idle_fan_w, now_s)
        self.free.give(placement)
        job.placement = None
        job.power_w = 0.0
        if self._barred:
            self._hold(placement.servers(), now_s)

    def drive(self, job: Job, drive: float, now_s: float) -> None:
        """Let the GPUs of *job* run at *drive* from now on, and set its share of power."""
        placement = job.placement
        assert placement is not None
        server_w, server_fan_w = self.server.power_w(drive)
        self._set(job, placement, drive, server_w, server_fan_w, now_s)
        job.power_w = server_w * job.gpus / self.server.gpus_per_server

    def _set(
        self,
        job: Job,
        placement: Placement,
        drive: float,
        server_w: float,
        server_fan_w: float,
        now_s: float,
    ) -> None:
        if drive != job.drive:
            if placement.racks:
                step_w, step_fan_w = server_w - job.server_w, server_fan_w - job.server_fan_w
                if placement.servers_in_rack is None:
                    self.power.book(placement.racks, step_w, step_fan_w, now_s)
                else:
                    number, in_rack = len(placement.racks), placement.servers_in_rack
                    self.power.book_wide(number, in_rack, step_w, step_fan_w, now_s)
            if placement.part_gpus:
                self._drive_part(placement, drive - job.drive, now_s)
        job.drive = drive
        job.server_w = server_w
        job.server_fan_w = server_fan_w

    def _drive_part(self, placement: Placement, change: float, now_s: float) -> None:
        """Change the drive of a server that several jobs may share."""
        server = placement.part_server
        before = self._drives[server]
        after = before + change * placement.part_gpus / self.server.gpus_per_server
        if after < 1e-12:
            after = 0.0
        self._drives[server] = after
        before_w, before_fan_w = self.server.power_w(before)
        after_w, after_fan_w = self.server.power_w(min(after, 1.0))
        self.power.book(
            [self.rack_of[server]], after_w - before_w, after_fan_w - before_fan_w, now_s
        )

    def busy_servers(self) -> int:
        """Return how many servers hold at least one job."""
        busy = self.servers - len(self.free.whole) - self.servers_out
        if self._barred:
            held = self._barred.items()
            busy -= sum(gpus == self.capacities[server] for server, gpus in held)
        if self._last_is_part_filled and self.free.free[-1] == self.capacities[-1]:
            return busy - 1
        return busy

    def take_out(self, servers: Iterable[int], now_s: float) -> None:
        """Let nobody sit on *servers*, which must be empty, until :meth:`put_back`.

        A server may be out for several reasons at once; each must be put back.
        """
        gone = [server for server in servers if _more(self._out, server) == 1]
        self._let_go([server for server in gone if server in self._barred], now_s)
        for placement in self._seats(gone):
            self.free.take(placement)
            self.gpus_out.add(now_s, placement.gpus())
        self.servers_out += len(gone)

    def put_back(self, servers: Iterable[int], now_s: float) -> None:
        """Undo one :meth:`take_out` of each of *servers*."""
        back = [server for server in servers if _less(self._out, server) == 0]
        for placement in self._seats(back):
            self.free.give(placement)
            self.gpus_out.add(now_s, -placement.gpus())
        self.servers_out -= len(back)
        self._hold(back, now_s)

    def bar(self, servers: Iterable[int], now_s: float) -> None:
        """Let nobody new sit on *servers*; who sits there may stay. Until :meth:`unbar`.

        A server may be barred for several reasons at once; each must be undone.
        """
        for server in servers:
            if _more(self._bars, server) == 1:
                self._barred[server] = 0
        self._hold(list(self._barred), now_s)

    def unbar(self, servers: Iterable[int], now_s: float) -> None:
        """Undo :meth:`bar`."""
        for server in servers:
            if _less(self._bars, server) == 0:
                self._let_go([server], now_s)
                del self._barred[server]

    def _hold(self, servers: Iterable[int], now_s: float) -> None:
        """Hold what is free on the barred ones of *servers*, unless they are out of service."""
        for server in servers:
            free = self.free.free[server]
            if free and server in self._barred and not self._out[server]:
                self.free.take(self._seat_of(server, free))
                self._barred[server] += free
                self.gpus_out.add(now_s, free)

    def _let_go(self, servers: Iterable[int], now_s: float) -> None:
        """Free what is held of barred *servers*."""
        for server in servers:
            held = self._barred[server]
            if held:
                self.free.give(self._seat_of(server, held))
                self._barred[server] = 0
                self.gpus_out.add(now_s, -held)

    def _seat_of(self, server: int, gpus: int) -> Placement:
        """Return the seat of so many GPUs of *server*."""
        size = self.server.gpus_per_server
        return Placement([server], size) if gpus == size else Placement([], size, server, gpus)

    def _seats(self, servers: list[int]) -> list[Placement]:
        """Return all seats of *servers*."""
        size = self.server.gpus_per_server
        whole = [server for server in servers if self.capacities[server] == size]
        seats = [Placement(sorted(whole), size)] if whole else []
        parts = [server for server in servers if self.capacities[server] < size]
        seats += [Placement([], size, server, self.capacities[server]) for server in parts]
        return seats

    def switch_off(self, servers: Iterable[int], now_s: float) -> None:
        """Cut the power of *servers*, which must be empty, until :meth:`switch_on`."""
        self._switch([server for server in servers if _more(self._off, server) == 1], -1.0, now_s)

    def switch_on(self, servers: Iterable[int], now_s: float) -> None:
        """Undo one :meth:`switch_off` of each of *servers*; those without another idle."""
        self._switch([server for server in servers if _less(self._off, server) == 0], 1.0, now_s)

    def _switch(self, servers: list[int], sign: float, now_s: float) -> None:
        racks = [self.rack_of[server] for server in servers]
        step_w, step_fan_w = sign * self._idle_w, sign * self._idle_fan_w
        if len(racks) < WIDE:
            self.power.book(racks, step_w, step_fan_w, now_s)
        else:
            self.power.book_wide(
                len(racks), self._servers_in_rack(racks), step_w, step_fan_w, now_s
            )
        self.servers_on += int(sign) * len(servers)

    @property
    def idle_power_w(self) -> float:
        """Power of all servers that are on, were none of them busy [W]."""
        return self.servers_on * self._idle_w

    def _servers_in_rack(self, racks: Sequence[int]) -> NDArray[np.float64]:
        return np.bincount(racks, minlength=self.racks).astype(float)


def _more(reasons: list[int], server: int) -> int:
    reasons[server] += 1
    return reasons[server]


def _less(reasons: list[int], server: int) -> int:
    reasons[server] -= 1
    return reasons[server]
