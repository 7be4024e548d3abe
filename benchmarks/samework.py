"""Frontier's day, the same work as ExaDigiT's RAPS: gates first, then CPU time and memory.

    python benchmarks/samework.py [--runs N]

3,000 jobs on 9,472 nodes, 24 h at a step of 15 s, FCFS with EASY backfill, power of every node,
cabinet and rectifier, series, job table and summary written. Cooling, network contention, faults
and pictures are off in both; ours with cooling, feed and ledger on is a figure of its own.

The list of jobs, RAPS' schedule of it and the power it computed are read from the folder
``samework`` of $TWIN_SHARED_DATA, or of ../shared/data beside the checkout.

Gates, before any speed counts:
G1  With RAPS' own start times our power at k x 15 s, read by a probe of its own while jobs come and
    go, equals its 5,760 samples within 1e-6. RAPS ends each job a second late; so do we there.
G2  With our own EASY: no node held twice, none before its job arrived, at least 2,827 jobs done,
    mean wait at most RAPS' 571 s, energy within 1 % of its 412.13 MWh.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

RACKS, NODES_PER_RACK, SWITCHES_PER_RACK, RECTIFIERS_PER_RACK = 74, 128, 32, 32
SWITCH_W, RECTIFIER_W, RECTIFIER_EFFICIENCY = 250.0, 17.0, 0.96
CONVERTER_W, CONVERTER_EFFICIENCY = 13.0, 0.98
CDUS_W = 25 * 8473.47
LONE_SWITCHES_W = 8 * 4 * SWITCH_W
"""RAPS' loss counts the eight chassis of its 75th, missing rack; its power does not. [W]"""
STEP_S = 15.0
RAPS = {"cpu_s": 44.4, "net_cpu_s": 41.3, "peak_mb": 1953.0}
"""RAPS 6c142bf without its display, Python 3.12, measured on a machine of the same kind."""
RAPS_MEAN_WAIT_S, RAPS_DONE, RAPS_MWH = 571.0, 2827, 412.13


def data_folder() -> Path:
    """Return where the lists are; ends the program, in peace, where they are not."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("TWIN_SHARED_DATA", beside)) / "samework"
    if not (folder / "jobs_1d.csv.gz").is_file():
        sys.exit(f"skipped: {folder} is not there; set TWIN_SHARED_DATA to the folder above it")
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def a_second_longer(source: Path, target: Path) -> None:
    """Write the list of jobs with each run time as RAPS lives it."""
    rows = table(source)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "runtime_s": int(row["runtime_s"]) + 1})


# ---- one run, in a process of its own -------------------------------------------------


def work(jobs: Path, folder: Path, options: dict[str, Any]) -> dict[str, float]:
    """Simulate *jobs* into *folder* and return what came out and what it cost."""
    from twin import build, outcome, run
    from twin.results.recorder import Recorder
    from twin.results.summary import summarize, write_summary
    from twin.settings import compose

    words = [
        "scenario=frontier", "workload=raps_jobs", f"workload.path={jobs}", "output=data_only",
        f"output.interval_s={STEP_S:g}", f"clock.duration_days={options['days']}",
    ]  # fmt: skip
    if options["starts"]:
        words += ["workload.columns.submit=start_s", "scheduling=fcfs"]
    compose.register()
    design = build.read(compose.load(words))
    build.size(design)
    recorder = Recorder(folder, STEP_S)
    facility = build.assemble(design, recorder)
    if options["cooling"] == "off":
        facility.plant = _no_cooling()
    samples: list[float] = []
    if options["probe"]:
        facility.env.process(probe(facility, samples))
    losses = CabinetLosses()
    facility.racks.block = losses.beside(facility.racks.block)  # type: ignore[method-assign]
    run.simulate(design, facility, lambda _: None)
    recorder.racks(outcome.rack_table(design, facility))
    recorder.close()
    totals = facility.totals
    summary = summarize(
        totals, outcome.facts(design, facility), facility.racks, folder / "jobs.parquet"
    )
    write_summary(summary, folder)
    if options["probe"]:
        (folder / "samples.json").write_text(json.dumps(samples))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024.0,
        "done": float(totals.jobs_completed),
        "lost_mwh": losses.lost_j / 3.6e9,
        "mwh": (losses.entering_j + CDUS_W * totals.seconds) / 3.6e9,
        "residual": totals.residual_max,
    }


class CabinetLosses:
    """What enters each cabinet and what its rectifiers lose, at every step."""

    def __init__(self) -> None:
        self.entering_j = 0.0
        self.lost_j = 0.0

    def beside(self, settle: Any) -> Any:
        """Return *settle* with our own arithmetic on every block of steps before it."""

        def both(rack_w: Any, lengths_s: Any) -> None:
            inside_w = rack_w + SWITCHES_PER_RACK * SWITCH_W
            entering_w = (inside_w + RECTIFIERS_PER_RACK * RECTIFIER_W) / RECTIFIER_EFFICIENCY
            lost_w = (
                entering_w
                - inside_w
                + (1.0 - CONVERTER_EFFICIENCY) * rack_w
                + NODES_PER_RACK * CONVERTER_W
            )
            self.entering_j += float((lengths_s @ entering_w).sum())
            self.lost_j += float((lengths_s @ lost_w).sum())
            settle(rack_w, lengths_s)

        return both


def probe(facility: Any, samples: list[float]) -> Generator[Any, None, None]:
    """Read the power of all nodes at k x 15 s, when everything due that second has happened."""
    env, k = facility.env, 0
    while True:
        yield env.timeout(k * STEP_S + 0.5 - env.now)  # every event falls on a whole second
        samples.append(facility.cluster.power.total_w)
        k += 1


def _no_cooling() -> Any:
    """Return a plant that lets the heat go at no cost."""
    from twin.cooling.base import PlantState

    class NoCooling:
        units = ()

        def step(
            self,
            heat_w: float,
            drybulb_c: float,
            wetbulb_c: float,
            dt_s: float,
            apart_w: float = 0.0,
        ) -> Any:
            return PlantState(
                power_w=0.0, parts_w={}, inlet_c=25.0, inlet_max_c=25.0, supply_c=25.0,
                return_c=25.0, heat_in_w=heat_w, unmet_w=0.0, ambient_heat_w=heat_w,
                reused_heat_w=0.0, stored_j=0.0, water_kg_per_s=0.0, free_fraction=0.0,
            )  # fmt: skip

        def set_point_moves(self) -> int | None:
            return None

    return NoCooling()


def apart(jobs: Path, folder: Path, **options: Any) -> dict[str, float]:
    """Return :func:`work`, done in a fresh process of one thread."""
    folder.mkdir(parents=True)
    words = [sys.executable, __file__, "--work", str(jobs), str(folder), json.dumps(options)]
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


# ---- gates ----------------------------------------------------------------------------


def gate_replay(data: Path, folder: Path) -> tuple[bool, str]:
    """Return whether G1 is met, and by how much."""
    starts = folder / "starts.csv"
    a_second_longer(data / "jobs_1d_with_starts.csv.gz", starts)
    target = folder / "replay"
    apart(starts, target, starts=True, cooling="on", probe=True, days=1)
    nodes_w = json.loads((target / "samples.json").read_text())
    reference = table(data / "raps_power_1d.csv.gz")
    worst, worst_loss = 0.0, 0.0
    switches_w = RACKS * SWITCHES_PER_RACK * SWITCH_W
    rectifiers_w = RACKS * RECTIFIERS_PER_RACK * RECTIFIER_W
    nodes = RACKS * NODES_PER_RACK
    for node_w, row in zip(nodes_w, reference, strict=True):
        entering_w = (node_w + switches_w + rectifiers_w) / RECTIFIER_EFFICIENCY
        worst = max(worst, abs((entering_w + CDUS_W) / 1e3 / float(row["power_kw"]) - 1.0))
        lost_w = entering_w - (CONVERTER_EFFICIENCY * node_w - CONVERTER_W * nodes + switches_w)
        lost_w += (LONE_SWITCHES_W + 32 * RECTIFIER_W) / RECTIFIER_EFFICIENCY - LONE_SWITCHES_W
        worst_loss = max(worst_loss, abs(lost_w / 1e3 / float(row["loss_kw"]) - 1.0))
    text = f"{len(nodes_w):,} samples, power within {worst:.1e}, losses within {worst_loss:.1e}"
    return worst < 1e-6 and len(nodes_w) == len(reference), text


def gate_schedule(data: Path, folder: Path, result: dict[str, float]) -> tuple[bool, str]:
    """Return whether G2 is met by the run in *folder*, and its figures."""
    import numpy as np

    from twin.results.run_folder import Run

    jobs = Run.open(folder).jobs()
    arrived, started = jobs["arrived_at_s"], jobs["started_at_s"]
    ended = np.where(np.isnan(jobs["finished_at_s"]), 86_400.0, jobs["finished_at_s"])
    ran = ~np.isnan(started)
    wait_s = float(np.mean((started - arrived)[ran]))
    steps = np.concatenate([jobs["gpus"][ran], -jobs["gpus"][ran]])
    order = np.lexsort((steps, np.concatenate([started[ran], ended[ran]])))
    most = int(np.cumsum(steps[order]).max()) // 4
    early = int(np.sum(started[ran] < arrived[ran]))
    met = (
        most <= RACKS * NODES_PER_RACK
        and early == 0
        and result["done"] >= RAPS_DONE
        and wait_s <= RAPS_MEAN_WAIT_S
        and abs(result["mwh"] / RAPS_MWH - 1.0) <= 0.01
    )
    text = (
        f"{result['done']:,.0f} jobs done, mean wait {wait_s:.0f} s, {result['mwh']:.2f} MWh "
        f"({result['lost_mwh']:.2f} lost), "
        f"at most {most:,} nodes held, {early} jobs early"
    )
    return met, text


def main() -> None:
    """Print gates and speed; exit 1 where a gate is not met."""
    parser = argparse.ArgumentParser(description="Frontier's day beside RAPS.")
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind (median)")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        jobs, folder, how = options.work
        sys.stdout.write(json.dumps(work(Path(jobs), Path(folder), json.loads(how))))
        return
    data = data_folder()
    jobs = data / "jobs_1d.csv.gz"
    say = sys.stdout.write
    with tempfile.TemporaryDirectory(prefix="twin-samework-") as name:
        folder = Path(name)
        replayed, text = gate_replay(data, folder)
        say(f"G1 {'met' if replayed else 'NOT MET'}: {text}\n")
        kinds = {"same work": "off", "everything on": "on"}
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        idle: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for k in range(options.runs):
            for kind, cooling in kinds.items():
                how = {"starts": False, "cooling": cooling, "probe": False}
                runs[kind].append(apart(jobs, folder / f"{kind}{k}", days=1, **how))
                # A day cut to its first 75 s, in which one job arrives: nothing but start-up.
                idle[kind].append(apart(jobs, folder / f"{kind}{k}s", days=75 / 86_400, **how))
        scheduled, text = gate_schedule(data, folder / "same work0", runs["same work"][0])
        say(f"G2 {'met' if scheduled else 'NOT MET'}: {text}\n\n")
        say(f"{'':16}{'CPU [s]':>10}{'net [s]':>10}{'peak [MB]':>12}{'x RAPS':>9}{'net x':>9}\n")
        say(f"{'RAPS':16}{RAPS['cpu_s']:10.1f}{RAPS['net_cpu_s']:10.1f}{RAPS['peak_mb']:12.0f}\n")
        for kind in kinds:
            cpu_s = statistics.median(one["cpu_s"] for one in runs[kind])
            net_s = cpu_s - statistics.median(one["cpu_s"] for one in idle[kind])
            peak_mb = statistics.median(one["peak_mb"] for one in runs[kind])
            say(
                f"{kind:16}{cpu_s:10.2f}{net_s:10.2f}{peak_mb:12.0f}"
                f"{RAPS['cpu_s'] / cpu_s:9.0f}{RAPS['net_cpu_s'] / net_s:9.0f}\n"
            )
        residual = runs["everything on"][0]["residual"]
        say(f"\nledger residual, everything on: {residual:.1e}; Python {sys.version.split()[0]}\n")
    if not (replayed and scheduled):
        sys.exit(1)


if __name__ == "__main__":
    main()
