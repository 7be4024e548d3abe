"""The contract of a site: where it is, its weather, its price and carbon of electricity."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from twin.config import Component
from twin.rng import RngFor


@dataclass(slots=True)
class WeatherSeries:
    """Outdoor air at equally spaced instants from the start of the run, read by interpolation."""

    step_s: float
    drybulb_c: NDArray[np.float64]
    wetbulb_c: NDArray[np.float64]
    pressure_pa: float
    source: str
    """One sentence for run.json: the file, or the generator and its normals."""
    warnings: list[str] = field(default_factory=list)

    def at(self, at_s: float) -> tuple[float, float]:
        """Return (dry bulb, wet bulb) in degC at *at_s*, linear between samples."""
        raise NotImplementedError  # replaced below by the site room


@dataclass
class Site(Component):
    """A place; subclasses are one file each in ``twin/site``."""

    family: ClassVar[str] = "site"

    @abstractmethod
    def weather(self, start: datetime, duration_s: float, rng: RngFor) -> WeatherSeries:
        """Return the outdoor air from *start* (site-local) on."""

    @abstractmethod
    def price_per_kwh(self, at_s: float) -> float:
        """Return the electricity price at *at_s*, in ``currency`` per kWh."""

    @abstractmethod
    def carbon_kg_per_kwh(self, at_s: float) -> float:
        """Return the location-based grid carbon at *at_s*."""
