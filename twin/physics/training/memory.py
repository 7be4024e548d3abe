"""Memory of a GPU in training: weights, gradients, optimizer state, activations."""

from __future__ import annotations

from twin.errors import require
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine
from twin.physics.training.transformer import Transformer

BYTES_PER_VALUE = 2.0
"""Weights, gradients and activations travel as BF16. [B]"""

STATE_BYTES_PER_PARAMETER = 12.0
"""Master weights and two Adam moments in FP32, split over the data-parallel ranks. [B]"""

GRADIENT_BYTES_PER_PARAMETER = 4.0
"""Gradients accumulate in FP32. [B]"""

BYTES_PER_LOGIT = 4.0
"""Scores of output words are kept in FP32 (Korthikanti et al., as below). [B]"""


def memory_per_gpu_bytes(model: Transformer, layout: Layout) -> float:
    r"""Memory of the fullest GPU: weights, gradients, optimizer state, activations.

    Parameters
    ----------
    model : Transformer
        Shape of the model.
    layout : Layout
        How it is spread; optimizer state is split over the data-parallel ranks.

    Returns
    -------
    float
        Bytes on a rank of the first pipeline stage, which holds most activations;
        buffers and fragmentation (some GB) not counted. [B]

    Notes
    -----
    The first stage keeps as many micro-batches in flight as there are stages, so its
    activations are those of one micro-batch through the *whole* model, a little more
    when stages are interleaved, whatever the pipeline's depth. Where micro-batches enter at
    both ends, a rank holds two stages and the activations of one micro-batch more. Where all are
    recomputed, inputs of layers are kept and, of the one under way, everything. Scores of
    output words are on the last stage, for one micro-batch at a time: they count where it is
    the first.

    References
    ----------
    .. [1] V. Korthikanti et al., "Reducing activation recomputation in large
       transformer models", MLSys 2023.
    """
    return sum(_memory_parts(model, layout))


def _memory_parts(model: Transformer, layout: Layout) -> tuple[float, float, float]:
    """Return bytes of weights with gradients, of optimizer state and of activations."""
    stages = 2.0 if layout.both_ways else 1.0
    held = BYTES_PER_VALUE + GRADIENT_BYTES_PER_PARAMETER
    weights = stages * held * sum(layout.weights(model))
    state = stages * STATE_BYTES_PER_PARAMETER * layout.updated(model)
    tokens = layout.tokens(model)
    kept = BYTES_PER_VALUE if layout.full_recompute else layout.stored_bytes_per_token
    in_flight = min(1.0, layout.micro_batches / layout.pipeline)
    if layout.virtual_stages > 1:
        in_flight *= 1.0 + (layout.pipeline - 1) / (layout.pipeline * layout.virtual_stages)
    if layout.both_ways:
        in_flight *= 1.0 + 1.0 / layout.pipeline
    activations = kept * tokens * model.hidden * model.layers / layout.tensor * in_flight
    if layout.full_recompute:
        activations += layout.stored_bytes_per_token * tokens * model.hidden / layout.tensor
    if layout.pipeline == 1:
        activations += BYTES_PER_LOGIT * tokens * model.vocabulary / layout.tensor
    return weights, state, activations


def check_memory(model: Transformer, layout: Layout, machine: Machine) -> None:
    """Refuse a layout whose fullest GPU does not hold its share of the model.

    Parameters
    ----------
    model : Transformer
        Shape of the model.
    layout : Layout
        How it is spread.
    machine : Machine
        GPU it runs on.

    Raises
    ------
    ParameterError
        With the sum that does not fit.
    """
    parts = _memory_parts(model, layout)
    need = sum(parts)
    weights_gb, state_gb, activations_gb = (part / 1e9 for part in parts)
    require(
        need <= machine.memory_bytes,
        "memory",
        f"{machine.memory_bytes / 1e9:.0f} GB",
        f">= {need / 1e9:.1f} GB per GPU: {model.parameters:.3g} parameters over "
        f"tensor {layout.tensor} x pipeline {layout.pipeline} take {weights_gb:.1f} with their "
        f"gradients, optimizer state over data {layout.data * layout.context} {state_gb:.1f}, "
        f"activations of micro-batch {layout.micro_batch} x {model.sequence} tokens "
        f"{activations_gb:.1f}",
    )
