"""What each way of cooling can carry in one rack."""

from __future__ import annotations

from twin.errors import ConfigError

# Practical ceilings per rack [kW]: ASHRAE TC9.9, Uptime Institute and vendor catalogues.
CEILINGS_KW = (
    ("chilled air with containment: perimeter", 15.0),
    ("chilled air with containment: contained", 25.0),
    ("chilled air with containment: in_row", 30.0),
    ("rear_door (active)", 78.0),
    ("direct_liquid_dry or direct_liquid_tower", 150.0),
    ("immersion", 250.0),
)


def check_rack(rack_w: float, limit_w: float, technology: str) -> None:
    """Refuse a rack that *technology* cannot cool, naming what could.

    Parameters
    ----------
    rack_w : float
        Nameplate power of the servers in a rack that *technology* has to cool. [W]
    limit_w : float
        What it carries in one rack. [W]
    technology : str
        Its name, for the message.

    Raises
    ------
    ConfigError
        With the servers' power, the limit, and the technologies that carry it.

    Examples
    --------
    >>> check_rack(13e3, 25e3, "contained chilled air")
    """
    rack_kw, limit_kw = rack_w / 1e3, limit_w / 1e3
    if rack_kw <= limit_kw * (1.0 + 1e-9):
        return
    able = [f"{name} (up to {ceiling:g} kW)" for name, ceiling in CEILINGS_KW if rack_kw <= ceiling]
    advice = "; ".join(able) if able else "no technology here; split the rack"
    raise ConfigError(
        f"rack.servers_per_rack: {rack_kw:g} kW of servers in a rack; {technology} carries at "
        f"most {limit_kw:g} kW per rack; what carries it: {advice}; rack.fit_to_cooling=true "
        "places fewer servers instead"
    )
