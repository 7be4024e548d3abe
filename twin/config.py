"""The typed shape of a configuration, and the one reader that checks it.

A model is a dataclass whose fields are its configuration keys. The type of a
field says what is allowed: ``float``, ``int``, ``str``, ``bool``, ``Literal``,
lists, tuples, mappings, nested dataclasses, ``| None``, and ``Annotated`` with a
:class:`Range` for numbers. :func:`parse` fills such a dataclass from plain data
and reports every wrong key, type and range at once, with full key paths.

Fields with ``init=False`` are state, not configuration, and cannot be set.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
import functools
import math
import re
import types
import typing
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from twin.errors import ConfigError, ParameterError, suggest

T = TypeVar("T")
LARGEST = 1e15
"""Beyond any quantity in the unit of its key; its square and its cube are still numbers."""
LEAST = 1e-12
"""Below any quantity that must not be zero; what is divided by it is still a number."""
Resolve = Callable[[str, str, str], type]
"""``(family, kind, path) -> class``: how a ``kind:`` becomes a class; see build.py."""


@dataclass(frozen=True, slots=True)
class Range:
    """Allowed interval of a number; ``None`` is unbounded, ``open_low`` excludes ``low``."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False

    def describe(self) -> str:
        """Return the interval in words, e.g. ``> 0 and <= 1``."""
        parts = []
        if self.low is not None:
            parts.append(f"{'>' if self.open_low else '>='} {self.low:g}")
        if self.high is not None:
            parts.append(f"<= {self.high:g}")
        return " and ".join(parts)

    def holds(self, value: float) -> bool:
        """Return whether *value* lies inside; NaN never does."""
        if math.isnan(value):
            return False
        if self.low is not None and (value <= self.low if self.open_low else value < self.low):
            return False
        return self.high is None or value <= self.high


Positive = Annotated[float, Range(0.0, open_low=True)]
NonNegative = Annotated[float, Range(0.0)]
Fraction = Annotated[float, Range(0.0, 1.0)]
PositiveFraction = Annotated[float, Range(0.0, 1.0, open_low=True)]
Count = Annotated[int, Range(1)]
CountOrZero = Annotated[int, Range(0)]
Celsius = Annotated[float, Range(-90.0, 150.0)]
AtLeastOne = Annotated[float, Range(1.0)]
Units = Annotated[int, Range(1, 10_000)]
"""Machines of one kind; more is a typing error, and would take long to count one by one."""
UnitsOrZero = Annotated[int, Range(0, 10_000)]
RelativeSpeed = Annotated[float, Range(0.0, 10.0, open_low=True)]
"""Over that of 16-bit products: those of four bits are some four to six times as fast, and what is
above ten is a percentage."""
HoursAhead = Annotated[float, Range(0.0, 8784.0, open_low=True)]
"""Hours looked ahead: at most a year, as they are gone through one by one."""
DeviceWatts = Annotated[float, Range(0.0, 1e6)]
"""Power of one device of the network; more than a megawatt is a typing error."""


@dataclass(slots=True)
class BurstConfig:
    """Windows of seconds in which the steps of synchronous jobs are resolved."""

    at_hours: list[NonNegative]
    """Instants, from the start of the run. [h]"""
    seconds: Annotated[float, Range(1.0, 600.0)] = 20.0
    """Length of a window; it grows to whole steps of the job that swings most. [s]"""
    hz: Annotated[float, Range(10.0, 50.0)] = 20.0
    """Samples a second."""
    edge_s: Annotated[float, Range(0.005, 2.0)] = 0.1
    """Length of a ramp between two levels: below 0.1 s at a GPU, 0.02 to 0.2 s behind supplies
    and UPS. [s]"""
    assumed_step_s: Annotated[float, Range(0.1, 60.0)] = 5.0
    """Step of a job of known duty that does not say its own; 1 to 30 s at scale. [s]"""


@dataclass(slots=True)
class ClockConfig:
    """How long, how often, which dice."""

    start: str
    """Site-local date and time at which the run begins, ``YYYY-MM-DD HH:MM``."""
    duration_days: Annotated[float, Range(0.0, 36525.0, open_low=True)]
    """At most a century: calendars end, and no building lasts longer. [d]"""
    heartbeat_s: Annotated[float, Range(1.0, 3600.0)] = 60.0
    seed: CountOrZero = 0
    replications: Annotated[int, Range(1, 100_000)] = 1
    burst: BurstConfig | None = None
    """Instants to look at in close-up; the run itself stays the same."""


@dataclass(slots=True)
class OutputConfig:
    """What is written; the folder itself is Hydra's ``hydra.run.dir``."""

    interval_s: Positive = 300.0
    plots: bool = True
    report: bool = True


@dataclass(frozen=True, slots=True)
class Phase:
    """A step of a build-out."""

    date: str
    """Site-local date and time, ``YYYY-MM-DD HH:MM``."""
    racks: Annotated[int, Range(1, 10_000_000)]
    """Racks that stand from then on, all together."""


@dataclass(slots=True)
class FacilityConfig:
    """The building: how many GPUs it holds, how large it is, what it draws besides IT."""

    name: str
    gpus: Annotated[int, Range(1, 10_000_000)]
    """At most far beyond any building, and few enough to keep a list of."""
    floor_area_m2_per_rack: Positive
    aux_fraction: Fraction
    """Lighting, offices, building management, as a fraction of the design IT power; heaters of
    generator sets come on top, see ``power``."""
    restart_minutes: NonNegative
    """From power to a server that takes jobs: firmware, tests, drivers. [min]"""
    racks_built: Annotated[int, Range(0, 10_000_000)] = 0
    """Rack positions built, for which plant and feed are sized; 0: as many as the GPUs fill."""
    phases: list[Phase] = dataclasses.field(default_factory=list)
    """When the racks come; none: all stand from the start. ``gpus`` is what fills them in the
    end. What has not come holds no job and draws nothing; plant and feed are built for the end."""
    floor_load_kg_per_m2: Positive | None = None
    """What the floor carries, spread over the area of a rack position; None: not looked at."""


class Component(ABC):
    """Base of every swappable model: ``family`` names its folder and configuration group."""

    family: typing.ClassVar[str]


def parse(cls: type[T], data: Mapping[str, Any], path: str, resolve: Resolve | None = None) -> T:
    """Fill dataclass *cls* from plain *data*; *path* is the key path for messages.

    Raises
    ------
    ConfigError
        Listing every unknown or missing key, wrong type and value out of range.
    """
    reader = _Reader(resolve)
    value = reader.dataclass(cls, data, path)
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    return typing.cast(T, value)


@functools.cache
def config_fields(cls: type) -> Mapping[str, Any]:
    """Return the configurable fields of dataclass *cls* and their resolved types."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init}
    return types.MappingProxyType(fields)


_A_COMPONENT = "a mapping with a 'kind'"
_AS_YAML = {"None": "null", "True": "true", "False": "false"}
"""How the user wrote what Python calls otherwise."""


class _Reader:
    """Fills fields by their types and notes every problem on the way."""

    def __init__(self, resolve: Resolve | None) -> None:
        self.resolve = resolve
        self.problems: list[str] = []

    def dataclass(self, cls: type, data: Any, path: str) -> Any:
        """Return *cls* filled from *data*, or None after noting why not."""
        if not isinstance(data, Mapping):
            return self._refuse(path, data, "a mapping of keys")
        allowed = config_fields(cls)
        before = len(self.problems)
        values: dict[str, Any] = {}
        for key, raw in data.items():
            where = f"{path}.{key}" if path else str(key)
            if key == "kind":
                continue
            if key not in allowed:
                shown = f"twin --cfg job --package {path.partition('.')[0]}"
                inner = {name: each for name, each in data.items() if name in allowed}
                near = suggest(str(key), allowed, shown, _nested(inner, path))
                self.problems.append(f"{where}={raw!r}: unknown key; {near}")
            else:
                values[key] = self.value(allowed[key], raw, where)
        for f in dataclasses.fields(cls):
            absent = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            if f.init and absent and f.name not in data:
                self.problems.append(f"{path}.{f.name}: is required")
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except ParameterError as error:
            self.problems.append(f"{path}.{error}")
            return None

    def value(self, kind: Any, raw: Any, path: str) -> Any:
        """Return *raw* as the type *kind* wants it."""
        origin = get_origin(kind)
        if origin in self._BY_ORIGIN:
            return self._BY_ORIGIN[origin](self, kind, raw, path)
        if isinstance(kind, type) and issubclass(kind, Component):
            return self._component(kind, raw, path)
        if dataclasses.is_dataclass(kind):
            return self.dataclass(typing.cast(type, kind), raw, path)
        return self._scalar(kind, raw, path)

    def _refuse(self, path: str, raw: Any, allowed: str) -> None:
        self.problems.append(f"{path}={_AS_YAML.get(repr(raw), repr(raw))}: must be {allowed}")

    def _annotated(self, kind: Any, raw: Any, path: str) -> Any:
        base, *notes = get_args(kind)
        before = len(self.problems)
        value = self.value(base, raw, path)
        for note in notes:
            if isinstance(note, Range) and len(self.problems) == before:
                if not note.holds(value):
                    self._refuse(path, raw, note.describe())
                elif note.open_low and note.low == 0.0 and value < LEAST:
                    self._refuse(path, raw, f">= {LEAST:g}")
        return value

    def _literal(self, kind: Any, raw: Any, path: str) -> Any:
        if raw not in get_args(kind):
            near = suggest(str(raw), map(str, get_args(kind)))
            self.problems.append(f"{path}={raw!r}: {near}")
        return raw

    def _mapping(self, kind: Any, raw: Any, path: str) -> Any:
        if not isinstance(raw, Mapping):
            return self._refuse(path, raw, "a mapping of keys")
        inner = get_args(kind)[1]
        values = {}
        for key, each in raw.items():
            before = len(self.problems)
            values[str(key)] = self.value(inner, each, f"{path}.{key}")
            if len(self.problems) > before:
                others = [str(other) for other in raw if other != key]
                self._take_for_mistyped(before, path, str(key), others)
        return values

    def _take_for_mistyped(self, since: int, path: str, key: str, others: list[str]) -> None:
        """Name the entry that was meant where an incomplete one has almost its name."""
        incomplete = self.problems[since].endswith((": is required", _A_COMPONENT))
        near = difflib.get_close_matches(key, others, n=1) if incomplete else []
        if near:
            self.problems[since:] = [
                f"{path}.{key}: is new and incomplete; did you mean '{near[0]}'?"
            ]

    def _union(self, kind: Any, raw: Any, path: str) -> Any:
        options = [option for option in get_args(kind) if option is not type(None)]
        may_be_null = len(options) < len(get_args(kind))
        if raw is None and may_be_null:
            return None
        closest: list[str] = []
        for option in options:
            attempt = _Reader(self.resolve)
            value = attempt.value(option, raw, path)
            failures = attempt.problems
            if not failures:
                return value
            if not closest or len(_key_of(failures[0])) > len(_key_of(closest[0])):
                closest = failures  # the option that was understood the furthest
        for problem in closest:
            here = may_be_null and _key_of(problem) == path
            self.problems.append(f"{problem} or null" if here else problem)
        return None

    def _sequence(self, kind: Any, raw: Any, path: str) -> Any:
        if isinstance(raw, str) or not isinstance(raw, (list, tuple)):
            return self._refuse(path, raw, "a list")
        args = get_args(kind)
        fixed = get_origin(kind) is tuple and not (len(args) == 2 and args[1] is Ellipsis)
        if fixed and len(raw) != len(args):
            return self._refuse(path, raw, f"a list of {len(args)} items")
        inner = list(args) if fixed else [args[0]] * len(raw)
        values = [
            self.value(item, each, f"{path}[{i}]")
            for i, (item, each) in enumerate(zip(inner, raw, strict=True))
        ]
        return tuple(values) if get_origin(kind) is tuple else values

    def _component(self, kind: type[Component], raw: Any, path: str) -> Any:
        if not isinstance(raw, Mapping) or "kind" not in raw or self.resolve is None:
            return self._refuse(path, raw, _A_COMPONENT)
        try:
            chosen = self.resolve(kind.family, str(raw["kind"]), f"{path}.kind")
        except ConfigError as error:
            self.problems.append(str(error))
            return None
        return self.dataclass(chosen, raw, path)

    def _scalar(self, kind: Any, raw: Any, path: str) -> Any:
        if type(raw) in (int, float) and not abs(raw) <= LARGEST:
            finite = "a finite number"
            between = f"between {-LARGEST:g} and {LARGEST:g}"
            return self._refuse(path, raw, between if abs(raw) < math.inf else finite)
        if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
            return float(raw)
        if kind is int and isinstance(raw, float) and raw.is_integer():
            return int(raw)
        if kind is not Any and type(raw) is not kind:
            names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
            return self._refuse(path, raw, names.get(kind, str(kind)))
        if kind is str and path.endswith("path") and not _names_a_file(raw):
            return self._refuse(path, raw, "the name of a file")
        return raw

    _BY_ORIGIN: typing.ClassVar[dict[Any, Callable[[_Reader, Any, Any, str], Any]]] = {
        Annotated: _annotated,
        Union: _union,
        types.UnionType: _union,
        Literal: _literal,
        list: _sequence,
        tuple: _sequence,
        dict: _mapping,
        Mapping: _mapping,
    }


def _nested(data: Mapping[str, Any], path: str) -> dict[str, str]:
    """Return where the keys of nested *data* stand, by their own names; the outermost counts."""
    found: dict[str, str] = {}
    parts = [(f"{path}.{name}", each) for name, each in data.items() if isinstance(each, Mapping)]
    for part, each in parts:
        for name, where in _nested(each, part).items():
            found.setdefault(name, where)
    for part, each in parts:
        found |= {str(name): f"{part}.{name}" for name in each}
    return found


def _names_a_file(text: str) -> bool:
    """Return whether a file of that name could be; whether there is one, its reader says."""
    try:
        Path(text).expanduser().stat()
    except (ValueError, RuntimeError):  # a NUL in it, or a home of nobody
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def _key_of(problem: str) -> str:
    return re.split("[=:]", problem, maxsplit=1)[0]
