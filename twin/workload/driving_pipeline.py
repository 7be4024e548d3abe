"""From the vehicles of a fleet to a release: upload, labelling, training, simulation.

A batch is what the fleet recorded in one cycle of a day or more. The storage that takes it in
is that of all jobs, and may be short. When all of it is written, which is looked at every
quarter of an hour, it passes through the stages one after the other. A stage is done when all
its jobs have ended, which heat, feed, faults and other jobs may delay, and, in labelling, when
people have done their part. The next stage then sends its jobs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Annotated

import numpy as np

from twin.config import Fraction, Positive, PositiveFraction, Range
from twin.errors import ConfigError, require
from twin.records import FlowReport, Inlet, Job, Used, WorkloadContext
from twin.units import SECONDS_PER_DAY
from twin.workload.clip_work import GpuTask, People
from twin.workload.pipeline_books import STAGES, Batch, Books, Capacity, write_report
from twin.workload.rhythm import seconds_since_monday
from twin.workload.told_for import ToldWork
from twin.workload.upload import (
    STEP_S,
    STEPS_PER_DAY,
    Fleet,
    Ingest,
    inflow,
    reached_s,
    wan_clips_per_s,
)

MOST_JOBS = 10_000
"""Jobs of one batch and task; more is a typing error."""
MOST_EARLY = 30
"""Batches from before the start that may be under way; more pile up where work is overloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """Who labels which share of the clips."""

    by_hand_fraction: Fraction
    by_model_fraction: Fraction
    people: People
    tasks: dict[str, GpuTask]
    """Passes are over the clips that the model labels."""

    def __post_init__(self) -> None:
        """Refuse clips that nobody labels, or two do."""
        whole = math.isclose(self.by_hand_fraction + self.by_model_fraction, 1.0, abs_tol=1e-9)
        allowed = (
            f"1 - by_hand_fraction = {1.0 - self.by_hand_fraction:g}: each clip is labelled once"
        )
        require(whole, "by_model_fraction", self.by_model_fraction, allowed)


@dataclass(kw_only=True)
class DrivingPipeline(ToldWork):
    """The way of a fleet's clips to a release, every ``cycle_days``."""

    fleet: Fleet
    wan_gbps: Positive
    """The line of the centre, for uploads alone. [Gb/s]"""
    ingest: Ingest
    cycle_days: Annotated[int, Range(1, 366)]
    """From one batch to the next; each closes at midnight."""
    running_start: bool
    """Whether the batches of the days before are under way at the start, as they would be
    in an idle centre; false: the first clip is recorded at second 0."""
    selection: dict[str, GpuTask]
    keep_fraction: PositiveFraction
    """Clips that selection keeps; the others are discarded."""
    labelling: Labelling
    reconstruction: dict[str, GpuTask]
    training: dict[str, GpuTask]
    simulation: dict[str, GpuTask]

    books: Books = field(init=False, default_factory=Books, repr=False)
    """All that has happened; nothing else is remembered."""
    _context: WorkloadContext | None = field(init=False, default=None, repr=False)
    _inlet: Inlet | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a way without work on GPUs between selection and release."""
        for stage in ("selection", "training", "simulation"):
            tasks = self.tasks(stage)
            require(bool(tasks), stage, tasks, "a mapping of at least one task")

    def tasks(self, stage: str) -> dict[str, GpuTask]:
        """Return the GPU work of a stage, by name: a file may list it in any order.

        As it is on the GPUs of the facility, once ``jobs`` was asked; as it is told before.
        """
        found: dict[str, GpuTask] = {}
        if stage != "labelling":
            found = getattr(self, stage)
        elif self.labelling.by_model_fraction > 0.0:
            found = self.labelling.tasks
        return {name: self._moved(task) for name, task in sorted(found.items())}

    def _moved(self, task: GpuTask) -> GpuTask:
        told, context = self.told_for, self._context
        if told is None or context is None:
            return task
        return task.moved(told.speed(context, task.comm_fraction), told.arithmetic(context))

    def check(self, context: WorkloadContext) -> None:
        """Refuse jobs that can never start.

        Raises
        ------
        ConfigError
            If a task wants more GPUs than there are for jobs, or its ``mfu`` comes out above 1 on
            them.
        """
        self._context = None  # tasks as they are told
        super().check(context)
        for stage in STAGES:
            prefix = f"{stage}.tasks" if stage == "labelling" else stage
            for name, task in self.tasks(stage).items():
                if self.told_for is not None:
                    key = f"{self.key}.{prefix}.{name}"
                    self.told_for.refuse_mfu(key, task.mfu, task.comm_fraction, context)
                if task.gpus_per_job > context.gpus:
                    raise ConfigError(
                        f"{self.key}.{prefix}.{name}.gpus_per_job={task.gpus_per_job}: must be at "
                        f"most {context.gpus} GPUs, what the facility has for jobs"
                    )
                recorded = self.fleet.clips_per_day * self.cycle_days
                kept = 1.0 if stage == "selection" else self.keep_fraction
                number = task.number(self._clips_of(stage, recorded * kept))
                if number > MOST_JOBS:
                    raise ConfigError(
                        f"{self.key}.{prefix}.{name}: cuts a batch into {number} jobs: must be at "
                        f"most {MOST_JOBS}; raise hours_per_job or gpus_per_job"
                    )

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield the jobs of batches under way; the inlet and the ends of jobs set others free."""
        self._context = context
        self.books = Books()
        early = self._before() if self.running_start else 0
        self._record(context, early)
        opening = self._opening(early) if self.running_start else []
        return iter(sorted(opening, key=lambda job: job.arrived_at_s))

    def chain(self) -> Callable[[Job], list[Job]] | None:
        """Return what says which jobs the end of a job sets free."""
        return self._next_jobs

    def inlet(self) -> Inlet | None:
        """Return what the fleet uploads, on its way into the storage."""
        days = self.ingest.retention_days
        retention_s = inf if days is None else days * SECONDS_PER_DAY
        self._inlet = Inlet(STEP_S, self._write, retention_s)
        return self._inlet

    def flow_report(self, used: Used) -> FlowReport | None:
        """Return what came of the pipeline in a run."""
        if self.books.flow is not None and self._inlet is not None:
            self.books.flow.note_part(self._inlet.since_s, self._clips(self._inlet.written_bytes))
        fleet = self.fleet
        asked = fleet.clips_per_day
        clip_bytes = fleet.clip_bytes
        kept = asked * self.keep_fraction
        gpu_s = {stage: self._gpu_s(stage, asked, kept) for stage in STAGES}
        read, written = self._bytes_per_day(asked, kept)
        capacity = Capacity(
            clips_per_day=asked,
            kept_per_day=kept,
            clip_bytes=clip_bytes,
            wan_per_day=wan_clips_per_s(self.wan_gbps, clip_bytes) * SECONDS_PER_DAY,
            ingest_per_day=self.ingest.clips_per_s(clip_bytes) * SECONDS_PER_DAY,
            by_hand_per_day=kept * self.labelling.by_hand_fraction,
            people_per_day=self.labelling.people.clips_per_day,
            gpu_s_per_day=gpu_s,
            read_bytes_per_day=read,
            write_bytes_per_day=written,
            used=used,
        )
        return write_report(self.books, capacity)

    # ---- what is known before the first job ----

    def _gpu_s(self, stage: str, recorded: float, kept: float) -> float:
        clips = self._clips_of(stage, recorded if stage == "selection" else kept)
        return sum(task.gpu_s(clips) for task in self.tasks(stage).values())

    def _bytes_per_day(self, recorded: float, kept: float) -> tuple[float, float]:
        """Return what all stages read a day, and what they and the ingest write [B/d]."""
        read, written = 0.0, recorded * self.fleet.clip_bytes
        for stage in STAGES:
            clips = self._clips_of(stage, recorded if stage == "selection" else kept)
            for task in self.tasks(stage).values():
                read += task.gpu_s(clips) * task.read_bytes_per_gpu_s
                written += task.gpu_s(clips) * task.write_bytes_per_gpu_s
        return read, written

    def _clips_of(self, stage: str, clips: float) -> float:
        """Return the clips of a batch that the GPUs of a stage work on."""
        return clips * self.labelling.by_model_fraction if stage == "labelling" else clips

    def _before(self) -> int:
        """Return how many batches of before the start may still be under way at the start."""
        assert self._context is not None
        clips = self.fleet.clips_per_day * self.cycle_days
        kept = clips * self.keep_fraction
        alone_s = self._alone_s("selection", clips)
        alone_s += sum(self._alone_s(stage, kept) for stage in STAGES[1:])
        by_hand = kept * self.labelling.by_hand_fraction / self.labelling.people.clips_per_day
        days = alone_s / SECONDS_PER_DAY + by_hand
        number = 3 + math.ceil(days / self.cycle_days)  # a weekend, and the days of upload
        return min(number, MOST_EARLY)

    def _record(self, context: WorkloadContext, early: int) -> None:
        """Let the fleet record and upload, from *early* batches before the start to the end."""
        first_day = -early * self.cycle_days
        days = math.ceil(context.duration_s / SECONDS_PER_DAY) - first_day
        recorded = self.fleet.recorded(
            context.start, first_day, days, context.rng(f"{self.key}.fleet")
        )
        clip_bytes = self.fleet.clip_bytes
        storage = context.hardware.storage_bytes_per_s if context.hardware else inf
        self.books.flow = flow = inflow(
            recorded,
            first_day * SECONDS_PER_DAY,
            wan_clips_per_s(self.wan_gbps, clip_bytes),
            min(self.ingest.clips_per_s(clip_bytes), storage / clip_bytes),
        )
        flow.forget()
        per_batch = self.cycle_days * STEPS_PER_DAY
        for number, end in enumerate(range(per_batch, len(recorded), per_batch), start=-early):
            clips = np.diff(recorded[end - per_batch : end + 1])
            total = float(clips.sum())
            middle_s = 0.5 * (
                flow.at_s[end - per_batch : end] + flow.at_s[end - per_batch + 1 : end + 1]
            )
            mean_s = float(clips @ middle_s) / total if total else float(flow.at_s[end])
            ready_s = max(
                reached_s(flow.written, flow.at_s, float(recorded[end])), float(flow.at_s[end])
            )
            if ready_s < 0.0:
                self.books.ready += 1
            else:
                ready_s = inf
            self.books.batches.append(Batch(number, total, mean_s, ready_s, end))

    # ---- the storage takes clips in ----

    def _clips(self, written_bytes: float) -> float:
        return written_bytes / self.fleet.clip_bytes

    def _write(self, now_s: float, written_bytes: float) -> tuple[float, list[Job]]:
        """Book what is written; return the bytes a second wanted now, and jobs set free."""
        flow = self.books.flow
        assert flow is not None
        step = flow.note(now_s, self._clips(written_bytes))
        jobs: list[Job] = []
        batches, books = self.books.batches, self.books
        while books.ready < len(batches) and flow.has_written(batches[books.ready].end, step):
            batches[books.ready].ready_s = now_s
            jobs += self._enter(batches[books.ready], "selection", now_s)
            books.ready += 1
        clips_per_s = flow.waiting(step) / STEP_S
        wanted = min(clips_per_s, self.ingest.clips_per_s(self.fleet.clip_bytes))
        return wanted * self.fleet.clip_bytes, jobs

    # ---- batches under way at the start ----

    def _opening(self, early: int) -> list[Job]:
        """Return what is left to do at the start of the batches that were ready before."""
        jobs: list[Job] = []
        for batch in self.books.batches[:early]:
            if batch.ready_s < 0.0:
                jobs += self._resume(batch)
        return jobs

    def _resume(self, batch: Batch) -> list[Job]:
        """Take a batch through the stages it has behind it; return the jobs of the present one."""
        at_s = batch.ready_s
        for stage in STAGES:
            batch.entered[stage] = at_s
            clips = batch.clips_in(stage, self.keep_fraction)
            alone_s = self._alone_s(stage, self._clips_of(stage, clips))
            by_hand_s = self._by_hand(batch, stage, at_s)
            end_s = max(at_s + alone_s, by_hand_s)
            if end_s >= 0.0:
                left = min(1.0, (at_s + alone_s) / alone_s) if alone_s else 0.0
                if left <= 0.0:
                    return self._leave(batch, stage, by_hand_s)
                return self._send(batch, stage, 0.0, left)
            batch.left[stage] = at_s = end_s
        return []

    def _alone_s(self, stage: str, clips: float) -> float:
        """Return how long the GPU work of a stage takes in an idle centre [s]."""
        assert self._context is not None
        gpus = self._context.gpus
        return max((task.alone_s(clips, gpus) for task in self.tasks(stage).values()), default=0.0)

    # ---- the life of a batch ----

    def _enter(self, batch: Batch, stage: str, at_s: float) -> list[Job]:
        """Let *batch* enter *stage*; return the jobs that it now sends."""
        batch.entered[stage] = at_s
        if stage == "selection":
            batch.kept = batch.clips * self.keep_fraction
        by_hand_s = self._by_hand(batch, stage, at_s)
        if not self.tasks(stage) or batch.clips == 0.0:
            return self._leave(batch, stage, max(at_s, by_hand_s))
        return self._send(batch, stage, at_s, 1.0)

    def _by_hand(self, batch: Batch, stage: str, at_s: float) -> float:
        """Let people have their share of *batch*; return when they are done [s]."""
        if stage != "labelling":
            return -inf
        assert self._context is not None
        books = self.books
        monday_s = seconds_since_monday(self._context.start)
        clips = batch.clips_in(stage, self.keep_fraction) * self.labelling.by_hand_fraction
        begins_s = max(at_s, books.people_free_s)
        end_s = self.labelling.people.end_s(clips, begins_s + monday_s) - monday_s
        books.people_free_s = batch.by_hand_s = max(end_s, at_s)
        return batch.by_hand_s

    def _send(self, batch: Batch, stage: str, at_s: float, left: float) -> list[Job]:
        assert self._context is not None
        clips = left * self._clips_of(stage, batch.clips_in(stage, self.keep_fraction))
        jobs = [
            job
            for name, task in self.tasks(stage).items()
            for job in task.jobs(
                clips, f"{name}-day{batch.number}", stage, at_s, self._context.gpu_peak_flops
            )
        ]
        for job in jobs:
            self.books.open[job] = (batch, stage)
        batch.waits_for = len(jobs)
        return jobs

    def _next_jobs(self, ended: Job) -> list[Job]:
        """Return the jobs that the end of *ended* sets free."""
        batch, stage = self.books.open.pop(ended, (None, ""))
        if batch is None:
            return []
        self.books.note(ended, stage)
        batch.waits_for -= 1
        if batch.waits_for:
            return []
        by_hand_s = batch.by_hand_s if stage == "labelling" else -inf
        return self._leave(batch, stage, max(ended.finished_at_s, by_hand_s))

    def _leave(self, batch: Batch, stage: str, at_s: float) -> list[Job]:
        batch.left[stage] = at_s
        if stage == STAGES[-1]:
            return []
        return self._enter(batch, STAGES[STAGES.index(stage) + 1], at_s)
