"""Any columns of the series over any part of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twin.errors import ConfigError, require
from twin.plot import style
from twin.results.quantity import own_scale, spoken
from twin.results.run_folder import Run
from twin.schema import SERIES

CYCLE = ("server", "hot", "cooling", "loss", "network", "fan", "storage", "facility")


def draw_series(
    run: Run, names: Sequence[str], from_s: float = 0.0, to_s: float | None = None
) -> Path:
    """Draw columns *names* between two instants, one panel per unit; return the picture's path.

    Raises
    ------
    ConfigError
        If a column does not exist or nothing lies between the two instants.
    """
    require(bool(names), "series", list(names), "at least one column of series.parquet")
    series = run.series(["at_s", *dict.fromkeys(names)])
    end_s = style.length_s(run)
    to_s = end_s if to_s is None else min(to_s, end_s)
    inside = (series["at_s"] >= from_s) & (series["at_s"] < to_s)
    if not inside.any():
        raise ConfigError(
            f"--from {from_s:g} --to {to_s:g}: nothing there; the run covers 0 to {end_s:g} s"
        )
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        panels.setdefault(SERIES[name].unit, []).append(name)
    figure = style.new_figure(10.0, 1.4 + 2.4 * len(panels))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    x = style.days(run, series["at_s"][inside])
    for axes, (unit, columns) in zip(rows, panels.items(), strict=True):
        lines = {name: series[name][inside] for name in columns}
        factor, shown = fitting_scale(unit, list(lines.values()))
        for colour, (name, values) in zip(CYCLE * len(lines), lines.items(), strict=False):
            style.line(axes, x, values / factor, style.COLOURS[colour], name)
        label = columns[0] if len(columns) == 1 else ""
        style.dress(axes, f"{label} [{spoken(shown)}]".strip())
        style.legend(axes)
    style.time_axis(rows[-1], run, from_s, to_s)
    return style.save(figure, run.path / "plots", "series_" + "_".join(dict.fromkeys(names))[:80])


def fitting_scale(unit: str, lines: Sequence[style.Floats]) -> tuple[float, str]:
    """Return the factor and name of the unit in which *lines* read well."""
    return style.power_scale(lines) if unit == "W" else own_scale(unit)
