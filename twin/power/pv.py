"""A photovoltaic array on site, behind the meter: from irradiance to alternating current.

The optics and thermals are pvlib's, which is an extra of this package; it is imported
only where an array is configured.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, Positive, PositiveFraction, Range
from twin.errors import ConfigError, require
from twin.physics.steps import StepSeries
from twin.records import Sunshine
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

Floats = NDArray[np.float64]

CALM_M_PER_S = 1.0
"""Wind where none is known: the value at which module temperature is usually quoted."""


@dataclass(kw_only=True)
class PvArray:
    """Modules of one tilt and direction with their inverters; power does not change in an hour.

    It follows the grid: in an outage of its utility it is idle. It never feeds into the
    grid: what neither the site nor storage at the same meter takes is curtailed. Its own
    losses stay outside the books, as those of a generator: power counts at its terminals.
    """

    at: str
    """Name of the utility element behind whose meter it stands."""
    kw_peak: Positive
    """Power of the modules at 1,000 W/m2 and 25 degC. [kW]"""
    tilt_deg: Annotated[float, Range(0.0, 90.0)]
    """From the horizontal. [deg]"""
    azimuth_deg: Annotated[float, Range(0.0, 360.0)]
    """Where it looks: 90 east, 180 south, 270 west. [deg]"""
    albedo: Fraction
    temperature_per_k: Annotated[float, Range(-0.01, 0.0)]
    """Change of power with cell temperature. [1/K]"""
    system_loss_fraction: Fraction
    """Dirt, mismatch, wiring, ageing: part of the power of the modules."""
    inverter_efficiency: PositiveFraction
    dc_ac_ratio: Annotated[float, Range(0.5, 3.0)]
    """Peak power of the modules over the rating of the inverters. [-]"""
    clear_sky_fraction: PositiveFraction | None
    """Irradiance over that of a clear sky where the weather knows none; None: refuse."""

    produced_j: float = field(init=False, default=0.0)
    curtailed_j: float = field(init=False, default=0.0)
    source: str = field(init=False, default="")
    """Where the irradiance is from, for run.json."""
    _power: StepSeries = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._power = StepSeries.flat(0.0)
        low = self.system_loss_fraction < 1.0
        require(low, "system_loss_fraction", self.system_loss_fraction, "< 1")

    def know_sun(self, sun: Sunshine) -> None:
        """Work out the power of every hour of a run.

        Raises
        ------
        ConfigError
            If the weather knows no irradiance and nothing is assumed, or pvlib is absent.
        """
        self.source = sun.source
        if sun.irradiance_w_per_m2 is None:
            if self.clear_sky_fraction is None:
                raise ConfigError(
                    "power.pv.clear_sky_fraction=null: must be given where the weather has no "
                    "irradiance; or set site.weather_path to an EPW file, which has"
                )
            self.source = (
                f"{self.clear_sky_fraction:g} of a clear sky in every hour, assumed, since the "
                "weather has no irradiance: no cloudy and no bright days"
            )
        self._power = StepSeries(self.power_w(sun).tolist(), sun.first_at_s, SECONDS_PER_HOUR)

    def mean_w(self, from_s: float, to_s: float) -> float:
        """Return what it can give between two instants of the run [W]."""
        return self._power.mean(from_s, to_s)

    def power_w(self, sun: Sunshine) -> Floats:
        """Return what its inverters can give in each hour.

        Parameters
        ----------
        sun : Sunshine
            Where the sun stands and what arrives, hour by hour.

        Returns
        -------
        ndarray, shape (hours,)
            Alternating current power. [W]

        References
        ----------
        .. [1] K. Anderson et al., "pvlib python: 2023 project update", JOSS 8(92), 2023.
        .. [2] A. Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641, 2014.
        .. [3] J. Hay and J. Davies, 1980 (diffuse light); D. Faiman, 2008 (cell temperature).
        """
        pvlib = _pvlib()
        with warnings.catch_warnings():
            # What pvlib uses of pandas may be on its way out; that is for pvlib to mend.
            warnings.simplefilter("ignore", DeprecationWarning)
            return self._through(pvlib, sun)

    def _through(self, pvlib: Any, sun: Sunshine) -> Floats:
        """Take the light through plane, cells and inverters."""
        import pandas

        times = pandas.DatetimeIndex(sun.middles_utc).tz_localize("UTC")
        place = (sun.latitude, sun.longitude)
        position = pvlib.solarposition.get_solarposition(times, *place, altitude=sun.altitude_m)
        ghi, dni, dhi = self._irradiance(pvlib, sun, times, position)
        total = pvlib.irradiance.get_total_irradiance(
            self.tilt_deg,
            self.azimuth_deg,
            position["apparent_zenith"],
            position["azimuth"],
            dni,
            ghi,
            dhi,
            dni_extra=pvlib.irradiance.get_extra_radiation(times),
            albedo=self.albedo,
            model="haydavies",
        )["poa_global"]
        plane = np.nan_to_num(total.to_numpy(dtype=float))
        wind = CALM_M_PER_S if sun.wind_m_per_s is None else sun.wind_m_per_s
        cell_c = pvlib.temperature.faiman(plane, sun.drybulb_c, wind)
        peak_w = 1e3 * self.kw_peak
        direct_w = pvlib.pvsystem.pvwatts_dc(plane, cell_c, peak_w, self.temperature_per_k)
        direct_w = np.maximum(direct_w, 0.0) * (1.0 - self.system_loss_fraction)
        rated_in_w = peak_w / self.dc_ac_ratio / self.inverter_efficiency
        given_w = pvlib.inverter.pvwatts(direct_w, rated_in_w, self.inverter_efficiency)
        return np.asarray(np.maximum(np.asarray(given_w, dtype=float), 0.0))

    def _irradiance(
        self, pvlib: Any, sun: Sunshine, times: Any, position: Any
    ) -> tuple[Any, Any, Any]:
        """Return global, direct normal and diffuse irradiance [W/m2]."""
        if sun.irradiance_w_per_m2 is not None:
            return sun.irradiance_w_per_m2
        here = pvlib.location.Location(sun.latitude, sun.longitude, altitude=sun.altitude_m)
        clear = here.get_clearsky(times, solar_position=position)
        ghi = self.clear_sky_fraction * clear["ghi"]
        parts = pvlib.irradiance.erbs(ghi, position["zenith"], times)
        return ghi, parts["dni"], parts["dhi"]

    def account(self) -> dict[str, Any]:
        """Return what it gave since the start, for run.json."""
        return {
            "kw_peak": self.kw_peak,
            "used_kwh": (self.produced_j - self.curtailed_j) / JOULES_PER_KWH,
            "curtailed_kwh": self.curtailed_j / JOULES_PER_KWH,
            "source": self.source,
        }


def _pvlib() -> Any:
    """Return the solar library.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import pvlib
    except ImportError as error:
        raise ConfigError(
            f"power.pv: needs the solar library pvlib ({error}); pip install 'twin[pv]'"
        ) from None
    return pvlib
