"""What electricity costs and emits over a run, and what PV and storage on site make of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Columns, Run
from twin.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 2.3
"""Of one panel. [in]"""
COLUMNS = (
    "at_s",
    "facility_power_w",
    "utility_power_w",
    "pv_power_w",
    "generator_power_w",
    "battery_j",
    "price_per_kwh",
    "carbon_kg_per_s",
)


def draw(run: Run, folder: Path) -> Path | None:
    """Draw price, carbon, the meter and the battery; None where nothing of it ever changes."""
    series = run.series(COLUMNS)
    sunny = bool(np.nanmax(series["pv_power_w"], initial=0.0) > 0.0)
    panels: list[Callable[[Axes, style.Floats, Columns], None]] = [_meter]
    if _varies(series["price_per_kwh"]):
        currency = str(run.summary.get("currency") or "money")
        panels.insert(0, partial(_price, currency=currency))
    if _varies(_carbon_kg_per_kwh(series)):
        panels.append(_carbon)
    if _varies(series["battery_j"]):
        panels.append(_battery)
    if panels == [_meter] and not sunny:
        return None
    x = style.days(run, series["at_s"])
    height = 1.0 + HEIGHT * len(panels)
    figure = style.new_figure(11.0, height)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for panel, draw_panel in zip(axes, panels, strict=True):
        draw_panel(panel, x, series)
    axes[0].set_title(_title(run), loc="left", fontsize=12, fontweight="bold", color=style.INK)
    style.time_axis(axes[-1], run, float(series["at_s"][0]), style.length_s(run))
    return style.save(figure, folder, "electricity")


def _title(run: Run) -> str:
    cost, currency = run.summary.get("electricity_cost"), run.summary.get("currency")
    if cost is None:
        return "Electricity"
    return f"Electricity for {quantity(cost, 'currency', str(currency))}"


def _varies(values: style.Floats) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 1 and float(np.ptp(known)) > 1e-9 * float(np.abs(known).max())


def _carbon_kg_per_kwh(series: Columns) -> style.Floats:
    """Return what the kWh bought emits; NaN where none is bought."""
    bought_w = series["utility_power_w"]
    out = np.full_like(bought_w, np.nan)
    kwh_per_s = bought_w / JOULES_PER_KWH
    return np.divide(series["carbon_kg_per_s"], kwh_per_s, out=out, where=bought_w > 0.0)


def _price(axes: Axes, x: style.Floats, series: Columns, currency: str) -> None:
    style.line(axes, x, series["price_per_kwh"], style.COLOURS["network"], "price")
    style.dress(axes, f"{currency}/kWh")
    style.legend(axes)


def _meter(axes: Axes, x: style.Floats, series: Columns) -> None:
    lines = (
        ("facility_power_w", "server", "consumption"),
        ("utility_power_w", "facility", "at the meter"),
        ("pv_power_w", "loss", "PV"),
        ("generator_power_w", "hot", "generators"),
    )
    some = [each for each in lines if np.nanmax(series[each[0]], initial=0.0) > 0.0]
    style.power_lines(axes, x, series, some)


def _battery(axes: Axes, x: style.Floats, series: Columns) -> None:
    stored = series["battery_j"] / JOULES_PER_KWH
    style.line(axes, x, stored, style.COLOURS["cooling"], "in batteries")
    axes.set_ylim(bottom=0.0)
    style.dress(axes, "energy [kWh]")
    style.legend(axes)


def _carbon(axes: Axes, x: style.Floats, series: Columns) -> None:
    style.line(axes, x, _carbon_kg_per_kwh(series), style.COLOURS["aux"], "grid carbon")
    axes.set_ylim(bottom=0.0)
    style.dress(axes, "kg/kWh")
    style.legend(axes)
