"""What one GPU computes in a step: products, passes between them, the update of weights."""

from __future__ import annotations

from twin.physics.attention import length_share
from twin.physics.products import shape_loss, trained_s
from twin.physics.training.layout import Layout
from twin.physics.training.machine import BANDWIDTH_REACHED, Machine
from twin.physics.training.memory import (
    BYTES_PER_VALUE,
    GRADIENT_BYTES_PER_PARAMETER,
    STATE_BYTES_PER_PARAMETER,
)
from twin.physics.training.transformer import Transformer

PASSED_BYTES_PER_TOKEN = 60.0
"""Read and written between the products per token, layer and hidden unit. Each of the 34 kept
bytes is written and read on the way forward, read and answered by a gradient on the way back
(assumed: what fused kernels leave), 136 in all. But 14 of them products write, 14 they read,
these again on the way back, and write their gradients (by the list of Korthikanti et al.):
that is in the time of the products. And attention reads queries, keys and values, 6, twice,
writes their gradients, and 2 of its output: in its own time. [B]"""

LOGIT_BYTES = 52.0
"""Read and written per token and output word between the products of the output layer, in
FP32 as Megatron-LM's cross entropy does it by default: conversion 6, maximum 4,
difference 8, exponential 8, sum 4, quotient 8, gradient 8, conversion 6. [B]"""


def math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the matrix products of one layer and micro-batch."""
    tokens, forwards = layout.tokens(model), 2 if layout.full_recompute else 1
    chip = machine.multiplier(machine.linear_speed)
    loss = shape_loss(tokens, model.layer_weights(layout.tensor), chip, forwards)
    linear_s = (4.0 + 2.0 * forwards) * model.layer_parameters * loss / chip.flops_per_s
    attention = machine.multiplier(machine.attention_speed * length_share(model.sequence))
    attention_s = model.attention_flops(layout.full_recompute) / attention.flops_per_s
    return (linear_s + attention_s) * tokens / (layout.tensor * model.layers)


def output_math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the output layer's products for one micro-batch; they are never run again."""
    if not model.vocabulary:
        return 0.0
    words = model.vocabulary / layout.tensor
    return trained_s(layout.tokens(model), model.hidden, words, machine.multiplier())


def passed_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the time of memory-bound work of one layer and micro-batch."""
    moved = PASSED_BYTES_PER_TOKEN * layout.tokens(model) * model.hidden
    return _passes_s(moved / layout.tensor, machine)


def loss_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the passes over the scores of output words of one micro-batch."""
    moved = LOGIT_BYTES * layout.tokens(model) * model.vocabulary
    return _passes_s(moved / layout.tensor, machine)


def optimizer_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the update of a rank's share of the parameters, and the clearing of gradients.

    A gradient is read for the norm of all and for the update; master weight and moments
    are read and written, the BF16 weight written; then gradients are set to zero.
    """
    update = 2.0 * (GRADIENT_BYTES_PER_PARAMETER + STATE_BYTES_PER_PARAMETER) + BYTES_PER_VALUE
    moved = update * layout.updated(model)
    moved += GRADIENT_BYTES_PER_PARAMETER * sum(layout.weights(model))
    return _passes_s(moved, machine)


def _passes_s(moved: float, machine: Machine) -> float:
    """Return the time in which *moved* bytes are read or written."""
    return moved / (BANDWIDTH_REACHED * machine.memory_bytes_per_s)
