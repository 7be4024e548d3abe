"""Time of a step: its parts, limits and directions."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.training import A100, BARE, GPT3, flops_per_token, gpt
from twin.errors import ParameterError
from twin.physics.products import trained_s
from twin.physics.sharing import outlasting_fraction
from twin.physics.training.layout import Layout
from twin.physics.training.machine import BANDWIDTH_REACHED, Software
from twin.physics.training.memory import memory_per_gpu_bytes
from twin.physics.training.step import (
    FabricTime,
    bubble_fraction,
    fabric_time,
    step_time,
)
from twin.physics.training.work import LOGIT_BYTES


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
    flops = flops_per_token(GPT3) * 512 * 2048
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
    assert flops_per_token(words) == flops_per_token(replace(words, predictions=2))


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
        (108, "multiprocessors=108: must be >= 0 and < 108"),
        (-1, "multiprocessors=-1: must be >= 0 and < 108"),
    ],
)
@pytest.mark.parametrize("whose", ["communication", "data"])
def test_multiprocessors_that_are_not_there_are_not_lent(whose, lent, message):
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    software = Software(**{f"{whose}_multiprocessors": lent})
    with pytest.raises(ParameterError, match=f"{whose}_{message}"):
        step_time(BARE, layout, A100, software)


@pytest.mark.parametrize("lent", [0, 27])
def test_gradients_that_are_hidden_slow_the_products_they_meet(lent):
    """Of 96 pieces one is seen; beside the others a layer's products have a quarter less."""
    layout = Layout(tensor=1, pipeline=1, data=128, batch=1024)
    quiet = Software(straggler=0.0)
    alone = step_time(BARE, layout, A100, quiet)
    beside = step_time(BARE, layout, A100, replace(quiet, data_multiprocessors=lent))
    hidden_s = 95 * alone.data_s
    slowed = replace(A100, multiprocessors=81, peak_flops=312e12 * 0.75) if lent else A100
    longer_s = step_time(BARE, layout, slowed, quiet).math_s - alone.math_s
    layers_s = alone.math_s + alone.memory_s
    assert beside.math_s - alone.math_s == pytest.approx(
        hidden_s * longer_s / (layers_s + longer_s)
    )
    assert replace(beside, math_s=alone.math_s) == alone


def test_gradients_in_sixteen_bits_take_two_thirds_of_the_way_of_those_in_thirty_two():
    layout = Layout(tensor=1, pipeline=1, data=128, batch=1024)
    quiet = replace(A100, domain_latency_s=0.0, fabric_latency_s=0.0)
    wide, narrow = (
        step_time(BARE, layout, quiet, Software(gradient_bytes=each)).data_s for each in (4.0, 2.0)
    )
    assert narrow == pytest.approx(2 / 3 * wide)


def test_where_multiprocessors_are_not_known_none_is_lent():
    layout = Layout(tensor=8, pipeline=1, data=1, batch=1)
    machine = replace(A100, multiprocessors=None)
    free, lent = (step_time(BARE, layout, machine, hidden(0.5, x)) for x in (0, 20))
    assert lent == free


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


def test_better_software_shortens_the_step():
    layout = Layout(tensor=8, pipeline=8, data=192, batch=6144, virtual_stages=6)
    better = Software(tensor_overlap=0.9, straggler=0.005)
    assert step_time(GPT3, layout, A100, better).step_s < step_time(GPT3, layout, A100).step_s
    assert math.isclose(
        step_time(GPT3, layout, A100, Software()).step_s, step_time(GPT3, layout, A100).step_s
    )


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


def test_more_stages_than_layers_are_refused():
    layout = Layout(tensor=1, pipeline=128, data=1, batch=128)
    with pytest.raises(
        ParameterError, match="pipeline=128: must be <= 96, the layers of the model"
    ):
        step_time(BARE, layout, A100)


# ---- a slower fabric ----


@pytest.mark.parametrize("slower", [1.0, 2.0, 10.0, 40.0, 100.0])
@pytest.mark.parametrize("data", [16, 512])
def test_a_slower_fabric_lengthens_a_step_by_what_it_sends_and_can_no_longer_hide(data, slower):
    """Exact where data ranks alone communicate and nothing else waits for them."""
    layout, quiet = Layout(tensor=1, pipeline=1, data=data, batch=2 * data), Software(straggler=0.0)
    step_s = step_time(BARE, layout, A100, quiet).step_s
    slow = replace(A100, fabric_bytes_per_s=A100.fabric_bytes_per_s / slower)
    found = fabric_time(BARE, layout, A100, quiet)
    hidden = [(part / step_s, cover / step_s) for part, cover in found.hidden]
    longer = found.exposed_s / step_s * (slower - 1.0) + outlasting_fraction(hidden, slower - 1.0)
    assert step_time(BARE, layout, slow, quiet).step_s == pytest.approx(step_s * (1.0 + longer))


def test_what_tensor_ranks_on_two_servers_hide_comes_out_as_the_fabric_slows():
    layout, quiet = Layout(tensor=16, pipeline=1, data=1, batch=16), hidden()
    step_s = step_time(BARE, layout, A100, quiet).step_s
    slow = replace(A100, fabric_bytes_per_s=A100.fabric_bytes_per_s / 20)
    found = fabric_time(BARE, layout, A100, quiet)
    assert found.exposed_s == 0.0
    longer_s = step_s * outlasting_fraction([(a / step_s, b / step_s) for a, b in found.hidden], 19)
    assert longer_s > step_s
    assert step_time(BARE, layout, slow, quiet).step_s == pytest.approx(step_s + longer_s)


def test_a_run_within_a_server_does_not_feel_the_fabric():
    layout = Layout(tensor=2, pipeline=1, data=4, batch=8)
    assert fabric_time(BARE, layout, A100, Software()) == FabricTime(0.0, ())
