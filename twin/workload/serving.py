"""Inference by the token: what a fleet of replicas is asked for, drawn or recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, NonNegative
from twin.errors import ConfigError, require
from twin.records import WorkloadContext
from twin.workload.lengths import SAMPLES, LengthConfig, Lengths, MeasuredLengths, measured_lengths
from twin.workload.replica_fleet import GRID_S
from twin.workload.request_mode import Requests
from twin.workload.requests import RateLayout, RequestLayout, read_rates, read_requests
from twin.workload.rhythm import Rhythm, hourly_noise, seconds_since_monday
from twin.workload.serving_fleet import Serving

Floats = NDArray[np.float64]

MOST_REQUESTS = 1e8
"""Requests of a run that are followed one by one; more take hours, and gigabytes."""
BURSTY = 1.5
"""Recorded arrivals that vary by this factor more than the fluid is told get a note."""


def arrivals_s(demand: Floats, cv: float, rng: np.random.Generator) -> Floats:
    """Return arrivals that follow *demand* [1/s by the minute], apart by gamma variables.

    A renewal process of rate 1 in units of expected requests, carried over to clock time.

    Parameters
    ----------
    demand : ndarray, shape (minutes,)
        Requests asked for in each minute. [1/s]
    cv : float
        Coefficient of variation of the times between arrivals; 1: at random. [-]
    rng : Generator
        Source of chance.
    """
    expected = np.concatenate([[0.0], np.cumsum(demand * GRID_S)])
    shape = 1 / cv**2
    most = int(expected[-1] + 8 * max(cv, 1.0) * math.sqrt(expected[-1] + 1) + 8)
    reached = np.cumsum(rng.gamma(shape, 1 / shape, most))
    reached = reached[reached < expected[-1]]
    clock_s = GRID_S * np.arange(len(expected))
    return np.asarray(np.interp(reached, expected, clock_s))


@dataclass(kw_only=True)
class DrawnServing(Serving):
    """Requests drawn for a demand, with lengths of given distributions."""

    tokens: LengthConfig

    def source(self) -> LengthConfig | MeasuredLengths:
        """Return what lengths are drawn from."""
        return self.tokens

    def lengths(self, context: WorkloadContext) -> Lengths:
        """Return drawn lengths."""
        return Lengths(*self.source().draw(context.rng(f"{self.key}.lengths"), SAMPLES))

    def requests(self, context: WorkloadContext, demand: Floats) -> Requests:
        """Return requests drawn for that demand."""
        at_s = arrivals_s(demand, self.arrival_cv, context.rng(f"{self.key}.arrivals"))
        drawn = self.source().draw(context.rng(f"{self.key}.tokens"), len(at_s))
        return Requests(at_s, *drawn)


@dataclass(kw_only=True)
class GeneratedServing(DrawnServing):
    """Demand by a daily and weekly rhythm, with hourly noise."""

    requests_per_s: NonNegative
    """Mean demand over a week."""
    rhythm: Rhythm = field(default_factory=Rhythm)
    noise_fraction: Fraction = 0.0
    """Standard deviation of hourly demand around its rhythm, over that demand."""

    def check(self, context: WorkloadContext) -> None:
        """Refuse more requests than can be followed one by one."""
        if self.mode == "requests":
            most = MOST_REQUESTS / context.duration_s
            if self.requests_per_s > most:
                raise ConfigError(
                    f"{self.key}.requests_per_s={self.requests_per_s:g}: must be <= {most:.6g} "
                    f"over this time to follow each, or choose {self.key}.mode=fluid"
                )
        super().check(context)

    def demand(self, context: WorkloadContext, steps: int) -> Floats:
        """Return requests per second in the middle of each minute."""
        middle_s = GRID_S * np.arange(0.5, steps)
        weight = self.rhythm.weight(middle_s + seconds_since_monday(context.start))
        rng = context.rng(f"{self.key}.noise")
        noise = hourly_noise(middle_s, context.duration_s, self.noise_fraction, rng)
        return np.asarray(self.requests_per_s * weight * noise)


@dataclass(kw_only=True)
class RateReplay(DrawnServing):
    """Demand by recorded rates, each window constant."""

    path: str | None
    """A CSV file, plain or ``.gz``."""
    layout: RateLayout
    lengths_path: str | None = None
    """Lengths as ServeGen publishes them of a client, in place of those of ``tokens``."""
    _rates: Floats | None = field(init=False, default=None, repr=False)
    _measured: MeasuredLengths | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        window_s = self.layout.window_s
        require(window_s % GRID_S == 0, "layout.window_s", window_s, f"a multiple of {GRID_S:g}")

    def check(self, context: WorkloadContext) -> None:
        """Read the rates, and refuse what cannot be served at all."""
        self._rates, self.report = read_rates(self.path, self.layout, context, self.key)
        requests = float(self._rates.sum()) * self.layout.window_s
        if self.mode == "requests" and requests > MOST_REQUESTS:
            raise ConfigError(
                f"{self.key}.mode=requests: {requests:.3g} requests: must be at most "
                f"{MOST_REQUESTS:g} to follow each; choose fluid, or fewer clock.duration_days"
            )
        if self.lengths_path:
            from_s = self.layout.origin_s
            self._measured = measured_lengths(
                Path(self.lengths_path).expanduser(), from_s, from_s + context.duration_s
            )
        super().check(context)

    def source(self) -> LengthConfig | MeasuredLengths:
        """Return the measured lengths where there are any."""
        return self._measured or self.tokens

    def demand(self, context: WorkloadContext, steps: int) -> Floats:
        """Return the recorded rates by the minute."""
        assert self._rates is not None  # check() has read them
        minutes = np.repeat(self._rates, round(self.layout.window_s / GRID_S))
        return np.asarray(np.pad(minutes, (0, max(0, steps - len(minutes))))[:steps])


@dataclass(kw_only=True)
class RequestReplay(Serving):
    """Recorded requests with their tokens, each arriving when it did."""

    path: str | None
    """A CSV or JSON-lines file, plain or ``.gz``."""
    layout: RequestLayout
    _found: Requests | None = field(init=False, default=None, repr=False)

    def check(self, context: WorkloadContext) -> None:
        """Read the requests, and refuse what cannot be served at all."""
        self._found, self.report = read_requests(self.path, self.layout, context, self.key)
        gaps_s = np.diff(self._found.at_s)
        cv = float(gaps_s.std() / gaps_s.mean()) if gaps_s.any() else 1.0
        if self.mode == "fluid" and cv > BURSTY * self.arrival_cv:
            self.report.notes.append(
                f"arrivals come in bursts (times between them vary by {cv:.1f} of their mean, "
                f"{self.key}.arrival_cv={self.arrival_cv:g}): the fluid makes waits too short, "
                f"{self.key}.mode=requests does not"
            )
        super().check(context)

    def lengths(self, context: WorkloadContext) -> Lengths:
        """Return the lengths of the recorded requests."""
        found = self.requests(context, np.empty(0))
        return Lengths(found.prompt, found.output)

    def demand(self, context: WorkloadContext, steps: int) -> Floats:
        """Return how many requests arrived in each minute, over a minute."""
        at_s = self.requests(context, np.empty(0)).at_s
        minute = (at_s / GRID_S).astype(np.int64)
        return np.bincount(minute, minlength=steps)[:steps] / GRID_S

    def requests(self, context: WorkloadContext, demand: Floats) -> Requests:
        """Return the recorded requests."""
        assert self._found is not None  # check() has read them
        return self._found
