"""One synchronous training run, worked out step by step from model, GPUs and fabric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from twin.config import Count, NonNegative, Positive
from twin.errors import ConfigError, ParameterError, require
from twin.physics.training.checkpoints import checkpoint_bytes, goodput_fraction
from twin.physics.training.layout import Layout
from twin.physics.training.machine import Machine, Software
from twin.physics.training.memory import check_memory, memory_per_gpu_bytes
from twin.physics.training.search import fastest_layout
from twin.physics.training.step import fabric_time, step_time
from twin.physics.training.transformer import Transformer, mfu, training_flops
from twin.records import Hardware, Job, WorkloadContext
from twin.units import (
    BYTES_PER_GIGABYTE,
    BYTES_PER_TERABYTE,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
)
from twin.workload.base import Workload
from twin.workload.distributions import solve_rising
from twin.workload.training_plan import (
    BILLION,
    Checkpoints,
    ModelShape,
    Parallelism,
    PhasePower,
    Plan,
    TrainingSoftware,
)

PARTS = (
    *("math", "memory", "optimizer", "tensor", "context", "expert", "data"),
    *("bubble", "imbalance", "straggler"),
)
"""Where a step goes, as shown to the user."""
RANKS = ("tensor", "pipeline", "context", "expert", "data")


@dataclass(kw_only=True)
class TrainingRun(Workload):
    """One job on many GPUs for as long as its tokens take; several go into a mix.

    The time of a step follows from the model, how it is spread, the GPUs and the fabric
    they sit on; MFU is an outcome. Placement and contention slow it further while it
    runs, through the exposed communication that crosses the fabric.
    """

    job_kind: str
    """Label of the job in the output."""
    model: ModelShape
    gpus: Count | None
    """GPUs it runs on; null: all there are for jobs."""
    batch: Count
    """Sequences in a step, all ranks together."""
    tokens_billion: Positive | None
    """Tokens it is trained on; or else ``exaflops``."""
    exaflops: Positive | None = None
    """Work as operations, 6 for each active parameter and token. [EFLOP]"""
    parallelism: Parallelism | None
    """null: the fastest that fits the memory."""
    software: TrainingSoftware
    power: PhasePower
    checkpoint: Checkpoints | None
    """null: none is written."""
    start_hours: NonNegative = 0.0
    """When it is submitted. [h]"""
    limit_factor: Positive = 1.2
    """The user's estimate over the run time."""
    read_gb_per_s_per_gpu: NonNegative = 0.0
    priority: int = 0
    account: str = ""

    def __post_init__(self) -> None:
        """Refuse work that is given twice or not at all."""
        one = (self.tokens_billion is None) != (self.exaflops is None)
        allowed = "given where exaflops is not, and only there"
        require(one, "tokens_billion", self.tokens_billion, allowed)

    @property
    def tokens(self) -> float:
        """Return the tokens of the whole run."""
        if self.tokens_billion is not None:
            return self.tokens_billion * BILLION
        active = self.model.transformer().active_parameters
        return (self.exaflops or 0.0) * 1e18 / training_flops(active, 1.0)

    def check(self, context: WorkloadContext) -> None:
        """Work the run out, and refuse one that does not fit.

        Raises
        ------
        ConfigError
            If it wants more GPUs than there are, its ranks do not divide them or the
            batch, or the model does not fit the memory, or its checkpoints the storage:
            then with the arithmetic.
        """
        plan = self.plan(context)
        self._check_room(context)
        self.warnings = [self._in_words(plan)]
        if self.model.layers is None:
            shape = self.model.transformer()
            self.warnings.append(
                f"{self.label(self.model.name)}: model.layers and hidden are not given: taken as "
                f"{shape.layers} layers of {shape.hidden}, as models of that size are mostly built"
            )
        if context.hardware is not None and context.hardware.multiprocessors is None:
            self.warnings.append(
                f"{self.label(self.model.name)}: gpu.multiprocessors is not known, so no time "
                "is lost to tiles and waves of matrix products that do not fill the GPU, nor to "
                "communication that runs beside them"
            )
        if context.hardware is not None and context.hardware.attention_speed is None:
            self.warnings.append(
                f"{self.label(self.model.name)}: gpu.attention_speed is not known: in long "
                "sequences its usual attention is taken to be as fast as matrix products"
            )

    def plan(self, context: WorkloadContext) -> Plan:
        """Return the run worked out on the cluster of *context*."""
        gpus = self.gpus or context.gpus
        if gpus > context.gpus:
            raise ConfigError(
                f"{self.key}.gpus={gpus}: must be at most {context.gpus} GPUs, "
                "what the facility has for jobs"
            )
        assert context.hardware is not None, "a training run is worked out on known hardware"
        try:
            return self._work_out(context, context.hardware, gpus)
        except ParameterError as error:
            raise ConfigError(f"{self.key}.{_with_key(str(error))}") from error

    def jobs(self, context: WorkloadContext) -> Iterator[Job]:
        """Yield the one job, if it is submitted before the run ends."""
        at_s = self.start_hours * SECONDS_PER_HOUR
        if at_s >= context.duration_s:
            return
        plan = self.plan(context)
        gpus, kept = plan.layout.gpus, self.checkpoint
        duty, high, low = self.power.levels(plan.step, plan.blocked_fraction)
        yield Job(
            job_id=self.label(self.model.name),
            kind=self.job_kind,
            arrived_at_s=at_s,
            gpus=gpus,
            work_s=plan.work_s,
            limit_s=plan.work_s * self.limit_factor,
            activity=_activity(high, context),
            duty=duty,
            low_activity=_activity(low, context),
            account=self.account,
            priority=self.priority,
            comm_fraction=plan.fabric_fraction,
            read_bytes_per_s=self.read_gb_per_s_per_gpu * BYTES_PER_GIGABYTE * gpus,
            checkpoint_s=plan.interval_s + plan.blocking_s,
            restart_s=self._restart_s(),
            save_s=self._save_s(context),
            step_s=plan.step.step_s,
            flops=plan.flops,
            write_bytes_per_s=self._checkpoint_bytes() / (plan.interval_s + plan.blocking_s),
            burst_bytes_per_s=plan.burst_bytes_per_s,
            burst_fraction=plan.blocked_fraction if plan.burst_bytes_per_s else 0.0,
            checkpoint_bytes=self._checkpoint_bytes(),
            keep=inf if kept is None or kept.keep is None else kept.keep,
            stays=kept is not None and kept.stays,
            hidden_comm=plan.hidden_comm,
        )

    def _check_room(self, context: WorkloadContext) -> None:
        """Refuse checkpoints of which one cannot be written while those to keep are there."""
        holds = context.hardware.storage_holds_bytes if context.hardware else None
        if self.checkpoint is None or holds is None:
            return
        one, kept = self._checkpoint_bytes(), self.checkpoint.keep or 1
        if (kept + 1) * one <= holds:
            return
        one_tb, holds_tb = one / BYTES_PER_TERABYTE, holds / BYTES_PER_TERABYTE
        raise ConfigError(
            f"{self.key}.checkpoint: {self.model.parameters_billion:g} billion parameters x "
            f"{self.checkpoint.bytes_per_parameter:g} bytes are {one_tb:.3g} TB, and {kept} (keep) "
            f"stay while the next is written: {(kept + 1) * one_tb:.3g} TB; the storage "
            f"holds {holds_tb:.3g} TB (storage.capacity_pb)"
        )

    def _checkpoint_bytes(self) -> float:
        kept = self.checkpoint
        if kept is None:
            return 0.0
        return checkpoint_bytes(self.model.parameters_billion * BILLION, kept.bytes_per_parameter)

    def _restart_s(self) -> float:
        kept = self.checkpoint
        return 0.0 if kept is None else kept.restart_minutes * SECONDS_PER_MINUTE

    def _save_s(self, context: WorkloadContext) -> float:
        """Return how long a checkpoint takes to reach the storage, if one is written [s]."""
        assert context.hardware is not None
        parameters = self.model.parameters_billion * BILLION
        kept = self.checkpoint
        return kept.writing_s(parameters, context.hardware.storage_bytes_per_s) if kept else inf

    def _work_out(self, context: WorkloadContext, hardware: Hardware, gpus: int) -> Plan:
        model, machine = self.model.transformer(), self._machine(context, hardware)
        layout = self._layout(model, machine, gpus)
        step = step_time(model, layout, machine, self._overlaps())
        fabric = fabric_time(model, layout, machine, self._overlaps())
        steps = math.ceil(self.tokens / (self.batch * model.sequence) - 1e-9)
        training_s = steps * step.step_s * (1.0 + self.software.overhead_fraction)
        tokens = float(self.batch * model.sequence)
        per_step = tokens * self._useful_flops_per_token(model)
        blocking_s, interval_s, goodput = self._checkpoints(context, hardware, gpus)
        return Plan(
            layout=layout,
            step=step,
            steps=steps,
            flops=steps * per_step,
            mfu=mfu(per_step, step.step_s, gpus, machine.peak_flops),
            memory_bytes=memory_per_gpu_bytes(model, layout),
            fabric_fraction=fabric.exposed_s / step.step_s,
            hidden_comm=tuple((a / step.step_s, b / step.step_s) for a, b in fabric.hidden),
            training_s=training_s,
            blocking_s=blocking_s,
            interval_s=interval_s,
            burst_bytes_per_s=self._burst_bytes_per_s(hardware),
            goodput=goodput,
        )

    def _machine(self, context: WorkloadContext, hardware: Hardware) -> Machine:
        software = self.software
        return Machine(
            peak_flops=context.gpu_peak_flops,
            math_efficiency=software.math_efficiency,
            memory_bytes=hardware.memory_bytes,
            memory_bytes_per_s=hardware.memory_bytes_per_s,
            multiprocessors=hardware.multiprocessors,
            domain_gpus=hardware.domain_gpus,
            domain_bytes_per_s=hardware.domain_bytes_per_s,
            fabric_bytes_per_s=hardware.fabric_bytes_per_s * software.network_efficiency,
            linear_speed=software.linear_speed,
            attention_speed=software.attention_speed * (hardware.attention_speed or 1.0),
        )

    def _overlaps(self) -> Software:
        software = self.software
        return Software(
            tensor_overlap=software.tensor_overlap,
            expert_overlap=software.expert_overlap,
            communication_multiprocessors=software.communication_multiprocessors,
            data_multiprocessors=software.data_multiprocessors,
            gradient_bytes=software.gradient_bytes,
            straggler=software.straggler,
        )

    def _layout(self, model: Transformer, machine: Machine, gpus: int) -> Layout:
        if self.parallelism is not None:
            layout = self.parallelism.layout(gpus, self.batch)
            check_memory(model, layout, machine)
            return layout
        return fastest_layout(model, machine, gpus, self.batch, self._overlaps())

    def _useful_flops_per_token(self, model: Transformer) -> float:
        attention = 12.0 * model.layers * model.sequence * (model.attention_width or model.hidden)
        software, parameters = self.software, model.active_parameters
        if not software.input_words_counted:
            parameters = model.layer_parameters + model.output_parameters
        return training_flops(parameters, 1.0) + software.attention_counted * attention

    def _checkpoints(
        self, context: WorkloadContext, hardware: Hardware, gpus: int
    ) -> tuple[float, float, float | None]:
        """Return (seconds a checkpoint stops the work, work between two, expected goodput)."""
        kept = self.checkpoint
        if kept is None:
            return 0.0, inf, None
        parameters = self.model.parameters_billion * BILLION
        writing_s = kept.writing_s(parameters, hardware.storage_bytes_per_s)
        blocking_s = writing_s if kept.blocking_s is None else kept.blocking_s
        servers = gpus / context.gpus_per_server
        interval_s = kept.interval_s(blocking_s, servers, writing_s)
        mttf_s, restart_s = kept.mttf_s(servers), kept.restart_minutes * SECONDS_PER_MINUTE
        if mttf_s == inf:
            return blocking_s, interval_s, None
        return blocking_s, interval_s, goodput_fraction(interval_s, blocking_s, mttf_s, restart_s)

    def _burst_bytes_per_s(self, hardware: Hardware) -> float:
        """Return what a checkpoint that stops the work is written with; 0 where none does."""
        kept = self.checkpoint
        if kept is None or kept.blocking_s is not None:
            return 0.0
        return kept.write_fraction * hardware.storage_bytes_per_s

    def _in_words(self, plan: Plan) -> str:
        """Return the plan as a sentence."""
        layout, step = plan.layout, plan.step
        ranks = " x ".join(
            f"{name} {getattr(layout, name)}" for name in RANKS if getattr(layout, name) > 1
        )
        parts = ", ".join(
            f"{name} {getattr(step, f'{name}_s') / step.step_s:.1%}"
            for name in PARTS
            if getattr(step, f"{name}_s") > 0.0
        )
        saved = "no checkpoints"
        if plan.interval_s < inf:
            saved = (
                f"a checkpoint every {plan.interval_s / 60.0:.1f} min stops it for "
                f"{plan.blocking_s:.1f} s"
            )
        return (
            f"{self.label(self.model.name)}: {layout.gpus} GPUs ({ranks or 'one rank'}), "
            f"{plan.memory_bytes / 1e9:.1f} GB on the fullest, {plan.steps} steps of "
            f"{step.step_s:.3g} s ({parts}), MFU {plan.mfu:.1%}, {saved}, "
            f"{plan.work_s / SECONDS_PER_HOUR:.1f} h if nothing stops it"
        )


def _activity(power_fraction: float, context: WorkloadContext) -> float:
    """Return the activity at which a GPU draws that part of its full power."""
    assert context.hardware is not None
    power_w = context.hardware.gpu_power_w
    return solve_rising(power_w, power_fraction * power_w(1.0), 0.0, 1.0)


_BELOW = {
    **dict.fromkeys(
        ("tensor", "pipeline", "context", "expert", "micro_batch", "virtual_stages"),
        "parallelism.",
    ),
    "interval_minutes": "checkpoint.",
    **dict.fromkeys(
        ("math_efficiency", "communication_multiprocessors", "data_multiprocessors"), "software."
    ),
    "vocabulary": "model.",
}
"""Where the name that an equation complains of stands in the configuration."""


def _with_key(problem: str) -> str:
    """Return *problem*, ``name=value: must be ...``, with the key path of its name."""
    name = problem.partition("=")[0]
    if name == "memory":
        return f"parallelism: {problem}; memory is what the facility has"
    if name == "mttf_s":
        return f"checkpoint.failures_per_server_day: so many leave {problem}"
    return _BELOW.get(name, "") + problem
