"""What a run folder says of its run: ``config.yaml``, and what ``run.json`` adds to it."""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from twin import __version__
from twin.build import Design
from twin.facility.burst import warnings as burst_warnings
from twin.facility.heartbeat import Facility
from twin.outcome import costs
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

PACKAGES = ("simpy", "numpy", "networkx", "matplotlib", "hydra-core", "pyarrow", "rich", "plotly")
"""Those whose versions are told."""


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
            **facility.dispatcher.network.spans.record(),
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
            "gpu_activity_gpu_s": facility.dispatcher.done.activity_gpu_s,
            "gpu_s": facility.cluster.gpus * facility.totals.seconds,
        },
    }


def _warnings(design: Design, facility: Facility) -> list[str]:
    """Return what every part of the facility wants to be known about the run."""
    report, saving = design.workload.report, facility.dispatcher.saving
    return [
        *design.weather.warnings,
        *design.grid.warnings,
        *design.power.warnings,
        *design.cooling.warnings,
        *(note for note in (design.rack_note, design.server_note) if note),
        *design.filling.unchecked(),
        *design.storage.warnings(),
        *(saving.warnings() if saving else []),
        *design.workload.warnings,
        *(report.notes if report else []),
        *burst_warnings(facility.bursts),
        *design.faults.beyond(design.duration_s / SECONDS_PER_HOUR),
    ]


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
        "links": facility.dispatcher.network.gangs.link_loads(facility.totals.seconds),
    }


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


def as_json(record: Mapping[str, Any]) -> str:
    """Return *record* as ``run.json`` holds it."""
    return json.dumps(record, indent=1) + "\n"


def as_yaml(config: Mapping[str, Any]) -> str:
    """Return *config* as ``config.yaml`` holds it: what OmegaConf reads back as it was."""
    text = yaml.dump(
        dict(config), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False
    )
    return str(text)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes each value in full, and text so that nobody takes it for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        """Quote also what OmegaConf, but not PyYAML, reads as a number or a truth value."""
        style = "'" if text in ("y", "Y", "n", "N") or _is_number(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
