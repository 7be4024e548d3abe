"""The formulas of the scorecard: pure functions of energies and counts.

Energies may be in any unit as long as one call uses one unit. A ratio whose
denominator is 0 does not exist and is returned as ``None``.
"""

from __future__ import annotations

from twin.errors import require
from twin.schema import SLOWDOWN_BOUND_S
from twin.units import JOULES_PER_KWH


def ratio(part: float, whole: float) -> float | None:
    """Return *part* / *whole*, None where *whole* is 0.

    Examples
    --------
    >>> ratio(3.0, 2.0), ratio(3.0, 0.0)
    (1.5, None)
    """
    return part / whole if whole != 0.0 else None


def pue(facility_j: float, it_j: float) -> float | None:
    """Power usage effectiveness: facility energy over IT energy.

    Parameters
    ----------
    facility_j : float
        Everything consumed inside the fence: IT, losses, cooling, auxiliaries. [J]
    it_j : float
        Consumed at the inlets of servers, switches and storage. [J]

    Returns
    -------
    float or None
        At least 1 for a closed ledger; None where IT is 0. [-]

    References
    ----------
    .. [1] ISO/IEC 30134-2:2016, Power usage effectiveness (PUE).

    Examples
    --------
    >>> pue(1.2e9, 1e9)
    1.2
    """
    return ratio(facility_j, it_j)


def ppue(part_j: float, it_j: float) -> float | None:
    """Partial PUE of one subsystem: (IT + the subsystem's energy) over IT.

    Parameters
    ----------
    part_j : float
        Energy of the subsystem: cooling, or electrical losses. [J]
    it_j : float
        IT energy. [J]

    Returns
    -------
    float or None
        None where IT is 0. [-]

    References
    ----------
    .. [1] ISO/IEC 30134-2:2016, annex on partial PUE.

    Examples
    --------
    >>> ppue(0.25e9, 1e9)
    1.25
    """
    return ratio(it_j + part_j, it_j)


def itue(it_j: float, fan_j: float, psu_loss_j: float = 0.0) -> float | None:
    """IT-power usage effectiveness: IT energy over what reaches the computing parts.

    Parameters
    ----------
    it_j : float
        IT energy. [J]
    fan_j : float
        Energy of the fans inside servers. [J]
    psu_loss_j : float, optional
        Losses of the power supplies inside servers; leave 0 where the server model
        does not tell them apart, which makes the result a lower bound. [J]

    Returns
    -------
    float or None
        None where nothing reaches the computing parts. [-]

    References
    ----------
    .. [1] Patterson et al., "TUE, a new energy-efficiency metric applied at ORNL's
       Jaguar", ISC 2013.

    Examples
    --------
    >>> itue(1e9, 0.2e9)
    1.25
    """
    return ratio(it_j, it_j - fan_j - psu_loss_j)


def tue(facility_j: float, it_j: float, fan_j: float, psu_loss_j: float = 0.0) -> float | None:
    """Total usage effectiveness: PUE x ITUE.

    Server fans count as IT in PUE, so a plant can look better by leaving the work
    to them; TUE takes them out again.

    Parameters
    ----------
    facility_j : float
        Everything consumed inside the fence. [J]
    it_j : float
        IT energy. [J]
    fan_j : float
        Energy of the fans inside servers. [J]
    psu_loss_j : float, optional
        Losses of the power supplies inside servers, where known apart. [J]

    Returns
    -------
    float or None
        Never below PUE. [-]

    References
    ----------
    .. [1] Patterson et al., "TUE, a new energy-efficiency metric applied at ORNL's
       Jaguar", ISC 2013.

    Examples
    --------
    >>> tue(1.2e9, 1e9, 0.2e9)
    1.5
    """
    outside, inside = pue(facility_j, it_j), itue(it_j, fan_j, psu_loss_j)
    return None if outside is None or inside is None else outside * inside


def wue_l_per_kwh(water_kg: float, it_j: float) -> float | None:
    """Water usage effectiveness: litres used on site per kWh of IT, at 1 kg/L.

    Parameters
    ----------
    water_kg : float
        Evaporation, drift and blowdown. [kg]
    it_j : float
        IT energy. [J]

    Returns
    -------
    float or None
        None where IT is 0. [L/kWh]

    References
    ----------
    .. [1] ISO/IEC 30134-9:2022, Water usage effectiveness (WUE).

    Examples
    --------
    >>> wue_l_per_kwh(1.8, 3.6e6)
    1.8
    """
    return ratio(water_kg, it_j / JOULES_PER_KWH)


def cue_kg_per_kwh(carbon_kg: float, it_j: float) -> float | None:
    """Carbon usage effectiveness: CO2 of the electricity bought per kWh of IT.

    Parameters
    ----------
    carbon_kg : float
        Location-based CO2. [kg]
    it_j : float
        IT energy. [J]

    Returns
    -------
    float or None
        None where IT is 0. [kg/kWh]

    References
    ----------
    .. [1] ISO/IEC 30134-8:2022, Carbon usage effectiveness (CUE).

    Examples
    --------
    >>> cue_kg_per_kwh(0.75, 3.6e6)
    0.75
    """
    return ratio(carbon_kg, it_j / JOULES_PER_KWH)


def ere(facility_j: float, reused_j: float, it_j: float) -> float | None:
    """Energy reuse effectiveness: facility energy less the heat reused, over IT energy.

    Parameters
    ----------
    facility_j : float
        Everything consumed inside the fence. [J]
    reused_j : float
        Heat handed to a use outside the fence. [J]
    it_j : float
        IT energy. [J]

    Returns
    -------
    float or None
        Equals PUE without reuse; may fall below 1. [-]

    References
    ----------
    .. [1] The Green Grid, White Paper 29, "ERE: a metric for measuring the benefit of
       reuse energy from a data center", 2010.

    Examples
    --------
    >>> ere(1.2e9, 0.5e9, 1e9)
    0.7
    """
    return ratio(facility_j - reused_j, it_j)


def mlc(cooling_j: float, it_j: float) -> float | None:
    """Mechanical load component: energy of all cooling over IT energy.

    The standard asks for a year; over a shorter run this is the value of that run.

    Parameters
    ----------
    cooling_j : float
        Compressors, pumps, fans and heat rejection. [J]
    it_j : float
        IT energy. [J]

    Returns
    -------
    float or None
        None where IT is 0. [-]

    References
    ----------
    .. [1] ANSI/ASHRAE Standard 90.4, section 6, annualized MLC.

    Examples
    --------
    >>> mlc(0.2e9, 1e9)
    0.2
    """
    return ratio(cooling_j, it_j)


def elc(it_loss_j: float, it_j: float) -> float | None:
    """Electrical loss component: share of what enters the path to IT that is lost on it.

    Parameters
    ----------
    it_loss_j : float
        Losses of incoming service, UPS and distribution that feed IT. [J]
    it_j : float
        IT energy, at the end of that path. [J]

    Returns
    -------
    float or None
        One minus the efficiency of the path; None where nothing enters it. [-]

    Notes
    -----
    The standard multiplies segment efficiencies at a design load; here the energies
    of the simulated period take their place.

    References
    ----------
    .. [1] ANSI/ASHRAE Standard 90.4, section 8, electrical loss component.

    Examples
    --------
    >>> elc(1e8, 9e8)
    0.1
    """
    return ratio(it_loss_j, it_j + it_loss_j)


def goodput_fraction(useful_gpu_s: float, allocated_gpu_s: float) -> float | None:
    """Share of the GPU time held that became work done and kept.

    Parameters
    ----------
    useful_gpu_s : float
        Work kept, at full rate, times GPUs. [GPU-s]
    allocated_gpu_s : float
        GPU time held by jobs. [GPU-s]

    Returns
    -------
    float or None
        None where nothing was held. [-]

    References
    ----------
    .. [1] Kokolis et al., "Revisiting reliability in large-scale machine learning
       research clusters", HPCA 2025 (effective training time ratio).

    Examples
    --------
    >>> goodput_fraction(90.0, 100.0)
    0.9
    """
    return ratio(useful_gpu_s, allocated_gpu_s)


def mfu(flops: float, peak_flops: float, gpu_s: float) -> float | None:
    """Model FLOPs utilization: useful FLOPs over what the GPUs held could have done.

    Parameters
    ----------
    flops : float
        FLOPs the model needs, recomputation not counted. [FLOP]
    peak_flops : float
        Dense peak of one GPU. [FLOP/s]
    gpu_s : float
        GPU time held. [GPU-s]

    Returns
    -------
    float or None
        None where no GPU was held. [-]

    References
    ----------
    .. [1] Chowdhery et al., "PaLM: scaling language modeling with pathways", 2022,
       appendix B.

    Examples
    --------
    >>> mfu(1.56e14, 3.12e14, 1.0)
    0.5
    """
    return ratio(flops, peak_flops * gpu_s)


def slowdown(turnaround_s: float, service_s: float) -> float:
    """Bounded slowdown of a job: time in the system over time in service.

    Parameters
    ----------
    turnaround_s : float
        Finish minus arrival. [s]
    service_s : float
        Time spent holding GPUs; taken as at least 10 s so that tiny jobs do not rule
        the statistics. [s]

    Returns
    -------
    float
        At least 1. [-]

    Raises
    ------
    ParameterError
        If a time is negative.

    References
    ----------
    .. [1] Feitelson and Rudolph, "Metrics and benchmarking for parallel job
       scheduling", JSSPP 1998.

    Examples
    --------
    >>> slowdown(200.0, 100.0), slowdown(20.0, 1.0), slowdown(2.0, 1.0)
    (2.0, 2.0, 1.0)
    """
    require(turnaround_s >= 0.0, "turnaround_s", turnaround_s, ">= 0 s")
    require(service_s >= 0.0, "service_s", service_s, ">= 0 s")
    return max(1.0, turnaround_s / max(service_s, SLOWDOWN_BOUND_S))


def free_cooling_fraction(free_s: float, total_s: float) -> float | None:
    """Share of the time in which no compressor ran.

    Examples
    --------
    >>> free_cooling_fraction(1800.0, 3600.0)
    0.5
    """
    return ratio(free_s, total_s)
