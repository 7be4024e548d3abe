"""A layout that fits, found by the machine."""

from dataclasses import replace
from itertools import product

import pytest

from tests.support.training import A100, GPT3, H100, LLAMA3, gpt
from twin.errors import ParameterError
from twin.physics.training.layout import Layout
from twin.physics.training.memory import memory_per_gpu_bytes
from twin.physics.training.search import fastest_layout
from twin.physics.training.step import step_time


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
    with pytest.raises(ParameterError, match="gpus=17: must be such that they split evenly over"):
        fastest_layout(gpt(2, 64, 64, 100), A100, gpus=17, batch=8)


def test_sequences_are_shared_before_the_layers_are_recomputed():
    """Llama 3.1 405B on 8192 GPUs: with a sequence on one rank only all layers twice fit."""
    layout = fastest_layout(LLAMA3, H100, gpus=8192, batch=2048)
    assert (layout.context, layout.full_recompute) == (2, False)
    alone = replace(layout, context=1, data=2 * layout.data, full_recompute=True)
    faster = step_time(LLAMA3, alone, H100).step_s / step_time(LLAMA3, layout, H100).step_s
    assert faster > 1.25


def test_several_sequences_at_once_make_products_of_many_ranks_long_enough():
    layout = fastest_layout(GPT3, H100, gpus=1024, batch=1536)
    assert layout.micro_batch > 1
    one = replace(layout, micro_batch=1)
    assert step_time(GPT3, one, H100).step_s > 1.04 * step_time(GPT3, layout, H100).step_s


@pytest.mark.parametrize("machine", [H100, replace(H100, memory_bytes=40e9)])
@pytest.mark.parametrize("experts", [0.0, 5e9])
def test_no_layout_that_fits_is_faster(machine, experts):
    """Against all ranks, pieces and micro-batches that there are."""
    model = replace(
        gpt(12, 4096, 4096, 32000),
        parameters=2.6e9 + experts,
        expert_parameters=experts,
        expert_copies=2.0 if experts else 0.0,
    )
    found = fastest_layout(model, machine, gpus=32, batch=64)
    sizes = (1, 2, 4, 8, 16, 32)
    tried = 0
    for tensor, pipeline, context, expert, micro in product(*[sizes] * 5):
        data, rest = divmod(32, tensor * pipeline * context)
        if rest or data % expert or 64 % (data * micro) or (expert > 1 and not experts):
            continue
        if tensor > 8 or pipeline > 12:
            continue
        for pieces, again in product((1, 2, 3, 4, 6, 12), (False, True)):
            if pieces > (-(-12 // pipeline) if pipeline > 1 else 1):
                continue
            layout = Layout(
                tensor=tensor,
                pipeline=pipeline,
                context=context,
                expert=expert,
                data=data,
                batch=64,
                micro_batch=micro,
                virtual_stages=pieces,
                full_recompute=again,
            )
            if memory_per_gpu_bytes(model, layout) > machine.memory_bytes:
                continue
            tried += 1
            assert (
                step_time(model, layout, machine).step_s >= step_time(model, found, machine).step_s
            )
    assert tried > 200
