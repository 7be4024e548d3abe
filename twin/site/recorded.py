"""A site whose weather is that of a file, and that needs no normals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from twin.config import Range
from twin.records import Sunshine
from twin.rng import RngFor
from twin.site.air import HeatWave, weather_series
from twin.site.base import Site, WeatherSeries
from twin.site.sunshine import sunshine_at
from twin.site.weather_file import air_from_file
from twin.site.weather_formats import read_weather_file


@dataclass(kw_only=True)
class RecordedSite(Site):
    """Weather from a typical year (EPW) or from measured ones; the seed does not touch it."""

    weather_path: str
    """EPW, Open-Meteo JSON or hourly CSV, also gzipped."""
    climate_shift_k: Annotated[float, Range(-20.0, 20.0)] = 0.0
    heat_wave: HeatWave | None = None

    def weather(self, start: datetime, duration_s: float, rng: RngFor) -> WeatherSeries:
        """Return the outdoor air from *start* (site-local) on."""
        air = air_from_file(read_weather_file(self.weather_path), self, start, duration_s)
        return weather_series(air, self.climate_shift_k, self.heat_wave)

    def sunshine(self, start: datetime, duration_s: float, weather: WeatherSeries) -> Sunshine:
        """Return where the sun stands; what arrives is known from an EPW file alone."""
        return sunshine_at(self, self.weather_path, start, duration_s, weather)
