"""A rack position: what it is rated for, how many servers stand in it, and whether they fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Annotated

from twin.config import Count, NonNegative, Positive, Range
from twin.errors import ConfigError, require

CONTINUOUS = 0.8
"""Part of its rating that a breaker may carry for three hours or more (NEC 210.20, 215.3). [-]"""
RackKilowatts = Annotated[float, Range(0.0, 2000.0, open_low=True)]
"""Racks of 1 MW are announced (Open Compute Project, 2025); more are watts taken for kilowatts."""
ROUNDING = 1.0 + 1e-9
"""What just fits in decimals fits in floats. [-]"""


@dataclass(frozen=True, slots=True)
class Filling:
    """How much of its height, its strength and its floor a filled rack takes.

    None: not known, or nothing that it could be held against.
    """

    servers: int
    used_units: float | None
    height_units: float | None
    servers_kg: float | None
    holds_kg: float | None
    floor_kg_per_m2: float | None
    """Servers and empty rack over the floor of the position, aisles and all."""
    floor_holds_kg_per_m2: float | None

    def unchecked(self) -> list[str]:
        """Return what was to be looked at and could not, in words.

        Examples
        --------
        >>> Filling(2, None, 42.0, 246.0, 1361.0, 158.0, 1224.0).unchecked()
        ['gpu.rack_units is null: whether 2 servers fit into 42 U was not checked']
        """
        said = []
        if self.used_units is None and self.height_units is not None:
            said.append(
                f"gpu.rack_units is null: whether {self.servers} servers fit into "
                f"{self.height_units:g} U was not checked"
            )
        if self.servers_kg is None and (self.holds_kg or self.floor_holds_kg_per_m2):
            said.append("gpu.mass_kg is null: what racks and floor carry was not checked")
        return said


@dataclass(kw_only=True)
class RackConfig:
    """One kind of rack; the whole hall is built of it."""

    name: str
    rated_kw: RackKilowatts
    """Power the rack's feed and cooling are rated for. [kW]"""
    servers_per_rack: Count
    racks_per_row: Count | None = None
    """Racks on one run of busway; None: rows are not looked at."""
    row_kw: Positive | None = None
    """Rating of that busway; None: rows are not looked at. [kW]"""
    fit_to_cooling: bool = False
    """Whether a rack holds only as many servers as its cooling carries, where it carries fewer;
    otherwise such a rack is refused. What is left of the rating counts as stranded."""
    inlet_rise_k: list[NonNegative] = field(default_factory=list)
    """How much warmer than the hall's inlet a rack draws its air, because exhaust finds its way
    round: rack after rack, and from the start again; empty: all draw it alike. [K]"""

    height_units: Positive | None = None
    """Height for servers; switches and shelves of the same rack take theirs off. None: not looked
    at. [U]"""
    holds_kg: Positive | None = None
    """Static load the rack is built for, servers alone. None: not looked at. [kg]"""
    empty_kg: NonNegative = 0.0
    """The rack itself, and what hangs in it besides servers; 0: they carry their share. [kg]"""

    def __post_init__(self) -> None:
        both = (self.racks_per_row is None) == (self.row_kw is None)
        require(both, "row_kw", self.row_kw, "given together with racks_per_row")

    def rises_k(self, racks: int) -> list[float]:
        """Return ``inlet_rise_k`` of each of so many racks; empty where all draw alike.

        Examples
        --------
        >>> rack = RackConfig(name="r", rated_kw=7, servers_per_rack=1, inlet_rise_k=[3, 0])
        >>> rack.rises_k(3)
        [3, 0, 3]
        """
        pattern = self.inlet_rise_k
        return [pattern[rack % len(pattern)] for rack in range(racks)] if any(pattern) else []

    @property
    def rated_w(self) -> float:
        """Return the rating [W]."""
        return self.rated_kw * 1e3

    def check(self, nameplate_w: float) -> None:
        """Refuse servers whose summed nameplate exceeds the rating of the rack, or of its row.

        Raises
        ------
        ConfigError
            Naming the rating, what is needed and how many servers would fit.
        """
        need_w = self.servers_per_rack * nameplate_w
        if need_w > self.rated_w:
            raise ConfigError(
                f"rack.rated_kw={self.rated_kw:g}: must be >= {need_w / 1e3:g}, "
                f"{self.servers_per_rack} servers of {nameplate_w / 1e3:g} kW nameplate "
                f"(rack.servers_per_rack={self.servers_per_rack}; "
                f"{int(self.rated_w // nameplate_w)} would fit)"
            )
        if self.row_kw is None or self.racks_per_row is None:
            return
        row_kw = self.racks_per_row * need_w / 1e3
        carried_kw = CONTINUOUS * self.row_kw
        if row_kw > carried_kw:
            raise ConfigError(
                f"rack.row_kw={self.row_kw:g}: must be >= {row_kw / CONTINUOUS:g}: "
                f"{self.racks_per_row} racks of {need_w / 1e3:g} kW nameplate draw {row_kw:g} kW, "
                f"and a breaker carries {CONTINUOUS:.0%} of its rating for long "
                f"({int(carried_kw * 1e3 // need_w)} racks would fit)"
            )

    def fill(
        self,
        server_units: float | None,
        server_kg: float | None,
        floor_m2: float,
        floor_holds_kg_per_m2: float | None,
    ) -> Filling:
        """Return what the servers take of rack and floor; refuse what does not fit.

        Raises
        ------
        ConfigError
            Naming what is exceeded, what is needed and how many servers would fit.
        """
        number = self.servers_per_rack
        kg = None if server_kg is None else number * server_kg
        filling = Filling(
            servers=number,
            used_units=None if server_units is None else number * server_units,
            height_units=self.height_units,
            servers_kg=kg,
            holds_kg=self.holds_kg,
            floor_kg_per_m2=None if kg is None else (kg + self.empty_kg) / floor_m2,
            floor_holds_kg_per_m2=floor_holds_kg_per_m2,
        )
        if server_units is not None:
            self._refuse_beyond("rack.height_units", self.height_units, server_units, "U")
        if server_kg is None:
            return filling
        self._refuse_beyond("rack.holds_kg", self.holds_kg, server_kg, "kg")
        floor, load = floor_holds_kg_per_m2, filling.floor_kg_per_m2
        if floor is not None and load is not None and load > floor * ROUNDING:
            fitting = max(0, int((floor * floor_m2 - self.empty_kg) * ROUNDING // server_kg))
            raise ConfigError(
                f"facility.floor_load_kg_per_m2={floor:g}: must be >= {ceil(load)}: "
                f"{number} servers of {server_kg:g} kg in a rack of "
                f"{self.empty_kg:g} kg stand on {floor_m2:g} m2 "
                f"(rack.servers_per_rack={number}; {fitting} would fit)"
            )
        return filling

    def _refuse_beyond(self, key: str, most: float | None, each: float, unit: str) -> None:
        """Refuse servers that take more than *most* together, if that is known."""
        need = self.servers_per_rack * each
        if most is not None and need > most * ROUNDING:
            raise ConfigError(
                f"{key}={most:g}: must be >= {need:g}, {self.servers_per_rack} servers of "
                f"{each:g} {unit} (rack.servers_per_rack={self.servers_per_rack}; "
                f"{int(most * ROUNDING // each)} would fit)"
            )

    def fit(self, nameplate_w: float, carried_w: float) -> str | None:
        """Take out servers that the cooling does not carry, where that is wished; say so."""
        fitting = int(carried_w * ROUNDING // nameplate_w)
        if not self.fit_to_cooling or fitting == 0 or fitting >= self.servers_per_rack:
            return None
        wanted, self.servers_per_rack = self.servers_per_rack, fitting
        return (
            f"racks of {self.rated_kw:g} kW hold {fitting} of {wanted} servers: "
            f"their cooling carries {carried_w / 1e3:g} kW"
        )
