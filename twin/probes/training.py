"""Arithmetic of published training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import read
from twin.physics.training.checkpoints import mean_time_to_failure_s
from twin.physics.training.transformer import training_flops, transformer_flops
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


def failures(
    config: Mapping[str, Any], gpus: float, failures_per_server_day: float, days: float
) -> float:
    """Return the failures expected of *gpus* in servers of the facility's kind over *days*."""
    hours = hours_to_failure(config, gpus, failures_per_server_day)
    return days * SECONDS_PER_DAY / SECONDS_PER_HOUR / hours


def days(parameters: float, tokens: float, gpus: float, tflops: float) -> float:
    """Return how long *gpus* that each do *tflops* of useful work take [days]."""
    return training_flops(parameters, tokens) / (gpus * tflops * 1e12) / SECONDS_PER_DAY


def zettaflops_with_recomputation(
    layers: int, hidden: int, sequence: int, vocabulary: int, tokens: float
) -> float:
    """Return the work of such a model, attention and the second forward pass counted [ZFLOP]."""
    flops = transformer_flops(layers, hidden, sequence, vocabulary, tokens, full_recompute=True)
    return flops / 1e21


def days_of_work(zettaflops: float, gpus: float, tflops: float) -> float:
    """Return how long *gpus* that each do *tflops* take for so much work [days]."""
    return zettaflops * 1e21 / (gpus * tflops * 1e12) / SECONDS_PER_DAY


def first_pass_share(parameters: float, tokens: float, zettaflops: float) -> float:
    """Return which share of *zettaflops* of work repeats nothing: no forward pass run twice."""
    return training_flops(parameters, tokens) / (zettaflops * 1e21)


def productive_share(productive_days: float, lost_gpu_hours: float, gpus: float) -> float:
    """Return productive over all time of *gpus* that lose *lost_gpu_hours* together."""
    return productive_days / (productive_days + lost_gpu_hours / gpus / 24.0)


def gpu_gwh(config: Mapping[str, Any], million_gpu_hours: float) -> float:
    """Return the energy of GPUs of the facility's kind at their full power [GWh]."""
    return million_gpu_hours * read(config).gpu.gpu_power_w(1.0) / 1e3


def carbon_kg_per_kwh(config: Mapping[str, Any], million_gpu_hours: float, tonnes: float) -> float:
    """Return the carbon intensity by which that energy causes *tonnes* [kg/kWh]."""
    return tonnes / gpu_gwh(config, million_gpu_hours) / 1e3


def days_per_trillion_tokens(million_gpu_hours: float, gpus: float, tokens: float) -> float:
    """Return how long *gpus* take for 1e12 tokens [days]."""
    return million_gpu_hours * 1e6 / gpus / 24.0 / (tokens / 1e12)


def million_dollars(million_gpu_hours: float, dollars_per_gpu_hour: float) -> float:
    """Return the rent of that GPU time [million dollars]."""
    return million_gpu_hours * dollars_per_gpu_hour


def needed_mfu(
    config: Mapping[str, Any], parameters: float, tokens: float, gpus: float, days: float
) -> float:
    """Return the MFU at which *gpus* of the facility's kind train it in *days*; above 1: never."""
    flops_per_s = training_flops(parameters, tokens) / (days * SECONDS_PER_DAY)
    return flops_per_s / (gpus * read(config).gpu.peak_flops)
