"""Conversions of mass in which published figures have gone wrong."""

from __future__ import annotations

KG_PER_POUND = 0.45359237
"""International avoirdupois pound, exact by definition."""


def tonnes(pounds: float) -> float:
    """Return *pounds* in metric tonnes [t]."""
    return pounds * KG_PER_POUND / 1e3
