"""Outcomes of a training run: planned on the cluster of a scenario, or simulated to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read, size
from twin.errors import ConfigError, RunError
from twin.results.run_folder import Run
from twin.units import JOULES_PER_KWH, SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from twin.workload.training_plan import Plan
from twin.workload.training_run import TrainingRun


def plan(config: Mapping[str, Any]) -> Plan:
    """Return the training run of *config* worked out on its cluster."""
    design = read(config)
    size(design)
    if not isinstance(design.workload, TrainingRun):
        raise ConfigError("workload.kind: must be training_run.TrainingRun for this figure")
    return design.workload.plan(design.context)


def goodput_fraction(config: Mapping[str, Any]) -> float:
    """Return the expected productive share at the checkpoints and failures of the run."""
    share = plan(config).goodput
    if share is None:
        raise ConfigError("workload.checkpoint.failures_per_server_day: is required")
    return share


def million_gpu_hours_expected(config: Mapping[str, Any]) -> float:
    """Return the GPU time of the whole run at the failures its checkpoints reckon with."""
    planned = plan(config)
    wall_s = planned.training_s / (planned.goodput or 1.0)
    return wall_s * planned.layout.gpus / SECONDS_PER_HOUR / 1e6


def days(run: Run) -> float:
    """Return the time from the start of the run's one job to its end [days]."""
    return _job(run)["service_s"] / SECONDS_PER_DAY


def minutes(run: Run) -> float:
    """Return the time from the start of the run's one job to its end [min]."""
    return _job(run)["service_s"] / SECONDS_PER_MINUTE


def million_gpu_hours(run: Run) -> float:
    """Return the GPU time of the run's one job [million GPU-h]."""
    job = _job(run)
    return job["service_s"] * job["gpus"] / SECONDS_PER_HOUR / 1e6


def server_w_per_gpu(run: Run) -> float:
    """Return what a GPU of the job drew on the mean, with its share of the server [W]."""
    job = _job(run)
    return job["energy_j"] / (job["service_s"] * job["gpus"])


def energy_mwh(run: Run) -> float:
    """Return what the job's servers used with their share of losses and cooling [MWh].

    Switches and storage are left out, as in published figures of servers times PUE.
    """
    return float(run.summary["pue"]) * _job(run)["energy_j"] / JOULES_PER_KWH / 1e3


def carbon_t(run: Run) -> float:
    """Return what that energy caused, at the mean intensity of the run [t]."""
    kg_per_kwh = float(run.summary["carbon_t"]) * 1e3 / float(run.summary["facility_energy_kwh"])
    return kg_per_kwh * energy_mwh(run)


def restarts(run: Run) -> float:
    """Return how often jobs of the run were stopped and started again."""
    return float(run.jobs(["restarts"])["restarts"].sum())


def productive_fraction(config: Mapping[str, Any], run: Run) -> float:
    """Return the time spent in steps that were kept over all time, of a run without an end.

    Checkpoints, lost work, restarts and waiting for GPUs are the rest (ETTR).
    """
    planned = plan(config)
    gpu_hours = planned.layout.gpus * float(run.summary["simulated_days"]) * 24.0
    useful = float(run.summary["gpu_hours_useful"]) * (1.0 - planned.blocked_fraction)
    return useful / gpu_hours


def _job(run: Run) -> dict[str, float]:
    """Return the columns of the one job of *run*, which must be finished."""
    table = run.jobs()
    if list(table["status"]) != ["completed"]:
        raise RunError(f"jobs of the run are {list(table['status'])}: must be one, completed")
    names = ("gpus", "service_s", "energy_j")
    return {name: float(table[name][0]) for name in names}
