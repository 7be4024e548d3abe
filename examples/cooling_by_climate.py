"""Which cooling for which density and climate? PUE of plants by rack rating and site.

python examples/cooling_by_climate.py [DAYS]
"""

import sys

import twin

PLANTS = ("chilled_air_in_row", "airside_economizer", "direct_liquid_dry")
SITES = ("shanghai", "ulanqab")
RACKS = {"13kw": "two servers, 13 kW", "26kw": "four servers, 26 kW"}


def main(days: float = 0.5) -> None:
    """Run every plant at every site and density; a plant that cannot carry a rack says so."""
    print(f"{'site':<10}{'rack':<22}" + "".join(f"{plant:>20}" for plant in PLANTS))
    for site in SITES:
        for rack, words in RACKS.items():
            row = "".join(f"{pue(site, rack, plant, days):>20}" for plant in PLANTS)
            print(f"{site:<10}{words:<22}{row}")


def pue(site: str, rack: str, plant: str, days: float) -> str:
    """Return the PUE of a design, or that it cannot be built."""
    design = {"site": site, "rack": rack, "cooling": plant, "output": "data_only"}
    try:
        result = twin.simulate("mana_oasis", {**design, "clock.duration_days": days})
    except twin.errors.ConfigError:
        return "too dense"
    return f"{result.summary['pue']:.3f}"


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
