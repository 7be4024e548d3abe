"""Replay of a recorded list of jobs; the format of the list is data, not code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction
from twin.errors import ConfigError, InputFileError, require
from twin.records import Job, LoadReport, WorkloadContext
from twin.workload.batch import BatchJobs
from twin.workload.reference import FleetColumns, ReferenceColumns, fleet, measured
from twin.workload.refused import RefusedRowError, add_refused, refuse_above
from twin.workload.rows import FoundRows, Layout, RowTaker
from twin.workload.table import open_text, positions, table_rows

CHUNK = 4096
"""Jobs made at a time."""


@dataclass(kw_only=True)
class TraceReplay(Layout, BatchJobs):
    """Jobs of a CSV file, submitted when they were and running as long as they did.

    Rows outside the run are left out and counted. Rows that cannot be used are
    named and counted; above ``refuse_above_fraction`` of the rows that should be
    replayed, or at the first one if ``strict``, the file is refused. Rows need not
    be sorted; those of one instant keep the order of the file.
    """

    path: str | None
    """The CSV file, plain or ``.gz``."""
    strict: bool = False
    refuse_above_fraction: Fraction = 0.01
    reference_path: str | None = None
    """Measured busy nodes or GPUs over time, to print beside the replay."""
    reference_columns: ReferenceColumns = field(default_factory=ReferenceColumns)
    fleet_path: str | None = None
    """The list of nodes the jobs ran on, to say how much of it this facility is."""
    fleet_columns: FleetColumns | None = None
    _found: FoundRows | None = field(init=False, default=None, repr=False)
    _read_for: tuple[object, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_delimiter()
        told = (self.fleet_path is None) or self.fleet_columns is not None
        require(told, "fleet_columns", self.fleet_columns, "given with fleet_path")

    def check(self, context: WorkloadContext) -> None:
        """Read the file and the reference, and report on them.

        Raises
        ------
        ConfigError
            If no path is given.
        InputFileError
            If the file cannot be read, lacks a column, holds too many rows that cannot
            be used, or none that falls into the run.
        """
        super().check(context)
        key = (context.start, context.duration_s, context.gpus, context.gpus_per_server)
        if self._found is not None and self._read_for == key:
            return
        if not self.path:
            raise ConfigError(
                f"{self.key}.path: is required, a CSV file with the columns "
                f"{', '.join(self.wanted().values())}"
            )
        path = Path(self.path).expanduser()
        self.report = LoadReport(str(path))
        found = self._read(path, context, self.report)
        self._refuse_file(found, context, self.report)
        self.report.notes += self._notes(found, context)
        if self.reference_path:
            reference = Path(self.reference_path).expanduser()
            columns = self.reference_columns
            self.report.measured = measured(reference, context.start, context.duration_s, columns)
            self.report.notes.append(
                f"measured busy {columns.counts} ({reference}) count every job of the cluster: an "
                "upper bound for a trace that lists only some of them"
            )
        if self.fleet_path and self.fleet_columns is not None:
            self.report.notes.append(self._fleet_note(self.fleet_columns, context))
        self._found, self._read_for = found, key

    def told_jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield the jobs that arrive within the run, in order of arrival."""
        self.check(context)
        found = self._found
        assert found is not None  # check() has read it
        order = np.argsort(np.asarray(found.at_s), kind="stable")
        levels = self.draw_levels(self.level_rngs(context), len(order))
        if self.activity_from:
            levels[:, 0] = found.activity
        limit_s = self._limits(found, context)
        label, kind = self.label(self.job_kind), self.job_kind
        read_per_gpu, checkpoint_s = self.read_bytes_per_s_per_gpu, self.checkpoint_s
        write_per_gpu = self.write_bytes_per_s_per_gpu
        checkpoint_per_gpu, keep = self.checkpoint_bytes_per_gpu, self.keep
        for begin in range(0, len(order), CHUNK):
            part = order[begin : begin + CHUNK]
            for i, limit, (activity, duty, waiting) in zip(
                part.tolist(), limit_s[part].tolist(), levels[part].tolist(), strict=True
            ):
                gpus = found.gpus[i]
                yield Job(
                    f"{label}-{found.job_id[i]}", kind, found.at_s[i], gpus, found.work_s[i],
                    limit, activity, found.account[i], self.priority, self.comm_fraction,
                    read_per_gpu * gpus, checkpoint_s, duty=duty, low_activity=waiting,
                    write_bytes_per_s=write_per_gpu * gpus,
                    checkpoint_bytes=checkpoint_per_gpu * gpus, keep=keep,
                )  # fmt: skip

    def _fleet_note(self, columns: FleetColumns, context: WorkloadContext) -> str:
        """Return how large the trace's own cluster was."""
        models = fleet(Path(str(self.fleet_path)).expanduser(), columns)
        share = context.gpus / models.total()
        named = ", ".join(f"{n} {model}" for model, n in models.most_common())
        return (
            f"the trace's cluster had {models.total()} GPUs ({named}); the facility has "
            f"{context.gpus}, {share:.2g} of them"
        )

    def _limits(self, found: FoundRows, context: WorkloadContext) -> NDArray[np.float64]:
        """Return the estimate of each row, drawn where it has none."""
        rng = context.rng(f"{self.key}.limit")
        drawn = np.asarray(found.work_s) * rng.uniform(*self.limit_factor, len(found.work_s))
        given = np.asarray(found.limit_s)
        return np.where(np.isnan(given), drawn, given)

    def _read(self, path: Path, context: WorkloadContext, report: LoadReport) -> FoundRows:
        """Sort every row of the file into used, left out and refused."""
        found = FoundRows()
        with open_text(path) as file:
            table = table_rows(file, path, self.delimiter, self.comment)
            header = self.header or next(table, (0, []))[1]
            at = positions(header, self.wanted(), path)
            take = RowTaker(self, found, at, len(header), context)
            for line, fields in table:
                report.read += 1
                try:
                    take(line, fields)
                except RefusedRowError as error:
                    self._refuse_row(f"{path}:{line}: {error}", report)
        report.used = len(found.at_s)
        return found

    def _refuse_row(self, what: str, report: LoadReport) -> None:
        if self.strict:
            raise InputFileError(f"{what}\nrefused at the first such row: {self.key}.strict=true")
        add_refused(what, report)

    def _refuse_file(self, found: FoundRows, context: WorkloadContext, report: LoadReport) -> None:
        refuse_above(self.refuse_above_fraction, f"{self.key}.refuse_above_fraction", report)
        if not report.used and report.refused:
            raise InputFileError(
                f"{report.refused[0]}\n{report.path}: none of its {report.read} rows can be used"
            )
        if not report.read:
            raise InputFileError(f"{report.path}: holds no rows below its header")
        if not report.used:
            raise InputFileError(
                f"{report.path}: none of its {report.read} rows falls into the run, "
                f"{_span(context)} ({found.outside} lie outside): clock.start or "
                f"{self.key}.origin_s must fit the trace"
            )

    def _notes(self, found: FoundRows, context: WorkloadContext) -> list[str]:
        """Return what a reader of the results must know about the replay."""
        notes = []
        if not self.activity_from:
            notes += [
                "GPU activity is not in the trace: it is drawn from the configuration (assumed)"
            ]
        if found.zones:
            notes.append(
                f"times with a zone ({', '.join(sorted(found.zones))}) are read as the site's own: "
                "what is said of a zone is dropped"
            )
        if found.outside:
            notes.append(f"rows left out, outside the run, {_span(context)}: {found.outside}")
        notes += [f"rows left out, {why}: {n}" for why, n in sorted(found.skipped.items())]
        if found.rounded:
            notes.append(f"jobs whose GPUs were rounded up: {found.rounded}")
        without = int(np.isnan(np.asarray(found.limit_s)).sum())
        if without:
            low, high = self.limit_factor
            notes.append(
                f"jobs whose estimate of run time is invented, run time x U({low:g}, {high:g}), "
                f"seeded: {without}"
            )
        return notes


def _span(context: WorkloadContext) -> str:
    return f"{context.start} to {context.start + timedelta(seconds=context.duration_s)}"
