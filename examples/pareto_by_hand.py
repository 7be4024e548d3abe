"""Cost against carbon without a search engine: a few designs, and those that none beats.

python examples/pareto_by_hand.py [DAYS]
"""

import itertools
import sys

import numpy as np

import twin
from twin.results.explain import non_dominated

SITES = ("baoding", "ulanqab")
GPUS = (1600, 2144)


def main(days: float = 1.0) -> None:
    """Run every combination and mark the front."""
    designs = list(itertools.product(SITES, GPUS))
    figures = []
    for site, gpus in designs:
        changes = {"site": site, "facility.gpus": gpus, "clock.duration_days": days}
        s = twin.simulate("mana_oasis", {**changes, "output": "data_only"}).summary
        figures.append((s["cost_per_gpu_hour"], s["carbon_t"]))
    front = non_dominated(np.array(figures), ["lower", "lower"])
    for design, (cost, carbon), best in zip(designs, figures, front, strict=True):
        mark = "*" if best else " "
        print(f"{mark} {design[0]:<10}{design[1]:>6} GPUs {cost:8.2f} CNY/GPU-h {carbon:8.2f} t")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
