"""Who has voltage: servers, motors and lights follow what the feed can give them.

The feed says what happened to it and which loads have voltage; this stops what has
none and starts it again. Network and storage stand in the racks as the servers do, so
they lose their share with them. Energy counts as unserved from the moment a load loses
its voltage until it has it back, at the power it drew at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import simpy

from twin.jobs.life import Dispatcher
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
    on_ups: frozenset[str] = frozenset()
    """Units that hang on the UPS, apart from the rest of the plant."""
    powered: float = 1.0
    ups_powered: float = 1.0
    _told: dict[str, float] = field(init=False, default_factory=dict)

    def repair(self, unit: str, fraction: float) -> None:
        """Let *fraction* of *unit* be whole from now on."""
        self.whole[unit] = fraction
        self._tell(unit)

    def power(self, fraction: float, on_ups: float) -> None:
        """Let these fractions of the motors have voltage: of most, and of those on the UPS."""
        self.powered, self.ups_powered = fraction, on_ups
        for unit in self.whole:
            self._tell(unit)

    def _tell(self, unit: str) -> None:
        fraction = self.whole[unit]
        fraction *= self.ups_powered if unit in self.on_ups else self.powered
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
    movers: float = 1.0
    """Fraction of the fans and pumps on the UPS that has voltage; 1 where there are none. [-]"""
    aux: float = 1.0
    unserved_w: float = 0.0
    """What dead loads drew when they lost their voltage. [W]"""
    lost_at_s: float = -inf
    """When motors broke or lost their voltage last, or racks did. [s]"""
    _racks_w: dict[str, float] = field(init=False, default_factory=dict)
    """Rack groups without voltage, and what each drew. [W]"""
    _motors_w: float = field(init=False, default=0.0)
    """What motors without voltage drew. [W]"""
    _movers_w: float = field(init=False, default=0.0)
    """The same of those on the UPS. [W]"""

    def follow(
        self,
        changes: Sequence[Change],
        spread_w: float,
        plant_w: tuple[float, float],
        aux_w: float,
    ) -> None:
        """Do what the feed's latest changes mean, and write them down.

        Parameters
        ----------
        changes : sequence of Change
            What has happened in the feed.
        spread_w, aux_w : float
            What network and storage, and the auxiliaries, draw where all have voltage. [W]
        plant_w : (float, float)
            What the plant draws: on its own branch, and on the UPS. [W]
        """
        for change in changes:
            self._write(change)
            if change.kind in OPENED and change.where in self.resets:
                self.env.process(self._reset(change))
        self._racks(spread_w)
        self.it = self.feed.fed_fraction("it")
        self._motors(plant_w)
        self.aux = self.feed.fed_fraction("aux")
        dead_w = sum(self._racks_w.values()) + self._motors_w + self._movers_w
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
            before_w = cluster.power.total_w
            jobs = desk.shut_down(servers)
            self._racks_w[name] = before_w - cluster.power.total_w + share * spread_w
            self.lost_at_s = now_s
            detail = f"{len(servers)} servers without voltage, {jobs} jobs stopped"
            self.record(Event(now_s, "power_off", name, detail))

    def _motors(self, plant_w: tuple[float, float]) -> None:
        """Stop motors that have lost their voltage, start those that have it again."""
        was = self.mechanical, self.movers
        self.mechanical = self.feed.fed_fraction("mechanical")
        if self.motors.on_ups:
            self.movers = self.feed.fed_fraction("movers")
        now = self.mechanical, self.movers
        if now == was:
            return
        self._motors_w = _dead_w(self._motors_w, plant_w[0], was[0], now[0])
        self._movers_w = _dead_w(self._movers_w, plant_w[1], was[1], now[1])
        self.motors.power(*now)
        fewer = now[0] < was[0] or now[1] < was[1]
        if fewer:
            self.lost_at_s = self.env.now
        detail = f"{now[0]:.0%} of the plant's motors have voltage"
        if self.motors.on_ups:
            detail = f"{now[0]:.0%} of the plant's motors and {now[1]:.0%} of those on the UPS"
            detail += " have voltage"
        self.record(Event(self.env.now, "cooling_off" if fewer else "cooling_on", "plant", detail))

    def _reset(self, change: Change) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(self.reset_s)
        detail = f"after {self.reset_s / SECONDS_PER_MINUTE:g} min"
        self.record(Event(self.env.now, "reset", f"power.{change.where}", detail))
        self.resets[change.where]()


def _dead_w(dead_w: float, drawn_w: float, before: float, fraction: float) -> float:
    """Return what dead motors drew, when the *fraction* with voltage is another than *before*."""
    if fraction < before:
        return dead_w + drawn_w * (before - fraction) / before
    return dead_w * (1.0 - fraction) / (1.0 - before) if before < 1.0 else dead_w
