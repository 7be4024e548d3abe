"""Rows that cannot be used: counted, the first named, and too many of them refuse the file."""

import pytest

from twin.errors import InputFileError
from twin.records import LoadReport
from twin.workload.refused import NAMED, add_refused, refuse_above


def report(used: int, refused: int) -> LoadReport:
    """Return the report on a file of so many rows."""
    made = LoadReport("jobs.csv", used=used)
    for line in range(refused):
        add_refused(f"jobs.csv:{line}: gpus: is missing", made)
    return made


def test_all_refused_rows_are_counted_and_the_first_named():
    made = report(used=0, refused=NAMED + 5)
    assert made.refused_count == NAMED + 5
    assert len(made.refused) == NAMED
    assert made.refused[0].startswith("jobs.csv:0:")


def test_a_file_is_refused_above_the_fraction_and_not_at_it():
    refuse_above(0.1, "workload.refuse_above_fraction", report(used=9, refused=1))
    with pytest.raises(InputFileError, match=r"1 of 9 rows .*refuse_above_fraction=0.1 of them"):
        refuse_above(0.1, "workload.refuse_above_fraction", report(used=8, refused=1))


def test_each_refused_row_is_named_once_and_the_rest_counted():
    with pytest.raises(InputFileError) as refused:
        refuse_above(0.1, "workload.refuse_above_fraction", report(used=0, refused=NAMED + 5))
    lines = str(refused.value).splitlines()
    assert lines[0] == "jobs.csv:0: gpus: is missing"
    assert len(set(lines)) == len(lines) == NAMED + 2
    assert lines[-1] == "... and 5 more"
    assert lines[1].startswith("jobs.csv: 25 of 25 rows cannot be used: must be at most ")


def test_a_file_without_a_usable_row_or_a_refused_one_is_let_pass():
    refuse_above(0.0, "workload.refuse_above_fraction", report(used=0, refused=0))
