"""One configuration to one finished run folder."""

from __future__ import annotations

import functools
import gc
import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twin import __version__, build, replications
from twin.build import Design
from twin.burst import warnings as burst_warnings
from twin.burst import write_bursts
from twin.economics import Building, Capital, Costs
from twin.errors import RunError
from twin.facility import Facility
from twin.files import write_text
from twin.identity import identity
from twin.pool import spread
from twin.records import FlowReport, Used
from twin.results.parquet import ParquetFile
from twin.results.recorder import Recorder
from twin.results.summary import Facts, Summary, summarize, write_summary
from twin.schema import PIPELINE
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

Progress = Callable[[float], None]
PACKAGES = ("simpy", "numpy", "networkx", "matplotlib", "hydra-core", "pyarrow", "rich", "plotly")


def check(config: Mapping[str, Any]) -> None:
    """Build everything that *config* names without running it.

    Raises
    ------
    ConfigError
        If a key, a value, an input file or the fit of the parts is wrong.
    """
    build.size(build.read(config))


def execute(
    config: Mapping[str, Any],
    folder: Path,
    progress: Progress | None = None,
    command: str = "",
) -> Summary:
    """Simulate *config* and leave a finished run in *folder*; ``summary.json`` comes last.

    Parameters
    ----------
    config : mapping
        The resolved configuration, plain data.
    folder : Path
        Made if it does not exist.
    progress : callable, optional
        Told the fraction 0-1 that is done, from time to time.
    command : str
        What the user typed, for run.json.

    Returns
    -------
    dict
        The summary, as in ``summary.json``.

    Raises
    ------
    TwinError
        See :func:`check`; the folder is then left as it was.
    """
    tell = progress or (lambda _: None)
    design = build.read(config)
    number = design.clock.replications
    if number == 1:
        build.size(design)
        return _one(config, design, folder, tell, command)
    summaries = _replicate(config, number, folder, tell, command)
    replications.write_table(summaries, folder)
    summary = replications.combine(summaries)
    write_text(folder / "config.yaml", _yaml(config))
    _illustrate_replications(design, summaries, summary, folder)
    write_summary(summary, folder)
    return summary


def _replicate(
    config: Mapping[str, Any], number: int, folder: Path, progress: Progress, command: str
) -> list[Summary]:
    """Run *config* so many times, over the cores, each with dice of its own; same bytes always."""
    done = [0.0] * number

    def work(index: int, tell: Progress) -> Summary:
        design = build.read(config)
        build.size(design, index)
        return _one(config, design, folder / f"rep_{index:03d}", tell, command)

    def told(index: int, fraction: float) -> None:
        done[index] = fraction
        progress(sum(done) / number)

    check(config)  # whatever is wrong with it is wrong with all of them, and said once
    ends = spread(number, work, on_news=told)
    for end in ends:
        if end.error is not None:
            from twin.results.compare import ERROR_FILE

            place = folder / f"rep_{end.index:03d}" / ERROR_FILE
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, end.detail)
            raise RunError(
                f"replication {end.index}: {end.error}; the traceback is in "
                f"{place.relative_to(folder)}"
            )
    return [end.value for end in ends]


def _illustrate_replications(
    design: Design, summaries: list[Summary], summary: Summary, folder: Path
) -> None:
    """Draw how far chance moves the figures, and write the page that shows it."""
    picture = None
    if design.output.plots:
        from twin.plot.replications import draw

        picture = draw(summaries, summary, folder / "plots")
    if design.output.report:
        from twin.results.replicated import write_page

        about = {"name": design.scenario.name, "question": design.scenario.question}
        write_page(summaries, summary, about, folder, picture)


def _one(
    config: Mapping[str, Any], design: Design, folder: Path, progress: Progress, command: str
) -> Summary:
    """Run a sized *design* once and leave a finished folder."""
    clocks = time.perf_counter(), time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder, design.output.interval_s)
    try:
        facility = build.assemble(design, recorder)
        events = simulate(design, facility, progress)
        recorder.racks(rack_table(design, facility))
        if facility.bursts:
            write_bursts(facility.bursts, folder)
        recorder.close()
        if facility.totals.flow is not None:
            _write_pipeline(facility.totals.flow, folder)
    except BaseException:
        recorder.abort()
        raise
    summary = summarize(
        facility.totals, facts(design, facility), facility.racks, folder / "jobs.parquet"
    )
    write_text(folder / "config.yaml", _yaml(config))
    record = run_record(design, facility, events, clocks, command)
    write_text(folder / "run.json", _json({"identity": identity(config), **record}))
    illustrate(design, folder, summary)
    write_summary(summary, folder)
    return summary


def simulate(design: Design, facility: Facility, progress: Progress) -> int:
    """Run the processes to the end of the run; return the number of events."""
    env, clock = facility.env, design.clock
    beats = env.process(facility.heartbeat(clock.heartbeat_s, design.duration_s, progress))
    enabled = gc.isenabled()
    gc.disable()  # jobs and their processes refer to each other; freed by count, not by search
    try:
        env.run(until=beats)
    finally:
        if enabled:
            gc.enable()
    facility.close()
    _add_up(facility)
    _add_latencies(design, facility)
    _add_flow(design, facility)
    return int(next(env._eid))


def _add_up(facility: Facility) -> None:
    """Carry what the dispatcher counted over to the totals."""
    totals, desk = facility.totals, facility.dispatcher
    totals.useful_gpu_s = max(desk.useful_gpu_s, 0.0)  # lost work leaves a rounding rest
    totals.lost_gpu_s = desk.lost_gpu_s
    totals.storage_read_bytes = desk.moved.read_bytes
    totals.storage_written_bytes = desk.moved.written_bytes
    if desk.saving is not None:
        totals.storage_written_bytes -= desk.saving.unwritten_bytes
        totals.storage_most_bytes = desk.saving.space.most_bytes
        totals.storage_stalled_gpu_s = desk.saving.stalled_gpu_s
    totals.flops, totals.flops_gpu_s = desk.useful_flops, desk.known_flops_gpu_s
    totals.jobs_submitted = desk.submitted
    totals.jobs_completed = desk.completed
    totals.jobs_killed = desk.killed
    totals.service_j = desk.service_j
    totals.requests_asked = desk.tally.asked


def _add_latencies(design: Design, facility: Facility) -> None:
    """Carry over how long requests waited, where the workload knows."""
    latency = design.workload.latency(facility.dispatcher.offers.paces)
    if latency is None:
        return
    totals = facility.totals
    totals.ttft_p50_s, totals.itl_p50_s = latency.ttft_s(0.5), latency.itl_s(0.5)
    totals.ttft_p99_s, totals.itl_p99_s = latency.ttft_s(0.99), latency.itl_s(0.99)
    within = latency.within_fraction()
    totals.requests_within_slo = None if within is None else within * totals.requests


def _add_flow(design: Design, facility: Facility) -> None:
    """Carry over what came of a pipeline of batches, where the workload has one."""
    totals, desk = facility.totals, facility.dispatcher
    totals.flow = design.workload.flow_report(
        Used(
            seconds=totals.seconds,
            gpus=design.facility.gpus,
            held_gpu_s=totals.gpu_allocated_s,
            read_bytes=totals.storage_read_bytes,
            written_bytes=totals.storage_written_bytes,
            storage_load=design.storage.asked_fraction,
            room=desk.saving.short_room(desk.traffic.inlet) if desk.saving else None,
        )
    )


def facts(design: Design, facility: Facility) -> Facts:
    """Return what the scorecard must know of the facility besides the totals."""
    totals, config = facility.totals, design.facility
    gpu_hours = totals.gpu_allocated_s / SECONDS_PER_HOUR
    missing, paid = missing_fraction(design), costs(design, facility)
    there_were = config.gpus * (1.0 - missing) * totals.seconds / SECONDS_PER_HOUR
    rent = design.economics.rent(there_were, design.site.currency)
    bought, rate = capital(design), design.economics.exchange(design.site.currency)
    return Facts(
        gpus=config.gpus,
        racks_built=design.positions,
        floor_area_m2=design.floor_m2,
        nameplate_it_w=standing_w(design),
        missing_fraction=missing,
        currency=design.site.currency,
        has_services=design.workload.held_gpus() > 0,
        peak_flops=design.gpu.peak_flops,
        cost_per_gpu_hour=paid.per_gpu_hour(gpu_hours),
        break_even_fraction=paid.break_even(rent),
        it_capex=rate * bought.it,
        building_capex=rate * (bought.building + bought.floor),
    )


def missing_fraction(design: Design) -> float:
    """Return the part of all rack-time in which a rack of a build-out did not stand yet."""
    return design.build_out.missing_fraction(design.duration_s) if design.build_out else 0.0


def standing_w(design: Design) -> float:
    """Return the plate rating of all IT that stood, on the mean over the run [W]."""
    storage_w = design.storage.power_w(float("inf"))
    racks_w = design.it_nameplate_w - storage_w
    return storage_w + racks_w * (1.0 - missing_fraction(design))


def capital(design: Design) -> Capital:
    """Return what is paid once, in the currency of the prices; IT as it stood in the mean."""
    building = Building(  # it stands from the start
        design.built_it_w,
        design.cooling.liquid_fraction(),
        design.floor_m2,
        design.positions,
    )
    gpus = round(design.facility.gpus * (1.0 - missing_fraction(design)))
    return design.economics.capital(gpus, building)


def costs(design: Design, facility: Facility) -> Costs:
    """Return what the run cost, by what it is paid for."""
    totals = facility.totals
    return design.economics.costs(
        capital(design),
        hours=totals.seconds / SECONDS_PER_HOUR,
        energy_cost=totals.electricity_cost,
        water_m3=totals.water_kg / 1e3,
        currency=design.site.currency,
    )


def cost_record(design: Design, facility: Facility) -> dict[str, Any]:
    """Return the costs by what they are paid for, beside renting what jobs held."""
    held_gpu_hours = facility.totals.gpu_allocated_s / SECONDS_PER_HOUR
    currency = design.site.currency
    return {
        "currency": currency,
        **asdict(costs(design, facility)),
        "held_gpu_hours": held_gpu_hours,
        "rent_of_held_gpu_hours": design.economics.rent(held_gpu_hours, currency),
    }


def rack_table(design: Design, facility: Facility) -> dict[str, list[Any]]:
    """Return the columns of ``racks.parquet``."""
    number = facility.cluster.racks
    zones = [facility.zones[zone] for zone in facility.zone_of]
    power: Mapping[str, Any] = facility.racks.table()
    width = len(str(number))
    kind = type(design.cooling).__name__
    return {
        "rack_id": [f"rack-{i:0{width}d}" for i in range(1, number + 1)],
        "hall": ["hall-1"] * number,
        "cooling": [kind] * number,
        **power,
        "inlet_max_c": [zone.inlet_max_c for zone in zones],
        "throttled_s": [zone.throttled_s for zone in zones],
    }


def _warnings(design: Design, facility: Facility) -> list[str]:
    """Return what every part of the facility wants to be known about the run."""
    report, saving = design.workload.report, facility.dispatcher.saving
    return [
        *design.weather.warnings,
        *design.grid.warnings,
        *design.power.warnings,
        *design.cooling.warnings,
        *([design.rack_note] if design.rack_note else []),
        *design.filling.unchecked(),
        *design.storage.warnings(),
        *(saving.warnings() if saving else []),
        *design.workload.warnings,
        *(report.notes if report else []),
        *burst_warnings(facility.bursts),
        *design.faults.beyond(design.duration_s / SECONDS_PER_HOUR),
    ]


def run_record(
    design: Design,
    facility: Facility,
    events: int,
    clocks: tuple[float, float],
    command: str,
) -> dict[str, Any]:
    """Return the content of run.json: what made this run, and what to know about it."""
    report = design.workload.report
    racks = facility.racks
    return {
        "twin": __version__,
        "command": command,
        "git": _git_commit(),
        "seed": design.clock.seed,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": _versions(),
        "wall_s": round(time.perf_counter() - clocks[0], 3),
        "cpu_s": round(time.process_time() - clocks[1], 3),
        "events": events,
        "warnings": _warnings(design, facility),
        "weather": design.weather.source,
        "grid": design.grid.sources,
        "workload": asdict(report) if report else None,
        "placement": {
            "rule": design.scheduling.placement,
            **facility.dispatcher.spans.record(),
        },
        "servers_busy_mean": facility.dispatcher.tally.busy_servers_s / design.duration_s,
        "servers": facility.cluster.servers,
        "rack": asdict(design.filling),
        "cooling_energy_kwh": {
            part: energy_j / JOULES_PER_KWH
            for part, energy_j in facility.totals.cooling_parts_j.items()
        },
        "costs": cost_record(design, facility),
        "demand": [asdict(month) for month in facility.demand_bill],
        "bursts": [burst.record() for burst in facility.bursts],
        "on_site": design.power.accounts(),
        "pipeline": None if facility.totals.flow is None else facility.totals.flow.details,
        "one_line": one_line(design),
        "fabric": fabric_record(design, facility),
        "distributions": {
            "rack_power_bins": "200 equal bins of the rating, then above it",
            "rack_power_s": racks.histogram_s().sum(axis=0).tolist(),
            "gpu_activity_bins": "0, 0.01 .. 1",
            "gpu_activity_gpu_s": facility.dispatcher.activity_gpu_s,
            "gpu_s": facility.cluster.gpus * facility.totals.seconds,
        },
    }


def one_line(design: Design) -> dict[str, Any]:
    """Return the one-line diagram at the end of the run, with the peak of each element."""
    graph = design.power.one_line()
    nodes = [{"name": name, **keys} for name, keys in graph.nodes(data=True)]
    return {"nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


def fabric_record(design: Design, facility: Facility) -> dict[str, Any]:
    """Return how the fabric hangs together and what its links carried."""
    fabric = design.network
    return {
        "kind": type(fabric).__name__,
        "plan": fabric.plan(),
        "contention": fabric.contention,
        "carries_storage": fabric.carries_storage,
        "links": facility.dispatcher.gangs.link_loads(facility.totals.seconds),
    }


def illustrate(design: Design, folder: Path, summary: Summary) -> None:
    """Draw the figures and write the report of a run whose files are complete."""
    if not (design.output.plots or design.output.report):
        return
    from twin.results.run_folder import Run

    run = Run(folder, summary)
    if design.output.plots:
        from twin.plot.all import draw_all

        draw_all(run)
    if design.output.report:
        from twin.results.report import write_report

        write_report(run)


def _write_pipeline(flow: FlowReport, folder: Path) -> None:
    file = ParquetFile(folder, "pipeline", PIPELINE)
    try:
        file.write(flow.series)
        file.close()
    except BaseException:
        file.abort()
        raise


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


@functools.cache
def _git_commit() -> str | None:
    """Return the commit of the code that this process loaded, where there is one."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _yaml(config: Mapping[str, Any]) -> str:
    """Return *config* word for word as OmegaConf writes it, but straight from plain data."""
    import yaml  # type: ignore[import-untyped]
    from omegaconf._utils import get_omega_conf_dumper

    class Dumper(get_omega_conf_dumper()):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return str(
        yaml.dump(
            dict(config),
            Dumper=Dumper,
            default_flow_style=False,
            allow_unicode=True,
            sort_keys=False,
        )
    )


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=1) + "\n"
