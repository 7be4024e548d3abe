"""One look for every figure: colours, sizes, dates, and lines that stay true when long.

Matplotlib is imported inside functions only, and never pyplot: a run that draws
nothing does not pay for it, and no figure outlives its function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

import numpy as np
from numpy.typing import NDArray

from twin.files import whole
from twin.results.run_folder import Columns, Run
from twin.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

HAN_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
)
"""Fonts with Chinese characters that systems come with, the best first."""
_LAST_WESTERN = "\u2e7f"
"""All scripts after this character are missing from Matplotlib's own font."""

COLOURS = {
    "server": "#0072B2",
    "fan": "#56B4E9",
    "network": "#CC79A7",
    "storage": "#8C6BB1",
    "loss": "#E69F00",
    "cooling": "#009E73",
    "aux": "#9AA0A6",
    "facility": "#202124",
    "hot": "#D55E00",
    "heat": "#C0504D",
}
"""Colours of things, told apart with every common kind of colour blindness (Okabe and Ito)."""

INK = "#30343B"
FAINT = "#D9DCE1"
POWER_SCALES = ((1e6, "MW"), (1e3, "kW"), (1.0, "W"))
POINTS = 1200
"""Buckets of a long line; more than a figure has pixels for."""
DPI = 130
LEGEND_CHARACTERS = 18
"""What a line of a legend holds beside the usual right margin."""


def new_figure(
    width: float = 10.0, height: float = 5.6, left: float = 0.9, right: float = 1.55
) -> Figure:
    """Return an empty figure with our look; sizes and margins in inches.

    Margins are fixed: an automatic layout would draw everything twice.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    figure.subplots_adjust(
        left=left / width,
        right=1.0 - right / width,
        top=1.0 - 0.4 / height,
        bottom=0.6 / height,
        hspace=0.12,
        wspace=0.08,
    )
    return figure


def dress(axes: Axes, ylabel: str, title: str = "") -> None:
    """Give *axes* a label with unit, a light grid and no box."""
    from matplotlib.transforms import blended_transform_factory

    axes.set_ylabel(ylabel, color=INK)
    if title:
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    # One distance from the edge of the figure, however long the numbers beside the axis are.
    across = blended_transform_factory(axes.figure.transFigure, axes.transAxes)
    axes.yaxis.set_label_coords(0.028, 0.5, transform=across)


def legend(axes: Axes, stacked: bool = False) -> None:
    """Put a legend to the right of *axes*, from the top down as things are *stacked*."""
    handles, labels = axes.get_legend_handles_labels()
    turn = -1 if stacked else 1
    axes.legend(
        handles[::turn],
        [fill(label, LEGEND_CHARACTERS) for label in labels[::turn]],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.03),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )


def start_of(run: Run) -> datetime | None:
    """Return the site-local date and time of second 0; None where the run does not say."""
    text = run.config().get("clock", {}).get("start")
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def length_s(run: Run) -> float:
    """Return how long the run was [s]."""
    return float(run.summary["simulated_days"]) * SECONDS_PER_DAY


DATES = ["%Y", "%b", "%b %d", "%H:%M", "%H:%M", "%S.%f"]
"""What stands at a year, a month, a day, an hour, a minute and a second: no day without month."""
DATES_AT_ZERO = ["", "%Y", "%b %d", "%b %d", "%H:%M", "%H:%M"]
"""The same where the smaller ones are zero."""
DATE_BESIDE = ["", "%Y", "%Y", "%Y", "%Y %b %d", "%Y %b %d %H:%M"]
"""What is said once, beside the axis."""


def time_axis(axes: Axes, run: Run, from_s: float, to_s: float) -> None:
    """Label the x axis in dates of the site, or in days where the start is not known."""
    start = start_of(run)
    left, right = days(run, np.array([from_s, to_s]))
    axes.set_xlim(float(left), float(right))
    if start is None:
        axes.set_xlabel("days from the start of the run", color=INK)
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, formats=DATES, zero_formats=DATES_AT_ZERO, offset_formats=DATE_BESIDE
    )
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("site-local time", color=INK)


def days(run: Run, at_s: Floats) -> Floats:
    """Return instants as matplotlib dates, or as days of the run."""
    start = start_of(run)
    offset = 0.0
    if start is not None:
        offset = (start - datetime(1970, 1, 1)) / timedelta(days=1)
    return offset + np.asarray(at_s) / SECONDS_PER_DAY


def bucket(values: Floats, points: int = POINTS) -> tuple[Floats, Floats, Floats]:
    """Reduce a long line to (mean, lowest, highest) of at most *points* buckets.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where not known; a bucket without any known value is NaN.
    points : int
        Most buckets to return.

    Returns
    -------
    tuple of ndarray, shape (m,)
        Nothing is lost between lowest and highest, whatever the length.

    Examples
    --------
    >>> [part.tolist() for part in bucket(np.array([1.0, 3.0, 9.0]), points=2)]
    [[2.0, 9.0], [1.0, 9.0], [3.0, 9.0]]
    """
    per = width(len(values), points)
    first = np.arange(0, len(values), per)
    known = ~np.isnan(values)
    count = np.add.reduceat(known.astype(float), first)
    total = np.add.reduceat(np.where(known, values, 0.0), first)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0.0)
    return mean, np.fmin.reduceat(values, first), np.fmax.reduceat(values, first)


def width(rows: int, points: int = POINTS) -> int:
    """Return how many rows go into one bucket."""
    return max(1, -(-rows // points))


def line(axes: Axes, x: Floats, values: Floats, colour: str, label: str, **style: Any) -> None:
    """Draw *values* over *x*: a line, with the range of each bucket behind it if it is long.

    A single value is the mean of the whole run, and drawn across it.
    """
    if np.isnan(values).all():
        return
    if len(values) == 1:
        axes.axhline(values[0], color=colour, label=label, **{"linewidth": 1.5, **style})
        return
    per = width(len(values))
    mean, low, high = bucket(values)
    at = x[::per]
    if per > 1:
        axes.fill_between(at, low, high, color=colour, alpha=0.22, linewidth=0)
    axes.plot(at, mean, color=colour, label=label, **{"linewidth": 1.5, **style})


BUSY_SHARE = 0.5
"""Of its mean, what IT must draw for a PUE to say something of the plant."""
RARE_SHARE = 0.01
"""Of that time, what may be off the scale at either end."""
FAR_OFF = 3.0
"""Spans beyond which a PUE makes all others a straight line."""
LEAST_SPAN = 0.02
OFF_THE_SCALE = "rare extremes are off the scale"


def busy_range(pue: Floats, it_power_w: Floats) -> tuple[float, float] | None:
    """Return the range in which to draw PUE; None where all of it may be drawn.

    While servers are off PUE has no bound, and an axis that holds all of it shows nothing of the
    time before and after.

    Examples
    --------
    >>> busy_range(np.array([1.2, 1.3, 9.0]), np.array([5.0, 5.0, 0.1]))
    (1.16, 1.34)
    >>> busy_range(np.array([1.2, 1.3, 1.4]), np.array([5.0, 5.0, 0.1])) is None
    True
    """
    known = ~np.isnan(pue)
    busy = known & (it_power_w >= BUSY_SHARE * np.mean(it_power_w))
    if not busy.any():
        return None
    low, high = np.quantile(pue[busy], [RARE_SHARE, 1.0 - RARE_SHARE])
    span = max(float(high - low), LEAST_SPAN)
    if float(pue[known].max()) <= high + FAR_OFF * span:
        return None
    return round(float(low) - 0.4 * span, 2), round(float(high) + 0.4 * span, 2)


def power_scale(lines: Sequence[Floats]) -> tuple[float, str]:
    """Return the watts of the unit in which the largest of *lines* reads well, and its name.

    Examples
    --------
    >>> power_scale([np.array([2e6, np.nan])]), power_scale([np.array([8e4]), np.zeros(1)])
    ((1000000.0, 'MW'), (1000.0, 'kW'))
    """
    largest = max((float(np.nanmax(v)) for v in lines if not np.isnan(v).all()), default=0.0)
    return next((s for s in POWER_SCALES if largest >= s[0]), POWER_SCALES[-1])


def power_lines(
    axes: Axes, x: Floats, series: Columns, lines: Sequence[tuple[str, str, str]]
) -> None:
    """Draw powers from zero up: *lines* are of column [W], colour and label."""
    watts, unit = power_scale([series[name] for name, _, _ in lines])
    for name, colour, label in lines:
        line(axes, x, series[name] / watts, COLOURS[colour], label)
    axes.set_ylim(bottom=0.0)
    dress(axes, f"power [{unit}]")
    legend(axes)


def label(
    axes: Axes, text: str, at: tuple[Any, Any], by: tuple[float, float], **style: Any
) -> None:
    """Write *text* beside a point: *by* so many points to the right and up."""
    look = {"fontsize": 8, "color": INK, **style}
    axes.annotate(text, at, xytext=by, textcoords="offset points", **look)


VECTOR = ("svg", "pdf")
_also: ContextVar[tuple[str, ...]] = ContextVar("also", default=())


@contextmanager
def also(formats: Sequence[str]) -> Iterator[None]:
    """Let figures saved in the block be written in vector *formats* too, for print."""
    token = _also.set(tuple(formats))
    try:
        yield
    finally:
        _also.reset(token)


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write *figure* as ``<name>.png``, whole or not at all, and return its path.

    Names of users in a script that no installed font has become boxes; pages and tables have them.
    """
    from matplotlib import rc_context

    _name_fonts(figure)
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("png", *_also.get()):
        # No date and no random names inside: the same run gives the same file.
        about = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
        with (
            whole(folder / f"{name}.{ending}") as part,
            rc_context({"svg.hashsalt": name}),
            catch_warnings(),
        ):
            filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
            figure.savefig(part, format=ending, metadata=about)
    return folder / f"{name}.png"


def _name_fonts(figure: Figure) -> None:
    """Let Chinese and Japanese be drawn in a font that has them, where one is installed."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    there = {font.name for font in fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in HAN_FONTS if name in there)]
    for text in figure.findobj(Text):
        if max(text.get_text(), default="") > _LAST_WESTERN:
            text.set_fontfamily(fonts)
