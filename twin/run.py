"""One configuration to one finished run folder."""

from __future__ import annotations

import gc
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from twin import __version__, build
from twin.build import Design
from twin.facility import Facility
from twin.results.recorder import Recorder
from twin.results.summary import FacilityFacts, summarize, write_summary

Summary = dict[str, float | str | None]
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
    clocks = time.perf_counter(), time.process_time()
    design = build.read(config)
    build.size(design)
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder, design.output.interval_s)
    try:
        facility = build.assemble(design, recorder)
        events = simulate(design, facility, progress or (lambda _: None))
        recorder.racks(rack_table(design, facility))
        recorder.close()
    except BaseException:
        recorder.abort()
        raise
    summary = summarize(facility.totals, facts(design), folder / "jobs.parquet")
    _write_text(folder / "config.yaml", _yaml(config))
    _write_json(folder / "run.json", run_record(design, facility, events, clocks, command))
    if design.output.plots or design.output.report:
        _illustrate(design, folder, summary)
    write_summary(folder, summary)
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
    return next(env._eid)


def rack_table(design: Design, facility: Facility) -> dict[str, list[Any]]:
    """Return the columns of ``racks.parquet``."""
    number = facility.cluster.racks
    limits = facility.limits
    power = facility.racks.table()
    width = len(str(number))
    kind = type(design.cooling).__name__
    return {
        "rack_id": [f"rack-{i:0{width}d}" for i in range(1, number + 1)],
        "hall": ["hall-1"] * number,
        "cooling": [kind] * number,
        "rated_kw": [design.rack.rated_kw] * number,
        **power,
        "inlet_max_c": [limits.inlet_max_c] * number,
        "throttled_s": [limits.throttled_s] * number,
    }
