"""Outdoor air blown through the hall, cooled by evaporation when it is warm.

Cold outdoors, return air is mixed in so that the supply is not too cold; mild, all air
is from outdoors; warm, a wetted pad cools it towards its wet bulb; hot and humid, the
dampers close and the trim chiller does the work. The humidity of the hall is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.config import Fraction
from twin.cooling.air_stream import AirStreamPlant, Outdoors


def evaporative_air_c(drybulb_c: float, wetbulb_c: float, effectiveness: float) -> float:
    """Air behind a wetted pad. [degC].

    Parameters
    ----------
    drybulb_c, wetbulb_c : float
        Air before it. [degC]
    effectiveness : float
        Way to the wet bulb, 0..1. [-]

    Examples
    --------
    >>> evaporative_air_c(30.0, 20.0, 0.85)
    21.5
    """
    return drybulb_c - effectiveness * (drybulb_c - wetbulb_c)


@dataclass(kw_only=True)
class AirsideEconomizer(AirStreamPlant):
    """Direct outdoor air with an adiabatic stage and mechanical trim."""

    pad_effectiveness: Fraction

    def _outdoors(
        self, return_c: float, wanted_c: float, air_w_per_k: float, weather_c: tuple[float, float]
    ) -> Outdoors:
        """Mix, blow through, moisten or close, in this order as it gets warmer."""
        drybulb_c, wetbulb_c = weather_c
        if drybulb_c <= wanted_c:
            share = (return_c - wanted_c) / (return_c - drybulb_c) if return_c > drybulb_c else 0.0
            mixed_c = return_c - share * (return_c - drybulb_c)
            carried_w = share * air_w_per_k * (return_c - drybulb_c)
            return Outdoors(mixed_c, carried_w, (drybulb_c, 0.0))
        coldest_c = evaporative_air_c(drybulb_c, wetbulb_c, self.pad_effectiveness)
        if coldest_c >= return_c:
            return Outdoors(return_c, 0.0, (0.0, 1.0))
        moistened_c = max(coldest_c, wanted_c)
        evaporated_w = air_w_per_k * (drybulb_c - moistened_c)
        exhausted_w = air_w_per_k * (return_c - drybulb_c)
        return Outdoors(
            moistened_c,
            exhausted_w + evaporated_w,
            (coldest_c, 0.0),
            evaporated_w=evaporated_w,
        )
