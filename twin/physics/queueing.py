"""Waiting lines: closed forms and exact chains that more than one model uses."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import require

Floats = NDArray[np.float64]


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


WAIT_POINTS = 4096


def mg1_wait_cdf(utilization: float, service_s: ArrayLike) -> tuple[Floats, Floats]:
    r"""Return the distribution of the wait in M/G/1, first come first served.

    The wait is the sum of a geometric number of residual service times,

    .. math:: P(W \le t) = (1 - \rho) \sum_k \rho^k R^{*k}(t)

    which is added up at once by Fourier transform.

    Parameters
    ----------
    utilization : float
        rho, 0 <= rho < 1. [-]
    service_s : array_like, shape (n,)
        Equally likely service times, >= 0, not all 0. [s]

    Returns
    -------
    seconds : ndarray, shape (m,)
        Waits, from 0 to one that is hardly ever exceeded. [s]
    share : ndarray, shape (m,)
        Share of customers that wait no longer. [-]

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] L. Kleinrock, *Queueing Systems*, vol. 1, section 5.7 (Pollaczek-Khinchine).

    Examples
    --------
    Half of all customers of a server busy half of the time do not wait:

    >>> seconds, share = mg1_wait_cdf(0.5, [1.0])
    >>> round(float(share[0]), 2)
    0.5
    """
    service = np.asarray(service_s, dtype=float)
    require(0 <= utilization < 1, "utilization", utilization, "in 0 .. below 1")
    require(bool(np.all(service >= 0)) and service.sum() > 0, "service_s", service, ">= 0, not all")
    mean_wait = float(mean_wait_s(utilization, service.mean(), service.var() / service.mean() ** 2))
    end_s = 2 * service.max() + 30 * mean_wait / max(utilization, 0.1)
    seconds = np.linspace(0.0, end_s, WAIT_POINTS)
    ordered = np.sort(service)
    # Integral of P(S > t) up to each point, over the mean: the residual's distribution.
    kept = np.concatenate([[0.0], np.cumsum(ordered)])
    index = np.searchsorted(ordered, seconds, side="right")
    residual = (kept[index] + seconds * (len(ordered) - index)) / kept[-1]
    mass = np.diff(residual, append=1.0)
    padded = np.fft.rfft(mass, 2 * WAIT_POINTS)
    half = np.exp(-1j * np.pi * np.arange(len(padded)) / (2 * WAIT_POINTS))  # middle of each bin
    total = np.fft.irfft((1 - utilization) / (1 - utilization * padded * half), 2 * WAIT_POINTS)
    share = np.minimum(np.cumsum(total[:WAIT_POINTS]), 1.0)
    share[-1] = 1.0
    return seconds, np.asarray(np.maximum.accumulate(share))


def gamma_cdf(value: ArrayLike, shape: ArrayLike) -> Floats:
    r"""Return the share of a gamma variable of scale 1 below *value*.

    By the cube-root transformation of Wilson and Hilferty: within 0.001 for shapes from 10
    on, 0.013 at shape 1, 0.05 at 0.5.

    Parameters
    ----------
    value : array_like
        Where to read the distribution, >= 0. [-]
    shape : array_like
        Shape, which is also the mean, > 0. [-]

    Returns
    -------
    ndarray, of the shape of both
        Probability. [-]

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", PNAS 17, 1931.

    Examples
    --------
    >>> gamma_cdf([0.0, 100.0], 100.0).round(2).tolist()
    [0.0, 0.51]
    """
    at, alpha = np.asarray(value, dtype=float), np.asarray(shape, dtype=float)
    require(bool(np.all(at >= 0)), "value", at, ">= 0")
    require(bool(np.all(alpha > 0)), "shape", alpha, "> 0")
    score = 3 * np.sqrt(alpha) * (np.cbrt(at / alpha) - 1 + 1 / (9 * alpha))
    return np.asarray(0.5 * (1 + _erf(score / math.sqrt(2))), dtype=float)


_erf = np.vectorize(math.erf, otypes=[float])
