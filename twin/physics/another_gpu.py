"""How much faster work gets on another GPU: what binds it scales with what the GPU has of it."""

from __future__ import annotations

from twin.errors import require


def relative_speed(
    arithmetic: float, bandwidth: float, memory_fraction: float, comm_fraction: float = 0.0
) -> float:
    r"""Return how many times as fast work is on one GPU as on another.

    The time it takes on the second has three parts, one after the other: arithmetic, reading and
    writing memory, and communication that is not hidden. Each shrinks by what its own resource
    has more of, as in Amdahl's law; the fabric is the same.

    .. math:: \frac{1}{s} = (1 - c)\left(\frac{1 - m}{F/F_0} + \frac{m}{B/B_0}\right) + c

    Parameters
    ----------
    arithmetic : float
        Peak arithmetic of the first GPU over that of the second, F/F0, > 0. [-]
    bandwidth : float
        Memory bandwidth of the first over that of the second, B/B0, > 0. [-]
    memory_fraction : float
        Share m of the time on the second, communication left out, that memory binds, 0-1. [-]
    comm_fraction : float
        Share c of the time on the second spent in communication that is not hidden, 0-1. [-]

    Returns
    -------
    float
        The speed, between 1 and the larger ratio, or the smaller; exactly 1 for equal GPUs. [-]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Notes
    -----
    Left out: another precision (FP8), software tuned to one of the two, memory that takes a
    larger batch, links, host and storage that bind. Fitted to whole trainings, m stands for all
    of that which grew as little as memory did.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance
       model for multicore architectures", Commun. ACM 52(4), 2009: either arithmetic or memory
       binds.
    .. [2] G. M. Amdahl, "Validity of the single processor approach to achieving large scale
       computing capabilities", AFIPS, 1967.

    Examples
    --------
    H100 beside A100, 989 to 312 TFLOPS and 3.35 to 2.039 TB/s:

    >>> round(relative_speed(989 / 312, 3.35 / 2.039, memory_fraction=0.64), 3)
    1.988
    >>> round(relative_speed(989 / 312, 3.35 / 2.039, 0.64, comm_fraction=0.15), 3)
    1.731
    >>> relative_speed(1.0, 1.0, memory_fraction=0.64)
    1.0
    """
    require(arithmetic > 0.0, "arithmetic", arithmetic, "> 0")
    require(bandwidth > 0.0, "bandwidth", bandwidth, "> 0")
    require(0.0 <= memory_fraction <= 1.0, "memory_fraction", memory_fraction, "in 0..1")
    require(0.0 <= comm_fraction <= 1.0, "comm_fraction", comm_fraction, "in 0..1")
    bound = (1.0 - memory_fraction) / arithmetic + memory_fraction / bandwidth
    return 1.0 / ((1.0 - comm_fraction) * bound + comm_fraction)
