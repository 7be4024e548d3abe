"""Stored energy behind a UPS: how long it lasts at a load, and what refilling it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from twin.config import Positive, PositiveFraction, Range
from twin.errors import require
from twin.units import SECONDS_PER_MINUTE

SLOWEST_LOAD = 0.1
"""Load over rating below which a battery gives no more energy by being drained slower."""


def backup_s(power_w: float, rated_w: float, rated_s: float, exponent: float) -> float:
    r"""Return how long a full battery carries a constant load.

    .. math:: t(P) = t_r \left(\frac{P_r}{P}\right)^{p}

    Parameters
    ----------
    power_w : float
        Load, > 0. [W]
    rated_w : float
        Load at which the battery is rated, > 0. [W]
    rated_s : float
        Time it lasts at that load, > 0. [s]
    exponent : float
        Peukert-like exponent, >= 1: 1.15-1.3 lead-acid, 1.02-1.08 lithium-ion, 1 where
        the energy does not depend on the pace, as in a flywheel. [-]

    Returns
    -------
    float
        Time until empty. [s]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Notes
    -----
    Below a tenth of the rating the energy is held at that of a tenth: the power law
    would promise energy without end.

    Examples
    --------
    >>> backup_s(50e3, rated_w=100e3, rated_s=300.0, exponent=1.0)
    600.0
    >>> round(backup_s(50e3, rated_w=100e3, rated_s=300.0, exponent=1.2))
    689
    """
    require(power_w > 0.0, "power_w", power_w, "> 0")
    require(rated_w > 0.0, "rated_w", rated_w, "> 0")
    require(rated_s > 0.0, "rated_s", rated_s, "> 0")
    require(exponent >= 1.0, "exponent", exponent, ">= 1")
    x = power_w / rated_w
    return rated_s * math.pow(max(x, SLOWEST_LOAD), 1.0 - exponent) / x


@dataclass(kw_only=True)
class Battery:
    """The batteries of one element, all units alike and charged alike.

    Two things are kept apart. ``charge`` is what is left to carry a load and falls at
    ``1 / t(P)``; a fast discharge empties it before the energy is gone. ``missing_j``
    is the energy that was taken out and must be put back. Refilling restores both in
    step, so a refilled battery is full in both senses and no watt-hour is invented.
    """

    type: Literal["vrla", "li_ion", "flywheel"]
    minutes_at_rating: Positive
    """Time a full battery carries the rating of its element. [min]"""
    exponent: Annotated[float, Range(1.0, 2.0)]
    """Above 2 a slow discharge would give a hundred times the energy of a fast one. [-]"""
    recharge_fraction: PositiveFraction
    """Power drawn to recharge, over the rating of the element. [-]"""
    recharge_efficiency: PositiveFraction
    """Energy stored over energy drawn to store it; the rest is heat. [-]"""

    charge: float = field(init=False, default=1.0)
    missing_j: float = field(init=False, default=0.0)
    _full_j: float = field(init=False, default=0.0)

    def size(self, rated_w: float) -> None:
        """Fill the battery of an element rated *rated_w* with all its units."""
        rated_s = self.minutes_at_rating * SECONDS_PER_MINUTE
        self._full_j = rated_w * rated_s * math.pow(SLOWEST_LOAD, 1.0 - self.exponent)
        self.charge, self.missing_j = 1.0, 0.0

    def energy_j(self) -> float:
        """Return the energy inside [J]."""
        return self._full_j - self.missing_j

    def lasts_s(self, power_w: float, rated_w: float) -> float:
        """Return the time until empty at *power_w*, with units rated *rated_w* in service."""
        if power_w <= 0.0:
            return float("inf")
        rated_s = self.minutes_at_rating * SECONDS_PER_MINUTE
        return self.charge * backup_s(power_w, rated_w, rated_s, self.exponent)

    def discharge(self, power_w: float, rated_w: float, dt_s: float) -> None:
        """Give *power_w* for *dt_s*; what is asked beyond empty is given and shows as debt.

        A driver that ends its beats where :meth:`lasts_s` says never sees that debt.
        """
        if power_w <= 0.0:
            return
        rated_s = self.minutes_at_rating * SECONDS_PER_MINUTE
        spent = dt_s / backup_s(power_w, rated_w, rated_s, self.exponent)
        left = self.charge - spent
        self.charge = left if left > spent * 1e-9 else 0.0  # rounding is not a millisecond more
        self.missing_j += power_w * dt_s

    def recharge_w(self, rated_w: float, dt_s: float) -> float:
        """Return the power to draw during the next *dt_s*, so as not to overfill [W]."""
        if self.missing_j <= 0.0:
            return 0.0
        return min(
            self.recharge_fraction * rated_w, self.missing_j / self.recharge_efficiency / dt_s
        )

    def store(self, power_w: float, dt_s: float) -> float:
        """Take *power_w* in for *dt_s*; return the part of it that became heat [W]."""
        stored_j = min(self.recharge_efficiency * power_w * dt_s, self.missing_j)
        if stored_j >= self.missing_j * (1.0 - 1e-12):
            self.charge, stored_j, self.missing_j = 1.0, self.missing_j, 0.0
        else:
            self.charge += (1.0 - self.charge) * stored_j / self.missing_j
            self.missing_j -= stored_j
        return power_w - stored_j / dt_s
