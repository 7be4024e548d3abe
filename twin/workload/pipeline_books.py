"""The books of a pipeline: where each clip is at each instant, and what holds them up."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.records import FlowReport, Job, Used
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from twin.workload.upload import STEP_S, Inflow

Floats = NDArray[np.float64]

STAGES = ("selection", "labelling", "reconstruction", "training", "simulation")
"""What a batch passes through, in this order."""
BEFORE = ("upload", "ingest", "gathering")
"""Where clips are before their batch is ready: in the vehicle, in the line, written."""
SHORTEST_DAYS = 2.0
"""Below this a run shows a moment of the pipeline, not its mean. [d]"""
WORDS = {
    "upload": "upload over the WAN",
    "ingest": "ingest into the storage",
    "gathering": "waiting for the batch to close",
    "selection": "selection",
    "labelling": "labelling",
    "reconstruction": "3-D reconstruction and data generation",
    "training": "clip training",
    "simulation": "replay simulation and test",
}


@dataclass(slots=True)
class Batch:
    """What the fleet recorded in one cycle, and how far it has come."""

    number: int
    """0: recorded from second 0 on; negative: before."""
    clips: float
    recorded_s: float
    """When its mean clip was recorded. [s]"""
    ready_s: float
    """When all of it is written; inf: not yet. [s]"""
    end: int = 0
    """The step at which the fleet had recorded all of it."""
    kept: float = 0.0
    entered: dict[str, float] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)
    """When it entered and left each stage; may lie in the future. [s]"""
    by_hand_s: float = -inf
    """When people are done with it. [s]"""
    waits_for: int = 0
    """Jobs of its stage that have not ended."""

    def clips_in(self, stage: str, keep_fraction: float) -> float:
        """Return its clips in *stage*: after selection only those kept."""
        self.kept = self.clips * keep_fraction
        return self.clips if stage == "selection" else self.kept


@dataclass(slots=True)
class Books:
    """All that has happened to all clips."""

    flow: Inflow | None = None
    batches: list[Batch] = field(default_factory=list)
    ready: int = 0
    """How many of them are written, those recorded first."""
    open: dict[Job, tuple[Batch | None, str]] = field(default_factory=dict)
    """Jobs that have not ended, and what they are for."""
    people_free_s: float = -inf
    """When people are done with all they have. [s]"""
    held_gpu_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    waited_gpu_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    read_bytes: float = 0.0
    written_bytes: float = 0.0
    """By jobs that have ended, lost work included."""

    def note(self, job: Job, stage: str) -> None:
        """Book the GPU time that *job* held or waited for, and what it moved."""
        self.held_gpu_s[stage] += job.gpus * job.service_s
        away_s = job.finished_at_s - job.arrived_at_s - job.service_s
        self.waited_gpu_s[stage] += job.gpus * away_s
        read, written = _moved(job)
        self.read_bytes += read
        self.written_bytes += written

    def own(self) -> tuple[float, float, float]:
        """Return the GPU time [GPU-s] of all jobs, ended or not, and the bytes read and written."""
        gpu_s = sum(self.held_gpu_s.values()) + sum(job.gpus * job.service_s for job in self.open)
        moved = [_moved(job) for job in self.open]
        return (
            gpu_s,
            self.read_bytes + sum(read for read, _ in moved),
            self.written_bytes + sum(written for _, written in moved),
        )

    def backlogs(self, at_s: Floats) -> dict[str, Floats]:
        """Return the clips in each place at each of *at_s*, and what has left them so far.

        ``recorded = sum of all places + discarded + released``, at every instant.
        """
        flow = self.flow
        assert flow is not None
        found = {"recorded": np.interp(at_s, flow.at_s, flow.recorded)}
        uploaded = np.interp(at_s, flow.at_s, flow.uploaded)
        written = np.interp(at_s, flow.at_s, flow.written)
        found["upload"] = found["recorded"] - uploaded
        found["ingest"] = uploaded - written
        found["gathering"] = written - self._passed(at_s, "selection", "clips", self._entered)
        for stage in STAGES:
            clips = "clips" if stage == "selection" else "kept"
            inside = self._passed(at_s, stage, clips, self._entered)
            found[stage] = inside - self._passed(at_s, stage, clips, self._left)
        selected = self._passed(at_s, "selection", "clips", self._left)
        found["discarded"] = selected - self._passed(at_s, "selection", "kept", self._left)
        found["released"] = self._passed(at_s, STAGES[-1], "kept", self._left)
        return found

    @staticmethod
    def _entered(batch: Batch, stage: str) -> float:
        return batch.entered.get(stage, inf)

    @staticmethod
    def _left(batch: Batch, stage: str) -> float:
        return batch.left.get(stage, inf)

    def _passed(self, at_s: Floats, stage: str, clips: str, when: Any) -> Floats:
        """Return the clips of batches for which *when* lies before each of *at_s*."""
        passed = np.zeros(len(at_s))
        for batch in self.batches:
            passed[np.searchsorted(at_s, when(batch, stage)) :] += getattr(batch, clips)
        return passed


def _moved(job: Job) -> tuple[float, float]:
    """Return the bytes that *job* read and wrote so far, lost work included."""
    if not job.service_s:
        return 0.0, 0.0
    worked_s = job.work_s - job.remaining_s + job.lost_gpu_s / job.gpus
    return job.read_bytes_per_s * worked_s, job.write_bytes_per_s * worked_s


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is asked for and what there is, in clips a day, GPU time and bytes."""

    clips_per_day: float
    kept_per_day: float
    clip_bytes: float
    wan_per_day: float
    ingest_per_day: float
    by_hand_per_day: float
    people_per_day: float
    gpu_s_per_day: dict[str, float]
    """By stage, if it keeps up with the fleet. [GPU-s/d]"""
    read_bytes_per_day: float
    write_bytes_per_day: float
    """By the ingest and all stages, if they keep up. [B/d]"""
    used: Used

    def per_day(self, stage: str) -> float:
        """Return the clips a day that a stage must take to keep up."""
        return self.clips_per_day if stage in (*BEFORE, "selection") else self.kept_per_day

    def loads(self, books: Books, ingested: float, waiting: float) -> dict[str, float]:
        """Return what is asked of each resource over what it has.

        What others took of GPUs and storage is what all took but the pipeline's jobs and the
        clips *ingested* in the run. Room is asked for by the clips *waiting* for ingest as well,
        where there is none for them.
        """
        used = self.used
        gpu_s, read, written = books.own()
        asked_gpu_s = sum(self.gpu_s_per_day.values()) / SECONDS_PER_DAY
        others_gpu_s = max(0.0, used.held_gpu_s - gpu_s) / used.seconds
        written += ingested * self.clip_bytes
        others_read = max(0.0, used.read_bytes - read) / used.seconds
        others_written = max(0.0, used.written_bytes - written) / used.seconds
        found = {
            "WAN": self.clips_per_day / self.wan_per_day,
            "ingest": self.clips_per_day / self.ingest_per_day,
            "storage": used.storage_load(
                self.read_bytes_per_day / SECONDS_PER_DAY + others_read,
                self.write_bytes_per_day / SECONDS_PER_DAY + others_written,
            ),
            "hand labelling": self.by_hand_per_day / self.people_per_day,
            "GPUs": (asked_gpu_s + others_gpu_s) / used.gpus,
        }
        if used.room is not None:
            lies_bytes, holds_bytes = used.room
            asked_bytes = lies_bytes + waiting * self.clip_bytes
            found["room on the storage"] = asked_bytes / holds_bytes
        return found


def write_report(books: Books, capacity: Capacity) -> FlowReport | None:
    """Return what came of the pipeline in a run; None where nothing ran."""
    end_s = capacity.used.seconds
    if books.flow is None or end_s <= 0.0:
        return None
    days = end_s / SECONDS_PER_DAY
    at_s = np.append(np.arange(0.0, end_s, STEP_S), end_s)
    series = {"at_s": at_s, **books.backlogs(at_s)}
    stages = [_stage(name, series, capacity, books, days) for name in (*BEFORE, *STAGES)]
    for total in ("recorded", "discarded", "released"):
        series[total] = series[total] - series[total][0]
    releases = [
        {
            "batch": batch.number,
            "clips": batch.kept,
            "released_s": batch.left[STAGES[-1]],
            "cycle_days": (batch.left[STAGES[-1]] - batch.recorded_s) / SECONDS_PER_DAY,
        }
        for batch in books.batches
        if 0.0 <= batch.left.get(STAGES[-1], inf) <= end_s
    ]
    cycles = [release["cycle_days"] for release in releases]
    written, waiting = books.flow.written_between(0.0, end_s), float(series["ingest"][-1])
    loads = capacity.loads(books, written, waiting)
    end_days = sum(stage["backlog_end_days"] for stage in stages)
    return FlowReport(
        summary={
            "releases": len(releases),
            "release_cycle_p50_days": float(np.percentile(cycles, 50)) if cycles else None,
            "release_cycle_p95_days": float(np.percentile(cycles, 95)) if cycles else None,
            "clips_recorded": float(series["recorded"][-1]),
            "clips_released": float(series["released"][-1]),
            "pipeline_backlog_days": end_days,
            "pipeline_load_max": max(loads.values()),
        },
        details={
            "bottleneck": bottleneck(loads, stages, capacity, days),
            "loads": loads,
            "stages": stages,
            "releases": releases,
        },
        series=series,
    )


def _stage(
    name: str, series: dict[str, Floats], capacity: Capacity, books: Books, days: float
) -> dict[str, Any]:
    """Return what is to be said of one place where clips can be."""
    per_day = capacity.per_day(name)
    backlog = series[name] / per_day
    held = books.held_gpu_s.get(name, 0.0)
    return {
        "stage": name,
        "asked_clips_per_day": per_day,
        "done_clips_per_day": _done(name, series) / days,
        "backlog_mean_days": _mean(backlog, series["at_s"]),
        "backlog_max_days": float(backlog.max()),
        "backlog_start_days": float(backlog[0]),
        "backlog_end_days": float(backlog[-1]),
        "backlog_end_clips": float(series[name][-1]),
        "gpu_hours_asked_per_day": capacity.gpu_s_per_day.get(name, 0.0) / SECONDS_PER_HOUR,
        "waiting_for_gpus_fraction": _ratio(books.waited_gpu_s.get(name, 0.0), held),
    }


def _mean(values: Floats, at_s: Floats) -> float:
    """Return the mean over time of *values*, joined by straight lines."""
    middle = 0.5 * (values[1:] + values[:-1])
    return float(middle @ np.diff(at_s) / (at_s[-1] - at_s[0]))


def _ratio(waited: float, held: float) -> float | None:
    return waited / (waited + held) if held else None


def _done(name: str, series: dict[str, Floats]) -> float:
    """Return the clips that left a place in the run: those behind it grew, or left as well."""
    places = (*BEFORE, *STAGES)
    after = places[places.index(name) + 1 :]
    change = sum(float(series[place][-1] - series[place][0]) for place in after)
    change += float(series["released"][-1] - series["released"][0])
    if places.index(name) <= places.index("selection"):
        change += float(series["discarded"][-1] - series["discarded"][0])
    return max(0.0, change)  # differences of large counts leave a rounding rest


def bottleneck(
    loads: dict[str, float], stages: list[dict[str, Any]], capacity: Capacity, days: float
) -> dict[str, Any]:
    """Name what holds the releases up, and say why in a sentence.

    What is asked for more than it has is the bottleneck, the most overloaded first. Where all
    keep up, it is the stage in which clips spend the longest part of their way: by Little's
    law that time is the mean backlog, in days of the fleet's recording.
    """
    ranked = sorted(loads, key=lambda name: -loads[name])
    others = ", ".join(f"{name} {loads[name]:.2f}" for name in ranked[1:])
    first = ranked[0]
    growth = sum(stage["backlog_end_days"] - stage["backlog_start_days"] for stage in stages)
    if loads[first] > 1.0:
        name = first
        if first == "GPUs":
            asked = capacity.gpu_s_per_day
            most = max(asked, key=lambda stage: asked[stage])
            share = asked[most] / sum(asked.values())
            name = f"GPUs, {share:.0%} of the pipeline's work is {WORDS[most]}"
        why = (
            f"{name}: asked for {loads[first]:.2f} times what there is (then {others}); "
            f"the backlog of all stages changed by {growth:+.1f} days of recording in the run"
        )
        return {"name": first, "kind": "capacity", "why": why}
    if days < SHORTEST_DAYS:
        short = "1 day" if days == 1.0 else f"{days:.2g} days"
        why = (
            f"none named: a run of {short} is too short to see where clips spend their time; "
            f"everything keeps up (loads: {first} {loads[first]:.2f}, {others})"
        )
        return {"name": None, "kind": "time", "why": why}
    longest = max(
        (stage for stage in stages if stage["stage"] != "gathering"),
        key=lambda stage: stage["backlog_mean_days"],
    )
    way = sum(stage["backlog_mean_days"] for stage in stages)
    waiting = longest["waiting_for_gpus_fraction"]
    queue = f", {waiting:.0%} of it waiting for GPUs" if waiting is not None else ""
    why = (
        f"{WORDS[longest['stage']]}: clips spend {longest['backlog_mean_days']:.1f} of "
        f"{way:.1f} days there{queue}; everything keeps up (loads: {first} "
        f"{loads[first]:.2f}, {others})"
    )
    return {"name": longest["stage"], "kind": "time", "why": why}
