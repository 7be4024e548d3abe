"""The contract of a cooling plant: heat in, electricity and water used, heat out.

A plant knows no clock and no jobs. Each heartbeat it is handed the heat released
into the cooled space and the weather, advances its own state, and returns the
means over the beat. It owns every flow it reports; nothing is a balancing item.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, Literal, NamedTuple

from twin.config import Component
from twin.errors import ParameterError, require, suggest


@dataclass(frozen=True, slots=True)
class PlantDesign:
    """What a plant is sized for."""

    heat_w: float
    """Design heat released into cooled space: IT plus losses there. [W]"""
    racks: int
    servers: int
    rack_w: float
    """Nameplate power of the fullest rack. [W]"""
    altitude_m: float
    pressure_pa: float
    drybulb_c: float
    """Hottest design dry bulb (1 % value or the weather's own maximum). [degC]"""
    wetbulb_c: float
    """Design wet bulb. [degC]"""
    apart_w: float = 0.0
    """What of ``heat_w`` comes from elsewhere than the servers' racks: switches, storage, losses.
    [W]"""
    holds_set_points: bool = False
    """Whether set points stand still that are to be reset, as while a feed is sized for the
    plant."""


@dataclass(slots=True)
class PlantState:
    """What a plant did in one beat. Powers and flows are means over the beat."""

    power_w: float
    """All electricity of the plant: the sum of ``parts_w``. [W]"""
    parts_w: dict[str, float]
    """Electricity by component: crah_fan, chw_pump, cw_pump, chiller, tower_fan, ... [W]"""
    inlet_c: float
    """Server inlet temperature at the end of the beat. [degC]"""
    inlet_max_c: float
    """Highest server inlet temperature within the beat. [degC]"""
    supply_c: float
    """Supply air (or liquid) temperature at the end of the beat. [degC]"""
    return_c: float
    heat_in_w: float
    """Heat accepted from the cooled space, as the plant's own room model counts it. [W]"""
    unmet_w: float
    """Heat that came in but was not removed and not held at set point: what warms the room. [W]"""
    ambient_heat_w: float
    """Heat handed to the outdoors, sensible and latent, fans and pumps included. [W]"""
    reused_heat_w: float
    stored_j: float
    """Change of heat stored in room air, mass, loops and basins during the beat. [J]"""
    water_kg_per_s: float
    """Water used: evaporation + drift + blowdown. [kg/s]"""
    free_fraction: float
    """Fraction of the beat in which no compressor ran. [-]"""


Medium = Literal["air", "water"]


class Machines(NamedTuple):
    """All machines of one kind in a plant: they trip and are repaired by their number."""

    installed: int
    let_run: Callable[[float], None]
    """Lets this share of them be in service from now on."""


class Mover(NamedTuple):
    """Fans or pumps that carry heat without a compressor, and what they draw."""

    unit: str
    """As in :meth:`CoolingPlant.machines`."""
    moves: Medium
    parts: tuple[str, ...]
    """Their keys in ``PlantState.parts_w``."""


@dataclass
class CoolingPlant(Component):
    """A plant; subclasses are one file each in ``twin/cooling``."""

    family: ClassVar[str] = "cooling"
    warnings: list[str] = field(init=False, default_factory=list)
    """Sentences for run.json: where a curve was left, what was assumed."""

    @abstractmethod
    def size(self, design: PlantDesign) -> None:
        """Fix capacities for *design* and set the state to steady operation.

        Raises
        ------
        ConfigError
            If a rack exceeds what this technology can carry, or set points are impossible.
        """

    @abstractmethod
    def step(
        self,
        heat_w: float,
        drybulb_c: float,
        wetbulb_c: float,
        dt_s: float,
        apart_w: float = 0.0,
    ) -> PlantState:
        """Advance by *dt_s* with *heat_w* released into the cooled space.

        *apart_w* of it comes from elsewhere than the servers' racks, which matters where liquid
        cools those.
        """

    @abstractmethod
    def machines(self) -> dict[str, Machines]:
        """Return what can be tripped and repaired, by name; every plant has a ``chiller``."""

    def installed(self) -> dict[str, int]:
        """Return how many machines of each kind there are; 1 where it is one thing."""
        return {unit: machines.installed for unit, machines in self.machines().items()}

    @abstractmethod
    def rack_limit_w(self) -> float:
        """Return the most that this plant carries in one rack. [W]."""

    def liquid_fraction(self) -> float:
        """Return the share of the servers' heat that leaves them in liquid, by design."""
        return 0.0

    def set_point_moves(self) -> int | None:
        """Return how often set points were moved since sizing; None where they stand still."""
        return None

    def until_restart_s(self) -> float:
        """Return the time until machines on their way back are back; ``inf``: none are [s]."""
        return inf

    def movers(self) -> list[Mover]:
        """Return what may hang on a UPS apart from the rest, so that heat keeps moving."""
        return []

    def set_available(self, unit: str, fraction: float) -> None:
        """Let *fraction* of the machines *unit* be in service from now on (a trip or a repair).

        Raises
        ------
        ParameterError
            If the plant has no such machines, or *fraction* is outside 0..1.
        """
        require(0.0 <= fraction <= 1.0, "fraction", fraction, "in 0..1")
        machines = self.machines()
        if unit not in machines:
            raise ParameterError(f"unit={unit}: {suggest(unit, machines)}")
        machines[unit].let_run(fraction)
