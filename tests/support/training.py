"""GPUs and models of published training runs."""

from dataclasses import replace

from twin.physics.training.machine import Machine
from twin.physics.training.transformer import Transformer

A100 = Machine(
    peak_flops=312e12,
    math_efficiency=0.629,
    attention_speed=0.78,
    memory_bytes=80e9,
    memory_bytes_per_s=2.039e12,
    multiprocessors=108,
    domain_gpus=8,
    domain_bytes_per_s=300e9,
    fabric_bytes_per_s=24e9,
)

A100_2022 = replace(A100, attention_speed=0.39)
"""With FlashAttention instead of its second version."""

H100 = Machine(
    peak_flops=989e12,
    math_efficiency=0.629,
    attention_speed=0.61,
    memory_bytes=80e9,
    memory_bytes_per_s=3.35e12,
    multiprocessors=132,
    domain_gpus=8,
    domain_bytes_per_s=450e9,
    fabric_bytes_per_s=48e9,
)

H100_FP8 = replace(H100, linear_speed=1.582)

H800_FP8 = replace(H100_FP8, domain_bytes_per_s=200e9)


def flops_per_token(model: Transformer) -> float:
    """Return FLOPs of a token, forward and back; input words are looked up for nothing."""
    return 6.0 * (model.layer_parameters + model.output_parameters) + model.attention_flops()


def gpt(layers: int, hidden: int, sequence: int, vocabulary: int) -> Transformer:
    """Return a GPT with one table for its input and output words."""
    parameters = 12.0 * layers * hidden**2 + vocabulary * hidden
    return Transformer(
        parameters=parameters,
        active_parameters=parameters,
        layers=layers,
        hidden=hidden,
        sequence=sequence,
        vocabulary=vocabulary,
        tied=True,
    )


GPT3 = gpt(96, 12288, 2048, 51200)

GPT3_4K = gpt(96, 12288, 4096, 131072)

LLAMA2 = Transformer(
    parameters=69e9,
    active_parameters=69e9,
    layers=80,
    hidden=8192,
    sequence=4096,
    vocabulary=32000,
    key_width=1024,
    feed_forward=28672,
    gated=True,
)

LLAMA3 = Transformer(
    parameters=405e9,
    active_parameters=405e9,
    layers=126,
    hidden=16384,
    sequence=8192,
    vocabulary=128000,
    key_width=1024,
    feed_forward=53248,
    gated=True,
)

DEEPSEEK = Transformer(
    parameters=671e9,
    active_parameters=37e9,
    layers=61,
    hidden=7168,
    sequence=4096,
    expert_parameters=655e9,
    expert_copies=4,  # a token is sent to at most four nodes
    vocabulary=129280,
    feed_forward=18432,
    gated=True,
    attention_width=20480,
    predictions=2,
)

BARE = Transformer(parameters=1.2e9, active_parameters=1.2e9, layers=96, hidden=1024, sequence=2048)
