"""One replica of a language model: its GPUs, what a token costs them and what they draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import Count, NonNegative, Positive, PositiveFraction, Range
from twin.errors import ConfigError, require
from twin.physics.inference import (
    ACTIVATION_BYTES,
    FP8_KERNELS,
    KERNELS_PER_LAYER,
    SAMPLING_BYTES,
    SORTING_BYTES,
    StepCosts,
    StepPower,
    arithmetic_s,
    attention_s,
    kv_bytes_per_token,
    passes_bytes,
    quantising_bytes,
    read_s,
    tensor_parallel_s,
)
from twin.physics.training.machine import BANDWIDTH_REACHED
from twin.records import Hardware

Floats = NDArray[np.float64]


SHAPE_TOLERANCE = 0.2
"""Parameters that a shape may miss or have too many: attention is counted as wide as a token's
state, and is a tenth of the parameters wider where keys are compressed, as in DeepSeek-V3."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """What is served, and in which precision."""

    parameters_b: Positive
    """All parameters, in billions."""
    active_parameters_b: Positive
    """Those that take part in a token; fewer in a mixture of experts. All are read in every
    decode step, as a batch of tens of requests does."""
    layers: Count
    kv_heads: Count
    head_dim: Count
    hidden_size: Count
    """Values that a token is between two layers."""
    feed_forward_size: Count
    """Width of the feed-forward part that a token passes; of all its experts together."""
    vocabulary: Count
    """Words of input and output."""
    gated: bool = True
    """Whether the feed-forward part has a gate beside what it lets through: three products
    of that width, not two."""
    tied: bool = False
    """Whether input and output words are one table, once among the parameters."""
    fp8_layers: Annotated[int, Range(0)] = 0
    """Layers whose feed-forward products are of 8 bits, so that their inputs are quantised."""
    weight_bytes: Positive = 2.0
    """Bytes of a parameter: 2 for BF16, 1 for FP8."""
    kv_bytes: Positive = 2.0
    """Bytes of a value in the cache of keys and values."""
    speed_over_bf16: Positive = 1.0
    """Peak arithmetic rate in the precision of the weights over that in BF16."""

    def __post_init__(self) -> None:
        active = self.active_parameters_b
        fits = active <= self.parameters_b
        require(fits, "active_parameters_b", active, f"at most parameters_b={self.parameters_b}")
        allowed = "few enough that their tables are a part of active_parameters_b"
        require(self.parameters_met(answer=False) > 0, "vocabulary", self.vocabulary, allowed)
        self._check_shape()
        few = self.fp8_layers <= self.layers
        require(few, "fp8_layers", self.fp8_layers, f"at most layers={self.layers}")

    def _check_shape(self) -> None:
        """Refuse layers and words that do not make up the parameters that a token meets."""
        shaped_b = (self.layers * self.layer_parameters() + self._tables() * self.words()) / 1e9
        active = self.active_parameters_b
        products = 3 if self.gated else 2
        require(
            abs(shaped_b - active) <= SHAPE_TOLERANCE * active,
            "active_parameters_b",
            active,
            f"within {SHAPE_TOLERANCE * 100:g} % of what the shape makes, {shaped_b:.4g}: "
            f"layers={self.layers} x (2 x hidden_size={self.hidden_size} ^2 "
            f"+ 2 x hidden_size x kv_heads={self.kv_heads} x head_dim={self.head_dim} "
            f"+ {products} x hidden_size x feed_forward_size={self.feed_forward_size}) "
            f"+ {self._tables()} x vocabulary={self.vocabulary} x hidden_size",
        )

    def _tables(self) -> int:
        """Return how many tables of words it has."""
        return 1 if self.tied else 2

    def layer_parameters(self) -> float:
        """Return the parameters of a layer that a token meets.

        Queries and output of attention as wide as a token's state, keys and values, and the
        products of the feed-forward part.
        """
        keys = self.kv_heads * self.head_dim
        wide = (3 if self.gated else 2) * self.feed_forward_size
        return float(self.hidden_size * (2 * self.hidden_size + 2 * keys + wide))

    def words(self) -> float:
        """Return the parameters of one table of words."""
        return float(self.vocabulary * self.hidden_size)

    def parameters_met(self, answer: bool) -> float:
        """Return what a token is multiplied with; the word that follows a prompt's is not asked.

        Input words are looked up.
        """
        active = self.active_parameters_b * 1e9
        looked_up = 0.0 if self.tied else self.words()
        return active - looked_up - (0.0 if answer else self.words())

    def kv_bytes_per_token(self) -> float:
        """Return the keys and values a token leaves in memory [B]."""
        return kv_bytes_per_token(self.layers, self.kv_heads, self.head_dim, self.kv_bytes)

    def weights(self) -> float:
        """Return the memory that the weights take [B]."""
        return self.parameters_b * 1e9 * self.weight_bytes

    def weights_read(self) -> float:
        """Return what a step reads of it: all but input words, which are looked up [B]."""
        return self.weights() - (0.0 if self.tied else self.words() * ACTIVATION_BYTES)


@dataclass(frozen=True, slots=True)
class Engine:
    """How near the serving software comes to what the GPUs could do."""

    mfu: PositiveFraction
    """Arithmetic reached over peak, in prefill and in the batched part of decode."""
    bandwidth_fraction: PositiveFraction
    """Memory bandwidth reached over that of the data sheet, reading weights, keys and values."""
    kernel_launch_us: NonNegative
    """From the end of one kernel to the start of the next, ten to twelve times a layer. [us]"""
    sort_gwords_per_s: Positive | None
    """Words that a GPU sorts in a second to keep the likeliest (top p), in billions; None: a
    word is drawn from all."""
    memory_fraction: PositiveFraction
    """GPU memory for weights, keys and values; the rest is working space."""
    batch_max: Count
    """Requests that a replica runs at once at most, if its memory holds them."""


@dataclass(frozen=True, slots=True)
class ServingPower:
    """What waiting, reading and arithmetic draw, on whatever GPU.

    Energy of a byte is taken to be the same on all GPUs; that of an operation follows the TDP
    of a GPU over its peak, as each is built to draw its TDP in dense arithmetic, and is the
    smaller the faster the precision.
    """

    waiting: PositiveFraction
    """GPU power over TDP while it waits for the others of its replica, or for its next work."""
    read_pj_per_byte: NonNegative
    """Energy that a byte takes from the memory of a GPU to its arithmetic. [pJ]"""
    arithmetic_at_peak: NonNegative
    """What arithmetic at the peak rate of a GPU would add to waiting, over TDP."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A model on its GPUs: everything that serving it must know, in SI units."""

    gpus: int
    costs: StepCosts
    batch_max: int
    power: StepPower
    idle_fraction: float
    """Power of an idle GPU over TDP. [-]"""
    tdp_w: float

    def slowed(self, rate: float) -> Replica:
        """Return this replica on GPUs that work at *rate* of their own, as under a power cap."""
        return self if rate == 1.0 else replace(self, costs=self.costs.slowed(rate))

    def running_limit(self, tokens_held: float) -> int:
        """Return how many requests of *tokens_held* each run at once at most."""
        return max(1, min(self.batch_max, int(self.costs.kv_tokens / tokens_held)))

    def power_table(self, running: int, cached_tokens: float) -> Floats:
        """Return GPU power over TDP by requests, 0 .. *running*, each with so many tokens [-]."""
        decode = self.power.decode
        busy = [decode(n, n * cached_tokens) for n in range(1, running + 1)]
        return np.array([self.idle_fraction, *busy])


def make_replica(
    model: LanguageModel,
    engine: Engine,
    power: ServingPower,
    gpus: int,
    facility: tuple[float, Hardware],
    key: str,
) -> Replica:
    """Return a replica of *model* on *gpus* of the facility; *key* is named in errors.

    Of the *facility* it needs the peak of a GPU [FLOP/s] and the rest of its hardware.

    Raises
    ------
    ConfigError
        If the weights leave no memory for a single token, or idle GPUs would draw more than
        waiting ones.
    """
    hardware = facility[1]
    usable = gpus * hardware.memory_bytes * engine.memory_fraction
    free = usable - model.weights()
    if free < model.kv_bytes_per_token():
        raise ConfigError(
            f"{key}.gpus_per_replica={gpus}: weights of {model.weights() / 1e9:.0f} GB: must fit "
            f"into {usable / 1e9:.0f} GB of memory, of what the facility has"
        )
    tdp_w = hardware.gpu_power_w(1.0)
    idle_fraction = hardware.gpu_power_w(0.0) / tdp_w
    require(idle_fraction < power.waiting, f"{key}.power.waiting", power.waiting,
            f"> {idle_fraction:.3g}, idle power over TDP of what the facility has")  # fmt: skip
    costs, drawn = _step(model, engine, power, gpus, facility, free)
    return Replica(gpus, costs, engine.batch_max, drawn, idle_fraction, tdp_w)


@dataclass(frozen=True, slots=True)
class _Token:
    """What one token costs each GPU of a replica."""

    seconds: float
    computing_s: float
    """The part of it that is arithmetic."""
    moved: float
    """Read and written between products, and to draw a word. [B]"""


def _step(
    model: LanguageModel,
    engine: Engine,
    power: ServingPower,
    gpus: int,
    facility: tuple[float, Hardware],
    free: float,
) -> tuple[StepCosts, StepPower]:
    """Return what a step takes and draws; *free* memory is left for keys and values [B]."""
    hardware = facility[1]
    bytes_per_s = hardware.memory_bytes_per_s * engine.bandwidth_fraction
    weights, kv_bytes = model.weights_read() / gpus, model.kv_bytes_per_token()
    exchanges_s, prompt, answer = _tokens(model, engine, gpus, facility)
    flops_per_s = gpus * facility[0] * engine.mfu
    kernels = KERNELS_PER_LAYER * model.layers + FP8_KERNELS * model.fp8_layers
    launched_s = kernels * engine.kernel_launch_us * 1e-6
    least_s = exchanges_s + model.layers * hardware.attention_s
    costs = StepCosts(
        fixed_s=read_s(weights, bytes_per_s) + launched_s + least_s,
        per_request_s=answer.seconds,
        per_cached_token_s=read_s(kv_bytes / gpus, bytes_per_s),
        per_prompt_token_s=prompt.seconds,
        kv_tokens=free / kv_bytes,
        attention_s=attention_s(model.layers, model.hidden_size, flops_per_s),
    )
    computing = power.arithmetic_at_peak * engine.mfu
    per_byte_s = power.read_pj_per_byte * 1e-12 / hardware.gpu_power_w(1.0)
    drawn = StepPower(
        costs,
        power.waiting,
        fixed_tdp_s=per_byte_s * weights,
        per_request_tdp_s=computing * answer.computing_s + per_byte_s * answer.moved,
        per_cached_token_tdp_s=per_byte_s * kv_bytes / gpus,
        per_prompt_token_tdp_s=computing * prompt.computing_s + per_byte_s * prompt.moved,
    )
    return costs, drawn


def _tokens(
    model: LanguageModel, engine: Engine, gpus: int, facility: tuple[float, Hardware]
) -> tuple[float, _Token, _Token]:
    """Return the exchanges over links in a step [s], and tokens of a prompt and of an answer."""
    peak_flops, hardware = facility
    flops_per_s = gpus * peak_flops * model.speed_over_bf16 * engine.mfu
    bytes_per_s = hardware.memory_bytes_per_s * BANDWIDTH_REACHED
    joined = gpus <= hardware.domain_gpus
    link_bytes_per_s = hardware.domain_bytes_per_s if joined else hardware.fabric_bytes_per_s
    link_bytes_per_s *= hardware.link_fraction
    token_bytes = model.hidden_size * ACTIVATION_BYTES
    exchanges_s, sums_s = tensor_parallel_s(
        model.layers, gpus, token_bytes, link_bytes_per_s, hardware.exchange_s
    )
    hidden, wide, keys = model.hidden_size, model.feed_forward_size, model.kv_heads * model.head_dim
    passes = model.layers * passes_bytes(hidden, keys, wide, gpus, model.gated)
    passes += model.fp8_layers * quantising_bytes(hidden, wide, gpus)
    between_s = read_s(passes, bytes_per_s) + sums_s
    prompt_s = arithmetic_s(1.0, model.parameters_met(answer=False), flops_per_s)
    answer_s = arithmetic_s(1.0, model.parameters_met(answer=True), flops_per_s)
    # Every GPU gathers the scores of all words and draws alike.
    words = float(model.vocabulary)
    drawing_s = read_s(words * ACTIVATION_BYTES * (gpus - 1) / gpus, link_bytes_per_s)
    drawing_s += read_s(words * SAMPLING_BYTES, bytes_per_s)
    moved = words * SAMPLING_BYTES
    if engine.sort_gwords_per_s is not None:
        drawing_s += words / (engine.sort_gwords_per_s * 1e9)
        moved += words * SORTING_BYTES
    prompt = _Token(prompt_s + between_s, prompt_s, passes)
    answer = _Token(answer_s + between_s + drawing_s, answer_s, passes + moved)
    return exchanges_s, prompt, answer


STEPS = 400
"""Points between which activity is interpolated from power; leaves errors below 1e-4."""


def activity_of(power_fraction: Floats, hardware: Hardware) -> Floats:
    """Return the activity at which a GPU draws *power_fraction* of its TDP [-].

    The GPU turns activity into watts by a curve of its own; read backwards, the measured
    power of serving comes out of it again.
    """
    activity = np.linspace(0.0, 1.0, STEPS + 1) ** 2  # finer where the curve is steep
    power_w = np.array([hardware.gpu_power_w(each) for each in activity.tolist()])
    return np.asarray(np.interp(power_fraction * power_w[-1], power_w, activity))
