"""Rooflines of serving against hand arithmetic, limits, and figures published for real models."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics import inference
from twin.physics.collectives import ring_all_reduce_s
from twin.physics.inference import (
    StepCosts,
    StepPower,
    passes_bytes,
    quantising_bytes,
    saturated,
    tensor_parallel_s,
)

COSTS = StepCosts(0.016, 1e-4, 3e-8, 1e-4, 4.5e5)


@pytest.mark.parametrize(
    ("shape", "megabytes"),
    [((96, 96, 128, 2), 4.72), ((80, 8, 128, 2), 0.33), ((126, 8, 128, 2), 0.52)],
    ids=["GPT-3", "Llama-3.1-70B", "Llama-3.1-405B"],
)
def test_keys_and_values_of_known_models(shape, megabytes):
    assert inference.kv_bytes_per_token(*shape) / 1e6 == pytest.approx(megabytes, rel=0.02)


def test_prefill_ceiling_of_70b_on_four_h100():
    assert 1 / inference.arithmetic_s(1, 70e9, 4 * 989e12 * 0.5) == pytest.approx(14.1e3, rel=0.01)


def test_a_batch_of_one_reads_all_weights_for_one_token():
    costs = StepCosts(inference.read_s(141e9, 10e12), 0.0, 0.0, 0.0, 1e9)
    tokens_per_s, decode_s, share = saturated(costs, 1, 0, 100)
    assert (tokens_per_s, decode_s, share) == pytest.approx((10e12 / 141e9, 0.0141, 0.0))


def test_throughput_at_endless_batch_is_bound_by_what_each_request_costs():
    tokens_per_s, _, _ = saturated(COSTS, 1e9, 150, 350)
    each = COSTS.per_request_s + COSTS.per_cached_token_s * 325 + 150 / 350 * 1e-4
    assert tokens_per_s == pytest.approx(1 / each, rel=1e-6)


@given(st.floats(1, 1000), st.floats(1, 1000), st.floats(0, 5000), st.floats(1, 3000))
def test_a_larger_batch_makes_more_tokens_and_each_waits_longer(batch, more, prompt, output):
    low = saturated(COSTS, batch, prompt, output)
    high = saturated(COSTS, batch + more, prompt, output)
    assert high[0] > low[0]
    assert high[1] > low[1]
    assert 0 <= low[2] < 1


# Of the fixed time 2.3 ms are launches and latency of the links, 12 us of a token's 0.1 ms are
# transfer. Reading adds 0.4 of TDP, arithmetic 0.9; 6 us of the 0.1 ms are passes at 1.2
# times the rate.
POWER = StepPower(COSTS, 0.25, 0.4 * 0.0137, 0.9 * 8.2e-5 + 0.48 * 6e-6, 0.4 * 3e-8, 0.9 * 8.2e-5)


def test_power_of_a_step_is_the_mean_of_its_phases():
    """By hand: 64 requests of 325 tokens, and the power of each phase for as long as it lasts."""
    reads_s = 0.0137 + 3e-8 * 64 * 325
    computes_s, passes_s = 64 * 8.2e-5, 64 * 6e-6
    waits_s = (0.016 - 0.0137) + 64 * (1e-4 - 8.2e-5 - 6e-6)
    joules = reads_s * (0.25 + 0.4) + computes_s * (0.25 + 0.9) + waits_s * 0.25
    joules += passes_s * (0.25 + 0.48)
    expected = joules / (reads_s + computes_s + passes_s + waits_s)
    assert POWER.decode(64, 64 * 325) == pytest.approx(expected, rel=1e-12)
    assert POWER.prefill() == pytest.approx(0.25 + 0.9 * 0.82, rel=1e-12)


def test_gpus_that_only_wait_only_read_or_only_compute_draw_just_that():
    costs = StepCosts(0.01, 1e-4, 1e-8, 1e-4, 1e9)
    assert StepPower(costs, 0.25, 0.0, 0.0, 0.0, 0.0).decode(10, 0) == 0.25
    reading = StepPower(costs, 0.25, 0.4 * 0.01, 0.0, 0.4 * 1e-8, 0.0)
    assert reading.decode(0, 1e6) == pytest.approx(0.65)
    assert StepPower(costs, 0.2, 0.0, 0.0, 0.0, 0.7 * 1e-4).prefill() == pytest.approx(0.9)


@given(st.floats(1, 1e4), st.floats(0, 1e7), st.floats(0, 1), st.floats(0, 1e-3))
def test_power_lies_between_waiting_and_tdp(running, cached, fixed, each):
    power = StepPower(COSTS, 0.25, fixed, each, fixed * 1e-6, each)
    assert 0.25 <= power.decode(running, cached) <= 1.0
    assert 0.25 <= power.prefill() <= 1.0


def test_attention_on_a_prompt_is_every_token_times_those_before_it():
    """Summed token by token: scores and results, a multiplication and an addition each."""
    prompt, layers, hidden = 1000, 3, 64
    flops = sum(2 * 2 * layers * hidden * before for before in range(1, prompt + 1))
    assert inference.attention_s(layers, hidden, 1.0) * prompt**2 == pytest.approx(flops, rel=2e-3)


def test_two_halves_of_a_prompt_take_less_than_the_whole_unless_attention_is_free():
    costs = replace(COSTS, attention_s=1e-9)
    assert COSTS.prefill_s(8000.0) == pytest.approx(2 * COSTS.prefill_s(4000.0))
    assert costs.prefill_s(8000.0) - 2 * costs.prefill_s(4000.0) == pytest.approx(2e-9 * 4000**2)
    assert costs.slowed(0.5).prefill_s(8000.0) == pytest.approx(2 * costs.prefill_s(8000.0))
    each = np.array([100.0, 8000.0])
    assert costs.prefill_s(each).tolist() == [costs.prefill_s(100.0), costs.prefill_s(8000.0)]


# ---- between the products ----


def test_passes_of_a_layer_are_those_of_its_kernels():
    """Kernel by kernel, in values of 2 bytes: Llama-3.1-70B, heads split over four GPUs."""
    h, k, f, p = 8192, 1024, 28672, 4
    add_and_norm = 2 * h + 2 * h  # reads input and residual, writes both
    rotary = 2 * (h + k) / p
    cache_write = 2 * (k + k) / p
    attention = (h + h) / p
    activation = (2 * f + f) / p
    values = 2 * add_and_norm + rotary + cache_write + attention + activation
    assert passes_bytes(h, k, f, p) == pytest.approx(2 * values, rel=1e-12)


def test_sums_and_norms_are_not_split_however_many_gpus_share_a_layer():
    alone, many = passes_bytes(4096, 1024, 14336, 1), passes_bytes(4096, 1024, 14336, 10**9)
    assert many == pytest.approx(2 * 8 * 4096)
    assert alone - many == pytest.approx(2 * (4 * 4096 + 6 * 1024 + 3 * 14336))


def test_only_the_input_of_the_second_product_is_quantised_in_parts():
    assert quantising_bytes(10, 40, 1) == 3 * 50
    assert quantising_bytes(10, 40, 4) == 3 * 20


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: inference.kv_bytes_per_token(0, 8, 128, 2), "layers"),
        (lambda: inference.arithmetic_s(-1, 7e9, 1e15), "tokens"),
        (lambda: inference.read_s(1e9, 0.0), "bytes_per_s"),
        (lambda: inference.attention_s(80, 8192, 0.0), "flops_per_s"),
        (lambda: passes_bytes(1, 0, 1, 1), "keys"),
        (lambda: quantising_bytes(1, 1, 0), "gpus"),
        (lambda: saturated(COSTS, 0, 1, 1), "batch"),
        (lambda: saturated(COSTS, 1, 1, 0), "output_tokens"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(call, name):
    with pytest.raises(ParameterError, match=name):
        call()


def test_a_single_gpu_adds_nothing_up():
    assert tensor_parallel_s(80, 1, 16384, 450e9, 2e-6) == (0.0, 0.0)


def test_without_latency_the_sums_of_layers_take_what_a_ring_takes():
    """Two all-reduces a layer, and none of them can beat the bytes that must move."""
    step_s, token_s = tensor_parallel_s(126, 8, 2 * 16384, 450e9, 0.0)
    assert step_s == 0.0
    assert token_s == pytest.approx(126 * 2 * ring_all_reduce_s(8, 2 * 16384, 450e9), rel=1e-12)


@pytest.mark.parametrize(("gpus", "exchanges"), [(1, 0), (2, 1), (3, 2), (8, 2)])
def test_over_endless_links_only_exchanges_count(gpus, exchanges):
    step_s, token_s = tensor_parallel_s(10, gpus, 1.0, 1e30, 1e-6)
    assert step_s == pytest.approx(10 * 2 * exchanges * 1e-6)
    assert token_s < 1e-20
