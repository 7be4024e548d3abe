"""A training run: worked out by hand, refused with the arithmetic, as published."""

from dataclasses import replace
from math import inf

import pytest

from tests.support.composed import composed
from twin import build
from twin.errors import ConfigError
from twin.physics.training.checkpoints import goodput_fraction, mean_time_to_failure_s
from twin.physics.training.transformer import transformer_flops
from twin.records import Hardware
from twin.workload.training_run import TrainingRun

A100 = Hardware(
    memory_bytes=80e9,
    memory_bytes_per_s=2.039e12,
    multiprocessors=108,
    attention_speed=0.78,
    domain_gpus=8,
    domain_bytes_per_s=300e9,
    fabric_bytes_per_s=25e9,
    storage_bytes_per_s=2e12,
    gpu_power_w=lambda activity: 62.0 + 338.0 * activity,
    link_fraction=0.5,
    exchange_s=5e-6,
    attention_s=2e-5,
)


@pytest.fixture
def cluster(context):
    """Return 2,144 A100, or other hardware."""

    def make(**more):
        return context(**{"hardware": A100, **more})

    return make


@pytest.fixture
def run(configured):
    """Return the default run, a 69B model on 1,024 GPUs, with some keys replaced."""

    def make(**more):
        return configured("training_run", **more)

    return make


def changed(run, group, **keys):
    """Return the default run with keys of one of its groups replaced."""
    import yaml

    from tests.workload.conftest import CONF

    data = yaml.safe_load((CONF / "training_run.yaml").read_text(encoding="utf-8"))
    return run(**{group: {**(data[group] or {}), **keys}})


def the_job(workload, context):
    (job,) = workload.jobs(context)
    return job


SPLIT = {"tensor": 8, "pipeline": 4, "virtual_stages": 5}

# ---- the job ----


def test_work_is_steps_times_step_time_and_the_checkpoints_between(run, cluster):
    plan = run(parallelism=SPLIT).plan(cluster())
    job = the_job(run(parallelism=SPLIT), cluster())
    assert plan.steps == 119210  # 500e9 / (1024 x 4096), rounded up
    written = int(plan.steps * plan.step.step_s / plan.interval_s)
    assert job.work_s == pytest.approx(plan.steps * plan.step.step_s + written * 15.0)
    assert job.checkpoint_s == plan.interval_s + 15.0
    assert (job.gpus, job.kind, job.restart_s) == (1024, "pretraining", 480.0)


def test_without_checkpoints_a_stop_loses_everything_and_nothing_blocks(run, cluster):
    workload = run(parallelism=SPLIT, checkpoint=None)
    plan, job = workload.plan(cluster()), the_job(workload, cluster())
    assert job.checkpoint_s == inf
    assert job.work_s == plan.steps * plan.step.step_s


def test_mfu_is_useful_operations_over_peak_and_time(run, cluster):
    workload = run(parallelism=SPLIT, checkpoint=None)
    plan, job = workload.plan(cluster()), the_job(workload, cluster())
    assert job.flops == pytest.approx(6 * 69e9 * plan.steps * 1024 * 4096)
    assert plan.mfu == pytest.approx(job.flops / (job.work_s * 1024 * 312e12))


def test_attention_counts_as_far_as_it_is_said_to(run, cluster):
    bare = run(parallelism=SPLIT).plan(cluster())
    full = changed(run, "software", attention_counted=1.0).plan(cluster())
    more = 12 * 80 * 4096 * 8192
    assert full.flops / bare.flops == pytest.approx(1 + more / (6 * 69e9))


def test_input_words_count_as_far_as_they_are_said_to(run, cluster):
    """Llama 2 has two tables, of which one is looked up."""
    all_told = run(parallelism=SPLIT).plan(cluster())
    fewer = run(parallelism=SPLIT)
    fewer.software.input_words_counted = False
    output_alone = fewer.plan(cluster())
    assert 1 - output_alone.flops / all_told.flops == pytest.approx(32000 * 8192 / 69e9)
    assert output_alone.step == all_told.step


@pytest.mark.parametrize("name", ["2b", "70b", "175b", "462b"])
def test_megatron_core_counts_useful_operations_as_its_paper_does(name):
    """Layers, the whole square of attention and output words once, tied or not."""
    gpus = {"2b": 128, "70b": 768, "175b": 96, "462b": 6144}[name]
    config = [f"workload=megatron_{name}_run", "gpu=h100", "rack=20kw", "network=fat_tree"]
    workload = build.read(composed(*config, f"facility.gpus={gpus}")).workload
    assert isinstance(workload, TrainingRun)
    shape, tokens = workload.model, 1e12
    useful = workload._useful_flops_per_token(shape.transformer()) * tokens
    counted = transformer_flops(shape.layers, shape.hidden, 4096, 131072, tokens)
    assert useful == pytest.approx(counted, rel=0.005)


def test_operations_and_tokens_are_two_ways_to_say_one_thing(run, cluster):
    tokens = run(parallelism=SPLIT).plan(cluster())
    flops = run(parallelism=SPLIT, tokens_billion=None, exaflops=6 * 69 * 500).plan(cluster())
    assert flops.steps == tokens.steps


def test_a_gpu_draws_the_time_weighted_mean_of_the_phases(run, cluster):
    workload = run(parallelism=SPLIT)
    step = workload.plan(cluster()).step
    busy_s, told_s = step.math_s + step.memory_s + step.optimizer_s, step.communication_s
    rest_s = step.bubble_s + step.imbalance_s + step.straggler_s
    power = (0.95 * busy_s + 0.6 * told_s + 0.25 * rest_s) / step.step_s
    plan = workload.plan(cluster())
    blocked = 15.0 / (plan.interval_s + 15.0)
    power = power * (1 - blocked) + 0.25 * blocked
    job = the_job(workload, cluster())
    high_w, low_w = A100.gpu_power_w(job.activity), A100.gpu_power_w(job.low_activity)
    assert high_w == pytest.approx(0.95 * 400.0)
    assert (job.duty * high_w + (1 - job.duty) * low_w) / 400.0 == pytest.approx(power)


def test_only_communication_that_leaves_the_server_feels_the_fabric(run, cluster):
    plan = run(parallelism=SPLIT).plan(cluster())
    latency_s = 2 * 31 * 4e-6 / 5  # of the one piece of five that is seen
    seen_s = plan.step.data_s - latency_s
    assert plan.fabric_fraction == pytest.approx(seen_s / plan.step.step_s)
    ((hidden, cover),) = plan.hidden_comm
    assert hidden == pytest.approx(4 * plan.fabric_fraction)
    assert hidden < cover < 1
    (job,) = run(parallelism=SPLIT).jobs(cluster())
    assert (job.comm_fraction, job.hidden_comm) == (plan.fabric_fraction, plan.hidden_comm)
    model = {"parameters_billion": 1.3, "layers": 24, "hidden": 2048, "feed_forward": 0}
    small = changed(run, "model", **model)
    small.gpus, small.batch = 8, 64
    assert small.plan(cluster()).fabric_fraction == 0.0
    assert small.plan(cluster()).hidden_comm == ()


def test_a_slower_fabric_makes_the_run_longer(run, cluster):
    from dataclasses import replace

    slow = replace(A100, fabric_bytes_per_s=1e9)
    fast_s = the_job(run(parallelism=SPLIT), cluster()).work_s
    assert the_job(run(parallelism=SPLIT), cluster(hardware=slow)).work_s > fast_s


def test_all_gpus_there_are_unless_a_number_is_given(run, cluster):
    assert run(gpus=None, parallelism=SPLIT, batch=1005).plan(cluster()).layout.gpus == 2144


def test_it_is_submitted_when_it_says_or_not_at_all(run, cluster):
    assert the_job(run(start_hours=30), cluster(days=2)).arrived_at_s == 30 * 3600
    assert list(run(start_hours=50).jobs(cluster(days=2))) == []


# ---- checkpoints ----


@pytest.mark.parametrize("failures", [3.9e-3, 3e-2])
@pytest.mark.parametrize("blocking_s", [5.0, 60.0])
def test_the_chosen_interval_is_within_five_percent_of_the_best(run, cluster, failures, blocking_s):
    """Against a search of the complete solution where one failure rate acts."""
    keys = {"failures_per_server_day": failures, "blocking_s": blocking_s, "restart_minutes": 0}
    plan = changed(run, "checkpoint", **keys).plan(cluster())
    mttf_s = mean_time_to_failure_s(128, failures)
    tried = [10.0 * 1.005**i for i in range(1500)]
    best_s = max(tried, key=lambda tau: goodput_fraction(tau, blocking_s, mttf_s, 0.0))
    assert plan.interval_s == pytest.approx(best_s, rel=0.05)


def test_a_synchronous_checkpoint_stops_the_work_until_it_is_written(run, cluster):
    keys = {"blocking_s": None, "write_fraction": 0.5, "interval_minutes": 60}
    plan = changed(run, "checkpoint", **keys).plan(cluster())
    assert plan.blocking_s == pytest.approx(69e9 * 14 / 1e12)
    assert plan.interval_s == 3600.0


def test_a_checkpoint_is_written_before_the_next_one_comes(run, cluster):
    slow = cluster(hardware=_with_storage(1e8))
    plan = run().plan(slow)
    assert plan.interval_s == pytest.approx(69e9 * 14 / 1e8 - 15.0)
    hasty = changed(run, "checkpoint", interval_minutes=10)
    with pytest.raises(ConfigError, match=r"workload.checkpoint.interval_minutes=10.0: must be >="):
        hasty.check(slow)


@pytest.mark.parametrize(("keep", "least"), [(1, "1\\.93"), (2, "2\\.9"), (None, "1\\.93")])
def test_the_checkpoints_it_keeps_and_one_more_must_fit_the_storage(run, cluster, keep, least):
    """69e9 x 14 bytes are 0.966 TB; who keeps all must have room for two at least."""
    kept = changed(run, "checkpoint", keep=keep)
    message = rf"checkpoint: 69 .* 0\.966 TB.*: {least} TB; the storage holds 1\.9 TB"
    with pytest.raises(ConfigError, match=message):
        kept.check(cluster(hardware=replace(A100, storage_holds_bytes=1.9e12)))
    holds = 0.966e12 * ((keep or 1) + 1) + 1e9
    kept.check(cluster(hardware=replace(A100, storage_holds_bytes=holds)))
    run(checkpoint=None).check(cluster(hardware=replace(A100, storage_holds_bytes=1.0)))


def _with_storage(bytes_per_s):
    return replace(A100, storage_bytes_per_s=bytes_per_s)


# ---- what is refused ----


def test_a_model_that_does_not_fit_is_refused_with_the_arithmetic(run, cluster):
    message = (
        r"workload.parallelism: memory=80 GB: must be >= .* GB per GPU: 6.9e\+10 parameters "
        r"over tensor 1 x pipeline 1.*what the facility has"
    )
    with pytest.raises(ConfigError, match=message):
        run(parallelism={}).check(cluster())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"tokens_billion": 0}, r"workload.tokens_billion=0: must be > 0"),
        ({"tokens_billion": None}, r"workload.tokens_billion=None: must be given where exaflops"),
        ({"exaflops": 1}, r"workload.tokens_billion=500.0: must be given where exaflops"),
        ({"gpus": 0}, r"workload.gpus=0: must be >= 1"),
        ({"parallelism": {"tensor": 0}}, r"workload.parallelism.tensor=0: must be >= 1"),
        (
            {"checkpoint": {"failures_per_server_day": None}},
            r"workload.checkpoint.failures_per_server_day=None: must be given where",
        ),
        (
            {"model": {"active_parameters_billion": 70}},
            r"workload.model.active_parameters_billion=70.0: must be <= parameters_billion=69",
        ),
        ({"checkpoint": {"keep": 0}}, r"workload.checkpoint.keep=0: must be >= 1"),
        (
            {"model": {"hidden": 16384}},
            r"workload.model.feed_forward=28672: must be so wide that 80 layers fit 67.95 billion",
        ),
        (
            {"model": {"feed_forward": 10**14}},
            r"workload.model.feed_forward=10{14}: must be so wide",
        ),
        (
            {"software": {"attention_speed": 61}},
            r"workload.software.attention_speed=61: must be > 0 and <= 10",
        ),
        ({"software": {"linear_speed": 158}}, r"workload.software.linear_speed=158: must be > 0"),
        ({"model": {"vocabulary": -1}}, r"workload.model.vocabulary=-1: must be >= 0"),
        ({"model": {"layers": None}}, r"workload.model.layers=None: must be given where hidden is"),
    ],
)
def test_wrong_keys_are_refused_by_name(run, keys, message):
    (group, value), *_ = keys.items()
    with pytest.raises(ConfigError, match=message):
        if isinstance(value, dict) and group != "parallelism":
            changed(run, group, **value)
        else:
            run(**keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gpus": 1000, "parallelism": SPLIT}, r"workload.gpus=1000: must be a multiple of .* 32"),
        ({"gpus": 4096}, r"workload.gpus=4096: must be at most 2144 .* has for jobs"),
        (
            {"batch": 1000, "parallelism": SPLIT},
            r"workload.batch=1000: must be a multiple of .* 32",
        ),
        (
            {"parallelism": {**SPLIT, "expert": 5}},
            r"workload.parallelism.expert=5: must be a divisor of data=32",
        ),
        (
            {"parallelism": {**SPLIT, "virtual_stages": 21}},
            r"workload.parallelism.virtual_stages=21: must be <= 20",
        ),
        (
            {"gpus": 1280, "batch": 1280, "parallelism": {**SPLIT, "tensor": 5}},
            r"workload.parallelism.tensor=5: must be a divisor of hidden=8192",
        ),
        (
            {"parallelism": {**SPLIT, "pipeline": 5, "both_ways": True}, "gpus": 1000},
            r"workload.parallelism.pipeline=5: must be even where both_ways",
        ),
        ({"gpus": 1021}, r"workload.gpus=1021: must be such that"),
    ],
)
def test_ranks_that_do_not_divide_are_refused_by_name(run, cluster, keys, message):
    with pytest.raises(ConfigError, match=message):
        run(**keys).check(cluster())


def test_more_words_than_parameters_are_refused_by_name(run, cluster):
    with pytest.raises(ConfigError, match=r"workload.model.vocabulary=10000000: must be .* fewer"):
        changed(run, "model", vocabulary=10_000_000).check(cluster())


def test_more_failures_than_a_run_can_live_with_are_refused(run, cluster):
    doomed = changed(run, "checkpoint", failures_per_server_day=1e5, restart_minutes=0)
    with pytest.raises(ConfigError, match=r"workload.checkpoint.failures_per_server_day"):
        doomed.check(cluster())


# ---- the layout it chooses, and what it says ----


def test_the_chosen_layout_is_no_slower_than_a_given_one_and_fits(run, cluster):
    chosen, given = run().plan(cluster()), run(parallelism=SPLIT).plan(cluster())
    assert chosen.step.step_s <= given.step.step_s
    assert chosen.memory_bytes <= 80e9


def test_experts_are_spread_until_they_fit(run, cluster):
    experts = {
        "parameters_billion": 140,
        "active_parameters_billion": 14,
        "expert_parameters_billion": 130,
        "expert_copies": 2,
        "feed_forward": 0,
    }
    layout = changed(run, "model", **experts).plan(cluster()).layout
    assert layout.expert > 1


def test_products_that_are_not_known_to_fill_the_gpu_are_told(run, cluster):
    known, unknown = run(parallelism=SPLIT), run(parallelism=SPLIT)
    known.check(cluster())
    unknown.check(cluster(hardware=replace(A100, multiprocessors=None)))
    assert len(known.warnings) == 1
    assert "gpu.multiprocessors is not known" in unknown.warnings[1]


def test_attention_is_as_fast_as_products_where_nothing_is_known_and_the_run_says_so(run, cluster):
    unknown = cluster(hardware=replace(A100, attention_speed=None))
    told = run(parallelism=SPLIT)
    told.check(unknown)
    assert "gpu.attention_speed is not known" in told.warnings[1]
    alike = cluster(hardware=replace(A100, attention_speed=1.0))
    assert told.plan(unknown).step == told.plan(alike).step


def test_the_speed_of_attention_is_that_of_the_gpu_times_that_of_the_software(run, cluster):
    slow = run(parallelism=SPLIT)
    slow.software.attention_speed = 0.5
    usual = run(parallelism=SPLIT).plan(cluster(hardware=replace(A100, attention_speed=0.39)))
    assert slow.plan(cluster()).step == usual.step
    assert slow.plan(cluster()).mfu < run(parallelism=SPLIT).plan(cluster()).mfu


def test_of_a_dense_model_its_size_is_enough():
    workload = build.read(composed("workload=dense_run", "workload.gpus=8")).workload
    shape = workload.model.transformer()
    assert (shape.layers, shape.hidden, shape.parameters) == (36, 4096, 7e9)


def test_a_shape_that_is_not_given_is_told(run, cluster):
    model = {"name": "7B", "parameters_billion": 7, "layers": None, "hidden": None}
    workload = run(model={**model, "sequence": 4096}, gpus=8)
    workload.check(cluster())
    assert workload.plan(cluster()).layout.full_recompute is False
    assert (
        "7B: model.layers and hidden are not given: taken as 36 layers of 4096"
        in (workload.warnings[1])
    )


def test_of_experts_the_shape_is_that_of_what_a_token_meets(run):
    model = {
        "name": "671B",
        "parameters_billion": 671,
        "active_parameters_billion": 37,
        "layers": None,
        "hidden": None,
        "sequence": 4096,
    }
    shape = run(model=model).model.transformer()
    assert (shape.layers, shape.hidden) == (60, 7168)


def test_the_plan_is_told_in_words(run, cluster):
    workload = run(parallelism=SPLIT)
    workload.check(cluster())
    (told,) = workload.warnings
    assert "1024 GPUs (tensor 8 x pipeline 4 x data 32)" in told
    assert "MFU 47" in told


# ---- in a facility ----


def test_a_run_takes_gpus_fabric_and_storage_of_its_cluster():
    config = composed("gpu=a100", "network=fat_tree_800g", "workload=training_run")
    design = build.read(config)
    build.size(design)
    assert isinstance(design.workload, TrainingRun)
    hardware = design.context.hardware
    assert hardware.fabric_bytes_per_s == 12.5e9  # 4 x 200 Gb/s for eight GPUs
    assert hardware.domain_bytes_per_s == 300e9
    assert hardware.storage_bytes_per_s == 1e12  # of writing


def test_several_runs_share_a_facility_as_a_mix(run, cluster):
    from twin.workload.mix import Mix

    mix = Mix(streams={"first": run(), "second": run(start_hours=1)})
    mix.check(cluster())
    assert [(job.job_id, job.gpus) for job in mix.jobs(cluster())] == [
        ("first", 1024),
        ("second", 1024),
    ]


def test_a_run_writes_its_checkpoints_at_their_mean_and_stops_only_where_it_blocks(run, cluster):
    """14 bytes of each of 69 billion parameters, every half hour."""
    keys = {"interval_minutes": 30.0, "blocking_s": 5.0, "bytes_per_parameter": 14.0}
    job = the_job(changed(run, "checkpoint", **keys), cluster())
    size = 14.0 * run().model.parameters_billion * 1e9
    assert job.write_bytes_per_s == pytest.approx(size / (1800 + 5))
    assert (job.burst_bytes_per_s, job.burst_fraction) == (0.0, 0.0)
    assert (job.checkpoint_bytes, job.keep, job.stays) == (size, 2, False)
    keys |= {"blocking_s": None, "write_fraction": 0.5, "keep": None, "stays": True}
    job = the_job(changed(run, "checkpoint", **keys), cluster())
    assert job.burst_bytes_per_s == 1e12  # half of 2 TB/s
    assert (job.keep, job.stays) == (inf, True)
    writing_s = size / 1e12
    assert job.burst_fraction == pytest.approx(writing_s / (1800 + writing_s))
