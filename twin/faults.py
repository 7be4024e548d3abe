"""What breaks, when, and when it is repaired: one SimPy process for each source of faults."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

import simpy

from twin.config import NonNegative, Positive, PositiveFraction
from twin.errors import ConfigError, suggest
from twin.records import Event
from twin.units import SECONDS_PER_HOUR

SetAvailable = Callable[[float], None]
"""Lets a fraction 0-1 of a unit be in service from now on."""


@dataclass(slots=True)
class ScheduledFault:
    """A fault at a known time, and its repair."""

    unit: str
    """What breaks, as ``family.unit``, e.g. ``cooling.chiller``."""
    at_hours: NonNegative
    repair_hours: Positive
    """From the fault to the repair. [h]"""
    fraction: PositiveFraction = 1.0
    """Share of the unit that is lost: 0.5 is one of two chillers. [-]"""


@dataclass(slots=True)
class Faults:
    """All faults of a run, by a name of the user's choice."""

    scheduled: dict[str, ScheduledFault] = field(default_factory=dict)

    def check(self, units: Mapping[str, SetAvailable]) -> None:
        """Refuse a fault on a thing that does not exist, and overlapping faults of one unit."""
        ends: dict[str, tuple[float, str]] = {}
        for name, fault in sorted(self.scheduled.items(), key=lambda item: item[1].at_hours):
            path = f"faults.scheduled.{name}"
            if fault.unit not in units:
                raise ConfigError(f"{path}.unit={fault.unit!r}: {suggest(fault.unit, units)}")
            end_hours, other = ends.get(fault.unit, (0.0, ""))
            if fault.at_hours < end_hours:
                raise ConfigError(
                    f"{path}.at_hours={fault.at_hours:g}: {fault.unit} is still under repair "
                    f"from faults.scheduled.{other} until hour {end_hours:g}"
                )
            ends[fault.unit] = (fault.at_hours + fault.repair_hours, name)


def scheduled_fault(
    env: simpy.Environment,
    fault: ScheduledFault,
    set_available: SetAvailable,
    record: Callable[[Event], None],
) -> Generator[simpy.Event, None, None]:
    """Wait, break, wait, repair."""
    yield env.timeout(fault.at_hours * SECONDS_PER_HOUR - env.now)
    set_available(1.0 - fault.fraction)
    record(Event(env.now, "fault", fault.unit, f"{fault.fraction:.0%} of it out of service"))
    yield env.timeout(fault.repair_hours * SECONDS_PER_HOUR)
    set_available(1.0)
    record(Event(env.now, "repair", fault.unit, f"after {fault.repair_hours:g} h"))
