"""Seconds in close-up: the power of the facility as its synchronous jobs step.

The run itself knows the mean power of a job, which is exact for energy and heat. Here
the state of an instant (who runs, how long its steps are, what its GPUs draw in and
between bursts of mathematics) is unfolded into a waveform whose mean is the power of
the run. All GPUs of a job step together and each job begins somewhere in its step, drawn
from the seed. Fans, cooling and the rest stay as they are for those seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.config import BurstConfig
from twin.physics.swings import Swing, pulse_means, swing
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Carry = Callable[[Floats], tuple[Floats, Mapping[str, tuple[float, Floats]]]]
"""IT power -> (power at the meter, load and rating of each element by name) [W]."""

STEPPED, ASSUMED, FLAT = "steps known", "step time assumed", "flat"
BOUND = (
    "all GPUs of a job are taken to step together and what lies between its mathematics to come in "
    "one piece: an upper bound, since pipelines stagger their stages and communication is in part "
    "spread over the step"
)


@dataclass(frozen=True, slots=True)
class Stepping:
    """A running job, as far as its power swings."""

    job_id: str
    gpus: int
    step_s: float
    """Time of a step at the present rate; 0 where unknown."""
    duty: float
    swing_w: float
    """Power of its servers while computing, minus that in between; 0: it does not swing."""


@dataclass(slots=True)
class Burst:
    """One window: its waveforms, and what they mean."""

    at_s: float
    it_w: float
    """IT power of the run at that instant. [W]"""
    sample_s: float
    it_wave_w: Floats
    utility_wave_w: Floats
    elements: dict[str, dict[str, float]]
    """Element -> its rating [kW], mean and highest load over it."""
    jobs: dict[str, dict[str, int]]
    """How many jobs and GPUs have steps that are known, assumed, or none."""
    main_step_s: float
    """Step of the job that swings most; 0 where none does. [s]"""
    storage_w: float
    """Rating of storage at the meter; 0 where there is none. [W]"""
    it: Swing = field(init=False)
    utility: Swing = field(init=False)

    def __post_init__(self) -> None:
        self.it = swing(self.it_wave_w, self.sample_s)
        self.utility = swing(self.utility_wave_w, self.sample_s)

    def tightest(self) -> str | None:
        """Return the element loaded highest over its rating; None where none is rated."""
        return max(self.elements, key=lambda name: self.elements[name]["peak"], default=None)

    def record(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        return {
            "at_s": self.at_s,
            "seconds": self.sample_s * len(self.it_wave_w),
            "hz": 1.0 / self.sample_s,
            "run_it_power_w": self.it_w,
            "it": _figures(self.it),
            "utility": _figures(self.utility),
            "elements": self.elements,
            "tightest": self.tightest(),
            "jobs": self.jobs,
            "main_step_s": self.main_step_s,
            "storage_kw": self.storage_w / 1e3,
            "storage_could_flatten": self.storage_w >= self.utility.flatten_w > 0.0,
            "note": BOUND,
        }

    def warning(self) -> str:
        """Return one sentence for whoever reads the run."""
        hour = f"burst at {self.at_s / SECONDS_PER_HOUR:g} h"
        it = self.it
        counted = ", ".join(
            f"{count['jobs']} job{'s' * (count['jobs'] != 1)} on {count['gpus']} GPUs: {kind}"
            for kind, count in self.jobs.items()
            if count["jobs"]
        )
        if it.dominant_hz is None:
            return f"{hour}: IT power does not swing ({counted or 'nobody runs'})"
        said = (
            f"{hour}: IT power swings by {it.swing_w / 1e6:.3g} MW "
            f"({it.swing_w / it.mean_w:.0%} of its mean) at {it.dominant_hz:.3g} Hz, up to "
            f"{it.ramp_w_per_s / 1e6:.3g} MW/s"
        )
        tightest = self.tightest()
        if tightest is not None:
            peak = self.elements[tightest]["peak"]
            said += f"; {tightest} peaks at {peak:.0%} of its rating"
            said += ", ABOVE it" if peak > 1.0 else ""
        return f"{said}; {counted}"


def warnings(bursts: Sequence[Burst]) -> list[str]:
    """Return what a reader of the run must know of its windows."""
    told = [burst.warning() for burst in bursts]
    return [*told, f"bursts: {BOUND}"] if told else []


def _figures(found: Swing) -> dict[str, float | None]:
    return {
        "mean_w": found.mean_w,
        "low_w": found.low_w,
        "high_w": found.high_w,
        "swing_w": found.swing_w,
        "swing_fraction": found.swing_w / found.mean_w if found.mean_w else None,
        "ramp_w_per_s": found.ramp_w_per_s,
        "dominant_hz": found.dominant_hz,
        "flatten_kw": found.flatten_w / 1e3,
        "flatten_kwh": found.flatten_j / JOULES_PER_KWH,
    }


def take(
    config: BurstConfig,
    at_s: float,
    it_w: float,
    jobs: Sequence[Stepping],
    carry: Carry,
    storage_w: float,
    dice: np.random.Generator,
) -> Burst:
    """Return the window at *at_s*.

    It is made longer to hold whole steps of the job that swings most, so that the mean of
    its waveform is the power of the run.

    Parameters
    ----------
    config : BurstConfig
        How long, how finely, what is assumed.
    at_s : float
        The instant. [s]
    it_w : float
        IT power of the run then. [W]
    jobs : sequence of Stepping
        Whoever holds GPUs.
    carry : callable
        What the feed draws for it, element by element.
    storage_w : float
        Rating of storage at the meter. [W]
    dice : numpy.random.Generator
        Says where in its step each job is.
    """
    counted = {kind: {"jobs": 0, "gpus": 0} for kind in (STEPPED, ASSUMED, FLAT)}
    swinging: list[tuple[float, Stepping]] = []
    for job in jobs:
        kind = FLAT if job.swing_w == 0.0 else STEPPED if job.step_s > 0.0 else ASSUMED
        counted[kind]["jobs"] += 1
        counted[kind]["gpus"] += job.gpus
        if kind != FLAT:
            swinging.append((job.step_s or config.assumed_step_s, job))
    seconds, largest_s = config.seconds, 0.0
    if swinging:
        largest_s = max(swinging, key=lambda each: each[1].swing_w)[0]
        seconds = ceil(seconds / largest_s - 1e-9) * largest_s
    samples = ceil(seconds * config.hz - 1e-9)
    edges_s = np.linspace(0.0, seconds, samples + 1)
    wave_w = np.full(samples, it_w)
    for (step_s, job), phase in zip(swinging, dice.random(len(swinging)).tolist(), strict=True):
        level = pulse_means(
            edges_s, period_s=step_s, duty=job.duty, edge_s=config.edge_s, phase=phase
        )
        wave_w += job.swing_w * (level - job.duty)
    utility_w, loads = carry(wave_w)
    elements = {
        name: {
            "rated_kw": rated_w / 1e3,
            "mean": float(load_w.mean()) / rated_w,
            "peak": float(load_w.max()) / rated_w,
        }
        for name, (rated_w, load_w) in loads.items()
        if rated_w > 0.0
    }
    sample_s = seconds / samples
    return Burst(at_s, it_w, sample_s, wave_w, utility_w, elements, counted, largest_s, storage_w)


def write_bursts(bursts: Sequence[Burst], folder: Path) -> None:
    """Write the waveforms to ``burst.parquet``."""
    from twin.results.parquet import ParquetFile
    from twin.schema import BURST

    file = ParquetFile(folder, "burst", BURST)
    for number, burst in enumerate(bursts):
        count = len(burst.it_wave_w)
        file.write(
            {
                "burst": np.full(count, number),
                "at_s": burst.at_s + burst.sample_s * np.arange(count),
                "it_power_w": burst.it_wave_w,
                "utility_power_w": burst.utility_wave_w,
            }
        )
    file.close()
