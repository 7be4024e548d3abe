"""What the rows of a recorded job list mean: a job each, or a reason why not."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from twin.config import LARGEST, Positive
from twin.errors import require
from twin.records import WorkloadContext
from twin.workload.refused import RefusedRowError
from twin.workload.table import duration_s, instant_reader

WHOLE = 1e-9
"""GPUs by which a size may miss a whole number for rounding alone."""


class NotRunError(RefusedRowError):
    """A row of a job without a run time."""


@dataclass(frozen=True, slots=True)
class GpuColumn:
    """Which column says how many GPUs a job holds."""

    column: str | None = None
    constant: Positive | None = None
    """What every job holds, in a trace that does not say."""
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
        one = (self.column is None) != (self.constant is None)
        require(one, "column", self.column, "given, or else constant, and not both")
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


@dataclass(kw_only=True)
class Layout:
    """How a list of jobs is written down, and which of its rows are no jobs at all."""

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
    activity_from: dict[str, Positive] = field(default_factory=dict)
    """Columns whose weighted sum is the activity of a job's GPUs, 0-1; none: it is drawn."""

    def wanted(self) -> dict[str, str]:
        """Return the mapping from what is needed to the column that has it."""
        levels = {f"activity {column}": column for column in self.activity_from}
        return {**self.columns.wanted(self.gpus_from), **levels}

    def check_delimiter(self) -> None:
        """Refuse a delimiter that is neither a character nor a word for blanks."""
        known = len(self.delimiter) == 1 or self.delimiter == "whitespace"
        require(known, "delimiter", self.delimiter, "one character, or 'whitespace'")


@dataclass(slots=True)
class FoundRows:
    """The rows to be replayed, a column each, and those left out."""

    at_s: array[float] = field(default_factory=lambda: array("d"))
    work_s: array[float] = field(default_factory=lambda: array("d"))
    limit_s: array[float] = field(default_factory=lambda: array("d"))
    """NaN where the row has none."""
    gpus: array[int] = field(default_factory=lambda: array("q"))
    activity: array[float] = field(default_factory=lambda: array("d"))
    """Empty where it is drawn."""
    account: list[str] = field(default_factory=list)
    job_id: list[str] = field(default_factory=list)
    outside: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows left out because nothing ran, by why."""
    rounded: int = 0
    """Jobs whose GPUs were rounded up."""
    zones: set[str] = field(default_factory=set)
    """Zones that were written behind instants, and dropped."""


class RowTaker:
    """Turns the fields of one row into a job, or says why it cannot."""

    def __init__(
        self,
        config: Layout,
        found: FoundRows,
        at: Mapping[str, int],
        width: int,
        context: WorkloadContext,
    ) -> None:
        self.config, self.found, self.at, self.width = config, found, at, width
        self.instant_s = instant_reader(
            config.time_format, context.start, config.origin_s, found.zones
        )
        self.end_s, self.gpus = context.duration_s, context.gpus
        self.gpus_per_server = context.gpus_per_server
        self.names = config.wanted()
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
        if work_s > LARGEST:
            raise RefusedRowError(f"a run time of {work_s:g} s: must be at most {LARGEST:g} s")
        self.require_gpus(gpus)
        if config.activity_from:
            found.activity.append(self.read_activity(fields))
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
        except (ValueError, OverflowError):
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
        except (ValueError, OverflowError):
            return math.nan
        return limit_s if 0 < limit_s < math.inf else math.nan

    def read_activity(self, fields: list[str]) -> float:
        """Return the activity of the job's GPUs, 0-1."""
        weights = self.config.activity_from.items()
        activity = sum(w * self.read_number(f"activity {name}", fields) for name, w in weights)
        if not 0.0 <= activity <= 1.0 + WHOLE:
            names = " + ".join(f"{w:g} x {name}" for name, w in weights)
            raise RefusedRowError(f"{names} = {activity:g}: must be >= 0 and <= 1")
        return min(activity, 1.0)

    def read_gpus(self, fields: list[str]) -> float:
        """Return how many GPUs the row asks for, in fractions where the trace has them."""
        source = self.config.gpus_from
        if source.constant is not None:
            return source.constant
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
        text = fields[self.at["gpus"]]
        match = self.pattern.search(text)
        if match is None or match[1] is None:
            return 0.0
        try:
            return float(match[1])
        except ValueError:
            what = f"{self.names['gpus']}={text!r}: {match[1]!r}"
            raise RefusedRowError(f"{what} must be a number") from None

    def require_gpus(self, gpus: float) -> None:
        """Refuse no GPU, and more than there are."""
        name = self.names.get("gpus", "gpus_from.constant")
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
