"""The interactive charts of the report: which columns, in which unit, packed how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.results.indoors import indoors
from twin.results.page import squeeze
from twin.results.quantity import spoken
from twin.results.run_folder import Columns, Run
from twin.units import BYTES_PER_PETABYTE, SECONDS_PER_DAY, SECONDS_PER_HOUR

FULL_ROWS = 20_000
"""Runs of at most so many rows are carried whole."""
ALWAYS_FULL = frozenset({"it_power_w", "facility_power_w", "pue", "inlet_max_c", "jobs_queued"})
"""Columns carried whole in any run, for a closer look; the others by the hour."""

DROPPED_BITS = 10
"""Of a float32's 23 bits behind the point: 13 are left, an error of 6e-5."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a column, what it is called, its colours on light and on dark."""

    column: str
    label: str
    colour: str
    dark: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of the report."""

    id: str
    title: str
    axis: str
    unit: str
    lines: tuple[Line, ...]
    stacked: bool = False
    from_zero: bool = False
    cut: bool = False
    """Whether a PUE of hours in which IT is nearly off may leave the picture."""
    format: str = ".3~f"
    ticks: str = ""
    """How the numbers beside the axis are written; as they come, where empty."""


BLUE, SKY, ORANGE, GREEN = "#0072b2", "#56b4e9", "#e69f00", "#009e73"
RED, PINK, VIOLET, GREY, BLACK = "#d55e00", "#cc79a7", "#8c6bb1", "#9aa0a6", "#202124"
PALE = "#e7e9ec"
MEGAWATT = 1e-6

CHARTS = (
    Chart(
        "c-power",
        "Facility power",
        "power [MW]",
        "MW",
        (
            Line("computing_w", "servers", BLUE, "#2f8fd0", MEGAWATT),
            Line("server_fan_power_w", "server fans", SKY, "", MEGAWATT),
            Line("network_power_w", "network", PINK, "", MEGAWATT),
            Line("storage_power_w", "storage", VIOLET, "", MEGAWATT),
            Line("loss_power_w", "losses", ORANGE, "", MEGAWATT),
            Line("cooling_power_w", "cooling", GREEN, "", MEGAWATT),
            Line("aux_power_w", "auxiliaries", GREY, "", MEGAWATT),
        ),
        stacked=True,
    ),
    Chart(
        "c-pue",
        "PUE",
        "PUE [-]",
        "",
        (Line("pue", "PUE", BLACK, PALE),),
        cut=True,
        format=".3f",
        ticks=".2f",
    ),
    Chart(
        "c-totals",
        "IT and facility",
        "power [MW]",
        "MW",
        (
            Line("facility_power_w", "facility", BLACK, PALE, MEGAWATT),
            Line("utility_power_w", "utility meter", ORANGE, "", MEGAWATT),
            Line("it_power_w", "IT", BLUE, SKY, MEGAWATT),
        ),
        from_zero=True,
    ),
    Chart(
        "c-gpus",
        "GPUs",
        "GPUs",
        "GPUs",
        (
            Line("gpus_allocated", "held by jobs", BLUE, SKY),
            Line("gpus_active", "active", ORANGE),
            Line("throttled_gpus", "slowed", RED),
        ),
        from_zero=True,
        format=",.0f",
    ),
    Chart(
        "c-jobs",
        "Jobs",
        "jobs",
        "",
        (Line("jobs_running", "running", GREEN), Line("jobs_queued", "queued", RED)),
        from_zero=True,
        format=",.1~f",
    ),
    Chart(
        "c-indoors",
        "Indoors",
        "temperature [°C]",
        "°C",
        (Line("inlet_max_c", "hottest inlet", RED), Line("supply_c", "supply", BLUE, SKY)),
        format=".1f",
    ),
    Chart(
        "c-outdoors",
        "Outdoors",
        "temperature [°C]",
        "°C",
        (Line("drybulb_c", "dry bulb", ORANGE), Line("wetbulb_c", "wet bulb", SKY)),
        format=".1f",
    ),
    Chart(
        "c-rack",
        "Fullest rack",
        "power [kW]",
        "kW",
        (Line("rack_power_max_w", "fullest rack", BLUE, SKY, 1e-3),),
        from_zero=True,
    ),
    Chart(
        "c-water",
        "Water",
        "water [t/h]",
        "t/h",
        (Line("water_kg_per_s", "water", BLUE, SKY, 3.6),),
        from_zero=True,
    ),
    Chart(
        "c-carbon",
        "Carbon",
        "CO₂ [t/h]",
        "t/h",
        (Line("carbon_kg_per_s", "carbon, location-based", GREY, "", 3.6),),
        from_zero=True,
    ),
    Chart(
        "c-price",
        "Electricity price",
        "price [currency/kWh]",
        "currency/kWh",
        (Line("price_per_kwh", "price", PINK),),
        from_zero=True,
    ),
    Chart(
        "c-battery",
        "Energy in batteries",
        "energy [kWh]",
        "kWh",
        (Line("battery_j", "batteries", GREEN, "", 1.0 / 3.6e6),),
        from_zero=True,
    ),
    Chart(
        "c-tokens",
        "Tokens served",
        "tokens/s",
        "tokens/s",
        (Line("tokens_per_s", "tokens", VIOLET),),
        from_zero=True,
        format=",.0f",
    ),
    Chart(
        "c-slo",
        "Requests within their latency objective",
        "share [%]",
        "%",
        (Line("slo_fraction", "within objective", GREEN, "", 100.0),),
        from_zero=True,
    ),
    Chart(
        "c-storage",
        "Held by the shared storage",
        "data [PB]",
        "PB",
        (Line("storage_used_bytes", "on storage", VIOLET, "", 1.0 / BYTES_PER_PETABYTE),),
        format=",.4f",
    ),
)


@dataclass(slots=True)
class Packed:
    """What the page's script needs: a description, and all numbers in one blob."""

    meta: dict[str, Any]
    data: str
    """Little-endian float32, gzip, base64."""


def pack(run: Run) -> Packed:
    """Return the charts of *run*; a chart whose columns are all unknown or idle is left out."""
    series = _derived(run)
    at_s = series["at_s"]
    step_s = float(at_s[1] - at_s[0]) if len(at_s) > 1 else SECONDS_PER_HOUR
    length_s = float(run.summary["simulated_days"] or 0.0) * SECONDS_PER_DAY
    blob = _Blob()
    called = indoors(run).labels()
    currency = run.summary.get("currency")
    charts = [_chart(_priced(chart, currency), series, step_s, blob, called) for chart in CHARTS]
    start = _start(run)
    x0, per_s = 0.0, 1.0 / SECONDS_PER_DAY
    if start is not None:  # milliseconds, as plotly counts dates
        x0, per_s = (start - datetime(1970, 1, 1)) / timedelta(milliseconds=1), 1000.0
    meta = {
        "dates": start is not None,
        "x0": x0,
        "x1": x0 + length_s * per_s,
        "x_per_s": per_s,
        "charts": [chart for chart in charts if chart["series"]],
        "hint": _hint(len(at_s), step_s),
    }
    return Packed(meta, blob.text())


class _Blob:
    """Arrays of float32, one after the other."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, values: Floats) -> dict[str, int]:
        """Append *values* and return where they are."""
        place = {"at": self._count, "count": len(values)}
        self._parts.append(coarse(values).tobytes())
        self._count += len(values)
        return place

    def text(self) -> str:
        """Return everything, compressed, as text."""
        return squeeze(b"".join(self._parts))


def coarse(values: Floats) -> NDArray[np.float32]:
    """Return *values* to about four digits, which a screen cannot show and gzip need not carry.

    Examples
    --------
    >>> coarse(np.array([1.0, 1234567.0, np.nan])).tolist()
    [1.0, 1234560.0, nan]
    """
    bits = values.astype("<f4").view("<u4")
    rounded = (bits + np.uint32(1 << (DROPPED_BITS - 1))) & np.uint32(2**32 - (1 << DROPPED_BITS))
    known: NDArray[np.float32] = np.where(np.isfinite(values), rounded, bits).astype("<u4")
    return known.view("<f4")


def _chart(
    chart: Chart, series: Columns, step_s: float, blob: _Blob, called: Mapping[str, str]
) -> dict[str, Any]:
    lines = [
        _line(
            replace(line, label=called.get(line.column, line.label)),
            series[line.column] * line.factor,
            step_s,
            blob,
        )
        for line in chart.lines
        if _says_something(line.column, series)
    ]
    from twin.plot.style import OFF_THE_SCALE, busy_range

    cut = busy_range(series["pue"], series["it_power_w"]) if chart.cut else None
    return {
        "id": chart.id,
        "title": f"{chart.title} ({OFF_THE_SCALE})" if cut else chart.title,
        "range": cut,
        "axis": chart.axis,
        "unit": chart.unit,
        "stacked": chart.stacked,
        "from_zero": chart.from_zero,
        "format": chart.format,
        "ticks": chart.ticks,
        "series": lines,
    }


def _priced(chart: Chart, currency: str | None) -> Chart:
    """Return *chart* with its unit in the currency of the run."""
    return replace(chart, axis=spoken(chart.axis, currency), unit=spoken(chart.unit, currency))


def _says_something(column: str, series: Columns) -> bool:
    """Return whether a line would show anything that is not there without it."""
    values = series[column]
    if np.isnan(values).all() or (column in MAY_BE_IDLE and not np.nan_to_num(values).any()):
        return False
    if column == "battery_j" and np.nanmax(values) == np.nanmin(values):
        return False  # full throughout
    return column != "utility_power_w" or not np.allclose(
        values, series["facility_power_w"], rtol=1e-9, equal_nan=True
    )


MAY_BE_IDLE = frozenset({"throttled_gpus", "capped_gpus", "tokens_per_s", "battery_j"})
"""Columns that say nothing where they are 0 throughout."""


def _line(line: Line, values: Floats, step_s: float, blob: _Blob) -> dict[str, Any]:
    about: dict[str, Any] = {
        "label": line.label,
        "colour": line.colour,
        "dark": line.dark or line.colour,
        "step_s": step_s,
    }
    per = round(SECONDS_PER_HOUR / step_s)
    if len(values) <= FULL_ROWS or line.column in ALWAYS_FULL or per <= 1:
        return {**about, "mean": blob.add(values)}
    from twin.plot.style import bucket

    mean, low, high = bucket(values, -(-len(values) // per))
    places = {"mean": blob.add(mean), "low": blob.add(low), "high": blob.add(high)}
    return {**about, **places, "step_s": per * step_s}


def _derived(run: Run) -> Columns:
    """Return the series with the two columns that charts need and files do not hold."""
    series = run.series()
    series["computing_w"] = series["server_power_w"] - np.nan_to_num(series["server_fan_power_w"])
    gpus = run.config().get("facility", {}).get("gpus", np.nan)
    series["gpus_active"] = series["gpu_active_fraction"] * float(gpus)
    return series


def _start(run: Run) -> datetime | None:
    from twin.plot.style import start_of

    return start_of(run)


def _hint(rows: int, step_s: float) -> str:
    text = f"Means over {step_s:g} s; site-local time. "
    text += "Drag to zoom all charts, double-click to go back."
    if rows > FULL_ROWS:
        text += (
            " Wide views show mean, lowest and highest of each bucket; IT, facility, PUE, inlet "
            "and queue keep every row for a closer look, the others every hour."
        )
    return text
