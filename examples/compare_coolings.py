"""Which plant suits this hall? PUE, water, cost and carbon of four plants, same jobs.

python examples/compare_coolings.py [DAYS]
"""

import sys

import twin

PLANTS = ("chilled_air", "waterside_economizer", "direct_liquid_dry", "immersion")


def main(days: float = 1.0) -> None:
    """Run the default centre with each plant and print one line for each."""
    print(f"{'plant':<22}{'PUE':>7}{'water m3':>10}{'CNY/GPU-h':>11}{'carbon t':>10}")
    for plant in PLANTS:
        result = twin.simulate(
            "mana_oasis",
            {"cooling": plant, "clock.duration_days": days, "output": "data_only"},
        )
        s = result.summary
        print(
            f"{plant:<22}{s['pue']:7.3f}{s['water_m3']:10.1f}"
            f"{s['cost_per_gpu_hour']:11.2f}{s['carbon_t']:10.2f}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
