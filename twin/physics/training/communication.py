r"""What the ranks of a step send each other, nothing of it hidden yet.

Every function takes the model, how it is spread and the machine, and returns a time, 0 where
there is one rank. [s] With *b* sequences of *s* tokens in a micro-batch, the width *h* of the
model, *k* that of its keys, and *t*, *p*, *c*, *e* and *d* ranks of tensors, stages, contexts,
experts and data, two bytes a value. Ranks fill a scale-up domain before they go beyond it.

What is sent when: D. Narayanan et al., "Efficient large-scale language model training on GPU
clusters using Megatron-LM", SC 2021, section 3; V. Korthikanti et al., "Reducing activation
recomputation in large transformer models", MLSys 2023, section 4.

GPT-3 175B on 1,024 GPUs in servers of eight, in milliseconds: four all-reduces of 50 MB at
450 GB/s in a layer; gradients and parameters of 2.7 billion weights over 16 servers at 50 GB/s.

>>> model = Transformer(
...     parameters=175e9, active_parameters=175e9, layers=96, hidden=12288, sequence=2048
... )
>>> machine = Machine(
...     peak_flops=989e12,
...     math_efficiency=0.6,
...     memory_bytes=80e9,
...     memory_bytes_per_s=3.35e12,
...     domain_gpus=8,
...     domain_bytes_per_s=450e9,
...     fabric_bytes_per_s=50e9,
... )
>>> layout = Layout(tensor=8, pipeline=8, data=16, batch=256)
>>> round(1e3 * tensor_s(model, layout, machine), 2)
0.89
>>> round(1e3 * data_s(model, layout, machine, gradient_bytes=2))
205
>>> round(1e3 * fill_s(model, layout, machine), 2)
1.82
>>> expert_s(model, layout, machine), context_s(model, layout, machine)
(0.0, 0.0)
"""

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
    """Return four all-reduces of ``2 b s h / c`` bytes: a layer's, of one micro-batch. [s].

    Six where layers are run forward a second time.
    """
    size = BYTES_PER_VALUE * layout.tokens(model) * model.hidden
    once_s = _nested_all_reduce_s(layout.tensor, machine.domain_gpus, size, machine)
    return once_s * (6.0 if layout.full_recompute else 4.0)


def context_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the gathering of ``4 b s k / t`` bytes of keys and values: a layer's. [s].

    Of one micro-batch: forward, on the way back again, and then of their gradients; a
    gathering takes half as long as an all-reduce.
    """
    width = (model.key_width or model.hidden) / layout.tensor
    size = 2.0 * BYTES_PER_VALUE * layout.micro_batch * model.sequence * width
    together = machine.domain_gpus // layout.tensor
    return 1.5 * _nested_all_reduce_s(layout.context, together, size, machine)


def expert_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return four all-to-alls of ``2 b s h / (c t)`` bytes for each copy of a token. [s].

    There and back, forward and on the way back, of one layer and micro-batch; six where layers
    are run forward a second time. Over the fabric as soon as the ranks do not fit a domain.
    """
    size = BYTES_PER_VALUE * layout.tokens(model) * model.hidden * model.expert_copies
    inside = layout.expert * layout.tensor <= machine.domain_gpus
    bytes_per_s = machine.domain_bytes_per_s if inside else machine.fabric_bytes_per_s
    latency_s = machine.domain_latency_s if inside else machine.fabric_latency_s
    once_s = all_to_all_s(layout.expert, size / layout.tensor, bytes_per_s, latency_s)
    return once_s * (6.0 if layout.full_recompute else 4.0)


def data_s(model: Transformer, layout: Layout, machine: Machine, gradient_bytes: float) -> float:
    """Return the reduction of gradients and the gathering of parameters, once a step. [s].

    A gradient has *gradient_bytes*, a parameter two. Weights of routed experts are kept by
    ``e`` times fewer ranks than the others.
    """
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
    """Return ``2 (p - 1)`` hand-overs, while the pipeline fills and drains, once a step. [s].

    Of ``2 b s h / (c t)`` bytes each; all others are hidden.
    """
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
