"""Serving a language model by the token: rooflines of prefill and decode, memory, power.

A replica answers many requests at once. A request's prompt is *prefilled* in one go, bound
by arithmetic; then every *decode* step gives each running request one more token, and reads
all weights and all cached keys and values to do so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.errors import require

Tokens = TypeVar("Tokens", float, NDArray[np.float64])

FLOPS_PER_PARAMETER = 2.0
"""One multiplication and one addition for each active parameter and token."""

ACTIVATION_BYTES = 2.0
"""A value between products: 16 bits, whatever the precision of the weights."""


def kv_bytes_per_token(
    layers: float, kv_heads: float, head_dim: float, bytes_per_value: float
) -> float:
    r"""Return the keys and values that a token leaves in memory.

    .. math:: 2 \, L \, H_{kv} \, d_h \, b

    Parameters
    ----------
    layers, kv_heads, head_dim : float
        Layers, heads of keys (as many of values) and size of a head, > 0. [-]
    bytes_per_value : float
        2 for 16-bit, 1 for 8-bit caches, > 0. [B]

    Returns
    -------
    float
        Memory for each token of prompt or answer. [B]

    Raises
    ------
    ParameterError
        If a number is not above 0.

    References
    ----------
    .. [1] W. Kwon et al., "Efficient memory management for large language model serving
       with PagedAttention", SOSP'23, section 3.

    Examples
    --------
    Llama-3.1-70B:

    >>> kv_bytes_per_token(80, 8, 128, 2)
    327680.0
    """
    least = min(layers, kv_heads, head_dim, bytes_per_value)
    require(least > 0, "layers, kv_heads, head_dim, bytes_per_value", least, "> 0")
    return 2.0 * layers * kv_heads * head_dim * bytes_per_value


def arithmetic_s(tokens: float, active_parameters: float, flops_per_s: float) -> float:
    """Return the time that the arithmetic of *tokens* takes: 2 N FLOP for each.

    Parameters
    ----------
    tokens : float
        Prompt tokens of a prefill, or requests in a decode step, >= 0. [-]
    active_parameters : float
        Parameters that take part in a token, > 0. [-]
    flops_per_s : float
        What all GPUs of the replica reach together, peak times MFU, > 0. [FLOP/s]

    Returns
    -------
    float
        Time. [s]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Notes
    -----
    Attention's own arithmetic, which grows with the square of the prompt, is apart:
    :func:`attention_s`.

    Examples
    --------
    The ceiling of a 70B model on four H100 at 50 % MFU, 14,100 prompt tokens a second:

    >>> round(1 / arithmetic_s(1, 70e9, 4 * 989e12 * 0.5))
    14129
    """
    require(tokens >= 0, "tokens", tokens, ">= 0")
    require(active_parameters > 0, "active_parameters", active_parameters, "> 0")
    require(flops_per_s > 0, "flops_per_s", flops_per_s, "> 0")
    return FLOPS_PER_PARAMETER * active_parameters * tokens / flops_per_s


def attention_s(layers: float, hidden: float, flops_per_s: float) -> float:
    r"""Return what attention's own arithmetic takes, over the square of a prompt's tokens.

    .. math:: \frac{2 \, L \, h}{F}

    Each token meets half of the prompt on average, once for its scores and once for its result.

    Parameters
    ----------
    layers, hidden : float
        Layers, and width of the queries of a token, > 0. [-]
    flops_per_s : float
        What all GPUs of the replica reach together in 16 bits, > 0. [FLOP/s]

    Returns
    -------
    float
        Time of a prompt, over the square of its tokens. [s]

    Raises
    ------
    ParameterError
        If a number is not above 0.

    References
    ----------
    .. [1] T. Dao, "FlashAttention-2", ICLR'24, section 4.1: 4 FLOP times square, head size and
       heads, half of it where causal.

    Examples
    --------
    Llama-3.1-70B: a tenth of the rest for a prompt of 10,800 tokens.

    >>> round(10_800 * attention_s(80, 8192, 1.0) / arithmetic_s(1, 70.6e9, 1.0), 3)
    0.1
    """
    require(layers > 0, "layers", layers, "> 0")
    require(hidden > 0, "hidden", hidden, "> 0")
    require(flops_per_s > 0, "flops_per_s", flops_per_s, "> 0")
    return 2.0 * layers * hidden / flops_per_s


def read_s(bytes_read: float, bytes_per_s: float) -> float:
    """Return the time to read *bytes_read* from GPU memory.

    Parameters
    ----------
    bytes_read : float
        Weights, or keys and values, on all GPUs of the replica, >= 0. [B]
    bytes_per_s : float
        Effective bandwidth of all GPUs together, 0.6-0.8 of the data sheet, > 0. [B/s]

    Returns
    -------
    float
        Time. [s]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Examples
    --------
    >>> read_s(140e9, 7e12)
    0.02
    """
    require(bytes_read >= 0, "bytes_read", bytes_read, ">= 0")
    require(bytes_per_s > 0, "bytes_per_s", bytes_per_s, "> 0")
    return bytes_read / bytes_per_s


# ---- between the products of a layer ----

KERNELS_PER_LAYER = 9
"""What vLLM launches for a Llama layer: add and norm, three products into one, rotary, write to
the cache, output; add and norm, two products into one, activation, product. Its attention and
all-reduces bring their launches with them."""

FP8_KERNELS = 2
"""More of them where the feed-forward products are of 8 bits: one to quantise each input."""

FP8_BYTES = 3.0
"""Moved to quantise a value to 8 bits: 2 read, 1 written."""


def passes_bytes(
    hidden: float, keys: float, feed_forward: float, gpus: int, gated: bool = True
) -> float:
    r"""Return what a GPU reads and writes for a token between the products of a layer.

    .. math:: 2 \left( 8 h + \frac{4 h + 6 k + 3 f}{p} \right)

    Twice a layer, a fused kernel adds to the residual and normalises: two values read, two
    written, on every GPU alike. The rest is split over them: rotation of queries and keys in
    place, the new keys and values written to the cache, queries read and results written by
    attention, the activation (2 f read, f written; without a gate f read). Operands of products
    are read and written while these compute, and the cache is read apart.

    Parameters
    ----------
    hidden, keys, feed_forward : float
        Width of a token's state, of its keys, and of the feed-forward part, > 0. [-]
    gpus : int
        GPUs that share each layer, >= 1. [-]
    gated : bool
        Whether the feed-forward part has a gate.

    Returns
    -------
    float
        Of one layer, on each GPU. [B]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Notes
    -----
    Less than training counts for its way forward, as nothing is kept for a way back and
    kernels are fused. What a small batch moves stays in the GPU's cache: then it takes less
    time than at the bandwidth of the memory, but little beside the weights all the same.

    References
    ----------
    .. [1] vLLM, github vllm-project/vllm: ``models/llama.py``, and under ``csrc``
       ``layernorm_kernels.cu``, ``pos_encoding_kernels.cu``, ``cache_kernels.cu``,
       ``activation_kernels.cu``.

    Examples
    --------
    Llama-3.1-70B on four GPUs, in MB for its 80 layers:

    >>> round(80 * passes_bytes(8192, 1024, 28672, 4) / 1e6, 1)
    15.5
    """
    least = min(hidden, keys, feed_forward)
    require(least > 0, "hidden, keys, feed_forward", least, "> 0")
    require(gpus >= 1, "gpus", gpus, ">= 1")
    split = 4.0 * hidden + 6.0 * keys + (3.0 if gated else 2.0) * feed_forward
    return ACTIVATION_BYTES * (8.0 * hidden + split / gpus)


def quantising_bytes(hidden: float, feed_forward: float, gpus: int) -> float:
    """Return what a GPU moves for a token to quantise the inputs of a feed-forward part.

    Parameters
    ----------
    hidden, feed_forward : float
        Width of a token's state, which every GPU quantises, and of the feed-forward part,
        which is split over them, > 0. [-]
    gpus : int
        GPUs that share each layer, >= 1. [-]

    Returns
    -------
    float
        Of one layer, on each GPU. [B]

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] The Llama 3 Herd of Models, arXiv 2407.21783, section 6.2: scales of each token,
       found as it passes.

    Examples
    --------
    Llama-3.1-405B on eight GPUs:

    >>> quantising_bytes(16384, 53248, 8)
    69120.0
    """
    least = min(hidden, feed_forward)
    require(least > 0, "hidden, feed_forward", least, "> 0")
    require(gpus >= 1, "gpus", gpus, ">= 1")
    return FP8_BYTES * (hidden + feed_forward / gpus)


# ---- words ----

SAMPLING_BYTES = 50.0
"""Moved for each word that a token is drawn from, in FP32 (vLLM, ``v1/sample``): conversion 6,
temperature 8, softmax 16, noise 4, division by it 12, maximum 4. [B]"""

SORTING_BYTES = 218.0
"""More of it where words are sorted to keep the likeliest (top p), as vLLM 0.11 does it by
PyTorch: pairs of 4 and 8 bytes sorted by 8 bits at a time 156, softmax 16, running sum 8,
comparison 5, masking 9, return to the order of words 24. [B]"""


# ---- between GPUs ----

ALL_REDUCES_PER_LAYER = 2
"""One behind attention and one behind the feed-forward part."""


def tensor_parallel_s(
    layers: float, gpus: int, token_bytes: float, bytes_per_s: float, exchange_s: float
) -> tuple[float, float]:
    r"""Return what adding up the layers' parts over the GPUs costs a step, and each of its tokens.

    Tensor parallelism splits every layer over *gpus*, which twice a layer add up what each
    has of the tokens' states. Two GPUs do it in *s* = 1 exchange, in which each adds the other's
    buffer to its own, more in *s* = 2: each adds up its part of all buffers, then gathers the
    others':

    .. math:: t = 2 L \left( s\,\alpha + 2\,\frac{p-1}{p}\,\frac{n b}{B} \right)

    with *n* tokens of *b* bytes. Nothing of it is hidden: each layer waits for its sum.

    Parameters
    ----------
    layers : float
        Layers of the model, > 0. [-]
    gpus : int
        GPUs of the replica, >= 1. [-]
    token_bytes : float
        State of a token between layers, > 0. [B]
    bytes_per_s : float
        What one GPU reaches to the others, one direction, about 0.6 of line rate, > 0. [B/s]
    exchange_s : float
        Start and end of an exchange, >= 0. [s]

    Returns
    -------
    step_s : float
        Exchanges of each step, whatever its batch; 0 on a single GPU. [s]
    token_s : float
        Transfer of each token, of a batch or of a prompt. [s]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Notes
    -----
    Holds from 256 KiB to 32 MiB within one server: standard deviation from vLLM's kernels 0.16
    of the time on H100, 0.19 on A100, 0.32 on B200, with the figures in ``conf/gpu``. Below,
    vLLM sends whole buffers in one exchange on more than two GPUs too, and takes 5 to 8 us; above
    8 MiB NCCL takes its place, which starts 10 to 40 us later. Training sends more at once,
    by NCCL, and keeps formulas of its own.

    References
    ----------
    .. [1] vLLM, github vllm-project/vllm, ``csrc/custom_all_reduce.cuh``: one stage and two.
    .. [2] NVIDIA AIConfigurator 0.12, tables ``custom_allreduce_perf``; their sizes are in values
       of 16 bits.
    .. [3] M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053: two all-reduces in a forward pass
       of a layer.

    Examples
    --------
    Llama-3.1-70B on four H100:

    >>> step_s, token_s = tensor_parallel_s(80, 4, 2 * 8192, 0.61 * 450e9, 4e-6)
    >>> round(step_s * 1e3, 3), round(token_s * 1e6, 2)
    (1.28, 14.32)
    """
    require(layers > 0, "layers", layers, "> 0")
    require(gpus >= 1, "gpus", gpus, ">= 1")
    require(token_bytes > 0, "token_bytes", token_bytes, "> 0")
    require(bytes_per_s > 0, "bytes_per_s", bytes_per_s, "> 0")
    require(exchange_s >= 0, "exchange_s", exchange_s, ">= 0")
    sums = ALL_REDUCES_PER_LAYER * layers
    transfer_s = 2.0 * (gpus - 1) / gpus * token_bytes / bytes_per_s
    return sums * min(gpus - 1, 2) * exchange_s, sums * transfer_s


@dataclass(frozen=True, slots=True)
class StepCosts:
    r"""What a replica's time goes into; the coefficients of its roofline.

    A decode step of *n* requests with *K* tokens cached between them takes

    .. math:: d = A + c\,n + \kappa K

    and a prompt of *p* tokens :math:`c_p p + \alpha p^2` more, during which decoding waits.

    Reading and arithmetic are added, as if they did not overlap. Single products do overlap:
    those of a layer of Llama-3.1-70B on four H100 take 160 us for 8 tokens as for 64 (NVIDIA
    AIConfigurator 0.12), the sum 165 and 200. Steps of a whole engine do not show it: ML.ENERGY's
    at batch 8 to 1,024 lie on a straight line, and lengthen from 8 to 64 requests by 5.8 ms,
    kernels by 2. The sum stands for what else a request takes, of which there is no table.
    """

    fixed_s: float
    """A: one reading of the weights, launching all layers, exchanges of their sums, and what
    attention takes at least. [s]"""
    per_request_s: float
    """c: arithmetic of one token, passes over it between the products, adding up its parts
    over the GPUs, and drawing its word. [s]"""
    per_cached_token_s: float
    """kappa: one reading of the keys and values of a token. [s]"""
    per_prompt_token_s: float
    """c_p: the same as c of one prompt token, without words. [s]"""
    kv_tokens: float
    """Tokens whose keys and values fit beside the weights."""
    attention_s: float = 0.0
    """alpha: attention's own arithmetic, over the square of a prompt's tokens. [s]"""

    def slowed(self, rate: float) -> StepCosts:
        """Return the costs at *rate* of the speed, 0 < rate; memory holds as much as before."""
        require(rate > 0.0, "rate", rate, "> 0")
        return StepCosts(
            self.fixed_s / rate,
            self.per_request_s / rate,
            self.per_cached_token_s / rate,
            self.per_prompt_token_s / rate,
            self.kv_tokens,
            self.attention_s / rate,
        )

    def prefill_s(self, prompt: Tokens) -> Tokens:
        """Return how long prompts of so many tokens take [s]."""
        return prompt * (self.per_prompt_token_s + self.attention_s * prompt)

    def decode_s(self, running: float, cached_tokens: float) -> float:
        """Return the length of a decode step [s]."""
        return self.fixed_s + self.per_request_s * running + self.per_cached_token_s * cached_tokens


@dataclass(frozen=True, slots=True)
class StepPower:
    r"""What the GPUs of a replica draw, over their TDP, from what their time goes into.

    A GPU that waits, for the others of its replica or for its next work, draws *w*. What it
    reads or writes adds the energy of a byte, what it computes that of an operation. Over a
    decode step of *d* that is

    .. math:: P = \min\left(1,\; w + \frac{E_A + e_c\,n + e_\kappa K}{d}\right)

    with energies over TDP: of one reading of the weights, of a token of each request, and of
    one reading of the keys and values of a token. GPUs hold the mean of a step at their TDP;
    what that costs in time is left out.

    Shares of a step are the same however slow all of it is, so this is the power of GPUs at
    their own speed; what heat or a power cap takes off is taken off by the GPU.

    References
    ----------
    .. [1] O. Antepara et al., "Benchmark-driven models for energy analysis and attribution of
       GPU-accelerated supercomputing", SC'25: power as a constant, and energies of bytes and of
       operations; a bit from memory takes 11.7 to 14.7 pJ on A100, GH200, MI250X and MI300A.

    Examples
    --------
    Llama-3.1-70B on four H100: mostly reading while few requests run, arithmetic with many.

    >>> costs = StepCosts(0.01607, 8.48e-5, 3.24e-8, 6.72e-5, 4.48e5)
    >>> power = StepPower(costs, 0.25, 5.66e-3, 6.12e-5, 1.33e-8, 5.48e-5)
    >>> round(power.decode(8, 8 * 365), 2), round(power.decode(512, 512 * 365), 2)
    (0.62, 0.85)
    >>> power.prefill()
    1.0
    """

    costs: StepCosts
    """Of GPUs at their own speed."""
    waiting: float
    fixed_tdp_s: float
    """Energy of one reading of the weights, over TDP. [s]"""
    per_request_tdp_s: float
    """Of a token of each request: its operations and the bytes moved for it. [s]"""
    per_cached_token_tdp_s: float
    per_prompt_token_tdp_s: float

    def decode(self, running: float, cached_tokens: float) -> float:
        """Return power over TDP while *running* requests decode, with so many tokens cached."""
        added_s = (
            self.fixed_tdp_s
            + self.per_request_tdp_s * running
            + self.per_cached_token_tdp_s * cached_tokens
        )
        return min(1.0, self.waiting + added_s / self.costs.decode_s(running, cached_tokens))

    def prefill(self) -> float:
        """Return power over TDP while prompts are prefilled."""
        added = self.per_prompt_token_tdp_s / self.costs.per_prompt_token_s
        return min(1.0, self.waiting + added)


def saturated(
    costs: StepCosts, batch: float, prompt_tokens: float, output_tokens: float
) -> tuple[float, float, float]:
    """Return what a replica does that always has *batch* requests running.

    Parameters
    ----------
    costs : StepCosts
        Of the replica.
    batch : float
        Requests running at all times, each replaced as it ends, > 0. [-]
    prompt_tokens, output_tokens : float
        Of every request, >= 0 and > 0. [-]

    Returns
    -------
    tokens_per_s : float
        Output tokens of the replica. [1/s]
    decode_s : float
        Decode step without a prefill in it, what most tokens wait. [s]
    prefill_share : float
        Share of the time that goes into prompts. [-]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Notes
    -----
    In steady state each output token comes with ``prompt / output`` prompt tokens, and a
    request holds half of its answer on average.

    Examples
    --------
    >>> costs = StepCosts(0.01, 1e-4, 0.0, 1e-4, 1e6)
    >>> saturated(costs, 100, 0, 100)
    (5000.0, 0.02, 0.0)
    >>> saturated(costs, 100, 200, 100)
    (2500.0, 0.02, 0.5)
    """
    require(batch > 0, "batch", batch, "> 0")
    require(prompt_tokens >= 0, "prompt_tokens", prompt_tokens, ">= 0")
    require(output_tokens > 0, "output_tokens", output_tokens, "> 0")
    decode_s = costs.decode_s(batch, batch * (prompt_tokens + output_tokens / 2))
    prefill_s = batch / output_tokens * costs.prefill_s(prompt_tokens)
    step_s = decode_s + prefill_s
    return batch / step_s, decode_s, prefill_s / step_s
