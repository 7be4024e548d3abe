"""From the fleet to a release: every clip is somewhere, and stages take what they must."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import Disk, desk, play
from tests.workload.conftest import resolve
from twin.config import parse
from twin.errors import ConfigError
from twin.jobs.life import filling
from twin.records import Used
from twin.scheduling.easy import EasyBackfill
from twin.workload.clip_work import GpuTask, People
from twin.workload.driving_pipeline import DrivingPipeline
from twin.workload.mix import Mix
from twin.workload.pipeline_books import BEFORE, STAGES

DAY = 86400.0
TASK = {"gpus_per_job": 8, "activity": 0.5}
PEOPLE = {
    "people": 10,
    "minutes_per_clip": 6,
    "first_hour": 9,
    "hours_per_day": 8,
    "days_per_week": 7,
}
SMALL = {
    "kind": "driving_pipeline.DrivingPipeline",
    "fleet": {"vehicles": 1000, "gb_per_vehicle_day": 1, "clip_mb": 100},
    "wan_gbps": 1,
    "ingest": {"write_gb_per_s": 1, "files_per_s": 1e5, "file_kb": 100},
    "cycle_days": 1,
    "running_start": False,
    "selection": {"mine": {"gpu_s_per_clip": 2.88, **TASK}},  # an hour on 8 GPUs
    "keep_fraction": 0.1,
    "labelling": {
        "by_hand_fraction": 0.1,
        "by_model_fraction": 0.9,
        "people": PEOPLE,
        "tasks": {"auto": {"gpu_s_per_clip": 64, **TASK}},  # 2 h on 8 GPUs
    },
    "reconstruction": {"rebuild": {"gpu_s_per_clip": 28.8, **TASK}},  # 1 h
    "training": {"dense": {"gpu_s_per_clip": 115.2, "gpus_per_job": 8, "activity": 0.9}},  # 4 h
    "simulation": {"replay": {"gpu_s_per_clip": 57.6, **TASK, "hours_per_job": 1}},  # 2 x 1 h
}


def small(**more):
    data = copy.deepcopy(SMALL)
    for path, value in more.items():
        *groups, key = path.split("__")
        inner = data
        for group in groups:
            inner = inner[group]
        inner[key] = value
    return parse(DrivingPipeline, data, "workload", resolve)


def run(pipeline, context, days=7.0, servers=4, act=None, disk=None):
    """Run *pipeline* on *servers* of 8 GPUs and a *disk*; return its report."""
    made = context(days=days, gpus=8 * servers, gpu_peak_flops=1e12)
    pipeline.check(made)
    ended = []
    dispatcher = desk(
        EasyBackfill(), servers, disk=disk or Disk(bytes_per_s=1e15), on_end=ended.append
    )
    dispatcher.follow = pipeline.chain()
    if act is not None:
        dispatcher.env.process(act(dispatcher))
    jobs = pipeline.jobs(made)
    dispatcher.env.process(filling(dispatcher.env, dispatcher, pipeline.inlet()))
    play(dispatcher, jobs, until_s=days * DAY)
    dispatcher.tally.advance(days * DAY)
    dispatcher.close()
    used = Used(
        seconds=days * DAY,
        gpus=8 * servers,
        held_gpu_s=dispatcher.tally.allocated_s,
        read_bytes=dispatcher.traffic.moved.read_bytes,
        written_bytes=dispatcher.traffic.moved.written_bytes,
        storage_load=dispatcher.storage.asked_fraction,
        room=dispatcher.saving and dispatcher.saving.short_room(dispatcher.traffic.inlet),
    )
    report = pipeline.flow_report(used)
    report.details["moved"] = dispatcher.traffic.moved
    return report


@pytest.mark.parametrize("stage", ["training", "labelling__tasks"])
def test_tasks_go_by_name_in_whatever_order_a_file_lists_them(stage):
    """What is submitted at the same instant queues in the order of tasks."""
    tasks = {name: {"gpu_s_per_clip": 57.6, **TASK} for name in ("sparse", "dense")}
    pipeline = small(**{stage: tasks})
    assert list(pipeline.tasks(stage.partition("_")[0])) == ["dense", "sparse"]


def test_a_full_storage_keeps_uploads_outside_and_is_named(context):
    """Room for three and a half of seven days: the others wait, and no release is made of them."""
    day_bytes = 10_000 * small().fleet.clip_bytes
    disk = Disk(bytes_per_s=1e15, holds_bytes=3.5 * day_bytes)
    full, ample = run(small(), context, disk=disk), run(small(), context)
    waiting = full.series["ingest"][-1] - ample.series["ingest"][-1]
    assert waiting == pytest.approx(35_000)
    assert full.details["bottleneck"]["name"] == "room on the storage"
    assert full.details["loads"]["room on the storage"] == pytest.approx(2.0, abs=0.01)
    assert "room on the storage" not in ample.details["loads"]
    assert (full.summary["releases"], ample.summary["releases"]) == (3, 6)


def test_what_is_deleted_makes_room_for_new_uploads(context):
    """Clips that stay for two days never fill three and a half."""
    day_bytes = 10_000 * small().fleet.clip_bytes
    disk = Disk(bytes_per_s=1e15, holds_bytes=3.5 * day_bytes)
    pipeline = small()
    pipeline.ingest = replace(pipeline.ingest, retention_days=2.0)
    report = run(pipeline, context, disk=disk)
    assert report.summary["releases"] == 6
    assert "room on the storage" not in report.details["loads"]


def test_alone_a_batch_takes_the_sum_of_its_stages(context):
    report = run(small(), context)
    # Recorded at noon on the mean, ready at midnight. Selection to 1:00; the model is done at
    # 3:00, people (100 clips of 6 min by 10) work from 9:00 to 10:00; reconstruction 11:00,
    # training 15:00, two simulations of an hour beside each other 16:00.
    days = [release["cycle_days"] for release in report.details["releases"]]
    assert days == pytest.approx([1.0 + 4 / 24] * 6, rel=1e-9)
    assert report.summary["releases"] == 6
    assert report.summary["clips_released"] == pytest.approx(6 * 1000)
    assert report.summary["release_cycle_p50_days"] == pytest.approx(1 + 4 / 24)


def test_in_steady_state_the_mean_backlog_is_the_cycle(context):
    """Little's law: days of recording between recording and release are the time it takes."""
    report = run(small(), context, days=30)
    stages = report.details["stages"]
    series, at_s = report.series, report.series["at_s"]
    steady = (at_s >= 5 * DAY) & (at_s < 25 * DAY)
    days = sum(series[s["stage"]][steady].mean() / s["asked_clips_per_day"] for s in stages)
    # Rows lie at the steps between which batches move: half a step for each of five stages.
    assert days == pytest.approx(report.summary["release_cycle_p50_days"], abs=5 * 900 / DAY)


def test_a_batch_under_way_at_the_start_goes_on_where_it_is(context):
    empty = run(small(), context, days=4)
    under_way = run(small(running_start=True), context, days=4)
    assert under_way.summary["releases"] == empty.summary["releases"] + 1
    first = under_way.details["releases"][0]
    assert first["batch"] == -1
    assert first["released_s"] / 3600 == pytest.approx(16.0)
    # Labelled by hand from 20:00 to 21:00, so half through its 4 h of training at midnight.
    evening = {**PEOPLE, "first_hour": 20, "hours_per_day": 4}
    late = small(running_start=True, labelling__people=evening)
    releases = run(late, context, days=2).details["releases"]
    assert releases[0]["released_s"] / 3600 == pytest.approx(2.0 + 1.0)


def test_servers_that_trip_delay_the_release(context):
    def trip(dispatcher):
        yield dispatcher.env.timeout(DAY + 13 * 3600)  # two hours into training
        dispatcher.shut_down(range(4))
        yield dispatcher.env.timeout(1800)
        dispatcher.start_up(range(4), 0.0)

    calm = run(small(), context, days=3).details["releases"]
    hot = run(small(), context, days=3, act=trip).details["releases"]
    # Without checkpoints two hours of training are done again, and half an hour is lost.
    assert hot[0]["released_s"] - calm[0]["released_s"] == pytest.approx(2.5 * 3600)
    assert hot[1]["released_s"] == calm[1]["released_s"]


def test_what_is_uploaded_and_what_stages_leave_is_written_to_the_storage(context):
    labels = {"auto": {"gpu_s_per_clip": 64, **TASK, "write_mb_per_clip": 1}}
    dense = {**SMALL["training"]["dense"], "checkpoint_minutes": 60, "checkpoint_gb_per_gpu": 2}
    pipeline = small(labelling__tasks=labels, training__dense=dense)
    report = run(pipeline, context, days=2)  # one batch, released on its second day
    moved = report.details["moved"]
    uploaded = report.series["recorded"][-1] * 100e6  # the line is wide: nothing lags at midnight
    assert uploaded == pytest.approx(2e12)
    assert moved.written_bytes == pytest.approx(uploaded + 900 * 1e6 + 4 * 8 * 2e9, rel=1e-9)
    assert moved.read_bytes == 0.0


def test_a_short_storage_takes_uploads_in_later_and_is_the_bottleneck(context):
    """1 TB a day through 8 MB/s: 0.69 of the day's clips are written by midnight."""
    report = run(small(), context, days=3, disk=Disk(bytes_per_s=8e6))
    series, details = report.series, report.details
    assert details["loads"]["storage"] == pytest.approx(1e12 / DAY / 8e6)
    assert details["bottleneck"]["name"] == "storage"
    assert "storage: asked for 1.45 times what there is" in details["bottleneck"]["why"]
    assert series["ingest"][-1] == pytest.approx(30_000 - 3 * DAY * 8e6 / 100e6, rel=1e-3)
    assert details["moved"].written_bytes == pytest.approx(3 * DAY * 8e6, rel=1e-3)
    # The first batch is written 1e12 / 8e6 s after the start, seen at the next quarter of an hour.
    entered = next(
        at for at, clips in zip(series["at_s"], series["selection"], strict=True) if clips
    )
    assert 0 <= entered - 1e12 / 8e6 <= 2 * 900


def test_uploads_and_jobs_share_a_short_storage(context):
    """Reading 100 MB/s beside it, selection gets its share of the disk and takes longer."""
    reads = {"mine": {"gpu_s_per_clip": 2.88, **TASK, "read_gb_per_s_per_gpu": 0.0125}}
    wide = run(small(selection=reads), context, days=3)
    tight = run(small(selection=reads), context, days=3, disk=Disk(bytes_per_s=60e6))
    longer_s = (
        tight.details["releases"][0]["released_s"] - wide.details["releases"][0]["released_s"]
    )
    # An hour of work at 60/(100 + 11.6) of its rate; nothing else waits for the disk, but people
    # begin at 9 whatever the model did: only the labelling hides it.
    assert longer_s == 0.0
    selection = [
        sum(clips > 0 for clips in each.series["selection"]) * 900 for each in (wide, tight)
    ]
    assert selection[0] < selection[1]
    assert tight.details["moved"].read_bytes == pytest.approx(
        wide.details["moved"].read_bytes, rel=1e-9
    )


def test_a_run_that_ends_within_a_step_books_what_is_written(context):
    whole = run(small(), context, days=1.0, disk=Disk(bytes_per_s=8e6)).series
    parted = run(small(), context, days=1.0 - 300 / DAY, disk=Disk(bytes_per_s=8e6)).series
    lacking = parted["ingest"][-1] + parted["upload"][-1] - (whole["ingest"] + whole["upload"])[-1]
    recorded = whole["recorded"][-1] - parted["recorded"][-1]
    assert lacking == pytest.approx(300 * 8e6 / 100e6 - recorded, rel=1e-6)


def test_a_checkpoint_that_is_never_written_is_refused():
    with pytest.raises(ConfigError, match=r"checkpoint_gb_per_gpu=1.0: must be 0 where"):
        small(training__dense={**SMALL["training"]["dense"], "checkpoint_gb_per_gpu": 1.0})


def test_a_sparse_model_costs_its_active_share_over_its_efficiency():
    dense = GpuTask(gpu_s_per_clip=60.48, passes_per_clip=2, **TASK)
    moe = GpuTask(
        gpu_s_per_clip=60.48, passes_per_clip=2, active_fraction=0.25,
        relative_efficiency=0.8, **TASK,
    )  # fmt: skip
    assert dense.gpu_s(1e6) == 2 * 100 * 7 * DAY  # a million clips: 100 GPU-weeks
    assert moe.gpu_s(1e6) / dense.gpu_s(1e6) == pytest.approx(0.25 / 0.8)


def test_work_is_cut_into_equal_jobs_that_together_are_all_of_it():
    task = GpuTask(gpu_s_per_clip=100, hours_per_job=1, **TASK)
    jobs = task.jobs(1000, "x", "training", 5.0, 1e12)
    assert len(jobs) == 4  # 100,000 GPU-s over 28,800 to a job
    assert sum(job.gpus * job.work_s for job in jobs) == pytest.approx(100_000)
    assert task.alone_s(1000, gpus=16) == pytest.approx(2 * 100_000 / 32)


def test_people_work_in_shifts_and_rest_at_weekends():
    team = People(**{**PEOPLE, "days_per_week": 5})
    hour = 3600.0
    assert team.end_s(800, 0.0) == 17 * hour  # a whole day of ten people
    assert team.end_s(801, 0.0) == DAY + 9 * hour + 36
    assert team.end_s(1, 4 * DAY + 17 * hour) == 7 * DAY + 9 * hour + 36  # Friday evening
    assert team.end_s(0, 123.0) == 123.0
    # Three weeks and a day of work: whole weeks are not counted one by one.
    assert team.end_s(15 * 800 + 400, 0.0) == 21 * DAY + 13 * hour
    assert team.end_s(15 * 800, 13 * hour) == 21 * DAY + 13 * hour
    assert team.end_s(1e30, 0.0) > 1e25
    assert team.clips_per_day == pytest.approx(800 * 5 / 7)


def test_what_is_asked_for_too_much_is_the_bottleneck(context):
    slow = run(small(labelling__people={**PEOPLE, "people": 1}), context)
    assert slow.details["bottleneck"]["name"] == "hand labelling"
    assert slow.details["loads"]["hand labelling"] == pytest.approx(100 / 80)
    assert slow.summary["pipeline_load_max"] == pytest.approx(1.25)
    line = run(small(wan_gbps=0.05), context)
    assert line.details["bottleneck"]["name"] == "WAN"
    assert line.details["loads"]["WAN"] == pytest.approx(1e12 * 8 / DAY / 0.05e9)
    gpus = run(
        small(training__dense={**SMALL["training"]["dense"], "gpu_s_per_clip": 4000}), context
    )
    assert gpus.details["bottleneck"]["name"] == "GPUs"
    asked = 28800 * (1 + 2 + 1 + 2) + 4000 * 1000
    assert gpus.details["loads"]["GPUs"] == pytest.approx(asked / (32 * DAY), rel=1e-9)


def test_where_all_keep_up_the_longest_stage_is_named(context):
    bottleneck = run(small(), context).details["bottleneck"]
    assert (bottleneck["name"], bottleneck["kind"]) == ("labelling", "time")
    assert "everything keeps up" in bottleneck["why"]


@given(
    vehicles=st.integers(1, 3000),
    wan_gbps=st.floats(0.01, 2),
    by_hand=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    people=st.integers(1, 20),
    cycle=st.integers(1, 3),
    running=st.booleans(),
    servers=st.integers(1, 4),
    hours=st.floats(1, 150),
)
@settings(max_examples=50)
def test_every_clip_is_somewhere(
    vehicles, wan_gbps, by_hand, people, cycle, running, servers, hours
):
    from datetime import datetime

    from twin.records import WorkloadContext
    from twin.rng import rng_for

    def context(days, gpus, gpu_peak_flops):
        start = datetime(2023, 7, 5, 6)
        return WorkloadContext(start, days * DAY, gpus, 8, gpu_peak_flops, rng_for(1))

    pipeline = small(
        fleet__vehicles=vehicles, fleet__noise_fraction=0.2, wan_gbps=wan_gbps,
        cycle_days=cycle, running_start=running,
        labelling__by_hand_fraction=by_hand, labelling__by_model_fraction=1 - by_hand,
        labelling__people={**PEOPLE, "people": people, "days_per_week": 5},
    )  # fmt: skip
    report = run(pipeline, context, days=hours / 24, servers=servers)
    series = report.series
    inside = sum(series[place] for place in (*BEFORE, *STAGES))
    total = series["recorded"] + inside[0]
    scale = 1e-9 * float(total.max() + 1)
    assert inside + series["discarded"] + series["released"] == pytest.approx(total, abs=scale)
    for place in (*BEFORE, *STAGES):
        assert series[place].min() >= -scale
    for going in ("recorded", "discarded", "released"):
        assert (np.diff(series[going]) >= -scale).all()


def test_a_seed_makes_the_same_fleet_and_another_one_another(context):
    def recorded(seed):
        pipeline = small(fleet__noise_fraction=0.1)
        list(pipeline.jobs(context(seed=seed)))
        return pipeline.books.flow.recorded

    assert (recorded(0) == recorded(0)).all()
    assert (recorded(0) != recorded(1)).any()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("wan_gbps", 0, "workload.wan_gbps=0: must be > 0"),
        ("fleet__vehicles", 0, "workload.fleet.vehicles=0: must be >= 1"),
        ("labelling__by_model_fraction", 0.8, "by_model_fraction=0.8: must be 1 - by_hand"),
        ("keep_fraction", 0, "workload.keep_fraction=0"),
        ("training", {}, "training={}: must be a mapping of at least one task"),
        ("labelling__people", {**PEOPLE, "first_hour": 20}, "hours_per_day=8.* first_hour=20"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused_by_its_key(path, value, words):
    with pytest.raises(ConfigError, match=words):
        small(**{path: value})


def test_a_job_larger_than_the_centre_is_refused(context):
    with pytest.raises(
        ConfigError, match=r"workload.selection.mine.gpus_per_job=8: must be at most 4"
    ):
        small().check(context(gpus=4))


def test_a_mix_has_one_pipeline_at_most(context):
    mix = Mix(streams={"east": small(), "west": small()})
    with pytest.raises(ConfigError, match="east and west are pipelines: must be at most one"):
        mix.check(context())


def test_a_batch_of_too_many_jobs_is_refused(context):
    tiny = {"mine": {"gpu_s_per_clip": 1e6, **TASK, "hours_per_job": 0.01}}
    with pytest.raises(
        ConfigError, match=r"selection.mine: cuts a batch into 34722223 jobs: must be"
    ):
        small(selection=tiny).check(context())
