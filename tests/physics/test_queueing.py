"""Queues against their closed forms."""

import numpy as np
import pytest

from twin.errors import ParameterError
from twin.physics.queueing import birth_death, gamma_cdf, mean_wait_s, mg1_wait_cdf

stats = pytest.importorskip("scipy.stats", reason="an oracle, not a dependency")


def erlang_c(servers, offered):
    """Return the probability that an arrival must wait in M/M/c."""
    terms = [offered**k / float(np.prod(np.arange(1.0, k + 1))) for k in range(servers + 1)]
    top = terms[-1] * servers / (servers - offered)
    return top / (sum(terms[:-1]) + top)


def test_the_chain_of_m_m_c_gives_erlang_c():
    servers, rate = 4, 2.8
    states, beyond = birth_death(rate, np.arange(1.0, servers + 1))
    wait = erlang_c(servers, rate)
    assert states[-1] == pytest.approx(wait, rel=1e-12)
    assert beyond == pytest.approx(wait * rate / (servers - rate), rel=1e-12)


def test_a_batch_whose_step_grows_evenly_is_negative_binomial():
    # mu_n = n / (o (A + g n)): weights (lambda o)^n prod (A / i + g) are those of NB(A / g + 1).
    fixed, each, output, rate = 0.015, 1e-3, 100.0, 6.0
    n = np.arange(1.0, 2000)
    states, _ = birth_death(rate, n / (output * (fixed + each * n)))
    x = rate * output * each
    expected = stats.nbinom.pmf(np.arange(50), fixed / each + 1, 1 - x)
    assert states[:50] == pytest.approx(expected, rel=1e-9)
    mean = rate * output * (fixed + each) / (1 - x)
    assert states[:-1] @ np.arange(1999) == pytest.approx(mean, rel=1e-9)


def test_wait_before_one_server_is_pollaczek_khinchine():
    rho, service, scv = 0.8, 0.1, 2.0
    rate = rho / service
    second_moment = (scv + 1) * service**2
    exact = rate * second_moment / (2 * (1 - rho))
    assert float(mean_wait_s(rho, service, scv)) == pytest.approx(exact)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_the_wait_in_m_m_1_is_exponential_beyond_zero(rho):
    service = -np.log(1 - (np.arange(20_000) + 0.5) / 20_000)
    seconds, share = mg1_wait_cdf(rho, service)
    exact = 1 - rho * np.exp(-(1 - rho) * seconds)
    assert np.abs(share - exact).max() < 0.005


def test_the_wait_in_m_d_1_has_the_mean_of_pollaczek_khinchine():
    seconds, share = mg1_wait_cdf(0.7, [2.0])
    mean = float((1 - share).sum() * (seconds[1] - seconds[0]))
    assert mean == pytest.approx(float(mean_wait_s(0.7, 2.0, 0.0)), rel=0.01)


@pytest.mark.parametrize(("shape", "within"), [(0.5, 0.05), (1.0, 0.013), (10.0, 0.001)])
def test_the_gamma_distribution_is_as_near_as_said(shape, within):
    at = np.linspace(0, 5 * shape + 5, 400)
    assert np.abs(gamma_cdf(at, shape) - stats.gamma.cdf(at, shape)).max() < within


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mean_wait_s(1.0, 1.0, 1.0), "utilization"),
        (lambda: mg1_wait_cdf(1.0, [1.0]), "utilization"),
        (lambda: mg1_wait_cdf(0.5, [0.0]), "service_s"),
        (lambda: gamma_cdf(1.0, 0.0), "shape"),
        (lambda: birth_death(3.0, [1.0, 2.0]), "arrival"),
    ],
)
def test_queues_without_a_steady_state_are_refused(call, name):
    with pytest.raises(ParameterError, match=name):
        call()
