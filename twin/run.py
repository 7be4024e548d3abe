"""One configuration to one finished run folder."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twin import build, outcome, replications
from twin.build import Design
from twin.errors import RunError
from twin.facility.burst import write_bursts
from twin.facility.heartbeat import Facility
from twin.files import write_text
from twin.identity import identity
from twin.pool import spread
from twin.records import FlowReport
from twin.results.parquet import ParquetFile
from twin.results.recorder import Recorder
from twin.results.summary import Summary, summarize, write_summary
from twin.run_record import as_json, as_yaml, run_record
from twin.schema import PIPELINE

Progress = Callable[[float], None]


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
    tell = progress or (lambda _: None)
    design = build.read(config)
    number = design.clock.replications
    if number == 1:
        build.size(design)
        return _one(config, design, folder, tell, command)
    summaries = _replicate(config, number, folder, tell, command)
    replications.write_table(summaries, folder)
    summary = replications.combine(summaries)
    write_text(folder / "config.yaml", as_yaml(config))
    _illustrate_replications(design, summaries, summary, folder)
    write_summary(summary, folder)
    return summary


def _replicate(
    config: Mapping[str, Any], number: int, folder: Path, progress: Progress, command: str
) -> list[Summary]:
    """Run *config* so many times, over the cores, each with dice of its own; same bytes always."""
    done = [0.0] * number

    def work(index: int, tell: Progress) -> Summary:
        design = build.read(config)
        build.size(design, index)
        return _one(config, design, folder / f"rep_{index:03d}", tell, command)

    def told(index: int, fraction: float) -> None:
        done[index] = fraction
        progress(sum(done) / number)

    check(config)  # whatever is wrong with it is wrong with all of them, and said once
    ends = spread(number, work, on_news=told)
    for end in ends:
        if end.error is not None:
            from twin.results.compare import ERROR_FILE

            place = folder / f"rep_{end.index:03d}" / ERROR_FILE
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, end.detail)
            raise RunError(
                f"replication {end.index}: {end.error}; the traceback is in "
                f"{place.relative_to(folder)}"
            )
    return [end.value for end in ends]


def _illustrate_replications(
    design: Design, summaries: list[Summary], summary: Summary, folder: Path
) -> None:
    """Draw how far chance moves the figures, and write the page that shows it."""
    picture = None
    if design.output.plots:
        from twin.plot.replications import draw

        picture = draw(summaries, summary, folder / "plots")
    if design.output.report:
        from twin.results.replicated import write_page

        about = {"name": design.scenario.name, "question": design.scenario.question}
        write_page(summaries, summary, about, folder, picture)


def _one(
    config: Mapping[str, Any], design: Design, folder: Path, progress: Progress, command: str
) -> Summary:
    """Run a sized *design* once and leave a finished folder."""
    clocks = time.perf_counter(), time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder, design.output.interval_s)
    try:
        facility = build.assemble(design, recorder)
        events = simulate(design, facility, progress)
        recorder.racks(outcome.rack_table(design, facility))
        if facility.bursts:
            write_bursts(facility.bursts, folder)
        recorder.close()
        if facility.totals.flow is not None:
            _write_pipeline(facility.totals.flow, folder)
    except BaseException:
        recorder.abort()
        raise
    summary = summarize(
        facility.totals,
        outcome.facts(design, facility),
        facility.racks,
        folder / "jobs.parquet",
    )
    write_text(folder / "config.yaml", as_yaml(config))
    record = run_record(design, facility, events, clocks, command)
    write_text(folder / "run.json", as_json({"identity": identity(config), **record}))
    illustrate(design, folder, summary)
    write_summary(summary, folder)
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
    outcome.add_up(design, facility)
    return int(next(env._eid))  # SimPy counts its events, but tells nobody


def _write_pipeline(flow: FlowReport, folder: Path) -> None:
    file = ParquetFile(folder, "pipeline", PIPELINE)
    try:
        file.write(flow.series)
        file.close()
    except BaseException:
        file.abort()
        raise


def illustrate(design: Design, folder: Path, summary: Summary) -> None:
    """Draw the figures and write the report of a run whose files are complete."""
    if not (design.output.plots or design.output.report):
        return
    from twin.results.run_folder import Run

    run = Run(folder, summary)
    if design.output.plots:
        from twin.plot.all import draw_all

        draw_all(run)
    if design.output.report:
        from twin.results.report import write_report

        write_report(run)
