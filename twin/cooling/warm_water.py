"""A chiller for warm water, where the measured curves of ordinary machines end.

It reaches a fixed share of the ideal efficiency between the two water temperatures;
nothing in it is a polynomial, so it holds from cool to warm water alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Fraction, NonNegative, Positive, PositiveFraction
from twin.cooling.base import Medium
from twin.cooling.chiller import Quadratic
from twin.errors import require
from twin.physics.thermal import carnot_cop


def warm_water_cop(
    chilled_c: float, leaving_condenser_c: float, carnot_fraction: float, pinch_k: float
) -> float:
    """Full-load efficiency of a machine between two water temperatures. [-].

    Parameters
    ----------
    chilled_c, leaving_condenser_c : float
        Water leaving the evaporator and the condenser. [degC]
    carnot_fraction : float
        Share of the ideal efficiency, > 0 and <= 1. [-]
    pinch_k : float
        Refrigerant below the chilled and above the condenser water, >= 0. [K]

    Raises
    ------
    ParameterError
        If the share is outside its range or the lift is not positive.

    Examples
    --------
    Chilled water at 20 degC, condenser water 32 -> 37 degC:

    >>> round(warm_water_cop(20.0, 37.0, 0.575, 1.5), 1)
    8.4
    """
    if not 0.0 < carnot_fraction <= 1.0:
        require(False, "carnot_fraction", carnot_fraction, "> 0 and <= 1")
    return carnot_fraction * carnot_cop(chilled_c - pinch_k, leaving_condenser_c + pinch_k)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmWaterMachine:
    """Compressor at a fixed share of Carnot; capacity independent of temperature."""

    name: str
    reference_w: Positive
    carnot_fraction: PositiveFraction
    pinch_k: NonNegative
    condenser_rise_k: Positive
    """Warming of the condenser water (or air) in the machine. [K]"""
    least_lift_k: Positive
    """Least refrigerant lift a compressor works against. [K]"""
    part_load_min: Positive
    part_load_max: Positive
    part_load: Quadratic
    chilled_range_c: tuple[float, float]
    condenser_range_c: tuple[float, float]
    doubtful_below: Fraction = 0.0
    rejects_to: Medium = "water"
    fan_kw_per_kw: NonNegative = 0.0
    """Condenser fans per heat removed at full load. [kW/kW]"""

    def full_load_w(self, chilled_c: float, condenser_c: float) -> tuple[float, float]:
        """Return ``(capacity_w, power_w)``; colder condensers than the least lift save nothing."""
        least_c = chilled_c + self.least_lift_k - 2.0 * self.pinch_k
        leaving_c = condenser_c + self.condenser_rise_k
        leaving_c = leaving_c if leaving_c > least_c else least_c
        cop = warm_water_cop(chilled_c, leaving_c, self.carnot_fraction, self.pinch_k)
        return self.reference_w, self.reference_w * (1.0 / cop + self.fan_kw_per_kw)
