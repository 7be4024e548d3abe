"""Work told for one GPU, on another: the same work in the time that this one takes."""

import dataclasses

import pytest
import yaml

from tests.workload.conftest import A100, CONF, H100, hardware, parse_conf, resolve
from twin.config import parse
from twin.errors import ConfigError, ParameterError
from twin.physics.another_gpu import relative_speed
from twin.records import Used
from twin.workload.driving_pipeline import DrivingPipeline
from twin.workload.pipeline_books import STAGES

TOLD = {"peak_tflops": 312, "memory_bandwidth_tb_per_s": 2.039, "memory_fraction": 0.64}
JOB = {
    "kind": "training.TrainingJobs",
    "job_kind": "training",
    "jobs_per_day": 200,
    "gpu_mix": [[1, 1], [8, 1]],
    "run": {"mean_h": 2, "sigma": 1, "max_h": 48},
    "limit_factor": [1.1, 3],
    "activity": [[0, 0.2], [1, 0.9]],
    "comm_fraction": 0.1,
    "read_gb_per_s_per_gpu": 0.3,
    "checkpoint_minutes": 30,
    "checkpoint_gb_per_gpu": 10,
    "accounts": ["a", "b"],
    "mfu": 0.4,
}
TRACE = """submit,duration,gpus,limit
2023-07-03 01:00:00,3600,8,7200
2023-07-03 00:30:00,60,1,
"""


def speed(comm=0.0):
    return relative_speed(989 / 312, 3.35 / 2.039, 0.64, comm)


def made(told=TOLD, **more):
    data = {**JOB, **more} | ({"told_for": told} if told else {})
    return parse(resolve("workload", data["kind"], ""), data, "workload", resolve)


def listed(workload, context):
    workload.check(context)
    return [dataclasses.asdict(job) for job in workload.jobs(context)]


def pairs(told, here):
    assert len(told) == len(here) > 0
    return zip(told, here, strict=True)


def test_on_the_gpu_they_are_told_for_jobs_are_as_told_to_the_last_bit(context):
    assert repr(listed(made(), context())) == repr(listed(made(told=None), context()))


def test_without_a_gpu_times_hold_on_any(context, on_h100):
    told = listed(made(told=None, mfu=None), context(gpus=256))
    assert repr(listed(made(told=None, mfu=None), on_h100())) == repr(told)


def test_a_faster_gpu_takes_less_time_for_the_same_work(context, on_h100):
    s = speed(0.1)
    assert 1.5 < s < speed() < 2.0
    for told, here in pairs(listed(made(), context(gpus=256)), listed(made(), on_h100())):
        for key in ("work_s", "limit_s"):
            assert here.pop(key) == pytest.approx(told[key] / s)
        assert here.pop("flops") == pytest.approx(told["flops"])
        assert told["flops"] == pytest.approx(0.4 * 312e12 * told["work_s"] * told["gpus"])
        read = here.pop("read_bytes_per_s")
        assert read * told["work_s"] / s == pytest.approx(told["read_bytes_per_s"] * told["work_s"])
        # as many seconds of each step, in a shorter step
        assert here.pop("comm_fraction") / s == pytest.approx(told["comm_fraction"])
        # who, when, how large, how hard, and how often it saves what
        assert repr(here) == repr({key: told[key] for key in here})


def test_load_is_that_of_the_gpu_it_is_told_for(context, on_h100):
    """Both get the same jobs; the faster GPUs are held for less of the time."""
    load = {"jobs_per_day": None, "offered_load": 0.5}
    told, here = listed(made(**load), context(gpus=256)), listed(made(**load), on_h100())
    held = [sum(job["gpus"] * job["work_s"] for job in jobs) for jobs in (told, here)]
    assert [job["arrived_at_s"] for job in told] == [job["arrived_at_s"] for job in here]
    assert held[0] / held[1] == pytest.approx(speed(0.1))


def test_a_slower_gpu_takes_longer(context):
    half = context(gpu_peak_flops=A100.peak_flops / 2)
    alone = made(TOLD | {"memory_fraction": 0.0}, comm_fraction=0.0)
    for told, here in pairs(listed(alone, context()), listed(alone, half)):
        assert here["work_s"] == pytest.approx(2.0 * told["work_s"])


def test_jobs_of_a_trace_and_their_limits_are_shorter(tmp_path, context, on_h100):
    path = tmp_path / "jobs.csv"
    path.write_text(TRACE)
    columns = {"submit": "submit", "duration": "duration", "limit": "limit"}
    data = {"columns": columns, "gpus_from": {"column": "gpus"}, "told_for": TOLD}
    trace = parse_conf("acme", path=str(path), comm_fraction=0.0, **data)
    short, long = listed(trace, on_h100())
    assert long["work_s"] == pytest.approx(3600 / speed())
    assert long["limit_s"] == pytest.approx(7200 / speed())
    assert short["work_s"] == pytest.approx(60 / speed())
    assert [short["arrived_at_s"], long["arrived_at_s"]] == [1800.0, 3600.0]
    assert listed(trace, context())[1]["work_s"] == 3600


def pipeline(told=TOLD):
    data = yaml.safe_load((CONF / "autonomous_driving.yaml").read_text(encoding="utf-8"))
    stream = data["streams"]["pipeline"] | {"told_for": told, "running_start": False}
    return parse(DrivingPipeline, stream, "workload", resolve)


def batch(flow, context):
    """Return all jobs of the first day's clips, each of which ends when it is sent."""
    flow.check(context)
    assert list(flow.jobs(context)) == []
    now_s, recorded = 2.0 * 86400.0, 1.5e14  # all of the first day is written
    jobs = flow.inlet().turn(now_s, recorded)[1]
    sent = []
    while jobs:
        job, *jobs = jobs
        sent.append(job)
        job.finished_at_s = now_s
        jobs += flow.chain()(job)
    return sent


def test_a_batch_is_cut_into_the_same_jobs_that_do_the_same_work(context, on_h100):
    told, here = batch(pipeline(), context()), batch(pipeline(), on_h100(gpus=2144))
    assert {job.kind for job in told} == set(STAGES)
    for before, after in pairs(told, here):
        s = speed(before.comm_fraction)
        assert after.work_s == pytest.approx(before.work_s / s)
        assert after.limit_s == pytest.approx(before.limit_s / s)
        assert after.flops == pytest.approx(before.flops)
        assert after.read_bytes_per_s == pytest.approx(before.read_bytes_per_s * s)
        assert after.comm_fraction == pytest.approx(before.comm_fraction * s)
        saved = before.checkpoint_bytes / before.checkpoint_s
        left = before.write_bytes_per_s - saved
        assert after.write_bytes_per_s - saved == pytest.approx(left * s, abs=1.0)
        for key in ("job_id", "gpus", "activity", "checkpoint_s", "checkpoint_bytes", "save_s"):
            assert getattr(after, key) == getattr(before, key)


def test_a_batch_on_the_gpu_it_is_told_for_is_as_told(context):
    told, plain = batch(pipeline(), context()), batch(pipeline(None), context())
    assert len(told) > 50
    assert [repr(dataclasses.asdict(job)) for job in told] == [
        repr(dataclasses.asdict(job)) for job in plain
    ]


def test_a_day_of_the_pipeline_asks_for_less_gpu_time(context, on_h100):
    """The report reckons with the GPUs there are, not with those of which times are told."""
    used = Used(86400.0, 2144, 0.0, 0.0, 0.0, lambda read, written: read)
    reports = []
    for there in (context(), on_h100(gpus=2144)):
        flow = pipeline()
        batch(flow, there)
        reports.append(flow.flow_report(used).details)
    told, here = ({s["stage"]: s["gpu_hours_asked_per_day"] for s in r["stages"]} for r in reports)
    assert told["selection"] / here["selection"] == pytest.approx(speed())
    assert told["labelling"] / here["labelling"] == pytest.approx(speed())
    assert speed(0.25) < told["training"] / here["training"] < speed(0.15)
    assert reports[0]["loads"]["storage"] == pytest.approx(reports[1]["loads"]["storage"])


def test_a_run_says_how_fast_its_gpus_do_what_is_told_for_another(context, on_h100):
    workload = made()
    workload.check(context())
    assert not workload.warnings
    workload.check(on_h100())
    assert "312 TFLOPS and 2.039 TB/s" in workload.warnings[0]
    assert "(workload.told_for): here it is done 1.99 times as fast" in workload.warnings[0]
    flow = pipeline()
    assert isinstance(flow, DrivingPipeline)
    flow.check(on_h100(gpus=2144))
    assert flow.warnings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"peak_tflops": 0}, "told_for.peak_tflops=0: must be >= 1"),
        ({"peak_tflops": 1e-20}, "told_for.peak_tflops=1e-20: must be >= 1"),
        ({"memory_bandwidth_tb_per_s": 0}, "told_for.memory_bandwidth_tb_per_s=0: must be >= 0.01"),
        ({"peak_tflops": 312e12}, "told_for.peak_tflops"),
        ({"memory_bandwidth_tb_per_s": 2039}, "told_for.memory_bandwidth_tb_per_s=2039"),
        ({"memory_fraction": 1.2}, "told_for.memory_fraction=1.2: must be >= 0 and <= 1"),
        ({"memory_bandwith_tb_per_s": 2}, "did you mean 'memory_bandwidth_tb_per_s'"),
    ],
)
def test_nonsense_is_refused_by_key(wrong, said):
    with pytest.raises(ConfigError) as error:
        made(TOLD | wrong)
    assert said in str(error.value)


def h20(context, **more):
    """Return a cluster of GPUs with less arithmetic than an A100 and twice its bandwidth."""
    there = dataclasses.replace(hardware(A100), memory_bytes_per_s=4.0e12)
    return context(gpu_peak_flops=148e12, hardware=there, **more)


def test_more_than_the_peak_is_refused_by_key(context):
    """0.4 of an A100 that memory binds all the time would be 1.65 of an H20."""
    memory_bound = made(TOLD | {"memory_fraction": 1.0}, comm_fraction=0.0)
    memory_bound.check(context())
    most = 2.039 / 4.0 * 148 / 312
    said = (
        rf"workload\.mfu=0\.4: .* it would be 1\.65 on GPUs of 148: must be at most {most:.3g} with"
    )
    with pytest.raises(ConfigError, match=said):
        memory_bound.check(h20(context))
    made(TOLD | {"memory_fraction": 1.0}, comm_fraction=0.0, mfu=most * 0.999).check(h20(context))
    made().check(h20(context))


def test_more_than_the_peak_is_refused_in_the_pipeline(context):
    said = r"workload\.training\.\w+\.mfu=0\.\d+: .* on GPUs of 148"
    flow = pipeline(TOLD | {"memory_fraction": 1.0})
    with pytest.raises(ConfigError, match=said):
        flow.check(h20(context, gpus=2144))
    pipeline().check(h20(context, gpus=2144))


def test_a_gpu_of_unknown_bandwidth_is_refused(context):
    with pytest.raises(ParameterError, match="told for a GPU"):
        made().check(context(hardware=None))


def test_gpus_of_equal_peak_differ_in_bandwidth(context):
    """An H200 does what memory binds faster than an H100."""
    memory_bound = TOLD | {"memory_fraction": 1.0}
    faster = dataclasses.replace(hardware(H100), memory_bytes_per_s=4.8e12)
    workload = made(memory_bound, comm_fraction=0.0)
    h100 = listed(workload, context(gpu_peak_flops=989e12, hardware=hardware(H100)))
    h200 = listed(workload, context(gpu_peak_flops=989e12, hardware=faster))
    for slow, fast in pairs(h100, h200):
        assert slow["work_s"] / fast["work_s"] == pytest.approx(4.8 / 3.35)
