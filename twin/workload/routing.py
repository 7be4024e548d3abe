"""How the replicas of an endpoint share its demand where their rows have unequal power left.

Sent one by one to the replica whose row has most power left, many small requests fill rows
like water: those that are fullest by themselves get nothing, the others come to one level.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import require
from twin.records import Standing

Floats = NDArray[np.float64]
Routing = Literal["even", "headroom"]
"""To all replicas alike, or by the power that is left where they stand."""
Done = tuple[float, tuple[float, float, float, float]]
"""Activity of a replica's GPUs; its tokens, requests, requests judged and within, per second."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What one replica does at each rate of requests, from none to the most it can serve."""

    requests_per_s: Floats
    activity: Floats
    """Of its GPUs. [-]"""
    within: Floats | None = None
    """Share of requests within their objective; None where latency is not modelled."""
    kept_per_s: float = math.inf
    """Rate up to which it keeps its objective: more is sent only where all have as much. [1/s]"""


def filled(rate: Floats, power_w: Floats, rows: tuple[Floats, Floats], demand: Floats) -> Floats:
    """Return what each replica of a row is sent, so that the fullest row is filled least.

    Parameters
    ----------
    rate, power_w : ndarray, shape (points,)
        Rates of requests of a replica, rising from 0, [1/s], and what it draws there,
        rising too. [W]
    rows : (ndarray, ndarray), each of shape (rows,)
        Replicas in each row, and what else it draws. [-], [W]
    demand : ndarray, shape (steps,)
        Requests to be shared in each step. [1/s]

    Returns
    -------
    ndarray, shape (rows, steps)
        Requests to each replica of a row; all together are exactly the demand. Where that is
        more than ``rate[-1]`` for each, all get alike. [1/s]

    Raises
    ------
    ParameterError
        If a replica does not draw more where it is sent more.

    Notes
    -----
    Between the points both are straight lines, so the requests that fit below a level are
    made of straight lines too, and the level that fits the demand is found without search.

    Examples
    --------
    Two rows of one replica, 1 W for each request; the first draws 4 W already.

    >>> line = np.array([0.0, 10.0])
    >>> rows = (np.ones(2), np.array([4.0, 0.0]))
    >>> filled(line, line, rows, np.array([3.0, 6.0, 18.0, 30.0])).tolist()
    [[0.0, 1.0, 8.0, 15.0], [3.0, 5.0, 10.0, 15.0]]
    """
    require(bool(np.all(np.diff(power_w) > 0)), "power_w", power_w, "rising with the rate")
    replicas, others_w = rows
    ends_w = others_w[:, None] + replicas[:, None] * power_w
    levels_w = np.unique(ends_w)

    def below(level_w: Floats) -> Floats:
        return np.array([np.interp(level_w, row_w, rate) for row_w in ends_w])

    fits = replicas @ below(levels_w)
    each = below(np.interp(demand, fits, levels_w))
    sent = replicas @ each
    # Rounding, and what is more than all can take; nothing is sent where nothing is asked for.
    return np.asarray(each * np.divide(demand, sent, out=np.zeros_like(sent), where=sent > 0))


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in a part of a step, and for how long."""

    minutes: NDArray[np.int64]
    rate: float
    """At which the GPUs worked, over their own. [-]"""
    each: Floats
    """To each replica of a row, shape (rows, minutes). [1/s]"""
    replicas: Floats
    """Of each row."""
    since_s: float
    seconds: float | None = None
    """None: it still is."""

    def requests(self) -> Floats:
        """Return how many requests that was, shape (rows, minutes)."""
        part_s = (self.seconds or 0.0) / len(self.minutes)
        return self.each * self.replicas[:, None] * part_s


@dataclass(slots=True)
class Router:
    """Sends the requests of an endpoint to where most power is left, step by step.

    It looks at the rows when a step begins, and when replicas or the pace of GPUs change.
    What others draw is taken to stay as it is then; replicas of one row get alike.
    """

    minutes: int
    """Of a step."""
    tokens_per_request: float
    demand: Callable[[float], Floats]
    """What the whole fleet is sent in each minute, by the rate of the GPUs. [1/s]"""
    curve: Callable[[float], Curve]
    """What one replica makes of it, by the rate of the GPUs."""
    on_time: Callable[[float], Floats] | None = None
    """1 for each minute, 0 where all come too late whoever serves them, by the rate of the GPUs;
    None: never."""
    sent: list[Sent] = field(default_factory=list)
    """All that was sent, in order; kept where latency is modelled."""

    def share(self, step: int, now_s: float, rate: float, standing: Standing) -> list[Done]:
        """Return what each replica does from now on, in the order of *standing*."""
        self.close(now_s)
        curve = self.curve(rate)
        minutes = np.arange(step * self.minutes, (step + 1) * self.minutes)
        rows, of_replica = np.unique(standing.rows, return_inverse=True)
        replicas = np.bincount(of_replica).astype(float)
        others_w = np.array([standing.others_w[row] for row in rows.tolist()])
        most = float(replicas.sum()) * curve.requests_per_s[-1]
        demand = np.minimum(self.demand(rate)[minutes], most)
        kept = curve.requests_per_s <= curve.kept_per_s
        drawn_w = _rising([standing.power_w(each) for each in curve.activity[kept].tolist()])
        each = filled(curve.requests_per_s[kept], drawn_w, (replicas, others_w), demand)
        if curve.within is not None:
            self.sent.append(Sent(minutes, rate, each, replicas, now_s))
        on_time = np.ones(len(minutes)) if self.on_time is None else self.on_time(rate)[minutes]
        done = self._done(curve, each, on_time)
        return [done[row] for row in of_replica.tolist()]

    def _done(self, curve: Curve, each: Floats, on_time: Floats) -> list[Done]:
        """Return what a replica of each row does, on the mean over the step."""
        activity = np.interp(each, curve.requests_per_s, curve.activity).mean(axis=1)
        requests = each.mean(axis=1)
        judged = within = np.zeros(len(each))
        if curve.within is not None:
            judged = requests
            share = np.interp(each, curve.requests_per_s, curve.within) * on_time
            within = (each * share).mean(axis=1)
        columns = (requests * self.tokens_per_request, requests, judged, within)
        served = zip(*(column.tolist() for column in columns), strict=True)
        return list(zip(activity.tolist(), served, strict=True))

    def close(self, now_s: float) -> None:
        """Book for how long that was sent which was sent last."""
        if self.sent and self.sent[-1].seconds is None:
            last = self.sent.pop()
            self.sent.append(replace(last, seconds=now_s - last.since_s))


def _rising(power_w: list[float]) -> Floats:
    """Return *power_w*, a hair more at each point than at the one before where it is not."""
    hair_w = 1e-6 * np.arange(len(power_w))
    return np.asarray(np.maximum.accumulate(power_w) + hair_w)
