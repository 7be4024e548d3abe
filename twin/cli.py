"""The commands beside ``twin``: plot, compare, validate, dash.

They end like ``twin``: 0 done, 1 something failed, 2 wrong use, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from twin.__main__ import guarded
from twin.errors import ConfigError, InputFileError, suggest
from twin.settings.arguments import Arguments, whole_number
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from twin.results.run_folder import Run
    from twin.validation.published import Checked

SHOWN = ("it_power_w", "facility_power_w", "pue")
"""What ``twin-plot --from`` draws where no series is named."""

GLOSSARY = "docs/glossary.md"
"""Where all columns and figures are explained."""

LAST_PORT = 65535

_SECONDS = {"s": 1.0, "min": SECONDS_PER_MINUTE, "h": SECONDS_PER_HOUR, "d": SECONDS_PER_DAY}
_ELAPSED = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|min|h|d)$")


# ---- twin-plot ---------------------------------------------------------------


def plot(arguments: Sequence[str] | None = None) -> int:
    """Redraw the figures of a run, or chosen columns over a chosen time."""
    parser = Arguments(
        prog="twin-plot",
        description="Redraw the figures of a finished run into RUN/plots.",
        epilog="T is a site-local time as '2023-07-03 12:00', or the time since the start of the "
        "run as 90min, 36h or 2d.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--series", metavar="A,B", help="draw these columns of series.parquet")
    parser.add_argument("--from", dest="begin", metavar="T", help="begin here")
    parser.add_argument("--to", dest="end", metavar="T", help="end here")
    parser.add_argument(
        "--format", dest="also", metavar="svg,pdf", default="", help="also in these, for print"
    )
    return guarded(lambda: _plot(parser.parse_args(arguments)))


def _plot(options: argparse.Namespace) -> int:
    from twin.plot.style import also
    from twin.results.run_folder import Run
    from twin.show import place, say

    run = Run.open(options.run)
    with also(_formats(options.also)):
        paths = _drawn(run, options)
    for path in paths:
        say(place(path))
    return 0


def _drawn(run: Run, options: argparse.Namespace) -> list[Path]:
    """Draw what was asked for; return the pictures' paths."""
    if options.series is None and options.begin is None and options.end is None:
        from twin.plot.all import draw_all

        return draw_all(run)
    from twin.plot.series import draw_series

    columns = _columns(options.series) if options.series is not None else list(SHOWN)
    begin = 0.0 if options.begin is None else instant_s(options.begin, "--from", run)
    end = None if options.end is None else instant_s(options.end, "--to", run)
    if end is not None and end <= begin:
        raise ConfigError(f"--to {options.end}: must be after --from {options.begin or '0 h'}")
    return [draw_series(run, columns, begin, end)]


def _formats(text: str) -> list[str]:
    from twin.plot.style import VECTOR

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in VECTOR:
            raise ConfigError(f"--format {name}: must be {' or '.join(VECTOR)}")
    return names


def _columns(text: str) -> list[str]:
    from twin.schema import SERIES

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SERIES or name == "at_s"]
    drawable = [name for name in SERIES if name != "at_s"]
    if unknown:
        raise ConfigError(
            "\n".join(
                f"--series {name}: no such column; {suggest(name, drawable, GLOSSARY)}"
                for name in unknown
            )
        )
    if not names:
        raise ConfigError(f"--series: names no column; {suggest('', drawable, GLOSSARY)}")
    return names


def instant_s(text: str, option: str, run: Run) -> float:
    """Return *text* as seconds from the start of *run*.

    Raises
    ------
    ConfigError
        If it is neither a date and time nor a number with a unit of time, or before the start.
    """
    elapsed = _ELAPSED.match(text.strip())
    if elapsed:
        return float(elapsed[1]) * _SECONDS[elapsed[2]]
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"{option} {text}: must be a time as '2023-07-03 12:00', or 90min, 36h, 2d"
        ) from None
    start_text = str(run.config().get("clock", {}).get("start", ""))
    try:
        start = datetime.fromisoformat(start_text)
    except ValueError:
        raise InputFileError(
            f"{run.path / 'config.yaml'}: clock.start={start_text!r}: must be a date and time"
        ) from None
    if at.tzinfo is not None:
        raise ConfigError(f"{option} {text}: must be site-local, without a time zone")
    if at < start:
        raise ConfigError(f"{option} {text}: must not be before the run starts, {start_text}")
    return (at - start).total_seconds()


# ---- twin-compare --------------------------------------------------------------


def compare(arguments: Sequence[str] | None = None) -> int:
    """Compare finished runs and sweeps."""
    parser = Arguments(
        prog="twin-compare",
        description="Compare the finished runs below the given folders: a table, a CSV, a page to "
        "open with what moves what, trade-offs, costs and where the energy goes.",
    )
    parser.add_argument("folders", metavar="DIR", type=Path, nargs="+", help="runs or sweeps")
    parser.add_argument(
        "--to",
        metavar="DIR",
        type=Path,
        help="write it here (default: into DIR where there is one, else outputs/compare/...)",
    )
    parser.add_argument(
        "--metric", metavar="A,B", help="draw what moves these figures, beside PUE and cost"
    )
    parser.add_argument("--series", metavar="A,B", help="draw these columns over one another")
    return guarded(lambda: _compare(parser.parse_args(arguments)))


def _compare(options: argparse.Namespace) -> int:
    from twin.show import comparison

    metrics = [] if options.metric is None else _metrics(options.metric)
    series = [] if options.series is None else _columns(options.series)
    target = options.to
    if target is None and len(options.folders) == 1:
        target = options.folders[0]
    elif target is None:
        target = Path("outputs", "compare", f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}")
    comparison(options.folders, target, metrics, series)
    return 0


def _metrics(text: str) -> list[str]:
    from twin.schema import SUMMARY

    names = [name.strip() for name in text.split(",") if name.strip()]
    figures = [name for name, key in SUMMARY.items() if key.unit != "text"]
    for name in names:
        if name not in figures:
            raise ConfigError(
                f"--metric {name}: no such figure; {suggest(name, figures, GLOSSARY)}"
            )
    return names


# ---- twin-validate -------------------------------------------------------------


def validate(arguments: Sequence[str] | None = None) -> int:
    """Check scenarios against the outcomes published for the real systems."""
    parser = Arguments(
        prog="twin-validate",
        description="Run the scenarios that carry published outcomes and compare.",
        epilog="Types: A arithmetic on its own inputs, C calibrated, V predicted. Runs are kept "
        "in outputs/validation and made again only when configuration, code or inputs change.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="scenarios or rows; all if none")
    parser.add_argument("--slow", action="store_true", help="also what takes long")
    parser.add_argument(
        "--workers", metavar="N", type=whole_number, help="runs at once (default: cores)"
    )
    return guarded(lambda: _validate(parser.parse_args(arguments)))


def _validate(options: argparse.Namespace) -> int:
    from twin import show
    from twin.pool import stopped_by_sigterm
    from twin.validation.published import check_all, find_cases, write_csv

    folder = Path("outputs", "validation")
    cases = find_cases(options.names, slow=options.slow)
    with stopped_by_sigterm(), show.designs_bar(len(cases), "runs") as bar:
        checked = check_all(
            cases,
            folder,
            workers=options.workers,
            on_news=bar.progress,
            on_end=lambda end: bar.ended(end.index, None if end.error is None else end.error),
        )
    write_csv(checked, folder / "validation.csv")
    _tell(checked)
    from twin.validation import page as validation_page

    for path in (folder / "validation.csv", *validation_page.write(checked, folder)):
        show.say(f"Written to {show.place(path)}")
    return 0 if all(one.passed for one in checked) else 1


def _tell(checked: Sequence[Checked]) -> None:
    from rich.table import Table

    from twin import show
    from twin.validation.published import TYPES, tally

    table = Table(box=None, pad_edge=False)
    for head, justify in (
        ("row", "left"),
        ("type", "left"),
        ("scenario", "left"),
        ("figure", "left"),
        ("expected", "right"),
        ("tolerance", "right"),
        ("got", "right"),
        ("error", "right"),
        ("", "left"),
    ):
        table.add_column(head, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for one in checked:
        row, error = one.row, one.error_fraction
        table.add_row(
            row.row,
            row.type,
            one.scenario,
            row.figure(),
            f"{row.value:.6g}",
            row.allowed(),
            "-" if one.got is None else f"{one.got:.6g}",
            "-" if error is None else f"{round(100 * error, 1) + 0.0:+.1f} %",
            "pass" if one.passed else "FAIL",
        )
    show.say(table)
    for one in checked:
        if one.problem or (one.row.note and not one.passed):
            show.say(f"{one.row.row} ({one.scenario}): {one.problem or one.row.note}")
    for kind, (passed, total) in tally(checked).items():
        if total:
            show.say(f"{kind} ({TYPES[kind]}): {passed} of {total} pass")


# ---- twin-dash -----------------------------------------------------------------


def dash(arguments: Sequence[str] | None = None) -> int:
    """Show finished runs on a local page, and start new ones from it."""
    parser = Arguments(
        prog="twin-dash",
        description="A page on this machine: pick runs, filter designs, see trade-offs and series, "
        "open reports, start a run. Needs the extra: pip install 'twin[dash]'.",
    )
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", default=Path("outputs"), help="runs to show"
    )
    parser.add_argument(
        "--port", type=whole_number, default=8050, help="port on this machine (8050)"
    )
    return guarded(lambda: _dash(parser.parse_args(arguments)))


def _dash(options: argparse.Namespace) -> int:
    from twin.show import say

    folder, port = options.folder, options.port
    if port > LAST_PORT:
        raise ConfigError(f"--port {port}: must be 1 to {LAST_PORT}")
    try:
        from twin.dashboard.app import build
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'twin[dash]'") from error
    from twin.dashboard.launch import Launcher
    from twin.dashboard.library import Library

    if not folder.is_dir():
        raise InputFileError(f"{folder}: no such folder; run `twin` first, or name another")
    launcher = Launcher(folder)
    page = build(Library(folder), launcher)
    say(f"Runs below {folder} on http://127.0.0.1:{port}/ (Ctrl-C ends)")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for every request
    try:
        page.run(host="127.0.0.1", port=port, debug=False, use_reloader=False)
    finally:
        launcher.stop()
    return 0
