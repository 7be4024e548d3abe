"""What a training run is made of, and the plan that follows: groups of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from twin.config import (
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    RelativeSpeed,
)
from twin.errors import require
from twin.physics.training.checkpoints import (
    checkpoint_bytes,
    daly_interval_s,
    mean_time_to_failure_s,
)
from twin.physics.training.layout import STORED_BYTES_PER_TOKEN, Layout
from twin.physics.training.step import StepTime
from twin.physics.training.transformer import Transformer, usual_shape
from twin.units import SECONDS_PER_MINUTE

BILLION = 1e9
ROUGHLY = 1.05
"""What the weights of a model's layers may come to over its parameters, which are rounded. [-]"""


@dataclass(slots=True, kw_only=True)
class ModelShape:
    """The model that is trained."""

    name: str
    parameters_billion: Positive
    layers: Count | None
    hidden: Count | None
    """Width of a token between layers. Both null: as models with so many parameters met by a
    token are mostly built."""
    sequence: Count
    """Tokens of a sequence."""
    active_parameters_billion: Positive | None = None
    """Parameters a token meets; null: all, a dense model."""
    expert_parameters_billion: NonNegative = 0.0
    """Parameters of routed experts, which expert parallelism divides."""
    expert_copies: NonNegative = 0.0
    """Copies of a token sent to other ranks per layer; 0 for a dense model."""
    key_width: CountOrZero = 0
    """Width of a token's keys, and of its values; 0: as wide as ``hidden``."""
    vocabulary: CountOrZero = 0
    """Words of input and output; 0: not told apart, all parameters are in the layers."""
    tied: bool = False
    """Whether input and output words are one table, once among the parameters."""
    feed_forward: CountOrZero = 0
    """Width a token meets in the feed-forward part, of all its experts together; 0: four
    times ``hidden``."""
    gated: bool = False
    """Whether the feed-forward part has a gate as wide as itself."""
    attention_width: CountOrZero = 0
    """Heads times their width, in the mean of queries and values; 0: as wide as ``hidden``."""
    predictions: Count = 1
    """Tokens foretold at each place in training; each after the first takes one more layer and
    the output words again."""

    def __post_init__(self) -> None:
        """Refuse parts larger than the whole."""
        for name in ("active_parameters_billion", "expert_parameters_billion"):
            value = getattr(self, name) or 0.0
            allowed = f"<= parameters_billion={self.parameters_billion:g}"
            require(value <= self.parameters_billion, name, value, allowed)
        both = (self.layers is None) == (self.hidden is None)
        require(both, "layers", self.layers, "given where hidden is, and only there")
        self._check_shape()

    def _check_shape(self) -> None:
        """Refuse layers wider than their parameters: one key was changed, and its fellows not."""
        if not self.feed_forward:
            return
        shape = self.transformer()
        weights = shape.layers * sum(rows * columns for rows, columns in shape.layer_weights())
        require(
            weights <= ROUGHLY * shape.layer_parameters,
            "feed_forward",
            self.feed_forward,
            f"so wide that {shape.layers} layers fit {shape.layer_parameters / BILLION:.4g} "
            f"billion parameters; with it, hidden={shape.hidden} and "
            f"gated={str(self.gated).lower()} they have {weights / BILLION:.4g}",
        )

    def transformer(self) -> Transformer:
        """Return the shape as the training arithmetic takes it."""
        active = self.active_parameters_billion or self.parameters_billion
        layers, hidden = self.layers, self.hidden
        if layers is None or hidden is None:
            layers, hidden = usual_shape(active * BILLION)
        return Transformer(
            parameters=self.parameters_billion * BILLION,
            active_parameters=active * BILLION,
            layers=layers,
            hidden=hidden,
            sequence=self.sequence,
            expert_parameters=self.expert_parameters_billion * BILLION,
            expert_copies=self.expert_copies,
            key_width=self.key_width,
            vocabulary=self.vocabulary,
            tied=self.tied,
            feed_forward=self.feed_forward,
            gated=self.gated,
            attention_width=self.attention_width,
            predictions=self.predictions,
        )


@dataclass(slots=True, kw_only=True)
class Parallelism:
    """How a step is spread over the GPUs; data-parallel ranks are what is left of them."""

    tensor: Count = 1
    pipeline: Count = 1
    context: Count = 1
    expert: Count = 1
    """Ranks the routed experts are spread over; they lie within the data-parallel ranks."""
    micro_batch: Count = 1
    """Sequences a rank takes through the pipeline at once."""
    virtual_stages: Count = 1
    """Pieces of the model a pipeline rank holds."""
    both_ways: bool = False
    """Whether micro-batches enter the pipeline at both ends, as in DualPipe."""
    full_recompute: bool = False
    """Whether the forward pass is run a second time on the way back."""
    stored_bytes_per_token: Positive = STORED_BYTES_PER_TOKEN
    """Activations kept per token, layer and hidden unit unless all are recomputed. [B]"""

    def layout(self, gpus: int, batch: int) -> Layout:
        """Return the layout over *gpus* GPUs of *batch* sequences a step."""
        model_ranks = self.tensor * self.pipeline * self.context
        whole = gpus % model_ranks == 0
        allowed = f"a multiple of tensor x pipeline x context = {model_ranks}"
        require(whole, "gpus", gpus, allowed)
        return Layout(
            tensor=self.tensor,
            pipeline=self.pipeline,
            context=self.context,
            data=gpus // model_ranks,
            batch=batch,
            expert=self.expert,
            micro_batch=self.micro_batch,
            virtual_stages=self.virtual_stages,
            both_ways=self.both_ways,
            full_recompute=self.full_recompute,
            stored_bytes_per_token=self.stored_bytes_per_token,
        )


@dataclass(slots=True, kw_only=True)
class TrainingSoftware:
    """What the software makes of the hardware."""

    math_efficiency: PositiveFraction
    """Share of the dense FP16/BF16 peak reached within the tiles of matrix products."""
    tensor_overlap: Fraction
    """Share of tensor-parallel communication hidden behind mathematics, where there is enough."""
    expert_overlap: Fraction
    communication_multiprocessors: CountOrZero = 0
    """Of each GPU, that run hidden communication of tensor and expert ranks and no products
    meanwhile."""
    data_multiprocessors: CountOrZero = 0
    """The same of data ranks."""
    gradient_bytes: Positive = 4.0
    """Of a gradient on its way to other data ranks: 4 in FP32, 2 in 16 bits. [B]"""
    straggler: NonNegative
    """A step lengthens by this times ln(GPUs)."""
    network_efficiency: PositiveFraction
    """Share of line rate that messages get."""
    overhead_fraction: NonNegative = 0.0
    """Time between steps over time in them: evaluation, logging."""
    linear_speed: RelativeSpeed = 1.0
    """Speed of the layers' products with weights over that of attention and output words:
    1 with 16 bits everywhere, more where they are of 8 bits."""
    attention_speed: RelativeSpeed = 1.0
    """Of attention, over that of the kernel that is usual on the GPU (``gpu.attention_speed``);
    over that of products where it is not known."""
    attention_counted: Fraction = 0.0
    """Attention operations counted as useful, over 12 x layers x sequence x hidden per
    token: 0 counts 6 per parameter alone, 0.5 what a causal mask leaves, 1 all."""
    input_words_counted: bool = True
    """Whether 6 operations per parameter are counted of a table of input words as well, where
    it is one of its own; no GPU does them, words are looked up."""


@dataclass(slots=True, kw_only=True)
class PhasePower:
    """Power of a GPU over its full power in the phases of a step."""

    compute: Fraction
    communication: Fraction
    """While communication is not hidden."""
    waiting: Fraction
    """In the bubble of the pipeline, for its fullest stage and the slowest rank, while a
    checkpoint is written."""

    def levels(self, step: StepTime, blocked_fraction: float) -> tuple[float, float, float]:
        """Return (share of time at the high level, high level, low level), all 0-1.

        High while computing, low in all the rest, *blocked_fraction* of all time for
        checkpoints included. The low level is its mean over time: phases of a step last
        seconds, servers are seen by the minute.
        """
        duty = step.busy_s / step.step_s * (1.0 - blocked_fraction)
        if duty >= 1.0:
            return 1.0, self.compute, self.waiting
        talking = step.comm_fraction * (1.0 - blocked_fraction)
        low = talking * self.communication + (1.0 - duty - talking) * self.waiting
        return duty, self.compute, low / (1.0 - duty)


@dataclass(slots=True, kw_only=True)
class Checkpoints:
    """What is kept against failures, how often, and what that costs."""

    bytes_per_parameter: Positive
    blocking_s: Positive | None
    """Time a checkpoint stops the work, where it is written behind the steps; null: all
    the time that storage takes to write it."""
    write_fraction: PositiveFraction
    """Bandwidth a checkpoint is written with over that of the storage."""
    interval_minutes: Positive | None
    """Work between two checkpoints; null: what loses least at these failures (Daly)."""
    failures_per_server_day: Positive | None
    """Only for that interval: failures themselves come from ``faults``. [1/day]"""
    restart_minutes: NonNegative
    """From a failure to the first new step, where GPUs are free and nobody else uses the
    storage: loading the checkpoint is part of it."""
    keep: Count | None = 2
    """Newest checkpoints that stay on the storage, an older one deleted when a newer is
    written; null: all of them."""
    stays: bool = False
    """Whether they stay there when the run has ended."""

    def __post_init__(self) -> None:
        """Refuse an interval that cannot be found."""
        known = self.interval_minutes is not None or self.failures_per_server_day is not None
        allowed = "given where interval_minutes is not"
        require(known, "failures_per_server_day", self.failures_per_server_day, allowed)

    def writing_s(self, parameters: float, storage_bytes_per_s: float) -> float:
        """Return how long storage takes to write one checkpoint [s]."""
        size = checkpoint_bytes(parameters, self.bytes_per_parameter)
        return size / (self.write_fraction * storage_bytes_per_s)

    def mttf_s(self, servers: float) -> float:
        """Return the mean time to failure of a job of *servers*, inf where none is given [s]."""
        rate = self.failures_per_server_day
        return inf if rate is None else mean_time_to_failure_s(servers, rate)

    def interval_s(self, blocking_s: float, servers: float, writing_s: float) -> float:
        """Return the work between two checkpoints [s].

        Each stops the work for *blocking_s* and is written when the next one comes.
        """
        least_s = writing_s - blocking_s
        if self.interval_minutes is None:
            restart_s = self.restart_minutes * SECONDS_PER_MINUTE
            return max(least_s, daly_interval_s(blocking_s, self.mttf_s(servers), restart_s))
        interval_s = self.interval_minutes * SECONDS_PER_MINUTE
        require(
            interval_s >= least_s,
            "interval_minutes",
            self.interval_minutes,
            f">= {least_s / SECONDS_PER_MINUTE:.3g}: a checkpoint takes "
            f"{writing_s / SECONDS_PER_MINUTE:.3g} min to write on the storage, "
            "what the facility has",
        )
        return interval_s


@dataclass(frozen=True, slots=True)
class Plan:
    """A run worked out: its layout, its step, and what it is slowed by."""

    layout: Layout
    step: StepTime
    steps: int
    flops: float
    """Useful operations of the whole run. [FLOP]"""
    mfu: float
    """Of a step. [-]"""
    memory_bytes: float
    """On the fullest GPU. [B]"""
    fabric_fraction: float
    """Communication over the fabric that nothing can hide, over the step. [-]"""
    hidden_comm: tuple[tuple[float, float], ...]
    """What can be hidden of the rest, and behind how much, over the step. [-]"""
    training_s: float
    """All steps and what lies between them, checkpoints not counted. [s]"""
    blocking_s: float
    """Time one checkpoint stops the work; 0 where none is written. [s]"""
    interval_s: float
    """Work between two checkpoints; inf where none is written. [s]"""
    burst_bytes_per_s: float
    """What a checkpoint that stops the work is written with, alone; 0 where none does. [B/s]"""
    goodput: float | None
    """Expected productive share at the failures given; None where none are."""

    @property
    def work_s(self) -> float:
        """Return the time of the whole run where nothing slows or stops it [s]."""
        written = 0 if self.interval_s == inf else int(self.training_s / self.interval_s)
        return self.training_s + written * self.blocking_s

    @property
    def blocked_fraction(self) -> float:
        """Return the share of time in which checkpoints stop the work [-]."""
        if self.interval_s == inf:
            return 0.0
        return self.blocking_s / (self.interval_s + self.blocking_s)
