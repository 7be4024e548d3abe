"""What one beat of each cooling plant costs, in a year of Beijing weather.

    python benchmarks/plants.py [days [name ...]]

Days spread over the year (default 12) at one beat a minute, the heat moving between 40 and
95 % of design. A year has 525,600 beats: 10 us a beat are 5.3 CPU seconds.
"""

from __future__ import annotations

import math
import sys
import time

BEAT_S = 60.0
DAY_S = 86400.0
YEAR_DAYS = 365


def main(days: int, names: list[str]) -> None:
    """Step each plant through the chosen days and print microseconds per beat."""
    from twin import build
    from twin.settings import catalogue, compose

    compose.register()
    for name in names or catalogue.choices("cooling"):
        overrides = ["scenario=climate_map", f"cooling={name}", "clock.duration_days=365"]
        design = build.read(compose.load(overrides))
        build.size(design)
        plant, weather = design.cooling, design.weather
        heat_w = design.it_nameplate_w
        apart = 1.0 - design.rack_plate_w / heat_w
        beats = int(DAY_S / BEAT_S)
        spent_s = steps = worst_s = 0.0
        for k in range(days):
            first_s = k * (YEAR_DAYS // days) * DAY_S
            inputs = [
                (heat_w * (0.675 + 0.275 * math.sin(0.37 * b)), *weather.at(first_s + b * BEAT_S))
                for b in range(beats)
            ]
            started_s = time.process_time()
            for heat, drybulb_c, wetbulb_c in inputs:
                plant.step(heat, drybulb_c, wetbulb_c, BEAT_S, apart * heat)
            passed_s = time.process_time() - started_s
            spent_s += passed_s
            worst_s = max(worst_s, passed_s)
            steps += beats
        each_us, worst_us = 1e6 * spent_s / steps, 1e6 * worst_s / beats
        year_s = each_us * 1e-6 * YEAR_DAYS * beats
        sys.stdout.write(
            f"{name:24s} {each_us:6.1f} us a beat ({worst_us:6.1f} on the worst day), "
            f"{year_s:5.1f} s a year\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12, sys.argv[2:])
