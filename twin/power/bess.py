"""A battery energy storage system at the meter: shaves peaks, buys low and uses high."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import Fraction, NonNegative, Positive, PositiveFraction
from twin.errors import require
from twin.units import SECONDS_PER_HOUR


def discharge_w(site_w: float, limit_w: float, power_w: float, *, dear: bool, cheap: bool) -> float:
    """Return what storage should give (negative: take) at the meter.

    Parameters
    ----------
    site_w : float
        What the site draws without it, >= 0. [W]
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
    if site_w > limit_w:
        return min(site_w - limit_w, power_w)
    if dear:
        return min(power_w, site_w)
    return -min(power_w, limit_w - site_w) if cheap else 0.0


@dataclass(kw_only=True)
class Bess:
    """Storage sized by the contract of the utility it stands at; outdoors, in containers.

    It follows the grid: in an outage it is idle. Without prices it refills whenever the
    limit leaves room. What its containers need for their own cooling is not modelled.
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

    stored_j: float = field(init=False, default=0.0)
    rated_w: float = field(init=False, default=0.0)
    """Power either way. [W]"""
    _limit_w: float = field(init=False, default=math.inf)
    _full_j: float = field(init=False, default=0.0)
    _one_way: float = field(init=False, default=1.0)

    def __post_init__(self) -> None:
        low, high = self.charge_below_price, self.discharge_above_price
        ok = (low is None) == (high is None) and (low is None or high is None or low < high)
        require(ok, "discharge_above_price", high, f"given with, and above, {low=}")

    def size(self, contracted_w: float) -> None:
        """Fix rating and energy for a contract, and start full."""
        self.rated_w = self.power_fraction * contracted_w
        self._full_j = self.rated_w * self.hours * SECONDS_PER_HOUR
        self._one_way = math.sqrt(self.round_trip_efficiency)
        limit = self.import_limit_fraction
        self._limit_w = math.inf if limit is None else limit * contracted_w
        self.stored_j = self._full_j

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
        if give_w > 0.0:
            usable_j = self.stored_j - self.reserve_fraction * self._full_j
            give_w = min(give_w, max(0.0, usable_j) * self._one_way / dt_s)
            out_w = give_w / self._one_way
            self.stored_j -= out_w * dt_s
            return -give_w, out_w - give_w
        take_w = min(-give_w, (self._full_j - self.stored_j) / self._one_way / dt_s)
        in_w = take_w * self._one_way
        self.stored_j += in_w * dt_s
        return take_w, take_w - in_w

    def _dear(self, price_per_kwh: float | None) -> bool:
        high = self.discharge_above_price
        return high is not None and price_per_kwh is not None and price_per_kwh >= high

    def _cheap(self, price_per_kwh: float | None) -> bool:
        low = self.charge_below_price
        return low is None or (price_per_kwh is not None and price_per_kwh <= low)
