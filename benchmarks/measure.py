"""Run a configuration whole, as the command does, and print what it cost."""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path

SECONDS_PER_DAY = 86400.0
TIMEOUTS = 500_000


def timeouts_per_s() -> float:
    """Return how many timeouts of one process SimPy alone brings about in a CPU second.

    Shared machines differ by a factor of two from hour to hour; a cost times this does not.
    """
    import simpy

    env = simpy.Environment()

    def tick() -> Generator[simpy.Event, None, None]:
        while True:
            yield env.timeout(1.0)

    env.process(tick())
    start_s = time.process_time()
    env.run(until=TIMEOUTS)
    return TIMEOUTS / (time.process_time() - start_s)


def run(title: str, overrides: Sequence[str]) -> dict[str, float | str | None]:
    """Simulate *overrides* in a temporary folder and print size, cost and outcome."""
    pace_before = timeouts_per_s()
    before_s = time.process_time()
    from twin.results.run_folder import Run
    from twin.run import execute
    from twin.settings import compose

    compose.register()
    config = compose.load(overrides)
    folder = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    wall_s = time.perf_counter()
    try:
        summary = execute(config, folder)
        wall_s = time.perf_counter() - wall_s
        cpu_s = time.process_time() - before_s
        done = Run.open(folder)
        queued = float(done.series(["jobs_queued"])["jobs_queued"].mean())
        size_mb = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    finally:
        shutil.rmtree(folder)
    pace_after = timeouts_per_s()
    timeouts = cpu_s * (pace_before + pace_after) / 2.0
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    days = float(summary["simulated_days"] or 0.0)
    events = done.info["events"]
    lines = [
        f"{title}",
        f"  simulated          {days:.0f} days",
        f"  jobs               {summary['jobs_submitted']:,} "
        f"({summary['jobs_completed']:,} completed)",
        f"  events             {events:,}",
        f"  GPUs allocated     {summary['gpu_allocated_fraction']:.1%}",
        f"  mean queue         {queued:.1f} jobs, median wait {summary['wait_p50_s']:.0f} s",
        f"  PUE                {summary['pue']:.3f}",
        f"  ledger residual    {summary['energy_residual_fraction']:.1e}",
        f"  CPU                {cpu_s:.1f} s ({wall_s:.1f} s wall), "
        f"{days * SECONDS_PER_DAY / cpu_s:,.0f} x real time",
        f"  machine            {pace_before / 1e6:.2f} M bare SimPy timeouts/s before, "
        f"{pace_after / 1e6:.2f} M after",
        f"  cost               that of {timeouts / 1e6:.0f} M bare timeouts",
        f"  peak memory        {peak_mb:.0f} MB",
        f"  written            {size_mb:.1f} MB",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return {**summary, "cpu_s": cpu_s, "timeouts": timeouts, "peak_mb": peak_mb, "events": events}
