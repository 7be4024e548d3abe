"""The year benchmark cut to eight days, small enough for every change.

    python benchmarks/quick.py

Exits 1 when a beat or a job costs several times what it should, which no busy machine
explains; the figures themselves are for reading, not for judging.
"""

from __future__ import annotations

import sys

from measure import run

DAYS = 8
JOBS = round(1_000_000 * DAYS / 365)
CPU_LIMIT_S = 60.0
MEMORY_LIMIT_MB = 1000.0

if __name__ == "__main__":
    result = run(
        "quick benchmark",
        ["scenario=year_benchmark", f"clock.duration_days={DAYS}", f"workload.count={JOBS}"],
    )
    cpu_s, peak_mb = float(result["cpu_s"] or 0.0), float(result["peak_mb"] or 0.0)
    if cpu_s > CPU_LIMIT_S or peak_mb > MEMORY_LIMIT_MB:
        sys.exit(f"{cpu_s:.0f} CPU s, {peak_mb:.0f} MB: over {CPU_LIMIT_S:.0f} s, 1,000 MB")
