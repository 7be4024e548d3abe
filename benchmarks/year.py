"""A year of 25,024 A100 GPUs in 782 racks and a million jobs, everything on and written.

    python benchmarks/year.py [override ...]

Budget: 1 GB, and 120 CPU seconds of a core on which SimPy alone brings about 1.0 M timeouts a
second, so the cost of 120 M bare timeouts; 150 with the dearest plants
(``cooling=direct_liquid_tower``, ``cooling=direct_liquid_dry``), 220 with failures and shared links
(``faults=cluster_failures network.oversubscription=2``).
"""

from __future__ import annotations

import sys

from measure import run

OVERRIDES = [
    "scenario=year_benchmark",
]

if __name__ == "__main__":
    run("year benchmark", [*OVERRIDES, *sys.argv[1:]])
