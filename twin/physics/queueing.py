"""Waiting lines: closed forms and exact chains that more than one model uses."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import require

Floats = NDArray[np.float64]


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival must wait in M/M/c.

    Parameters
    ----------
    servers : int
        c, > 0. [-]
    offered : float
        Arrival rate over the rate of one server, 0 <= offered < servers. [erlang]

    Returns
    -------
    float
        Probability. [-]

    Raises
    ------
    ParameterError
        If there is no steady state.

    References
    ----------
    .. [1] L. Kleinrock, *Queueing Systems*, vol. 1, section 3.5.

    Examples
    --------
    With one server it is the utilization:

    >>> round(erlang_c(1, 0.7), 12)
    0.7
    >>> round(erlang_c(2, 1.0), 4)
    0.3333
    """
    require(servers > 0, "servers", servers, "> 0")
    require(0 <= offered < servers, "offered", offered, f"in 0 .. below {servers}")
    blocked = 1.0  # Erlang B, by its recursion
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait_s(
    utilization: ArrayLike, service_s: float, service_scv: float, arrival_scv: float = 1.0
) -> Floats:
    r"""Return the mean wait in a line before one server.

    .. math:: W = \frac{\rho}{1 - \rho} \frac{c_a^2 + c_s^2}{2} s

    Parameters
    ----------
    utilization : array_like, shape (...)
        rho, 0 <= rho < 1. [-]
    service_s : float
        Mean service time, >= 0. [s]
    service_scv, arrival_scv : float
        Squared coefficients of variation of service times and of times between arrivals,
        >= 0. [-]

    Returns
    -------
    ndarray, shape (...)
        Mean time in line, before service. [s]

    Raises
    ------
    ParameterError
        If a number is out of range.

    Notes
    -----
    Exact for Poisson arrivals (``arrival_scv=1``, Pollaczek and Khinchine); otherwise
    Kingman's heavy-traffic approximation, an upper bound.

    References
    ----------
    .. [1] J. F. C. Kingman, "The single server queue in heavy traffic", 1961.

    Examples
    --------
    M/D/1 waits half as long as M/M/1:

    >>> float(mean_wait_s(0.5, 1.0, 0.0)), float(mean_wait_s(0.5, 1.0, 1.0))
    (0.5, 1.0)
    """
    rho = np.asarray(utilization, dtype=float)
    require(bool(np.all((rho >= 0) & (rho < 1))), "utilization", rho, "in 0 .. below 1")
    require(service_s >= 0, "service_s", service_s, ">= 0")
    require(min(service_scv, arrival_scv) >= 0, "scv", min(service_scv, arrival_scv), ">= 0")
    return np.asarray(rho / (1 - rho) * (arrival_scv + service_scv) / 2 * service_s)


def birth_death(arrival: float, death: ArrayLike) -> tuple[Floats, float]:
    r"""Return the steady state of a line whose rate of departures depends on its length.

    Births come at one rate; in state n deaths at ``death[n - 1]``, and beyond the last
    state given at its rate.

    .. math:: \pi_n = \pi_0 \prod_{i=1}^{n} \lambda / \mu_i

    Parameters
    ----------
    arrival : float
        lambda, 0 <= lambda < the last of *death*. [1/s]
    death : array_like, shape (n,)
        mu of 1, 2, ... n in the system, > 0. [1/s]

    Returns
    -------
    ndarray, shape (n + 1,)
        Probability of 0 .. n, the last standing for n and more. [-]
    float
        Mean number waiting beyond n. [-]

    Raises
    ------
    ParameterError
        If there is no steady state.

    Notes
    -----
    If all in the system share the server evenly, the distribution does not depend on that
    of the work, only on its mean [1]_.

    References
    ----------
    .. [1] F. P. Kelly, *Reversibility and Stochastic Networks*, section 3.3.

    Examples
    --------
    M/M/1 at half load, three states told apart:

    >>> states, beyond = birth_death(1.0, [2.0, 2.0])
    >>> states.tolist(), beyond
    ([0.5, 0.25, 0.25], 0.25)
    """
    mu = np.asarray(death, dtype=float)
    require(bool(np.all(mu > 0)), "death", mu, "> 0")
    require(0 <= arrival < mu[-1], "arrival", arrival, f"in 0 .. below {mu[-1]}")
    if arrival == 0:
        return np.concatenate([[1.0], np.zeros(len(mu))]), 0.0
    log_weight = np.concatenate([[0.0], np.cumsum(math.log(arrival) - np.log(mu))])
    weight = np.exp(log_weight - log_weight.max())
    ratio = arrival / mu[-1]
    weight[-1] /= 1 - ratio  # the geometric tail from the last state on
    states = weight / weight.sum()
    return states, float(states[-1] * ratio / (1 - ratio))
