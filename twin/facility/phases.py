"""Racks that come in phases: until their date they hold no job and draw nothing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import simpy

from twin.config import Phase
from twin.errors import ConfigError
from twin.facility.heartbeat import Facility
from twin.records import Event


@dataclass(slots=True)
class BuildOut:
    """When how many racks stand, in seconds of the run."""

    steps: list[tuple[float, int]]
    """``(from when [s], racks)``, both rising; the first at or before second 0."""
    racks: int
    """Racks that stand in the end."""
    network_w: float = field(init=False, default=0.0)
    """Power of the fabric of all racks. [W]"""

    def missing_fraction(self, duration_s: float) -> float:
        """Return the part of all rack-time of a run in which a rack did not stand yet, 0-1."""
        ends = [*(at_s for at_s, _ in self.steps[1:]), float("inf")]
        missing = 0.0
        for (at_s, racks), end_s in zip(self.steps, ends, strict=True):
            passed_s = max(0.0, min(end_s, duration_s) - max(at_s, 0.0))
            missing += (self.racks - racks) * passed_s
        return missing / (self.racks * duration_s)

    def run(self, env: simpy.Environment, facility: Facility) -> Generator[simpy.Event, None, None]:
        """Take away all later racks before anything else happens; bring them on their dates."""
        cluster, desk = facility.cluster, facility.dispatcher
        self.network_w = facility.network_w
        first = self._standing(env.now)
        later = [i for i, rack in enumerate(cluster.rack_of) if rack >= first]
        desk.shut_down(later)
        self._wire(facility, first)
        for at_s, racks in self.steps:
            if at_s <= env.now:
                continue
            yield env.timeout(at_s - env.now)
            facility.catch_up()
            come = [i for i in later if first <= cluster.rack_of[i] < racks]
            desk.start_up(come, 0.0)
            self._wire(facility, racks)
            detail = f"{racks - first} racks more, {racks} stand"
            facility.recorder.event(Event(env.now, "racks_added", "hall", detail))
            first = racks

    def _standing(self, now_s: float) -> int:
        return max((racks for at_s, racks in self.steps if at_s <= now_s), default=0)

    def _wire(self, facility: Facility, racks: int) -> None:
        """Let the fabric draw its part for *racks*: switches come with the racks."""
        facility.network_w = self.network_w * racks / self.racks


def build_out(phases: Sequence[Phase], start: datetime, racks: int) -> BuildOut | None:
    """Return the build-out of *phases*, None where all racks stand from the start.

    Raises
    ------
    ConfigError
        If dates or racks do not rise, the first date lies after *start*, or the last phase
        has not the *racks* that the GPUs fill.
    """
    if not phases:
        return None
    steps: list[tuple[float, int]] = []
    for number, phase in enumerate(phases):
        path = f"facility.phases[{number}]"
        try:
            at_s = (datetime.fromisoformat(phase.date) - start).total_seconds()
        except (ValueError, TypeError):
            raise ConfigError(
                f"{path}.date={phase.date!r}: must be site-local, like '2023-07-03 00:00'"
            ) from None
        if number == 0 and at_s > 0.0:
            raise ConfigError(f"{path}.date={phase.date!r}: must not be after clock.start, {start}")
        if steps and at_s <= steps[-1][0]:
            raise ConfigError(f"{path}.date={phase.date!r}: must be after the one before")
        if steps and phase.racks <= steps[-1][1]:
            raise ConfigError(f"{path}.racks={phase.racks}: must be > {steps[-1][1]}, before it")
        steps.append((at_s, phase.racks))
    if steps[-1][1] != racks:
        raise ConfigError(
            f"facility.phases[{len(steps) - 1}].racks={steps[-1][1]}: must be {racks}, "
            "the racks that facility.gpus fills"
        )
    return BuildOut(steps, racks)
