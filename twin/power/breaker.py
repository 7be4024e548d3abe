"""Overcurrent protection: how long an overload is borne, and what it remembers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import AtLeastOne, Positive
from twin.errors import require


def trip_s(load_fraction: float, constant_s: float, instant_fraction: float) -> float:
    r"""Return how long a breaker bears a constant load before it opens.

    .. math:: t = \frac{k}{x^2 - 1}

    Parameters
    ----------
    load_fraction : float
        Load over the rating of the breaker, >= 0. [-]
    constant_s : float
        The constant ``k``; 80 s in the extremely inverse curve at time multiplier 1. [s]
    instant_fraction : float
        Load over rating from which it opens at once (magnetic release), > 1. [-]

    Returns
    -------
    float
        Time to trip; ``inf`` up to the rating, 0 from *instant_fraction* on. [s]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    References
    ----------
    .. [1] IEC 60255-151, extremely inverse curve (k = 80 s, exponent 2).

    Examples
    --------
    >>> round(trip_s(1.3, constant_s=80.0, instant_fraction=10.0))
    116
    >>> round(trip_s(2.0, constant_s=80.0, instant_fraction=10.0))
    27
    """
    require(load_fraction >= 0.0, "load_fraction", load_fraction, ">= 0")
    require(constant_s > 0.0, "constant_s", constant_s, "> 0")
    require(instant_fraction > 1.0, "instant_fraction", instant_fraction, "> 1")
    if load_fraction <= 1.0:
        return math.inf
    if load_fraction >= instant_fraction:
        return 0.0
    return constant_s / (load_fraction * load_fraction - 1.0)


@dataclass(kw_only=True)
class Breaker:
    """A breaker set to the rating of its element; it heats with overload and cools without.

    ``heat`` runs from 0 to 1, where it opens. Under a constant overload it gets there
    in exactly the time of :func:`trip_s`; a pause cools it, so that repeated overloads
    add up.
    """

    constant_s: Positive
    instant_fraction: AtLeastOne
    cooling_s: Positive
    """Time constant with which it forgets an overload. [s]"""

    heat: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        ok = self.instant_fraction > 1.0
        require(ok, "instant_fraction", self.instant_fraction, "> 1")

    def trips_in_s(self, load_fraction: float) -> float:
        """Return the time until it opens if the load stays; ``inf`` where it never does."""
        bears_s = trip_s(load_fraction, self.constant_s, self.instant_fraction)
        return (1.0 - self.heat) * bears_s if bears_s < math.inf else math.inf

    def bear(self, load_fraction: float, dt_s: float) -> bool:
        """Carry the load for *dt_s*; return whether the breaker has opened."""
        bears_s = trip_s(load_fraction, self.constant_s, self.instant_fraction)
        if bears_s == math.inf:
            self.heat *= math.exp(-dt_s / self.cooling_s)
            if self.heat < 1e-6:
                self.heat = 0.0
            return False
        self.heat = 1.0 if dt_s >= bears_s else self.heat + dt_s / bears_s
        return self.heat >= 1.0 - 1e-9

    def reset(self) -> None:
        """Close it again, cold."""
        self.heat = 0.0
