"""What one replica of a serving fleet does at a given batch, and shares of published prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from twin import build
from twin.physics.inference import saturated
from twin.workload.replica import Replica
from twin.workload.serving import DrawnServing


def _replica(config: Mapping[str, Any]) -> tuple[Replica, float, float]:
    """Return the replica of the configuration, and the lengths of prompt and answer."""
    design = build.read(config)
    serving = cast(DrawnServing, design.workload)
    tokens = serving.tokens
    replica = serving.replica(design.gpu.peak_flops, build.hardware(design))
    return replica, tokens.prompt_tokens, tokens.output_tokens


def at_batch(config: Mapping[str, Any], batch: float) -> tuple[float, float, float]:
    """Return (output tokens/s, W per GPU, decode step in s) of a replica kept at *batch*.

    Where memory holds fewer requests than *batch*, it runs what it holds.
    """
    replica, prompt, output = _replica(config)
    running = min(batch, replica.costs.kv_tokens / (prompt + output))
    tokens_per_s, step_s, prefill = saturated(replica.costs, running, prompt, output)
    decode = replica.power.decode(running, running * (prompt + output / 2))
    fraction = prefill * replica.power.prefill() + (1 - prefill) * decode
    return tokens_per_s, fraction * replica.tdp_w, step_s


def tokens_per_s(config: Mapping[str, Any], batch: float) -> float:
    """Return the output tokens of one replica [1/s]."""
    return at_batch(config, batch)[0]


def gpu_w(config: Mapping[str, Any], batch: float) -> float:
    """Return the power of one GPU [W]."""
    return at_batch(config, batch)[1]


def token_j(config: Mapping[str, Any], batch: float) -> float:
    """Return the energy of the GPUs for one output token [J]."""
    made_per_s, power_w, _ = at_batch(config, batch)
    return float(config["workload"]["gpus_per_replica"]) * power_w / made_per_s


def itl_ms(config: Mapping[str, Any], batch: float) -> float:
    """Return the time between two tokens with no prompt between them [ms].

    The median where less than half of the steps hold up for a prompt.
    """
    return 1e3 * at_batch(config, batch)[2]


def pue_of_overhead(overhead_share: float) -> float:
    """Return the PUE that belongs to the share of a prompt's energy that is not IT's."""
    return 1.0 / (1.0 - overhead_share)
