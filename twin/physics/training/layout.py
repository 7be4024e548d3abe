"""How a training step is spread over GPUs, and what one rank has of it."""

from __future__ import annotations

from dataclasses import dataclass

from twin.errors import require
from twin.physics.training.transformer import Transformer

STORED_BYTES_PER_TOKEN = 34.0
"""Activations kept per token, layer and hidden unit, attention scores recomputed:
Korthikanti et al., "Reducing activation recomputation in large transformer models",
MLSys 2023. [B]"""


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

    def tokens(self, model: Transformer) -> float:
        """Return the tokens of a micro-batch that one rank works on."""
        return self.micro_batch * model.sequence / self.context

    def weights(self, model: Transformer) -> tuple[float, float]:
        """Return the parameters a rank holds: those all data ranks have, and of routed experts."""
        split = self.tensor * self.pipeline
        routed = model.expert_parameters / (split * self.expert)
        return (model.parameters - model.expert_parameters) / split, routed

    def updated(self, model: Transformer) -> float:
        """Return the parameters whose optimizer state a rank keeps, one share of each."""
        dense, routed = self.weights(model)
        return (dense + routed * self.expert) / (self.data * self.context)
