"""Conversions of mass in which published figures have gone wrong."""

from __future__ import annotations

KG_PER_POUND = 0.45359237
"""International avoirdupois pound, exact by definition."""


def tonnes(pounds: float) -> float:
    """Return *pounds* in metric tonnes [t]."""
    return pounds * KG_PER_POUND / 1e3


def tonnes_of_energy(mwh: float, kg_per_kwh: float) -> float:
    """Return what so much energy causes [t]."""
    return mwh * kg_per_kwh


def times_too_much(claimed_tonnes: float, pounds: float) -> float:
    """Return by how much a claim exceeds the pounds it was made of."""
    return claimed_tonnes / tonnes(pounds)
