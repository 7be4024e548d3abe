"""The shape of a model and the operations it takes, against published counts."""

from dataclasses import replace

import pytest

from tests.support.training import BARE, GPT3, LLAMA3, flops_per_token
from twin.errors import ParameterError
from twin.physics.training.transformer import (
    training_flops,
    transformer_flops,
    usual_shape,
)


def test_gpt3_takes_its_published_petaflop_days():
    assert training_flops(175e9, 300e9) / 1e15 / 86400 == pytest.approx(3640, rel=0.01)


@pytest.mark.parametrize(
    ("parameters", "tokens", "gpus", "tflops", "days"),
    [(175e9, 300e9, 1024, 140e12, 34), (1e12, 450e9, 3072, 163e12, 84)],
)
def test_megatron_run_times(parameters, tokens, gpus, tflops, days):
    flops = training_flops(parameters, tokens, full_recompute=True)
    assert flops / (gpus * tflops) / 86400 == pytest.approx(days, rel=0.03)


def test_no_tokens_is_refused():
    with pytest.raises(ParameterError, match="tokens=0: must be > 0"):
        training_flops(1e9, 0)


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


def test_operations_are_those_of_megatron_but_for_half_the_context_and_scores_found_again():
    counted = transformer_flops(96, 12288, 2048, 51200, 1.0)
    context = 96 * 2048 * 12288
    assert flops_per_token(GPT3) == pytest.approx(counted - 12 * context + 7 * context)


def test_a_table_of_input_words_is_no_work():
    more = {
        name: getattr(GPT3, name) + 51200 * 12288 for name in ("parameters", "active_parameters")
    }
    assert flops_per_token(replace(GPT3, tied=False, **more)) == flops_per_token(GPT3)


def test_more_words_than_parameters_are_refused():
    with pytest.raises(ParameterError, match=r"vocabulary=1000000: must be .* words fewer than"):
        replace(BARE, vocabulary=1_000_000)


def test_products_of_a_layer_have_its_parameters():
    """Llama 3.1 405B: 126 layers, two norms in each left out."""
    weights = sum(into * out for into, out in LLAMA3.layer_weights())
    assert 126 * weights == pytest.approx(LLAMA3.layer_parameters, rel=0.01)
    split = sum(into * out for into, out in LLAMA3.layer_weights(tensor=8))
    assert split == pytest.approx(weights / 8)


def test_a_feed_forward_part_is_four_times_as_wide_where_none_is_told():
    assert GPT3.layer_weights() == replace(GPT3, feed_forward=4 * 12288).layer_weights()


@pytest.mark.parametrize(
    ("parameters", "layers", "hidden"),
    [
        (6.7e9, 32, 4096),
        (13e9, 40, 5120),
        (69e9, 80, 8192),
        (175e9, 96, 12288),
        (405e9, 126, 16384),
    ],
)
def test_a_shape_that_is_not_given_is_like_those_that_are_published(parameters, layers, hidden):
    """A sixth of the layers off at most, and an eighth of the width."""
    deep, wide = usual_shape(parameters)
    assert deep == pytest.approx(layers, rel=1 / 6)
    assert wide == pytest.approx(hidden, rel=1 / 8)
    assert 12 * deep * wide**2 == pytest.approx(parameters, rel=0.05)


def test_the_shape_of_nothing_is_refused():
    with pytest.raises(ParameterError, match="parameters=0: must be > 0"):
        usual_shape(0)
