r"""Times of collective communication: latency per message plus bytes over bandwidth.

All functions share one model (Hockney): a message of *n* bytes takes
:math:`\alpha + n/B`. Bandwidths are what one GPU can send in one direction while it
receives as much; contention is the caller's, who passes the bandwidth that is left.
A group of one communicates nothing and takes no time.
"""

from __future__ import annotations

import math

from twin.errors import require


def _check(ranks: float, size_bytes: float, bytes_per_s: float, latency_s: float) -> None:
    require(ranks >= 1, "ranks", ranks, ">= 1")
    require(size_bytes >= 0, "size_bytes", size_bytes, ">= 0")
    require(bytes_per_s > 0, "bytes_per_s", bytes_per_s, "> 0")
    require(latency_s >= 0, "latency_s", latency_s, ">= 0")


def send_s(size_bytes: float, bytes_per_s: float, latency_s: float = 0.0) -> float:
    r"""Time of one message, :math:`\alpha + n/B`.

    Parameters
    ----------
    size_bytes : float
        Message, >= 0. [B]
    bytes_per_s : float
        Bandwidth, > 0. [B/s]
    latency_s : float
        Start-up time of a message. [s]

    Returns
    -------
    float
        Time from the first byte sent to the last received. [s]

    Examples
    --------
    >>> send_s(1e9, 50e9)
    0.02
    """
    _check(1, size_bytes, bytes_per_s, latency_s)
    return latency_s + size_bytes / bytes_per_s


def ring_reduce_scatter_s(
    ranks: int, size_bytes: float, bytes_per_s: float, latency_s: float = 0.0
) -> float:
    r"""Time of a ring reduce-scatter, which an all-gather takes as well.

    .. math:: t = (p-1)\,\alpha + \frac{p-1}{p}\,\frac{n}{B}

    Parameters
    ----------
    ranks : int
        Members of the ring, >= 1.
    size_bytes : float
        Buffer held by each member before (all-gather: after) the operation. [B]
    bytes_per_s : float
        Bandwidth of a member, one direction, > 0. [B/s]
    latency_s : float
        Start-up time of a message. [s]

    Returns
    -------
    float
        Time. [s]

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective
       communication operations in MPICH", IJHPCA 19(1), 2005.

    Examples
    --------
    >>> ring_reduce_scatter_s(4, 8e9, 1e9)
    6.0
    """
    _check(ranks, size_bytes, bytes_per_s, latency_s)
    return (ranks - 1) * latency_s + (ranks - 1) / ranks * size_bytes / bytes_per_s


def ring_all_reduce_s(
    ranks: int, size_bytes: float, bytes_per_s: float, latency_s: float = 0.0
) -> float:
    r"""Time of a ring all-reduce: a reduce-scatter, then an all-gather.

    .. math:: t = 2(p-1)\,\alpha + 2\,\frac{p-1}{p}\,\frac{n}{B}

    Parameters
    ----------
    ranks : int
        Members of the ring, >= 1.
    size_bytes : float
        Buffer of each member. [B]
    bytes_per_s : float
        Bandwidth of a member, one direction, > 0. [B/s]
    latency_s : float
        Start-up time of a message. [s]

    Returns
    -------
    float
        Time. [s]

    References
    ----------
    .. [1] P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for
       clusters of workstations", JPDC 69(2), 2009.

    Examples
    --------
    >>> ring_all_reduce_s(4, 8e9, 1e9)
    12.0
    """
    return 2.0 * ring_reduce_scatter_s(ranks, size_bytes, bytes_per_s, latency_s)


def all_to_all_s(
    ranks: int, size_bytes: float, bytes_per_s: float, latency_s: float = 0.0
) -> float:
    r"""Time of an all-to-all in which each member sends an equal part to every other.

    .. math:: t = (p-1)\,\alpha + \frac{p-1}{p}\,\frac{n}{B}

    Parameters
    ----------
    ranks : int
        Members, >= 1.
    size_bytes : float
        Buffer of each member, its own part included. [B]
    bytes_per_s : float
        Bandwidth of a member, one direction, > 0. [B/s]
    latency_s : float
        Start-up time of a message. [s]

    Returns
    -------
    float
        Time. [s]

    Examples
    --------
    >>> all_to_all_s(4, 8e9, 1e9)
    6.0
    """
    return ring_reduce_scatter_s(ranks, size_bytes, bytes_per_s, latency_s)


def hierarchical_all_reduce_s(
    ranks: int,
    ranks_per_node: int,
    size_bytes: float,
    *,
    node_bytes_per_s: float,
    fabric_bytes_per_s: float,
    node_latency_s: float = 0.0,
    fabric_latency_s: float = 0.0,
) -> float:
    r"""Time of an all-reduce that reduces inside each node first.

    Reduce-scatter over the *g* members of a node, ring all-reduce of each part over
    the *p/g* nodes, all-gather in the node:

    .. math:: t = t_{ring}(g, n, B_{node}) + t_{ring}(p/g, n/g, B_{fabric})

    Members that do not fill the nodes they need sit there as evenly as they can. The node
    with most of them is the slowest inside, the one with fewest has the fewest ways out.

    Parameters
    ----------
    ranks : int
        All members, >= 1.
    ranks_per_node : int
        Members that one node (or scale-up domain) has room for, >= 1.
    size_bytes : float
        Buffer of each member. [B]
    node_bytes_per_s, fabric_bytes_per_s : float
        Bandwidth of a member inside the node and into the fabric, > 0. [B/s]
    node_latency_s, fabric_latency_s : float
        Start-up time of a message there. [s]

    Returns
    -------
    float
        Time. [s]

    Examples
    --------
    1 GB over 1024 GPUs in nodes of 8, against one flat ring over the NICs:

    >>> t = hierarchical_all_reduce_s(1024, 8, 1e9, node_bytes_per_s=450e9,
    ...     fabric_bytes_per_s=50e9, fabric_latency_s=3e-6)
    >>> round(1e3 * t, 1), round(1e3 * ring_all_reduce_s(1024, 1e9, 50e9, 3e-6))
    (9.6, 46)
    """
    require(ranks >= 1, "ranks", ranks, ">= 1")
    require(ranks_per_node >= 1, "ranks_per_node", ranks_per_node, ">= 1")
    nodes = math.ceil(ranks / ranks_per_node)
    most, fewest = math.ceil(ranks / nodes), ranks // nodes
    inside_s = ring_all_reduce_s(most, size_bytes, node_bytes_per_s, node_latency_s)
    across_s = ring_all_reduce_s(nodes, size_bytes / fewest, fabric_bytes_per_s, fabric_latency_s)
    return inside_s + across_s
