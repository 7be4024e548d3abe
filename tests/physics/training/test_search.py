"""A layout that fits, found by the machine."""

import pytest

from tests.support.training import A100, GPT3, gpt
from twin.errors import ParameterError
from twin.physics.training.memory import memory_per_gpu_bytes
from twin.physics.training.search import fastest_layout


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
