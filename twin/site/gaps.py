"""Short gaps in hourly values are filled, long ones refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError

Floats = NDArray[np.float64]


def without_gaps(
    values: Floats, name: str, limit_h: int, where: Callable[[int], str], *, wrap: bool
) -> tuple[Floats, int]:
    """Return hourly values with short gaps (NaN) interpolated, and how many hours that was.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Hourly values; NaN is missing.
    name : str
        The quantity, for messages.
    limit_h : int
        Longest gap that is interpolated. [h]
    where : callable
        Index of a row -> ``file:line``.
    wrap : bool
        Whether the last value is followed by the first.

    Raises
    ------
    InputFileError
        Naming the place and length of the longest gap, if it is too long.
    """
    n = len(values)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == n:
        return values, 0
    if len(known) == 0:
        raise InputFileError(f"{where(0)}: {name} is missing in all rows")
    starts = [*(known[:-1] + 1).tolist(), int(known[-1]) + 1]
    lengths = [*(np.diff(known) - 1).tolist(), n - 1 - int(known[-1])]
    if wrap:
        lengths[-1] += int(known[0])
    else:
        starts.append(0)
        lengths.append(int(known[0]))
    worst = int(np.argmax(lengths))
    if lengths[worst] > limit_h:
        raise InputFileError(
            f"{where(starts[worst] % n)}: {name} is missing for {lengths[worst]} hours in a row; "
            f"at most {limit_h} are interpolated"
        )
    hours = np.arange(n)
    filled = np.interp(hours, known, values[known], period=n if wrap else None)
    return filled, n - len(known)
