"""What a job loses that is spread over the leaves of a fabric."""

from __future__ import annotations

from collections.abc import Iterable

from twin.errors import require


def outlasting_fraction(hidden: Iterable[tuple[float, float]], longer: float) -> float:
    r"""Time by which hidden communication outlasts what it hides behind, if it takes longer.

    .. math:: \sum_i \max(0, h_i (1 + d) - c_i) - \max(0, h_i - c_i)

    Parameters
    ----------
    hidden : iterable of (float, float)
        Communication :math:`h_i` at full bandwidth, and work :math:`c_i` it hides behind, over
        step time. [-]
    longer : float
        How much longer it takes, *d*, over its time at full bandwidth, >= 0. [-]

    Returns
    -------
    float
        Over step time; what is not hidden at full bandwidth is in the step already. [-]

    Examples
    --------
    A fifth of a step that hides behind half of it takes four times as long:

    >>> round(outlasting_fraction([(0.2, 0.5)], longer=3.0), 3)
    0.3
    """
    each = (max(0.0, h * (1.0 + longer) - c) - max(0.0, h - c) for h, c in hidden)
    return sum(each)


def spanning_rate(comm_fraction: float, leaves: int, stretch: float) -> float:
    r"""Rate of a job whose traffic partly crosses leaves.

    With traffic spread evenly over its leaves a share :math:`1 - 1/L` crosses them and
    takes *stretch* times as long; the rest and the computing do not:

    .. math:: r = \frac{1}{1 + f\,(1 - 1/L)\,(s - 1)}

    Parameters
    ----------
    comm_fraction : float
        Exposed communication over step time at full bandwidth, 0-1. [-]
    leaves : int
        Leaves (or leaf groups) the job's servers hang on.
    stretch : float
        Time over time at full bandwidth of what crosses leaves, >= 1. [-]

    Returns
    -------
    float
        Rate 0-1; 1 on one leaf, falling with *stretch*, *leaves* and *comm_fraction*. [-]

    Raises
    ------
    ParameterError
        If *comm_fraction* is outside 0-1.

    Notes
    -----
    A ring that enters and leaves each leaf once loses less than this, an all-to-all
    of many small messages may lose more.

    Examples
    --------
    >>> spanning_rate(0.5, leaves=2, stretch=5.0)
    0.5
    """
    require(0.0 <= comm_fraction <= 1.0, "comm_fraction", comm_fraction, ">= 0 and <= 1")
    if leaves <= 1:
        return 1.0
    return 1.0 / (1.0 + comm_fraction * (1.0 - 1.0 / leaves) * (stretch - 1.0))
