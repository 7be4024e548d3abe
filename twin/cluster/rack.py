"""A rack position: what it is rated for and how many servers stand in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.config import Count, NonNegative, Positive
from twin.errors import ConfigError, require

CONTINUOUS = 0.8
"""Part of its rating that a breaker may carry for three hours or more (NEC 210.20, 215.3). [-]"""


@dataclass(kw_only=True)
class RackConfig:
    """One kind of rack; the whole hall is built of it."""

    name: str
    rated_kw: Positive
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

    def fit(self, nameplate_w: float, carried_w: float) -> str | None:
        """Take out servers that the cooling does not carry, where that is wished; say so."""
        fitting = int(carried_w * (1.0 + 1e-9) // nameplate_w)
        if not self.fit_to_cooling or fitting == 0 or fitting >= self.servers_per_rack:
            return None
        wanted, self.servers_per_rack = self.servers_per_rack, fitting
        return (
            f"racks of {self.rated_kw:g} kW hold {fitting} of {wanted} servers: "
            f"their cooling carries {carried_w / 1e3:g} kW"
        )
