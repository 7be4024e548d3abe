"""Training arithmetic: closed forms, published runs, and predictions nobody tuned.

Two numbers are fitted: the share of the peak that matrix products reach within their tiles
on an A100 (to the GPU-hours of Llama-2 70B), and how much faster those of the layers are with
FP8 (to MLPerf GPT-3 on H100). An H100 with BF16 is taken to reach the same share as the A100.
All other runs are predicted.
"""

import math
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.products import product_s, shape_loss, trained_s
from twin.physics.training import (
    BANDWIDTH_REACHED,
    LOGIT_BYTES,
    Layout,
    Machine,
    Software,
    Transformer,
    bubble_fraction,
    check_memory,
    checkpoint_bytes,
    daly_interval_s,
    fastest_layout,
    goodput_fraction,
    mean_time_to_failure_s,
    memory_per_gpu_bytes,
    mfu,
    step_time,
    training_flops,
    transformer_flops,
    young_interval_s,
)

A100 = Machine(
    peak_flops=312e12,
    math_efficiency=0.568,
    memory_bytes=80e9,
    memory_bytes_per_s=2.039e12,
    multiprocessors=108,
    domain_gpus=8,
    domain_bytes_per_s=300e9,
    fabric_bytes_per_s=24e9,
)
H100 = Machine(
    peak_flops=989e12,
    math_efficiency=0.568,
    memory_bytes=80e9,
    memory_bytes_per_s=3.35e12,
    multiprocessors=132,
    domain_gpus=8,
    domain_bytes_per_s=450e9,
    fabric_bytes_per_s=48e9,
)
H100_FP8 = replace(H100, linear_speed=1.697)
H800_FP8 = replace(H100_FP8, domain_bytes_per_s=200e9)


def gpt(layers: int, hidden: int, sequence: int, vocabulary: int) -> Transformer:
    """Return a GPT with one table for its input and output words."""
    parameters = 12.0 * layers * hidden**2 + vocabulary * hidden
    return Transformer(
        parameters=parameters,
        active_parameters=parameters,
        layers=layers,
        hidden=hidden,
        sequence=sequence,
        vocabulary=vocabulary,
        tied=True,
    )


GPT3 = gpt(96, 12288, 2048, 51200)
GPT3_4K = gpt(96, 12288, 4096, 131072)
LLAMA2 = Transformer(
    parameters=69e9,
    active_parameters=69e9,
    layers=80,
    hidden=8192,
    sequence=4096,
    vocabulary=32000,
    key_width=1024,
    feed_forward=28672,
    gated=True,
)
LLAMA3 = Transformer(
    parameters=405e9,
    active_parameters=405e9,
    layers=126,
    hidden=16384,
    sequence=8192,
    vocabulary=128000,
    key_width=1024,
    feed_forward=53248,
    gated=True,
)
DEEPSEEK = Transformer(
    parameters=671e9,
    active_parameters=37e9,
    layers=61,
    hidden=7168,
    sequence=4096,
    expert_parameters=655e9,
    expert_copies=4,  # a token is sent to at most four nodes
    vocabulary=129280,
    feed_forward=18432,
    gated=True,
    attention_width=20480,
    predictions=2,
)
BARE = Transformer(parameters=1.2e9, active_parameters=1.2e9, layers=96, hidden=1024, sequence=2048)


MEGATRON_CORE = Software(tensor_overlap=0.95, communication_multiprocessors=4)
"""As NeMo sets Transformer Engine's overlap for GPT-3 175B on H100."""
MLPERF = Software(tensor_overlap=0.94, communication_multiprocessors=2)
"""The same in FP8 on four ranks."""


def got_mfu(
    model: Transformer,
    layout: Layout,
    machine: Machine,
    attention: float = 0.0,
    software: Software | None = None,
) -> float:
    """Return MFU; *attention* is how much of 12 layers x sequence x hidden a source counts."""
    per_token = 6 * model.active_parameters + attention * 12 * model.layers * (
        model.sequence * model.hidden
    )
    flops = per_token * layout.batch * model.sequence
    took_s = step_time(model, layout, machine, software).step_s
    return mfu(flops, took_s, layout.gpus, machine.peak_flops)


# ---- arithmetic ----


def test_gpt3_takes_its_published_petaflop_days():
    assert training_flops(175e9, 300e9) / 1e15 / 86400 == pytest.approx(3640, rel=0.01)


@pytest.mark.parametrize(
    ("parameters", "tokens", "gpus", "tflops", "days"),
    [(175e9, 300e9, 1024, 140e12, 34), (1e12, 450e9, 3072, 163e12, 84)],
)
def test_megatron_run_times(parameters, tokens, gpus, tflops, days):
    flops = training_flops(parameters, tokens, full_recompute=True)
    assert flops / (gpus * tflops) / 86400 == pytest.approx(days, rel=0.03)


def test_projected_time_to_failure_of_the_research_superclusters():
    assert mean_time_to_failure_s(16384 / 8, 6.5e-3) / 3600 == pytest.approx(1.8, rel=0.05)
    assert mean_time_to_failure_s(131072 / 8, 6.5e-3) / 3600 == pytest.approx(0.23, rel=0.05)


def test_checkpoint_of_llama3_lies_within_the_published_range():
    assert 5.6e12 <= checkpoint_bytes(405e9) <= 6.5e12


def test_no_tokens_is_refused():
    with pytest.raises(ParameterError, match="tokens=0: must be > 0"):
        training_flops(1e9, 0)


# ---- goodput ----


def test_a_shape_without_words_and_context_has_twelve_parameters_a_layer_and_width_squared():
    for recompute in (False, True):
        got = transformer_flops(7, 64, 0, 0, 1e9, recompute)
        assert got == pytest.approx(training_flops(12 * 7 * 64**2, 1e9, recompute))


def test_output_words_are_not_recomputed_and_context_is():
    words = [transformer_flops(2, 8, 0, n, 1.0, True) for n in (0, 100)]
    assert words[1] - words[0] == pytest.approx(6 * 8 * 100)
    context = [transformer_flops(2, 8, n, 0, 1.0, True) for n in (0, 100)]
    assert context[1] - context[0] == pytest.approx(16 * 2 * 100 * 8)


@pytest.mark.parametrize("name", ["layers", "hidden", "tokens"])
def test_a_shape_that_cannot_be_is_refused(name):
    shape = {"layers": 2, "hidden": 8, "sequence": 4, "vocabulary": 9, "tokens": 1.0}
    with pytest.raises(ParameterError, match=name):
        transformer_flops(**{**shape, name: 0})


@pytest.mark.parametrize("mttf_s", [3600.0, 86400.0])
@pytest.mark.parametrize("checkpoint_s", [5.0, 60.0])
def test_the_interval_of_daly_loses_no_more_than_any_other_within_a_thousandth(
    mttf_s, checkpoint_s
):
    at_daly = goodput_fraction(
        daly_interval_s(checkpoint_s, mttf_s, 0.0), checkpoint_s, mttf_s, 300.0
    )
    tried = [20.0 * 1.02**i for i in range(400)]
    best = max(tried, key=lambda tau: goodput_fraction(tau, checkpoint_s, mttf_s, 300.0))
    assert at_daly > goodput_fraction(best, checkpoint_s, mttf_s, 300.0) - 1e-3
    assert daly_interval_s(checkpoint_s, mttf_s, 0.0) == pytest.approx(best, rel=0.05)


def test_goodput_to_first_order():
    tau, c, m, r = 300.0, 1.0, 1e6, 10.0
    expected = 1 - c / tau - tau / (2 * m) - r / m
    assert goodput_fraction(tau, c, m, r) == pytest.approx(expected, abs=1e-4)


def test_goodput_of_the_llama3_run():
    """16 384 GPUs, 3.9e-3 failures per node-day, 15 s blocked, 8 min restart: above 90 %."""
    mttf_s = mean_time_to_failure_s(2048, 3.9e-3)
    tau_s = young_interval_s(15.0, mttf_s)
    assert 54 * 86400 / mttf_s == pytest.approx(419, rel=0.05)
    assert goodput_fraction(tau_s, 15.0, mttf_s, 480.0) == pytest.approx(0.90, abs=0.04)


def test_young_and_daly_agree_where_failures_are_rare():
    assert daly_interval_s(1.0, 1e9, 60.0) == pytest.approx(young_interval_s(1.0, 1e9), rel=1e-4)


# ---- step time ----


def layouts():
    return st.builds(
        Layout,
        tensor=st.sampled_from([1, 2, 4, 8]),
        pipeline=st.sampled_from([1, 2, 4, 8]),
        data=st.sampled_from([1, 2, 8, 64]),
        batch=st.just(512),
        virtual_stages=st.sampled_from([1, 2]),
        full_recompute=st.booleans(),
    )


@given(layouts())
def test_a_step_is_never_shorter_than_its_mathematics_and_its_parts_add_up(layout):
    step = step_time(GPT3, layout, A100)
    flops = GPT3.flops_per_token() * 512 * 2048
    least_s = flops / layout.gpus / (A100.peak_flops * A100.math_efficiency)
    parts = [getattr(step, each.name) for each in fields(step)]
    assert step.step_s >= least_s * (1 - 1e-12)
    assert step.step_s == pytest.approx(sum(parts), rel=1e-12)
    assert min(parts) >= 0
    assert 0 <= step.comm_fraction < 1


@given(layouts(), st.floats(1.0, 20.0))
def test_less_bandwidth_never_shortens_a_step(layout, factor):
    slow = replace(A100, fabric_bytes_per_s=A100.fabric_bytes_per_s / factor)
    assert step_time(GPT3, layout, slow).step_s >= step_time(GPT3, layout, A100).step_s


def test_one_gpu_has_no_communication_no_bubble_and_no_straggler():
    alone = step_time(
        gpt(24, 1024, 2048, 50000), Layout(tensor=1, pipeline=1, data=1, batch=8), A100
    )
    assert alone.step_s == alone.math_s + alone.memory_s + alone.optimizer_s


def test_bubble_is_a_seventh_of_the_work_of_eight_stages_and_forty_nine_micro_batches():
    assert bubble_fraction(8, 49) == pytest.approx(1 / 7)
    assert bubble_fraction(1, 10) == 0.0


def test_recomputation_runs_the_layers_forward_again_and_the_output_words_not():
    layout = Layout(tensor=8, pipeline=4, data=2, batch=64)
    once = step_time(GPT3, layout, A100)
    again = step_time(GPT3, replace(layout, full_recompute=True), A100)
    chip = A100.multiplier()
    weights = GPT3.layer_weights(tensor=8)
    forward_s = 96 * sum(product_s(2048, out, into, chip) for into, out in weights)
    context_s = 2 * 96 * 2048 * 12288 * 2048 / 8 / chip.flops_per_s
    more_s = (forward_s + context_s) * 64 / 2 / 4
    assert again.math_s - once.math_s == pytest.approx(more_s)


def test_operations_are_those_of_megatron_but_for_half_the_context_and_scores_found_again():
    counted = transformer_flops(96, 12288, 2048, 51200, 1.0)
    context = 96 * 2048 * 12288
    assert GPT3.flops_per_token() == pytest.approx(counted - 12 * context + 7 * context)


def test_a_table_of_input_words_is_no_work():
    more = {
        name: getattr(GPT3, name) + 51200 * 12288 for name in ("parameters", "active_parameters")
    }
    assert replace(GPT3, tied=False, **more).flops_per_token() == GPT3.flops_per_token()


def test_products_of_the_layers_alone_are_faster_with_eight_bits():
    layout = Layout(tensor=8, pipeline=8, data=1, batch=8)
    alike = replace(A100, multiprocessors=None)
    slow, fast = (step_time(GPT3, layout, replace(alike, linear_speed=x)) for x in (1.0, 2.0))
    spared = 3 * GPT3.layer_parameters * 8 * 2048 / 64 / (312e12 * 0.568)
    assert slow.math_s - fast.math_s == pytest.approx(spared)


def test_the_loss_passes_over_all_scores_of_output_words():
    layout = Layout(tensor=2, pipeline=1, data=1, batch=6)
    with_words = replace(BARE, vocabulary=50000, tied=True)
    more_s = step_time(with_words, layout, A100).memory_s - step_time(BARE, layout, A100).memory_s
    moved = LOGIT_BYTES * 6 * 2048 * 50000 / 2
    assert more_s == pytest.approx(moved / (BANDWIDTH_REACHED * 2.039e12))


def test_the_optimizer_moves_its_share_of_state_and_clears_all_gradients_of_the_rank():
    """34 bytes of each parameter, split over the data ranks; 4 of those a rank holds."""
    layout = Layout(tensor=2, pipeline=4, data=16, batch=64)
    moved = (34 / 16 + 4) * BARE.parameters / 8
    got_s = step_time(BARE, layout, A100).optimizer_s
    assert got_s == pytest.approx(moved / (BANDWIDTH_REACHED * 2.039e12))
    longer = step_time(BARE, replace(layout, batch=640), A100)
    assert longer.optimizer_s == got_s


def test_experts_are_updated_once_over_all_ranks():
    layout = Layout(tensor=1, pipeline=16, data=128, batch=15360, expert=64)
    held = (16e9 + 655e9 / 64) / 16
    updated = 671e9 / 16 / 128
    moved = 34 * updated + 4 * held
    got_s = step_time(DEEPSEEK, layout, H800_FP8).optimizer_s
    assert got_s == pytest.approx(moved / (BANDWIDTH_REACHED * 3.35e12))


def test_stages_of_unequal_size_go_at_the_pace_of_the_fullest():
    layout = Layout(tensor=1, pipeline=8, data=1, batch=64)
    odd = step_time(replace(BARE, layers=97), layout, A100)
    assert step_time(BARE, layout, A100).imbalance_s == 0.0
    worked_s = odd.math_s + odd.memory_s
    assert (worked_s + odd.imbalance_s) / worked_s == pytest.approx(13 / (97 / 8))


def test_all_stages_wait_for_the_one_with_the_output_words():
    """Eight stages of twelve layers; the last one's words are not on the other seven."""
    layout = Layout(tensor=1, pipeline=8, data=1, batch=64)
    words = step_time(replace(BARE, vocabulary=50000, parameters=2e9), layout, A100)
    products_s = trained_s(2048, 1024, 50000, A100.multiplier())
    passes_s = 2048 * LOGIT_BYTES * 50000 / (BANDWIDTH_REACHED * 2.039e12)
    assert words.imbalance_s == pytest.approx(7 / 8 * (products_s + passes_s) * 64)


@pytest.mark.parametrize("vocabulary", [5000, 500_000])
def test_a_stage_that_can_spare_a_layer_makes_room_for_the_output_words(vocabulary):
    """95 layers on 8 stages: 12 on seven of them, 11 and the words on the last."""
    layout = Layout(tensor=1, pipeline=8, data=1, batch=64)
    bare = replace(BARE, layers=95)
    words = replace(bare, vocabulary=vocabulary, parameters=4e9)
    words = replace(words, active_parameters=1.2e9 + 2 * words.output_parameters)
    alone, step = (step_time(model, layout, A100) for model in (bare, words))
    layer_s = 8 * (alone.math_s + alone.memory_s) / 95
    words_s = 8 * (step.math_s + step.memory_s) - 95 * layer_s
    paced_s = step.math_s + step.memory_s + step.imbalance_s
    assert (words_s > layer_s) == (vocabulary == 500_000)
    assert paced_s == pytest.approx(max(12 * layer_s, 11 * layer_s + words_s))


# ---- memory ----


def test_memory_of_a_dense_model_by_hand():
    """GPT-3 on 8 x 12 x 1: 18 bytes a parameter, and one micro-batch through all layers."""
    layout = Layout(tensor=8, pipeline=12, data=1, batch=24)
    states = 18 * GPT3.parameters / 96
    activations = 34 * 2048 * 12288 * 96 / 8
    assert memory_per_gpu_bytes(GPT3, layout) == pytest.approx(states + activations, rel=1e-12)


def test_scores_of_output_words_take_memory_where_there_is_one_stage():
    layout = Layout(tensor=8, pipeline=1, data=1, batch=8)
    bare = replace(GPT3, vocabulary=0)
    more = memory_per_gpu_bytes(GPT3, layout) - memory_per_gpu_bytes(bare, layout)
    assert more == pytest.approx(4 * 2048 * 51200 / 8)
    split = replace(layout, pipeline=2)
    assert memory_per_gpu_bytes(GPT3, split) == memory_per_gpu_bytes(bare, split)


def test_more_words_than_parameters_are_refused():
    with pytest.raises(ParameterError, match=r"vocabulary=1000000: must be .* words fewer than"):
        replace(BARE, vocabulary=1_000_000)


def test_a_model_that_does_not_fit_is_refused_with_the_arithmetic():
    layout = Layout(tensor=1, pipeline=1, data=8, batch=8)
    with pytest.raises(
        ParameterError, match=r"memory=80 GB: must be >= .* GB per GPU: 1.75e\+11"
    ) as refused:
        check_memory(GPT3, layout, A100)
    found = re.findall(r"(?:>=|take|data 8|tokens) ([\d.]+)", str(refused.value))
    need, weights, state, activations = map(float, found)
    assert need == pytest.approx(memory_per_gpu_bytes(GPT3, layout) / 1e9, abs=0.06)
    assert weights + state + activations == pytest.approx(need, abs=0.2)
    check_memory(GPT3, Layout(tensor=8, pipeline=8, data=8, batch=64), A100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 100}, r"batch=100: must be a multiple of data x micro_batch = 8"),
        ({"expert": 3}, r"expert=3: must be a divisor of data=8"),
        ({"tensor": 0}, r"tensor=0: must be >= 1"),
        ({"pipeline": 3, "both_ways": True}, r"pipeline=3: must be even where both_ways is true"),
        (
            {"virtual_stages": 2, "both_ways": True},
            r"virtual_stages=2: must be 1 where both_ways is true",
        ),
    ],
)
def test_parallelism_that_does_not_divide_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        Layout(**{"tensor": 8, "pipeline": 8, "data": 8, "batch": 64, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensor": 5}, r"tensor=5: must be a divisor of hidden=12288"),
        ({"context": 3}, r"context=3: must be a divisor of sequence=2048"),
    ],
)
def test_ranks_that_do_not_divide_the_model_are_refused(changes, message):
    layout = Layout(**{"tensor": 8, "pipeline": 8, "data": 8, "batch": 64, **changes})
    with pytest.raises(ParameterError, match=message):
        step_time(GPT3, layout, A100)


def test_more_pieces_than_layers_is_refused():
    layout = Layout(tensor=8, pipeline=8, data=1, batch=8, virtual_stages=13)
    with pytest.raises(ParameterError, match="virtual_stages=13: must be <= 12"):
        step_time(GPT3, layout, A100)


# ---- products by their shape ----


def test_products_of_a_layer_have_its_parameters():
    """Llama 3.1 405B: 126 layers, two norms in each left out."""
    weights = sum(into * out for into, out in LLAMA3.layer_weights())
    assert 126 * weights == pytest.approx(LLAMA3.layer_parameters, rel=0.01)
    split = sum(into * out for into, out in LLAMA3.layer_weights(tensor=8))
    assert split == pytest.approx(weights / 8)


def test_a_feed_forward_part_is_four_times_as_wide_where_none_is_told():
    assert GPT3.layer_weights() == replace(GPT3, feed_forward=4 * 12288).layer_weights()


def test_a_layer_takes_its_work_times_what_its_shapes_lose():
    layout = Layout(tensor=4, pipeline=1, data=1, batch=1)
    step = step_time(BARE, layout, A100)
    chip = A100.multiplier()
    loss = shape_loss(2048, BARE.layer_weights(tensor=4), chip)
    flops = 6 * BARE.layer_parameters * loss + BARE.attention_flops()
    assert loss > 1.05
    assert step.math_s == pytest.approx(flops * 2048 / 4 / chip.flops_per_s)


def test_attention_alone_runs_at_its_own_speed():
    layout = Layout(tensor=1, pipeline=1, data=1, batch=1)
    as_products, half = (
        step_time(BARE, layout, replace(A100, attention_speed=x)) for x in (1.0, 0.5)
    )
    more_s = BARE.attention_flops() * 2048 / (312e12 * 0.568)
    assert half.math_s - as_products.math_s == pytest.approx(more_s)
    with pytest.raises(ParameterError, match="attention_speed=0"):
        replace(A100, attention_speed=0.0)


def test_a_wider_attention_is_more_work_and_no_more_of_anything_else():
    layout = Layout(tensor=8, pipeline=4, data=2, batch=64)
    wide = replace(GPT3, attention_width=3 * GPT3.hidden)
    assert wide.attention_flops() == 3 * GPT3.attention_flops()
    narrow, step = (step_time(model, layout, A100) for model in (GPT3, wide))
    more_s = 2 * GPT3.attention_flops() * 32 * 2048 / 32 / (312e12 * 0.568)
    assert step.math_s - narrow.math_s == pytest.approx(more_s)
    assert (step.memory_s, step.tensor_s) == (narrow.memory_s, narrow.tensor_s)


def test_a_second_prediction_takes_a_layer_and_the_words_again_on_the_last_stage():
    layout = Layout(tensor=2, pipeline=8, data=1, batch=64)
    words = replace(BARE, vocabulary=50000, tied=True)
    once, twice = (
        step_time(model, layout, A100) for model in (words, replace(words, predictions=2))
    )
    assert twice.tensor_s == pytest.approx(97 / 96 * once.tensor_s)
    products_s = trained_s(2048, 1024, 25000, A100.multiplier())
    assert twice.math_s - once.math_s == pytest.approx(
        64 / 8 * products_s + (once.math_s - 64 / 8 * products_s) / 96
    )
    added_s = sum(
        getattr(twice, part) - getattr(once, part)
        for part in ("math_s", "memory_s", "tensor_s", "imbalance_s")
    )
    passes_s = 2048 * LOGIT_BYTES * 25000 / (BANDWIDTH_REACHED * 2.039e12)
    layer_s = (once.math_s + once.memory_s + once.tensor_s) * 8 / 64 - products_s - passes_s
    assert added_s == pytest.approx(64 * (layer_s / 96 + products_s + passes_s))
    assert words.flops_per_token() == replace(words, predictions=2).flops_per_token()


# ---- what hidden communication takes ----


def hidden(overlap: float = 1.0, lent: int = 0) -> Software:
    return Software(tensor_overlap=overlap, straggler=0.0, communication_multiprocessors=lent)


def test_hidden_communication_leaves_fewer_multiprocessors_to_products_while_it_lasts():
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    open_, free, lent = (
        step_time(BARE, layout, A100, hidden(*each)) for each in ((0.0, 0), (1.0, 0), (1.0, 27))
    )
    slowed = replace(A100, multiprocessors=81, peak_flops=312e12 * 0.75)
    alone_s = step_time(BARE, layout, slowed, hidden(0.0)).math_s
    assert open_.tensor_s < alone_s
    assert (free.math_s, free.tensor_s) == (open_.math_s, 0.0)
    longer_s = open_.tensor_s * (1.0 - open_.math_s / alone_s)
    assert lent.math_s - open_.math_s == pytest.approx(longer_s)
    assert lent.tensor_s == 0.0


@pytest.mark.parametrize("lent", [0, 27])
def test_no_more_communication_is_hidden_than_there_are_products(lent):
    """What is too slow to be hidden lasts as long as it lasts, whoever runs it."""
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    slow = replace(A100, domain_bytes_per_s=3e9)
    all_s = step_time(BARE, layout, slow, hidden(0.0)).tensor_s
    step = step_time(BARE, layout, slow, hidden(1.0, lent))
    assert step.math_s + step.tensor_s == pytest.approx(all_s)
    assert 0.0 < step.tensor_s < all_s


@pytest.mark.parametrize(
    ("lent", "message"),
    [
        (108, "communication_multiprocessors=108: must be >= 0 and < 108"),
        (-1, "communication_multiprocessors=-1: must be >= 0 and < 108"),
    ],
)
def test_multiprocessors_that_are_not_there_are_not_lent(lent, message):
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    with pytest.raises(ParameterError, match=message):
        step_time(BARE, layout, A100, hidden(1.0, lent))


def test_where_multiprocessors_are_not_known_none_is_lent():
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    machine = replace(A100, multiprocessors=None)
    free, lent = (step_time(BARE, layout, machine, hidden(0.5, x)) for x in (0, 20))
    assert lent == free


# ---- micro-batches from both ends ----


def test_a_pipeline_entered_at_both_ends_waits_less_and_holds_two_stages():
    layout = Layout(tensor=1, pipeline=8, data=4, batch=64)
    both = replace(layout, both_ways=True)
    one, two = (step_time(BARE, each, A100) for each in (layout, both))
    assert bubble_fraction(8, 16, both_ways=True) == pytest.approx(
        6 / 7 / 3 * bubble_fraction(8, 16)
    )
    assert two.bubble_s < one.bubble_s / 3
    held, activations = BARE.parameters / 8 * (6 + 12 / 4), 34 * 2048 * 1024 * 96
    assert memory_per_gpu_bytes(BARE, layout) == pytest.approx(held + activations)
    assert memory_per_gpu_bytes(BARE, both) == pytest.approx(2 * held + 9 / 8 * activations)


@pytest.mark.parametrize("layers", [96, 94])
def test_the_rank_of_the_first_and_last_stage_does_half_of_both(layers):
    """The other ranks wait for half as long as for a last stage alone, or less."""
    layout = Layout(tensor=1, pipeline=8, data=1, batch=64, both_ways=True)
    bare = replace(BARE, layers=layers)
    words = replace(bare, vocabulary=500_000, parameters=4e9)
    words = replace(words, active_parameters=1.2e9 + 2 * words.output_parameters)
    alone, step = (step_time(model, layout, A100) for model in (bare, words))
    layer_s = 8 * (alone.math_s + alone.memory_s) / layers
    words_s = 8 * (step.math_s + step.memory_s) - layers * layer_s
    paced_s = step.math_s + step.memory_s + step.imbalance_s
    assert words_s > 4 * layer_s
    assert paced_s == pytest.approx(((layers - 6 * 12) * layer_s + words_s) / 2)


# ---- choosing a layout ----


def test_a_small_model_is_not_split():
    layout = fastest_layout(gpt(24, 2048, 2048, 51200), A100, gpus=8, batch=64)
    assert (layout.tensor, layout.pipeline, layout.full_recompute) == (1, 1, False)


def test_a_large_model_is_split_until_it_fits():
    layout = fastest_layout(GPT3, A100, gpus=1024, batch=1536)
    assert layout.gpus == 1024
    assert memory_per_gpu_bytes(GPT3, layout) <= A100.memory_bytes
    assert layout.tensor * layout.pipeline >= 16


def test_a_model_too_large_for_all_gpus_is_refused_with_the_smallest_need():
    with pytest.raises(ParameterError, match="memory=80 GB"):
        fastest_layout(GPT3, A100, gpus=8, batch=8)


def test_gpus_that_do_not_divide_the_batch_are_refused():
    with pytest.raises(ParameterError, match="gpus=17: must be such that"):
        fastest_layout(gpt(2, 64, 64, 100), A100, gpus=17, batch=8)


# ---- calibration ----


def test_llama2_70b_takes_its_published_gpu_hours():
    """1.72 M A100-hours for 2T tokens; 2048 GPUs of which 32 hold the model (assumed)."""
    layout = Layout(tensor=8, pipeline=4, data=64, batch=1024, virtual_stages=5)
    tokens_per_s = 1024 * 4096 / step_time(LLAMA2, layout, A100).step_s
    assert 2e12 / tokens_per_s * layout.gpus / 3600 == pytest.approx(1.72e6, rel=0.03)
    assert got_mfu(LLAMA2, layout, A100) == pytest.approx(0.435, abs=0.002)


MLPERF_BLOCKS = 24
MLPERF_BLOCK_TOKENS = 24_576 * 2048
MLPERF_EVALUATION = 12.97 / 129.15
"""Evaluations until the target, tokens between them, their time over training's."""


@pytest.mark.parametrize(
    ("data", "batch", "minutes"), [(24, 3072, 45.6), (48, 3072, 23.6), (112, 1792, 10.94)]
)
def test_mlperf_gpt3_takes_its_published_minutes(data, batch, minutes):
    """768, 1536 and 3584 H100; tensor 4, pipeline 8, batch as submitted but for the last."""
    layout = Layout(tensor=4, pipeline=8, data=data, batch=batch, virtual_stages=6)
    steps = MLPERF_BLOCKS * MLPERF_BLOCK_TOKENS / (batch * 2048)
    time_s = steps * step_time(GPT3, layout, H100_FP8, MLPERF).step_s * (1 + MLPERF_EVALUATION)
    assert time_s / 60 == pytest.approx(minutes, rel=0.06)


def test_mlperf_blocks_and_evaluation_time_are_those_of_a_recorded_run(shared_data):
    text = (shared_data / "telemetry/mlperf-training-smc-h100/events_dev.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    at = {
        key: sorted(int(r[3]) for r in rows if r[1] == "gpt3" and r[4] == key)
        for key in ("block_start", "block_stop", "eval_start", "eval_stop")
    }
    assert len(at["block_stop"]) == MLPERF_BLOCKS
    pairs = zip(at["block_start"], at["block_stop"], strict=True)
    training_ms = sum(stop - start for start, stop in pairs)
    pairs = zip(at["eval_start"], at["eval_stop"], strict=True)
    evaluation_ms = sum(stop - start for start, stop in pairs)
    assert evaluation_ms / training_ms == pytest.approx(MLPERF_EVALUATION, rel=0.01)


# ---- predictions: nothing here was fitted to these runs ----


@pytest.mark.parametrize(("gpus", "published"), [(96, 0.47), (4608, 0.42)])
def test_strong_scaling_of_megatron_core_is_predicted(gpus, published):
    """GPT-3 175B at a batch of 1152: within 3 points; split over 8 x 12 assumed."""
    layout = Layout(tensor=8, pipeline=12, data=gpus // 96, batch=1152, virtual_stages=8)
    got = got_mfu(GPT3_4K, layout, H100, attention=1.0, software=MEGATRON_CORE)
    assert got == pytest.approx(published, abs=0.03)


@pytest.mark.xfail(reason="stages wait for the one with 131,072 output words: got 0.426")
def test_the_largest_model_of_weak_scaling_is_predicted():
    """462B on 6144 H100: 47-48 %, within 4 points; shape and split assumed."""
    layout = Layout(tensor=8, pipeline=16, data=48, batch=1536, virtual_stages=7)
    model = gpt(112, 18432, 4096, 131072)
    got = got_mfu(model, layout, H100, attention=1.0, software=MEGATRON_CORE)
    assert got == pytest.approx(0.475, abs=0.04)


@pytest.mark.xfail(reason="attention is taken to run as fast as products: got 0.47")
def test_the_smallest_model_of_weak_scaling_is_predicted():
    """2B on 128 H100: 41 %, within 4 points; shape and split assumed."""
    layout = Layout(tensor=1, pipeline=1, data=128, batch=256, micro_batch=2)
    model = gpt(24, 2304, 4096, 131072)
    assert got_mfu(model, layout, H100, attention=1.0) == pytest.approx(0.41, abs=0.04)


def test_the_megatron_baseline_of_megascale_is_predicted():
    """175B on 12 288 A100: 41.2 %, within 5 points."""
    layout = Layout(tensor=8, pipeline=8, data=192, batch=6144, virtual_stages=6)
    assert got_mfu(GPT3, layout, A100, attention=1.0) == pytest.approx(0.412, abs=0.05)


@pytest.mark.parametrize(("data", "published"), [(64, 0.43), (128, 0.41)])
def test_llama3_mfu_falls_with_scale_as_published(data, published):
    """405B on 8192 and 16 384 H100 at one batch of 16 M tokens: within 3 points."""
    layout = Layout(tensor=8, pipeline=16, data=data, batch=2048, virtual_stages=8)
    assert got_mfu(LLAMA3, layout, H100, attention=0.5) == pytest.approx(published, abs=0.03)


def test_deepseek_v3_mfu_is_predicted():
    """37B active on 2048 H800 with FP8: 34.6 % of the BF16 peak, within 7 points."""
    layout = Layout(
        tensor=1,
        pipeline=16,
        data=128,
        batch=15360,
        expert=64,
        both_ways=True,
        stored_bytes_per_token=17,
    )
    check_memory(DEEPSEEK, layout, H800_FP8)
    told = Software(expert_overlap=1.0, communication_multiprocessors=20)
    got = got_mfu(DEEPSEEK, layout, H800_FP8, software=told)
    assert got == pytest.approx(0.346, abs=0.07)


def test_mfu_falls_with_gpus_at_a_fixed_batch():
    got = [
        got_mfu(
            GPT3_4K,
            Layout(tensor=8, pipeline=12, data=d, batch=1152, virtual_stages=8),
            H100,
        )
        for d in (1, 2, 4, 8, 16, 48)
    ]
    assert got == sorted(got, reverse=True)


def test_better_software_shortens_the_step():
    layout = Layout(tensor=8, pipeline=8, data=192, batch=6144, virtual_stages=6)
    better = Software(tensor_overlap=0.9, straggler=0.005)
    assert step_time(GPT3, layout, A100, better).step_s < step_time(GPT3, layout, A100).step_s
    assert math.isclose(
        step_time(GPT3, layout, A100, Software()).step_s, step_time(GPT3, layout, A100).step_s
    )


def test_sequences_shared_by_ranks_are_predicted():
    """405B with sequences of 131,072 tokens over 16 ranks each: 38 %, within 3 points."""
    layout = Layout(tensor=8, pipeline=16, context=16, data=8, batch=128, virtual_stages=8)
    long = replace(LLAMA3, sequence=131072, key_width=1024)
    assert layout.gpus == 16384
    assert got_mfu(long, layout, H100, attention=0.5) == pytest.approx(0.38, abs=0.03)


def test_ranks_that_share_a_sequence_keep_its_part_and_tell_keys_and_values():
    """16 384 tokens over 4 ranks: activations as of 4096, keys and values gathered three times."""
    alone = Layout(tensor=8, pipeline=12, data=4, batch=96)
    shared = replace(alone, context=4, data=1, batch=24)
    long = replace(GPT3, sequence=4 * GPT3.sequence)
    assert memory_per_gpu_bytes(long, shared) == pytest.approx(memory_per_gpu_bytes(GPT3, alone))
    got = step_time(long, shared, A100)
    size = 2 * 2 * long.sequence * long.hidden / 8
    gathered_s = 3 * (3 / 4 * size / A100.fabric_bytes_per_s + 3 * A100.fabric_latency_s)
    assert got.context_s == pytest.approx(24 * 8 * gathered_s)
    assert step_time(GPT3, alone, A100).context_s == 0.0


def test_activations_that_are_computed_again_need_no_memory():
    lean = Layout(tensor=8, pipeline=12, data=1, batch=24, stored_bytes_per_token=17)
    spared = 17 * 2048 * 12288 * 96 / 8
    full = memory_per_gpu_bytes(GPT3, Layout(tensor=8, pipeline=12, data=1, batch=24))
    assert full - memory_per_gpu_bytes(GPT3, lean) == pytest.approx(spared)
