"""Fair share: who used little of late goes first.

Usage fades with a half-life, as in J. Kay and P. Lauder, "A fair share scheduler",
Communications of the ACM 31(1), 1988.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from twin.config import Positive
from twin.records import Job
from twin.scheduling.backfill import Backfill
from twin.scheduling.base import Policy, View
from twin.units import SECONDS_PER_DAY


def faded_usage(
    usage: NDArray[np.float64], held: NDArray[np.float64], passed_s: float, half_life_s: float
) -> NDArray[np.float64]:
    r"""Return usage after some time of holding GPUs while old usage fades.

    Solves :math:`dU/dt = g - \lambda U` with :math:`\lambda = \ln 2 / T_{1/2}`.

    Parameters
    ----------
    usage : ndarray
        Faded GPU time so far, by account. [GPU-s]
    held : ndarray, same shape
        GPUs held since then.
    passed_s : float
        Time since then, >= 0. [s]
    half_life_s : float
        Time in which usage counts half, > 0. [s]

    Returns
    -------
    ndarray
        Faded usage now. [GPU-s]

    Examples
    --------
    >>> faded_usage(np.array([80.0]), np.array([0.0]), 20.0, 10.0)
    array([20.])
    """
    rate = log(2.0) / half_life_s
    kept = exp(-rate * passed_s)
    return usage * kept + held * ((1.0 - kept) / rate)


@dataclass(kw_only=True)
class FairShare(Policy):
    """The account that used least of its share goes first, its oldest job in front.

    That job holds a reservation behind which others backfill. Usage is GPU time held,
    faded by half every ``half_life_days``, over the account's share.
    """

    keyed = True
    watches = True

    half_life_days: Positive
    shares: dict[str, Positive]
    """Share of an account; 1 for those not named."""

    usage: NDArray[np.float64] = field(init=False, repr=False)
    """Faded GPU time of each account up to ``since_s``. [GPU-s]"""
    gpus_held: NDArray[np.float64] = field(init=False, repr=False)
    since_s: float = field(init=False, default=0.0)
    _share: NDArray[np.float64] = field(init=False, repr=False)
    _number: dict[str, int] = field(init=False, default_factory=dict, repr=False)
    _backfill: Backfill = field(init=False, default_factory=Backfill, repr=False)

    def __post_init__(self) -> None:
        """Begin with no account known."""
        self.usage, self.gpus_held, self._share = np.zeros(0), np.zeros(0), np.zeros(0)

    def key(self, job: Job) -> float:
        """Return the number of the job's account."""
        return self._account(job.account)

    def held(self, job: Job, gpus: int, now_s: float) -> None:
        """Book *gpus* more (or fewer) GPUs to the job's account from now on."""
        self._settle(now_s)
        self.gpus_held[self._account(job.account)] += gpus

    def next(self, view: View) -> int | None:
        """Return the oldest job of the least served account, or one that may overtake it."""
        if not view.queue.jobs or view.free_gpus == 0:
            return None
        self._settle(view.now_s)
        served = self.usage / self._share
        return self._backfill.next(view, int(served[view.queue.keys.astype(np.intp)].argmin()))

    def _account(self, name: str) -> int:
        number = self._number.get(name)
        if number is None:
            number = self._number[name] = len(self._number)
            self.usage = np.append(self.usage, 0.0)
            self.gpus_held = np.append(self.gpus_held, 0.0)
            self._share = np.append(self._share, self.shares.get(name, 1.0))
        return number

    def _settle(self, now_s: float) -> None:
        if now_s > self.since_s:
            half_life_s = self.half_life_days * SECONDS_PER_DAY
            passed_s = now_s - self.since_s
            self.usage = faded_usage(self.usage, self.gpus_held, passed_s, half_life_s)
            self.since_s = now_s
