"""What electricity costs and emits at a site: flat, by time of use, or hour by hour from a file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Annotated, Literal

from twin.config import NonNegative, Range
from twin.errors import require, under
from twin.physics.steps import StepSeries
from twin.site.hourly_file import AHEAD_HOURS, Quantity, read_hourly, stretch
from twin.units import SECONDS_PER_HOUR

HourOfDay = Annotated[int, Range(0, 24)]
Month = Annotated[int, Range(1, 12)]
DAYS = {"all": range(7), "weekdays": range(5), "weekends": range(5, 7)}


@dataclass(kw_only=True)
class HourlySource:
    """How an hourly file is read; see :mod:`twin.site.hourly_file`."""

    file_column: str | None = None
    """Part of the header to read, where several columns fit."""
    file_clock: str | None = None
    """Clock of times that do not say theirs, as ``Europe/Berlin``; null: the site's own."""
    file_year: Annotated[int, Range(1900, 2200)] | None = None
    """Year of the file that stands for every year; null: the run must lie within the file."""
    file_shift_hours: Annotated[float, Range(-48.0, 48.0)] = 0.0
    """Added to its site-local times, to read a market of another longitude. [h]"""

    def _from_file(
        self, path: str, quantity: Quantity, about: When
    ) -> tuple[StepSeries, str, str | None, list[str]]:
        """Return the series, what it is, its currency if it says one, and notes."""
        file = read_hourly(
            path,
            quantity,
            column=self.file_column,
            clock=self.file_clock,
            utc_offset_h=about.utc_offset_h,
            shift_hours=self.file_shift_hours,
        )
        begin, values, notes = stretch(file, about.start, about.duration_s, self.file_year)
        if self.file_shift_hours:
            notes.append(f"{path}: its times moved by {self.file_shift_hours:+g} h")
        first_at_s = (begin - about.start).total_seconds()
        series = StepSeries(values.tolist(), first_at_s, SECONDS_PER_HOUR)
        source = f"hourly, {path}: {file.column.header}"
        return series, source, file.column.currency, [*file.notes, *notes]

    def _for_nothing(self, path_key: str, *more: str) -> list[str]:
        """Return what to know of keys that speak of a file where none is given."""
        default = {each.name: each.default for each in fields(self)}
        of_a_file = [*(each.name for each in fields(HourlySource)), *more]
        said = [key for key in of_a_file if getattr(self, key) != default[key]]
        return [f"{path_key} is null: without effect is {key}" for key in said]


@dataclass(frozen=True, slots=True)
class When:
    """The stretch of time that a run needs."""

    start: datetime
    """Site-local."""
    duration_s: float
    utc_offset_h: float


@dataclass(kw_only=True)
class Period:
    """Hours of a time-of-use tariff with a price of their own."""

    price_per_kwh: NonNegative
    hours: list[tuple[HourOfDay, HourOfDay]]
    """From and to, as ``[[8, 11], [18, 23]]``; ``[22, 6]`` runs over midnight."""
    months: list[Month] = field(default_factory=lambda: list(range(1, 13)))
    days: Literal["all", "weekdays", "weekends"] = "all"

    def __post_init__(self) -> None:
        for begin, end in self.hours:
            some = (begin, end) == (0, 24) or begin % 24 != end % 24  # 24 to 0 would never hold
            require(some, "hours", [begin, end], "two different hours")

    def holds(self, at: datetime) -> bool:
        """Return whether the hour that begins at *at* belongs to it."""
        if at.month not in self.months or at.weekday() not in DAYS[self.days]:
            return False
        return any(
            begin <= at.hour < end if begin < end else not end <= at.hour < begin
            for begin, end in self.hours
        )


@dataclass(kw_only=True)
class Tariff(HourlySource):
    """What a kWh costs at the meter: always the same, by the clock, or hour by hour."""

    price_per_kwh: NonNegative
    """At all hours, or at those that no period names; not used with a ``price_path``."""
    currency: Literal["CNY", "USD", "EUR", "SGD"]
    time_of_use: list[Period] = field(default_factory=list)
    """Periods with another price; where two overlap the first holds."""
    price_path: str | None = None
    """CSV or Parquet of hourly prices, also below zero."""
    add_per_kwh: NonNegative = 0.0
    """Network charges and taxes on top of every price of the file."""
    demand_charge_per_kw_month: NonNegative | None = None
    """Per kW of the highest quarter-hour mean at the meter in each calendar month; None: the
    tariff has no such part, or it is in the prices."""

    def __post_init__(self) -> None:
        one = self.price_path is None or not self.time_of_use
        require(one, "price_path", self.price_path, "null where time_of_use is given")

    def series(self, about: When) -> tuple[StepSeries, str, list[str]]:
        """Return the price over a run, what it is, and what to know about it."""
        if self.price_path is not None:
            prices, source, said, notes = self._from_file(self.price_path, "price", about)
            same = said in (None, self.currency)
            require(same, "currency", self.currency, f"{said}, as in {self.price_path}")
            dearer = [value + self.add_per_kwh for value in prices.values]
            prices = StepSeries(dearer, prices.first_at_s, prices.step_s)
            return prices, f"{source}, plus {self.add_per_kwh:g}", notes
        notes = self._for_nothing("site.tariff.price_path", "add_per_kwh")
        if not self.time_of_use:
            return StepSeries.flat(self.price_per_kwh), "flat", notes
        hour = about.start.replace(minute=0, second=0, microsecond=0)
        count = int(about.duration_s / SECONDS_PER_HOUR) + 2 + AHEAD_HOURS
        values = [self._at(hour + timedelta(hours=h)) for h in range(count)]
        first_at_s = (hour - about.start).total_seconds()
        return StepSeries(values, first_at_s, SECONDS_PER_HOUR), "time of use", notes

    def _at(self, at: datetime) -> float:
        return next((p.price_per_kwh for p in self.time_of_use if p.holds(at)), self.price_per_kwh)


@dataclass(kw_only=True)
class GridCarbon(HourlySource):
    """What a kWh from the grid emits: an annual factor, or hour by hour."""

    location_kg_per_kwh: NonNegative
    """The average of the grid the meter hangs on; not used with a ``carbon_path``."""
    market_kg_per_kwh: NonNegative | None = None
    """What the supply contracts say; null where none is stated. [kg CO2/kWh]"""
    carbon_path: str | None = None
    """CSV or Parquet of hourly averages of that grid."""

    def series(self, about: When) -> tuple[StepSeries, str, list[str]]:
        """Return the carbon over a run, what it is, and what to know about it."""
        if self.carbon_path is None:
            notes = self._for_nothing("site.carbon.carbon_path")
            return StepSeries.flat(self.location_kg_per_kwh), "annual factor", notes
        series, source, _, notes = self._from_file(self.carbon_path, "carbon", about)
        return series, source, notes


@dataclass(slots=True)
class GridSignals:
    """What electricity costs and emits during a run."""

    price_per_kwh: StepSeries
    carbon_kg_per_kwh: StepSeries
    """Location-based."""
    market_kg_per_kwh: float | None
    """None where no contract is stated."""
    sources: dict[str, str]
    """What price and carbon are, for run.json."""
    warnings: list[str] = field(default_factory=list)


def grid_signals(tariff: Tariff, carbon: GridCarbon, about: When) -> GridSignals:
    """Return price and carbon of a run; refuse a file that cannot serve it."""
    with under("tariff"):
        price, price_source, price_notes = tariff.series(about)
    with under("carbon"):
        kg, carbon_source, carbon_notes = carbon.series(about)
    return GridSignals(
        price,
        kg,
        carbon.market_kg_per_kwh,
        {"price": price_source, "carbon": carbon_source},
        [*price_notes, *carbon_notes],
    )
