"""Data of a fleet of cars: how it comes in, how it is kept, how long one reading takes."""

from __future__ import annotations

BITS_PER_BYTE = 8.0
SECONDS_PER_DAY = 86400.0


def ingest_gbps(vehicles: float, gb_per_day: float) -> float:
    """Return the steady stream of so many vehicles [Gb/s]."""
    return vehicles * gb_per_day * BITS_PER_BYTE / SECONDS_PER_DAY


def gb_per_vehicle(petabytes: float, vehicles: float) -> float:
    """Return what is kept of each vehicle [GB]."""
    return petabytes * 1e6 / vehicles


def days_to_fill(petabytes: float, vehicles: float, gb_per_day: float) -> float:
    """Return how long the fleet takes to fill so much, if nothing is deleted [days]."""
    return petabytes * 1e6 / (vehicles * gb_per_day)


def hours_to_read(petabytes: float, tb_per_s: float) -> float:
    """Return how long one full reading takes [h]."""
    return petabytes * 1e3 / tb_per_s / 3600.0
