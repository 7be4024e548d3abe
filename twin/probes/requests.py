"""Energy of requests, and of a fleet of which only a share answers them."""

from __future__ import annotations

from twin.errors import ConfigError
from twin.results.run_folder import Run


def gwh_per_day(requests_per_day: float, wh_per_request: float) -> float:
    """Return what so many requests use in a day [GWh]."""
    return requests_per_day * wh_per_request / 1e9


def twh_per_year(total_twh: float, share: float) -> float:
    """Return a share of an operator's energy of a year [TWh]."""
    return total_twh * share


def simulated_wh(run: Run) -> float:
    """Return what a request of the run used, with losses, cooling and idle servers [Wh]."""
    served = run.summary["requests_served"]
    if not served:
        raise ConfigError("workload: must serve requests for this figure")
    return float(run.summary["facility_energy_kwh"]) * 1e3 / float(served)
