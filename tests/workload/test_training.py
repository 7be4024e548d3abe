"""Drawn jobs follow their configuration: rate, load, sizes, rhythm, and nothing else."""

import math
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest

from twin.errors import ConfigError, ParameterError
from twin.workload.distributions import RunTimes, ServerSizes
from twin.workload.rhythm import Rhythm
from twin.workload.training import TrainingJobs


def stream(**more):
    settings = {
        "job_kind": "training",
        "activity": [(0.0, 0.2), (1.0, 0.8)],
        "limit_factor": (1.1, 2.5),
        "run": RunTimes(mean_h=0.5, sigma=1.0, max_h=24),
        "gpu_mix": [(1, 0.5), (8, 0.3), (16, 0.2)],
        "jobs_per_day": 5000.0,
    }
    return TrainingJobs(**(settings | more))


def traits(jobs, n):
    """What is drawn for each of the first *n* jobs (a life not begun holds NaN)."""
    return [
        (j.job_id, j.arrived_at_s, j.gpus, j.work_s, j.limit_s, j.activity, j.account, j.flops)
        for j in islice(jobs, n)
    ]


def test_arrivals_are_poisson_at_the_rate_asked_for(context):
    jobs = list(stream().jobs(context(days=20)))
    assert abs(len(jobs) - 100_000) < 4 * math.sqrt(100_000)
    gaps = np.diff([job.arrived_at_s for job in jobs])
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)  # exponential gaps
    assert min(gaps) >= 0
    assert jobs[0].arrived_at_s >= 0
    assert jobs[-1].arrived_at_s < 20 * 86400


def test_every_trait_of_a_job_is_as_configured(context):
    made = stream(
        comm_fraction=0.2,
        read_gb_per_s_per_gpu=0.5,
        checkpoint_minutes=30.0,
        checkpoint_gb_per_gpu=9.0,
        checkpoint_keep=5,
        priority=3,
        accounts=["a", "b"],
        mfu=0.4,
    )
    for job in islice(made.jobs(context()), 500):
        assert (job.kind, job.comm_fraction, job.priority) == ("training", 0.2, 3)
        assert job.checkpoint_s == 1800
        assert (job.checkpoint_bytes, job.keep) == (9e9 * job.gpus, 5)
        assert job.write_bytes_per_s == pytest.approx(9e9 * job.gpus / 1800)
        assert (job.burst_bytes_per_s, job.burst_fraction, job.step_s) == (0.0, 0.0, 0.0)
        assert job.read_bytes_per_s == 5e8 * job.gpus
        assert 1.1 <= job.limit_s / job.work_s <= 2.5
        assert 0.2 <= job.activity <= 0.8
        assert job.account in "ab"
        assert job.flops == pytest.approx(0.4 * 312e12 * job.gpus * job.work_s)
        assert job.work_s <= 24 * 3600


def test_a_duty_cycle_changes_nothing_but_itself(context):
    """A quarter to three quarters of the time at work, and activity as without it."""
    made = stream(duty=[(0.0, 0.25), (1.0, 0.75)], low_activity=[(0.0, 0.05), (1.0, 0.15)])
    plain, n = stream(), 5000
    jobs = list(islice(made.jobs(context()), n))
    assert traits(jobs, n) == traits(plain.jobs(context()), n)
    for name, low, high in [("duty", 0.25, 0.75), ("low_activity", 0.05, 0.15)]:
        seen = np.array([getattr(job, name) for job in jobs])
        assert low <= seen.min() <= seen.max() <= high
        assert abs(seen.mean() - (low + high) / 2) < 4 * seen.std() / math.sqrt(n)
    activity, duty = np.array([(job.activity, job.duty) for job in jobs]).T
    assert abs(np.corrcoef(activity, duty)[0, 1]) < 4 / math.sqrt(n)


def test_without_a_duty_cycle_jobs_work_all_the_time(context):
    assert {(j.duty, j.low_activity) for j in islice(stream().jobs(context()), 100)} == {(1, 0)}


def test_points_of_a_duty_cycle_must_reach_every_probability():
    with pytest.raises(ParameterError, match="duty"):
        stream(duty=[(0.0, 0.5), (0.5, 1.0)])


def test_sizes_come_in_the_shares_given(context):
    n = 50_000
    seen = Counter(job.gpus for job in islice(stream().jobs(context(days=20)), n))
    for gpus, share in [(1, 0.5), (8, 0.3), (16, 0.2)]:
        assert abs(seen[gpus] / n - share) < 4 * math.sqrt(share * (1 - share) / n)


def test_offered_load_is_met_in_the_mean(context):
    """Twenty seeded weeks lie within 4 standard errors of the load asked for."""
    made = stream(jobs_per_day=None, offered_load=0.7)
    loads = []
    for seed in range(20):
        week = context(seed=seed, gpus=320)
        gpu_s = sum(job.gpus * job.work_s for job in made.jobs(week))
        loads.append(gpu_s / (320 * week.duration_s))
    assert abs(np.mean(loads) - 0.7) < 4 * np.std(loads, ddof=1) / math.sqrt(20)


def test_count_alone_gives_exactly_so_many_over_the_whole_run(context):
    jobs = list(stream(jobs_per_day=None, count=10_007).jobs(context()))
    assert len(jobs) == 10_007
    at = np.array([job.arrived_at_s for job in jobs])
    assert np.all(np.diff(at) >= 0)
    # sorted uniform times: the mean is half the run, to 4 standard errors
    assert abs(at.mean() / 604_800 - 0.5) < 4 / math.sqrt(12 * 10_007)
    assert at[-1] < 604_800


def test_count_ends_a_stream_that_has_a_rate(context):
    assert len(list(stream(count=5_000).jobs(context()))) == 5_000


def test_the_year_of_the_benchmark_is_a_million_jobs_at_0_84(configured, context):
    made = configured("year_benchmark")
    year = context(days=365, gpus=25_024)
    made.check(year)
    assert made.count == 1_000_000
    assert made.largest_gpus(8) == 4096
    load = 1e6 * made.mean_gpus(8) * made.run.mean_h * 3600 / (25_024 * year.duration_s)
    assert load == pytest.approx(0.84, abs=0.001)


def test_jobs_stream_without_being_kept(configured, context):
    import tracemalloc

    made = configured("year_benchmark", count=40_000)
    tracemalloc.start()
    n = sum(1 for _ in made.jobs(context(days=365, gpus=25_024)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 40_000
    assert peak < 4e6  # kept, they would be 15 MB


def test_the_rhythm_moves_arrivals_and_keeps_their_number(context):
    made = stream(rhythm=Rhythm(swing=0.8, peak_hour=15, weekend_factor=0.5))
    jobs = list(made.jobs(context(days=28)))
    assert abs(len(jobs) - 140_000) < 4 * math.sqrt(140_000)
    day = Counter(int(job.arrived_at_s // 86400) % 7 for job in jobs)
    assert (day[5] + day[6]) / 2 == pytest.approx(0.5 * sum(day[d] for d in range(5)) / 5, rel=0.03)
    hour = Counter(int(job.arrived_at_s // 3600) % 24 for job in jobs)
    assert hour[14] / hour[2] == pytest.approx(1.8 / 0.2, rel=0.2)


def test_the_same_seed_gives_the_same_jobs(context):
    first, second = (traits(stream().jobs(context(seed=5)), 9000) for _ in range(2))
    assert first == second
    assert traits(stream().jobs(context(seed=6)), 1)[0] != first[0]


def test_changing_one_trait_leaves_the_others_alone(context):
    base = list(islice(stream().jobs(context()), 6000))
    longer = RunTimes(mean_h=2.0, sigma=2.0, max_h=96)
    changed = list(islice(stream(run=longer, accounts=["x", "y"]).jobs(context()), 6000))
    for a, b in zip(base, changed, strict=True):
        assert (a.arrived_at_s, a.gpus, a.activity) == (b.arrived_at_s, b.gpus, b.activity)
    assert base[0].work_s != changed[0].work_s


def test_the_order_of_configuration_keys_does_not_matter(configured, context):
    import yaml

    from tests.workload.conftest import CONF, resolve
    from twin.config import parse

    data = yaml.safe_load((CONF / "training_mix.yaml").read_text(encoding="utf-8"))
    backwards = parse(TrainingJobs, dict(reversed(data.items())), "workload", resolve)
    straight = configured("training_mix")
    assert traits(backwards.jobs(context()), 5000) == traits(straight.jobs(context()), 5000)


def test_job_numbers_count_up(context):
    ids = [job.job_id for job in islice(stream().jobs(context()), 5000)]
    assert ids[:2] == ["training-1", "training-2"]
    assert len(set(ids)) == 5000


def test_sizes_in_servers_are_whole_servers(context):
    made = stream(gpu_mix=None, servers=ServerSizes(mean=4, sigma=1.0, max=32))
    jobs = list(islice(made.jobs(context()), 2000))
    assert {job.gpus % 8 for job in jobs} == {0}
    assert max(job.gpus for job in jobs) <= 256
    assert all(a.arrived_at_s <= b.arrived_at_s for a, b in pairwise(jobs))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jobs_per_day": None}, "jobs_per_day=None: must be given alone"),
        ({"offered_load": 0.5}, "jobs_per_day=5000.0: must be given alone"),
        ({"gpu_mix": None}, "gpu_mix=None: must be given where servers is not"),
        ({"servers": ServerSizes(mean=2, sigma=1, max=9)}, "gpu_mix="),
        ({"gpu_mix": []}, "at least one size"),
        ({"limit_factor": (2.0, 1.0)}, "limit_factor"),
    ],
)
def test_contradictions_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        stream(**wrong)


def test_a_size_that_can_never_start_is_refused(context):
    with pytest.raises(ConfigError, match=r"workload.gpu_mix: jobs of up to 16 GPUs: .* 8 GPUs"):
        stream().check(context(gpus=8))
