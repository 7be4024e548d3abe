"""Tables that are neither jobs nor requests are read by the names of their columns."""

import numpy as np
import pytest

from twin.errors import InputFileError
from twin.workload.table import read_columns


@pytest.fixture
def saved(tmp_path):
    """Return a file with this text."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_columns_are_taken_by_name_and_an_empty_field_is_no_number(saved):
    path = saved("who,watts,when\na,1.5,noon\nb,,night\n")
    numbers, words = read_columns(path, ["watts"], ["when", "who"])
    assert numbers.shape == (1, 2)
    assert numbers[0, 0] == 1.5
    assert np.isnan(numbers[0, 1])
    assert words == [["noon", "night"], ["a", "b"]]


def test_another_delimiter(saved):
    numbers, _ = read_columns(saved("a  b\n1   2\n"), ["b"], delimiter="whitespace")
    assert numbers.tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("t,x\n1,2\n", r"no column 'watts'\ncolumns seen: t, x\nmapping wanted: watts: watts"),
        ("watts,x\nmany,2\n", "csv:2: watts='many': must be a number"),
        ("x,watts\n1,2\n3\n", "csv:3: 1 fields: must be >= 2"),
        ("", "csv: is empty"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_line(saved, text, why):
    with pytest.raises(InputFileError, match=why):
        read_columns(saved(text), ["watts"])
