"""What does a failed chiller or UPS do to training? Goodput and lost work, by what backs it.

python examples/break_a_training_run.py [DAYS]
"""

import sys

import twin

CASES = (
    ("nothing breaks", "n", None),
    ("all chillers trip", "n", "cooling.chiller"),
    ("the UPS fails, one line", "n", "power.ups"),
    ("a UPS fails, 2N", "two_n", "power.ups_a"),
)


def main(days: float = 0.5) -> None:
    """Break one thing for half an hour, a quarter into the run, and print what it cost."""
    print(f"{'case':<25}{'goodput':>9}{'lost GPU-h':>12}{'throttled GPU-h':>17}{'inlet C':>9}")
    for words, power, unit in CASES:
        design = [f"power={power}", "workload=large_training", "gpu=h100", "rack=20kw"]
        design += [f"clock.duration_days={days}", "clock.heartbeat_s=20", "output=data_only"]
        if unit:
            fault = f"unit: {unit}, at_hours: {6 * days}, repair_hours: 0.5, fraction: 1.0"
            design.append("faults.scheduled={it: {" + fault + "}}")
        result = twin.simulate("mana_oasis", design)
        s, inlet_c = result.summary, result.table("series")["inlet_max_c"].to_pylist()
        print(
            f"{words:<25}{s['goodput_fraction']:9.1%}{s['gpu_hours_lost']:12.1f}"
            f"{s['throttled_gpu_hours']:17.1f}{max(inlet_c):9.1f}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
