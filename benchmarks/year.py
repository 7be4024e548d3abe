"""A year of 25,024 A100 GPUs in 782 racks and a million jobs, everything on and written.

    python benchmarks/year.py [override ...]

Budget: 120 CPU seconds of one core and 1 GB.
"""

from __future__ import annotations

import sys

from measure import run

OVERRIDES = [
    "scenario=year_benchmark",
]

if __name__ == "__main__":
    run("year benchmark", [*OVERRIDES, *sys.argv[1:]])
