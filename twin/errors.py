"""What can go wrong, named by whose fault it is.

A :class:`ConfigError` is the user's to mend (exit status 2), a
:class:`RunError` is a run that failed (exit status 1). Each message names the
key or ``file:line``, the value, and what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

LISTED, NEAREST = 16, 8
"""Names that a message lists in full, and how many it lists of more than those."""
_TELLING = 3
"""Letters from which on the beginning of a name says which is meant."""


class TwinError(Exception):
    """Anything the twin raises on purpose."""

    exit_status = 1


class RunError(TwinError):
    """A run that was asked for correctly and failed all the same."""


class ConfigError(TwinError):
    """The configuration or an input file is wrong."""

    exit_status = 2


class InputFileError(ConfigError):
    """An input file is missing, unreadable or holds rows that cannot be used."""


class ParameterError(ConfigError, ValueError):
    """A number outside the range in which a model or an equation is valid."""


def require(ok: bool, name: str, value: object, allowed: str) -> None:
    """Raise :class:`ParameterError` ``name=value: must be <allowed>`` unless *ok*."""
    if not ok:
        raise ParameterError(f"{name}={value}: must be {allowed}")


@contextmanager
def under(key: str) -> Iterator[None]:
    """Put *key* before that which a model refuses in the block: it does not know where it stands.

    Examples
    --------
    >>> with under("site"), under("tariff"):
    ...     require(False, "currency", "EUR", "CNY, as in prices.csv")
    Traceback (most recent call last):
    twin.errors.ParameterError: site.tariff.currency=EUR: must be CNY, as in prices.csv
    """
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{key}.{error}") from None


def require_known(name: str, value: str, known: Collection[str], what: str) -> None:
    """Raise :class:`ParameterError`, which tells the nearest *known*, unless *value* is one."""
    if value not in known:
        raise ParameterError(f"{name}={value}: must be {what}; {suggest(value, known)}")


def told_apart(value: float, low: float, high: float) -> str:
    """Return *value* with as many decimals as show whether it lies within its bounds.

    Examples
    --------
    >>> [told_apart(wetbulb_c, -34.4, 26.7) for wetbulb_c in (29.0, 26.7034, 26.6999)]
    ['29.0', '26.703', '26.7']
    """
    inside = low <= value <= high
    for decimals in range(1, 12):
        text = f"{value:.{decimals}f}"
        if (low <= float(text) <= high) == inside:
            return text
    return repr(value)


_NONE: Mapping[str, str] = MappingProxyType({})


def suggest(
    name: str, known: Iterable[str], more: str = "", elsewhere: Mapping[str, str] = _NONE
) -> str:
    """Return ``"did you mean 'x'? Allowed: ..."`` for a *name* that is not *known*.

    Of many names only the nearest are listed, and how many others there are; *more* says
    where they can be read. *elsewhere* are names that stand in another place, and where: that
    is meant by the very name, or by one like it where none is like it here.

    Examples
    --------
    >>> suggest("esy", ["fcfs", "easy"])
    "did you mean 'easy'? Allowed: easy, fcfs"
    >>> suggest("mana", ["chiller_trip", "mana_oasis"])
    "did you mean 'mana_oasis'? Allowed: chiller_trip, mana_oasis"
    >>> suggest("k9", [f"key_{i}" for i in range(40)], "the glossary")
    'Allowed: key_9, key_19, key_29, key_39, key_0, key_1, key_2, key_3 and 32 others: the glossary'
    >>> suggest("reset", ["reuse", "trim"], elsewhere={"reset": "air.reset"})
    "did you mean 'air.reset'? Allowed: reuse, trim"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    near = near or [each for each in names if len(name) >= _TELLING and each.startswith(name)][:1]
    far = difflib.get_close_matches(name, elsewhere, n=1, cutoff=1.0 if near else 0.6)
    meant = elsewhere[far[0]] if far else "".join(near)
    hint = f"did you mean '{meant}'? " if meant else ""
    if len(names) <= LISTED:
        return f"{hint}Allowed: {', '.join(names)}"
    nearest = sorted(names, key=lambda each: -difflib.SequenceMatcher(None, each, name).ratio())
    rest = f"{len(names) - NEAREST} others" + (f": {more}" if more else "")
    return f"{hint}Allowed: {', '.join(nearest[:NEAREST])} and {rest}"
