"""A replica that runs as many requests at all times: its tokens and its power by its batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import require
from twin.workload.lengths import Lengths
from twin.workload.replica import Replica

Floats = NDArray[np.float64]


def batch_of_tokens(
    tokens_per_s: NDArray[np.float64], limit_tokens_per_s: float, half_batch: float
) -> NDArray[np.float64]:
    r"""Return how many requests run at once in a replica that makes so many tokens per second.

    A step of B requests lasts :math:`A + g B`, so they make
    :math:`T = T_\infty B / (B + B_{1/2})` tokens per second, with :math:`B_{1/2} = A / g`:
    weights are read once for the whole batch, so a step hardly lengthens until what each
    request adds fills it. Solved for B.

    Parameters
    ----------
    tokens_per_s : ndarray, shape (...)
        Output tokens of one replica, 0 <= tokens < limit. [1/s]
    limit_tokens_per_s : float
        Throughput at endless batch, T_inf. [1/s]
    half_batch : float
        Batch that gives half of it. [-]

    Returns
    -------
    ndarray, shape (...)
        Running requests; below 1 the share of time in which one request runs. [-]

    Raises
    ------
    ParameterError
        If a throughput is negative or not below the limit.

    Examples
    --------
    >>> batch_of_tokens(np.array([0.0, 50.0]), 100.0, 120.0).tolist()
    [0.0, 120.0]
    """
    inside = bool(np.all((tokens_per_s >= 0) & (tokens_per_s < limit_tokens_per_s)))
    require(inside, "tokens_per_s", tokens_per_s, f"in 0 .. below {limit_tokens_per_s}")
    return np.asarray(half_batch * tokens_per_s / (limit_tokens_per_s - tokens_per_s))


@dataclass(frozen=True, slots=True)
class Decode:
    """What a replica makes and draws at a steady batch, prompts that come with it included."""

    fixed_s: float
    """Of a step, whatever its batch. [s]"""
    per_request_s: float
    """What each running request adds to it, its share of a prompt included. [s]"""
    tokens_per_step: float
    """Of a request; a little above 1, as its prefill makes the first. [-]"""
    tokens_per_request: float
    fits: float
    """Share of requests that its memory holds; all else is of these. [-]"""
    power_fraction: Floats
    """Power of its GPUs over TDP with 0, 1 .. requests running, as many as there can be. [-]"""

    @property
    def batch_max(self) -> int:
        """Return how many requests it runs at once at most."""
        return len(self.power_fraction) - 1

    @property
    def tokens_per_s_limit(self) -> float:
        """Return what it would make of an endless batch [1/s]."""
        return self.tokens_per_step / self.per_request_s

    @property
    def half_batch(self) -> float:
        """Return the batch at which it makes half of that."""
        return self.fixed_s / self.per_request_s

    def slowed(self, rate: float) -> Decode:
        """Return this on GPUs that work at *rate* of their own: a batch takes so much longer."""
        fixed_s, per_request_s = self.fixed_s / rate, self.per_request_s / rate
        return replace(self, fixed_s=fixed_s, per_request_s=per_request_s)

    def tokens_per_s(self, batch: float) -> float:
        """Return what it makes of *batch* running requests [1/s]."""
        return self.tokens_per_step * batch / (self.fixed_s + self.per_request_s * batch)

    def capacity_tokens_per_s(self) -> float:
        """Return what it makes at its largest batch [1/s]."""
        return self.tokens_per_s(self.batch_max)

    def running(self, tokens_per_s: Floats) -> Floats:
        """Return the requests that run at once at *tokens_per_s*; below 1, a share of the time."""
        return batch_of_tokens(tokens_per_s, self.tokens_per_s_limit, self.half_batch)

    def itl_s(self, tokens_per_s: Floats) -> Floats:
        """Return the mean time between the tokens of a request: each step gives one to all [s]."""
        batch = np.maximum(self.running(tokens_per_s), 1.0)
        return np.asarray(self.fixed_s + self.per_request_s * batch)

    def kept_tokens_per_s(self, itl_s: float) -> float:
        """Return what it makes at most so that each token comes within *itl_s* [1/s]."""
        batch = min((itl_s - self.fixed_s) / self.per_request_s, float(self.batch_max))
        return self.tokens_per_s(batch) if batch >= 1.0 else 0.0

    def drawn(self, tokens_per_s: Floats) -> Floats:
        """Return the power of its GPUs over TDP at *tokens_per_s* [-].

        Where less than one request runs on average, they serve one request for that share of
        the time and idle otherwise.
        """
        # One request alone makes so many tokens; the share of time at that rate.
        busy = np.minimum(tokens_per_s / self.tokens_per_s(1.0), 1.0)
        batch = np.maximum(self.running(tokens_per_s), 1.0)
        power = np.interp(batch, np.arange(len(self.power_fraction)), self.power_fraction)
        idle = self.power_fraction[0]
        return np.asarray(idle + busy * (power - idle))


def decode_of(replica: Replica, lengths: Lengths) -> Decode:
    """Return what *replica* does with requests of such *lengths*, on the mean over its steps.

    In steady state each decoded token comes with its share of a prompt, so a step of *n*
    requests lasts as long as its decoding and *n* such shares; power is the mean over both.
    """
    fits, lengths = lengths.fitting(replica.costs.kv_tokens)
    costs, prefill_s = replica.costs, lengths.prefill(replica.costs)[0]
    prompt_s = prefill_s / lengths.decoded_mean
    cached_s = costs.per_cached_token_s * lengths.cached_tokens
    per_request_s = costs.per_request_s + cached_s + prompt_s
    power = replica.power_table(replica.running_limit(lengths.held_tokens), lengths.cached_tokens)
    batch = np.arange(len(power))
    prompts = prompt_s * batch / (costs.fixed_s + per_request_s * batch)
    return Decode(
        costs.fixed_s,
        per_request_s,
        lengths.output_mean / lengths.decoded_mean,
        lengths.output_mean,
        fits,
        power + prompts * (replica.power.prefill() - power),
    )
