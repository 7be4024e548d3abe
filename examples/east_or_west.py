"""East or west? What the same work costs, emits and drinks at the hubs of either.

python examples/east_or_west.py [DAYS]
"""

import sys

import twin

SITES = ("beijing", "shanghai", "ulanqab", "zhongwei", "guiyang", "qingyang")


def main(days: float = 2.0) -> None:
    """Run the same July days of steady work at each site; the plant takes outdoor air."""
    print(
        f"{'site':<10}{'PUE':>7}{'CNY/GPU-h':>11}{'energy CNY':>12}{'carbon t':>10}{'water m3':>10}"
    )
    july = {"clock.start": "2023-07-03 00:00", "clock.duration_days": days}
    for site in SITES:
        s = twin.simulate("east_west", {**july, "site": site}).summary
        print(
            f"{site:<10}{s['pue']:7.3f}{s['cost_per_gpu_hour']:11.2f}"
            f"{s['electricity_cost']:12,.0f}{s['carbon_t']:10.1f}{s['water_m3']:10.1f}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
