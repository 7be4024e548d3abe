"""Unit conversions, written once. SI inside, human units at the edge."""

from __future__ import annotations

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86400.0
HOURS_PER_YEAR = 8760.0
JOULES_PER_KWH = 3.6e6
JOULES_PER_GWH = 3.6e12
KELVIN_AT_0_C = 273.15
BYTES_PER_MEGABYTE = 1e6
BYTES_PER_GIGABYTE = 1e9
BYTES_PER_GIGABIT = 1.25e8
