"""Arithmetic of published training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.physics.training import mean_time_to_failure_s, training_flops
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


def petaflop_days(parameters: float, tokens: float) -> float:
    """Return the work of training *parameters* on *tokens* [PFLOP/s x days]."""
    return training_flops(parameters, tokens) / 1e15 / SECONDS_PER_DAY


def days_with_recomputation(parameters: float, tokens: float, gpus: float, tflops: float) -> float:
    """Return how long *gpus* that each really do *tflops* take for it [days].

    The forward pass is run a second time on the way back, and *tflops* count that.
    """
    flops = training_flops(parameters, tokens, full_recompute=True)
    return flops / (gpus * tflops * 1e12) / SECONDS_PER_DAY


def million_gpu_hours(
    config: Mapping[str, Any], parameters: float, tokens: float, mfu: float
) -> float:
    """Return the GPU time of it on GPUs of the facility's kind at *mfu* [million GPU-h]."""
    flops_per_gpu_s = mfu * read(config).gpu.peak_flops
    return training_flops(parameters, tokens) / flops_per_gpu_s / SECONDS_PER_HOUR / 1e6


def hours_to_failure(
    config: Mapping[str, Any], gpus: float, failures_per_server_day: float
) -> float:
    """Return the mean time to failure of a job of *gpus* in servers of the facility's kind [h]."""
    servers = gpus / read(config).gpu.gpus_per_server
    return mean_time_to_failure_s(servers, failures_per_server_day) / SECONDS_PER_HOUR
