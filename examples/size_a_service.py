"""How many GPUs for the serving demand? Latency, objectives met and joules a token, by fleet.

python examples/size_a_service.py [DAYS]
"""

import sys

import twin

REPLICAS = (40, 48, 56, 64, 80)


def main(days: float = 1.0) -> None:
    """Offer the same day of requests to services of more and more replicas."""
    print(
        f"{'GPUs':>5}{'TTFT p99 s':>12}{'ITL p99 s':>11}{'in time':>9}{'J/token':>9}{'active':>8}"
    )
    for replicas in REPLICAS:
        design = {"gpu": "h100", "rack": "20kw", "workload": "serving_70b", "site": "shanghai"}
        design |= {"workload.replicas": replicas, "facility.gpus": 4 * max(REPLICAS)}
        design |= {"clock.duration_days": days, "output": "data_only"}
        s = twin.simulate("mana_oasis", design).summary
        print(
            f"{4 * replicas:>5}{s['ttft_p99_s']:12.2f}{s['itl_p99_s']:11.3f}"
            f"{s['slo_attainment_fraction']:9.1%}{s['energy_per_token_j']:9.2f}"
            f"{s['gpu_active_fraction']:8.1%}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
