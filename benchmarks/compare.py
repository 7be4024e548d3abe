"""How long ``twin-compare`` takes over a thousand runs made from one real one.

python benchmarks/compare.py RUN [NUMBER]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from twin.results.compare import compare
from twin.show import comparison


def copies(run: Path, folder: Path, number: int) -> None:
    """Write *number* runs that differ in seed and PUE."""
    summary = json.loads((run / "summary.json").read_text())
    config, record = ((run / name).read_text() for name in ("config.yaml", "run.json"))
    for k in range(number):
        one = folder / str(k)
        (one / ".hydra").mkdir(parents=True)
        (one / "config.yaml").write_text(config.replace("  seed: ", f"  seed: {k}"))
        (one / "run.json").write_text(record)
        (one / ".hydra/overrides.yaml").write_text(f"- clock.seed={k}\n")
        (one / "summary.json").write_text(json.dumps({**summary, "pue": 1.2 + 1e-4 * k}))


def main(run: str, number: str = "1000") -> None:
    """Print what reading takes, and what all of it takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copies(Path(run), folder / "runs", int(number))
        began, cpu = time.perf_counter(), time.process_time()
        compare([folder / "runs"])
        read, read_cpu = time.perf_counter() - began, time.process_time() - cpu
        began, cpu = time.perf_counter(), time.process_time()
        comparison([folder / "runs"], folder / "out")
        print(f"{number} runs: read and told apart in {read:.1f} s ({read_cpu:.1f} CPU-s)")
        took = f"{time.perf_counter() - began:.1f} s ({time.process_time() - cpu:.1f} CPU-s)"
        print(f"with table, CSV, figures and page: {took}")


if __name__ == "__main__":
    main(*sys.argv[1:])
