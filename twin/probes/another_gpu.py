"""How fast work that is told for one GPU gets done on others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.errors import ConfigError
from twin.physics.another_gpu import relative_speed
from twin.workload.told_for import ToldFor, ToldWork


def minutes(config: Mapping[str, Any], told: float) -> float:
    """Return how long what is *told* to take on the workload's own GPU takes here [min]."""
    return told / _speed_here(config)


def per_second(config: Mapping[str, Any], told: float, tflops: float, tb_per_s: float) -> float:
    """Return the images or tokens a second here, where another GPU is *told* to reach so many."""
    return told * _speed_here(config) / _speed(_told(config), tflops, tb_per_s)


def _speed_here(config: Mapping[str, Any]) -> float:
    gpu = read(config).gpu
    return _speed(_told(config), gpu.peak_flops / 1e12, gpu.memory_bytes_per_s / 1e12)


def _told(config: Mapping[str, Any]) -> ToldFor:
    work = read(config).workload
    if not isinstance(work, ToldWork) or work.told_for is None:
        raise ConfigError("workload.told_for: is required for this figure")
    return work.told_for


def _speed(told: ToldFor, tflops: float, tb_per_s: float) -> float:
    arithmetic = tflops / told.peak_tflops
    bandwidth = tb_per_s / told.memory_bandwidth_tb_per_s
    return relative_speed(arithmetic, bandwidth, told.memory_fraction)
