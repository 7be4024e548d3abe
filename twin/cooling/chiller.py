"""A water-cooled chiller: what its compressor draws to lift heat from cold to warm water.

Curves are valid where they were measured and nowhere else: these equations refuse
temperatures outside, and the bank of chillers holds them at the bound and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from twin.config import Fraction, Positive
from twin.cooling.base import Medium
from twin.errors import require

Biquadratic = tuple[float, float, float, float, float, float]
Quadratic = tuple[float, float, float]


class Machine(Protocol):
    """What a bank of chillers asks of one unit; the kinds of machine differ only in this."""

    @property
    def name(self) -> str:
        """Name in the catalogue."""

    @property
    def rejects_to(self) -> Medium:
        """What its condenser is cooled by."""

    @property
    def part_load(self) -> Quadratic:
        """Power over full-load power, a quadratic in the part load."""

    @property
    def part_load_min(self) -> float:
        """Part load below which the machine cycles."""

    @property
    def part_load_max(self) -> float:
        """Greatest part load."""

    @property
    def chilled_range_c(self) -> tuple[float, float]:
        """Leaving chilled water the machine is known for. [degC]."""

    @property
    def condenser_range_c(self) -> tuple[float, float]:
        """Entering condenser water, or air, the machine is known for. [degC]."""

    @property
    def doubtful_below(self) -> float:
        """Part load below which the curves contradict physics."""

    def full_load_w(self, chilled_c: float, condenser_c: float) -> tuple[float, float]:
        """Return ``(capacity_w, power_w)`` at full load, inside the ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChillerCurves:
    """Full and part load of one machine, EIR model with entering condenser temperature.

    ``capacity`` and ``input_ratio`` are biquadratics in leaving chilled and entering
    condenser water [degC], ``part_load`` a quadratic in the part-load ratio; used as
    published, not normalised to 1 at the reference point.
    """

    name: str
    reference_w: Positive
    cop: Positive
    part_load_min: Positive
    part_load_max: Positive
    chilled_range_c: tuple[float, float]
    condenser_range_c: tuple[float, float]
    capacity: Biquadratic
    input_ratio: Biquadratic
    part_load: Quadratic
    doubtful_below: Fraction = 0.0
    """Part load below which the curves contradict physics; a run that goes there says so."""
    rejects_to: ClassVar[Medium] = "water"

    def __post_init__(self) -> None:
        """Refuse ranges that are upside down."""
        require(
            self.part_load_max > self.part_load_min,
            "part_load_max",
            self.part_load_max,
            f"> part_load_min={self.part_load_min}",
        )
        for name in ("chilled_range_c", "condenser_range_c"):
            low, high = getattr(self, name)
            require(high > low, name, (low, high), "given as (low, high)")

    def full_load_w(self, chilled_c: float, condenser_c: float) -> tuple[float, float]:
        """Return ``(capacity_w, power_w)``, see :func:`full_load_w`, which checks the ranges."""
        c0, c1, c2, c3, c4, c5 = self.capacity
        e0, e1, e2, e3, e4, e5 = self.input_ratio
        x, y = chilled_c, condenser_c
        capacity_w = self.reference_w * (c0 + x * (c1 + c2 * x + c5 * y) + y * (c3 + c4 * y))
        eir = e0 + x * (e1 + e2 * x + e5 * y) + y * (e3 + e4 * y)
        return capacity_w, capacity_w * eir / self.cop


def full_load_w(
    curves: Machine, leaving_chilled_c: float, entering_condenser_c: float
) -> tuple[float, float]:
    """Capacity of a water-cooled chiller and its compressor power at full load. [W].

    Parameters
    ----------
    curves : Machine
        The machine.
    leaving_chilled_c : float
        Water leaving the evaporator, inside the curves' range. [degC]
    entering_condenser_c : float
        Water entering the condenser, inside the curves' range. [degC]

    Returns
    -------
    (capacity_w, power_w)

    Raises
    ------
    ParameterError
        If a temperature is outside the range the machine was measured in.

    Notes
    -----
    ``capacity = reference f1`` and ``power = capacity f2 / COP``, both f biquadratic:
    ``c0 + c1 Te + c2 Te^2 + c3 Tc + c4 Tc^2 + c5 Te Tc``.

    References
    ----------
    .. [1] U.S. DOE, *EnergyPlus Engineering Reference*, "Electric Chiller Model Based
       on Condenser Entering Temperature".
    .. [2] M. Hydeman, K. L. Gillespie, "Tools and Techniques to Calibrate Electric
       Chiller Component Models", ASHRAE Transactions 108, 2002.

    Examples
    --------
    >>> from twin.cooling.machines import MACHINES
    >>> capacity_w, power_w = full_load_w(MACHINES["carrier_19xr"], 7.0, 29.4)
    >>> round(capacity_w / power_w, 2)
    6.02
    """
    low, high = curves.chilled_range_c
    if not low <= leaving_chilled_c <= high:
        require(False, "leaving_chilled_c", leaving_chilled_c, f"in {low}..{high} degC")
    low, high = curves.condenser_range_c
    if not low <= entering_condenser_c <= high:
        require(False, "entering_condenser_c", entering_condenser_c, f"in {low}..{high} degC")
    return curves.full_load_w(leaving_chilled_c, entering_condenser_c)


def part_load_power(curves: Machine, part_load: float) -> float:
    """Compressor power as a fraction of its full-load power at the same temperatures. [-].

    Below the least part load the machine cycles: it runs at that load for a share
    of the time. Above the greatest it cannot go; the caller keeps the rest.

    Parameters
    ----------
    curves : Machine
        The machine.
    part_load : float
        Heat over capacity, 0..``part_load_max``. [-]

    Raises
    ------
    ParameterError
        If the part load is negative or above what the machine can do.

    Examples
    --------
    >>> from twin.cooling.machines import MACHINES
    >>> round(part_load_power(MACHINES["carrier_19xr"], 0.5), 4)
    0.5068
    """
    if not 0.0 <= part_load <= curves.part_load_max * (1.0 + 1e-12):
        require(False, "part_load", part_load, f"in 0..{curves.part_load_max}")
    a, b, c = curves.part_load
    least = curves.part_load_min
    if part_load < least:
        return (a + least * (b + c * least)) * part_load / least
    return a + part_load * (b + c * part_load)
