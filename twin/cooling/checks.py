"""What more than one plant asks of its keys, taken together."""

from __future__ import annotations

from twin.errors import require


def check_supply(supply_c: float, water: str, water_c: float) -> None:
    """Refuse supply air that is no warmer than the water that cools it.

    Raises
    ------
    ParameterError
        Naming ``supply_c``, and *water*, the key of the water.
    """
    allowed = f"above {water}={water_c:g} degC, the water that cools it"
    require(supply_c > water_c, "supply_c", supply_c, allowed)


def check_supply_max(supply_max_c: float, supply_c: float) -> None:
    """Refuse a warmest supply below the supply the plant is designed for.

    Raises
    ------
    ParameterError
        Naming the key.
    """
    allowed = f">= supply_c={supply_c:g} degC, what the plant is designed for"
    require(supply_max_c >= supply_c, "reset.supply_max_c", supply_max_c, allowed)


def check_fans(min_speed: float, still_air_fraction: float) -> None:
    """Refuse fans that at their least speed move no more air than at rest.

    Raises
    ------
    ParameterError
        Naming ``min_speed``.
    """
    allowed = f"> still_air_fraction={still_air_fraction}"
    require(min_speed > still_air_fraction, "min_speed", min_speed, allowed)
