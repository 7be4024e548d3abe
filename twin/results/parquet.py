"""One Parquet file being written: row groups of a fixed row count, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twin.files import PART, blamed
from twin.schema import Column


class ParquetFile:
    """Streams columns into ``<name>.parquet.part``; :meth:`close` gives it its name.

    The same rows give the same bytes: row groups are cut by row count alone and no
    time or host enters the file.
    """

    def __init__(
        self, folder: Path, name: str, columns: Mapping[str, Column], rows_per_group: int = 16384
    ) -> None:
        self.path = folder / f"{name}.parquet"
        self._part = folder / f"{name}.parquet{PART}"
        self._columns = columns
        self._rows_per_group = rows_per_group
        self._part.unlink(missing_ok=True)  # of a run that was killed, or a link to somewhere else
        self._held: list[Any] = []
        self._held_rows = 0
        self._schema = _arrow_schema(columns)
        self._writer = _writer(self._part, self._schema, columns)

    def write(self, data: Mapping[str, ArrayLike]) -> None:
        """Append equally long *data* columns; NaN and None become null."""
        import pyarrow as pa

        arrays = [_arrow_array(data[name], column) for name, column in self._columns.items()]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._held.append(table)
        self._held_rows += table.num_rows
        if self._held_rows >= self._rows_per_group:
            self._flush(self._held_rows - self._held_rows % self._rows_per_group)

    def close(self) -> None:
        """Write what is held and let the file appear under its name."""
        self._flush(self._held_rows)
        with blamed(self.path):
            self._writer.close()
            self._part.replace(self.path)

    def abort(self) -> None:
        """Leave nothing behind."""
        self._held = []
        self._writer.close()
        self._part.unlink(missing_ok=True)

    def _flush(self, rows: int) -> None:
        import pyarrow as pa

        if rows == 0:
            return
        table = pa.concat_tables(self._held).combine_chunks()
        with blamed(self.path):
            self._writer.write_table(table.slice(0, rows), row_group_size=self._rows_per_group)
        self._held = [table.slice(rows)]
        self._held_rows -= rows


def _writer(path: Path, schema: Any, columns: Mapping[str, Column]) -> Any:
    import pyarrow.parquet as pq

    numbers = [c.name for c in columns.values() if c.kind == "number"]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[c.name for c in columns.values() if c.kind == "text"],
        use_byte_stream_split=numbers,
    )


def _arrow_schema(columns: Mapping[str, Column]) -> Any:
    import pyarrow as pa

    types = {"number": pa.float64(), "count": pa.int64(), "text": pa.string()}
    return pa.schema(
        [pa.field(c.name, types[c.kind], metadata=c.metadata()) for c in columns.values()]
    )


def _arrow_array(values: ArrayLike, column: Column) -> Any:
    """Return *values* as an Arrow array, built from buffers.

    ``pyarrow.array`` would import pandas where it happens to be installed: half a
    second for nothing.
    """
    if column.kind == "text":
        return _text_array(values)
    import pyarrow as pa

    if column.kind == "count":
        whole = np.ascontiguousarray(values, dtype=np.int64)
        return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])
    numbers = np.ascontiguousarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    bitmap = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    # What stands under a null must not depend on the kind of NaN it was.
    data = pa.py_buffer(np.where(known, numbers, 0.0))
    return pa.Array.from_buffers(pa.float64(), len(numbers), [bitmap, data])


def _text_array(values: Any) -> Any:
    import pyarrow as pa

    encoded = list(map(str.encode, map(str, values)))
    offsets = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(encoded)), out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)
