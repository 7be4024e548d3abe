"""Own or rent? From which use on 10,000 A100 of one's own are cheaper than rented ones.

python examples/own_or_rent.py [DAYS]
"""

import sys

import twin

USES = (0.3, 0.5, 0.7, 0.9)


def main(days: float = 1.0) -> None:
    """Fill the centre more and more, and set what a held GPU-hour costs against its rent."""
    print(f"{'held':>6}{'own CNY/GPU-h':>15}{'rent CNY/GPU-h':>16}{'cheaper':>9}")
    for use in USES:
        one_job = [[round(use * 10_000), 1]]
        changes = {"workload.gpu_mix": one_job, "clock.duration_days": days}
        result = twin.simulate("own_or_rent", changes)
        costs = result.info["costs"]
        own = result.summary["cost_per_gpu_hour"]
        rent = costs["rent_of_held_gpu_hours"] / costs["held_gpu_hours"]
        held = result.summary["gpu_allocated_fraction"]
        print(f"{held:6.0%}{own:15.2f}{rent:16.2f}{'own' if own < rent else 'rent':>9}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
