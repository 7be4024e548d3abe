"""What does a released model cost per week of fleet data? GPU time, energy and money by fleet.

python examples/price_of_a_release.py [DAYS]
"""

import sys

import pyarrow.compute as pc

import twin

FLEETS = (50_000, 100_000)
VEHICLES = "workload.streams.pipeline.fleet.vehicles"
OF_A_BATCH = "-day"
"""Its jobs carry the day of the batch in their name; others share the GPUs."""


def main(days: float = 4.0) -> None:
    """Run the driving pipeline for two fleets; print what the stages of a release took."""
    print("vehicles  releases/week  GPU-h each    MWh each    CNY each  days to one")
    for vehicles in FLEETS:
        changes = {VEHICLES: vehicles, "clock.duration_days": days, "output": "data_only"}
        result = twin.simulate("mana_oasis", changes)
        s, jobs = result.summary, result.table("jobs")
        mine = jobs.filter(pc.match_substring(jobs["job_id"], OF_A_BATCH))
        gpu_hours = pc.sum(pc.multiply(mine["gpus"], mine["service_s"])).as_py() / 3600
        mwh = pc.sum(mine["energy_j"]).as_py() / 3.6e9 * s["pue"]
        releases = s["releases"]
        if not releases:
            print(f"{vehicles:>8,}  none in {days:g} days")
            continue
        print(
            f"{vehicles:>8,}{releases / days * 7:15.1f}{gpu_hours / releases:12,.0f}"
            f"{mwh / releases:12.1f}{s['cost_per_gpu_hour'] * gpu_hours / releases:12,.0f}"
            f"{s['release_cycle_p50_days']:13.1f}"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
