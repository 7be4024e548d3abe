"""The second part of an industrial tariff: what the highest demand of each month costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW_S = 900.0
"""Demand is the mean over a quarter of an hour of the site's clock. [s]"""


@dataclass(frozen=True, slots=True)
class MonthlyDemand:
    """The highest demand of a calendar month, and its price."""

    month: str
    """``YYYY-MM``, on the site's clock."""
    peak_kw: float
    part: float
    """How much of the month the run covers. [-]"""
    cost: float


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """Return the first instant of the calendar month of *at*, and of the one after it.

    Examples
    --------
    >>> month_of(datetime(2024, 2, 29, 23, 45))
    (datetime.datetime(2024, 2, 1, 0, 0), datetime.datetime(2024, 3, 1, 0, 0))
    """
    first = datetime(at.year, at.month, 1)
    after = first + timedelta(days=31)
    return first, datetime(after.year, after.month, 1)


@dataclass
class DemandMeter:
    """The utility's register of demand: exact means of quarter hours, highest of each month.

    Power is taken as constant over each beat that is told: means are exact where beats end with
    quarter hours, and a beat across two is shared by its time. A quarter hour of which a run
    sees a part counts with the energy of that part alone; a month of which it sees a part costs
    that part of its charge.
    """

    start: datetime
    """Site-local instant of second 0."""
    price_per_kw_month: float

    peaks_w: dict[datetime, float] = field(init=False, default_factory=dict)
    """By the first instant of each month."""
    _lag_s: float = field(init=False)
    """From the quarter hour that holds the start, to the start. [s]"""
    _window: int = field(init=False, default=0)
    """The quarter hour that is open, counted from that one."""
    _energy_j: float = field(init=False, default=0.0)
    """What has been drawn in it."""

    def __post_init__(self) -> None:
        midnight = datetime(self.start.year, self.start.month, self.start.day)
        self._lag_s = (self.start - midnight).total_seconds() % WINDOW_S

    def add(
        self, starts_s: Sequence[float], lengths_s: Sequence[float], power_w: Sequence[float]
    ) -> None:
        """Take in beats that follow each other."""
        for at_s, length_s, drawn_w in zip(starts_s, lengths_s, power_w, strict=True):
            from_s, to_s = at_s + self._lag_s, at_s + self._lag_s + length_s
            while to_s >= (end_s := (self._window + 1) * WINDOW_S):
                self._energy_j += drawn_w * max(end_s - from_s, 0.0)
                from_s = max(from_s, end_s)
                self._close_window()
            self._energy_j += drawn_w * (to_s - from_s)

    def _close_window(self) -> None:
        begin_s = self._window * WINDOW_S - self._lag_s
        month, _ = month_of(self.start + timedelta(seconds=begin_s))
        self.peaks_w[month] = max(self.peaks_w.get(month, 0.0), self._energy_j / WINDOW_S)
        self._window += 1
        self._energy_j = 0.0

    def bill(self, duration_s: float) -> list[MonthlyDemand]:
        """Return what each month of a run of that length costs; the run is over."""
        if self._energy_j > 0.0:
            self._close_window()
        end = self.start + timedelta(seconds=duration_s)
        months = []
        for month, peak_w in self.peaks_w.items():
            _, after = month_of(month)
            part = (min(after, end) - max(month, self.start)) / (after - month)
            cost = self.price_per_kw_month * peak_w / 1e3 * part
            months.append(MonthlyDemand(f"{month:%Y-%m}", peak_w / 1e3, part, cost))
        return months
