"""The SimPy environment of a run, in which it costs nothing to ask for the time."""

from __future__ import annotations

from types import MethodType

import simpy


class Clock(simpy.Environment):
    """SimPy's own environment, whose ``now`` is no property: that would be a call.

    Whatever happens to a job asks for the time, some ten million times in a year of a million
    jobs.
    """

    __slots__ = ("_now",)

    def __init__(self) -> None:
        super().__init__()
        # SimPy binds it once, too, but only to environments of its own class.
        self.timeout = MethodType(simpy.Timeout, self)  # type: ignore[method-assign]


Clock.now = Clock.__dict__["_now"]  # type: ignore[method-assign]
