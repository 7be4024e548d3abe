"""Moving data and requests between two sites."""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Any

EARTH_KM = 6371.0
FIBRE_KM_PER_MS = 200.0
"""Two thirds of the speed of light, the refractive index of glass being 1.47."""


def days(petabytes: float, gbps: float) -> float:
    """Return how long so much takes at full line rate [days]."""
    return petabytes * 1e6 * 8.0 / gbps / 86400.0


def rtt_ms(
    config: Mapping[str, Any], latitude: float, longitude: float, path_factor: float
) -> float:
    """Return the round trip in fibre between the facility's site and a place [ms].

    *path_factor* is the length of the fibre over the great circle.
    """
    site = config["site"]
    return (
        2.0
        * path_factor
        * great_circle_km(float(site["latitude"]), float(site["longitude"]), latitude, longitude)
        / FIBRE_KM_PER_MS
    )


def great_circle_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the distance of two places given in degrees [km] (haversine formula).

    Examples
    --------
    >>> round(great_circle_km(0.0, 0.0, 0.0, 90.0))
    10008
    """
    a, b = radians(lat1), radians(lat2)
    chord = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2.0 * EARTH_KM * asin(sqrt(chord))
