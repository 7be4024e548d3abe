"""What the ranks of a step send each other, nothing of it hidden yet."""

from __future__ import annotations

from twin.physics.collectives import (
    all_to_all_s,
    hierarchical_all_reduce_s,
    send_s,
)
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine
from twin.physics.training.memory import BYTES_PER_VALUE
from twin.physics.training.transformer import Transformer


def tensor_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the four all-reduces of one layer and micro-batch (six with recomputation)."""
    size = BYTES_PER_VALUE * layout.tokens(model) * model.hidden
    once_s = _nested_all_reduce_s(layout.tensor, machine.domain_gpus, size, machine)
    return once_s * (6.0 if layout.full_recompute else 4.0)


def context_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the gathering of keys and values, on the way back again and of their gradients."""
    width = (model.key_width or model.hidden) / layout.tensor
    size = 2.0 * BYTES_PER_VALUE * layout.micro_batch * model.sequence * width
    together = machine.domain_gpus // layout.tensor
    return 1.5 * _nested_all_reduce_s(layout.context, together, size, machine)


def expert_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the dispatch and return, forward and backward, of one layer and micro-batch."""
    size = BYTES_PER_VALUE * layout.tokens(model) * model.hidden * model.expert_copies
    inside = layout.expert * layout.tensor <= machine.domain_gpus
    bytes_per_s = machine.domain_bytes_per_s if inside else machine.fabric_bytes_per_s
    latency_s = machine.domain_latency_s if inside else machine.fabric_latency_s
    return 4.0 * all_to_all_s(layout.expert, size / layout.tensor, bytes_per_s, latency_s)


def data_s(model: Transformer, layout: Layout, machine: Machine, gradient_bytes: float) -> float:
    """Return the reduction of gradients and gathering of parameters, nothing hidden."""
    mean_bytes = (gradient_bytes + BYTES_PER_VALUE) / 2.0  # of the way there and the way back
    dense, routed = (mean_bytes * held for held in layout.weights(model))
    together = machine.domain_gpus // layout.tensor
    copies = layout.data * layout.context
    dense_s = _nested_all_reduce_s(copies, together, dense, machine)
    if not routed:
        return dense_s
    apart = together // layout.expert
    return dense_s + _nested_all_reduce_s(copies // layout.expert, apart, routed, machine)


def fill_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the hand-overs while the pipeline fills and drains; others are hidden."""
    size = BYTES_PER_VALUE * layout.tokens(model) * model.hidden / layout.tensor
    hop_s = send_s(size, machine.fabric_bytes_per_s, machine.fabric_latency_s)
    return 2.0 * (layout.pipeline - 1) * hop_s


def _nested_all_reduce_s(ranks: int, together: int, size: float, machine: Machine) -> float:
    """Return an all-reduce over *ranks*, at most *together* of them in a scale-up domain."""
    return hierarchical_all_reduce_s(
        ranks,
        max(1, together),
        size,
        node_bytes_per_s=machine.domain_bytes_per_s,
        fabric_bytes_per_s=machine.fabric_bytes_per_s,
        node_latency_s=machine.domain_latency_s,
        fabric_latency_s=machine.fabric_latency_s,
    )
