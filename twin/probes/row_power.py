"""What rows of inference servers draw at most, and how many more servers they have room for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from twin import build
from twin import run as runs
from twin.errors import ConfigError, require
from twin.results.run_folder import Run
from twin.workload.replica import activity_of
from twin.workload.serving_fleet import Serving

Floats = NDArray[np.float64]


def servers_added(config: Mapping[str, Any], peak_fraction: float, capped_share: float) -> float:
    """Return the servers that can be added, over those there are, if the row is capped so rarely.

    The row is provisioned for its own peak over *peak_fraction*. Every server added draws what
    those there draw, minute by minute, and the row is capped while all together exceed what was
    provisioned; *capped_share* is the share of minutes in which it may be.
    """
    require(0.0 < peak_fraction <= 1.0, "peak_fraction", peak_fraction, "> 0 and <= 1")
    require(0.0 <= capped_share < 1.0, "capped_share", capped_share, ">= 0 and < 1")
    power_w = row_power_w(config)
    return room(power_w, float(power_w.max()) / peak_fraction, capped_share)


def room(power_w: Floats, provisioned_w: float, capped_share: float) -> float:
    """Return by how much *power_w* can grow until it exceeds *provisioned_w* for that share.

    Examples
    --------
    >>> minutes = np.array([50.0] * 98 + [80.0, 100.0])
    >>> round(room(minutes, 100 / 0.8, 0.0), 3), round(room(minutes, 100 / 0.8, 0.01), 4)
    (0.25, 0.5625)
    """
    allowed = int(capped_share * len(power_w) + 1e-9)
    highest_uncapped_w = float(np.sort(power_w)[::-1][allowed])
    return provisioned_w / highest_uncapped_w - 1.0


def row_power_w(config: Mapping[str, Any]) -> Floats:
    """Return the power of all servers of the configuration in each minute of its run [W]."""
    design = build.read(config)
    build.size(design)
    serving = cast(Serving, design.workload)
    serving.check(design.context)
    served = serving.serve(design.context)
    activity = activity_of(served.power_fraction, build.hardware(design))
    server = design.gpu
    levels, where = np.unique(activity.round(4), return_inverse=True)
    powers_w = np.array([server.power_w(server.drive(level))[0] for level in levels.tolist()])
    return powers_w[where] * serving.held_gpus() / server.gpus_per_server


def peak_cut(config: Mapping[str, Any], run: Run, baseline: str) -> float:
    """Return how much lower the fullest row peaks than it does under the placement *baseline*.

    There the requests of an endpoint go evenly to all its replicas.
    """
    return 1.0 - _peak_kw(run.summary) / _peak_kw(_before(config, baseline))


def capacity_won(config: Mapping[str, Any], run: Run, baseline: str, capped_share: float) -> float:
    """Return the servers that can be added, over those there are, where *baseline* has no room.

    Rows are provisioned for what the fullest draws at most under the placement *baseline*
    with requests shared evenly, and cooling for the nameplate of all IT there is. Every
    server added draws what those there draw, minute by minute; *capped_share* is the share of
    time in which the fullest row may be capped. None can be added where heat slows servers for
    longer than that.
    """
    summary, series = run.summary, run.series(["throttled_gpus", "row_power_max_w"])
    provisioned_w = 1e3 * _peak_kw(_before(config, baseline))
    hours = 24.0 * cast(float, summary["simulated_days"])
    built_mw = 1e3 * cast(float, summary["nameplate_energy_gwh"]) / hours
    cooled = built_mw / cast(float, summary["it_power_peak_mw"]) - 1.0
    slowed = series["throttled_gpus"] > 0.0
    if slowed.mean() > capped_share:
        return 0.0
    return min(room(series["row_power_max_w"], provisioned_w, capped_share), cooled)


def _peak_kw(summary: Mapping[str, Any]) -> float:
    """Return what the fullest row of a run draws at most [kW]."""
    peak_kw = summary["row_power_peak_kw"]
    if not isinstance(peak_kw, float):
        raise ConfigError("rack.racks_per_row=null: must be given for the peak of a row")
    return peak_kw


def _before(config: Mapping[str, Any], placement: str) -> Mapping[str, Any]:
    """Return the summary of the same run under another placement, requests shared evenly."""
    workload = config["workload"]
    streams = {name: _evenly(stream) for name, stream in (workload.get("streams") or {}).items()}
    other = {
        **config,
        "workload": _evenly(workload) | ({"streams": streams} if streams else {}),
        "scheduling": {**config["scheduling"], "placement": placement},
        "output": {**config["output"], "plots": False, "report": False},
    }
    with TemporaryDirectory() as folder:
        return runs.execute(other, Path(folder))


def _evenly(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return *workload* with its requests shared evenly at full clocks, if it has any to share."""
    plain = {"routing": "even", "reconfigure": None, "heat_margin_k": None}
    return {**workload, **{key: value for key, value in plain.items() if key in workload}}
