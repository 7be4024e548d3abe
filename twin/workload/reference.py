"""What a real cluster was measured to do, to print beside its replay."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from twin.errors import InputFileError
from twin.workload.table import instant_reader, open_text, positions, table_rows


def measured_nodes(path: Path, start: datetime, duration_s: float) -> dict[str, float]:
    """Return the mean number of busy nodes over the run, from rows ``time, active, total``.

    Rows with no active node, or with another total than most rows have, are failures
    of the measurement and are left out of the mean.

    Returns
    -------
    dict
        ``measured_nodes_busy_mean``, ``measured_nodes_total``, and how many rows were
        used and left out: ``measured_rows``, ``measured_rows_dropped``.

    Raises
    ------
    InputFileError
        Naming the first row that cannot be read, or if no row falls into the run.
    """
    instant_s = instant_reader("iso", start, 0.0)
    wanted = {"time": "time", "active": "active", "total": "total"}
    seen: list[tuple[float, float]] = []
    with open_text(path) as file:
        table = table_rows(file, path)
        at = positions(next(table, (0, []))[1], wanted, path)
        for line, fields in table:
            try:
                at_s = instant_s(fields[at["time"]])
                active, total = float(fields[at["active"]]), float(fields[at["total"]])
            except (ValueError, IndexError) as error:
                raise InputFileError(f"{path}:{line}: {error}") from None
            if 0 <= at_s < duration_s:
                seen.append((active, total))
    if not seen:
        raise InputFileError(f"{path}: no row falls into the run, which starts {start}")
    total = Counter(total for _, total in seen).most_common(1)[0][0]
    busy = [active for active, of in seen if active > 0 and of == total]
    if not busy:
        raise InputFileError(f"{path}: no row of the run shows an active node")
    return {
        "measured_nodes_busy_mean": sum(busy) / len(busy),
        "measured_nodes_total": total,
        "measured_rows": float(len(busy)),
        "measured_rows_dropped": float(len(seen) - len(busy)),
    }
