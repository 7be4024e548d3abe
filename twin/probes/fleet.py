"""What servers and GPUs drew over a run, as distributions of all their time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.build import read
from twin.errors import ConfigError
from twin.results.racks import histogram_quantile
from twin.results.run_folder import Run

Floats = NDArray[np.float64]


def server_mean_kw(run: Run) -> float:
    """Return the mean power of a server [kW]."""
    return float(run.racks()["power_mean_kw"].sum()) / float(run.info["servers"])


def server_quantile_kw(config: Mapping[str, Any], run: Run, share: float) -> float:
    """Return what a server draws no more than for *share* of all server time [kW].

    Racks of one server are needed: their power is all that a run keeps as a distribution.
    """
    per_rack = config["rack"]["servers_per_rack"]
    if per_rack != 1:
        raise ConfigError(f"rack.servers_per_rack={per_rack}: must be 1 for this figure")
    rack = run.racks()
    histogram_s = np.array([run.info["distributions"]["rack_power_s"]])
    rated_kw, peak_kw = rack["rated_kw"][:1], np.array([rack["power_peak_kw"].max()])
    return float(histogram_quantile(histogram_s, rated_kw, peak_kw, share)[0])


def gpu_mean_w(config: Mapping[str, Any], run: Run) -> float:
    """Return the mean power of a GPU, idle ones included [W]."""
    power_w, share = _gpu_power(config, run)
    return float(power_w @ share)


def gpu_below(config: Mapping[str, Any], run: Run, power_w: float) -> float:
    """Return the fraction of GPU time below *power_w*, idle GPUs included."""
    drawn_w, share = _gpu_power(config, run)
    return float(share[drawn_w < power_w].sum())


def gpu_above(config: Mapping[str, Any], run: Run, power_w: float) -> float:
    """Return the fraction of GPU time above *power_w*, idle GPUs included."""
    drawn_w, share = _gpu_power(config, run)
    return float(share[drawn_w > power_w].sum())


def _gpu_power(config: Mapping[str, Any], run: Run) -> tuple[Floats, Floats]:
    """Return power levels [W] and the fraction of GPU time at each; GPUs without a job idle."""
    server, kept = read(config).gpu, run.info["distributions"]
    held_gpu_s, all_gpu_s = np.array(kept["gpu_activity_gpu_s"]), kept["gpu_s"]
    steps = len(held_gpu_s) - 1
    levels_w = [server.gpu_power_w(step / steps) for step in range(steps + 1)]
    time_gpu_s = np.append(held_gpu_s, all_gpu_s - held_gpu_s.sum())
    return np.array([*levels_w, server.gpu_power_w(0.0)]), time_gpu_s / all_gpu_s
