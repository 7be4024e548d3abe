"""What one GPU computes in a step: products, passes between them, the update of weights.

Every function takes the model, how it is spread and the machine, and returns a time. [s] Those
of products come from :mod:`twin.physics.products`; passes move bytes at the bandwidth that
memory reaches. What is written, read and kept: V. Korthikanti et al., "Reducing activation
recomputation in large transformer models", MLSys 2023, section 4.

A layer of GPT-3 175B and its output words on one of eight tensor ranks, one sequence, in
milliseconds: products, passes (1.5 GB over eight ranks at nine tenths of an A100's 2 TB/s),
products of output words, passes over their scores; then the update of 2.7 billion weights kept
by 16 ranks, once a step.

>>> model = Transformer(
...     parameters=175e9,
...     active_parameters=175e9,
...     layers=96,
...     hidden=12288,
...     sequence=2048,
...     vocabulary=51200,
... )
>>> machine = Machine(
...     peak_flops=312e12,
...     math_efficiency=0.6,
...     memory_bytes=80e9,
...     memory_bytes_per_s=2.039e12,
...     domain_gpus=8,
...     domain_bytes_per_s=300e9,
...     fabric_bytes_per_s=25e9,
... )
>>> layout = Layout(tensor=8, pipeline=8, data=16, batch=256)
>>> each = (math_s, passed_s, output_math_s, loss_s, optimizer_s)
>>> [round(1e3 * time_s(model, layout, machine), 2) for time_s in each]
[16.33, 0.1, 5.55, 0.37, 9.13]
"""

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

PASSED_AGAIN_BYTES_PER_TOKEN = 32.0
"""Those of the way forward, which layers that are run again take twice: 34 written and 34 read,
without 28 of products and 8 of attention. [B]"""

LOGIT_BYTES = 52.0
"""Read and written per token and output word between the products of the output layer, in
FP32 as Megatron-LM's cross entropy does it by default: conversion 6, maximum 4,
difference 8, exponential 8, sum 4, quotient 8, gradient 8, conversion 6. [B]"""


def math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the matrix products of one layer and micro-batch, forward and back. [s].

    Four FLOP for each weight and token on the way back and two forward, twice where layers are
    run again; attention at the speed of its kernel.
    """
    tokens, forwards = layout.tokens(model), 2 if layout.full_recompute else 1
    chip = machine.multiplier(machine.linear_speed)
    loss = shape_loss(tokens, model.layer_weights(layout.tensor), chip, forwards)
    linear_s = (4.0 + 2.0 * forwards) * model.layer_parameters * loss / chip.flops_per_s
    attention = machine.multiplier(machine.attention_speed * length_share(model.sequence))
    attention_s = model.attention_flops(layout.full_recompute) / attention.flops_per_s
    return (linear_s + attention_s) * tokens / (layout.tensor * model.layers)


def output_math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the output layer's products of one micro-batch; they are never run again. [s]."""
    if not model.vocabulary:
        return 0.0
    words = model.vocabulary / layout.tensor
    return trained_s(layout.tokens(model), model.hidden, words, machine.multiplier())


def passed_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the passes over activations of one layer and micro-batch, between products. [s]."""
    each = PASSED_BYTES_PER_TOKEN
    if layout.full_recompute:
        each += PASSED_AGAIN_BYTES_PER_TOKEN
    return _passes_s(each * layout.tokens(model) * model.hidden / layout.tensor, machine)


def loss_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the passes over the scores of output words of one micro-batch, in the loss. [s]."""
    moved = LOGIT_BYTES * layout.tokens(model) * model.vocabulary
    return _passes_s(moved / layout.tensor, machine)


def optimizer_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the update of a rank's share of the parameters, once a step. [s].

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
