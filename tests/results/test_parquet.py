"""A table on its way to disk."""

import numpy as np
import pytest

from twin.results.parquet import ParquetFile
from twin.schema import RACKS

resource = pytest.importorskip("resource")


def test_a_table_that_finds_no_room_says_which_it_is(tmp_path):
    """A limit of this process stands for the end of the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    table = ParquetFile(tmp_path, "racks", RACKS, rows_per_group=1000)
    rows = np.random.default_rng(1).random(5000)
    data = {name: rows if c.kind == "number" else range(5000) for name, c in RACKS.items()}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(OSError, match="too large") as told:
            table.write(data)
            table.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        table.abort()
    assert told.value.filename == str(tmp_path / "racks.parquet")
    assert list(tmp_path.iterdir()) == []
