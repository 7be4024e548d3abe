"""What one GPU computes in a step, by hand."""

from dataclasses import replace

import pytest

from tests.support.training import A100, BARE, DEEPSEEK, GPT3, H800_FP8
from twin.errors import ParameterError
from twin.physics.attention import length_share
from twin.physics.products import product_s, shape_loss
from twin.physics.training.layout import Layout
from twin.physics.training.machine import BANDWIDTH_REACHED
from twin.physics.training.step import step_time
from twin.physics.training.work import LOGIT_BYTES


def _attention_flops_per_s(sequence: float) -> float:
    return 312e12 * 0.629 * 0.78 * length_share(sequence)


def test_recomputation_runs_the_layers_forward_again_and_the_output_words_not():
    layout = Layout(tensor=8, pipeline=4, data=2, batch=64)
    once = step_time(GPT3, layout, A100)
    again = step_time(GPT3, replace(layout, full_recompute=True), A100)
    chip = A100.multiplier()
    weights = GPT3.layer_weights(tensor=8)
    forward_s = 96 * sum(product_s(2048, out, into, chip) for into, out in weights)
    context_s = 2 * 96 * 2048 * 12288 * 2048 / 8 / _attention_flops_per_s(2048)
    more_s = (forward_s + context_s) * 64 / 2 / 4
    assert again.math_s - once.math_s == pytest.approx(more_s)


def test_recomputation_passes_over_activations_of_the_way_forward_again():
    """Of 68 bytes forward products move 28 and attention 8 in their own time: 32, once more."""
    layout = Layout(tensor=8, pipeline=4, data=2, batch=64)
    once, again = (
        step_time(BARE, replace(layout, full_recompute=x), A100).memory_s for x in (False, True)
    )
    moved = (34 + 34 - 28 - 8) * 2048 * BARE.hidden * BARE.layers / 8 * 64 / 2 / 4
    assert again - once == pytest.approx(moved / (BANDWIDTH_REACHED * 2.039e12))


def test_products_of_the_layers_alone_are_faster_with_eight_bits():
    layout = Layout(tensor=8, pipeline=8, data=1, batch=8)
    alike = replace(A100, multiprocessors=None)
    slow, fast = (step_time(GPT3, layout, replace(alike, linear_speed=x)) for x in (1.0, 2.0))
    spared = 3 * GPT3.layer_parameters * 8 * 2048 / 64 / (312e12 * 0.629)
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


def test_a_layer_takes_its_work_times_what_its_shapes_lose():
    layout = Layout(tensor=4, pipeline=1, data=1, batch=1)
    step = step_time(BARE, layout, A100)
    chip = A100.multiplier()
    loss = shape_loss(2048, BARE.layer_weights(tensor=4), chip)
    products_s = 6 * BARE.layer_parameters * loss / chip.flops_per_s
    attention_s = BARE.attention_flops() / _attention_flops_per_s(2048)
    assert loss > 1.05
    assert step.math_s == pytest.approx((products_s + attention_s) * 2048 / 4)


def test_attention_alone_runs_at_its_own_speed():
    layout = Layout(tensor=1, pipeline=1, data=1, batch=1)
    as_products, half = (
        step_time(BARE, layout, replace(A100, attention_speed=x)) for x in (1.0, 0.5)
    )
    more_s = BARE.attention_flops() * 2048 / (312e12 * 0.629 * length_share(2048))
    assert half.math_s - as_products.math_s == pytest.approx(more_s)
    with pytest.raises(ParameterError, match="attention_speed=0"):
        replace(A100, attention_speed=0.0)


def test_a_wider_attention_is_more_work_and_no_more_of_anything_else():
    layout = Layout(tensor=8, pipeline=4, data=2, batch=64)
    wide = replace(GPT3, attention_width=3 * GPT3.hidden)
    assert wide.attention_flops() == 3 * GPT3.attention_flops()
    narrow, step = (step_time(model, layout, A100) for model in (GPT3, wide))
    more_s = 2 * GPT3.attention_flops() * 32 * 2048 / 32 / _attention_flops_per_s(2048)
    assert step.math_s - narrow.math_s == pytest.approx(more_s)
    assert (step.memory_s, step.tensor_s) == (narrow.memory_s, narrow.tensor_s)
