"""A pre-training run: its MFU, its energy, and what went wrong.

python examples/train_llm.py [DAYS]
"""

import sys

import twin


def main(days: float = 1.0) -> None:
    """Run the pre-training study and say what came of it."""
    result = twin.simulate("llm_pretraining", {"clock.duration_days": days, "output": "data_only"})
    s = result.summary
    print(f"MFU {s['mfu_mean']:.1%}, goodput {s['goodput_fraction']:.1%}")
    print(f"{s['it_energy_kwh']:,.0f} kWh of IT, PUE {s['pue']:.3f}")
    for event in result.table("events").to_pylist()[:5]:
        print(f"{event['at_s'] / 3600:6.1f} h  {event['kind']}  {event['where']}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
