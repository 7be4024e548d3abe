"""A rack position: what it is rated for and how many servers stand in it."""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Count, Positive
from twin.errors import ConfigError


@dataclass(kw_only=True)
class RackConfig:
    """One kind of rack; the whole hall is built of it."""

    name: str
    rated_kw: Positive
    """Power the rack's feed and cooling are rated for. [kW]"""
    servers_per_rack: Count

    @property
    def rated_w(self) -> float:
        """Return the rating [W]."""
        return self.rated_kw * 1e3

    def check(self, nameplate_w: float) -> None:
        """Refuse servers whose summed nameplate exceeds the rating.

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
