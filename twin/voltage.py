"""Who has voltage: servers, motors and lights follow what the feed can give them.

The feed says what happened to it and which loads have voltage; this stops what has
none and starts it again. Network and storage stand in the racks as the servers do, so
they lose their share with them. Energy counts as unserved from the moment a load loses
its voltage until it has it back, at the power it drew at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from math import inf

import simpy

from twin.jobs import Dispatcher
from twin.power.base import Change, PowerFeed
from twin.records import Event
from twin.units import SECONDS_PER_MINUTE

OPENED = ("trip", "bypass")
"""Changes after which somebody must put things right by hand."""


@dataclass(slots=True)
class Motors:
    """The plant's units, each in service as far as it is whole *and* has voltage."""

    set_available: Callable[[str, float], None]
    """Of the plant: unit, fraction in service."""
    whole: dict[str, float]
    """Fraction of each unit that is not broken."""
    powered: float = 1.0
    _told: dict[str, float] = field(init=False, default_factory=dict)

    def repair(self, unit: str, fraction: float) -> None:
        """Let *fraction* of *unit* be whole from now on."""
        self.whole[unit] = fraction
        self._tell(unit)

    def power(self, fraction: float) -> None:
        """Let *fraction* of all motors have voltage from now on."""
        self.powered = fraction
        for unit in self.whole:
            self._tell(unit)

    def _tell(self, unit: str) -> None:
        fraction = self.whole[unit] * self.powered
        if self._told.get(unit, 1.0) != fraction:  # the same news twice would restart a restart
            self._told[unit] = fraction
            self.set_available(unit, fraction)


@dataclass(slots=True)
class Voltage:
    """What has voltage now, and what went without."""

    env: simpy.Environment
    feed: PowerFeed
    dispatcher: Dispatcher
    motors: Motors
    record: Callable[[Event], None]
    restart_s: float
    """From power to a server that takes jobs. [s]"""
    reset_s: float
    """From a trip until the breaker is closed again. [s]"""
    resets: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """Element -> puts it right after a trip."""
    it: float = 1.0
    """Fraction of the IT load that has voltage. [-]"""
    mechanical: float = 1.0
    aux: float = 1.0
    unserved_w: float = 0.0
    """What dead loads drew when they lost their voltage. [W]"""
    lost_at_s: float = -inf
    """When motors broke or lost their voltage last, or racks did. [s]"""
    _racks_w: dict[str, float] = field(init=False, default_factory=dict)
    """Rack groups without voltage, and what each drew. [W]"""
    _motors_w: float = field(init=False, default=0.0)
    """What motors without voltage drew. [W]"""

    def follow(self, spread_w: float, plant_w: float, aux_w: float) -> None:
        """Do what the feed's latest changes mean, and write them down.

        Parameters
        ----------
        spread_w, plant_w, aux_w : float
            What network and storage, the plant, and the auxiliaries draw where all have
            voltage. [W]
        """
        changes = self.feed.take_changes()
        if not changes:
            return
        for change in changes:
            self._write(change)
            if change.kind in OPENED and change.where in self.resets:
                self.env.process(self._reset(change))
        self._racks(spread_w)
        self.it = self.feed.fed_fraction("it")
        before, self.mechanical = self.mechanical, self.feed.fed_fraction("mechanical")
        if self.mechanical != before:
            self._motors(before, plant_w)
        self.aux = self.feed.fed_fraction("aux")
        dead_w = sum(self._racks_w.values()) + self._motors_w
        self.unserved_w = dead_w + (1.0 - self.aux) * aux_w
        self.dispatcher.dispatch()

    def break_motors(self, unit: str, fraction: float) -> None:
        """Let *fraction* of a unit of the plant be whole from now on."""
        if fraction < self.motors.whole[unit]:
            self.lost_at_s = self.env.now
        self.motors.repair(unit, fraction)

    def _write(self, change: Change) -> None:
        detail = change.detail
        if change.kind == "battery":
            minutes = self.feed.battery_lasts_s(change.where) / SECONDS_PER_MINUTE
            detail += f"; lasts {minutes:.1f} min at this load"
        self.record(Event(self.env.now, change.kind, f"power.{change.where}", detail))

    def _racks(self, spread_w: float) -> None:
        """Stop the servers of racks that have gone dead, start those that have power again."""
        now_s, desk = self.env.now, self.dispatcher
        cluster = desk.cluster
        passed = 0.0
        for name, share, alive in self.feed.rack_groups():
            first, last = (round(part * cluster.racks) for part in (passed, passed + share))
            passed += share
            if alive == (name not in self._racks_w):
                continue
            servers = [i for i, rack in enumerate(cluster.rack_of) if first <= rack < last]
            if alive:
                del self._racks_w[name]
                desk.start_up(servers, self.restart_s)
                minutes = self.restart_s / SECONDS_PER_MINUTE
                detail = f"{len(servers)} servers powered, ready for jobs in {minutes:g} min"
                self.record(Event(now_s, "power_on", name, detail))
                continue
            before_w = cluster.power_w
            jobs = desk.shut_down(servers)
            self._racks_w[name] = before_w - cluster.power_w + share * spread_w
            self.lost_at_s = now_s
            detail = f"{len(servers)} servers without voltage, {jobs} jobs stopped"
            self.record(Event(now_s, "power_off", name, detail))

    def _motors(self, before: float, plant_w: float) -> None:
        fraction = self.mechanical
        if fraction < before:
            self.lost_at_s = self.env.now
            self._motors_w += plant_w * (before - fraction) / before
        else:
            self._motors_w *= (1.0 - fraction) / (1.0 - before)
        self.motors.power(fraction)
        kind = "cooling_off" if fraction < before else "cooling_on"
        detail = f"{fraction:.0%} of the plant's motors have voltage"
        self.record(Event(self.env.now, kind, "plant", detail))

    def _reset(self, change: Change) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(self.reset_s)
        detail = f"after {self.reset_s / SECONDS_PER_MINUTE:g} min"
        self.record(Event(self.env.now, "reset", f"power.{change.where}", detail))
        self.resets[change.where]()
