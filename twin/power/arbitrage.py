"""When storage at the meter should fill up and give, from prices that are known ahead."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from twin.errors import require


def levels_j(
    prices: Sequence[float],
    power_w: float,
    usable_j: float,
    one_way: float,
    step_s: float,
    left_worth: float = 0.0,
) -> list[tuple[float, float]]:
    r"""Return between which levels of energy storage should rest in each step.

    Below the first it charges, above the second it gives, both at its rating; in between
    neither pays. Following them earns the most that is possible with these prices.

    .. math::
        V_t(s) = \max_y \{ V_{t+1}(s - y) + r_t(y) \}, \quad
        r_t(y) = p_t \eta\, y \;(y > 0),\; p_t / \eta\; y \;(y < 0)

    Parameters
    ----------
    prices : sequence of float
        Price in each step, also below zero. [currency/kWh]
    power_w : float
        Rating at the meter, either way, > 0. [W]
    usable_j : float
        Energy between empty and full, > 0. [J]
    one_way : float
        Efficiency of charging, and of giving, above 0 to 1. [-]
    step_s : float
        Length of a step, > 0. [s]
    left_worth : float
        What energy left at the end is worth, >= 0. [currency/kWh]

    Returns
    -------
    list of (float, float)
        Lower and upper level of each step. [J]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Notes
    -----
    *V* is the most that energy *s* can earn from a step on. It is concave with straight
    pieces, so one list of slopes, falling, holds it. To step back in time is to put in two
    more (buying at the price over the efficiency, giving at the price times it), and to cut
    off what lies below empty or above full. That is exact. While energy costs less than
    nothing, nothing is given. Of equally good hours the first is used.

    Examples
    --------
    Cheap, then dear: fill up, then give all.

    >>> levels_j([0.2, 1.0], power_w=1e3, usable_j=3.6e6, one_way=1.0, step_s=3600.0)
    [(3600000.0, 3600000.0), (0.0, 0.0)]
    """
    require(power_w > 0.0, "power_w", power_w, "> 0 W")
    require(usable_j > 0.0, "usable_j", usable_j, "> 0 J")
    require(0.0 < one_way <= 1.0, "one_way", one_way, "above 0 to 1")
    require(step_s > 0.0, "step_s", step_s, "> 0 s")
    taken_j, given_j = power_w * one_way * step_s, power_w / one_way * step_s
    worth = [(left_worth, usable_j)]  # slopes, falling, and how much energy each holds for
    levels = []
    for price in reversed(prices):
        buy, sell = price / one_way, price * one_way
        fill_j = sum((length for slope, length in worth if slope >= buy), 0.0)
        rest_j = (
            sum((length for slope, length in worth if slope > sell), 0.0)
            if price >= 0.0
            else usable_j
        )
        levels.append((fill_j, max(fill_j, rest_j)))
        _insert(worth, buy, taken_j)
        if price >= 0.0:
            _insert(worth, sell, given_j)
        worth = _between(worth, taken_j, taken_j + usable_j)
    return levels[::-1]


def _insert(worth: list[tuple[float, float]], slope: float, length: float) -> None:
    """Put a piece where the slopes, which fall, keep falling."""
    place = bisect_left(worth, -slope, key=lambda piece: -piece[0])
    worth.insert(place, (slope, length))


def _between(
    worth: list[tuple[float, float]], low: float, high: float
) -> list[tuple[float, float]]:
    """Return the pieces from *low* to *high*, counted along their lengths."""
    kept: list[tuple[float, float]] = []
    at = 0.0
    for slope, length in worth:
        part = min(at + length, high) - max(at, low)
        at += length
        if part <= 0.0:
            continue
        if kept and kept[-1][0] == slope:
            kept[-1] = (slope, kept[-1][1] + part)
        else:
            kept.append((slope, part))
    return kept
