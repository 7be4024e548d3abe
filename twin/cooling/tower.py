"""The cooling tower: how near to the wet bulb water can be cooled, and what that costs.

The approach of a tower grows as the air gets colder and drier. It follows from a
measured correlation here, not from a constant, so free cooling is not overstated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from twin.config import Celsius, Fraction, Range, UnitsOrZero
from twin.cooling.checks import check_fans
from twin.errors import require, told_apart
from twin.physics.flow import cycling_power_w
from twin.physics.moist_air import SaturatedAir
from twin.physics.psychrometrics import standard_pressure_pa
from twin.physics.thermal import SEA_LEVEL_AIR_DENSITY, WATER_CP, WATER_LATENT_HEAT, air_density

WETBULB_RANGE_C = (-34.4, 26.7)
RANGE_RANGE_K = (1.1, 22.2)
APPROACH_RANGE_K = (1.1, 40.0)
WATER_FRACTION_RANGE = (0.75, 1.25)
MOST_LIQUID_TO_GAS = 8.0
_LEAST_RANGE_K, _MOST_RANGE_K = RANGE_RANGE_K
_LEAST_APPROACH_K = APPROACH_RANGE_K[0]

WetbulbTerms = tuple[float, ...]
"""Nine coefficients left when the wet bulb is put in: 3 powers of L/G x 3 of the range."""


def wetbulb_terms(wetbulb_c: float) -> WetbulbTerms:
    """Return the nine coefficients of the approach at one wet bulb.

    Done once a step, because the range is iterated on and the weather is not.

    Parameters
    ----------
    wetbulb_c : float
        Wet bulb, -34.4..26.7. [degC]

    Raises
    ------
    ParameterError
        If the wet bulb is outside the range of the correlation.

    References
    ----------
    .. [1] EnergyPlus and Modelica Buildings, "York" tower correlation. Lines: for each power
       of the liquid-to-gas ratio, for each power of the range.
    """
    if not WETBULB_RANGE_C[0] <= wetbulb_c <= WETBULB_RANGE_C[1]:
        require(False, "wetbulb_c", wetbulb_c, "in -34.4..26.7 degC")
    t = wetbulb_c
    return (
        -0.359741205 + t * (-0.055053608 + 0.0023850432 * t),
        0.173926877 + t * (-0.0248473764 + 0.00048430224 * t),
        -0.005589849456 + t * (0.0005770079712 + -0.00001342427256 * t),
        2.84765801111111 + t * (-0.121765149 + 0.0014599242 * t),
        1.680428651 + t * (-0.0166920786 + -0.0007190532 * t),
        -0.025485194448 + t * (0.0000487491696 + 0.00002719234152 * t),
        -0.0653766255555556 + t * (-0.002278167 + 0.0002500254 * t),
        -0.0910565458 + t * (0.00318176316 + 0.000038621772 * t),
        -0.0034285382352 + t * (0.00000856589904 + -0.000001516821552 * t),
    )


def approach_quadratic(terms: WetbulbTerms, range_k: float) -> tuple[float, float, float]:
    """Return ``(p0, p1, p2)`` of ``approach = p0 + p1 l + p2 l^2``, l the liquid-to-gas ratio.

    Parameters
    ----------
    terms : WetbulbTerms
        From :func:`wetbulb_terms`.
    range_k : float
        Water temperature drop, 1.1..22.2. [K]

    Raises
    ------
    ParameterError
        If the range is outside that of the correlation.
    """
    if not _LEAST_RANGE_K <= range_k <= _MOST_RANGE_K:
        require(False, "range_k", range_k, "in 1.1..22.2 K")
    a, b, c, d, e, f, g, h, i = terms
    return (
        a + range_k * (b + c * range_k),
        d + range_k * (e + f * range_k),
        g + range_k * (h + i * range_k),
    )


def approach_k(wetbulb_c: float, range_k: float, liquid_to_gas: float) -> float:
    """Approach of a cooling tower: leaving water minus wet bulb. [K].

    Parameters
    ----------
    wetbulb_c : float
        Wet bulb of the entering air, -34.4..26.7. [degC]
    range_k : float
        Water temperature drop, 1.1..22.2. [K]
    liquid_to_gas : float
        Water flow over air flow, each as a fraction of its design value, > 0 and <= 8. [-]

    Raises
    ------
    ParameterError
        If an argument is outside the range of the correlation.

    References
    ----------
    .. [1] U.S. DOE, *EnergyPlus Engineering Reference*, "Variable Speed Cooling Towers
       Empirical Models", York model.

    Examples
    --------
    >>> round(approach_k(25.55, 5.56, 1.0), 2)
    3.84
    """
    require(
        0.0 < liquid_to_gas <= MOST_LIQUID_TO_GAS, "liquid_to_gas", liquid_to_gas, "> 0 and <= 8"
    )
    p0, p1, p2 = approach_quadratic(wetbulb_terms(wetbulb_c), range_k)
    return p0 + liquid_to_gas * (p1 + p2 * liquid_to_gas)


def liquid_to_gas_for(quadratic: tuple[float, float, float], wanted_k: float) -> float:
    """Liquid-to-gas ratio that gives a wanted approach, at most 8. [-].

    Parameters
    ----------
    quadratic : (p0, p1, p2)
        From :func:`approach_quadratic`.
    wanted_k : float
        Approach wanted. [K]

    Notes
    -----
    The rising branch of the quadratic is the physical one: less air, larger approach.
    ``2 (w - p0) / (p1 + sqrt(p1^2 + 4 p2 (w - p0)))`` is its root in the form that
    stays finite when p2 vanishes. Where the correlation turns over before the wanted
    approach is reached, hardly any air is needed and 8 is returned.

    Examples
    --------
    >>> quadratic = approach_quadratic(wetbulb_terms(20.0), 5.56)
    >>> round(liquid_to_gas_for(quadratic, approach_k(20.0, 5.56, 2.0)), 6)
    2.0
    """
    p0, p1, p2 = quadratic
    above_k = wanted_k - p0
    discriminant = p1 * p1 + 4.0 * p2 * above_k
    if discriminant <= 0.0:
        return MOST_LIQUID_TO_GAS
    liquid_to_gas = 2.0 * above_k / (p1 + math.sqrt(discriminant))
    return liquid_to_gas if liquid_to_gas < MOST_LIQUID_TO_GAS else MOST_LIQUID_TO_GAS


def unaided_range_k(quadratic: tuple[float, float, float], above_k: float, flows: float) -> float:
    """Range of a tower that alone cools another water through an exchanger. [K].

    Parameters
    ----------
    quadratic : (p0, p1, p2)
        Approach of the tower, as a quadratic in its range. [K]
    above_k : float
        Other water entering, above the wet bulb and the approach of the exchanger. [K]
    flows : float
        Tower water over the other water, as heat capacity rates, > 0. [-]

    Notes
    -----
    The warmer the tower's water leaves, the less it takes from the other, and the less its
    range: ``flows r = above - (p0 + p1 r + p2 r^2)``, solved in the form that stays finite when
    p2 vanishes. Negative where the tower cannot cool that water.

    Examples
    --------
    An approach of 4 K whatever the range, and as much of either water:

    >>> unaided_range_k((4.0, 0.0, 0.0), 10.0, 1.0)
    6.0
    """
    p0, p1, p2 = quadratic
    slope, left_k = p1 + flows, above_k - p0
    discriminant = slope * slope + 4.0 * p2 * left_k
    return 2.0 * left_k / (slope + math.sqrt(discriminant if discriminant > 0.0 else 0.0))


@dataclass(slots=True, kw_only=True)
class CoolingTower:
    """Equal cells with variable-speed fans, one per running condenser pump or more.

    The fans hold a supply temperature: a wanted approach above the wet bulb, but
    never colder than a minimum. With the fans off a bypass holds it, as real plants do.
    """

    approach_k: Annotated[float, Range(*APPROACH_RANGE_K)]
    """Approach the fans try to hold; at full speed they take what the tower gives. [K]"""
    least_supply_c: Celsius
    """Coldest condenser water allowed. [degC]"""
    spares: UnitsOrZero
    fan_kw_per_kw: Annotated[float, Range(0.0, 1.0, open_low=True)]
    """Fan power at full speed per heat rejected at design, at sea level. [kW/kW]"""
    fan_exponent: Annotated[float, Range(2.0, 3.0)]
    min_speed: Fraction
    still_air_fraction: Fraction
    """Capacity with the fan off. [-]"""
    air_kg_per_mj: Annotated[float, Range(1.0, 1000.0)]
    """Dry air at full speed per heat rejected at design; at any altitude the same mass. [kg/MJ]"""
    drift_fraction: Annotated[float, Range(0.0, 0.01)]
    """Droplets lost per circulating water. [-]"""
    cycles_of_concentration: Annotated[float, Range(1.0, 20.0, open_low=True)]
    staging: Literal["fewest", "all"] = "fewest"
    """Cells that share the water: one for each pump, or all that get their least flow.

    References
    ----------
    .. [1] ANSI/ASHRAE/IES Standard 90.1-2013, 6.5.5.2.2: as many fans as the maker's least flow
       allows, all at one speed.
    .. [2] F. Morrison, "Saving Energy With Cooling Towers", ASHRAE Journal, February 2014.
    """

    cells: int = field(init=False, default=0)
    in_service: int = field(init=False, default=0)
    cell_fan_w: float = field(init=False, default=0.0)
    cell_air_kg_per_s: float = field(init=False, default=0.0)
    """Air through a cell at full speed. [kg/s]"""
    warnings: list[str] = field(init=False, default_factory=list)
    _left_range: bool = field(init=False, default=False)
    _terms_at_c: float = field(init=False, default=math.nan)
    _terms: WetbulbTerms = field(init=False, default=())
    _air: SaturatedAir = field(init=False)

    def __post_init__(self) -> None:
        """Check keys against each other."""
        check_fans(self.min_speed, self.still_air_fraction)

    def size(self, duty_cells: int, cell_heat_w: float, altitude_m: float) -> None:
        """Fix the number of cells and their fans, larger where the air is thin."""
        self.cells = self.in_service = duty_cells + self.spares
        thin = SEA_LEVEL_AIR_DENSITY / air_density(altitude_m)
        self.cell_fan_w = self.fan_kw_per_kw * cell_heat_w * thin
        self.cell_air_kg_per_s = self.air_kg_per_mj * 1e-6 * cell_heat_w
        self._air = SaturatedAir(float(standard_pressure_pa(altitude_m)))
        self._left_range = False
        self._terms_at_c = math.nan

    def set_available(self, fraction: float) -> None:
        """Let a fraction of the cells be in service."""
        self.in_service = math.floor(fraction * self.cells + 1e-9)

    def units_served(self) -> int:
        """Chillers whose water the cells in service can take, at 1.25 of design flow each."""
        return math.floor(self.in_service * WATER_FRACTION_RANGE[1] + 1e-9)

    def wetted(self, pumps: int, flow: float, least_flow: float = WATER_FRACTION_RANGE[0]) -> int:
        """Cells that share the *flow* of *pumps*, in design flows of a cell."""
        cells = pumps
        if self.staging == "all":
            cells = max(cells, math.floor(flow / least_flow + 1e-9))
        return cells if cells < self.in_service else self.in_service

    def set_point_c(self, wetbulb_c: float) -> float:
        """Return what the fans hold for the condensers: the approach, or the least supply."""
        wanted_c, least_c = wetbulb_c + self.approach_k, self.least_supply_c
        return wanted_c if wanted_c > least_c else least_c

    def supply_c(
        self,
        wetbulb_c: float,
        terms: WetbulbTerms,
        range_k: float,
        water_fraction: float,
        wanted_c: float,
    ) -> tuple[float, float]:
        """Leaving water, and air flow as a fraction of design. [degC], [-].

        *terms* are those of the held wet bulb; *water_fraction* is the flow per cell;
        *wanted_c* is what the fans hold if the tower can, and full speed if not.
        """
        if not _LEAST_RANGE_K <= range_k <= _MOST_RANGE_K:
            range_k = self._held_range(range_k)
        p0, p1, p2 = quadratic = approach_quadratic(terms, range_k)
        best_k = p0 + water_fraction * (p1 + p2 * water_fraction)
        best_k = best_k if best_k > _LEAST_APPROACH_K else _LEAST_APPROACH_K
        wanted_k = wanted_c - wetbulb_c
        if wanted_k <= best_k:
            return wetbulb_c + best_k, 1.0
        return wanted_c, water_fraction / liquid_to_gas_for(quadratic, wanted_k)

    def unaided_c(
        self,
        wetbulb_c: float,
        terms: WetbulbTerms,
        water_fraction: float,
        above_k: float,
        flows: float,
    ) -> float:
        """Leaving water at full fan speed where nothing else cools; see `unaided_range_k`. [degC].

        *terms* and *water_fraction* are those of :meth:`supply_c`.
        """
        a, b, c, d, e, f, g, h, i = terms
        w = water_fraction
        p0, p1, p2 = a + w * (d + w * g), b + w * (e + w * h), c + w * (f + w * i)
        range_k = unaided_range_k((p0, p1, p2), above_k, flows)
        range_k = min(max(range_k, _LEAST_RANGE_K), _MOST_RANGE_K)
        best_k = p0 + range_k * (p1 + range_k * p2)
        return wetbulb_c + (best_k if best_k > _LEAST_APPROACH_K else _LEAST_APPROACH_K)

    def terms(self, wetbulb_c: float) -> WetbulbTerms:
        """Return the wet-bulb terms; a wet bulb off the correlation is held at its bound."""
        if wetbulb_c == self._terms_at_c:
            return self._terms
        low, high = WETBULB_RANGE_C
        held_c = wetbulb_c
        if not low <= wetbulb_c <= high:
            said = told_apart(wetbulb_c, low, high)
            self._say_left(f"wet bulb {said} degC (known for {low}..{high} degC)")
            held_c = min(max(wetbulb_c, low), high)
        self._terms = wetbulb_terms(held_c)
        self._terms_at_c = wetbulb_c
        return self._terms

    def fan_w(self, cells: int, air_fraction: float) -> float:
        """Fan power of *cells* at an air flow. [W]."""
        return cells * cycling_power_w(
            self.cell_fan_w,
            air_fraction,
            self.min_speed,
            self.still_air_fraction,
            self.fan_exponent,
        )

    def water_kg_per_s(
        self,
        heat_w: float,
        weather_c: tuple[float, float],
        air_cells: float,
        warmest_c: float,
        flow_w_per_k: float,
    ) -> float:
        """Make-up water: evaporation, drift, and the blowdown that keeps salts in bounds. [kg/s].

        Drift carries salts away too, so it counts toward the blowdown needed. *air_cells* is the
        air, as cells at full speed; *warmest_c* the water that enters.
        """
        drift = self.drift_fraction * flow_w_per_k / WATER_CP
        if heat_w <= 0.0:
            return drift
        gained = heat_w / (air_cells * self.cell_air_kg_per_s)
        share = self._air.evaporated_share(weather_c, gained, warmest_c)
        evaporated = heat_w * share / WATER_LATENT_HEAT
        blowdown = evaporated / (self.cycles_of_concentration - 1.0)
        return evaporated + (blowdown if blowdown > drift else drift)

    def _held_range(self, range_k: float) -> float:
        low, high = RANGE_RANGE_K
        said = told_apart(range_k, low, high)
        self._say_left(f"range {said} K (known for {low}..{high} K)")
        return min(max(range_k, low), high)

    def _say_left(self, what: str) -> None:
        if not self._left_range:
            self._left_range = True
            self.warnings.append(
                f"cooling tower: {what} is outside the York correlation; held at the bound"
            )
