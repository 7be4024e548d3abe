"""Checkpoints and failures of a training run: size, interval, goodput."""

from __future__ import annotations

import math

from twin.errors import require
from twin.units import SECONDS_PER_DAY


def checkpoint_bytes(parameters: float, bytes_per_parameter: float = 14.0) -> float:
    """Size of a checkpoint that training can go on from.

    Parameters
    ----------
    parameters : float
        All parameters, > 0.
    bytes_per_parameter : float
        BF16 weights 2, FP32 master weights 4, Adam moments 8; 12-16 in use. [B]

    Returns
    -------
    float
        Bytes. [B]

    Examples
    --------
    >>> checkpoint_bytes(405e9) / 1e12
    5.67
    """
    require(parameters > 0, "parameters", parameters, "> 0")
    return parameters * bytes_per_parameter


def mean_time_to_failure_s(nodes: float, failures_per_node_day: float) -> float:
    """Mean time between failures of a job that any one of its nodes stops.

    Parameters
    ----------
    nodes : float
        Nodes of the job, > 0.
    failures_per_node_day : float
        Failures of one node per day, > 0. [1/day]

    Returns
    -------
    float
        Time. [s]

    Examples
    --------
    >>> round(mean_time_to_failure_s(16384 / 8, 6.5e-3) / 3600, 1)
    1.8
    """
    require(nodes > 0, "nodes", nodes, "> 0")
    require(failures_per_node_day > 0, "failures_per_node_day", failures_per_node_day, "> 0")
    return SECONDS_PER_DAY / (nodes * failures_per_node_day)


def young_interval_s(checkpoint_s: float, mttf_s: float) -> float:
    r"""Time between checkpoints that loses least, to first order: :math:`\sqrt{2 C M}`.

    Parameters
    ----------
    checkpoint_s : float
        Time a checkpoint stops the work, > 0. [s]
    mttf_s : float
        Mean time to failure of the job, > 0. [s]

    Returns
    -------
    float
        Work between two checkpoints. [s]

    References
    ----------
    .. [1] J. W. Young, "A first order approximation to the optimum checkpoint
       interval", CACM 17(9), 1974.

    Examples
    --------
    >>> young_interval_s(50.0, 10000.0)
    1000.0
    """
    require(checkpoint_s > 0, "checkpoint_s", checkpoint_s, "> 0")
    require(mttf_s > 0, "mttf_s", mttf_s, "> 0")
    return math.sqrt(2.0 * checkpoint_s * mttf_s)


def daly_interval_s(checkpoint_s: float, mttf_s: float, restart_s: float) -> float:
    r"""Time between checkpoints with restarts: :math:`\sqrt{2C(M+R)} - C`.

    Parameters
    ----------
    checkpoint_s : float
        Time a checkpoint stops the work, > 0. [s]
    mttf_s : float
        Mean time to failure of the job, > ``checkpoint_s / 2``. [s]
    restart_s : float
        Time from a failure to the first new step, >= 0. [s]

    Returns
    -------
    float
        Work between two checkpoints. [s]

    References
    ----------
    .. [1] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
       restart dumps", FGCS 22(3), 2006.

    Examples
    --------
    >>> daly_interval_s(50.0, 10000.0, 0.0)
    950.0
    """
    require(restart_s >= 0, "restart_s", restart_s, ">= 0")
    interval_s = young_interval_s(checkpoint_s, mttf_s + restart_s) - checkpoint_s
    require(interval_s > 0, "mttf_s", mttf_s, f"> {checkpoint_s / 2:g}, half a checkpoint")
    return interval_s


def goodput_fraction(
    interval_s: float, checkpoint_s: float, mttf_s: float, restart_s: float
) -> float:
    r"""Productive time over wall time (ETTR) of a job that checkpoints and fails.

    Failures come at any moment with a constant rate, also while a checkpoint is
    written or the job restarts; each loses what was done since the last checkpoint:

    .. math:: g = \frac{\tau}{M\,e^{R/M}\,\left(e^{(\tau+C)/M} - 1\right)}

    Parameters
    ----------
    interval_s : float
        Work between two checkpoints, > 0. [s]
    checkpoint_s : float
        Time a checkpoint stops the work, >= 0. [s]
    mttf_s : float
        Mean time to failure of the job, > 0. [s]
    restart_s : float
        Time from a failure to the first new step, >= 0. [s]

    Returns
    -------
    float
        Fraction 0-1. [-]

    Notes
    -----
    To first order :math:`1 - C/\tau - \tau/2M - R/M`.

    References
    ----------
    .. [1] J. T. Daly, FGCS 22(3), 2006, complete solution.

    Examples
    --------
    >>> round(goodput_fraction(1000.0, 0.0, 1e9, 0.0), 6)
    1.0
    """
    require(interval_s > 0, "interval_s", interval_s, "> 0")
    require(checkpoint_s >= 0, "checkpoint_s", checkpoint_s, ">= 0")
    require(mttf_s > 0, "mttf_s", mttf_s, "> 0")
    require(restart_s >= 0, "restart_s", restart_s, ">= 0")
    spent_s = mttf_s * math.exp(restart_s / mttf_s)
    return interval_s / (spent_s * math.expm1((interval_s + checkpoint_s) / mttf_s))
