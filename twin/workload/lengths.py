"""How long prompts and answers are, in tokens."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from twin.config import NonNegative, Range
from twin.errors import InputFileError
from twin.physics.inference import StepCosts
from twin.workload.table import open_text

Floats = NDArray[np.float64]
Tokens = NDArray[np.int64]

_NO_LENGTHS = (
    LookupError,
    TypeError,
    ArithmeticError,
    ValueError,
    SyntaxError,
    AttributeError,
    MemoryError,
    RecursionError,
)
"""What reading the text of a window raises where it says no shares of lengths."""


SAMPLES = 20_000
"""Requests drawn to stand for all lengths."""


@dataclass(frozen=True, slots=True)
class LengthConfig:
    """Log-normal lengths of prompt and answer, independent of each other."""

    prompt_tokens: Annotated[float, Range(1.0)]
    """Mean."""
    output_tokens: Annotated[float, Range(1.0)]
    """Mean."""
    prompt_sigma: NonNegative = 0.0
    """Standard deviation of the logarithm; 0: all alike."""
    output_sigma: NonNegative = 0.0
    tokens_max: Annotated[float, Range(2.0)] = 131072
    """Longest prompt, and longest answer: longer ones are cut."""

    def draw(self, rng: np.random.Generator, number: int) -> tuple[Tokens, Tokens]:
        """Return *number* prompts and answers."""

        def one(mean: float, sigma: float) -> Tokens:
            drawn = mean * np.exp(sigma * rng.standard_normal(number) - sigma**2 / 2)
            return np.clip(np.rint(drawn), 1, self.tokens_max).astype(np.int64)

        return one(self.prompt_tokens, self.prompt_sigma), one(
            self.output_tokens, self.output_sigma
        )


@dataclass(frozen=True, slots=True)
class MeasuredLengths:
    """Prompts and answers by their measured shares, independent of each other."""

    prompt: Mapping[int, float]
    """Weight of each length; they need not add up to 1."""
    output: Mapping[int, float]

    def draw(self, rng: np.random.Generator, number: int) -> tuple[Tokens, Tokens]:
        """Return *number* prompts and answers."""

        def one(weights: Mapping[int, float]) -> Tokens:
            weight = np.array(list(weights.values()))
            drawn = rng.choice(list(weights), number, p=weight / weight.sum())
            return np.asarray(np.maximum(drawn, 1))  # no request is without a token

        return one(self.prompt), one(self.output)


class Lengths:
    """Prompts and answers of many requests, and the means that serving them turns on."""

    def __init__(self, prompt: Tokens | Floats, output: Tokens | Floats) -> None:
        self.prompt: Floats = prompt.astype(float)
        self.output: Floats = output.astype(float)
        answer = self.output
        decoded = answer - 1  # the prefill itself gives the first token
        self.output_mean = float(answer.mean())
        self.decoded_mean = max(float(decoded.mean()), 1e-9)
        # A request runs as long as its answer, so the long ones count for more.
        run = decoded / max(decoded.sum(), 1e-9) if decoded.any() else np.ones_like(decoded)
        self.cached_tokens = float(run @ (self.prompt + answer / 2))
        """Tokens a running request has in memory, on average."""
        self.held_tokens = float(run @ (self.prompt + answer))
        """Tokens memory is kept for, for a running request, on average."""
        self._prompts = np.sort(self.prompt)
        self._outputs = np.sort(self.output)

    def fitting(self, tokens: float) -> tuple[float, Lengths]:
        """Return the share of requests of at most *tokens* in all, and their lengths.

        Where there are none, the share is 0 and the lengths are those of all.
        """
        fits = self.prompt + self.output <= tokens
        if fits.all() or not fits.any():
            return float(fits.any()), self
        return float(fits.mean()), Lengths(self.prompt[fits], self.output[fits])

    def prefill(self, costs: StepCosts) -> tuple[float, float]:
        """Return the mean time that prompts take [s], and its squared variation [-]."""
        each_s = costs.prefill_s(self.prompt)
        mean_s = float(each_s.mean())
        return mean_s, float(np.var(each_s)) / mean_s**2 if mean_s > 0 else 0.0

    def prompt_quantiles(self, shares: Floats) -> Floats:
        """Return the prompt lengths that each of *shares* does not exceed."""
        return _quantiles(self._prompts, shares)

    def output_quantiles(self, shares: Floats) -> Floats:
        """Return the answer lengths that each of *shares* does not exceed."""
        return _quantiles(self._outputs, shares)


def _quantiles(ordered: Floats, shares: Floats) -> Floats:
    """Return quantiles of *ordered* values; sorted once, they are read in no time."""
    at = shares * len(ordered) - 0.5
    return np.asarray(np.interp(at, np.arange(len(ordered)), ordered))


@dataclass(frozen=True, slots=True)
class LengthWindow:
    """Measured lengths of prompts and answers in one window; shares add up to 1."""

    at_s: float
    """Start of the window, from the start of the trace. [s]"""
    prompt: dict[int, float]
    """Share of the requests by tokens; empty where none came."""
    output: dict[int, float]

    def means(self) -> tuple[float, float]:
        """Return the mean prompt and answer [tokens]; 0 where no request came."""
        prompt, output = (
            sum(n * share for n, share in each.items()) for each in (self.prompt, self.output)
        )
        return prompt, output


def read_length_windows(path: Path) -> list[LengthWindow]:
    """Return the lengths that ServeGen publishes of a client, in order of their windows.

    A JSON object, plain or gzipped: start of the window in seconds -> ``input_tokens`` and
    ``output_tokens``, each a text ``{tokens: share, ...}``.

    Raises
    ------
    InputFileError
        If the file cannot be read or is written otherwise, naming the window.
    """
    with open_text(path) as file:
        try:
            content = json.load(file)
        except (ValueError, RecursionError) as error:  # none, or one nested without end
            raise InputFileError(f"{path}: no JSON object: {error}") from None
    found = []
    for start, window in content.items() if isinstance(content, dict) else []:
        try:
            prompt, output = (
                {int(n): float(share) for n, share in ast.literal_eval(window[name]).items()}
                for name in ("input_tokens", "output_tokens")
            )
            if not all(0.0 <= share < math.inf for share in (*prompt.values(), *output.values())):
                raise ValueError
            found.append(LengthWindow(float(start), prompt, output))
        except _NO_LENGTHS:
            raise InputFileError(
                f"{path}: window {start}: must hold input_tokens and output_tokens, each a text "
                "{tokens: share, ...}"
            ) from None
    if not found:
        raise InputFileError(f"{path}: holds no windows: must be {{start: {{input_tokens: ...}}}}")
    return sorted(found, key=lambda each: each.at_s)


def measured_lengths(path: Path, from_s: float, to_s: float) -> MeasuredLengths:
    """Return the lengths measured between two seconds of a trace, each window counted alike.

    Raises
    ------
    InputFileError
        If the file cannot be read, or tells of no request in that time.
    """
    windows = read_length_windows(path)
    ends_s = [*(each.at_s for each in windows[1:]), math.inf]
    prompt: Counter[int] = Counter()  # of shares, which it adds up like counts
    output: Counter[int] = Counter()
    for window, end_s in zip(windows, ends_s, strict=True):
        if window.at_s < to_s and end_s > from_s:
            prompt.update(window.prompt)
            output.update(window.output)
    if not prompt or not output:
        raise InputFileError(
            f"{path}: tells of no request from second {from_s:g} to {to_s:g} of the trace"
        )
    return MeasuredLengths(prompt, output)
