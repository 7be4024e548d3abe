"""The load of a site as a trace that the co-simulator Vessim reads.

``Trace.from_csv`` of Vessim 0.16 wants the offset from the start in seconds in the first
column, beginning at 0, and values in the others; each holds until the next row, and a
query after the last row is refused. Powers are in watts. A load is positive, as its
``Consumer`` takes it; where a signed ``Actor`` is wanted, load with ``scale=-1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twin.errors import ConfigError
from twin.files import write_text
from twin.results.run_folder import Run
from twin.units import SECONDS_PER_DAY

LOAD = ("facility_power_w",)
"""What the site asks of whoever supplies it: PV and batteries are Vessim's to add."""


def write_trace(run: Run, path: Path, columns: Sequence[str] = LOAD) -> int:
    """Write *columns* of the series of *run* to *path*; return the number of rows.

    Raises
    ------
    ConfigError
        If a column has values that are not known, which a trace cannot hold.
    """
    series = run.series(["at_s", *columns])
    at_s = series["at_s"]
    for name in columns:
        unknown = np.flatnonzero(np.isnan(series[name]))
        if len(unknown):
            raise ConfigError(
                f"--columns {name}: has no value at {at_s[unknown[0]]:g} s; choose another column"
            )
    end_s = float(run.summary["simulated_days"]) * SECONDS_PER_DAY
    rows = [",".join(["offset_s", *columns])]
    values = np.column_stack([series[name] for name in columns])
    for offset_s, row in zip(at_s.tolist(), values.tolist(), strict=True):
        rows.append(",".join([f"{offset_s:.10g}", *(repr(value) for value in row)]))
    if end_s > at_s[-1]:  # so that the whole run may be asked for
        rows.append(",".join([f"{end_s:.10g}", *(repr(value) for value in values[-1].tolist())]))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(rows) + "\n")
    return len(rows) - 1
