"""Set points that move while a plant runs.

By load, chilled water is as warm as the coils can use. By the outdoors, air and water are
as warm as it takes to hold them without compressors. What a plant can do is worked out from
its own coils, fans and towers; here is only how far and how often a set point then moves:
in whole steps from where the plant was designed, with something to spare, and only at set
times, by the means of load and weather over some minutes before. Means over the same time
are the same at any heartbeat, and so are the set points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, Self

from twin.config import Celsius, Range
from twin.errors import require

_SAME = 1e-9
"""Part of a step by which a temperature may miss it and still be that step."""
_SEEN_S = 300.0
"""How long a look takes. [s]"""
_DUE_S = 1e-6
"""By how much a look may come too soon: sums of steps round. [s]"""


def water_below_supply_k(air_rise_k: float, fan_rise_k: float, effectiveness: float) -> float:
    """How far below the supply air the water must be for the coil to hold that air. [K].

    Parameters
    ----------
    air_rise_k : float
        Warming of the supply air in the hall, >= 0. [K]
    fan_rise_k : float
        Warming of the air by the fan behind the coil, >= 0. [K]
    effectiveness : float
        Of the coil on the air side with its valve open, 0..1. [-]

    Raises
    ------
    ParameterError
        If the effectiveness is not above 0 and at most 1.

    Notes
    -----
    The coil brings air from ``supply + air_rise`` to ``supply - fan_rise``, and at most a
    share of the way to the water: ``air_rise + fan_rise = e (supply + air_rise - water)``.

    Examples
    --------
    >>> water_below_supply_k(12.0, 0.0, 0.75)
    4.0
    """
    if not 0.0 < effectiveness <= 1.0:
        require(False, "effectiveness", effectiveness, "> 0 and <= 1")
    return (air_rise_k + fan_rise_k) / effectiveness - air_rise_k


class Steps(NamedTuple):
    """Where a set point may stand, and what it keeps to spare."""

    least_c: float
    most_c: float
    step_k: float
    spare_k: float

    def at_least_c(self, wanted_c: float) -> float:
        """Return the first step from *wanted_c* up, within the bounds. [degC]."""
        return self._at(math.ceil((self._held_c(wanted_c) - self.least_c) / self.step_k - _SAME))

    def at_most_c(self, wanted_c: float) -> float:
        """Return the first step from *wanted_c* down, within the bounds. [degC]."""
        return self._at(math.floor((self._held_c(wanted_c) - self.least_c) / self.step_k + _SAME))

    def _held_c(self, wanted_c: float) -> float:
        return max(self.least_c, min(wanted_c, self.most_c))

    def _at(self, count: int) -> float:
        return min(self.least_c + count * self.step_k, max(self.least_c, self.most_c))


def kept_below_c(now_c: float, limit_c: float, steps: Steps) -> float:
    """Set point as warm as a limit allows, moved only where that takes a whole step. [degC].

    Parameters
    ----------
    now_c : float
        Set point so far. [degC]
    limit_c : float
        Warmest that serves. [degC]
    steps : Steps
        Bounds, step and what is kept to spare below the limit.

    Examples
    --------
    >>> steps = Steps(least_c=8.0, most_c=12.0, step_k=0.5, spare_k=0.5)
    >>> kept_below_c(8.0, 10.3, steps), kept_below_c(9.5, 9.6, steps), kept_below_c(9.5, 9.4, steps)
    (9.5, 9.5, 8.5)
    """
    wanted_c = steps.at_most_c(limit_c - steps.spare_k)
    return wanted_c if now_c > limit_c or wanted_c > now_c else now_c


def kept_above_c(now_c: float, limit_c: float, steps: Steps) -> float:
    """Set point as cool as a limit allows, moved only where that takes a whole step. [degC].

    The mirror image of :func:`kept_below_c`.

    Parameters
    ----------
    now_c : float
        Set point so far. [degC]
    limit_c : float
        Coolest that serves. [degC]
    steps : Steps
        Bounds, step and what is kept to spare above the limit.

    Examples
    --------
    >>> steps = Steps(least_c=16.0, most_c=20.0, step_k=0.5, spare_k=0.5)
    >>> kept_above_c(16.0, 16.8, steps), kept_above_c(17.5, 17.4, steps)
    (17.5, 17.5)
    >>> kept_above_c(17.5, 16.2, steps), kept_above_c(17.5, 40.0, steps)
    (17.0, 20.0)
    """
    wanted_c = steps.at_least_c(limit_c + steps.spare_k)
    return wanted_c if limit_c > now_c or wanted_c < now_c or now_c > steps.most_c else now_c


@dataclass(slots=True, kw_only=True)
class Reset:
    """How far and how often the set points of a plant move; subclasses say which."""

    by: str | None
    """What they follow; None: they stand still."""
    step_k: Annotated[float, Range(0.1, 10.0)]
    """They move by whole steps. [K]"""
    spare_k: Annotated[float, Range(0.0, 10.0)]
    """Left between a moved set point and what the plant can do. [K]"""
    every_minutes: Annotated[float, Range(1.0, 1440.0)]
    """Time between two looks at whether to move. [min]"""

    moves: int = field(init=False, default=0)
    """Looks after which something moved."""
    every_s: float = field(init=False)
    weather_c: tuple[float, float] | None = field(init=False, default=None)
    """Mean (dry bulb, wet bulb) of the last look; None: there was none. [degC]"""
    _waited_s: float = field(init=False, default=0.0)
    """Time since the last look. [s]"""
    _seen_s: float = field(init=False, default=0.0)
    """How long the next one has taken so far. [s]"""
    _heat_j: float = field(init=False, default=0.0)
    """Heat released in that time. [J]"""
    _drybulb_k_s: float = field(init=False, default=0.0)
    _wetbulb_k_s: float = field(init=False, default=0.0)
    """Weather times time, since then. [degC s]"""

    def __post_init__(self) -> None:
        """Take the time between looks in seconds."""
        self.every_s = 60.0 * self.every_minutes

    def begin(self) -> None:
        """Start over; the first look comes once there is something to look at."""
        self.moves, self.weather_c = 0, None
        self._forget()

    def until_look_s(self, dt_s: float) -> float:
        """Return *dt_s*, or the time to begin or end of a look if that comes first. [s]."""
        left_s = self.every_s - self._waited_s
        if left_s > _SEEN_S + _DUE_S:
            left_s -= _SEEN_S
        return dt_s if dt_s < left_s else left_s

    def lived(self, heat_w: float, weather_c: tuple[float, float], dt_s: float) -> None:
        """Note *dt_s* of load and (dry bulb, wet bulb)."""
        looking = self._waited_s >= self.every_s - _SEEN_S - _DUE_S
        self._waited_s += dt_s
        if not looking:
            return
        self._seen_s += dt_s
        self._heat_j += heat_w * dt_s
        self._drybulb_k_s += weather_c[0] * dt_s
        self._wetbulb_k_s += weather_c[1] * dt_s

    def look(self, move: Callable[[Self, float, tuple[float, float]], None]) -> None:
        """When it is time, have set points moved for mean heat [W] and weather of late."""
        if self._waited_s < self.every_s - _DUE_S:
            return
        seen_s = self._seen_s
        self.weather_c = self._drybulb_k_s / seen_s, self._wetbulb_k_s / seen_s
        heat_w = self._heat_j / seen_s
        self._forget()
        move(self, heat_w, self.weather_c)

    def _forget(self) -> None:
        self._waited_s = self._seen_s = 0.0
        self._heat_j = self._drybulb_k_s = self._wetbulb_k_s = 0.0

    def steps(self, least_c: float, most_c: float) -> Steps:
        """Return where a set point between two bounds may stand."""
        return Steps(least_c, most_c, self.step_k, self.spare_k)


@dataclass(slots=True, kw_only=True)
class SupplyReset(Reset):
    """Supply air, as warm as it takes for the outdoors to carry all heat."""

    by: Literal["outdoor"] | None
    supply_max_c: Celsius
    """Warmest supply air. [degC]"""


class SetPoints(NamedTuple):
    """What a plant on chilled water holds."""

    supply_c: float
    water_c: float

    @property
    def apart_k(self) -> float:
        """What the coil has to work with. [K]."""
        return self.supply_c - self.water_c


@dataclass(slots=True, kw_only=True)
class WaterReset(Reset):
    """Chilled water that moves; subclasses say what else does."""

    by: Literal["load", "outdoor"] | None
    chilled_water_max_c: Celsius
    """Warmest chilled water. [degC]"""

    def moved(
        self, now: SetPoints, designed: SetPoints, below_k: float, free_c: float
    ) -> SetPoints:
        """Return the set points from now on: water as warm as the coils can use.

        *below_k* is how far below the supply the coils need their water, *free_c* the
        coldest water that is made without compressors.
        """
        steps = self.steps(designed.water_c, self.chilled_water_max_c)
        return SetPoints(now.supply_c, kept_below_c(now.water_c, now.supply_c - below_k, steps))


@dataclass(slots=True, kw_only=True)
class EconomizerReset(WaterReset):
    """The same, or air and water as warm as it takes to make the water without compressors."""

    supply_max_c: Celsius
    """Warmest supply air; it moves by the outdoors alone. [degC]"""

    def moved(
        self, now: SetPoints, designed: SetPoints, below_k: float, free_c: float
    ) -> SetPoints:
        """Return the set points from now on; by the outdoors the air follows the water."""
        if self.by == "load":
            return WaterReset.moved(self, now, designed, below_k, free_c)
        coils_c = self.supply_max_c - below_k
        within = self.steps(designed.water_c, self.chilled_water_max_c)
        most_c = within.at_most_c(coils_c - self.spare_k)
        if now.water_c <= coils_c:
            most_c = max(most_c, now.water_c)  # what is spare is not asked for again
        water_c = kept_above_c(now.water_c, free_c, within._replace(most_c=most_c))
        steps = self.steps(designed.supply_c, self.supply_max_c)
        return SetPoints(kept_above_c(now.supply_c, water_c + below_k, steps), water_c)
