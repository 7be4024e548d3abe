"""A serving fleet in a facility: capacity, scaling, energy, refusals, and a real half hour."""

import dataclasses
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.workload.conftest import H100, gpu, hardware, resolve
from twin.config import parse
from twin.errors import ConfigError, ParameterError
from twin.physics.inference import saturated, tensor_parallel_s
from twin.workload.latency import Latency, histogram, quantile_s
from twin.workload.mix import Mix
from twin.workload.replica import activity_of
from twin.workload.scaling import Autoscaling
from twin.workload.serving import arrivals_s

CONF = Path(__file__).resolve().parents[2] / "conf"
SERVING = [*sorted((CONF / "workload").glob("serving_*.yaml")), CONF / "workload/llm_serving.yaml"]


def chat(configured, **more):
    return configured("serving_70b", **more)


# ---- against measurements ----


def replica_at(configured, batch):
    """Return a replica of four H100, and how many of *batch* requests fit its memory."""
    replica = chat(configured).replica(H100.peak_flops, hardware(H100))
    return replica, min(batch, replica.costs.kv_tokens / 540)


@pytest.mark.parametrize(
    ("batch", "measured"), [(8, 470), (64, 2511), (128, 3876), (512, 5921), (1024, 6827)]
)
def test_70b_on_four_h100_makes_the_tokens_that_were_measured(configured, batch, measured):
    """ML.ENERGY, LM-Arena chat; the engine was fitted to these five within 4 %."""
    replica, running = replica_at(configured, batch)
    tokens_per_s, _, _ = saturated(replica.costs, running, 190, 350)
    assert tokens_per_s == pytest.approx(measured, rel=0.04)


@pytest.mark.parametrize(
    ("batch", "measured_w"), [(8, 441), (64, 500), (128, 546), (512, 623), (1024, 637)]
)
def test_70b_on_four_h100_draws_what_was_measured(configured, batch, measured_w):
    """ML.ENERGY, LM-Arena chat; energies of bytes and operations were fitted to these five."""
    replica, running = replica_at(configured, batch)
    _, _, prefill = saturated(replica.costs, running, 190, 350)
    decode = replica.power.decode(running, running * 365)
    fraction = prefill * replica.power.prefill() + (1 - prefill) * decode
    assert fraction * replica.tdp_w == pytest.approx(measured_w, rel=0.015)


def test_one_engine_serves_everywhere():
    """The figures fitted to one series stand in several files and must not drift apart."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SERVING]
    assert len(files) >= 8
    for key in ("engine", "power"):
        assert all(file[key] == files[0][key] for file in files)
    by_size = {}
    for file in files:
        size = file["model"]["parameters_b"]
        assert by_size.setdefault(size, file["model"]) == file["model"]


# ---- power ----


@pytest.mark.parametrize("name", ["h100", "a100", "b200"])
def test_a_gpu_turns_activity_back_into_the_power_of_serving(name):
    server = gpu(name)
    wanted = np.linspace(server.gpu_idle_w / server.gpu_max_w, 1.0, 37)
    activity = activity_of(wanted, hardware(server))
    drawn = [server.gpu_power_w(each) / server.gpu_max_w for each in activity.tolist()]
    assert drawn == pytest.approx(wanted.tolist(), abs=2e-4)


@pytest.mark.parametrize("server", [H100, gpu("b200")], ids=["h100", "b200"])
def test_the_more_gpus_share_a_replica_the_more_they_wait_and_the_less_each_draws(
    configured, server
):
    drawn = []
    for gpus in (2, 4, 8):
        replica = chat(configured, gpus_per_replica=gpus).replica(
            server.peak_flops, replace(hardware(server), memory_bytes=2e11)
        )
        drawn.append(replica.power.decode(8, 8 * 325))
    assert drawn == sorted(drawn, reverse=True)
    assert drawn[2] < 0.95 * drawn[0]


def model_of(name):
    return yaml.safe_load((CONF / "workload" / f"{name}.yaml").read_text(encoding="utf-8"))["model"]


def with_model(configured, name, **more):
    """Return a replica of a workload on H100 with some keys of its model replaced."""
    serving = configured(name, model=model_of(name) | more)
    return serving.replica(H100.peak_flops, hardware(H100))


def test_faster_precision_computes_for_less_energy_and_no_less_power(configured):
    usual = with_model(configured, "serving_8b")
    twice = with_model(configured, "serving_8b", speed_over_bf16=2)
    # What is moved between the products takes as long as before.
    arithmetic_s = 2 * (8.03e9 - 2 * 128256 * 4096) / (0.72 * H100.peak_flops)
    saved_s = usual.costs.per_prompt_token_s - twice.costs.per_prompt_token_s
    assert saved_s == pytest.approx(0.5 * arithmetic_s)
    saved = usual.power.per_prompt_token_tdp_s - twice.power.per_prompt_token_tdp_s
    assert saved == pytest.approx(0.5 * arithmetic_s * 0.72 * 1.51)
    assert usual.power.prefill() > 0.95
    assert twice.power.prefill() == pytest.approx(usual.power.prefill(), rel=0.03)


# ---- what a step holds ----


def test_an_answers_token_costs_its_word_besides_what_a_prompts_costs(configured):
    """Llama-3.1-8B on one H100: the output words' product, 50 bytes a word, and their sort."""
    costs = with_model(configured, "serving_8b").costs
    product_s = 2 * 128256 * 4096 / (0.72 * H100.peak_flops)
    drawing_s = 128256 * 50 / (0.9 * H100.memory_bytes_per_s) + 128256 / 9e9
    more_s = costs.per_request_s - costs.per_prompt_token_s
    assert more_s == pytest.approx(product_s + drawing_s, rel=1e-9)


def test_long_prompts_take_longer_than_their_tokens(configured):
    """Llama-3.1-70B: 100,000 tokens read each other for two thirds of what they take besides,

    which is their arithmetic and, for 0.4 of its time, passes and sums over the GPUs.
    """
    costs = chat(configured).replica(H100.peak_flops, hardware(H100)).costs
    longer = costs.prefill_s(1e5) / (1e5 * costs.per_prompt_token_s)
    assert longer == pytest.approx(1 + 1e5 * 2 * 80 * 8192 / (2 * 68.5e9) / 1.4, rel=0.03)


# us of 1, 4 and 16 MiB by GPUs: vLLM 0.14 (B200: 0.19) with CUDA graphs, NVIDIA AIConfigurator
# 0.12, custom_allreduce_perf, whose sizes are in values of 2 bytes.
ALL_REDUCES = {
    "a100": {2: (10.7, 25.2, 126.3), 4: (18.3, 41.5, 182.5), 8: (21.7, 45.4, 214.2)},
    "h100": {2: (8.4, 20.3, 78.5), 4: (12.8, 30.5, 101.1), 8: (17.3, 34.5, 121.8)},
    "b200": {2: (13.1, 34.6, 57.6), 4: (19.0, 29.8, 67.8), 8: (16.7, 26.6, 62.4)},
}


@pytest.mark.parametrize(("name", "worst"), [("a100", 0.3), ("h100", 0.25), ("b200", 0.5)])
def test_all_reduces_take_what_they_were_measured_to_take(name, worst):
    """Within *worst* each, and within a tenth on average."""
    server, errors = gpu(name), []
    reached = server.link_fraction * server.scale_up_bytes_per_s
    for gpus, measured_us in ALL_REDUCES[name].items():
        for mebibytes, us in zip((1, 4, 16), measured_us, strict=True):
            # Half a layer adds up once.
            parts = 0.5, gpus, mebibytes * 2**20, reached, server.exchange_us * 1e-6
            errors.append(1e6 * sum(tensor_parallel_s(*parts)) / us - 1.0)
    assert max(map(abs, errors)) < worst, errors
    assert abs(sum(errors) / len(errors)) < 0.1, errors


@pytest.mark.parametrize(
    ("name", "measured_us"),
    [
        ("h100", {8: 14.0, 64: 17.3, 128: 39.8, 256: 69.3, 512: 120.5}),
        ("a100", {8: 23.2, 64: 50.5, 128: 73.0, 256: 116.3, 512: 202.3}),
        ("b200", {8: 8.2, 64: 8.2, 128: 10.2, 256: 26.6, 512: 45.1}),
    ],
)
def test_attention_takes_its_start_and_its_reading(name, measured_us):
    """Requests of 512 tokens, 16 heads of 128 over 2 of keys: vLLM, the same source."""
    server, read = gpu(name), {"h100": 0.79, "a100": 0.68, "b200": 0.97}[name]
    per_request_us = 1e6 * 512 * 2 * 2 * 128 * 2 / (read * server.memory_bytes_per_s)
    errors = [server.attention_us + n * per_request_us for n in measured_us]
    errors = [got / us - 1.0 for got, us in zip(errors, measured_us.values(), strict=True)]
    assert abs(sum(errors) / len(errors)) < 0.15, errors


def test_a_step_holds_attention_and_exchanges_of_each_layer_and_no_slower_link(configured):
    """By hand, Llama-3.1-70B on four H100: reading, nine launches, two sums, attention."""
    usual = chat(configured).replica(H100.peak_flops, hardware(H100)).costs
    read_s = (70.6e9 - 128256 * 8192) * 2 / 4 / (0.805 * H100.memory_bytes_per_s)
    layer_s = 9 * 1.3e-6 + 2 * 2 * 4e-6 + 12e-6
    assert usual.fixed_s == pytest.approx(read_s + 80 * layer_s, rel=1e-9)
    halved = replace(hardware(H100), link_fraction=0.305)
    slower = chat(configured).replica(H100.peak_flops, halved).costs
    added_s = 80 * 2 * 1.5 * 2 * 8192 / (0.61 * 450e9)
    gathered_s = 128256 * 2 * 0.75 / (0.61 * 450e9)
    more_s = slower.per_prompt_token_s - usual.per_prompt_token_s
    assert more_s == pytest.approx(added_s, rel=1e-9)
    assert slower.per_request_s - usual.per_request_s == pytest.approx(added_s + gathered_s)


def test_without_top_p_no_words_are_sorted(configured):
    engine = chat(configured).engine
    plain = dataclasses.asdict(engine) | {"sort_gwords_per_s": None}
    usual, quick = (
        chat(configured, engine=each).replica(H100.peak_flops, hardware(H100))
        for each in (dataclasses.asdict(engine), plain)
    )
    saved_s = usual.costs.per_request_s - quick.costs.per_request_s
    assert saved_s == pytest.approx(128256 / 9e9)
    assert quick.power.per_request_tdp_s < usual.power.per_request_tdp_s
    assert quick.costs.per_prompt_token_s == usual.costs.per_prompt_token_s


def test_layers_of_8_bits_launch_and_move_more(configured):
    usual, fp8 = (with_model(configured, "serving_8b", fp8_layers=n) for n in (0, 32))
    assert fp8.costs.fixed_s - usual.costs.fixed_s == pytest.approx(2 * 32 * 1.3e-6)
    moved = 32 * 3 * (4096 + 14336)
    more_s = fp8.costs.per_prompt_token_s - usual.costs.per_prompt_token_s
    assert more_s == pytest.approx(moved / (0.9 * H100.memory_bytes_per_s))


def test_input_words_are_held_and_not_read_unless_they_are_the_output_words(configured):
    apart, tied = (with_model(configured, "serving_8b", tied=t) for t in (False, True))
    assert apart.costs.kv_tokens == tied.costs.kv_tokens
    table = 128256 * 4096 * 2
    more_s = tied.costs.fixed_s - apart.costs.fixed_s
    assert more_s == pytest.approx(table / (0.805 * H100.memory_bytes_per_s))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [("vocabulary", 10**6, "few enough"), ("fp8_layers", 33, "at most layers=32")],
)
def test_models_that_cannot_be_are_refused(configured, key, value, allowed):
    with pytest.raises(ConfigError, match=f"{key}={value}: must be {allowed}"):
        with_model(configured, "serving_8b", **{key: value})


def test_a_slowed_replica_is_asked_for_the_power_of_its_own_speed(configured):
    """What a cap takes off is taken off by the GPU; taken off here too it would count twice."""
    replica = chat(configured).replica(H100.peak_flops, hardware(H100))
    slow = replica.slowed(0.5)
    assert slow.power_table(64, 325.0).tolist() == replica.power_table(64, 325.0).tolist()
    assert slow.power.prefill() == replica.power.prefill()


def test_waiting_gpus_that_would_draw_less_than_idle_ones_are_refused(configured):
    power = {"waiting": 0.05, "read_pj_per_byte": 114, "arithmetic_at_peak": 1.51}
    with pytest.raises(ParameterError, match=r"workload.power.waiting=0.05: must be > 0.1"):
        chat(configured, power=power).replica(H100.peak_flops, hardware(H100))


def test_energy_depends_on_neither_step_of_the_profile(configured, on_h100):
    energy = []
    for step_s in (60, 300, 3600):
        serving = chat(configured, step_s=step_s)
        serving.check(on_h100(days=1.0))
        (service,) = serving.services(on_h100(days=1.0))
        power_w = [H100.gpu_power_w(each) for each in service.profile.activity.tolist()]
        energy.append(np.mean(power_w))
    assert energy == pytest.approx([energy[0]] * 3, rel=1e-4)


def test_a_fleet_that_scales_down_at_night_draws_less_and_serves_the_same(configured, on_h100):
    context = on_h100(days=1.0)
    scaled = chat(configured, noise_fraction=0.0).serve(context)
    steady = chat(configured, noise_fraction=0.0, autoscaling=None).serve(context)
    assert scaled.replicas.min() < 0.6 * scaled.replicas.max()
    assert scaled.power_fraction.mean() < 0.9 * steady.power_fraction.mean()
    assert scaled.requests_per_s.sum() == pytest.approx(steady.requests_per_s.sum())
    assert scaled.latency.itl_s(0.5) > steady.latency.itl_s(0.5)


# ---- scaling ----


def test_a_replica_serves_only_after_its_start_and_stays_for_a_while():
    scaling = Autoscaling(1, 0.5, startup_minutes=2, scale_down_minutes=3)
    demand = np.array([1.0, 1, 1, 4, 1, 1, 1, 1, 1, 1, 1, 1])
    up = scaling.replicas(demand, capacity=2.0, most=10, step_s=60.0)
    assert up.tolist() == [1, 1, 1, 1, 1, 4, 4, 4, 4, 1, 1, 1]


def test_there_are_never_more_replicas_than_there_are():
    scaling = Autoscaling(2, 0.5, 0, 0)
    up = scaling.replicas(np.array([0.0, 100.0]), capacity=1.0, most=8, step_s=60.0)
    assert up.tolist() == [2, 8]


# ---- demand ----


@pytest.mark.parametrize("cv", [0.5, 1.0, 3.0])
def test_arrivals_follow_demand_and_are_as_bursty_as_said(cv):
    demand = np.concatenate([np.full(600, 5.0), np.full(600, 1.0)])
    at_s = arrivals_s(demand, cv, np.random.default_rng(1))
    first = int((at_s < 36_000).sum())
    assert first == pytest.approx(180_000, rel=0.02 * max(cv, 1))
    assert len(at_s) - first == pytest.approx(36_000, rel=0.04 * max(cv, 1))
    gaps = np.diff(at_s[:first])
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05)


def test_generated_requests_are_the_same_for_the_same_seed(configured, on_h100):
    context = on_h100(days=0.02)
    made = [chat(configured).serve(context).tokens_per_s.tolist() for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize(("mode", "replicas", "days"), [("fluid", 64, 0.1), ("requests", 8, 0.003)])
def test_demand_no_fleet_can_serve_runs_and_says_what_was_not_served(
    configured, on_h100, mode, replicas, days
):
    serving = chat(configured, requests_per_s=80 * replicas, replicas=replicas, mode=mode)
    (service,) = serving.services(on_h100(days=days))
    (warning,) = serving.warnings
    unserved = service.profile.unserved_requests_per_s.sum() * service.step_s
    assert unserved > 0.0
    assert warning.startswith(f"workload: {unserved:.0f} requests (")
    assert f"% of demand) were not served: {replicas} replicas cannot take them" in warning


@pytest.mark.parametrize("longest", [400_000, 500_000])
def test_what_the_memory_of_a_replica_cannot_hold_is_not_served_in_any_mode(
    configured, on_h100, longest
):
    """448,000 tokens fit; of prompts of 370,000 on average some or many are longer."""
    tokens = {"prompt_tokens": 370_000, "output_tokens": 2, "prompt_sigma": 0.3}
    tokens |= {"tokens_max": longest}
    shares = []
    for name, more in (
        ("serving_70b", {"mode": "fluid", "autoscaling": None, "queue_max_s": 1e6}),
        ("serving_70b", {"mode": "requests", "autoscaling": None, "queue_max_s": 1e6}),
        ("llm_serving", {}),
    ):
        serving = configured(name, replicas=64, requests_per_s=0.4, tokens=tokens, **more)
        (service,) = serving.services(on_h100(days=0.05))
        lost = service.profile.unserved_requests_per_s.sum()
        shares.append(lost / (lost + service.profile.requests_per_s.sum()))
        (told,) = serving.warnings if lost else ("cannot hold one",)
        assert "cannot hold one" in told
    if longest == 400_000:
        assert shares == [0.0, 0.0, 0.0]
    else:
        assert shares[0] == pytest.approx(shares[2])
        assert shares[1] == pytest.approx(shares[0], abs=0.05)
        assert 0.15 < shares[0] < 0.3


def test_where_no_request_fits_all_are_told_of_and_none_is_served(configured, on_h100):
    tokens = {"prompt_tokens": 900_000, "output_tokens": 2, "tokens_max": 1_000_000}
    for name in ("serving_70b", "llm_serving"):
        serving = configured(name, replicas=64, tokens=tokens)
        (service,) = serving.services(on_h100(days=0.05))
        assert service.profile.requests_per_s.max() == 0.0
        assert "(100 % of demand)" in serving.warnings[0]


# ---- refusals ----


def test_more_replicas_than_gpus_are_refused(configured, on_h100):
    with pytest.raises(ConfigError, match=r"workload.replicas=65: .*260 GPUs: must be at most 256"):
        chat(configured, replicas=65).check(on_h100())


def test_a_model_too_large_for_its_gpus_is_refused(configured, on_h100):
    with pytest.raises(ConfigError, match=r"gpus_per_replica=1: weights of 141 GB.*72 GB"):
        chat(configured, gpus_per_replica=1).check(on_h100())


def test_a_step_of_no_whole_minutes_is_refused(configured):
    with pytest.raises(ConfigError, match=r"step_s=90.*multiple of 60"):
        chat(configured, step_s=90.0)


# ---- latency histograms ----


def test_quantiles_of_a_histogram_are_within_a_bin():
    seconds = np.random.default_rng(0).lognormal(-2.0, 1.0, 50_000)
    for share in (0.5, 0.9, 0.99):
        got = quantile_s(histogram(seconds), share)
        assert got == pytest.approx(float(np.quantile(seconds, share)), rel=0.03)
    assert quantile_s(np.zeros(720), 0.5) is None


def test_latencies_of_two_services_add_up():
    one = Latency(histogram(np.array([0.1])), histogram(np.array([0.01])), 1.0, 1.0)
    both = one + Latency(histogram(np.array([10.0])), histogram(np.array([1.0])), 1.0, 0.0)
    assert both.within_fraction() == 0.5
    assert both.ttft.sum() == 2


# ---- a real half hour ----


def test_half_an_hour_of_azure_in_both_modes(configured, on_h100, shared_data):
    path = shared_data / "requests" / "azure-llm-2023" / "azure_conv_first.csv.gz"
    context = on_h100(days=1 / 48, gpus=16, start=datetime(2023, 11, 16, 18, 16))
    single, fluid = (
        configured("serving_azure", path=str(path), mode=mode) for mode in ("requests", "fluid")
    )
    for serving in (single, fluid):
        serving.check(context)
        serving.serve(context)
    one, other = single.served, fluid.served
    assert one.latency.requests == other.latency.requests == 10_168
    assert other.power_fraction.mean() == pytest.approx(one.power_fraction.mean(), rel=0.02)
    assert other.tokens_per_s.mean() == pytest.approx(one.tokens_per_s.mean(), rel=0.01)
    for share, within in ((0.5, 0.1), (0.9, 0.1), (0.99, 0.25)):
        assert other.latency.ttft_s(share) == pytest.approx(one.latency.ttft_s(share), rel=within)
        assert other.latency.itl_s(share) == pytest.approx(one.latency.itl_s(share), rel=within)
    assert one.latency.within_fraction() == pytest.approx(1.0, abs=0.01)


def test_bursts_that_the_fluid_does_not_see_are_pointed_out(configured, on_h100, shared_data):
    path = shared_data / "requests" / "azure-llm-2023" / "azure_code_first.csv.gz"
    context = on_h100(days=1 / 48, gpus=16, start=datetime(2023, 11, 16, 18, 16))
    notes = {}
    for mode in ("requests", "fluid"):
        serving = configured("serving_azure", path=str(path), mode=mode)
        serving.check(context)
        notes[mode] = [note for note in serving.report.notes if "bursts" in note]
    assert notes["requests"] == []
    assert "vary by 13.5" in notes["fluid"][0]


def test_a_run_is_worked_out_once(configured, on_h100):
    context = on_h100(days=0.1)
    serving = chat(configured)
    serving.services(context)
    first = serving.served
    serving.services(context)
    assert serving.served is first
    serving.services(dataclasses.replace(context))
    assert serving.served is not first


def test_the_latencies_of_a_mix_are_those_of_all_its_services(configured, on_h100):
    data = yaml.safe_load((CONF / "workload" / "serving_8b.yaml").read_text(encoding="utf-8"))
    coarse = yaml.safe_load((CONF / "workload" / "llm_serving.yaml").read_text(encoding="utf-8"))
    context = on_h100(days=0.1, gpus=1024)
    both = parse(Mix, {"streams": {"a": data, "b": data}}, "workload", resolve)
    both.services(context)
    one, other = (stream.latency() for stream in both.streams.values())
    assert both.latency().requests == pytest.approx(one.requests + other.requests)
    # Where one service has no latencies, those of the others would pass for all.
    mixed = parse(Mix, {"streams": {"a": data, "b": coarse}}, "workload", resolve)
    mixed.services(context)
    assert mixed.latency() is None


# ---- shape ----


@pytest.mark.parametrize(
    ("wrong", "sum_b"),
    [
        ({"feed_forward_size": 2867}, "19.82"),
        ({"gated": False}, "51.76"),
        ({"layers": 160}, "139"),
        ({"parameters_b": 700, "active_parameters_b": 700}, "70.55"),
    ],
)
def test_a_shape_that_does_not_make_up_the_parameters_is_refused_with_the_sum(
    configured, wrong, sum_b
):
    model = yaml.safe_load((CONF / "workload/serving_70b.yaml").read_text())["model"] | wrong
    with pytest.raises(ConfigError, match=r"workload.model.active_parameters_b=7") as refused:
        chat(configured, model=model)
    assert f"within 20 % of what the shape makes, {sum_b}: layers=" in str(refused.value)


def test_the_shapes_of_published_models_make_up_their_parameters(configured):
    """Llama-3.1: 70.6, 405 and 8.03 billion; GPT-3: 175."""
    models = [configured(name).model for name in ("serving_70b", "serving_405b_fp8", "serving_8b")]
    models.append(configured("llm_serving", model=gpt3()).model)
    for model in models:
        tables = 1 if model.tied else 2
        shaped = model.layers * model.layer_parameters() + tables * model.words()
        assert shaped == pytest.approx(model.active_parameters_b * 1e9, rel=0.005)


def gpt3():
    """Return the model of conf/workload/chat_2023.yaml, with what it takes over."""
    data = [yaml.safe_load((CONF / f"workload/{name}.yaml").read_text())["model"]
            for name in ("llm_serving", "chat_2023")]  # fmt: skip
    return data[0] | data[1]
