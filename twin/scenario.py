"""What a scenario says of itself: its question, and outcomes published for the real system."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from twin.config import NonNegative, Range
from twin.errors import require, require_known
from twin.schema import SUMMARY


@dataclass(slots=True)
class Published:
    """One published figure and how near a fair model should come.

    Exactly one of ``metric`` and ``probe`` says where our figure comes from, and
    exactly one of ``relative``, ``absolute`` and ``factor`` how far off it may be.
    """

    row: str
    """Name of the row; several figures of one source may share it."""
    value: float
    type: Literal["A", "C", "V"]
    """Arithmetic on its own inputs, calibration allowed, or a prediction."""
    source: str
    metric: str | None = None
    """A key of ``summary.json``."""
    probe: str | None = None
    """``module.function`` below ``twin.probes``; its parameters say what it is called with."""
    inputs: dict[str, float | str] = field(default_factory=dict)
    """Parameters of the probe beyond ``config``, the plain configuration, and ``run``."""
    relative: NonNegative | None = None
    """Allowed error as a fraction of the value."""
    absolute: NonNegative | None = None
    """Allowed error in the unit of the value."""
    factor: Annotated[float, Range(1.0)] | None = None
    """Allowed ratio either way."""
    overrides: list[str] = field(default_factory=list)
    """Command-line overrides under which the figure holds, beyond the scenario."""
    slow: bool = False
    """Checked only on request."""
    note: str = ""
    """Why it fails, if it is known to."""

    def __post_init__(self) -> None:
        """Refuse a row that says too little or too much."""
        given = [name for name in ("metric", "probe") if getattr(self, name) is not None]
        require(len(given) == 1, "metric, probe", given, "exactly one of the two")
        if self.metric is not None:
            require_known("metric", self.metric, SUMMARY, "a figure")
        probed = self.probe is not None or not self.inputs
        require(probed, "inputs", self.inputs, "given with probe only")
        bounds = ("relative", "absolute", "factor")
        given = [name for name in bounds if getattr(self, name) is not None]
        require(len(given) == 1, ", ".join(bounds), given, "exactly one of the three")
        require(self.value != 0 or self.absolute is not None, "value", self.value, "not 0 here")

    def figure(self) -> str:
        """Return where our figure comes from, e.g. ``mass.tonnes pounds=626155``."""
        inputs = [f"{key}={_short(value)}" for key, value in self.inputs.items()]
        return " ".join([str(self.metric or self.probe), *inputs, *self.overrides])

    def passes(self, got: float | None) -> bool:
        """Return whether *got* is near enough; None never is."""
        if got is None or math.isnan(got):
            return False
        if self.absolute is not None:
            return abs(got - self.value) <= self.absolute
        if self.relative is not None:
            return abs(got - self.value) <= self.relative * abs(self.value)
        assert self.factor is not None
        return 1 / self.factor <= got / self.value <= self.factor

    def allowed(self) -> str:
        """Return the tolerance in words, e.g. ``8 %``."""
        if self.absolute is not None:
            return f"+-{self.absolute:g}"
        if self.relative is not None:
            return f"{100 * self.relative:g} %"
        return f"x/{self.factor:g}"


_NOT_IN_A_NAME = frozenset('/\\:*?"<>|')


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


@dataclass(slots=True)
class ScenarioConfig:
    """The ``scenario`` part of a configuration."""

    name: str
    """What its runs are called; the folder of its results bears it."""
    question: str = ""
    """What the study answers, in one line."""
    published: list[Published] = field(default_factory=list)
    """Outcomes published for the real system; ``twin-validate`` checks them."""
    slow: bool = False
    """Whether ``twin-validate`` runs it only on request."""

    def __post_init__(self) -> None:
        """Refuse a name that is not the name of one folder: results would land elsewhere."""
        plain = self.name == self.name.strip(". ") and not set(self.name) & _NOT_IN_A_NAME
        require(
            bool(self.name) and plain and self.name.isprintable(),
            "name",
            repr(self.name),
            'the name of one folder: not empty, without any of / \\ : * ? " < > | and no dot '
            "or space at an end",
        )
