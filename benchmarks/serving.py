"""Inference by the token: requests per CPU second one by one, and a day of 10 million as a fluid.

    python benchmarks/serving.py

Goals: 50,000 requests a CPU second request by request, under 1 CPU second for a fluid day.
The figures are for reading; the machine is not alone.
"""

from __future__ import annotations

import time

import numpy as np

from twin import build
from twin.settings import compose
from twin.workload.serving import Serving

DAY_REQUESTS = 10_000_000
CASES = (
    ("request by request, 8B on one H100, answers of 80 tokens", "requests",
     ["workload=serving_8b", "workload.replicas=96", "workload.tokens.output_tokens=80",
      "workload.requests_per_s=2000", "clock.duration_days=0.0035"]),
    ("request by request, 70B on four H100, answers of 350 tokens", "requests",
     ["workload=serving_70b", "workload.autoscaling=null", "workload.requests_per_s=400",
      "clock.duration_days=0.007"]),
    ("fluid, a day of 10 million requests", "fluid",
     ["workload=serving_70b", "clock.duration_days=1",
      f"workload.requests_per_s={DAY_REQUESTS / 86400:.3f}", "workload.rhythm.swing=0.45"]),
)  # fmt: skip


def measure(mode: str, words: list[str]) -> tuple[float, float]:
    """Return (requests asked for, CPU seconds) of what the service adds to a run."""
    config = compose.load(
        ["gpu=h100", "facility=computing_centre", "facility.gpus=384", "rack=20kw",
         f"workload.mode={mode}", *words]
    )  # fmt: skip
    design = build.read(config)
    build.size(design)
    serving = design.workload
    assert isinstance(serving, Serving)
    begin = time.process_time()
    serving.services(design.context)
    spent_s = time.process_time() - begin
    assert serving.served is not None
    asked = serving.served.requests_per_s + serving.served.unserved_per_s
    return float(np.sum(asked)) * 60.0, spent_s


if __name__ == "__main__":
    for name, mode, words in CASES:
        requests, cpu_s = measure(mode, words)
        print(f"{name}: {requests:,.0f} in {cpu_s:.2f} CPU s, {requests / cpu_s:,.0f} per CPU s")
