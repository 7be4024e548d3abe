"""Where the time of a sweep went: into designs, into starting processes, into checking."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from twin.files import write_text
from twin.sweeps.designs import Outcome
from twin.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

TIMING_FILE = "timing.json"


@dataclass(slots=True)
class Timing:
    """Seconds of one sweep. Composing, checking and start-up are kept apart from designs."""

    workers: int
    check_s: float = 0.0
    """Wall-clock time of composing and checking all designs, before the first starts. [s]"""
    wall_s: float = 0.0
    """Wall-clock time from the start of the first design to the end of the last. [s]"""
    designs: int = 0
    """Designs that ran now and whose time is known."""
    design_s: float = 0.0
    """Their wall-clock time, added up. [s]"""
    design_cpu_s: float = 0.0
    """Their processor time, added up. [s]"""
    startup_s: float | None = None
    """What their processes took beyond that, added up; null where unknown. [s]"""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take the time while designs run; may be entered again."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.wall_s += time.perf_counter() - began

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Take the time while designs are composed and checked; may be entered again."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.check_s += time.perf_counter() - began

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Add up the time of those designs that ran now."""
        for each in outcomes:
            if each.seconds is None or each.cpu_s is None:
                continue
            self.designs += 1
            self.design_s += each.seconds
            self.design_cpu_s += each.cpu_s
            if each.process_s is not None:
                self.startup_s = (self.startup_s or 0.0) + each.process_s - each.seconds

    def net_wall_s(self) -> float:
        """Return the wall-clock time [s] without what starting processes took of it."""
        return self.wall_s - (self.startup_s or 0.0) / self.workers

    def speed_up(self) -> float | None:
        """Return processor time of the designs over wall-clock time, start-up excluded.

        One core would take at least their processor time, one after another.
        """
        return self.design_cpu_s / self.net_wall_s() if self.net_wall_s() > 0.0 else None

    def told(self) -> str:
        """Return it in a few sentences."""
        if not self.designs:
            return f"Checked in {span(self.check_s)}, run in {span(self.wall_s)}."
        designs = "1 design" if self.designs == 1 else f"{self.designs} designs"
        words = [
            f"{designs} in {span(self.wall_s)} on "
            f"{'1 core' if self.workers == 1 else f'{self.workers} cores'}: "
            f"{span(self.design_s)} of design time, {span(self.design_cpu_s)} of processor time."
        ]
        speed_up = self.speed_up()
        if speed_up is not None and self.startup_s is not None and self.workers > 1:
            words.append(
                f"Speed-up over one core {speed_up:.2f}, {100 * speed_up / self.workers:.0f} % of "
                f"ideal, without {span(self.startup_s)} of starting processes"
            )
            words.append(
                f"and {span(self.check_s)} of composing and checking before; whatever else this "
                "machine does counts against it."
            )
        else:
            words.append(f"Composing and checking before took {span(self.check_s)}.")
        return " ".join(words)

    def write(self, folder: Path) -> None:
        """Write ``timing.json`` into *folder*."""
        record = {**asdict(self), "speed_up": self.speed_up() if self.designs else None}
        text = json.dumps({k: _rounded(v) for k, v in record.items()}, indent=1)
        write_text(folder / TIMING_FILE, text + "\n")


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def span(seconds: float) -> str:
    """Return a length of time for people.

    Examples
    --------
    >>> span(3.21), span(75.0), span(7300.0)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.1f} s"
    if seconds < SECONDS_PER_HOUR:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
