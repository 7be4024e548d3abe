"""From the fleet to a release: every clip is somewhere, and stages take what they must."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import desk, play
from tests.workload.conftest import resolve
from twin.config import parse
from twin.errors import ConfigError
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


def run(pipeline, context, days=7.0, servers=4, act=None):
    """Run *pipeline* on *servers* of 8 GPUs; return its report."""
    made = context(days=days, gpus=8 * servers, gpu_peak_flops=1e12)
    pipeline.check(made)
    ended = []
    dispatcher = desk(EasyBackfill(), servers, on_end=ended.append)
    dispatcher.follow = pipeline.chain()
    if act is not None:
        dispatcher.env.process(act(dispatcher))
    play(dispatcher, pipeline.jobs(made), until_s=days * DAY)
    dispatcher.tally.advance(days * DAY)
    dispatcher.close()
    held = dispatcher.tally.allocated_s
    return pipeline.flow_report(days * DAY, 8 * servers, held)


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
@settings(max_examples=50, deadline=None)
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
