r"""Arithmetic of training a transformer: work, memory, step time, checkpoints, goodput.

Step time is built up from what the GPUs do for one step, in the mean over all of them:

.. math:: t = \big(m\,(t_{math} + t_{memory} + t_{tensor} + t_{context} + t_{expert}
    + t_{imbalance}) + t_{bubble} + t_{data} + t_{optimizer}\big)\,(1 + c \ln p)

with *m* micro-batches, communication counted only where it is not hidden behind
mathematics, which has fewer multiprocessors meanwhile where they run it, and a straggler
term that grows with the number of GPUs *p*. The last stage
of a pipeline also holds the output words and the loss; where no layer can be spared for
them the others wait for it. Products with weights take the time of their shapes
(`twin.physics.products`). MFU is an outcome. Left out: what shape does to the speed of
attention, load imbalance of experts, data loading; a caller who knows them adds them to
the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from twin.errors import require
from twin.physics.collectives import (
    all_to_all_s,
    hierarchical_all_reduce_s,
    ring_all_reduce_s,
    ring_reduce_scatter_s,
    send_s,
)
from twin.physics.products import Multiplier, shape_loss, trained_s
from twin.units import SECONDS_PER_DAY

BYTES_PER_VALUE = 2.0
"""Weights, gradients and activations travel as BF16. [B]"""

STATE_BYTES_PER_PARAMETER = 12.0
"""Master weights and two Adam moments in FP32, split over the data-parallel ranks. [B]"""

GRADIENT_BYTES_PER_PARAMETER = 4.0
"""Gradients accumulate in FP32. [B]"""

BYTES_PER_LOGIT = 4.0
"""Scores of output words are kept in FP32 (Korthikanti et al., as below). [B]"""

STORED_BYTES_PER_TOKEN = 34.0
"""Activations kept per token, layer and hidden unit, attention scores recomputed:
Korthikanti et al., "Reducing activation recomputation in large transformer models",
MLSys 2023. [B]"""

PASSED_BYTES_PER_TOKEN = 80.0
"""Read and written between the products per token, layer and hidden unit. Each of the 34 kept
bytes is written and read on the way forward, read and answered by a gradient on the way back
(assumed: what fused kernels leave), 136 in all. But 14 of them products write, 14 they read,
these again on the way back, and write their gradients (by the list of Korthikanti et al.):
that is in the time of the products. [B]"""

LOGIT_BYTES = 52.0
"""Read and written per token and output word between the products of the output layer, in
FP32 as Megatron-LM's cross entropy does it by default: conversion 6, maximum 4,
difference 8, exponential 8, sum 4, quotient 8, gradient 8, conversion 6. [B]"""

BANDWIDTH_REACHED = 0.9
"""Share of the memory's bandwidth that passes over it reach: 3.01 of 3.35 TB/s on an H100,
Guo, Zadouri and Dao, "Getting memory-bound kernels to speed-of-light", 2025. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """The shape of a model, dense or with experts."""

    parameters: float
    layers: int
    hidden: int
    sequence: int
    active_parameters: float
    """Parameters a token meets; all of them in a dense model."""
    expert_parameters: float = 0.0
    """Parameters of routed experts, which expert parallelism divides."""
    expert_copies: float = 0.0
    """Copies of a token sent to other ranks per layer; 0 for a dense model."""
    key_width: int = 0
    """Width of the keys of a token, and of its values; 0: as wide as ``hidden``."""
    vocabulary: int = 0
    """Words of input and output; 0: not told apart, all parameters are in the layers."""
    tied: bool = False
    """Whether input and output words are one table, once among the parameters."""
    feed_forward: int = 0
    """Width a token meets between the products of the feed-forward part, of all its experts
    together; 0: four times ``hidden``."""
    gated: bool = False
    """Whether the feed-forward part has a gate as wide as itself."""
    attention_width: int = 0
    """Of queries and values of all heads, in the mean; 0: as wide as ``hidden``."""
    predictions: int = 1
    """Tokens foretold at each place in training. Each after the first takes one more layer and
    the output words again, which are no useful work."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be."""
        for name in ("parameters", "layers", "hidden", "sequence", "active_parameters"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        within = self.active_parameters <= self.parameters
        require(within, "active_parameters", self.active_parameters, "<= parameters")
        within = 0 <= self.expert_parameters <= self.parameters
        require(within, "expert_parameters", self.expert_parameters, ">= 0 and <= parameters")
        for name, least in (("feed_forward", 0), ("attention_width", 0), ("predictions", 1)):
            require(getattr(self, name) >= least, name, getattr(self, name), f">= {least}")
        within = self.vocabulary >= 0 and self.layer_parameters > 0
        allowed = ">= 0, and words fewer than active_parameters"
        require(within, "vocabulary", self.vocabulary, allowed)

    @property
    def output_parameters(self) -> float:
        """Return the weights of the output layer."""
        return float(self.vocabulary * self.hidden)

    @property
    def layer_parameters(self) -> float:
        """Return the parameters that a token meets in the layers."""
        return self.active_parameters - (1.0 if self.tied else 2.0) * self.output_parameters

    def layer_weights(self, tensor: int = 1) -> tuple[tuple[float, float], ...]:
        """Return the shapes of a layer's weights, inputs and outputs, on one of *tensor* ranks.

        Queries, keys and values are one product, gate and feed-forward part another.
        """
        hidden, wide = float(self.hidden), (self.feed_forward or 4 * self.hidden) / tensor
        keys = 2 * (self.key_width or self.hidden)
        return (
            (hidden, (self.hidden + keys) / tensor),
            (hidden / tensor, hidden),
            (hidden, (2.0 if self.gated else 1.0) * wide),
            (wide, hidden),
        )

    def attention_flops(self, full_recompute: bool = False) -> float:
        """Return FLOPs of a token's attention scores, causal, in all layers.

        Two products forward and four back; a fifth finds the scores again, which are not
        kept, and *full_recompute* runs both forward ones again.
        """
        width = self.attention_width or self.hidden
        return (9.0 if full_recompute else 7.0) * self.layers * self.sequence * width

    def flops_per_token(self) -> float:
        """Return FLOPs of a token, forward and back; input words are looked up for nothing."""
        return 6.0 * (self.layer_parameters + self.output_parameters) + self.attention_flops()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a step is spread over GPUs. Expert parallelism lies within data parallelism."""

    tensor: int
    pipeline: int
    data: int
    batch: int
    """Sequences in a step, all ranks together."""
    expert: int = 1
    context: int = 1
    """Ranks that share each sequence."""
    micro_batch: int = 1
    """Sequences a rank takes through the pipeline at once."""
    virtual_stages: int = 1
    """Pieces of the model a pipeline rank holds; 1 is plain one-forward-one-backward."""
    both_ways: bool = False
    """Whether micro-batches enter the pipeline at both ends, as in DualPipe: a rank holds a stage
    and its mirror image."""
    full_recompute: bool = False
    stored_bytes_per_token: float = STORED_BYTES_PER_TOKEN
    """Activations kept per token, layer and hidden unit unless all are recomputed; less
    where cheap ones are computed a second time. [B]"""

    def __post_init__(self) -> None:
        """Refuse ranks that do not divide the work."""
        for name in ("tensor", "pipeline", "data", "batch", "expert", "context", "micro_batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        require(self.virtual_stages >= 1, "virtual_stages", self.virtual_stages, ">= 1")
        if self.both_ways:
            even = self.pipeline % 2 == 0
            require(even, "pipeline", self.pipeline, "even where both_ways is true")
            plain = self.virtual_stages == 1
            require(plain, "virtual_stages", self.virtual_stages, "1 where both_ways is true")
        share = self.data * self.micro_batch
        whole = self.batch % share == 0
        require(whole, "batch", self.batch, f"a multiple of data x micro_batch = {share}")
        divides = self.data % self.expert == 0
        require(divides, "expert", self.expert, f"a divisor of data={self.data}")

    @property
    def gpus(self) -> int:
        """Return the GPUs the layout needs."""
        return self.tensor * self.pipeline * self.context * self.data

    @property
    def micro_batches(self) -> int:
        """Return the micro-batches a rank works through in a step."""
        return self.batch // (self.data * self.micro_batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What one GPU can do, and the network it sees."""

    peak_flops: float
    math_efficiency: float
    """Share of the peak reached within the tiles of matrix products. [-]"""
    memory_bytes: float
    memory_bytes_per_s: float
    multiprocessors: int | None = None
    """Of one GPU; None: not known, products of any shape fill them."""
    domain_gpus: int
    """GPUs of a scale-up domain: a server, or a rack of NVLink."""
    domain_bytes_per_s: float
    """Bandwidth of a GPU inside the domain, one direction. [B/s]"""
    fabric_bytes_per_s: float
    """Bandwidth of a GPU into the fabric, one direction, as usable. [B/s]"""
    domain_latency_s: float = 2e-6
    fabric_latency_s: float = 4e-6
    linear_speed: float = 1.0
    """Speed of the layers' products with weights over that of all others; above 1 where
    they are of 8 bits, while attention and output layer stay at 16. [-]"""
    attention_speed: float = 1.0
    """Speed of attention over that of 16-bit products within their tiles. [-]"""

    def __post_init__(self) -> None:
        """Refuse machines that cannot be."""
        inside = 0 < self.math_efficiency <= 1
        require(inside, "math_efficiency", self.math_efficiency, "> 0 and <= 1")
        for name in ("peak_flops", "memory_bytes_per_s", "domain_bytes_per_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        for name in ("linear_speed", "attention_speed"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        require(self.fabric_bytes_per_s > 0, "fabric_bytes_per_s", self.fabric_bytes_per_s, "> 0")

    def multiplier(self, speed: float = 1.0) -> Multiplier:
        """Return the GPU as its products see it, at *speed* over that of 16 bits."""
        return Multiplier(
            flops_per_s=self.peak_flops * self.math_efficiency * speed,
            bytes_per_s=BANDWIDTH_REACHED * self.memory_bytes_per_s,
            multiprocessors=self.multiprocessors,
        )

    def without(self, multiprocessors: int) -> Machine:
        """Return what *multiprocessors* fewer leave, all the memory's bandwidth among it.

        All of it where nobody knows how many there are.
        """
        have = self.multiprocessors
        if have is None or multiprocessors == 0:
            return self
        lent, allowed = 0 < multiprocessors < have, f">= 0 and < {have}"
        require(lent, "communication_multiprocessors", multiprocessors, allowed)
        left = have - multiprocessors
        return replace(self, multiprocessors=left, peak_flops=self.peak_flops * left / have)


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What the training software hides, and what it loses to the slowest of many."""

    tensor_overlap: float = 0.5
    """Share of tensor-parallel communication hidden behind mathematics (assumed), as long as
    there is some to hide it. [-]"""
    expert_overlap: float = 0.5
    """Share of expert dispatch and return hidden (assumed), likewise. [-]"""
    communication_multiprocessors: int = 0
    """Multiprocessors that run hidden communication, and no products meanwhile."""
    straggler: float = 0.0075
    """Step lengthens by this times ln(GPUs); 0.005-0.01 over published runs. [-]"""


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


def training_flops(active_parameters: float, tokens: float, full_recompute: bool = False) -> float:
    """Floating-point operations of a training run, attention scores not counted.

    Parameters
    ----------
    active_parameters : float
        Parameters a token meets, > 0; all of them in a dense model.
    tokens : float
        Tokens seen, > 0.
    full_recompute : bool
        Whether the forward pass is run a second time on the way back.

    Returns
    -------
    float
        6 (with recomputation 8) operations per parameter and token. [FLOP]

    Raises
    ------
    ParameterError
        If a number is not positive.

    References
    ----------
    .. [1] J. Kaplan et al., "Scaling laws for neural language models", 2020.

    Examples
    --------
    GPT-3, in petaFLOP/s-days:

    >>> round(training_flops(175e9, 300e9) / 1e15 / 86400)
    3646
    """
    require(active_parameters > 0, "active_parameters", active_parameters, "> 0")
    require(tokens > 0, "tokens", tokens, "> 0")
    return (8.0 if full_recompute else 6.0) * active_parameters * tokens


def transformer_flops(
    layers: int,
    hidden: int,
    sequence: int,
    vocabulary: int,
    tokens: float,
    full_recompute: bool = False,
) -> float:
    r"""Operations of training a dense transformer, attention scores and output words counted.

    .. math:: F = 72\,T l h^2 \Big(1 + \frac{s}{6h} + \frac{V}{12 l h}\Big)

    With recomputation all but the output layer is run forward twice: 96 for 72, 16 for 12.

    Parameters
    ----------
    layers : int
        Layers *l*, > 0.
    hidden : int
        Width *h*, > 0; the feed-forward part is four times as wide.
    sequence : int
        Tokens *s* of a sequence, >= 0; all pairs are counted, as without a causal mask.
    vocabulary : int
        Words *V*, >= 0.
    tokens : float
        Tokens *T* seen, > 0.
    full_recompute : bool
        Whether the forward pass is run a second time on the way back.

    Returns
    -------
    float
        Operations. [FLOP]

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient large-scale language model training on GPU
       clusters using Megatron-LM", SC 2021, section 5.1 and appendix.

    Examples
    --------
    GPT-3's shape over 300 billion tokens, recomputed, in zettaFLOP:

    >>> round(transformer_flops(96, 12288, 2048, 50272, 300e9, full_recompute=True) / 1e21)
    430
    """
    require(layers > 0, "layers", layers, "> 0")
    require(hidden > 0, "hidden", hidden, "> 0")
    require(sequence >= 0, "sequence", sequence, ">= 0")
    require(vocabulary >= 0, "vocabulary", vocabulary, ">= 0")
    require(tokens > 0, "tokens", tokens, "> 0")
    products = 24.0 * layers * hidden**2 + 4.0 * layers * sequence * hidden
    words = 6.0 * hidden * vocabulary
    return tokens * ((4.0 if full_recompute else 3.0) * products + words)


def mfu(model_flops: float, time_s: float, gpus: float, peak_flops: float) -> float:
    """Model FLOPs utilisation: useful operations over what the GPUs could have done.

    Parameters
    ----------
    model_flops : float
        Useful operations, recomputation not counted. [FLOP]
    time_s : float
        Time they took, > 0. [s]
    gpus : float
        GPUs held, > 0.
    peak_flops : float
        Dense peak of one GPU at the precision it is judged by, > 0. [FLOP/s]

    Returns
    -------
    float
        Fraction. [-]

    Examples
    --------
    >>> mfu(624e12, 2.0, 2, 312e12)
    0.5
    """
    return model_flops / (time_s * gpus * peak_flops)


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
    both ends, a rank holds two stages and the activations of one micro-batch more. Scores of
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
    weights = stages * held * sum(_weights(model, layout))
    state = stages * STATE_BYTES_PER_PARAMETER * _updated(model, layout)
    tokens = _tokens(model, layout)
    kept = BYTES_PER_VALUE if layout.full_recompute else layout.stored_bytes_per_token
    in_flight = min(1.0, layout.micro_batches / layout.pipeline)
    if layout.virtual_stages > 1:
        in_flight *= 1.0 + (layout.pipeline - 1) / (layout.pipeline * layout.virtual_stages)
    if layout.both_ways:
        in_flight *= 1.0 + 1.0 / layout.pipeline
    activations = kept * tokens * model.hidden * model.layers / layout.tensor * in_flight
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
        If a stage has more pieces than layers, or ranks do not divide what they share.

    Notes
    -----
    The fullest stage sets the pace: one more layer where they cannot be shared out evenly,
    or the last one with the output layer and the layers that foretell further tokens, which
    is given fewer of the others where some can be spared. Where micro-batches enter at both
    ends, the last and the first stage are on one rank, each for half of them.

    While communication is hidden, products have the multiprocessors it leaves, and no more is
    hidden than they take there. Gradient reduction and parameter gathering hide behind the
    pipeline's last and first round; the piece at its edge cannot.

    References
    ----------
    .. [1] D. Narayanan et al., SC 2021: layers shared out evenly, interleaved schedule.
    .. [2] "The Llama 3 herd of models", 2024, section 3.3.2: output and loss make the last
       stage the slowest; it and the first hold one layer fewer.
    """
    software = software or Software()
    p, m = layout.pipeline, layout.micro_batches
    full, pieces = math.ceil(model.layers / p), layout.virtual_stages
    require(pieces <= full, "virtual_stages", pieces, f"<= {full}, the layers of a stage")
    for ranks, whole in (("tensor", "hidden"), ("context", "sequence")):
        number, split = getattr(layout, ranks), getattr(model, whole)
        require(split % number == 0, ranks, number, f"a divisor of {whole}={split}")
    math_s, tensor_s, expert_s = _overlapped_s(model, layout, machine, software)
    memory_s = _memory_s(model, layout, machine)
    context_s = _context_s(model, layout, machine)
    layer_s = math_s + memory_s + tensor_s + context_s + expert_s
    extra = model.predictions - 1
    words_s = model.predictions * _output_math_s(model, layout, machine)
    loss_s = model.predictions * _loss_s(model, layout, machine)
    layers = model.layers + extra
    mean_s = (layers * layer_s + words_s + loss_s) / p
    stages = 2 if layout.both_ways else 1
    spare = min(full * p - model.layers, stages * full)
    outer_s = (stages * full - spare + extra) * layer_s + words_s + loss_s
    pace_s = max(mean_s, full * layer_s, outer_s / stages)
    bubble_s = bubble_fraction(p, m, pieces, both_ways=layout.both_ways) * m * mean_s
    bubble_s += _fill_s(model, layout, machine)
    chunks = pieces if p > 1 else model.layers
    data_s = _data_s(model, layout, machine)
    data_s = max(data_s / chunks, data_s - min(p, m) * mean_s * (1.0 - 1.0 / chunks))
    optimizer_s = _optimizer_s(model, layout, machine)
    slow = software.straggler * math.log(layout.gpus)
    each = m / p
    return StepTime(
        math_s=each * (layers * math_s + words_s),
        memory_s=each * (layers * memory_s + loss_s),
        optimizer_s=optimizer_s,
        tensor_s=each * layers * tensor_s,
        context_s=each * layers * context_s,
        expert_s=each * layers * expert_s,
        data_s=data_s,
        bubble_s=bubble_s,
        imbalance_s=m * (pace_s - mean_s),
        straggler_s=slow * (m * pace_s + bubble_s + data_s + optimizer_s),
    )


def _overlapped_s(
    model: Transformer, layout: Layout, machine: Machine, software: Software
) -> tuple[float, float, float]:
    """Return products and exposed communication of tensor and expert ranks.

    All of one layer and micro-batch. While communication is hidden, products run on the
    multiprocessors it leaves them; no more is hidden than they take there.
    """
    math_s = _math_s(model, layout, machine)
    tensor_s, expert_s = _tensor_s(model, layout, machine), _expert_s(model, layout, machine)
    wanted_s = tensor_s * software.tensor_overlap + expert_s * software.expert_overlap
    left = machine.without(software.communication_multiprocessors)
    slowed_s = _math_s(model, layout, left)
    hidden = min(1.0, slowed_s / wanted_s) if wanted_s > 0.0 else 1.0
    math_s += hidden * wanted_s * (1.0 - math_s / slowed_s)
    tensor_s *= 1.0 - hidden * software.tensor_overlap
    return math_s, tensor_s, expert_s * (1.0 - hidden * software.expert_overlap)


def _tokens(model: Transformer, layout: Layout) -> float:
    """Return the tokens of a micro-batch that one rank works on."""
    return layout.micro_batch * model.sequence / layout.context


def _weights(model: Transformer, layout: Layout) -> tuple[float, float]:
    """Return the parameters a rank holds: those all data ranks have, and of routed experts."""
    split = layout.tensor * layout.pipeline
    routed = model.expert_parameters / (split * layout.expert)
    return (model.parameters - model.expert_parameters) / split, routed


def _updated(model: Transformer, layout: Layout) -> float:
    """Return the parameters whose optimizer state a rank keeps, one share of each."""
    dense, routed = _weights(model, layout)
    return (dense + routed * layout.expert) / (layout.data * layout.context)


def _math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the matrix products of one layer and micro-batch."""
    tokens, forwards = _tokens(model, layout), 2 if layout.full_recompute else 1
    chip = machine.multiplier(machine.linear_speed)
    loss = shape_loss(tokens, model.layer_weights(layout.tensor), chip, forwards)
    linear_s = (4.0 + 2.0 * forwards) * model.layer_parameters * loss / chip.flops_per_s
    attention = machine.multiplier(machine.attention_speed)
    attention_s = model.attention_flops(layout.full_recompute) / attention.flops_per_s
    return (linear_s + attention_s) * tokens / (layout.tensor * model.layers)


def _output_math_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the output layer's products for one micro-batch; they are never run again."""
    if not model.vocabulary:
        return 0.0
    words = model.vocabulary / layout.tensor
    return trained_s(_tokens(model, layout), model.hidden, words, machine.multiplier())


def _memory_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the time of memory-bound work of one layer and micro-batch."""
    moved = PASSED_BYTES_PER_TOKEN * _tokens(model, layout) * model.hidden
    return _passes_s(moved / layout.tensor, machine)


def _loss_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the passes over the scores of output words of one micro-batch."""
    moved = LOGIT_BYTES * _tokens(model, layout) * model.vocabulary
    return _passes_s(moved / layout.tensor, machine)


def _optimizer_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the update of a rank's share of the parameters, and the clearing of gradients.

    A gradient is read for the norm of all and for the update; master weight and moments
    are read and written, the BF16 weight written; then gradients are set to zero.
    """
    update = 2.0 * (GRADIENT_BYTES_PER_PARAMETER + STATE_BYTES_PER_PARAMETER) + BYTES_PER_VALUE
    moved = update * _updated(model, layout)
    moved += GRADIENT_BYTES_PER_PARAMETER * sum(_weights(model, layout))
    return _passes_s(moved, machine)


def _passes_s(moved: float, machine: Machine) -> float:
    """Return the time in which *moved* bytes are read or written."""
    return moved / (BANDWIDTH_REACHED * machine.memory_bytes_per_s)


def _tensor_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the four all-reduces of one layer and micro-batch (six with recomputation)."""
    size = BYTES_PER_VALUE * _tokens(model, layout) * model.hidden
    if layout.tensor <= machine.domain_gpus:
        once_s = ring_all_reduce_s(
            layout.tensor, size, machine.domain_bytes_per_s, machine.domain_latency_s
        )
    else:
        once_s = _nested_all_reduce_s(layout.tensor, machine.domain_gpus, size, machine)
    return once_s * (6.0 if layout.full_recompute else 4.0)


def _context_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the gathering of keys and values, on the way back again and of their gradients."""
    width = (model.key_width or model.hidden) / layout.tensor
    size = 2.0 * BYTES_PER_VALUE * layout.micro_batch * model.sequence * width
    inside = layout.context * layout.tensor <= machine.domain_gpus
    bytes_per_s = machine.domain_bytes_per_s if inside else machine.fabric_bytes_per_s
    latency_s = machine.domain_latency_s if inside else machine.fabric_latency_s
    return 3.0 * ring_reduce_scatter_s(layout.context, size, bytes_per_s, latency_s)


def _expert_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the dispatch and return, forward and backward, of one layer and micro-batch."""
    size = BYTES_PER_VALUE * _tokens(model, layout) * model.hidden * model.expert_copies
    inside = layout.expert * layout.tensor <= machine.domain_gpus
    bytes_per_s = machine.domain_bytes_per_s if inside else machine.fabric_bytes_per_s
    latency_s = machine.domain_latency_s if inside else machine.fabric_latency_s
    return 4.0 * all_to_all_s(layout.expert, size / layout.tensor, bytes_per_s, latency_s)


def _data_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the reduction of gradients and gathering of parameters, nothing hidden."""
    dense, routed = (BYTES_PER_VALUE * held for held in _weights(model, layout))
    together = max(1, machine.domain_gpus // layout.tensor)
    copies = layout.data * layout.context
    dense_s = _nested_all_reduce_s(copies, together, dense, machine)
    return dense_s + _nested_all_reduce_s(copies // layout.expert, 1, routed, machine)


def _nested_all_reduce_s(ranks: int, together: int, size: float, machine: Machine) -> float:
    """Return an all-reduce over *ranks* of which *together* share a scale-up domain."""
    return hierarchical_all_reduce_s(
        ranks,
        math.gcd(ranks, together),
        size,
        node_bytes_per_s=machine.domain_bytes_per_s,
        fabric_bytes_per_s=machine.fabric_bytes_per_s,
        node_latency_s=machine.domain_latency_s,
        fabric_latency_s=machine.fabric_latency_s,
    )


def _fill_s(model: Transformer, layout: Layout, machine: Machine) -> float:
    """Return the hand-overs while the pipeline fills and drains; others are hidden."""
    size = BYTES_PER_VALUE * _tokens(model, layout) * model.hidden / layout.tensor
    hop_s = send_s(size, machine.fabric_bytes_per_s, machine.fabric_latency_s)
    return 2.0 * (layout.pipeline - 1) * hop_s


def checkpoint_bytes(parameters: float, bytes_per_parameter: float = 14.0) -> float:
    """Size of a checkpoint that training can go on from.

    Parameters
    ----------
    parameters : float
        All parameters, > 0.
    bytes_per_parameter : float
        BF16 weights 2, FP32 master weights 4, Adam moments 8; 12-16 in use. [B]

    Returns
    -------
    float
        Bytes. [B]

    Examples
    --------
    >>> checkpoint_bytes(405e9) / 1e12
    5.67
    """
    require(parameters > 0, "parameters", parameters, "> 0")
    return parameters * bytes_per_parameter


def mean_time_to_failure_s(nodes: float, failures_per_node_day: float) -> float:
    """Mean time between failures of a job that any one of its nodes stops.

    Parameters
    ----------
    nodes : float
        Nodes of the job, > 0.
    failures_per_node_day : float
        Failures of one node per day, > 0. [1/day]

    Returns
    -------
    float
        Time. [s]

    Examples
    --------
    >>> round(mean_time_to_failure_s(16384 / 8, 6.5e-3) / 3600, 1)
    1.8
    """
    require(nodes > 0, "nodes", nodes, "> 0")
    require(failures_per_node_day > 0, "failures_per_node_day", failures_per_node_day, "> 0")
    return SECONDS_PER_DAY / (nodes * failures_per_node_day)


def young_interval_s(checkpoint_s: float, mttf_s: float) -> float:
    r"""Time between checkpoints that loses least, to first order: :math:`\sqrt{2 C M}`.

    Parameters
    ----------
    checkpoint_s : float
        Time a checkpoint stops the work, > 0. [s]
    mttf_s : float
        Mean time to failure of the job, > 0. [s]

    Returns
    -------
    float
        Work between two checkpoints. [s]

    References
    ----------
    .. [1] J. W. Young, "A first order approximation to the optimum checkpoint
       interval", CACM 17(9), 1974.

    Examples
    --------
    >>> young_interval_s(50.0, 10000.0)
    1000.0
    """
    require(checkpoint_s > 0, "checkpoint_s", checkpoint_s, "> 0")
    require(mttf_s > 0, "mttf_s", mttf_s, "> 0")
    return math.sqrt(2.0 * checkpoint_s * mttf_s)


def daly_interval_s(checkpoint_s: float, mttf_s: float, restart_s: float) -> float:
    r"""Time between checkpoints with restarts: :math:`\sqrt{2C(M+R)} - C`.

    Parameters
    ----------
    checkpoint_s : float
        Time a checkpoint stops the work, > 0. [s]
    mttf_s : float
        Mean time to failure of the job, > ``checkpoint_s / 2``. [s]
    restart_s : float
        Time from a failure to the first new step, >= 0. [s]

    Returns
    -------
    float
        Work between two checkpoints. [s]

    References
    ----------
    .. [1] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
       restart dumps", FGCS 22(3), 2006.

    Examples
    --------
    >>> daly_interval_s(50.0, 10000.0, 0.0)
    950.0
    """
    require(restart_s >= 0, "restart_s", restart_s, ">= 0")
    interval_s = young_interval_s(checkpoint_s, mttf_s + restart_s) - checkpoint_s
    require(interval_s > 0, "mttf_s", mttf_s, f"> {checkpoint_s / 2:g}, half a checkpoint")
    return interval_s


def goodput_fraction(
    interval_s: float, checkpoint_s: float, mttf_s: float, restart_s: float
) -> float:
    r"""Productive time over wall time (ETTR) of a job that checkpoints and fails.

    Failures come at any moment with a constant rate, also while a checkpoint is
    written or the job restarts; each loses what was done since the last checkpoint:

    .. math:: g = \frac{\tau}{M\,e^{R/M}\,\left(e^{(\tau+C)/M} - 1\right)}

    Parameters
    ----------
    interval_s : float
        Work between two checkpoints, > 0. [s]
    checkpoint_s : float
        Time a checkpoint stops the work, >= 0. [s]
    mttf_s : float
        Mean time to failure of the job, > 0. [s]
    restart_s : float
        Time from a failure to the first new step, >= 0. [s]

    Returns
    -------
    float
        Fraction 0-1. [-]

    Notes
    -----
    To first order :math:`1 - C/\tau - \tau/2M - R/M`.

    References
    ----------
    .. [1] J. T. Daly, FGCS 22(3), 2006, complete solution.

    Examples
    --------
    >>> round(goodput_fraction(1000.0, 0.0, 1e9, 0.0), 6)
    1.0
    """
    require(interval_s > 0, "interval_s", interval_s, "> 0")
    require(checkpoint_s >= 0, "checkpoint_s", checkpoint_s, ">= 0")
    require(mttf_s > 0, "mttf_s", mttf_s, "> 0")
    require(restart_s >= 0, "restart_s", restart_s, ">= 0")
    spent_s = mttf_s * math.exp(restart_s / mttf_s)
    return interval_s / (spent_s * math.expm1((interval_s + checkpoint_s) / mttf_s))


def fastest_layout(
    model: Transformer,
    machine: Machine,
    gpus: int,
    batch: int,
    *,
    expert: int = 1,
    software: Software | None = None,
) -> Layout:
    """Find the layout that fits the memory and gives the shortest step.

    Tensor ranks stay within a scale-up domain; micro-batches are single sequences;
    stages are plain or interleaved layer by layer; recomputation is tried where
    memory needs it.

    Parameters
    ----------
    model : Transformer
        Shape of the model.
    machine : Machine
        GPU and network.
    gpus : int
        GPUs to use, all of them.
    batch : int
        Sequences in a step.
    expert : int
        Ranks the routed experts are spread over.
    software : Software, optional
        What is hidden and what stragglers cost.

    Returns
    -------
    Layout
        The fastest that fits; of equals the one with less parallelism inside the model.

    Raises
    ------
    ParameterError
        If no layout divides the work, or none fits: then with the smallest need.
    """
    layouts = list(_layouts(model, machine, gpus, batch, expert))
    wanted = f"such that {gpus} GPUs split evenly over a batch of {batch} and {expert} expert ranks"
    require(bool(layouts), "gpus", gpus, wanted)
    fitting = [x for x in layouts if memory_per_gpu_bytes(model, x) <= machine.memory_bytes]
    if not fitting:
        check_memory(model, min(layouts, key=lambda x: memory_per_gpu_bytes(model, x)), machine)
    return min(fitting, key=lambda x: step_time(model, x, machine, software).step_s)


def _layouts(
    model: Transformer, machine: Machine, gpus: int, batch: int, expert: int
) -> Iterator[Layout]:
    domain, hidden = machine.domain_gpus, model.hidden
    tensors = [t for t in range(1, domain + 1) if domain % t == 0 and hidden % t == 0]
    for tensor in tensors:
        for pipeline in range(1, min(model.layers, gpus // tensor) + 1):
            data, rest = divmod(gpus, tensor * pipeline)
            if rest or batch % data or data % expert:
                continue
            for pieces in sorted({1, math.ceil(model.layers / pipeline)}):
                for recompute in (False, True):
                    yield Layout(
                        tensor=tensor,
                        pipeline=pipeline,
                        data=data,
                        batch=batch,
                        expert=expert,
                        virtual_stages=pieces if pipeline > 1 else 1,
                        full_recompute=recompute,
                    )
