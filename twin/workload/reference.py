"""What a real cluster was measured to do, and had, to print beside its replay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from twin.errors import InputFileError
from twin.workload.table import instant_reader, open_text, positions, table_rows


@dataclass(frozen=True, slots=True)
class ReferenceColumns:
    """Columns of a measured sequence, and what it counts."""

    time: str = "time"
    active: str = "active"
    total: str = "total"
    counts: Literal["nodes", "gpus"] = "nodes"


@dataclass(frozen=True, slots=True)
class FleetColumns:
    """Columns of a list of nodes."""

    gpus: str
    model: str


def measured(
    path: Path, start: datetime, duration_s: float, columns: ReferenceColumns
) -> dict[str, float]:
    """Return how many nodes or GPUs were busy on average over the run.

    Rows with nothing active, or with another total than most rows have, are failures
    of the measurement and are left out of the mean.

    Returns
    -------
    dict
        ``measured_nodes_busy_mean`` and ``measured_nodes_total``, or the same of ``gpus``,
        and how many rows were used and left out: ``measured_rows``, ``measured_rows_dropped``.

    Raises
    ------
    InputFileError
        Naming the first row that cannot be read, or if no row falls into the run.
    """
    instant_s = instant_reader("iso", start, 0.0)
    wanted = {"time": columns.time, "active": columns.active, "total": columns.total}
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
        f"measured_{columns.counts}_busy_mean": sum(busy) / len(busy),
        f"measured_{columns.counts}_total": total,
        "measured_rows": float(len(busy)),
        "measured_rows_dropped": float(len(seen) - len(busy)),
    }


def fleet(path: Path, columns: FleetColumns) -> Counter[str]:
    """Return the GPUs of a list of nodes, by model; nodes without any are left out.

    Raises
    ------
    InputFileError
        Naming the first row that cannot be read, or if there is no GPU.
    """
    found: Counter[str] = Counter()
    with open_text(path) as file:
        table = table_rows(file, path)
        wanted = {"gpus": columns.gpus, "model": columns.model}
        at = positions(next(table, (0, []))[1], wanted, path)
        for line, fields in table:
            text = fields[at["gpus"]].strip() if at["gpus"] < len(fields) else ""
            if not text.isdigit():
                raise InputFileError(
                    f"{path}:{line}: {columns.gpus}={text!r}: must be a whole number >= 0"
                )
            if int(text):
                found[fields[at["model"]].strip() or "unnamed"] += int(text)
    if not found:
        raise InputFileError(f"{path}: no node has a GPU")
    return found
