"""The contract of a site: where it is, its weather, its price and carbon of electricity."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from twin.config import Celsius, Component, Range
from twin.errors import RunError
from twin.records import Sunshine
from twin.rng import RngFor
from twin.site.grid import GridCarbon, GridSignals, Tariff, When, grid_signals


@dataclass(slots=True)
class WeatherSeries:
    """Outdoor air at equally spaced instants, read by interpolation."""

    step_s: float
    drybulb_c: NDArray[np.float64]
    wetbulb_c: NDArray[np.float64]
    pressure_pa: float
    """Mean station pressure, be the run long or short. [Pa]"""
    source: str
    """One sentence for run.json: the file, or the generator and its normals."""
    warnings: list[str] = field(default_factory=list)
    first_at_s: float = 0.0
    """When the first sample falls: 0 or before, since samples keep their own hours. [s]"""

    # Lists, because reading one float from an array costs three times as much.
    _dry: list[float] = field(init=False, repr=False)
    _wet: list[float] = field(init=False, repr=False)
    _place: int = field(init=False, repr=False, default=-1)
    """The sample before the instant asked for last."""
    _here: tuple[float, float, float, float] = field(init=False, repr=False, default=(0.0,) * 4)
    """Dry bulb there and how far it is to the next sample, and the same of the wet bulb."""

    def __post_init__(self) -> None:
        self._dry = self.drybulb_c.tolist()
        self._wet = self.wetbulb_c.tolist()

    def at(self, at_s: float) -> tuple[float, float]:
        """Return (dry bulb, wet bulb) in degC at *at_s*, linear between samples.

        Raises
        ------
        RunError
            If the series does not reach *at_s*.
        """
        steps = (at_s - self.first_at_s) / self.step_s
        i = int(steps)
        part = steps - i
        if i != self._place or steps < 0:
            if steps < 0 or i + 1 >= len(self._dry):
                if at_s != self.last_at_s:
                    self._refuse(at_s)
                i, part = i - 1, 1.0
            dry, wet = self._dry[i], self._wet[i]
            self._place, self._here = i, (dry, self._dry[i + 1] - dry, wet, self._wet[i + 1] - wet)
        dry, dry_k, wet, wet_k = self._here
        return dry + part * dry_k, wet + part * wet_k

    @property
    def last_at_s(self) -> float:
        """When the last sample falls. [s]."""
        return self.first_at_s + (len(self._dry) - 1) * self.step_s

    def _refuse(self, at_s: float) -> None:
        known_s = f"{self.first_at_s} to {self.last_at_s} s"
        raise RunError(f"weather at_s={at_s}: the series covers {known_s}")


@dataclass(kw_only=True)
class Site(Component):
    """A place; subclasses are one file each in ``twin/site``."""

    family: ClassVar[str] = "site"

    name: str
    country: str
    province: str
    """Or state; for the reader, as the name is. Price and carbon are keys of their own."""
    latitude: Annotated[float, Range(-90.0, 90.0)]
    longitude: Annotated[float, Range(-180.0, 180.0)]
    altitude_m: Annotated[float, Range(-450.0, 6000.0)]
    utc_offset_h: Annotated[float, Range(-12.0, 14.0)]
    """The site's clock minus UTC; standard time all year. [h]"""
    design_drybulb_c: Celsius
    """Summer design dry bulb, for sizing. [degC]"""
    design_wetbulb_c: Celsius
    """Summer design wet bulb, for sizing. [degC]"""
    tariff: Tariff
    carbon: GridCarbon

    @abstractmethod
    def weather(self, start: datetime, duration_s: float, rng: RngFor) -> WeatherSeries:
        """Return the outdoor air from *start* (site-local) on.

        Reads whatever file is configured, so a call before anything is written
        refuses a bad one in time.
        """

    @abstractmethod
    def sunshine(self, start: datetime, duration_s: float, weather: WeatherSeries) -> Sunshine:
        """Return where the sun stands over a run and, where known, what arrives."""

    @property
    def currency(self) -> str:
        """Return the currency of the tariff."""
        return self.tariff.currency

    def grid(self, start: datetime, duration_s: float) -> GridSignals:
        """Return price and carbon of electricity from *start* (site-local) on.

        Reads whatever files are configured, so a call before anything is written
        refuses a bad one in time.
        """
        return grid_signals(self.tariff, self.carbon, When(start, duration_s, self.utc_offset_h))
