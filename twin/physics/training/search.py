"""Find the layout in which a model trains fastest."""

from __future__ import annotations

import math
from collections.abc import Iterator

from twin.errors import require
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine, Software
from twin.physics.training.memory import check_memory, memory_per_gpu_bytes
from twin.physics.training.step import step_time
from twin.physics.training.transformer import Transformer


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
