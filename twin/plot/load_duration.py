"""Load duration curves: for how much of the time the power was at least so high."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.plot import style
from twin.results.quantity import quantity
from twin.results.run_folder import Run

LINES = (("facility_power_w", "facility", "facility"), ("it_power_w", "IT", "server"))
"""Column, label and colour."""


def draw(run: Run, folder: Path) -> Path:
    """Draw power against the share of time it was reached, for facility and IT."""
    series = run.series([name for name, _, _ in LINES])
    figure = style.new_figure(8.0, 4.8, right=1.35)
    axes = figure.subplots()
    watts, unit = style.power_scale(list(series.values()))
    for (name, label, colour), side in zip(LINES, ("bottom", "top"), strict=True):
        share, power_w = duration_curve(series[name])
        axes.plot(100.0 * share, power_w / watts, color=style.COLOURS[colour], linewidth=1.6)
        mean = float(np.mean(series[name])) / watts
        axes.axhline(mean, color=style.COLOURS[colour], linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{label}\nmean {quantity(mean, unit)}",
            (1.02, mean),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va=side,  # the facility never draws less than its IT: neither hides the other
            color=style.COLOURS[colour],
        )
    style.dress(axes, f"power [{unit}]", _title(run))
    axes.set_xlabel("share of the time at or above [%]", color=style.INK)
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(bottom=0.0)
    return style.save(figure, folder, "load_duration")


def duration_curve(
    power_w: style.Floats, points: int = style.POINTS
) -> tuple[style.Floats, style.Floats]:
    """Return (share of time, power reached for that share), highest first.

    Parameters
    ----------
    power_w : ndarray, shape (n,)
        Means over equal intervals. [W]
    points : int
        Most points to return; the first and the last are always among them.

    Returns
    -------
    tuple of ndarray, shape (m,)
        Shares 0-1, and power [W].

    Examples
    --------
    >>> share, power_w = duration_curve(np.array([2.0, 8.0, 4.0]))
    >>> share.tolist(), power_w.tolist()
    ([0.0, 0.5, 1.0], [8.0, 4.0, 2.0])
    """
    falling = np.sort(power_w)[::-1]
    if len(falling) == 1:
        falling = np.repeat(falling, 2)  # one mean over the whole time
    most = max(1, len(falling) - 1)
    at = np.unique(np.linspace(0, len(falling) - 1, min(points, len(falling))).round().astype(int))
    return at / most, falling[at]


def _title(run: Run) -> str:
    mean_mw = run.summary.get("facility_power_mean_mw")
    peak_mw = run.summary.get("facility_power_peak_mw")
    if not mean_mw or not peak_mw:
        return "Load duration"
    return f"Load duration: the mean is {100.0 * mean_mw / peak_mw:.0f} % of the peak"
