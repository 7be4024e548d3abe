"""Replay of a recorded list of jobs; the format of the list is data, not code."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.config import Fraction, Positive
from twin.errors import ConfigError, InputFileError, require
from twin.records import Job, LoadReport, WorkloadContext
from twin.workload.batch import BatchJobs
from twin.workload.distributions import draw_quantiles
from twin.workload.reference import measured_nodes
from twin.workload.table import duration_s, instant_reader, open_text, positions, table_rows

NAMED = 20
"""Refused rows that are named one by one; all are counted."""

CHUNK = 4096
"""Jobs made at a time."""

WHOLE = 1e-9
"""GPUs by which a size may miss a whole number for rounding alone."""


class RefusedRowError(ValueError):
    """A row that cannot be used, and why."""


class NotRunError(RefusedRowError):
    """A row of a job without a run time."""


@dataclass(frozen=True, slots=True)
class GpuColumn:
    """Which column says how many GPUs a job holds."""

    column: str
    pattern: str | None = None
    """Regular expression whose first group is the number within the text of the
    column, e.g. ``gres/gpu=(\\d+)`` for Slurm's AllocTRES; no match is no GPU."""
    scale: Positive = 1.0
    """GPUs for each unit of the column, e.g. 8 for a column of 8-GPU servers."""
    share_column: str | None = None
    """A factor on top, for jobs that hold a part of a GPU."""
    share_scale: Positive = 1.0
    """What one unit of that factor is worth, e.g. 0.001 for thousandths."""

    def __post_init__(self) -> None:
        if self.pattern is None:
            return
        try:
            groups = re.compile(self.pattern).groups
        except re.error:
            groups = 0
        allowed = "a regular expression with one group, the number"
        require(groups == 1, "pattern", self.pattern, allowed)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; null where the format has none."""

    submit: str
    duration: str | None = None
    """Run time; or else ``start`` and ``end``."""
    start: str | None = None
    end: str | None = None
    limit: str | None = None
    """The user's estimate of the run time."""
    account: str | None = None
    state: str | None = None
    job_id: str | None = None

    def __post_init__(self) -> None:
        given = self.duration is not None or (self.start is not None and self.end is not None)
        require(given, "duration", self.duration, "a column name, or else start and end")

    def wanted(self, gpus: GpuColumn) -> dict[str, str]:
        """Return the mapping from what is needed to the column that has it."""
        found = {name: getattr(self, name) for name in self.__slots__}
        if self.duration is not None:
            found["start"] = found["end"] = None
        found["gpus"], found["share"] = gpus.column, gpus.share_column
        return {what: column for what, column in found.items() if column is not None}


@dataclass(slots=True)
class _Found:
    """The rows to be replayed, a column each, and those left out."""

    at_s: array[float] = field(default_factory=lambda: array("d"))
    work_s: array[float] = field(default_factory=lambda: array("d"))
    limit_s: array[float] = field(default_factory=lambda: array("d"))
    """NaN where the row has none."""
    gpus: array[int] = field(default_factory=lambda: array("q"))
    account: list[str] = field(default_factory=list)
    job_id: list[str] = field(default_factory=list)
    outside: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows left out because nothing ran, by why."""
    rounded: int = 0
    """Jobs whose GPUs were rounded up."""


@dataclass(kw_only=True)
class TraceReplay(BatchJobs):
    """Jobs of a CSV file, submitted when they were and running as long as they did.

    Rows outside the run are left out and counted. Rows that cannot be used are
    named and counted; above ``refuse_above_fraction`` of the rows that should be
    replayed, or at the first one if ``strict``, the file is refused. Rows need not
    be sorted; those of one instant keep the order of the file.
    """

    path: str | None
    """The CSV file, plain or ``.gz``."""
    columns: Columns
    gpus_from: GpuColumn
    time_format: str = "iso"
    """``iso``, ``seconds``, or a strptime pattern."""
    origin_s: float = 0.0
    """With ``seconds``: the second of the trace that is second 0 of the run."""
    duration_unit_s: Positive = 1.0
    limit_unit_s: Positive = 1.0
    delimiter: str = ","
    """One character, or ``whitespace``."""
    comment: str | None = None
    """Lines that start with it are no rows."""
    header: list[str] | None = None
    """Column names, for a file that does not start with them."""
    skip_states: list[str] = field(default_factory=list)
    """States whose rows are left out and counted."""
    skip_zero_gpus: bool = False
    """Leave out rows that ask for no GPU, and count them, instead of refusing them."""
    skip_not_run: bool = False
    """Leave out rows whose run time is absent or not above 0, as of jobs withdrawn from
    the queue, and count them, instead of refusing them."""
    whole_servers: bool = False
    """Round jobs larger than a server up to whole servers."""
    strict: bool = False
    refuse_above_fraction: Fraction = 0.01
    reference_path: str | None = None
    """Measured nodes, columns ``time, active, total``, to print beside the replay."""
    _found: _Found | None = field(init=False, default=None, repr=False)
    _read_for: tuple[object, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        known = len(self.delimiter) == 1 or self.delimiter == "whitespace"
        require(known, "delimiter", self.delimiter, "one character, or 'whitespace'")

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
        key = (context.start, context.duration_s, context.gpus, context.gpus_per_server)
        if self._found is not None and self._read_for == key:
            return
        if not self.path:
            raise ConfigError(
                f"{self.key}.path: is required, a CSV file with the columns "
                f"{', '.join(self.columns.wanted(self.gpus_from).values())}"
            )
        path = Path(self.path).expanduser()
        self.report = LoadReport(str(path))
        found = self._read(path, context, self.report)
        self._refuse_file(found, context, self.report)
        self.report.notes += self._notes(found, context)
        if self.reference_path:
            reference = Path(self.reference_path).expanduser()
            self.report.measured = measured_nodes(reference, context.start, context.duration_s)
            self.report.notes.append(
                f"measured busy nodes ({reference}) count every job of the cluster: an upper "
                "bound for a trace that lists only some of them"
            )
        self._found, self._read_for = found, key

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield the jobs that arrive within the run, in order of arrival."""
        self.check(context)
        found = self._found
        assert found is not None  # check() has read it
        order = np.argsort(np.asarray(found.at_s), kind="stable")
        activity = draw_quantiles(self.activity, context.rng(f"{self.key}.activity"), len(order))
        limit_s = self._limits(found, context)
        label, kind = self.label(self.job_kind), self.job_kind
        read_per_gpu, checkpoint_s = self.read_bytes_per_s_per_gpu, self.checkpoint_s
        for begin in range(0, len(order), CHUNK):
            part = order[begin : begin + CHUNK]
            for i, limit, active in zip(
                part.tolist(), limit_s[part].tolist(), activity[part].tolist(), strict=True
            ):
                gpus = found.gpus[i]
                yield Job(
                    f"{label}-{found.job_id[i]}", kind, found.at_s[i], gpus, found.work_s[i],
                    limit, active, found.account[i], self.priority, self.comm_fraction,
                    read_per_gpu * gpus, checkpoint_s,
                )  # fmt: skip

    def _limits(self, found: _Found, context: WorkloadContext) -> NDArray[np.float64]:
        """Return the estimate of each row, drawn where it has none."""
        rng = context.rng(f"{self.key}.limit")
        drawn = np.asarray(found.work_s) * rng.uniform(*self.limit_factor, len(found.work_s))
        given = np.asarray(found.limit_s)
        return np.where(np.isnan(given), drawn, given)

    def _read(self, path: Path, context: WorkloadContext, report: LoadReport) -> _Found:
        """Sort every row of the file into used, left out and refused."""
        found = _Found()
        with open_text(path) as file:
            table = table_rows(file, path, self.delimiter, self.comment)
            header = self.header or next(table, (0, []))[1]
            at = positions(header, self.columns.wanted(self.gpus_from), path)
            take = _RowTaker(self, found, at, len(header), context)
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
        report.refused_count += 1
        if len(report.refused) < NAMED:
            report.refused.append(what)

    def _refuse_file(self, found: _Found, context: WorkloadContext, report: LoadReport) -> None:
        refused, wanted = report.refused_count, report.refused_count + report.used
        if refused > self.refuse_above_fraction * wanted:
            raise InputFileError(
                f"{report.refused[0]}\n{report.path}: {refused} of {wanted} rows cannot be used: "
                f"must be at most {self.key}.refuse_above_fraction={self.refuse_above_fraction:g} "
                "of them; the first:\n" + "\n".join(report.refused)
            )
        if not report.used:
            raise InputFileError(
                f"{report.path}: none of its {report.read} rows falls into the run, "
                f"{_span(context)} ({found.outside} lie outside): clock.start or "
                f"{self.key}.origin_s must fit the trace"
            )

    def _notes(self, found: _Found, context: WorkloadContext) -> list[str]:
        """Return what a reader of the results must know about the replay."""
        notes = ["GPU activity is not in the trace: it is drawn from the configuration (assumed)"]
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


class _RowTaker:
    """Turns the fields of one row into a job, or says why it cannot."""

    def __init__(
        self,
        config: TraceReplay,
        found: _Found,
        at: Mapping[str, int],
        width: int,
        context: WorkloadContext,
    ) -> None:
        self.config, self.found, self.at, self.width = config, found, at, width
        self.instant_s = instant_reader(config.time_format, context.start, config.origin_s)
        self.end_s, self.gpus = context.duration_s, context.gpus
        self.gpus_per_server = context.gpus_per_server
        self.names = config.columns.wanted(config.gpus_from)
        pattern = config.gpus_from.pattern
        self.pattern = re.compile(pattern) if pattern else None
        self.ids: set[str] = set()
        self.known: dict[str, str] = {}

    def __call__(self, line: int, fields: list[str]) -> None:
        """Take one row.

        Raises
        ------
        RefusedRowError
            If it lacks a field, or one holds what cannot be.
        """
        if len(fields) != self.width:
            raise RefusedRowError(f"{len(fields)} fields: must be {self.width}, as in the header")
        at_s = self.read_instant("submit", fields)
        found, config = self.found, self.config
        if not 0 <= at_s < self.end_s:
            found.outside += 1
            return
        state = fields[self.at["state"]].strip() if "state" in self.at else ""
        if state in config.skip_states:
            found.skipped[f"state {state}"] += 1
            return
        gpus = self.read_gpus(fields)
        if gpus == 0 and config.skip_zero_gpus:
            found.skipped["no GPU asked for"] += 1
            return
        try:
            work_s = self.read_work(fields)
        except NotRunError:
            if not config.skip_not_run:
                raise
            found.skipped["never ran"] += 1
            return
        self.require_gpus(gpus)
        found.at_s.append(at_s)
        found.work_s.append(work_s)
        found.limit_s.append(self.read_limit(fields))
        found.gpus.append(self.whole_gpus(gpus))
        account = fields[self.at["account"]] if "account" in self.at else ""
        found.account.append(self.known.setdefault(account, account))  # one string each
        found.job_id.append(self.read_id(line, fields))

    def read_number(self, what: str, fields: list[str]) -> float:
        """Return the number in column *what*."""
        text = fields[self.at[what]].strip()
        if not text:
            raise RefusedRowError(f"{self.names[what]}: is missing")
        try:
            return float(text)
        except ValueError:
            raise RefusedRowError(f"{self.names[what]}={text!r}: must be a number") from None

    def read_instant(self, what: str, fields: list[str]) -> float:
        """Return the instant in column *what* as a second of the run."""
        text = fields[self.at[what]].strip()
        if not text:
            raise RefusedRowError(f"{self.names[what]}: is missing")
        try:
            at_s = self.instant_s(text)
        except (ValueError, OverflowError):
            at_s = math.nan
        if not math.isfinite(at_s):
            form = self.config.time_format
            raise RefusedRowError(f"{self.names[what]}={text!r}: must be a time ({form})")
        return at_s

    def read_work(self, fields: list[str]) -> float:
        """Return the run time, given or from start to end [s]."""
        if "duration" not in self.at:
            for what in ("start", "end"):
                if not fields[self.at[what]].strip():
                    raise NotRunError(f"{self.names[what]}: is missing")
            work_s = self.read_instant("end", fields) - self.read_instant("start", fields)
            if work_s <= 0:
                name = f"{self.names['end']} - {self.names['start']}"
                raise NotRunError(f"{name}={work_s:g} s: must be > 0")
            return work_s
        text = fields[self.at["duration"]].strip()
        name = self.names["duration"]
        if not text:
            raise NotRunError(f"{name}: is missing")
        try:
            work_s = duration_s(text, self.config.duration_unit_s)
        except ValueError:
            work_s = math.nan
        if not math.isfinite(work_s):
            raise RefusedRowError(f"{name}={text!r}: must be a duration")
        if work_s <= 0:
            raise NotRunError(f"{name}={text}: must be > 0")
        return work_s

    def read_limit(self, fields: list[str]) -> float:
        """Return the estimate, NaN where there is none, as Slurm's UNLIMITED [s]."""
        if "limit" not in self.at:
            return math.nan
        try:
            limit_s = duration_s(fields[self.at["limit"]].strip(), self.config.limit_unit_s)
        except ValueError:
            return math.nan
        return limit_s if 0 < limit_s < math.inf else math.nan

    def read_gpus(self, fields: list[str]) -> float:
        """Return how many GPUs the row asks for, in fractions where the trace has them."""
        source = self.config.gpus_from
        if self.config.skip_zero_gpus and not fields[self.at["gpus"]].strip():
            return 0.0
        gpus = self.read_count(fields) * source.scale
        if "share" in self.at:
            gpus *= self.read_number("share", fields) * source.share_scale
        return gpus

    def read_count(self, fields: list[str]) -> float:
        """Return the number in the GPU column, or within its text."""
        if self.pattern is None:
            return self.read_number("gpus", fields)
        match = self.pattern.search(fields[self.at["gpus"]])
        return float(match[1]) if match else 0.0

    def require_gpus(self, gpus: float) -> None:
        """Refuse no GPU, and more than there are."""
        name = self.names["gpus"]
        if not 0 < gpus < math.inf:
            raise RefusedRowError(f"{name}={gpus:g} GPUs: must be > 0")
        if gpus > self.gpus + WHOLE:
            raise RefusedRowError(
                f"{name}={gpus:g} GPUs: must be at most {self.gpus}, all there are"
            )

    def whole_gpus(self, gpus: float) -> int:
        """Return *gpus* rounded up to whole GPUs, and to whole servers where that is asked for."""
        per = self.gpus_per_server
        unit = per if self.config.whole_servers and gpus > per else 1
        rounded = min(math.ceil(gpus / unit - WHOLE) * unit, self.gpus)
        self.found.rounded += rounded > gpus + WHOLE
        return rounded

    def read_id(self, line: int, fields: list[str]) -> str:
        """Return an id no other row has: the trace's own, or the line."""
        if "job_id" not in self.at:
            return str(line)
        name = fields[self.at["job_id"]].strip()
        if not name or name in self.ids:
            name = f"{name}@{line}"  # a job requeued under its old id
        self.ids.add(name)
        return name
