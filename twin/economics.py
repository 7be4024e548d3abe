"""What a GPU-hour costs: capital, upkeep, electricity and water, or rent.

Capital is spread over its life by the annuity formula, so that unequal lives and
the cost of money are counted::

    building = watts x price per watt + floor x price per m2 + positions x price of one
    a year   = IT capital x annuity(IT life) + building x annuity(its life)
               + maintenance x all capital
    a period = a year x hours / 8760 + electricity + water
    cost per GPU-hour = a period / GPU-hours

Power and cooling are bought by the watt, floor by the square metre, and cabinet,
containment and tap-offs by the rack position, so that what a watt costs falls with
the density of the racks. A survey's price per watt has all three in it: whoever
gives it leaves the other two at 0, or takes them out of it at the survey's density.

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
from twin.errors import require, require_known
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


@dataclass(frozen=True, slots=True)
class Building:
    """What is built, filled or not."""

    it_w: float
    """Plate rating of the IT that plant and feed are built for. [W]"""
    liquid_fraction: float = 0.0
    """Share of that heat which leaves in liquid. [-]"""
    floor_m2: float = 0.0
    """IT floor, aisles and all. [m2]"""
    racks: int = 0
    """Rack positions."""


@dataclass(frozen=True, slots=True)
class Capital:
    """What is paid once, in the currency of the prices."""

    it: float
    building: float
    """By the watt."""
    floor: float
    """By the square metre and the rack position."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a period costs, by what it is paid for; all in one currency."""

    it_capital: float
    building_capital: float
    """By the watt: power and cooling, and what of the building is counted so."""
    floor_capital: float
    """By the square metre and the rack position."""
    maintenance: float
    electricity: float
    water: float

    @property
    def total(self) -> float:
        """Everything together."""
        capital = self.it_capital + self.building_capital + self.floor_capital
        return capital + self.maintenance + self.electricity + self.water

    def per_gpu_hour(self, gpu_hours: float) -> float | None:
        """Return the cost of a GPU-hour; None where there is none.

        Examples
        --------
        >>> Costs(60.0, 20.0, 10.0, 10.0, 45.0, 5.0).per_gpu_hour(75.0)
        2.0
        """
        return None if gpu_hours == 0.0 else self.total / gpu_hours

    def break_even(self, rent: float | None) -> float | None:
        """Return the use from which owning is cheaper, where *rent* is that of all GPU-hours.

        Above 1 renting is cheaper at any use. Electricity counts as it was paid, so it is exact
        where the run itself is at that use.

        Examples
        --------
        >>> Costs(60.0, 20.0, 10.0, 10.0, 45.0, 5.0).break_even(200.0)
        0.75
        """
        return self.total / rent if rent else None


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
    """Power and air cooling per watt of IT nameplate, and the building as far as the next two
    leave it out. [currency/W]"""
    floor_price_per_m2: NonNegative = 0.0
    """Building per square metre of IT floor; 0: in ``facility_price_per_w``. [currency/m2]"""
    rack_position_price: NonNegative = 0.0
    """Cabinet, its share of containment, rack PDUs and tap-offs; 0: in ``facility_price_per_w``.
    [currency]"""
    liquid_surcharge_per_w: NonNegative = 0.0
    """What it costs more per watt whose heat leaves in liquid. [currency/W]"""
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
            require_known("currency", name, self.units_per_usd, "in units_per_usd")
        return self.units_per_usd[currency] / self.units_per_usd[self.currency]

    def capital(self, gpus: int, building: Building) -> Capital:
        """Return what so many GPUs, and the building for them, cost to buy."""
        by_rack = building.racks * self.rack_position_price
        per_w = self.facility_price_per_w + building.liquid_fraction * self.liquid_surcharge_per_w
        return Capital(
            it=gpus * self.gpu_price * (1.0 + self.server_network_fraction),
            building=building.it_w * per_w,
            floor=building.floor_m2 * self.floor_price_per_m2 + by_rack,
        )

    def costs(
        self,
        capital: Capital,
        hours: float,
        energy_cost: float,
        water_m3: float,
        currency: str,
    ) -> Costs:
        """Return what a period of *hours* costs, in *currency*, as *energy_cost* is.

        *capital* is what :meth:`capital` says.
        """
        rate = self.exchange(currency)
        share = rate * hours / HOURS_PER_YEAR
        it, building, floor = share * capital.it, share * capital.building, share * capital.floor
        of_building = annuity(self.discount_rate, self.facility_life_years)
        return Costs(
            it_capital=it * annuity(self.discount_rate, self.it_life_years),
            building_capital=building * of_building,
            floor_capital=floor * of_building,
            maintenance=self.maintenance_fraction * (it + building + floor),
            electricity=energy_cost,
            water=water_m3 * self.water_price_per_m3 * rate,
        )

    def rent(self, gpu_hours: float, currency: str) -> float | None:
        """Return what *gpu_hours* would cost as rent, in *currency*; None where nobody says."""
        if self.rent_per_gpu_hour is None:
            return None
        return gpu_hours * self.rent_per_gpu_hour * self.exchange(currency)
