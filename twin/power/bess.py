"""A battery energy storage system at the meter: shaves peaks, buys low and uses high."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import Fraction, HoursAhead, NonNegative, Positive, PositiveFraction
from twin.errors import require
from twin.physics.steps import StepSeries
from twin.power.arbitrage import levels_j
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

REPLAN_S = 6 * SECONDS_PER_HOUR
"""A plan is made anew this often."""


def discharge_w(site_w: float, limit_w: float, power_w: float, *, dear: bool, cheap: bool) -> float:
    """Return what storage should give (negative: take) at the meter.

    Parameters
    ----------
    site_w : float
        What the site draws without it; negative: it has a surplus, which storage takes. [W]
    limit_w : float
        Most that may be drawn from the grid; ``inf`` where nothing limits. [W]
    power_w : float
        Rating of the storage, either way. [W]
    dear, cheap : bool
        Whether the price asks to use what is stored, or to fill up.

    Returns
    -------
    float
        Above the limit, the excess; else the whole rating when it is dear (never more than
        the site draws: nothing is exported); else, when it is cheap, charging as far as
        the limit allows. [W]

    Examples
    --------
    >>> discharge_w(5e6, 4e6, 2e6, dear=False, cheap=True)
    1000000.0
    >>> discharge_w(3e6, 4e6, 2e6, dear=False, cheap=True)
    -1000000.0
    """
    if site_w < 0.0:
        return -min(power_w, limit_w - site_w if cheap else -site_w)
    if site_w > limit_w:
        return min(site_w - limit_w, power_w)
    if dear:
        return min(power_w, site_w)
    return -min(power_w, limit_w - site_w) if cheap else 0.0


@dataclass(kw_only=True)
class Bess:
    """Storage sized by the contract of the utility it stands at; outdoors, in containers.

    It follows the grid: in an outage it is idle. Above the import limit it gives the excess,
    whatever the price, and keeps what more it could give for the rest of the peak. Else it acts
    on prices: with ``ahead_hours`` by the plan that earns most from the prices published so far
    ahead, looked at anew every few hours; with two thresholds when the price passes them; with
    neither it refills whenever the limit leaves room. The plan knows nothing of the limit, nor of
    loads smaller than the rating. What its containers need for their own cooling is not modelled.
    """

    at: str
    """Name of the utility element it stands at."""
    power_fraction: Positive
    """Rating over the contracted power. [-]"""
    hours: Positive
    """Energy between empty and full over the rating. [h]"""
    round_trip_efficiency: PositiveFraction
    reserve_fraction: Fraction
    """Part of the energy that is never used. [-]"""
    import_limit_fraction: Positive | None
    """Draw from the grid it tries to hold, over the contracted power; None: no limit. [-]"""
    charge_below_price: NonNegative | None
    """Price per kWh at or below which it fills up, in the currency of the tariff."""
    discharge_above_price: NonNegative | None
    """Price per kWh at or above which it gives."""
    ahead_hours: HoursAhead | None = None
    """How far ahead prices are published, and used to plan; None: thresholds, if any. [h]"""

    stored_j: float = field(init=False, default=0.0)
    rated_w: float = field(init=False, default=0.0)
    """Power either way. [W]"""
    charged_j: float = field(init=False, default=0.0)
    """Taken at the meter since the start. [J]"""
    given_j: float = field(init=False, default=0.0)
    saved: float = field(init=False, default=0.0)
    """What it gave less what it took, at the price of the moment."""
    _prices: StepSeries | None = field(init=False, default=None)
    _plan: list[tuple[float, float]] = field(init=False, default_factory=list)
    _plan_at_s: float = field(init=False, default=0.0)
    _turn_s: float = field(init=False, default=-math.inf)
    """When there is something to look at again. [s]"""
    _levels_j: tuple[float, float] = field(init=False, default=(0.0, math.inf))
    """Of the plan, now: below the first it charges, above the second it gives."""
    _limit_w: float = field(init=False, default=math.inf)
    _full_j: float = field(init=False, default=0.0)
    _reserve_j: float = field(init=False, default=0.0)
    _planned_from: int = field(init=False, default=0)
    _one_way: float = field(init=False, default=1.0)

    def __post_init__(self) -> None:
        low, high = self.charge_below_price, self.discharge_above_price
        ok = (low is None) == (high is None) and (low is None or high is None or low < high)
        require(ok, "discharge_above_price", high, f"given with, and above, {low=}")
        alone = self.ahead_hours is None or low is None
        require(alone, "ahead_hours", self.ahead_hours, "null where thresholds are given")
        require(self.reserve_fraction < 1.0, "reserve_fraction", self.reserve_fraction, "< 1")

    def size(self, contracted_w: float) -> None:
        """Fix rating and energy for a contract, and start full."""
        self.rated_w = self.power_fraction * contracted_w
        self._full_j = self.rated_w * self.hours * SECONDS_PER_HOUR
        self._one_way = math.sqrt(self.round_trip_efficiency)
        limit = self.import_limit_fraction
        self._limit_w = math.inf if limit is None else limit * contracted_w
        self.stored_j = self._full_j
        self._reserve_j = self.reserve_fraction * self._full_j
        self.charged_j = self.given_j = self.saved = 0.0
        self._plan = []
        self._turn_s = -math.inf

    def know_prices(self, prices: StepSeries) -> None:
        """Take the prices of the run; no more than ``ahead_hours`` of them is ever used."""
        self._prices = prices
        self._plan = []
        self._turn_s = -math.inf

    def look(self, at_s: float) -> None:
        """Turn to the plan for the beat that begins at *at_s*, and make a new one when due."""
        if at_s < self._turn_s:
            return
        prices = self._prices
        if self.ahead_hours is None or prices is None:
            self._turn_s = math.inf
            return
        step = prices.place(at_s)
        if not self._plan or at_s >= self._plan_at_s + REPLAN_S:
            self._plan_at_s, self._planned_from = at_s, step
            last = prices.place(at_s + self.ahead_hours * SECONDS_PER_HOUR - 1e-6)
            known = prices.values[step : last + 1]
            step_s = min(prices.step_s, SECONDS_PER_HOUR)
            usable_j = self._full_j - self._reserve_j
            # What is left at the end is worth what it costs to buy again, a hair less so that
            # nothing is bought for that alone.
            left = max(0.0, min(known)) / self._one_way * (1.0 - 1e-9)
            plan = levels_j(known, self.rated_w, usable_j, self._one_way, step_s, left)
            self._plan = [(fill + self._reserve_j, rest + self._reserve_j) for fill, rest in plan]
        self._levels_j = self._plan[min(step - self._planned_from, len(self._plan) - 1)]
        step_ends_s = prices.first_at_s + (step + 1) * prices.step_s
        self._turn_s = min(self._plan_at_s + REPLAN_S, max(step_ends_s, at_s))

    def step(self, site_w: float, price_per_kwh: float | None, dt_s: float) -> tuple[float, float]:
        """Let a beat pass; return (change of the draw from the grid, heat) [W].

        Parameters
        ----------
        site_w : float
            Mean power of the site without it. [W]
        price_per_kwh : float or None
            Price now; None where nobody told.
        dt_s : float
            Length of the beat. [s]
        """
        give_w = discharge_w(
            site_w,
            self._limit_w,
            self.rated_w,
            dear=self._dear(price_per_kwh),
            cheap=self._cheap(price_per_kwh),
        )
        price = price_per_kwh or 0.0
        if give_w > 0.0:
            shaving = site_w > self._limit_w or self.ahead_hours is None
            floor_j = self._reserve_j if shaving else self._levels_j[1]
            usable_j = self.stored_j - floor_j
            give_w = min(give_w, max(0.0, usable_j) * self._one_way / dt_s)
            out_w = give_w / self._one_way
            self.stored_j -= out_w * dt_s
            self.given_j += give_w * dt_s
            self.saved += give_w * dt_s * price / JOULES_PER_KWH
            return -give_w, out_w - give_w
        surplus = site_w < 0.0 or self.ahead_hours is None
        room_j = (self._full_j if surplus else self._levels_j[0]) - self.stored_j
        take_w = min(-give_w, max(0.0, room_j) / self._one_way / dt_s)
        in_w = take_w * self._one_way
        self.stored_j += in_w * dt_s
        self.charged_j += take_w * dt_s
        self.saved -= max(0.0, take_w + min(site_w, 0.0)) * dt_s * price / JOULES_PER_KWH
        return take_w, take_w - in_w

    def account(self) -> dict[str, float]:
        """Return what it moved and saved since the start, for run.json."""
        return {
            "rated_kw": self.rated_w / 1e3,
            "capacity_kwh": self._full_j / JOULES_PER_KWH,
            "charged_kwh": self.charged_j / JOULES_PER_KWH,
            "given_kwh": self.given_j / JOULES_PER_KWH,
            "stored_change_kwh": (self.stored_j - self._full_j) / JOULES_PER_KWH,
            "saved": self.saved,
        }

    def _dear(self, price_per_kwh: float | None) -> bool:
        if self.ahead_hours is not None:
            return self.stored_j > self._levels_j[1]
        high = self.discharge_above_price
        return high is not None and price_per_kwh is not None and price_per_kwh >= high

    def _cheap(self, price_per_kwh: float | None) -> bool:
        if self.ahead_hours is not None:
            return self.stored_j < self._levels_j[0]
        low = self.charge_below_price
        return low is None or (price_per_kwh is not None and price_per_kwh <= low)
