"""Fused attention behind a causal mask: what its length does to its speed."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.attention import SHORT_TOKENS, length_share

MEASURED = {
    "A100, FlashAttention-2": (312, ((2048, 180, 141), (4096, 204, 168), (8192, 217, 173))),
    "H200, cuDNN 9.27": (989, ((2048, 534, 402), (4096, 616, 495), (8192, 655, 526))),
}
"""Peak, and TFLOP/s forward and back by length: NVIDIA/cudnn-frontend, benchmark/
attention_training, llama3.1, September 2026."""


@pytest.mark.parametrize("table", MEASURED)
def test_one_speed_and_the_length_give_what_kernels_reach(table):
    """Back is 2.5 times the work of forward. Within 6 % where lengths alone make 20 %."""
    peak, rows = MEASURED[table]
    reached = [1 / (2 / 7 / ahead + 5 / 7 / back) / peak for _, ahead, back in rows]
    long = [share / length_share(tokens) for share, (tokens, *_) in zip(reached, rows, strict=True)]
    assert reached[-1] > 1.2 * reached[0]
    assert max(long) < 1.06 * min(long)
    assert max(long) < 0.7


def test_half_is_reached_where_a_sequence_is_as_long_as_what_comes_on_top():
    assert length_share(SHORT_TOKENS) == pytest.approx(0.5)


@given(st.floats(1, 1e7), st.floats(1, 1e7))
def test_longer_sequences_are_faster_and_never_beyond_endless_ones(one, other):
    short, long = sorted((one, other))
    assert 0 < length_share(short) <= length_share(long) < 1
    assert short / length_share(short) == pytest.approx(short + SHORT_TOKENS)


@pytest.mark.parametrize("tokens", [0, -1.0, -inf])
def test_sequences_without_tokens_are_refused(tokens):
    with pytest.raises(ParameterError, match="sequence="):
        length_share(tokens)
