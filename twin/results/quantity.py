"""Numbers as people read them: few significant figures, a unit that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import Any

from twin.schema import SCORECARD, SUMMARY
from twin.units import (
    BYTES_PER_TERABYTE,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
)

ABSENT = "–"

_STEPS = {
    "kWh": ((1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh")),
    "GWh": ((1.0, "GWh"), (1e-3, "MWh"), (1e-6, "kWh")),
    "MW": ((1.0, "MW"), (1e-3, "kW")),
    "kW": ((1e3, "MW"), (1.0, "kW")),
    "TB": ((1e6, "EB"), (1e3, "PB"), (1.0, "TB")),
    "t": ((1e3, "kt"), (1.0, "t"), (1e-3, "kg")),
    "s": (
        (SECONDS_PER_DAY, "days"),
        (SECONDS_PER_HOUR, "h"),
        (SECONDS_PER_MINUTE, "min"),
        (1.0, "s"),
        (1e-3, "ms"),
    ),
    "days": ((1.0, "days"), (1 / 24, "h"), (1 / 1440, "min")),
    "tokens": ((1e9, "billion"), (1e6, "million"), (1.0, "tokens")),
    "clips": ((1e9, "billion"), (1e6, "million"), (1.0, "clips")),
    "requests": ((1e9, "billion"), (1e6, "million"), (1.0, "requests")),
    "currency": ((1e9, "billion currency"), (1e6, "million currency"), (1.0, "currency")),
    "fraction": ((0.01, "%"),),
}
"""Larger and smaller units of a unit: the first one whose figure is at least 1 is used."""


_PLAIN: dict[str, Callable[[float], str]] = {
    "fraction": lambda value: f"{100.0 * value:.1f} %",
    "-": lambda value: f"{value:.3f}" if 1e-3 <= abs(value) < 10.0 else figure(value),
    "jobs": lambda value: f"{value:,.0f}",
    "racks": lambda value: f"{value:,.0f}",
    "releases": lambda value: f"{value:,.0f}",
}


def is_number(text: str) -> bool:
    """Return whether *text* says a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def figure(value: float, digits: int = 3) -> str:
    """Return *value* with *digits* significant figures and never fewer whole ones.

    Examples
    --------
    >>> figure(1.23456), figure(1234567.8), figure(0.0), figure(3e-16), figure(0.01234)
    ('1.23', '1,234,568', '0', '3e-16', '0.0123')
    """
    size = abs(value)
    if size == 0.0:
        return "0"
    if size < 1e-4:
        return f"{value:.1g}"
    if size >= 10.0 ** (digits - 1):
        return f"{value:,.0f}"
    decimals = digits - 1
    while size < 1.0:
        size *= 10.0
        decimals += 1
    if size >= 10.0:
        decimals -= len(str(int(size))) - 1
    return f"{value:,.{decimals}f}"


def quantity(value: Any, unit: str, currency: str | None = None) -> str:
    """Return *value* with a unit that fits its size.

    Examples
    --------
    >>> quantity(0.834, "fraction"), quantity(1234.5, "kWh"), quantity(0.0625, "days")
    ('83.4 %', '1.23 MWh', '1.50 h')
    >>> quantity(None, "kW"), quantity(1.2345, "-"), quantity(7.512, "currency/GPU-h", "CNY")
    ('–', '1.234', '7.51 CNY/GPU-h')
    """
    if isinstance(value, str):
        return value
    if value is None or isnan(value):
        return ABSENT
    if unit in _PLAIN:
        return _PLAIN[unit](value)
    factor, name = scale(unit, value)
    return f"{figure(value / factor)} {spoken(name, currency)}"


def scale(unit: str, value: float) -> tuple[float, str]:
    """Return (factor, unit) in which *value* reads well: divide by the factor.

    Examples
    --------
    >>> scale("kWh", 2e6), scale("s", 0.0), scale("L/kWh", 1.8), scale("fraction", 0.0)
    ((1000000.0, 'GWh'), (1.0, 's'), (1.0, 'L/kWh'), (0.01, '%'))
    """
    steps = _STEPS.get(unit, ((1.0, unit),))
    smallest = steps[-1] if value else own_scale(unit)
    return next((step for step in steps if abs(value) >= step[0]), smallest)


TOLD_IN = {"fraction": (0.01, "%"), "B": (BYTES_PER_TERABYTE, "TB")}
"""Units that nobody reads: the factor and name of those told instead."""


def own_scale(unit: str) -> tuple[float, str]:
    """Return (factor, unit) where a figure keeps its unit, but fractions and bytes.

    Examples
    --------
    >>> own_scale("kWh"), own_scale("fraction"), own_scale("B")
    ((1.0, 'kWh'), (0.01, '%'), (1000000000000.0, 'TB'))
    """
    return TOLD_IN.get(unit, (1.0, unit))


def in_own_unit(value: float | str | None, unit: str) -> float | str | None:
    """Return *value* as it stands beside ``spoken(unit)``: a fraction in percent.

    Examples
    --------
    >>> in_own_unit(0.25, "fraction"), in_own_unit(0.25, "kWh"), in_own_unit(None, "fraction")
    (25.0, 0.25, None)
    """
    return value / own_scale(unit)[0] if isinstance(value, float) else value


def spoken(unit: str, currency: str | None = None) -> str:
    """Return *unit* as people write it.

    Examples
    --------
    >>> spoken("kW/m2"), spoken("currency/kWh", "CNY"), spoken("fraction")
    ('kW/m²', 'CNY/kWh', '%')
    """
    unit = unit.replace("currency", currency or "currency")
    return {"m2": "m²", "m3": "m³", "degC": "°C", "kW/m2": "kW/m²", "fraction": "%"}.get(unit, unit)


def scorecard(summary: Mapping[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return (key, label, value in words) of every figure that applies, by heading.

    A figure that stands in the summary in two units is shown once.
    """
    currency = summary.get("currency")
    rows: dict[str, dict[str, tuple[str, str, str]]] = {}
    for name, key in SCORECARD.items():
        value = summary.get(name)
        if value is not None and name != "currency":
            shown = (name, key.label, quantity(value, key.unit, currency))
            rows.setdefault(key.group, {})[key.label] = shown
    return {group: list(by_label.values()) for group, by_label in rows.items()}


def not_modelled(summary: Mapping[str, Any]) -> list[str]:
    """Return the labels of the figures that are null in *summary*."""
    return [key.label for name, key in SUMMARY.items() if summary.get(name) is None]
