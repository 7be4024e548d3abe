"""What a job loses that is spread over the leaves of a fabric."""

from __future__ import annotations

from twin.errors import require


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
