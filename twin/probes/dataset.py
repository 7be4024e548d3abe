"""Reading a whole data set from the shared storage, and training on clips of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read, resolve
from twin.config import parse
from twin.errors import ConfigError
from twin.storage.parallel import ParallelStorage
from twin.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from twin.workload.clip_work import GpuTask
from twin.workload.driving_pipeline import DrivingPipeline

BYTES_PER_PETABYTE = 1e15
BYTES_PER_KILOBYTE = 1e3
HOURS_PER_WEEK = 168.0


def minutes_per_pass(config: Mapping[str, Any], petabytes: float) -> float:
    """Return how long one pass over a data set takes at the size of its files [min]."""
    bandwidth = read(config).storage.bandwidth_bytes_per_s
    return petabytes * BYTES_PER_PETABYTE / bandwidth / SECONDS_PER_MINUTE


def opens_per_s(config: Mapping[str, Any], file_kb: float) -> float:
    """Return the files that must be opened to use all the bandwidth [1/s]."""
    storage = read(config).storage
    if not isinstance(storage, ParallelStorage):
        raise ConfigError("storage.kind: must be parallel.ParallelStorage for this figure")
    return storage.stream_bytes_per_s / (file_kb * BYTES_PER_KILOBYTE)


def gpu_weeks(config: Mapping[str, Any], task: str, clips: float) -> float:
    """Return the GPU time of one pass of *clips* in a training task of the pipeline [GPU-weeks]."""
    found = _pipeline(config).training.get(task)
    if found is None:
        raise ConfigError(f"workload: its pipeline has no training task {task!r}")
    return _one_pass_gpu_s(found, clips) / SECONDS_PER_HOUR / HOURS_PER_WEEK


def _one_pass_gpu_s(task: GpuTask, clips: float) -> float:
    return task.gpu_s(clips) / task.passes_per_clip


def _pipeline(config: Mapping[str, Any]) -> DrivingPipeline:
    workload = config["workload"]
    streams = workload.get("streams", {"": workload})
    for stream in streams.values():
        if stream["kind"] == "driving_pipeline.DrivingPipeline":
            return parse(DrivingPipeline, stream, "workload", resolve)
    raise ConfigError("workload.streams: must hold a driving pipeline for this figure")
