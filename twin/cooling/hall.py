"""What plants that cool a hall's air have in common: its room, its containment, its air flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Annotated

from twin.config import Range
from twin.cooling.base import CoolingPlant, PlantDesign
from twin.cooling.chillers import Chillers
from twin.cooling.limits import check_rack
from twin.cooling.reset import Reset
from twin.cooling.room import Containment, Room, chosen_containment

ServerAir = Annotated[float, Range(5.0, 45.0)]
"""What the widest class of servers may breathe, ASHRAE A4; more are degrees Fahrenheit. [degC]"""


@dataclass(kw_only=True)
class HallPlant(CoolingPlant):
    """Coolers that hold the air they supply to a hall; subclasses say how."""

    supply_c: ServerAir
    """Air the coolers supply; where it is reset, the coolest. [degC]"""
    containment: str
    """One of ``containments``."""
    containments: dict[str, Containment]
    room: Room
    chillers: Chillers
    """What makes the cold, or the trim of it where outdoor air makes the rest."""
    reset: Reset | None = None
    """Set points that move; none: they stand still."""

    _moving: Reset | None = field(init=False, default=None)
    """The reset where set points move now, none where they stand still."""
    _contained: Containment = field(init=False)
    _supply_set_c: float = field(init=False, default=0.0)
    """Air they supply now. [degC]"""

    def __post_init__(self) -> None:
        """Look the containment up."""
        self._contained = chosen_containment(self.containment, self.containments)

    def rack_limit_w(self) -> float:
        """Return what a rack may draw in this containment. [W]."""
        return self._contained.rack_limit_kw * 1e3

    def until_restart_s(self) -> float:
        """Return the time until chillers on their way back are back; ``inf``: none are [s]."""
        return self.chillers.until_restart_s(inf)

    def set_point_moves(self) -> int | None:
        """Return how often set points were moved; None where they stand still."""
        return None if self._moving is None else self._moving.moves

    def _size_hall(self, design: PlantDesign, technology: str) -> float:
        """Fix the room and return the air its coolers move at design, as in `_wanted_air`."""
        contained, reset = self._contained, self.reset
        self._supply_set_c = self.supply_c
        still = reset is None or reset.by is None or design.holds_set_points
        self._moving = None if still else reset
        if reset is not None:
            reset.begin()
        check_rack(design.rack_w, self.rack_limit_w(), f"{self.containment} {technology}")
        self.room.recirculation = contained.recirculation
        self.room.size(design.heat_w, design.racks, design.servers, design.altitude_m)
        air_w_per_k = self._wanted_air(design.heat_w)
        self.room.settle(self.supply_c + contained.recirculation * design.heat_w / air_w_per_k)
        return air_w_per_k

    def _wanted_air(self, heat_w: float) -> float:
        """Air wanted of the coolers, as a heat capacity rate: what the servers' fans ask. [W/K]."""
        return self.room.server_flow_w_per_k(heat_w) * self._contained.airflow_ratio
