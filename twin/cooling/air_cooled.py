"""A chiller that rejects its heat straight to the outdoor air, condenser fans included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twin.config import Fraction, NonNegative, Positive
from twin.cooling.base import Medium
from twin.cooling.chiller import Quadratic
from twin.errors import require


def air_cooled_full_load(
    lift_k: float, capacity: Quadratic, power: Quadratic
) -> tuple[float, float]:
    """Capacity and full-load power of an air-cooled chiller, relative to its rating. [-].

    Parameters
    ----------
    lift_k : float
        Excess of the air over its rating, over the rise coefficient, less the excess of
        the chilled water over its rating; -12..8. [K]
    capacity : (c0, c1, c2)
        Quadratic of the capacity in the lift. [-]
    power : (p0, p1, p2)
        Quadratic of power per capacity in the capacity. [-]

    Returns
    -------
    (capacity_ratio, power_ratio)

    Raises
    ------
    ParameterError
        If the lift is outside -12..8 K.

    References
    ----------
    .. [1] U.S. DOE, *EnergyPlus Engineering Reference*, "Constant COP and Electric
       Chiller", the BLAST model behind ``Chiller:Electric``.

    Examples
    --------
    >>> ratios = air_cooled_full_load(0.0, (0.94, -0.057, 0.0019), (2.333, -1.975, 0.6121))
    >>> round(ratios[0], 2)
    0.94
    """
    if not -12.0 <= lift_k <= 8.0:
        require(False, "lift_k", lift_k, "in -12..8 K")
    c0, c1, c2 = capacity
    ratio = c0 + lift_k * (c1 + c2 * lift_k)
    p0, p1, p2 = power
    return ratio, ratio * (p0 + ratio * (p1 + p2 * ratio))


@dataclass(frozen=True, slots=True, kw_only=True)
class AirCooledMachine:
    """Capacity and power from the outdoor dry bulb ("condenser" temperature)."""

    name: str
    reference_w: Positive
    cop: Positive
    fan_kw_per_kw: NonNegative
    """Condenser fans per heat removed at full load. [kW/kW]"""
    rated_air_c: float
    rated_chilled_c: float
    rise_coefficient: Positive
    capacity: Quadratic
    power: Quadratic
    part_load: Quadratic
    part_load_min: Positive
    part_load_max: Positive
    chilled_range_c: tuple[float, float]
    condenser_range_c: tuple[float, float]
    doubtful_below: Fraction = 0.0
    rejects_to: ClassVar[Medium] = "air"

    def full_load_w(self, chilled_c: float, condenser_c: float) -> tuple[float, float]:
        """Return ``(capacity_w, power_w)``, compressor and condenser fans."""
        lift_k = (condenser_c - self.rated_air_c) / self.rise_coefficient - (
            chilled_c - self.rated_chilled_c
        )
        capacity, power = air_cooled_full_load(lift_k, self.capacity, self.power)
        capacity_w = self.reference_w * capacity
        return capacity_w, self.reference_w * power / self.cop + self.fan_kw_per_kw * capacity_w
