"""Several runs that differ in chance alone: their means and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from twin.files import whole
from twin.results.summary import Summary

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided 95 %, 1 to 10 degrees of freedom (any table of it)."""


def t_975(freedom: int) -> float:
    """Student's t for a two-sided 95 % interval.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 1.

    Returns
    -------
    float
        From the table up to 10, then the Cornish-Fisher expansion about the normal
        quantile, off by less than 0.1 %. [-]

    References
    ----------
    .. [1] Abramowitz & Stegun, *Handbook of Mathematical Functions*, 26.7.5.

    Examples
    --------
    >>> t_975(1), round(t_975(30), 3)
    (12.706, 2.042)
    """
    if freedom <= len(T_975):
        return T_975[freedom - 1]
    z = 1.959964
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    return z + first / freedom + second / freedom**2


def half_width_95(values: Sequence[float]) -> float | None:
    """Half the 95 % confidence interval of the mean of independent *values*.

    None for fewer than two. In the unit of the values.

    Examples
    --------
    >>> round(half_width_95([1.0, 2.0, 3.0]), 3)
    2.484
    >>> half_width_95([0.1, 0.1, 0.1])
    0.0
    """
    number = len(values)
    if number < 2:
        return None
    if min(values) == max(values):
        return 0.0  # not the rounding of a mean
    mean = math.fsum(values) / number
    variance = math.fsum((value - mean) ** 2 for value in values) / (number - 1)
    return t_975(number - 1) * math.sqrt(variance / number)


def combine(summaries: Sequence[Mapping[str, float | int | str | None]]) -> Summary:
    """Return the mean of every key and, as ``<key>_ci95``, half its confidence interval.

    A key that is null in any replication is null; text must be the same in all.
    """
    means: Summary = {}
    intervals: Summary = {}
    for key, first in summaries[0].items():
        values = [summary[key] for summary in summaries]
        numbers = [float(value) for value in values if isinstance(value, (int, float))]
        if isinstance(first, str):
            means[key] = first
        elif len(numbers) == len(values):
            means[key] = math.fsum(numbers) / len(numbers)
            intervals[f"{key}_ci95"] = half_width_95(numbers)
        else:
            means[key] = intervals[f"{key}_ci95"] = None
    return {**means, **intervals}


def write_table(summaries: Sequence[Mapping[str, float | int | str | None]], folder: Path) -> None:
    """Write ``replications.parquet``: one row per replication, one column per key."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"replication": pa.array(range(len(summaries)), pa.int64())}
    for key, first in summaries[0].items():
        kind = pa.string() if isinstance(first, str) else pa.float64()
        columns[key] = pa.array([summary[key] for summary in summaries], kind)
    with whole(folder / "replications.parquet") as part:
        pq.write_table(pa.table(columns), part, compression="zstd")
