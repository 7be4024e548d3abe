"""Hours of a job on many machines, from its hours on few."""

from __future__ import annotations


def hours(baseline_hours: float, machines: float, efficiency: float = 1.0) -> float:
    """Return the time on so many times as many machines, at that scaling efficiency [h]."""
    return baseline_hours / (machines * efficiency)


def factor(machines: float, efficiency: float = 1.0) -> float:
    """Return by how much that is faster."""
    return machines * efficiency


def needed_efficiency(machines: float, factor: float) -> float:
    """Return the scaling efficiency that a speed-up on so many machines says."""
    return factor / machines


def gpu_hours(hours: float, gpus: float) -> float:
    """Return the GPU time of a job [GPU-h]."""
    return hours * gpus
