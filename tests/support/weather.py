"""A site to draw weather for, and a writer of EPW files."""

import calendar
from pathlib import Path

import numpy as np

from twin.site.grid import GridCarbon, Tariff
from twin.site.normals import NormalsSite

BEIJING = {
    "name": "Beijing",
    "country": "China",
    "province": "Beijing",
    "latitude": 39.8,
    "longitude": 116.47,
    "altitude_m": 35.0,
    "utc_offset_h": 8.0,
    "design_drybulb_c": 33.5,
    "design_wetbulb_c": 26.4,
    "tariff": Tariff(price_per_kwh=0.78, currency="CNY"),
    "carbon": GridCarbon(location_kg_per_kwh=0.5554),
    "monthly_mean_c": [-3.1, 0.2, 6.7, 14.8, 20.8, 24.9, 26.7, 25.5, 20.7, 13.7, 5.0, -0.9],
    "monthly_rh_percent": [44.0, 43, 41, 43, 49, 59, 70, 72, 65, 58, 54, 46],
    "daily_range_k": 11.0,
    "scatter_k": 3.3,
    "summer_scatter_k": 2.6,
}


def beijing(**changes):
    return NormalsSite(**(BEIJING | changes))


def hour_values(leap: bool = False) -> np.ndarray:
    """Return a dry bulb that tells each hour of the year from its neighbours."""
    return np.arange(8784 if leap else 8760) % 1000 / 100.0


class EpwWriter:
    """Writes EPW files, whole or damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def header(self) -> list[str]:
        return [
            "LOCATION,Beijing,Beijing,CHN,test,545110,39.80,116.47,8.0,31.3",
            "DESIGN CONDITIONS,0",
            "TYPICAL/EXTREME PERIODS,0",
            "GROUND TEMPERATURES,0",
            "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
            "COMMENTS 1,made for a test",
            "COMMENTS 2,",
            "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
        ]

    def rows(self, *, leap: bool = False) -> list[str]:
        values = iter(hour_values(leap))
        year = 2000 if leap else 2001
        return [
            f"{year},{month},{day},{hour},60,?9,{next(values):.2f},-5.0,50,101000,0,0,0"
            for month in range(1, 13)
            for day in range(1, calendar.monthrange(year, month)[1] + 1)
            for hour in range(1, 25)
        ]

    def write(self, rows: list[str], *, header: list[str] | None = None, end: str = "\n") -> str:
        path = self.folder / "a.epw"
        lines = [*(self.header() if header is None else header), *rows]
        path.write_bytes((end.join(lines) + end).encode())
        return str(path)
