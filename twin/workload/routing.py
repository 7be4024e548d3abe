"""How the replicas of an endpoint share its demand where their rows have unequal power left.

Sent one by one to the replica whose row has most power left, many small requests fill rows
like water: those that are fullest by themselves get nothing, the others come to one level.
Where heat is looked at, replicas in air that is nearly too warm come last; where clocks may be
lowered, they are in the rows that near their power, no further than they need or requests bear.
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
from twin.workload.clocks import Reconfigure

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


@dataclass(frozen=True, slots=True)
class Gears:
    """What a replica does at each rate of requests, by how many steps its clock may be lowered.

    Of the steps at which its requests stay in time it takes the one that draws least.
    """

    requests_per_s: Floats
    """Shape (points,), rising from 0."""
    kept: int
    """Points at which requests stay in time at its own clock."""
    power_w: Floats
    """Beyond idling, rising with the rate, shape (steps, points). [W]"""
    activity: Floats
    speed: Floats
    """Of its GPUs over their own."""

    def speeds(self, step: int, each: Floats) -> Floats:
        """Return the speed of replicas that are sent *each* [1/s], lowered up to *step*."""
        at = np.searchsorted(self.requests_per_s, each)
        return np.asarray(self.speed[step, np.minimum(at, len(self.requests_per_s) - 1)])


def make_gears(
    curve: Callable[[float], Curve], rate: float, standing: Standing, rule: Reconfigure | None
) -> Gears:
    """Return the gears of a replica on GPUs at *rate* of their own, by a *rule* or without any."""
    usual = curve(rate)
    kept = int(np.count_nonzero(usual.requests_per_s <= usual.kept_per_s))
    clocks = [(1.0, 1.0)]
    if rule is not None and standing.capped is not None:
        clocks = rule.clocks(standing.capped)
    points = usual.requests_per_s
    slow = [curve(rate * speed) for _, speed in clocks[1:]]
    edges = [min(each.kept_per_s, float(each.requests_per_s[-1])) for each in slow]
    if edges:  # each clock is taken right up to where it no longer will do
        inner = [edge for edge in (usual.kept_per_s, *edges) if 0 < edge < points[-1]]
        points = np.unique([*points, *inner, *np.nextafter(inner, np.inf)])
        kept = int(np.count_nonzero(points <= usual.kept_per_s))
    rows = []
    for (less, speed), own, edge in zip(clocks, [usual, *slow], [np.inf, *edges], strict=True):
        activity = less * np.interp(points, own.requests_per_s, own.activity)
        drawn_w = np.array([standing.power_w(each) for each in activity.tolist()])
        drawn_w[points > edge] = np.inf
        rows.append((drawn_w, activity, np.full(len(points), speed)))
    power_w, activity, speeds = (np.array(column) for column in zip(*rows, strict=True))
    best = np.array([np.argmin(power_w[: k + 1], axis=0) for k in range(len(clocks))])
    power_w, activity, speeds = (
        np.take_along_axis(column, best, axis=0) for column in (power_w, activity, speeds)
    )
    return Gears(points, kept, rising(power_w), activity, speeds)


def rising(power_w: Floats) -> Floats:
    """Return *power_w*, a hair more at each point than at the one before where it is not."""
    hair_w = 1e-6 * np.arange(power_w.shape[-1])
    return np.asarray(np.maximum.accumulate(power_w, axis=-1) + hair_w)


def filled(rate: Floats, power_w: Floats, rows: tuple[Floats, Floats], demand: Floats) -> Floats:
    """Return what each replica of a row is sent, so that the fullest row is filled least.

    Parameters
    ----------
    rate, power_w : ndarray, shape (points,)
        Rates of requests of a replica, rising from 0, [1/s], and what it draws there,
        rising too; shape (rows, points) where rows differ in that. [W]
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
    ends_w: Floats = others_w[:, None] + replicas[:, None] * power_w
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
    speed: float = 1.0
    """The part of ``rate`` that is a clock lowered for the power of the row. [-]"""

    def requests(self) -> Floats:
        """Return how many requests that was, shape (rows, minutes)."""
        return self.each * self.replicas[:, None] * self.part_s()

    def part_s(self) -> float:
        """Return for how long each of the minutes counts [s]."""
        return (self.seconds or 0.0) / len(self.minutes)


@dataclass(frozen=True, slots=True)
class Tier:
    """Replicas that are sent alike where their rows stand alike, and what they can take."""

    gears: Gears
    rows: NDArray[np.int64]
    of_replica: NDArray[np.intp]
    """Which of the rows each replica stands in."""
    replicas: Floats
    """Of each row."""
    others_w: Floats
    rate: float

    @property
    def kept_per_s(self) -> float:
        """Return what they all can be sent and keep their objective [1/s]."""
        return float(self.replicas.sum() * self.gears.requests_per_s[self.gears.kept - 1])

    @property
    def most_per_s(self) -> float:
        """Return what they all can be sent at most [1/s]."""
        return float(self.replicas.sum()) * float(self.gears.requests_per_s[-1])


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
    reconfigure: Reconfigure | None = None
    """When clocks are lowered; None: never."""
    heat_margin_k: float | None = None
    """Replicas in air that is but so much cooler than what slows GPUs down come last; None:
    nobody looks. [K]"""
    sent: list[Sent] = field(default_factory=list)
    """All that was sent, in order; kept where latency is modelled."""
    _gears: dict[tuple[float, Callable[[float], float]], Gears] = field(
        init=False, default_factory=dict
    )

    def share(
        self,
        step: int,
        now_s: float,
        rate: float,
        standing: Standing,
        warm: tuple[float, Standing] | None = None,
    ) -> list[Done]:
        """Return what each replica does from now on, in the order of *standing*.

        Those that are *warm* follow: (rate of their GPUs, where they stand). They get what
        the others cannot take within their objective, and have their clocks lowered at once.
        """
        self.close(now_s)
        minutes = np.arange(step * self.minutes, (step + 1) * self.minutes)
        demand = self.demand(rate)[minutes]
        tier = self._tier(rate, standing)
        if warm is None:
            return self._serve(tier, np.minimum(demand, tier.most_per_s), minutes, now_s)
        last = self._tier(*warm)
        first, rest = _by_turns(tier, last, demand)
        done = self._serve(tier, first, minutes, now_s)
        for row, (activity, _) in zip(standing.rows, done, strict=True):
            last.others_w[last.rows == row] += standing.power_w(activity)
        return done + self._serve(last, rest, minutes, now_s, lowered=True)

    def _tier(self, rate: float, standing: Standing) -> Tier:
        rows, of_replica = np.unique(standing.rows, return_inverse=True)
        others_w = np.array([standing.others_w[row] for row in rows.tolist()])
        known = (rate, standing.power_w)
        if known not in self._gears:
            self._gears[known] = make_gears(self.curve, rate, standing, self.reconfigure)
        replicas = np.bincount(of_replica).astype(float)
        return Tier(self._gears[known], rows, of_replica, replicas, others_w, rate)

    def _serve(
        self,
        tier: Tier,
        demand: Floats,
        minutes: NDArray[np.int64],
        now_s: float,
        lowered: bool = False,
    ) -> list[Done]:
        """Return what each replica of a *tier* does that is sent *demand*, and keep book of it."""
        if not len(tier.rows):
            return []
        each, steps = self._fill(tier, demand, lowered)
        gears, curve = tier.gears, self.curve(tier.rate)
        activity = np.array([
            np.interp(sent, gears.requests_per_s, gears.activity[step])
            for sent, step in zip(each, steps, strict=True)
        ])  # fmt: skip
        if curve.within is not None:
            self._book(tier, each, steps, minutes, now_s)
        on_time = np.ones(len(minutes))
        if self.on_time is not None:
            on_time = self.on_time(tier.rate)[minutes]
        done = self._done(curve, each, activity, on_time)
        return [done[row] for row in tier.of_replica.tolist()]

    def _fill(self, tier: Tier, demand: Floats, lowered: bool) -> tuple[Floats, list[int]]:
        """Return what each replica of a row is sent, and how far its clock may be lowered.

        All work at their own clocks first; then rows that near their power go down by one
        step after another, and take what the others need not then.
        """
        deepest = len(tier.gears.power_w) - 1
        steps = np.full(len(tier.rows), deepest if lowered else 0)
        each, near = self._level(tier, demand, steps)
        if (near & (steps < deepest)).any():
            # Who nears its power even at the lowest clocks need not go there step by step.
            _, still = self._level(tier, demand, np.full_like(steps, deepest))
            steps[still] = deepest
            each, near = self._level(tier, demand, steps)
        while (further := near & (steps < deepest)).any():
            steps[further] += 1
            each, near = self._level(tier, demand, steps)
        return each, steps.tolist()

    def _level(
        self, tier: Tier, demand: Floats, steps: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return what each replica of a row is sent, and which rows near their power then."""
        gears, rule = tier.gears, self.reconfigure
        rates, rows = gears.requests_per_s[: gears.kept], (tier.replicas, tier.others_w)
        each = filled(rates, gears.power_w[steps, : gears.kept], rows, demand)
        if rule is None:
            return each, np.zeros(len(steps), dtype=bool)
        drawn_w = np.array([
            np.interp(sent.max(), gears.requests_per_s, gears.power_w[step])
            for sent, step in zip(each, steps, strict=True)
        ])  # fmt: skip
        return each, tier.others_w + tier.replicas * drawn_w > rule.near_w

    def _book(
        self,
        tier: Tier,
        each: Floats,
        steps: list[int],
        minutes: NDArray[np.int64],
        now_s: float,
    ) -> None:
        """Note what is sent from now on, at each speed by itself."""
        if len(tier.gears.power_w) == 1:
            self.sent.append(Sent(minutes, tier.rate, each, tier.replicas, now_s))
            return
        speeds = np.array([
            tier.gears.speeds(step, sent) for sent, step in zip(each, steps, strict=True)
        ])  # fmt: skip
        for speed in np.unique(speeds).tolist():
            part = np.where(speeds == speed, each, 0.0)
            rate = tier.rate * speed
            self.sent.append(Sent(minutes, rate, part, tier.replicas, now_s, speed=speed))

    def _done(self, curve: Curve, each: Floats, activity: Floats, on_time: Floats) -> list[Done]:
        """Return what a replica of each row does, on the mean over the step."""
        requests = each.mean(axis=1)
        judged = within = np.zeros(len(each))
        if curve.within is not None:
            judged = requests
            share = np.interp(each, curve.requests_per_s, curve.within) * on_time
            within = (each * share).mean(axis=1)
        columns = (requests * self.tokens_per_request, requests, judged, within)
        served = zip(*(column.tolist() for column in columns), strict=True)
        return list(zip(activity.mean(axis=1).tolist(), served, strict=True))

    def close(self, now_s: float) -> None:
        """Book for how long that was sent which was sent last."""
        still = []
        while self.sent and self.sent[-1].seconds is None:
            still.append(self.sent.pop())
        while still:
            last = still.pop()
            self.sent.append(replace(last, seconds=now_s - last.since_s))


def _by_turns(first: Tier, last: Tier, demand: Floats) -> tuple[Floats, Floats]:
    """Return what two tiers are sent: the *first* what it keeps, then the *last*, then more."""
    one = np.minimum(demand, first.kept_per_s)
    two = np.minimum(demand - one, last.kept_per_s)
    one = one + np.minimum(demand - one - two, first.most_per_s - first.kept_per_s)
    return one, two + np.minimum(demand - one - two, last.most_per_s - last.kept_per_s)
