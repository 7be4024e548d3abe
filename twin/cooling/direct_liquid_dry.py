"""Liquid-cooled racks on dry coolers: no water lost, no compressor but an optional trim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twin.config import PositiveFraction
from twin.cooling.chillers import Chillers
from twin.cooling.direct_liquid import DirectLiquid
from twin.cooling.dry_cooler import DryCooler, DryRejection
from twin.cooling.rejection import Rejection


@dataclass(kw_only=True)
class DirectLiquidDry(DirectLiquid):
    """Facility water cooled by outdoor air through finned coils."""

    units: ClassVar[tuple[str, ...]] = ("cdu", "pump", "dry_cooler", "chiller")

    cooler: DryCooler
    trim: Chillers | None
    trim_fraction: PositiveFraction
    """Capacity of the trim chiller, if any, over the design load. [-]"""

    def _water_cooling(self) -> Rejection:
        if self.trim is not None:
            self.trim.warnings = self.warnings
        return DryRejection(
            cooler=self.cooler,
            trim=self.trim,
            range_k=self.facility_water.rise_k,
            trim_fraction=self.trim_fraction,
        )

    def installed(self) -> dict[str, int]:
        """Return how many machines each of ``units`` consists of."""
        counts = super().installed()
        counts["dry_cooler"] = self.cooler.duty_banks + self.cooler.spares
        if self.trim is not None and self.air is None:
            counts["chiller"] = self.trim.installed
        return counts

    def _set_rejection_available(self, unit: str, fraction: float) -> bool:
        if unit == "chiller" and self.trim is not None:
            self.trim.set_available(fraction)
            return self.air is None
        if unit == "dry_cooler":
            self.cooler.available = fraction
        return unit == "dry_cooler"
