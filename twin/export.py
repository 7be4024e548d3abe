"""``twin-export``: a finished run in the form that other tools read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from twin.__main__ import guarded
from twin.settings.arguments import Arguments


def export(arguments: Sequence[str] | None = None) -> int:
    """Write the load of a run for another simulator."""
    parser = Arguments(
        prog="twin-export",
        description="Write the load of a finished run in the form that another tool reads.",
        epilog="In Vessim: Consumer('site', Trace.from_csv('FILE')). Watts, consumption positive.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument(
        "--vessim", metavar="FILE", type=Path, required=True, help="CSV for Vessim's Trace.from_csv"
    )
    parser.add_argument(
        "--columns",
        metavar="A,B",
        default="facility_power_w",
        help="power columns of series.parquet (default: %(default)s)",
    )
    return guarded(lambda: _export(parser.parse_args(arguments)))


def _export(options: argparse.Namespace) -> int:
    from twin.errors import ConfigError, suggest
    from twin.results.run_folder import Run
    from twin.results.vessim import write_trace
    from twin.schema import SERIES
    from twin.show import place, say

    powers = [name for name, column in SERIES.items() if column.unit == "W"]
    columns = [name.strip() for name in options.columns.split(",") if name.strip()]
    for name in columns or [""]:
        if name not in powers:
            raise ConfigError(f"--columns {name}: no such power; {suggest(name, powers)}")
    rows = write_trace(Run.open(options.run), options.vessim, columns)
    say(f"{place(options.vessim)}: {rows} rows of {', '.join(columns)}")
    return 0
