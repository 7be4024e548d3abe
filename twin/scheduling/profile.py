"""Which GPUs of which server are free when, by the limits of those who hold them.

A moment is one integer: bit ``(k - 1) * servers + s`` says that server ``s`` has at least
``k`` GPUs free. What is free throughout an interval is then the bitwise *and* of its
moments, and whether a gang fits is a matter of counting bits: exact on servers, and a few
machine words to a step.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import reduce
from math import inf
from operator import and_

import numpy as np

from twin.records import Placement


class Profile:
    """Free GPUs of each server from now to the end of days, in steps."""

    __slots__ = ("_columns", "_one", "_servers", "_size", "_starts", "_steps")

    def __init__(self, now_s: float, free: list[int], size: int) -> None:
        servers = self._servers = len(free)
        self._size = size
        self._one = (1 << servers) - 1
        self._columns = sum(1 << (k * servers) for k in range(size))
        """Server 0 with all of its GPUs."""
        lanes = np.array(free)[None, :] > np.arange(size)[:, None]
        bits = np.packbits(lanes.ravel(), bitorder="little").tobytes()
        self._starts = [now_s]
        self._steps = [int.from_bytes(bits, "little")]

    def __len__(self) -> int:
        return len(self._starts)

    def advance(self, now_s: float) -> None:
        """Let the present move on to *now_s*, and forget what is past."""
        passed = bisect_right(self._starts, now_s) - 1
        del self._starts[:passed], self._steps[:passed]
        self._starts[0] = now_s

    def free_by_server(self, bits: int) -> list[int]:
        """Return the GPUs free on each server, of the bits of a step or an interval."""
        number = self._size * self._servers
        raw = np.frombuffer(bits.to_bytes(-(-number // 8), "little"), dtype=np.uint8)
        lanes = np.unpackbits(raw, count=number, bitorder="little")
        free: list[int] = lanes.reshape(self._size, self._servers).sum(axis=0).tolist()
        return free

    def release(self, at_s: float, placement: Placement) -> None:
        """Let *placement* be free from *at_s* on, which no earlier release may follow."""
        step = self._seats(placement).given(self._steps[-1])
        if at_s == self._starts[-1]:
            self._steps[-1] = step
        else:
            self._starts.append(at_s)
            self._steps.append(step)

    def is_free(self, placement: Placement, from_s: float, to_s: float) -> bool:
        """Return whether *placement* is free throughout."""
        servers, size = self._servers, self._size
        seats = sum(1 << server for server in placement.whole) << ((size - 1) * servers)
        if placement.part_gpus:
            seats |= 1 << ((placement.part_gpus - 1) * servers + placement.part_server)
        first = bisect_right(self._starts, from_s) - 1
        steps = self._steps[first : bisect_left(self._starts, to_s)]
        return all(step & seats == seats for step in steps)

    def hold(self, placement: Placement, from_s: float, to_s: float) -> None:
        """Take *placement*, which must be free, for that time."""
        first, end = self._cut(from_s), self._cut(to_s)
        self._steps[first:end] = map(self._seats(placement).taken, self._steps[first:end])

    def unhold(self, placement: Placement, from_s: float, to_s: float) -> None:
        """Undo a :meth:`hold`."""
        first, end = self._cut(from_s), self._cut(to_s)
        self._steps[first:end] = map(self._seats(placement).given, self._steps[first:end])

    def earliest(self, gpus: int, length_s: float) -> tuple[float, int] | None:
        """Return the earliest start of a gang that stays for *length_s*, if there is one.

        Together with the bits that are free throughout. The window of steps slides to the
        right only: where a step spoils it, it begins anew as far back as that step allows.
        """
        starts, steps, number = self._starts, self._steps, len(self._steps)
        fits = self._fit(gpus)
        first = slot = 0
        both = -1
        end_s = starts[0] + length_s
        while slot < number and starts[slot] < end_s:
            joined = both & steps[slot]
            if fits(joined):
                both = joined
            else:
                first, both = slot, steps[slot]
                if fits(both):
                    while fits(joined := both & steps[first - 1]):
                        first, both = first - 1, joined
                else:
                    first, both = slot + 1, -1
                if first == number:
                    return None
                end_s = starts[first] + length_s
            slot += 1
        return starts[first], both

    def fits_now(self, gpus: int, length_s: float, seat: Placement, held_s: float) -> bool:
        """Return whether a gang could start now instead of at *held_s*, where it holds *seat*."""
        starts, steps, fits = self._starts, self._steps, self._fit(gpus)
        end = bisect_left(starts, starts[0] + length_s)
        held = min(bisect_left(starts, held_s), end)
        before = reduce(and_, steps[:held], -1)
        if not fits(before):
            return False
        # Giving a seat back to each step and to what all have in common is the same.
        return held == end or fits(before & self._seats(seat).given(reduce(and_, steps[held:end])))

    def _fit(self, gpus: int) -> _Fit:
        full, rest = divmod(gpus, self._size)
        return _Fit(
            full,
            full + 1 if rest else 0,
            (self._size - 1) * self._servers,
            max(0, rest - 1) * self._servers,
            self._one,
        )

    def _cut(self, at_s: float) -> int:
        if at_s == inf:
            return len(self._starts)
        place = bisect_left(self._starts, at_s)
        if place == len(self._starts) or self._starts[place] != at_s:
            self._starts.insert(place, at_s)
            self._steps.insert(place, self._steps[place - 1])
        return place

    def _seats(self, placement: Placement) -> _Seats:
        whole = sum(1 << server for server in placement.whole) * self._columns
        column, shift = 0, placement.part_gpus * self._servers
        if shift:
            column = self._columns << placement.part_server
        return _Seats(whole, column, shift)


class _Seats:
    """The bits of one placement, to be taken from a step or given back."""

    __slots__ = ("_column", "_given", "_shift", "_whole")

    def __init__(self, whole: int, column: int, shift: int) -> None:
        self._whole = whole
        self._column = column
        self._shift = shift
        self._given = column & ((1 << shift) - 1)

    def taken(self, step: int) -> int:
        """Return *step* without these GPUs, which must be free in it."""
        step &= ~self._whole
        column = self._column
        return (step & ~column) | ((step & column) >> self._shift) if column else step

    def given(self, step: int) -> int:
        """Return *step* with these GPUs, which must be held in it."""
        step |= self._whole
        column = self._column
        if column:
            step = (step & ~column) | (((step & column) << self._shift) & column) | self._given
        return step


class _Fit:
    """Whether a gang fits into the bits of a step or an interval."""

    __slots__ = ("_full", "_full_shift", "_one", "_some", "_some_shift")

    def __init__(self, full: int, some: int, full_shift: int, some_shift: int, one: int) -> None:
        self._full = full
        self._some = some
        self._full_shift = full_shift
        self._some_shift = some_shift
        self._one = one

    def __call__(self, bits: int) -> bool:
        if self._full and (bits >> self._full_shift & self._one).bit_count() < self._full:
            return False
        return (bits >> self._some_shift & self._one).bit_count() >= self._some
