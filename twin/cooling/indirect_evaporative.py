"""Hall air cooled through a wall by outdoor air, wetted when that is too warm.

The hall keeps its own air. A scavenger fan draws outdoor air over the other side of a
heat exchanger; below a chosen temperature that side stays dry, above it is sprayed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from twin.config import Celsius, Fraction, Positive, PositiveFraction, Range
from twin.cooling.air_stream import AirStreamPlant, Outdoors
from twin.cooling.base import PlantDesign
from twin.physics.flow import affinity_power_w, moving_power_w
from twin.physics.thermal import AIR_CP, air_density


@dataclass(kw_only=True)
class IndirectEvaporative(AirStreamPlant):
    """Air-to-air exchanger, dry or sprayed, with mechanical trim."""

    dry_below_c: Celsius
    """Outdoor temperature below which nothing is sprayed. [degC]"""
    dry_effectiveness: Fraction
    """Way from return air to the outdoor dry bulb. [-]"""
    wet_effectiveness: Fraction
    """Way from return air to the outdoor wet bulb. [-]"""
    latent_fraction: Fraction
    """Share of the heat that evaporates water while sprayed. [-]"""
    scavenger_ratio: Positive
    """Scavenger air over hall air at full speed. [-]"""
    scavenger_pressure_pa: Positive
    scavenger_efficiency: PositiveFraction
    scavenger_exponent: Annotated[float, Range(2.0, 3.0)]
    scavenger_min_speed: PositiveFraction

    _scavenger_w: float = field(init=False, default=0.0)

    def _size_outdoors(self, design: PlantDesign, air_w_per_k: float) -> None:
        """Size the scavenger fans for the air of the site."""
        volume = self.scavenger_ratio * air_w_per_k / (air_density(design.altitude_m) * AIR_CP)
        self._scavenger_w = moving_power_w(
            self.scavenger_pressure_pa, volume, self.scavenger_efficiency
        )

    def _outdoors(
        self, return_c: float, wanted_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Take the heat through the wall; the scavenger speed follows the share needed.

        The effectiveness is taken to grow in proportion to the scavenger air, as where
        that air is the smaller flow.
        """
        drybulb_c, wetbulb_c = weather_c
        dry = drybulb_c <= self.dry_below_c
        sink_c = drybulb_c if dry else wetbulb_c
        reach = self.dry_effectiveness if dry else self.wet_effectiveness
        most_k = reach * (return_c - sink_c)
        if most_k <= 0.0 or return_c <= wanted_c:
            return Outdoors(return_c, 0.0, (0.0, 1.0))
        share = min((return_c - wanted_c) / most_k, 1.0)
        air_c = return_c - share * most_k
        carried_w = air_w_per_k * (return_c - air_c)
        speed = max(share, self.scavenger_min_speed)
        return Outdoors(
            air_c,
            carried_w,
            (reach * sink_c, 1.0 - reach),
            fan_w=affinity_power_w(self._scavenger_w, speed, self.scavenger_exponent),
            evaporated_w=0.0 if dry else self.latent_fraction * carried_w,
        )
