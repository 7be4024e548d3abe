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
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from twin.errors import ConfigError, ParameterError, suggest

T = TypeVar("T")
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
        if value != value:
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


@dataclass(slots=True)
class ClockConfig:
    """How long, how often, which dice."""

    start: str
    """Site-local date and time at which the run begins, ``YYYY-MM-DD HH:MM``."""
    duration_days: Positive
    heartbeat_s: Annotated[float, Range(1.0, 3600.0)] = 60.0
    seed: CountOrZero = 0
    replications: Count = 1


@dataclass(slots=True)
class OutputConfig:
    """What is written; the folder itself is Hydra's ``hydra.run.dir``."""

    interval_s: Positive = 300.0
    plots: bool = True
    report: bool = True


@dataclass(slots=True)
class FacilityConfig:
    """The building: how many GPUs it holds, how large it is, what it draws besides IT."""

    name: str
    gpus: Count
    floor_area_m2_per_rack: Positive
    aux_fraction: Fraction
    """Lighting, offices, building management, as a fraction of the design IT power."""
    racks_built: CountOrZero = 0
    """Rack positions built; 0 means as many as the GPUs fill."""


class Component:
    """Base of every swappable model: ``family`` names its folder and configuration group."""

    family: typing.ClassVar[str]


def parse(cls: type[T], data: Mapping[str, Any], path: str, resolve: Resolve | None = None) -> T:
    """Fill dataclass *cls* from plain *data*; *path* is the key path for messages.

    Raises
    ------
    ConfigError
        Listing every unknown or missing key, wrong type and value out of range.
    """
    problems: list[str] = []
    value = _dataclass(cls, data, path, resolve, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return typing.cast(T, value)


def config_fields(cls: type) -> dict[str, Any]:
    """Return the configurable fields of dataclass *cls* and their resolved types."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init}


def _dataclass(
    cls: type, data: Any, path: str, resolve: Resolve | None, problems: list[str]
) -> Any:
    if not isinstance(data, Mapping):
        problems.append(f"{path}={data!r}: must be a mapping of keys")
        return None
    allowed = config_fields(cls)
    before = len(problems)
    values: dict[str, Any] = {}
    for key, raw in data.items():
        where = f"{path}.{key}" if path else str(key)
        if key == "kind":
            continue
        if key not in allowed:
            problems.append(f"{where}={raw!r}: unknown key; {suggest(str(key), allowed)}")
        else:
            values[key] = _value(allowed[key], raw, where, resolve, problems)
    for f in dataclasses.fields(cls):
        absent = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if f.init and absent and f.name not in data:
            problems.append(f"{path}.{f.name}: is required")
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ParameterError as error:
        problems.append(f"{path}.{error}")
        return None


def _value(kind: Any, raw: Any, path: str, resolve: Resolve | None, problems: list[str]) -> Any:
    origin = get_origin(kind)
    if origin is Annotated:
        base, *notes = get_args(kind)
        before = len(problems)
        value = _value(base, raw, path, resolve, problems)
        for note in notes:
            if isinstance(note, Range) and len(problems) == before and not note.holds(value):
                problems.append(f"{path}={raw!r}: must be {note.describe()}")
        return value
    if origin in (Union, types.UnionType):
        return _union(kind, raw, path, resolve, problems)
    if origin is Literal:
        if raw not in get_args(kind):
            problems.append(f"{path}={raw!r}: {suggest(str(raw), map(str, get_args(kind)))}")
        return raw
    if origin in (list, tuple):
        return _sequence(kind, raw, path, resolve, problems)
    if origin in (dict, Mapping):
        if not isinstance(raw, Mapping):
            problems.append(f"{path}={raw!r}: must be a mapping of keys")
            return None
        inner = get_args(kind)[1]
        return {str(k): _value(inner, v, f"{path}.{k}", resolve, problems) for k, v in raw.items()}
    if isinstance(kind, type) and issubclass(kind, Component):
        return _component(kind, raw, path, resolve, problems)
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind), raw, path, resolve, problems)
    return _scalar(kind, raw, path, problems)


def _union(kind: Any, raw: Any, path: str, resolve: Resolve | None, problems: list[str]) -> Any:
    options = [option for option in get_args(kind) if option is not type(None)]
    if raw is None and len(options) < len(get_args(kind)):
        return None
    closest: list[str] = []
    for option in options:
        failures: list[str] = []
        value = _value(option, raw, path, resolve, failures)
        if not failures:
            return value
        if not closest or len(_key_of(failures[0])) > len(_key_of(closest[0])):
            closest = failures  # the option that was understood the furthest
    problems.extend(closest)
    return None


def _key_of(problem: str) -> str:
    return re.split("[=:]", problem, maxsplit=1)[0]


def _sequence(kind: Any, raw: Any, path: str, resolve: Resolve | None, problems: list[str]) -> Any:
    if isinstance(raw, str) or not isinstance(raw, (list, tuple)):
        problems.append(f"{path}={raw!r}: must be a list")
        return None
    args = get_args(kind)
    if get_origin(kind) is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        if len(raw) != len(args):
            problems.append(f"{path}={raw!r}: must have {len(args)} items, has {len(raw)}")
            return None
        inner = list(args)
    else:
        inner = [args[0]] * len(raw)
    values = [
        _value(item, each, f"{path}[{i}]", resolve, problems)
        for i, (item, each) in enumerate(zip(inner, raw, strict=True))
    ]
    return tuple(values) if get_origin(kind) is tuple else values


def _component(
    kind: type[Component], raw: Any, path: str, resolve: Resolve | None, problems: list[str]
) -> Any:
    if not isinstance(raw, Mapping) or "kind" not in raw or resolve is None:
        problems.append(f"{path}={raw!r}: must be a mapping with a 'kind'")
        return None
    try:
        chosen = resolve(kind.family, str(raw["kind"]), f"{path}.kind")
    except ConfigError as error:
        problems.append(str(error))
        return None
    return _dataclass(chosen, raw, path, resolve, problems)


def _scalar(kind: Any, raw: Any, path: str, problems: list[str]) -> Any:
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if kind is int and isinstance(raw, float) and raw.is_integer():
        return int(raw)
    if kind is Any:
        return raw
    if type(raw) is not kind:
        names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
        problems.append(
            f"{path}={raw!r}: must be {names.get(kind, getattr(kind, '__name__', kind))}"
        )
        return None
    return raw
