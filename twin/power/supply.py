"""Who has voltage, and from where: transfers, starts and batteries as one state machine.

Knows the diagram and the units in service, never a load or a clock: time is told to
it as what has passed. Every element is in one of these states:

===========  ==================================================  ===================
state        meaning                                             voltage at output
===========  ==================================================  ===================
DEAD         no unit in service, or no voltage at the input      no
WAITING      voltage at the input; ``delay_s`` is running        no
LIVE         fed                                                 yes
BATTERY      carried by its own battery                          yes
STANDBY      a generator that nobody needs                       no
STARTING     a generator called; ``start_s`` is running          no
FAILED       a generator of which no set came up                 no
===========  ==================================================  ===================

An element other than a source:

===================  =====================================================  =============
from                 when                                                   to
===================  =====================================================  =============
any                  no unit in service                                     DEAD
LIVE                 input lost, battery charged                            BATTERY
LIVE                 input lost, no battery, an empty one, or on bypass     DEAD
LIVE (a switch)      it moves to another feeder and ``delay_s`` is not 0    WAITING
WAITING              input lost (a battery does not start from black)       DEAD
DEAD                 input back, or a switch has moved to one that is       WAITING
WAITING              ``delay_s`` has passed with voltage at the input       LIVE
BATTERY              a step of ``delay_s`` has passed, more are to come     BATTERY
BATTERY              ``delay_s`` has passed with voltage at the input       LIVE
BATTERY              battery empty, no voltage at the input                 DEAD
BATTERY              battery empty, voltage at the input                    WAITING
===================  =====================================================  =============

A generator:

===================  =====================================================  =============
from                 when                                                   to
===================  =====================================================  =============
STANDBY              a switch it backs has lost its first feeder            STARTING
STARTING             ``start_s`` has passed, some sets came up              LIVE
STARTING             ``start_s`` has passed, none came up                   FAILED
any                  no set in service, or no fuel                          DEAD
DEAD                 a set in service and fuel                              STANDBY
STARTING, LIVE       every switch it backs is on its first feeder again     STANDBY
FAILED               the same (the sets are mended before the next demand)  STANDBY
===================  =====================================================  =============

A switch (``draw: first``) stays on its feeder while that is alive. When it dies, the
switch goes to the first that is alive, losing voltage for ``delay_s``; when its first
feeder has been back for ``retransfer_s`` it returns to it without a break. A switch
that sticks stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

import networkx as nx

from twin.errors import RunError
from twin.power.base import Change
from twin.power.diagram import Element, backed_by

DEAD = "dead"
WAITING = "waiting"
LIVE = "live"
BATTERY = "battery"
STANDBY = "standby"
STARTING = "starting"
FAILED = "failed"
ENERGISED = frozenset({LIVE, BATTERY})

Part = tuple[int, float]
"""(feeder, part of the input drawn from it)."""

SOON = 1e-9
"""A timer this close to its end has run out. [s]"""


class Supply:
    """The state of every element, advanced by what has passed and what was done to it."""

    def __init__(
        self,
        elements: Mapping[str, Element],
        graph: nx.DiGraph,
        order: Sequence[str],
        installed: Sequence[int],
    ) -> None:
        """Take elements in *order*, leaf to root, with *installed* units each; all is well."""
        count = len(order)
        index = {name: i for i, name in enumerate(order)}
        self._names = list(order)
        self._elements = [elements[name] for name in order]
        self._feeders = [[index[f] for f in elements[name].feeders()] for name in order]
        self._backs = {
            index[name]: [index[switch] for switch in backed_by(name, graph, elements)]
            for name in order
            if elements[name].type == "generator"
        }
        """Generator -> the switches that call it."""
        self.installed = list(installed)
        self.units = list(installed)
        """Units in service; a generator has so many sets that may start."""
        self.running = list(installed)
        """Units that carry load: fewer than ``units`` where generator sets did not start."""
        self.empty = [element.battery is None for element in self._elements]
        """Whether nothing is left in an element's battery, or it has none."""
        self.dry = [False] * count
        """Whether a generator has no fuel."""
        self.bypassed = [False] * count
        """Whether an element passes its input through, its battery out of play."""
        self.taken = [0.0] * count
        """Part of its input that an element on battery draws from its feeders: it walks in."""
        self.stuck = [False] * count
        self.position = [0] * count
        """Which of its feeders a switch is on."""
        self.changes: list[Change] = []
        self.draw_die: Callable[[int], Sequence[float]] | None = None
        """``sets -> that many uniform numbers``, asked whenever generators start."""
        self._timer_s = [inf] * count
        self._retransfer_s = [inf] * count
        self._next_s = inf
        """The shortest of all timers."""
        self.state = [STANDBY if e.type == "generator" else LIVE for e in self._elements]
        for i, element in enumerate(self._elements):
            if element.type == "generator":
                self.running[i] = 0

    def energised(self, i: int) -> bool:
        """Return whether there is voltage at the output of element *i*."""
        return self.state[i] in ENERGISED

    def carrying(self, i: int) -> int:
        """Return over how many units the load of element *i* is spread; a bypass has them all."""
        return self.installed[i] if self.bypassed[i] else self.running[i]

    def draws(self, i: int) -> list[Part]:
        """Return which feeders element *i* draws from now, and which part of its input each."""
        taken = 1.0 if self.state[i] == LIVE else self.taken[i]
        if taken == 0.0 or not self._feeders[i]:
            return []
        chosen = self._chosen(i)
        return [(j, taken / len(chosen)) for j in chosen]

    def until_change_s(self) -> float:
        """Return the time until a timer runs out; ``inf`` where none runs."""
        return self._next_s

    def advance(self, dt_s: float) -> bool:
        """Let *dt_s* pass; return whether anything changed."""
        if self._next_s == inf:
            return False
        self._timer_s = [timer_s - dt_s for timer_s in self._timer_s]
        self._retransfer_s = [timer_s - dt_s for timer_s in self._retransfer_s]
        return self.settle()

    def settle(self) -> bool:
        """Bring every state in line with units, timers and batteries; return if any changed.

        One pass runs root to leaf. A second is needed where a switch called a
        generator, which stands nearer the root; a diagram bounds how many.
        """
        changed = False
        for _ in range(2 * len(self._names) + 2):
            before = (list(self.state), list(self.position), list(self.taken))
            for i in reversed(range(len(self._names))):
                self._settle_one(i)
            if before == (self.state, self.position, self.taken):
                self._next_s = min(*self._timer_s, *self._retransfer_s)
                return changed
            changed = True
        raise RunError(f"power: transfers do not come to rest; the last states: {self.state}")

    def _settle_one(self, i: int) -> None:
        element = self._elements[i]
        if element.type == "utility":
            self._enter(i, LIVE if self.units[i] > 0 else DEAD)
        elif element.type == "generator":
            self._settle_generator(i)
        else:
            self.running[i] = self.units[i]
            if element.draw == "first":
                self._choose_position(i)
            self._enter(i, self._next_state(i))
            if self.state[i] != BATTERY:
                self.taken[i] = 0.0

    def _next_state(self, i: int) -> str:
        """Return the state that follows for an element that is fed; see the table above."""
        state, element = self.state[i], self._elements[i]
        if self.units[i] == 0:
            self._timer_s[i] = inf
            return DEAD
        if not self._chosen(i):
            self._timer_s[i] = inf
            self.taken[i] = 0.0
            unbacked = self.empty[i] or self.bypassed[i] or state in (DEAD, WAITING)
            return DEAD if unbacked else BATTERY
        if state == LIVE:
            self._timer_s[i] = inf
            return LIVE
        if self._timer_s[i] == inf:
            # A switch takes time to move, none to stay where it is.
            self._timer_s[i] = element.delay_s if element.draw == "equal" else 0.0
            if state == BATTERY:
                self._timer_s[i] /= element.walk_in_steps
        if self._timer_s[i] <= SOON and (state != BATTERY or not self._step_in(i)):
            self._timer_s[i] = inf
            return LIVE
        return self._still_waits(i)

    def _still_waits(self, i: int) -> str:
        """Return the state of an element whose ``delay_s`` has not passed."""
        if self.state[i] != BATTERY:
            return WAITING
        if not self.empty[i]:
            return BATTERY
        element = self._elements[i]  # it waits for all that is left of its walk-in
        before_last = 1.0 - 1.0 / element.walk_in_steps
        self._timer_s[i] += element.delay_s * (before_last - self.taken[i])
        return WAITING

    def _step_in(self, i: int) -> bool:
        """Take the next step of a walk-in; return whether there is one before the last."""
        steps = self._elements[i].walk_in_steps
        done = round(self.taken[i] * steps) + 1
        if done == steps:
            return False
        self.taken[i] = done / steps
        self._timer_s[i] = self._elements[i].delay_s / steps
        self.changes.append(Change("walk_in", self._names[i], f"{done} of {steps} steps"))
        return True

    def _choose_position(self, i: int) -> None:
        """Move a switch off a dead feeder, or back to its first one after a while."""
        feeders, position = self._feeders[i], self.position[i]
        if self.stuck[i]:
            self._retransfer_s[i] = inf
            return
        alive = [p for p, j in enumerate(feeders) if self.energised(j)]
        if position not in alive:
            self._retransfer_s[i] = inf
            if alive:
                self._move(i, alive[0])
                self._timer_s[i] = self._elements[i].delay_s
                if self._timer_s[i] > 0.0 and self.state[i] == LIVE:
                    self._enter(i, WAITING if self.empty[i] else BATTERY)
        elif position == 0 or 0 not in alive:
            self._retransfer_s[i] = inf
        elif self._retransfer_s[i] == inf:
            self._retransfer_s[i] = self._elements[i].retransfer_s
        if self._retransfer_s[i] <= SOON:
            self._retransfer_s[i] = inf
            self._move(i, 0)

    def _move(self, i: int, position: int) -> None:
        feeder = self._names[self._feeders[i][position]]
        self.changes.append(Change("transfer", self._names[i], f"to {feeder}"))
        self.position[i] = position

    def _settle_generator(self, i: int) -> None:
        wanted = any(self._needs_backup(j) for j in self._backs[i])
        state = self.state[i]
        fit = self.units[i] > 0 and not self.dry[i]
        if not (wanted and fit):
            self._timer_s[i], self.running[i] = inf, 0
            self._enter(i, STANDBY if fit else DEAD)
        elif state in (STANDBY, DEAD):
            start = self._elements[i].start
            self._timer_s[i] = start.start_s if start else 0.0
            self._enter(i, STARTING)
        elif state == STARTING and self._timer_s[i] <= SOON:
            self._timer_s[i] = inf
            self.running[i] = self._sets_started(i)
            self._enter(i, LIVE if self.running[i] else FAILED)
        elif state == LIVE:
            self.running[i] = min(self.running[i], self.units[i])

    def _needs_backup(self, i: int) -> bool:
        """Return whether a switch has left, or would leave, its first feeder."""
        return self.position[i] != 0 or not self.energised(self._feeders[i][0])

    def _sets_started(self, i: int) -> int:
        start = self._elements[i].start
        fails = start.failure_fraction if start else 0.0
        if fails == 0.0:
            return self.units[i]
        if self.draw_die is None:
            raise RunError(f"power: {self._names[i]} must start, but seed() was never called")
        started = sum(die >= fails for die in self.draw_die(self.units[i]))
        if started < self.units[i]:
            missing = self.units[i] - started
            self.changes.append(
                Change("start_failure", self._names[i], f"{missing} of {self.units[i]} sets")
            )
        return started

    def _chosen(self, i: int) -> list[int]:
        """Return the feeders element *i* hangs on that have voltage."""
        feeders = self._feeders[i]
        if self._elements[i].draw == "first":
            feeders = [feeders[self.position[i]]]
        return [j for j in feeders if self.energised(j)]

    def _enter(self, i: int, state: str) -> None:
        if state != self.state[i]:
            self.changes.append(Change(state, self._names[i], f"was {self.state[i]}"))
            self.state[i] = state
