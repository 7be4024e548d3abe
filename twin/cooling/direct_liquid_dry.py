"""Liquid-cooled racks on dry coolers: no water lost, no compressor but an optional trim."""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import PositiveFraction
from twin.cooling.base import Machines
from twin.cooling.chillers import Chillers
from twin.cooling.direct_liquid import DirectLiquid
from twin.cooling.dry_cooler import DryCooler, DryRejection
from twin.cooling.rejection import OutdoorRejection


@dataclass(kw_only=True)
class DirectLiquidDry(DirectLiquid):
    """Facility water cooled by outdoor air through finned coils."""

    cooler: DryCooler
    trim: Chillers | None
    trim_fraction: PositiveFraction
    """Capacity of the trim chiller, if any, over the design load. [-]"""

    def _water_cooling(self) -> OutdoorRejection:
        if self.trim is not None:
            self.trim.check_condenser("air", "trim")
            self.trim.warnings = self.warnings
        return DryRejection(
            cooler=self.cooler,
            trim=self.trim,
            range_k=self.facility_water.rise_k,
            trim_fraction=self.trim_fraction,
        )

    def _outdoor_machines(self) -> dict[str, Machines]:
        cooler = self.cooler
        banks = cooler.duty_banks + cooler.spares
        return {"dry_cooler": Machines(banks, cooler.set_available)}

    def _chillers(self, beside: Machines | None) -> Machines:
        if self.trim is None:
            return super()._chillers(beside)
        trim = self.trim.set_available
        if beside is None:
            return Machines(self.trim.installed, trim)

        def let_both_run(fraction: float) -> None:
            trim(fraction)
            beside.let_run(fraction)

        return Machines(beside.installed, let_both_run)

    def until_restart_s(self) -> float:
        """Return the time until chillers on their way back are back; ``inf``: none are [s]."""
        beside_s = super().until_restart_s()
        return beside_s if self.trim is None else self.trim.until_restart_s(beside_s)
