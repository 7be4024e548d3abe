"""Memory of a GPU in training, by hand."""

import re
from dataclasses import replace

import pytest

from tests.support.training import A100, GPT3
from twin.errors import ParameterError
from twin.physics.training.layout import Layout
from twin.physics.training.memory import check_memory, memory_per_gpu_bytes


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


def test_activations_that_are_computed_again_need_no_memory():
    lean = Layout(tensor=8, pipeline=12, data=1, batch=24, stored_bytes_per_token=17)
    spared = 17 * 2048 * 12288 * 96 / 8
    full = memory_per_gpu_bytes(GPT3, Layout(tensor=8, pipeline=12, data=1, batch=24))
    assert full - memory_per_gpu_bytes(GPT3, lean) == pytest.approx(spared)


def test_recomputed_layers_keep_their_inputs_and_the_one_under_way_everything():
    layout = Layout(tensor=8, pipeline=12, data=1, batch=24, full_recompute=True)
    held = 18 * GPT3.parameters / 96
    activations = (2 * 96 + 34) * 2048 * 12288 / 8
    assert memory_per_gpu_bytes(GPT3, layout) == pytest.approx(held + activations)
