"""What electricity costs and emits at a site: a flat price, an annual factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twin.config import NonNegative


@dataclass(kw_only=True)
class FlatTariff:
    """One price at all hours, everything included that the meter is billed for."""

    price_per_kwh: NonNegative
    currency: Literal["CNY", "USD", "EUR", "SGD"]


@dataclass(kw_only=True)
class AnnualCarbon:
    """One emission factor at all hours."""

    location_kg_per_kwh: NonNegative
    """The average of the grid the meter hangs on. [kg CO2/kWh]"""
    market_kg_per_kwh: NonNegative | None = None
    """What the supply contracts say; null where none is stated. [kg CO2/kWh]"""
