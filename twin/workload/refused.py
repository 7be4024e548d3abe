"""Rows of a file that cannot be used: all are counted, the first are named, too many refuse it."""

from __future__ import annotations

from twin.errors import InputFileError
from twin.records import LoadReport

NAMED = 20
"""Refused rows that are named one by one; all are counted."""


class RefusedRowError(ValueError):
    """A row that cannot be used, and why."""


def add_refused(what: str, report: LoadReport) -> None:
    """Count a row in *report*; *what* is its ``file:line: why``."""
    report.refused_count += 1
    if len(report.refused) < NAMED:
        report.refused.append(what)


def refuse_above(most: float, key: str, report: LoadReport) -> None:
    """Refuse a file of which more than *most*, set by *key*, cannot be used.

    The fraction is of the rows wanted: those used and those refused, not those left out.

    Raises
    ------
    InputFileError
        With the first such rows.

    Examples
    --------
    >>> report = LoadReport("jobs.csv", used=99)
    >>> add_refused("jobs.csv:7: gpus: is missing", report)
    >>> refuse_above(0.01, "workload.refuse_above_fraction", report)
    """
    refused, wanted = report.refused_count, report.refused_count + report.used
    if refused > most * wanted:
        first, *others = report.refused
        more = [f"... and {refused - NAMED} more"] if refused > NAMED else []
        share = (
            f"{report.path}: {refused} of {wanted} rows cannot be used: must be at most "
            f"{key}={most:g} of them"
        )
        raise InputFileError("\n".join([first, share, *others, *more]))
