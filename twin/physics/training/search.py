"""Find the layout in which a model trains fastest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from itertools import product

from twin.errors import require
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine, Software
from twin.physics.training.memory import check_memory, memory_per_gpu_bytes
from twin.physics.training.step import step_time
from twin.physics.training.transformer import Transformer


@lru_cache(maxsize=64)
def fastest_layout(
    model: Transformer,
    machine: Machine,
    gpus: int,
    batch: int,
    software: Software | None = None,
) -> Layout:
    """Find the layout that fits the memory and gives the shortest step.

    Tensor ranks stay within a scale-up domain; experts, ranks that share a sequence and
    sequences of a micro-batch are tried in powers of two, pipelines of every depth that
    divides the GPUs; recomputation where memory needs it.

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

    Notes
    -----
    Stages are plain or interleaved layer by layer: pieces of several layers leave a longer
    bubble than those of one and keep no fewer activations.
    """
    splits = list(_splits(model, machine, gpus, batch))
    require(bool(splits), "gpus", gpus, f"such that they split evenly over a batch of {batch}")
    fitting = [x for split in splits for x in _fitting(split, model, machine)]
    if not fitting:
        check_memory(model, min(splits, key=lambda x: memory_per_gpu_bytes(model, x)), machine)
    return min(fitting, key=lambda x: step_time(model, x, machine, software).step_s)


def _splits(model: Transformer, machine: Machine, gpus: int, batch: int) -> Iterator[Layout]:
    """Yield all ways to share out the model, each as it takes the least memory."""
    experts = _halves(gpus) if model.expert_parameters else [1]
    for tensor, context in product(_divisors(machine.domain_gpus), _halves(model.sequence)):
        ranks, rest = divmod(gpus, tensor * context)
        if rest or model.hidden % tensor:
            continue
        for pipeline in _divisors(ranks):
            data = ranks // pipeline
            if pipeline > model.layers or batch % data:
                continue
            micro_batches = _halves(batch // data)
            for expert, micro_batch in product(experts, micro_batches):
                if data % expert == 0:
                    yield Layout(
                        tensor=tensor,
                        pipeline=pipeline,
                        data=data,
                        batch=batch,
                        expert=expert,
                        context=context,
                        micro_batch=micro_batch,
                        full_recompute=True,
                    )


def _fitting(split: Layout, model: Transformer, machine: Machine) -> Iterator[Layout]:
    """Yield what fits of plain and interleaved stages, recomputed where one of them does not."""
    if memory_per_gpu_bytes(model, split) > machine.memory_bytes:
        return
    pieces = {1, math.ceil(model.layers / split.pipeline) if split.pipeline > 1 else 1}
    for recompute in (False, True):
        all_fit = True
        for each in sorted(pieces):
            layout = replace(split, virtual_stages=each, full_recompute=recompute)
            if memory_per_gpu_bytes(model, layout) <= machine.memory_bytes:
                yield layout
            else:
                all_fit = False
        if all_fit:
            return


@cache
def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _halves(number: int) -> list[int]:
    """Return the powers of two that divide *number*."""
    return [1 << power for power in range(number.bit_length()) if number % (1 << power) == 0]
