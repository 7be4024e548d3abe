"""The rows of the scenario ``tapas_rows``, short and cooled simply."""

from __future__ import annotations

from typing import Any

from tests.support.composed import composed

LEAN = ("output=data_only", "site.heat_wave=null")
EVEN = {"routing": "even", "reconfigure": "null", "heat_margin_k": "null"}


def rows(days: float, *overrides: str, **endpoints: str) -> dict[str, Any]:
    """Return its configuration, requests shared evenly at full clocks but for *endpoints*."""
    keys = {f"workload.streams.endpoints.{key}": value for key, value in (EVEN | endpoints).items()}
    keys |= {"clock.duration_days": f"{days:g}"}
    keys |= dict(override.split("=", 1) for override in overrides)
    given = (f"{key}={value}" for key, value in keys.items())
    return composed("scenario=tapas_rows", *LEAN, *given)
