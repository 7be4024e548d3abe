r"""Time of a training step, built up from what the GPUs do, in the mean over all of them.

.. math:: t = \big(m\,(t_{math} + t_{memory} + t_{tensor} + t_{context} + t_{expert}
    + t_{imbalance}) + t_{bubble} + t_{data} + t_{optimizer}\big)\,(1 + c \ln p)

with *m* micro-batches, communication counted only where it is not hidden behind
mathematics, which has fewer multiprocessors meanwhile where they run it, and a straggler
term that grows with the number of GPUs *p*. The last stage
of a pipeline also holds the output words and the loss; where no layer can be spared for
them the others wait for it. Products with weights take the time of their shapes
(`twin.physics.products`), attention that of its length (`twin.physics.attention`). MFU is an
outcome. Left out: load imbalance of experts, data loading; a caller who knows them adds
them to the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from twin.errors import require
from twin.physics.training import communication, work
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine, Software
from twin.physics.training.transformer import Transformer


@dataclass(frozen=True, slots=True)
class StepTime:
    """Where a step goes, in the mean over its GPUs; the parts add up to ``step_s``."""

    math_s: float
    memory_s: float
    """Work bound by memory bandwidth between the matrix products, the loss included."""
    optimizer_s: float
    """Passes over gradients, weights and optimizer state, bound by memory bandwidth."""
    tensor_s: float
    context_s: float
    expert_s: float
    data_s: float
    bubble_s: float
    imbalance_s: float
    """Waiting for the fullest pipeline stage."""
    straggler_s: float

    @property
    def step_s(self) -> float:
        """Return the whole step."""
        return self.busy_s + self.communication_s + self.waiting_s

    @property
    def busy_s(self) -> float:
        """Return the time in which a GPU works."""
        return self.math_s + self.memory_s + self.optimizer_s

    @property
    def waiting_s(self) -> float:
        """Return the time in which a GPU waits for others."""
        return self.bubble_s + self.imbalance_s + self.straggler_s

    @property
    def communication_s(self) -> float:
        """Return the communication that nothing hides."""
        return self.tensor_s + self.context_s + self.expert_s + self.data_s

    @property
    def comm_fraction(self) -> float:
        """Return exposed communication over step time."""
        return self.communication_s / self.step_s


def bubble_fraction(
    pipeline: int, micro_batches: int, virtual_stages: int = 1, *, both_ways: bool = False
) -> float:
    r"""Idle time of a pipeline over its busy time, :math:`(p-1)/(m v)`.

    Where micro-batches enter at both ends (DualPipe) :math:`(p/2-1)(F + B + B - 3W)` a step, with
    times of a micro-batch *F* forward, *B* back and *W* the gradients of weights in it. With a
    third of both ways for each product that is :math:`(p-2)/(3m)`.

    Parameters
    ----------
    pipeline : int
        Pipeline ranks, >= 1.
    micro_batches : int
        Micro-batches in a step, >= 1.
    virtual_stages : int
        Pieces of the model on a rank, >= 1.
    both_ways : bool
        Whether micro-batches enter at both ends.

    Returns
    -------
    float
        Fraction of the busy time. [-]

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient large-scale language model training on GPU
       clusters using Megatron-LM", SC 2021.
    .. [2] DeepSeek-AI, README of DualPipe, 2025.

    Examples
    --------
    >>> bubble_fraction(8, 28, 2), bubble_fraction(8, 16, both_ways=True)
    (0.125, 0.125)
    """
    if both_ways:
        return (pipeline - 2) / (3.0 * micro_batches)
    return (pipeline - 1) / (micro_batches * virtual_stages)


def step_time(
    model: Transformer, layout: Layout, machine: Machine, software: Software | None = None
) -> StepTime:
    """Time of one optimizer step and where it goes.

    Parameters
    ----------
    model : Transformer
        Shape of the model.
    layout : Layout
        How a step is spread over GPUs.
    machine : Machine
        GPU and network; pass the bandwidth that contention leaves.
    software : Software, optional
        What is hidden and what stragglers cost.

    Returns
    -------
    StepTime
        Parts that add up to the step. [s]

    Raises
    ------
    ParameterError
        If a stage has no layer or more pieces than layers, or ranks do not divide what they
        share.

    Notes
    -----
    The fullest stage sets the pace: one more layer where they cannot be shared out evenly,
    or the last one with the output layer and the layers that foretell further tokens, which
    is given fewer of the others where some can be spared. Where micro-batches enter at both
    ends, the last and the first stage are on one rank, each for half of them.

    While communication is hidden, products have the multiprocessors it leaves, and no more is
    hidden than they take there. Gradient reduction and parameter gathering hide behind the
    pipeline's last and first round; the piece at its edge cannot. What is hidden meets all
    that a layer does alike, and slows its products alone.

    References
    ----------
    .. [1] D. Narayanan et al., SC 2021: layers shared out evenly, interleaved schedule.
    .. [2] "The Llama 3 herd of models", 2024, section 3.3.2: output and loss make the last
       stage the slowest; it and the first hold one layer fewer.
    """
    software = software or Software()
    p, m = layout.pipeline, layout.micro_batches
    one = _worked_out(model, layout, machine, software)
    bubble_s = bubble_fraction(p, m, layout.virtual_stages, both_ways=layout.both_ways) * m
    bubble_s = bubble_s * one.mean_s + communication.fill_s(model, layout, machine)
    all_s = communication.data_s(model, layout, machine, software.gradient_bytes)
    chunks = _chunks(model, layout)
    data_s = max(all_s / chunks, all_s - min(p, m) * one.mean_s * (1.0 - 1.0 / chunks))
    lost_s = (all_s - data_s) * _slowed(model, layout, machine, software, one.layer_s)
    optimizer_s = work.optimizer_s(model, layout, machine)
    slow = software.straggler * math.log(layout.gpus)
    each = m / p
    return StepTime(
        math_s=each * (one.layers * one.math_s + one.words_s) + lost_s,
        memory_s=each * (one.layers * one.memory_s + one.loss_s),
        optimizer_s=optimizer_s,
        tensor_s=each * one.layers * one.tensor_s,
        context_s=each * one.layers * one.context_s,
        expert_s=each * one.layers * one.expert_s,
        data_s=data_s,
        bubble_s=bubble_s,
        imbalance_s=m * (one.pace_s - one.mean_s),
        straggler_s=slow * (m * one.pace_s + lost_s + bubble_s + data_s + optimizer_s),
    )


@dataclass(frozen=True, slots=True)
class _MicroBatch:
    """Times of one micro-batch: of a layer, of the words and of a stage."""

    layers: int
    """Those that foretell further tokens among them."""
    math_s: float
    memory_s: float
    tensor_s: float
    context_s: float
    expert_s: float
    words_s: float
    loss_s: float
    mean_s: float
    """Of a stage, in the mean."""
    pace_s: float
    """Of the fullest."""

    @property
    def layer_s(self) -> float:
        """Return all that a layer takes."""
        return self.math_s + self.memory_s + self.tensor_s + self.context_s + self.expert_s


def _worked_out(
    model: Transformer, layout: Layout, machine: Machine, software: Software
) -> _MicroBatch:
    """Return the times of one micro-batch."""
    p = layout.pipeline
    require(p <= model.layers, "pipeline", p, f"<= {model.layers}, the layers of the model")
    full, pieces = math.ceil(model.layers / p), layout.virtual_stages
    require(pieces <= full, "virtual_stages", pieces, f"<= {full}, the layers of a stage")
    for ranks, whole in (("tensor", "hidden"), ("context", "sequence")):
        number, split = getattr(layout, ranks), getattr(model, whole)
        require(split % number == 0, ranks, number, f"a divisor of {whole}={split}")
    math_s, tensor_s, expert_s = _overlapped_s(model, layout, machine, software)
    memory_s = work.passed_s(model, layout, machine)
    context_s = communication.context_s(model, layout, machine)
    layer_s = math_s + memory_s + tensor_s + context_s + expert_s
    extra = model.predictions - 1
    words_s = model.predictions * work.output_math_s(model, layout, machine)
    loss_s = model.predictions * work.loss_s(model, layout, machine)
    layers = model.layers + extra
    mean_s = (layers * layer_s + words_s + loss_s) / p
    stages = 2 if layout.both_ways else 1
    spare = min(full * p - model.layers, stages * full)
    outer_s = (stages * full - spare + extra) * layer_s + words_s + loss_s
    return _MicroBatch(
        layers=layers,
        math_s=math_s,
        memory_s=memory_s,
        tensor_s=tensor_s,
        context_s=context_s,
        expert_s=expert_s,
        words_s=words_s,
        loss_s=loss_s,
        mean_s=mean_s,
        pace_s=max(mean_s, full * layer_s, outer_s / stages),
    )


def _chunks(model: Transformer, layout: Layout) -> int:
    """Return the pieces in which data ranks communicate; only one of them cannot be hidden."""
    return layout.virtual_stages if layout.pipeline > 1 else model.layers


@dataclass(frozen=True, slots=True)
class FabricTime:
    """What a step sends over the fabric, and behind what that hides."""

    exposed_s: float
    """Time that bytes take over the fabric, as far as nothing can hide it."""
    hidden: tuple[tuple[float, float], ...]
    """The same of what can be hidden, and the time to hide it behind; more than that is exposed
    as well."""


def fabric_time(
    model: Transformer, layout: Layout, machine: Machine, software: Software
) -> FabricTime:
    """Part of a step that a slower fabric lengthens.

    Parameters
    ----------
    model, layout, machine, software
        As of :func:`step_time`.

    Returns
    -------
    FabricTime
        Where all that crosses the fabric takes *s* times as long, a step takes
        ``exposed_s * (s - 1)`` longer, and the rest of each ``hidden`` that outlasts its cover.
    """
    one = _worked_out(model, layout, machine, software)
    near = replace(machine, fabric_bytes_per_s=math.inf)
    layers = layout.micro_batches / layout.pipeline * one.layers
    lent = machine.without(software.communication_multiprocessors, "communication_multiprocessors")
    room_s = work.math_s(model, layout, lent)
    exposed_s = hideable_s = 0.0
    for ranks_s, overlap in (
        (communication.tensor_s, software.tensor_overlap),
        (communication.expert_s, software.expert_overlap),
        (communication.context_s, 0.0),
    ):
        near_s = ranks_s(model, layout, near)
        far_s = ranks_s(model, layout, machine) - near_s
        room_s -= overlap * near_s
        hideable_s += layers * overlap * far_s
        exposed_s += layers * (1.0 - overlap) * far_s
    near_s = communication.data_s(model, layout, near, software.gradient_bytes)
    far_s = communication.data_s(model, layout, machine, software.gradient_bytes) - near_s
    seen = 1.0 / _chunks(model, layout)
    round_s = min(layout.pipeline, layout.micro_batches) * one.mean_s
    hidden = (
        (hideable_s, layers * room_s),
        ((1.0 - seen) * far_s, (1.0 - seen) * (round_s - near_s)),
    )
    return FabricTime(
        exposed_s=exposed_s + seen * far_s,
        hidden=tuple(each for each in hidden if each[0] > 0.0),
    )


def _overlapped_s(
    model: Transformer, layout: Layout, machine: Machine, software: Software
) -> tuple[float, float, float]:
    """Return products and exposed communication of tensor and expert ranks.

    All of one layer and micro-batch. While communication is hidden, products run on the
    multiprocessors it leaves them; no more is hidden than they take there.
    """
    math_s = work.math_s(model, layout, machine)
    tensor_s = communication.tensor_s(model, layout, machine)
    expert_s = communication.expert_s(model, layout, machine)
    wanted_s = tensor_s * software.tensor_overlap + expert_s * software.expert_overlap
    name = "communication_multiprocessors"
    left = machine.without(software.communication_multiprocessors, name)
    slowed_s = work.math_s(model, layout, left)
    hidden = min(1.0, slowed_s / wanted_s) if wanted_s > 0.0 else 1.0
    math_s += hidden * wanted_s * (1.0 - math_s / slowed_s)
    tensor_s *= 1.0 - hidden * software.tensor_overlap
    return math_s, tensor_s, expert_s * (1.0 - hidden * software.expert_overlap)


def _slowed(
    model: Transformer, layout: Layout, machine: Machine, software: Software, layer_s: float
) -> float:
    """Return the share of time that a layer loses while data ranks communicate beside it [-]."""
    left = machine.without(software.data_multiprocessors, "data_multiprocessors")
    longer_s = work.math_s(model, layout, left) - work.math_s(model, layout, machine)
    return longer_s / (layer_s + longer_s)
