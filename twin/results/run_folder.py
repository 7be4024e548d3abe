"""Reading a finished run folder, and finding the ones below a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError, suggest
from twin.files import PART
from twin.schema import FILES, SUMMARY

Columns = dict[str, NDArray[Any]]


@dataclass(slots=True)
class Run:
    """A run whose tables are whole; they are read from disk each time they are asked for."""

    path: Path
    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list, kw_only=True)
    """Sentences a reader must know: keys missing or unknown in this folder."""
    info: dict[str, Any] = field(init=False)
    """``run.json``: version, seed, packages, seconds used, warnings; empty where absent."""

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Return the finished run in folder *path*.

        Raises
        ------
        InputFileError
            If the folder is missing, holds no finished run, or is no run folder.
        """
        folder = Path(path)
        summary = _summary(folder)
        return cls(folder, summary, notes=_differences(summary))

    def __post_init__(self) -> None:
        """Read what stands beside the summary."""
        self.info = _json_or_empty(self.path / "run.json")

    @property
    def name(self) -> str:
        """The folder's name, with its parent's where it is only a number or a date."""
        path = self.path.resolve()
        if path.name[:1].isdigit() and path.parent.name:
            return f"{path.parent.name}/{path.name}"
        return path.name

    def config(self, typed: bool = True) -> dict[str, Any]:
        """Return the resolved configuration; empty where ``config.yaml`` is absent.

        Unless *typed*, numbers and all other scalars are left as they are written.
        """
        path = self.path / "config.yaml"
        if not path.is_file():
            return {}
        data = read_yaml(path, typed)
        if not isinstance(data, dict):
            raise InputFileError(f"{path}: must be a mapping of keys")
        return data

    def series(self, columns: Sequence[str] | None = None) -> Columns:
        """Return columns of ``series.parquet``; all where *columns* is None."""
        return self._table("series", columns)

    def jobs(
        self, columns: Sequence[str] | None = None, rows: NDArray[np.intp] | None = None
    ) -> Columns:
        """Return columns of ``jobs.parquet``; of all its jobs, or of those in *rows*."""
        return self._table("jobs", columns, rows)

    def racks(self) -> Columns:
        """Return ``racks.parquet``."""
        return self._table("racks", None)

    def events(self) -> Columns:
        """Return ``events.parquet``."""
        return self._table("events", None)

    def bursts(self) -> Columns:
        """Return ``burst.parquet``, which only runs with ``clock.burst`` have."""
        return self._table("burst", None)

    def pipeline(self) -> Columns:
        """Return ``pipeline.parquet``, which only runs with a driving pipeline have."""
        return self._table("pipeline", None)

    def _table(
        self, name: str, columns: Sequence[str] | None, rows: NDArray[np.intp] | None = None
    ) -> Columns:
        for column in columns or ():
            if column not in FILES[name]:
                raise InputFileError(
                    f"{column}: no column of {name}.parquet; {suggest(column, FILES[name])}"
                )
        return read_columns(self.path / f"{name}.parquet", columns, rows)


def find_runs(folder: str | Path) -> Iterator[Path]:
    """Yield every folder at or below *folder* that looks like a run, finished or not.

    A sweep's or a replicated run's own folder counts only where it has a
    ``config.yaml`` or ``summary.json``; folders inside a run are not searched.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputFileError(f"{root}: no such folder")
    if any((root / name).is_file() for name in ("summary.json", "config.yaml")):
        yield root
        return
    if (root / ".hydra").is_dir():  # started, and ended before it wrote anything
        yield root
        return
    for child in sorted(root.iterdir(), key=_numbers_first):
        if child.is_dir() and not child.name.startswith("."):
            yield from find_runs(child)


def read_columns(
    path: Path, columns: Sequence[str] | None = None, rows: NDArray[np.intp] | None = None
) -> Columns:
    """Return columns of a Parquet file as arrays: NaN for null, objects for text.

    All of its rows, or those at the places *rows*: a million names are dear as objects.

    Raises
    ------
    InputFileError
        If the file is missing, unreadable or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise InputFileError(f"{path}: is missing from this run folder")
    try:
        schema = pq.read_schema(path)
        for column in columns or ():
            if column not in schema.names:
                known = suggest(column, schema.names)
                raise InputFileError(f"{path}: has no column {column}; {known}")
        # Words that recur, as kinds and accounts do, are one object each.
        words = [each.name for each in schema if pa.types.is_string(each.type)]
        with pq.ParquetFile(path, read_dictionary=words) as file:
            names = schema.names if columns is None else list(columns)
            return _joined(file, names, rows)
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(f"{path}: cannot be read as Parquet ({error})") from error


def _joined(file: Any, names: Sequence[str], rows: NDArray[np.intp] | None) -> Columns:
    """Return columns of an open file, of all its rows or of *rows*."""
    order = None if rows is None else np.argsort(rows, kind="stable")
    groups = _groups(file, names, None if rows is None else rows[order])
    parts = [{name: _array(table[name], here) for name in names} for table, here in groups]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
    if order is None:
        return joined
    back = np.argsort(order)
    return {name: values[back] for name, values in joined.items()}


def _groups(
    file: Any, names: Sequence[str], rows: NDArray[np.intp] | None
) -> Iterator[tuple[Any, slice | NDArray[np.intp]]]:
    """Yield the row groups that hold any of the rising *rows*, and where in them these are.

    One after another, so that what is not asked for does not pile up in memory.
    """
    first, found = 0, False
    for group in range(file.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        here: slice | NDArray[np.intp] = slice(None)
        wanted = last > first
        if rows is not None:
            here = rows[slice(*np.searchsorted(rows, (first, last)))] - first
            wanted = len(here) > 0
        first = last
        if wanted:
            found = True
            yield file.read_row_group(group, columns=names), here
    if not found:
        yield file.read_row_groups([], columns=names), slice(None)


def read_yaml(path: Path, typed: bool = True) -> Any:
    """Return what a YAML file holds, as plain data; unless *typed*, scalars stay text.

    Text alone takes half the time, which counts where a thousand runs are compared.

    Raises
    ------
    InputFileError
        If it is not YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path), typed)
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}: cannot be read as YAML ({error})") from error


def parse_yaml(text: str, name: str, typed: bool = True) -> Any:
    """Return what YAML *text* holds, as plain data; *name* is what an error calls it."""
    import yaml  # type: ignore[import-untyped]

    kind = "SafeLoader" if typed else "BaseLoader"
    loader = getattr(yaml, f"C{kind}", getattr(yaml, kind))
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise InputFileError(f"{name}: cannot be read as YAML ({error})") from error


def _array(column: Any, rows: slice | NDArray[np.intp] = slice(None)) -> NDArray[Any]:
    """Return *rows* of a column as numpy sees it, null as NaN.

    Numbers are taken from their buffers: ``to_numpy`` would import pandas where it happens to
    be installed, and ``dictionary_encode`` what Arrow computes with: both for nothing.
    """
    import pyarrow as pa

    if len(column) == 0 and pa.types.is_dictionary(column.type):
        return np.empty(0, dtype=object)  # Arrow would import pandas to combine nothing
    array = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        words = np.array([*array.dictionary.to_pylist(), None], dtype=object)
        return np.asarray(words[_numbers(array.indices, -1)[rows]])
    if column.type not in (pa.float64(), pa.int64()):
        return np.asarray(column.to_numpy())[rows]
    return _numbers(array, np.nan)[rows]


def _numbers(array: Any, missing: float) -> NDArray[Any]:
    """Return numbers of Arrow as numpy sees them, *missing* where there is none."""
    here = slice(array.offset, array.offset + len(array))
    known, data = array.buffers()
    values = np.frombuffer(data or b"", str(array.type))[here]  # both call types alike
    if array.null_count == 0:
        return values
    bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")[here]
    return np.where(bits, values, missing)


def _summary(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise InputFileError(f"{folder}: no such folder")
    path = folder / "summary.json"
    if not path.is_file():
        begun = (folder / "config.yaml").is_file() or (folder / ".hydra").is_dir()
        begun = begun or any(folder.glob(f"*{PART}"))
        why = "the run in it did not finish" if begun else "it is not a run folder"
        raise InputFileError(f"{folder}: has no summary.json: {why}")
    summary = _json_or_empty(path)
    if not summary or not set(summary) & set(SUMMARY):
        raise InputFileError(f"{path}: holds no summary of a run")
    return summary


def _json_or_empty(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(data, dict):
        raise InputFileError(f"{path}: must be a mapping of keys")
    return data


def _differences(summary: Mapping[str, Any]) -> list[str]:
    """Say where a summary was written by another version of the twin."""
    missing = [name for name in SUMMARY if name not in summary]
    extra = [n for n in summary if n not in SUMMARY and not n.endswith("_ci95")]
    notes = []
    if missing:
        notes.append(f"summary.json lacks {', '.join(missing)}: written by another version")
    if extra:
        notes.append(f"summary.json has unknown keys {', '.join(extra)}: ignored")
    return notes


def _numbers_first(path: Path) -> tuple[int, int, str]:
    """Sort a sweep's folders 0, 1, 2, ..., 10 by number, all else by name."""
    return (0, int(path.name), "") if path.name.isdigit() else (1, 0, path.name)
