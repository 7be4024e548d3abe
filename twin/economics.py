"""What a GPU-hour costs: capital, upkeep, electricity and water, or rent.

Capital is spread over its life by the annuity formula, so that unequal lives and
the cost of money are counted:

    a year   = IT capital x annuity(IT life) + building capital x annuity(its life)
               + maintenance x all capital
    a period = a year x hours / 8760 + electricity + water
    cost per GPU-hour = a period / GPU-hours

The GPU-hours are the caller's choice, and say what the figure means. The summary
divides by *allocated* GPU-hours, those that jobs held: the owner's counterpart of
a rental price, which rises as GPUs stand idle. Divided by *available* GPU-hours
(GPUs x hours) it is the cost of the machine at full use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from twin.config import Fraction, NonNegative, Positive, Range
from twin.errors import require, suggest
from twin.units import HOURS_PER_YEAR


def annuity(rate: float, years: float) -> float:
    r"""Return the yearly payment that repays a unit of capital with interest.

    .. math:: a = \frac{r}{1 - (1 + r)^{-n}}

    Parameters
    ----------
    rate : float
        Discount rate per year, 0 to 1; 0 gives 1/`years`. [-]
    years : float
        Life, above 0. [a]

    Returns
    -------
    float
        Share of the capital paid each year. [1/a]

    Raises
    ------
    ParameterError
        If `rate` or `years` is out of range.

    Examples
    --------
    >>> annuity(0.0, 5.0)
    0.2
    >>> round(annuity(0.08, 5.0), 6)
    0.250456
    """
    require(0.0 <= rate <= 1.0, "rate", rate, "0 to 1")
    require(years > 0.0, "years", years, "> 0")
    growth = years * math.log1p(rate)
    if growth < 1e-12:  # no interest worth the name, and 0/0 below
        return 1.0 / years
    return rate / -math.expm1(-growth)


def cost_per_gpu_hour(
    capital_per_year: float, hours: float, running: float, gpu_hours: float
) -> float:
    """Return the cost of a GPU-hour over a period.

    Parameters
    ----------
    capital_per_year : float
        Annualised capital and maintenance. [currency/a]
    hours : float
        Length of the period, at least 0. [h]
    running : float
        Electricity and water of the period. [currency]
    gpu_hours : float
        What the cost is divided by, above 0. [h]

    Returns
    -------
    float
        Cost per GPU-hour. [currency/h]

    Raises
    ------
    ParameterError
        If `hours` or `gpu_hours` is out of range.

    Examples
    --------
    >>> cost_per_gpu_hour(8760.0, hours=100.0, running=50.0, gpu_hours=75.0)
    2.0
    """
    require(hours >= 0.0, "hours", hours, ">= 0")
    require(gpu_hours > 0.0, "gpu_hours", gpu_hours, "> 0")
    return (capital_per_year * hours / HOURS_PER_YEAR + running) / gpu_hours


@dataclass(kw_only=True)
class Economics:
    """Prices, in ``currency``; results come in the currency that is asked for."""

    currency: str
    units_per_usd: dict[str, Positive]
    """Exchange: how many units of each currency one US dollar buys."""
    gpu_price: NonNegative
    """List price of one accelerator. [currency]"""
    server_network_fraction: NonNegative
    """Servers, network and storage around it, as a multiple of ``gpu_price``. [-]"""
    facility_price_per_w: NonNegative
    """Building, power and cooling per watt of IT nameplate. [currency/W]"""
    it_life_years: Positive
    facility_life_years: Positive
    discount_rate: Fraction
    maintenance_fraction: Fraction
    """Upkeep per year over the capital, IT and building. [1/a]"""
    water_price_per_m3: NonNegative
    rent_per_gpu_hour: Annotated[float, Range(0.0, open_low=True)] | None = None
    """What renting such a GPU costs, to compare with; null where unknown. [currency/h]"""

    def __post_init__(self) -> None:
        self.exchange(self.currency)

    def exchange(self, currency: str) -> float:
        """Return how many units of *currency* one unit of ``self.currency`` buys.

        Raises
        ------
        ParameterError
            If either has no rate in ``units_per_usd``.
        """
        for name in (self.currency, currency):
            known = suggest(name, self.units_per_usd)
            require(name in self.units_per_usd, "currency", name, f"in units_per_usd; {known}")
        return self.units_per_usd[currency] / self.units_per_usd[self.currency]

    def capital(self, gpus: int, it_nameplate_w: float) -> tuple[float, float]:
        """Return (IT, building) capital, in ``self.currency``."""
        it = gpus * self.gpu_price * (1.0 + self.server_network_fraction)
        return it, it_nameplate_w * self.facility_price_per_w

    def capital_per_year(self, gpus: int, it_nameplate_w: float) -> float:
        """Return annualised capital and maintenance, in ``self.currency`` per year."""
        it, facility = self.capital(gpus, it_nameplate_w)
        return (
            it * annuity(self.discount_rate, self.it_life_years)
            + facility * annuity(self.discount_rate, self.facility_life_years)
            + self.maintenance_fraction * (it + facility)
        )

    def cost_per_gpu_hour(
        self,
        gpus: int,
        it_nameplate_w: float,
        gpu_hours: float,
        energy_cost: float,
        water_m3: float,
        hours: float,
        currency: str,
    ) -> float | None:
        """Return the cost of a GPU-hour over a period of *hours*.

        *energy_cost* is in *currency*, and so is the result; None where *gpu_hours*
        is 0. Pass allocated GPU-hours for the summary, ``gpus * hours`` for full use.
        """
        if gpu_hours == 0.0:
            return None
        rate = self.exchange(currency)
        running = energy_cost + water_m3 * self.water_price_per_m3 * rate
        yearly = self.capital_per_year(gpus, it_nameplate_w) * rate
        return cost_per_gpu_hour(yearly, hours, running, gpu_hours)

    def break_even_fraction(self, cost_at_full_use: float, currency: str) -> float | None:
        """Return the allocated fraction from which owning is cheaper than renting.

        *cost_at_full_use* is per available GPU-hour in *currency*; None where no rent
        is known. Above 1 renting is cheaper at any use.
        """
        if self.rent_per_gpu_hour is None:
            return None
        return cost_at_full_use / (self.rent_per_gpu_hour * self.exchange(currency))
