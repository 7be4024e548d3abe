"""What breaks, when, and when it is repaired: one SimPy process for each source of faults.

A *unit* is everything of one name (all chillers, all UPS modules, all servers) and
consists of equal *machines*. A scheduled fault takes a fraction of a unit out at a known
time. A random source lets each machine of its unit break after an exponential time in
service, independently of the others; a machine that is down cannot break again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Annotated, Literal, Protocol

import numpy as np
import simpy

from twin.config import NonNegative, Positive, PositiveFraction, Range
from twin.errors import ConfigError, suggest
from twin.jobs.life import Dispatcher
from twin.records import Event
from twin.rng import RngFor
from twin.units import SECONDS_PER_HOUR

Record = Callable[[Event], None]


@dataclass(slots=True)
class ScheduledFault:
    """A fault at a known time, and its repair."""

    unit: str
    """What breaks, as ``family.unit``, e.g. ``cooling.chiller``."""
    at_hours: NonNegative
    repair_hours: Positive
    """From the fault to the repair. [h]"""
    fraction: PositiveFraction = 1.0
    """Share of the unit that is lost: 0.5 is one of two chillers. Of all but the cooling plant
    whole machines are: 0.2 of two UPS is one of them. [-]"""
    notice_hours: NonNegative = 0.0
    """Servers only: maintenance by plan, so long before which they take no new jobs. [h]"""


@dataclass(slots=True)
class RandomFault:
    """A source of random faults: every machine of a unit may break at any time."""

    unit: str
    """What breaks, as ``family.unit``, e.g. ``it.node``."""
    mttf_hours: Annotated[float, Range(0.1)]
    """Mean time of one machine from its repair to its next failure; one that fails more often
    never works, and its failures would be counted one by one. [h]"""
    repair_hours: Positive
    """Mean time to repair. [h]"""
    repair: Literal["exponential", "fixed"]


@dataclass(slots=True)
class Faults:
    """All faults of a run, by names of the user's choice."""

    scheduled: dict[str, ScheduledFault]
    random: dict[str, RandomFault]
    breaker_reset_minutes: Positive
    """From a breaker's trip until somebody has closed it again. [min]"""

    def check(self, machines: Mapping[str, int]) -> None:
        """Refuse a fault on a thing that does not exist, and overlapping scheduled faults.

        Parameters
        ----------
        machines : mapping of str to int
            How many machines each unit consists of.
        """
        for name, source in self.random.items():
            _check_unit(f"faults.random.{name}", source.unit, machines)
        ends: dict[str, tuple[float, str]] = {}
        for name, fault in sorted(self.scheduled.items(), key=lambda item: item[1].at_hours):
            path = f"faults.scheduled.{name}"
            _check_unit(path, fault.unit, machines)
            if fault.notice_hours and not fault.unit.startswith("it."):
                raise ConfigError(
                    f"{path}.notice_hours={fault.notice_hours:g}: must be 0 for {fault.unit}: "
                    "only servers can be drained of jobs"
                )
            if fault.notice_hours > fault.at_hours:
                raise ConfigError(
                    f"{path}.notice_hours={fault.notice_hours:g}: must be <= at_hours="
                    f"{fault.at_hours:g}: nobody is told before the run begins"
                )
            end_hours, other = ends.get(fault.unit, (0.0, ""))
            if fault.at_hours < end_hours:
                raise ConfigError(
                    f"{path}.at_hours={fault.at_hours:g}: {fault.unit} is still under repair "
                    f"from faults.scheduled.{other} until hour {end_hours:g}"
                )
            ends[fault.unit] = (fault.at_hours + fault.repair_hours, name)

    def beyond(self, duration_hours: float) -> list[str]:
        """Return a note for each scheduled fault that a run of *duration_hours* never reaches."""
        return [
            f"faults.scheduled.{name}.at_hours={fault.at_hours:g}: not within the run of "
            f"{duration_hours:g} h, so it does not happen"
            for name, fault in self.scheduled.items()
            if fault.at_hours >= duration_hours
        ]


def _check_unit(path: str, unit: str, machines: Mapping[str, int]) -> None:
    if unit not in machines:
        raise ConfigError(f"{path}.unit={unit!r}: {suggest(unit, machines)}")
    if machines[unit] < 1:
        raise ConfigError(f"{path}.unit={unit!r}: there is none here to break")


# ---- units -------------------------------------------------------------------


class Unit(Protocol):
    """What can break."""

    @property
    def machines(self) -> int:
        """How many machines it consists of."""

    def lose(self, fraction: float) -> None:
        """Let a scheduled fault take *fraction* of it out; 0 gives that back."""

    def fail(self, machine: int) -> None:
        """Let one of its machines break."""

    def mend(self, machine: int) -> None:
        """Undo one :meth:`fail` of that machine."""


@dataclass(slots=True)
class Group:
    """Machines alike, of which it matters only how many are in service."""

    machines: int
    act: Callable[[float], None]
    """Takes the fraction 0-1 that is in service from now on."""
    _lost: float = field(init=False, default=0.0)
    _broken: Counter[int] = field(init=False, default_factory=Counter)

    def lose(self, fraction: float) -> None:
        """Let a scheduled fault take *fraction* of it out; 0 gives that back."""
        self._lost = fraction
        self.act(self.available)

    def fail(self, machine: int) -> None:
        """Let one of its machines break."""
        self._broken[machine] += 1
        self.act(self.available)

    def mend(self, machine: int) -> None:
        """Undo one :meth:`fail` of that machine."""
        self._broken[machine] -= 1
        if not self._broken[machine]:
            del self._broken[machine]
        self.act(self.available)

    @property
    def available(self) -> float:
        """Return the fraction in service; machines lost by plan and by chance are others."""
        return max(0.0, 1.0 - self._lost - len(self._broken) / self.machines)

    def reset(self) -> None:
        """Put what is in service there once more: a breaker is closed again."""
        self.act(self.available)


@dataclass(slots=True)
class Servers:
    """Servers, or GPUs that take their server out of service until they are replaced."""

    machines: int
    per_server: int
    """Machines in one server: 1, or its GPUs."""
    dispatcher: Dispatcher
    rng: np.random.Generator
    """Chooses whom a scheduled fault hits."""
    restart_s: float
    _lost: list[int] = field(init=False, default_factory=list)
    _drained: list[int] = field(init=False, default_factory=list)

    def drain(self, fraction: float) -> int:
        """Let the servers of the next scheduled fault take no new jobs; return how many."""
        desk = self.dispatcher
        self._drained = self._choose(fraction)
        desk.cluster.bar(self._drained, desk.env.now)
        desk.board.changes += 1
        return len(self._drained)

    def lose(self, fraction: float) -> None:
        """Let a scheduled fault take that fraction of all servers; 0 gives them back."""
        if self._lost:
            self.dispatcher.start_up(self._lost, self.restart_s)
            self._lost = []
        if fraction == 0.0:
            return
        self._lost = self._drained or self._choose(fraction)
        self._stop(self._lost)
        if self._drained:
            self.dispatcher.cluster.unbar(self._drained, self.dispatcher.env.now)
            self._drained = []

    def _choose(self, fraction: float) -> list[int]:
        servers = self.dispatcher.cluster.servers
        hit = ceil(fraction * servers - 1e-9)
        return sorted(self.rng.permutation(servers)[:hit].tolist())

    def fail(self, machine: int) -> None:
        """Let one of its machines break: its jobs stop, its server is off until repaired."""
        self._stop([machine // self.per_server])

    def mend(self, machine: int) -> None:
        """Undo one :meth:`fail` of that machine."""
        self.dispatcher.start_up([machine // self.per_server], self.restart_s)

    def _stop(self, servers: list[int]) -> None:
        if servers:
            self.dispatcher.shut_down(servers)
            self.dispatcher.dispatch()


@dataclass(slots=True)
class Wiring:
    """Switches or cables of the fabric: each has its place, so it matters which one is lost."""

    machines: int
    unit: str
    """As the fabric calls them."""
    dispatcher: Dispatcher
    rng: np.random.Generator
    """Chooses whom a scheduled fault hits."""
    record: Record
    _lost: list[int] = field(init=False, default_factory=list)
    _broken: Counter[int] = field(init=False, default_factory=Counter)

    def lose(self, fraction: float) -> None:
        """Let a scheduled fault take that fraction of them; 0 gives them back."""
        hit = ceil(fraction * self.machines - 1e-9)
        self._lost = sorted(self.rng.permutation(self.machines)[:hit].tolist())
        self._rewire()

    def fail(self, machine: int) -> None:
        """Let one of them break."""
        self._broken[machine] += 1
        self._rewire()

    def mend(self, machine: int) -> None:
        """Undo one :meth:`fail` of that machine."""
        self._broken[machine] -= 1
        if not self._broken[machine]:
            del self._broken[machine]
        self._rewire()

    def _rewire(self) -> None:
        desk = self.dispatcher
        servers, jobs = desk.rewire(self.unit, {*self._lost, *self._broken})
        if servers:
            detail = f"{servers} servers off the fabric, {jobs} jobs across them stopped"
            self.record(Event(desk.env.now, "cut_off", f"network.{self.unit}", detail))
        desk.dispatch()


# ---- processes ---------------------------------------------------------------

Life = Generator[simpy.Event, None, None]


def _what_breaks(fault: ScheduledFault, unit: Unit) -> str:
    """Say what a scheduled fault takes: of the feed whole machines, of others a share."""
    if fault.unit.startswith("power."):
        lost = ceil(fault.fraction * unit.machines - 1e-9)
        return f"{lost} of {unit.machines} out of service"
    return f"{fault.fraction:.0%} of it out of service"


def scheduled_fault(
    env: simpy.Environment, fault: ScheduledFault, unit: Unit, record: Record
) -> Life:
    """Wait, break, wait, repair; drain before where notice is given."""
    if fault.notice_hours and isinstance(unit, Servers):
        yield env.timeout((fault.at_hours - fault.notice_hours) * SECONDS_PER_HOUR)
        detail = f"{unit.drain(fault.fraction)} servers take no new jobs"
        record(Event(env.now, "notice", fault.unit, detail))
    yield env.timeout(fault.at_hours * SECONDS_PER_HOUR - env.now)
    record(Event(env.now, "fault", fault.unit, _what_breaks(fault, unit)))
    unit.lose(fault.fraction)
    yield env.timeout(fault.repair_hours * SECONDS_PER_HOUR)
    record(Event(env.now, "repair", fault.unit, f"after {fault.repair_hours:g} h"))
    unit.lose(0.0)


@dataclass(slots=True)
class Source:
    """A random source at work: what it is, what it has broken."""

    name: str
    fault: RandomFault
    unit: Unit
    rng: np.random.Generator
    record: Record
    down: set[int] = field(default_factory=set)

    def live(self, env: simpy.Environment) -> Life:
        """Break machines for ever.

        All machines together would break at ``machines / mttf``; each time one of them is
        drawn, and nothing happens where it is down already. So a machine breaks at
        ``1 / mttf`` while it is up, whatever the others do.
        """
        fault, rng = self.fault, self.rng
        mean_s = fault.mttf_hours * SECONDS_PER_HOUR / self.unit.machines
        while True:
            yield env.timeout(rng.exponential(mean_s))
            machine = int(rng.integers(self.unit.machines))
            repair_s = fault.repair_hours * SECONDS_PER_HOUR
            if fault.repair == "exponential":
                repair_s *= rng.exponential()
            if machine not in self.down:
                env.process(self._repair(env, machine, repair_s))

    def _repair(self, env: simpy.Environment, machine: int, repair_s: float) -> Life:
        """Break *machine* now and mend it after *repair_s*."""
        self.down.add(machine)
        which = f"machine {machine + 1} of {self.unit.machines}"
        where = self.fault.unit
        self.record(Event(env.now, "fault", where, f"{which} ({self.name})"))
        self.unit.fail(machine)
        yield env.timeout(repair_s)
        self.down.remove(machine)
        detail = f"{which} after {repair_s / SECONDS_PER_HOUR:.2f} h"
        self.record(Event(env.now, "repair", where, detail))
        self.unit.mend(machine)


def start(
    env: simpy.Environment,
    faults: Faults,
    units: Mapping[str, Unit],
    record: Record,
    rng: RngFor,
) -> None:
    """Start one process for each scheduled fault and each random source.

    By name, so that what breaks at one instant does not depend on the order it is listed in.
    """
    for _, fault in sorted(faults.scheduled.items()):
        env.process(scheduled_fault(env, fault, units[fault.unit], record))
    for name, source in sorted(faults.random.items()):
        dice = rng(f"faults.{name}")
        env.process(Source(name, source, units[source.unit], dice, record).live(env))
