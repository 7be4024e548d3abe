"""A believable run folder made through the recorder, without any model behind it."""

import json
from pathlib import Path

import numpy as np

from twin.records import Event, Job
from twin.results.racks import RackPower
from twin.results.recorder import Recorder
from twin.results.summary import Facts, Totals, summarize, write_summary
from twin.schema import ROW

CONFIG = """\
scenario:
  name: {name}
  question: {question}
  published: []
site: {{name: Guiyang, province: Guizhou, country: China}}
facility: {{name: Centre, gpus: 2144, floor_area_m2_per_rack: 3.0, aux_fraction: 0.01}}
gpu: {{kind: gpu_server.GpuServer8, gpus_per_server: 8, nameplate_w: 6500.0}}
rack: {{rated_kw: {rated_kw}, servers_per_rack: 2}}
cooling: {{kind: chilled_air.ChilledAir, supply_c: {supply_c}}}
clock: {{start: '2023-07-03 00:00', duration_days: {days}, heartbeat_s: 60.0, seed: 7}}
output: {{interval_s: 300.0}}
"""


def make_run(
    folder: Path,
    days: float = 7.0,
    beat_s: float = 60.0,
    interval_s: float = 300.0,
    seed: int = 7,
    **config,
) -> Path:
    """Write a finished run of 134 racks into *folder* and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    racks, gpus = 134, 2144
    n = round(days * 86400 / beat_s)
    at_s = np.arange(n) * beat_s
    hour = at_s / 3600.0
    drybulb = 26.5 + 5.5 * np.sin((hour - 9) / 24 * 2 * np.pi) + 2 * np.sin(hour / 60)
    wetbulb = 22.0 + 1.5 * np.sin((hour - 9) / 24 * 2 * np.pi) + 1 * np.sin(hour / 71)
    walk = np.cumsum(rng.normal(0, 0.012, n))
    allocated = np.clip(0.86 + 0.08 * np.sin(hour / 17) + 0.15 * np.sin(walk), 0.3, 1.0)
    active = allocated * np.clip(0.62 + rng.normal(0, 0.02, n), 0, 1)
    queued = np.maximum(0, np.round(40 * (allocated - 0.85) + rng.normal(0, 1, n)))
    fan_w = 268 * 320.0 * np.ones(n)
    server_w = 268 * (1500 + 3300 * active) + fan_w
    trip = (at_s > 4.55 * 86400) & (at_s < 4.60 * 86400)
    supply = config.get("supply_c", 20.0) + np.convolve(trip * 9.0, np.ones(20) / 20)[:n]
    network_w, storage_w = np.full(n, 62e3), np.full(n, 21e3)
    it_w = server_w + network_w + storage_w
    loss_w = 0.012 * 1.6e6 + 0.05 * it_w
    cooling_w = it_w * (0.16 + 0.006 * (wetbulb - 20)) + 25e3
    aux_w = np.full(n, 14e3)
    facility_w = it_w + loss_w + cooling_w + aux_w
    water = (it_w + loss_w + cooling_w) / 2.45e6 * 1.1
    share = rng.uniform(0.8, 1.2, racks)
    columns = {
        "it_power_w": it_w,
        "server_power_w": server_w,
        "server_fan_power_w": fan_w,
        "network_power_w": network_w,
        "storage_power_w": storage_w,
        "loss_power_w": loss_w,
        "cooling_power_w": cooling_w,
        "aux_power_w": aux_w,
        "facility_power_w": facility_w,
        "utility_power_w": facility_w,
        "gpus_allocated": allocated * gpus,
        "gpu_active_fraction": active,
        "jobs_running": np.round(allocated * 60),
        "jobs_queued": queued,
        "rack_power_max_w": server_w / racks * 1.2,
        "inlet_max_c": supply + 3.0 + 4.0 * active,
        "supply_c": supply,
        "drybulb_c": drybulb,
        "wetbulb_c": wetbulb,
        "water_kg_per_s": water,
        "carbon_kg_per_s": facility_w / 3.6e6 * 0.65,
        "price_per_kwh": np.where((hour % 24 > 8) & (hour % 24 < 22), 0.9, 0.4),
        "heat_unmet_w": trip * 4e5,
        "throttled_gpus": trip * 300.0,
        "battery_j": np.full(n, np.nan),
        "tokens_per_s": 40e3 * (1 + 0.6 * np.sin((hour - 9) / 24 * 2 * np.pi)),
        "capped_gpus": np.zeros(n),
        "pv_power_w": np.full(n, np.nan),
        "generator_power_w": np.zeros(n),
        "row_power_max_w": np.full(n, np.nan),
        "storage_used_bytes": np.full(n, np.nan),
        "slo_fraction": np.clip(1.05 - 0.1 * allocated, 0.0, 1.0),
    }
    table = np.column_stack([columns[name] for name in ROW])
    recorder = Recorder(folder, interval_s)
    power = RackPower(racks, 13e3)
    totals = Totals()
    for k in range(n):
        recorder.beat(at_s[k], beat_s, table[k].tolist())
        power.beat(np.minimum(server_w[k] / racks * share, 13.4e3), beat_s)
    _jobs(recorder, rng, days, totals)
    recorder.event(Event(4.55 * 86400, "trip", "cooling.chiller", "scheduled: 0 % in service"))
    recorder.event(Event(4.56 * 86400, "throttle", "hall", "inlet 33.1 C, GPUs at 70 %"))
    recorder.event(Event(4.60 * 86400, "repair", "cooling.chiller", "100 % in service"))
    recorder.racks(
        {
            "rack_id": [f"rack-{k:03d}" for k in range(1, racks + 1)],
            "hall": ["hall-1"] * racks,
            "cooling": ["ChilledAir"] * racks,
            **power.table(),
            "inlet_max_c": np.full(racks, 33.0),
            "throttled_s": np.full(racks, 1800.0),
        }
    )
    recorder.close()
    _total(totals, columns, n, beat_s)
    facts = Facts(gpus, 140, 420.0, 268 * 6500.0 + 90e3, "CNY", True, 3.12e14, 7.43)
    settings = {
        "name": "mana_oasis",
        "question": "What does a week cost?",
        "days": days,
        "rated_kw": 13.0,
        "supply_c": 20.0,
    }
    text = CONFIG.format(**{k: json.dumps(v) for k, v in {**settings, **config}.items()})
    (folder / "config.yaml").write_text(text)
    (folder / "run.json").write_text(json.dumps(_record(power, seed)))
    write_summary(summarize(totals, facts, power, folder / "jobs.parquet"), folder)
    return folder


def _jobs(recorder: Recorder, rng: np.random.Generator, days: float, totals: Totals) -> None:
    for k in range(int(300 * days)):
        arrived, wait = rng.uniform(0, days * 86400), rng.exponential(900.0)
        service = float(np.exp(rng.normal(8.0, 1.4)))
        end = arrived + wait + service
        gpus = int(rng.choice([1, 2, 4, 8, 16, 64, 256]))
        job = Job(f"job-{k}", "training", arrived, gpus, service, service * 2)
        job.started_at_s = arrived + wait
        job.status, job.service_s, job.energy_j = "running", service, gpus * service * 400
        totals.jobs_submitted += 1
        if end < days * 86400:
            job.finished_at_s, job.status = end, "completed"
            totals.jobs_completed += 1
        recorder.job(job)


def _total(totals: Totals, columns: dict, n: int, beat_s: float) -> None:
    def joules(name: str) -> float:
        return float(columns[name].sum() * beat_s)

    totals.seconds = n * beat_s
    totals.it_j = joules("it_power_w")
    totals.fan_j = joules("server_fan_power_w")
    totals.storage_j, totals.loss_j = joules("storage_power_w"), joules("loss_power_w")
    totals.it_loss_j, totals.cooling_j = 0.9 * totals.loss_j, joules("cooling_power_w")
    totals.aux_j, totals.facility_j = joules("aux_power_w"), joules("facility_power_w")
    totals.water_kg = joules("water_kg_per_s")
    totals.carbon_kg = joules("carbon_kg_per_s")
    totals.cost = float((columns["price_per_kwh"] * columns["facility_power_w"]).sum()) / 6e4
    totals.it_peak_w = float(columns["it_power_w"].max())
    totals.facility_peak_w = float(columns["facility_power_w"].max())
    totals.gpu_allocated_s = joules("gpus_allocated")
    totals.gpu_active_s = joules("gpu_active_fraction") * 2144
    totals.useful_gpu_s = 0.94 * totals.gpu_allocated_s
    totals.throttled_gpu_s = joules("throttled_gpus")
    totals.tokens, totals.requests = joules("tokens_per_s"), joules("tokens_per_s") / 350
    totals.residual_max = 4.4e-16


def _record(power: RackPower, seed: int) -> dict:
    activity = np.exp(-(((np.arange(101) - 70) / 15.0) ** 2)) * 2e6
    activity[0] = 5e7
    return {
        "twin": "0.1.0",
        "command": "twin scenario=mana_oasis",
        "git": "0123456789abcdef",
        "seed": seed,
        "python": "3.11.7",
        "machine": "x86_64",
        "packages": {"simpy": "4.1.2", "numpy": "2.4.6"},
        "wall_s": 3.2,
        "cpu_s": 3.1,
        "events": 123456,
        "warnings": ["cooling: condenser water left the curve's range for 3 beats"],
        "weather": "generator from monthly normals of Baoding",
        "workload": None,
        "cooling_energy_kwh": {
            "chiller": 2.4e4,
            "crah_fan": 5e3,
            "chw_pump": 2.5e3,
            "cw_pump": 2e3,
            "tower_fan": 1e3,
        },
        "distributions": {
            "rack_power_bins": "200 equal bins of the rating, then above it",
            "rack_power_s": power.histogram_s().sum(axis=0).tolist(),
            "gpu_activity_bins": "0, 0.01 .. 1",
            "gpu_activity_gpu_s": activity.tolist(),
            "gpu_s": float(activity.sum()),
        },
    }
