"""Energy of requests, and of a fleet of which only a share answers them."""

from __future__ import annotations


def gwh_per_day(requests_per_day: float, wh_per_request: float) -> float:
    """Return what so many requests use in a day [GWh]."""
    return requests_per_day * wh_per_request / 1e9


def twh_per_year(total_twh: float, share: float) -> float:
    """Return a share of an operator's energy of a year [TWh]."""
    return total_twh * share
