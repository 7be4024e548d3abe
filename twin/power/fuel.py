"""The tank behind generator sets: how long it lasts, and when it is filled again."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from twin.config import Fraction, NonNegative, Positive
from twin.errors import require
from twin.units import SECONDS_PER_HOUR


def fuel_fraction(load_fraction: float, no_load_fraction: float) -> float:
    r"""Return what a set burns over what it burns at its rating: a Willans line.

    .. math:: b(x) = b_0 + (1 - b_0)\,x

    Parameters
    ----------
    load_fraction : float
        Load over the rating of the sets that run, >= 0. [-]
    no_load_fraction : float
        What a set burns while it turns without load, over that at its rating, 0-1. [-]

    Returns
    -------
    float
        Fuel over fuel at the rating. [-]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Examples
    --------
    >>> round(fuel_fraction(0.25, 0.1), 3)
    0.325
    """
    require(load_fraction >= 0.0, "load_fraction", load_fraction, ">= 0")
    require(0.0 <= no_load_fraction <= 1.0, "no_load_fraction", no_load_fraction, "in 0..1")
    return no_load_fraction + (1.0 - no_load_fraction) * load_fraction


@dataclass(kw_only=True)
class Tank:
    """Fuel for all sets of a group; ``level`` runs from 1, full, to 0."""

    hours_at_rating: Positive
    """How long a full tank carries the sets needed (without the spare) at their rating. [h]"""
    no_load_fraction: Fraction
    """Fuel of a set that turns without load, over that at its rating. [-]"""
    delivery_hours: Positive | None
    """From the first use of a full tank until it is filled up; None: nobody comes. [h]"""

    litres_per_kwh: Positive | None = None
    """Fuel over electricity at the rating; None: litres are not told. [L/kWh]"""
    carbon_kg_per_litre: NonNegative | None = None
    """What burning it emits on site; None: not told. [kg CO2/L]"""

    level: float = field(init=False, default=1.0)
    due_s: float = field(init=False, default=inf)
    """Until the next delivery; ``inf``: none is called. [s]"""
    _burnt: float = field(init=False, default=0.0)
    """Since the start, in full tanks."""
    _needed_w: float = field(init=False, default=0.0)

    def size(self, needed_w: float) -> None:
        """Fill a tank for sets of *needed_w* together."""
        self.level, self.due_s, self._burnt = 1.0, inf, 0.0
        self._needed_w = needed_w

    def lasts_s(self, load_w: float, running_w: float) -> float:
        """Return how long it lasts with sets rated *running_w* together carrying *load_w* [s]."""
        burnt = self._per_s(load_w, running_w)
        return self.level / burnt if burnt > 0.0 else inf

    def until_change_s(self, load_w: float, running_w: float) -> float:
        """Return the time until it is dry, or until a delivery ends that; ``inf``: neither [s]."""
        if self.level <= 0.0:
            return self.due_s
        return self.lasts_s(load_w, running_w)

    def pass_time(self, load_w: float, running_w: float, dt_s: float) -> None:
        """Burn what the running sets take in *dt_s*; fill up where a delivery comes."""
        spent = self._per_s(load_w, running_w) * dt_s
        if spent > 0.0:
            before, left = self.level, self.level - spent
            self.level = left if left > spent * 1e-9 else 0.0
            self._burnt += before - self.level
            if self.due_s == inf and self.delivery_hours is not None:
                self.due_s = self.delivery_hours * SECONDS_PER_HOUR
        if self.due_s < inf:
            self.due_s -= dt_s
            if self.due_s <= 1e-6:
                self.level, self.due_s = 1.0, inf

    def litres(self) -> float | None:
        """Return what was burnt since the start [L]; None where litres are not known."""
        if self.litres_per_kwh is None:
            return None
        full_kwh = self._needed_w / 1e3 * self.hours_at_rating
        return self._burnt * full_kwh * self.litres_per_kwh

    def carbon_kg(self) -> float | None:
        """Return what that emits [kg CO2]; None where it is not known."""
        litres = self.litres()
        if litres is None or self.carbon_kg_per_litre is None:
            return None
        return litres * self.carbon_kg_per_litre

    def _per_s(self, load_w: float, running_w: float) -> float:
        if running_w <= 0.0 or self._needed_w <= 0.0:
            return 0.0
        burnt = fuel_fraction(load_w / running_w, self.no_load_fraction)
        return burnt * running_w / self._needed_w / (self.hours_at_rating * SECONDS_PER_HOUR)
