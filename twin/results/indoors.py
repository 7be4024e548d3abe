"""What the temperatures indoors are those of: air, coolant, or both in one rack."""

from __future__ import annotations

from dataclasses import dataclass

from twin.results.run_folder import Run


@dataclass(frozen=True, slots=True)
class Indoors:
    """How ``inlet_max_c`` and ``supply_c`` of a run are to be read."""

    inlet: str
    supply: str
    has_air: bool = True
    """Whether there are servers that draw air from a hall."""

    def labels(self) -> dict[str, str]:
        """Return column -> what it is called."""
        return {"inlet_max_c": self.inlet, "supply_c": self.supply}


AIR = Indoors("hottest server inlet", "supply air")
BOTH = Indoors("hottest air inlet", "coolant supply")
LIQUID = Indoors("air inlet as warm for the chips", "coolant supply", has_air=False)


def indoors(run: Run) -> Indoors:
    """Return what the plant of *run* makes of them: one with coolant supplies that, not air."""
    plant = run.config().get("cooling") or {}
    if "coolant_c" not in plant:
        return AIR
    return BOTH if plant.get("air") else LIQUID
