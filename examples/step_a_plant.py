"""A cooling plant alone, stepped by hand over a hot day: no jobs, no simulation.

python examples/step_a_plant.py [DAYS]
"""

import math
import sys

from twin.build import read, size
from twin.settings.compose import load

HEAT_W = 1.2e6
BEAT_S = 300.0


def main(days: float = 1.0) -> None:
    """Print dry bulb, power and supply temperature every three hours."""
    design = read(load(["cooling=waterside_economizer"]))
    size(design)
    plant = design.cooling
    for k in range(int(days * 86400 / BEAT_S)):
        at_s = k * BEAT_S
        drybulb_c = 22.0 + 10.0 * math.sin(2.0 * math.pi * (at_s / 86400 - 0.4))
        state = plant.step(HEAT_W, drybulb_c, drybulb_c - 6.0, BEAT_S)
        if at_s % 10800 == 0:
            print(f"{at_s / 3600:5.0f} h {drybulb_c:6.1f} degC {state.power_w / 1e3:8.1f} kW")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
