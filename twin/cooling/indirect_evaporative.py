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
from twin.physics.moist_air import SaturatedAir
from twin.physics.thermal import AIR_CP, WATER_LATENT_HEAT, air_density


@dataclass(kw_only=True)
class IndirectEvaporative(AirStreamPlant):
    """Air-to-air exchanger, dry or sprayed, with mechanical trim."""

    dry_below_c: Celsius
    """Outdoor temperature below which nothing is sprayed. [degC]"""
    dry_effectiveness: Fraction
    """Way from return air to the outdoor dry bulb. [-]"""
    wet_effectiveness: Fraction
    """Way from return air to the outdoor wet bulb. [-]"""
    scavenger_ratio: Positive
    """Scavenger air over hall air at full speed. [-]"""
    scavenger_pressure_pa: Positive
    scavenger_efficiency: PositiveFraction
    scavenger_exponent: Annotated[float, Range(2.0, 3.0)]
    scavenger_min_speed: PositiveFraction

    _scavenger_w: float = field(init=False, default=0.0)
    _air_w_per_k: float = field(init=False, default=1.0)
    """Air of the hall at which the scavenger air has its ratio. [W/K]"""
    _outdoor: SaturatedAir = field(init=False)

    def _size_outdoors(self, design: PlantDesign, air_w_per_k: float) -> None:
        """Size the scavenger fans for the air of the site."""
        self._air_w_per_k = air_w_per_k
        self._outdoor = SaturatedAir(design.pressure_pa)
        volume = self.scavenger_ratio * air_w_per_k / (air_density(design.altitude_m) * AIR_CP)
        self._scavenger_w = moving_power_w(
            self.scavenger_pressure_pa, volume, self.scavenger_efficiency
        )

    def _sink(self, weather_c: tuple[float, float]) -> tuple[float, float]:
        """Temperature the hall's air is drawn to, and how far of the way it gets."""
        drybulb_c, wetbulb_c = weather_c
        if drybulb_c <= self.dry_below_c:
            return drybulb_c, self.dry_effectiveness
        return wetbulb_c, self.wet_effectiveness

    def _outdoors(
        self, air_c: tuple[float, float], air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Take the heat through the wall; the scavenger air follows the heat.

        The effectiveness is taken to grow in proportion to the scavenger air over the hall's, as
        where that air is the smaller flow; with less air in the hall, less of it does as much.
        The hall keeps its own air, so its coil stays dry. Sprayed, the scavenger air leaves
        saturated.
        """
        return_c, wanted_c = air_c
        sink_c, reach = self._sink(weather_c)
        most_k = reach * (return_c - sink_c)
        wanted_k = return_c - wanted_c
        if wanted_k <= 0.0:
            return Outdoors(air_w_per_k * wanted_k, 0.0)
        if most_k <= 0.0:
            return Outdoors(0.0, air_w_per_k * wanted_k)
        share = min(wanted_k / most_k, 1.0)
        carried_w = air_w_per_k * share * most_k
        trim_w = air_w_per_k * (wanted_k - share * most_k)
        speed = min(1.0, max(share * air_w_per_k / self._air_w_per_k, self.scavenger_min_speed))
        dry = weather_c[0] <= self.dry_below_c
        fan_w = affinity_power_w(self._scavenger_w, speed, self.scavenger_exponent)
        got = Outdoors(carried_w + fan_w, trim_w, fan_w)
        if not dry:
            scavenger_w_per_k = self.scavenger_ratio * speed * self._air_w_per_k
            gained = carried_w * AIR_CP / scavenger_w_per_k
            vapour = self._outdoor.evaporated_share(weather_c, gained, return_c)
            got.sprayed_w = carried_w
            got.evaporated_kg_per_s = carried_w * vapour / WATER_LATENT_HEAT
        return got

    def _coldest(
        self, return_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> tuple[float, float]:
        """Exchanger at full, where it cools at all, and all of the trim."""
        sink_c, reach = self._sink(weather_c)
        if return_c <= sink_c:
            reach = 0.0
        return reach * sink_c - self._trim_most_w(weather_c[0]) / air_w_per_k, 1.0 - reach
