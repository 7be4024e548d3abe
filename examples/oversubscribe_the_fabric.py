"""When is fabric oversubscription paid? Work done by a GPU-hour held, against switches saved.

python examples/oversubscribe_the_fabric.py [DAYS]
"""

import sys

import twin
from twin.build import read, size
from twin.settings.compose import load

RATIOS = (1, 2, 4, 7)


def main(days: float = 0.5) -> None:
    """Run large training on fabrics with less and less bandwidth above their leaves."""
    print(
        f"{'ratio':>5}{'switches':>10}{'cables':>8}{'network kW':>12}{'goodput':>9}{'fullest':>9}"
    )
    for ratio in RATIOS:
        changes = {"network.oversubscription": ratio, "clock.duration_days": days}
        result = twin.simulate("oversubscription", changes)
        links = result.info["fabric"]["links"]["leaf"]["mean_fraction"]
        design = read(load([f"network.oversubscription={ratio}", "scenario=oversubscription"]))
        size(design)
        count = design.network.counts()
        print(
            f"{ratio:>3}:1{count['switches']:10,}{count['switch_cables']:8,}"
            f"{design.network.power_w() / 1e3:12.1f}"
            f"{result.summary['goodput_fraction']:9.1%}{max(links):9.0%}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
