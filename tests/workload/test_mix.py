"""A mix merges its streams in order and lets none disturb another."""

from itertools import pairwise

import pytest

from tests.workload.conftest import resolve
from twin.config import parse
from twin.errors import ConfigError, ParameterError
from twin.records import LoadReport, Used
from twin.settings.compose import load
from twin.workload.mix import Mix, merged


@pytest.fixture
def driving():
    """Return the driving centre's mix with some of its streams, or some replaced."""

    def build(names=None, **more):
        streams = load(["workload=autonomous_driving"])["workload"]["streams"]
        streams = {name: streams[name] for name in names or streams} | more
        return parse(Mix, {"streams": streams}, "workload", resolve)

    return build


def traits(jobs):
    return [(job.job_id, job.arrived_at_s, job.gpus, job.work_s, job.activity) for job in jobs]


def test_jobs_come_in_order_of_arrival_with_the_name_of_their_stream(driving, context):
    mix = driving()
    jobs = list(mix.jobs(context(days=2)))
    assert all(a.arrived_at_s <= b.arrived_at_s for a, b in pairwise(jobs))
    assert {job.job_id.partition("-")[0] for job in jobs} == {
        "dense",  # of the pipeline's batches under way
        "sparse_moe",
        "fine_tuning",
        "development",
    }
    assert len({job.job_id for job in jobs}) == len(jobs)
    _, written = mix.inlet().turn(0.0, 0.0)  # yesterday's clips, the last of them at midnight
    assert {job.job_id.partition("-")[0] for job in written} == {"mining"}
    assert driving(["development"]).inlet() is None


def test_a_stream_is_the_same_whoever_else_is_there(driving, context):
    alone = driving(["development"]).jobs(context(days=2))
    together = driving().jobs(context(days=2))
    kept = [job for job in together if job.job_id.startswith("development")]
    assert traits(alone) == traits(kept)


def test_the_order_of_streams_in_the_file_does_not_matter(driving, context):
    names = list(driving().streams)
    assert traits(driving(names).jobs(context(days=1))) == traits(
        driving(names[::-1]).jobs(context(days=1))
    )


def test_services_are_collected_and_named_after_their_stream(driving, context):
    (service,) = driving().services(context())
    assert (service.name, service.gpus) == ("labelling_service", 256)
    assert driving().held_gpus() == 256


def test_offered_load_is_of_the_gpus_that_services_leave(driving, context):
    without = driving(["fine_tuning"]).jobs(context(days=50))
    beside = driving(["fine_tuning", "labelling_service"]).jobs(context(days=50, gpus=2400))
    assert traits(without) == traits(beside)


def test_the_driving_centre_offers_most_of_itself(driving, context):
    mix = driving()
    week = context(days=70)
    mix.check(week)
    others = driving(["fine_tuning", "development", "labelling_service"])
    gpu_s = sum(job.gpus * job.work_s for job in others.jobs(week))
    mix.jobs(week)
    held_gpu_s = gpu_s + 256 * week.duration_s
    asked = mix.flow_report(
        Used(week.duration_s, 2144, held_gpu_s, 0.0, 0.0, lambda read, write: read + write)
    )
    assert asked.details["loads"]["GPUs"] == pytest.approx(0.94, abs=0.03)
    pipeline = sum(stage["gpu_hours_asked_per_day"] for stage in asked.details["stages"])
    assert pipeline / 24 / (2144 - 256) == pytest.approx(0.744, abs=0.001)
    # Read in PB a day: selection 1, labelling 4.05, scenes 0.6, new clips 0.6, training 26.61
    # dense and 8.32 sparse, simulation 2.4. Written in TB a day: uploads 100, selection 0.1, labels
    # 0.09, scenes 5, new clips 20, checkpoints 5.17 and 3.12, simulation 3.
    moved_per_day = 43.577e15 + 136.48e12
    assert asked.details["loads"]["storage"] == pytest.approx(moved_per_day / 86400, rel=1e-4)


def test_a_job_that_does_not_fit_beside_the_services_is_refused(driving, context):
    with pytest.raises(ConfigError, match=r"training.dense.gpus_per_job=1024: .* 944 GPUs"):
        driving().check(context(gpus=1200))


def test_services_larger_than_the_facility_are_refused(driving, context):
    with pytest.raises(ConfigError, match="services hold 256 GPUs: must be at most 200"):
        driving().check(context(gpus=200))


def test_a_wrong_value_in_a_stream_is_named_by_its_whole_path(driving):
    with pytest.raises(ConfigError, match=r"workload.streams.wrong.noise_fraction=2: must be"):
        driving(["development"], wrong={"kind": "service.InferenceService", "noise_fraction": 2})


def test_a_mix_within_a_mix_keeps_its_names_apart(driving, context):
    outer = Mix(streams={"driving": driving(["development"]), "more": driving(["development"])})
    keys = [outer.streams[name].streams["development"].key for name in ("driving", "more")]
    assert keys == [f"workload.streams.{n}.streams.development" for n in ("driving", "more")]
    one, other = (outer.streams[name].jobs(context()) for name in ("driving", "more"))
    assert next(one).arrived_at_s != next(other).arrived_at_s


def test_no_stream_is_refused():
    with pytest.raises(ParameterError, match="at least one stream"):
        Mix(streams={})


def test_reports_add_up():
    first = LoadReport("a.csv", read=3, used=2, refused=["a.csv:2: why"], refused_count=1)
    second = LoadReport("b.csv", read=5, used=5, notes=["n"], measured={"x": 1.0})
    both = merged([first, second])
    assert (both.read, both.used, both.refused_count) == (8, 7, 1)
    assert (both.path, both.refused, both.notes) == ("a.csv, b.csv", ["a.csv:2: why"], ["n"])
    assert merged([]) is None
