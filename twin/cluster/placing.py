"""Where among the free servers a gang sits: a rule is a function of who is free.

Every rule seats a gang as :mod:`twin.cluster.free` says gangs are seated (whole servers and
at most one server in part), and seats it whenever it fits; rules differ in *which* servers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from twin.cluster.free import FreeServers
from twin.errors import ConfigError, suggest
from twin.records import Placement

if TYPE_CHECKING:
    from twin.cluster.cluster import Cluster

Rule = Callable[[FreeServers, int], Placement | None]
"""``(free, gpus) -> placement``, None where the gang does not fit; takes nothing."""

Groups = dict[int, list[int]]
"""Free servers by rack or by leaf, in order of number."""


def rule(name: str, cluster: Cluster, leaf_of: Sequence[int]) -> Rule:
    """Return the rule called *name*, as in the configuration of a scheduling policy.

    Parameters
    ----------
    name : str
        ``pack``, ``spread``, ``topology``, ``power_headroom`` or ``thermal``.
    cluster : Cluster
        Whose racks the servers stand in.
    leaf_of : sequence of int
        Leaf of each server.

    Raises
    ------
    ConfigError
        If there is no such rule.
    """
    rules: dict[str, Rule] = {
        "pack": FreeServers.pack,
        "spread": partial(spread, cluster.rack_of),
        "topology": partial(topology, leaf_of),
        "power_headroom": partial(by_power, cluster, most_headroom),
        "thermal": partial(by_power, cluster, coolest),
    }
    if name not in rules:
        raise ConfigError(f"scheduling.placement={name!r}: {suggest(name, rules)}")
    if name in ("power_headroom", "thermal"):
        cluster.power.watch()
    return rules[name]


Warmth = Callable[["Cluster", Sequence[float], int], tuple[float, ...]]
"""``(cluster, rack power [W], rack) -> key``: racks of a lower key are filled first."""


def most_headroom(cluster: Cluster, rack_w: Sequence[float], rack: int) -> tuple[float, ...]:
    """Rank a rack by what it draws: racks are rated alike, so who draws least has most left."""
    return (rack_w[rack],)


def coolest(cluster: Cluster, rack_w: Sequence[float], rack: int) -> tuple[float, ...]:
    """Rank a rack by the air it draws, then by its heat and its neighbours', breathed in part."""
    near = rack_w[max(0, rack - 1) : rack + 2]
    rise_k = cluster.power.fans.rise_k[rack] if cluster.power.fans is not None else 0.0
    return rise_k, sum(near) / len(near), rack_w[rack]


def by_power(cluster: Cluster, warmth: Warmth, free: FreeServers, gpus: int) -> Placement | None:
    """Seat one server after another in the rack that ranks lowest at that moment.

    Branches of the feed come first, then rows: those whose racks draw least on the mean. Each
    seated server counts with its full power. The part goes to the tightest server of such a rack.
    """
    if not free.fits(gpus):
        return None
    seats = _PowerSeats(cluster, warmth)
    full, rest = divmod(gpus, free.size)
    whole = _grouped(free.whole, cluster.rack_of)
    taken = seats.take(whole, full)
    placement = Placement(sorted(taken), free.size)
    if rest:
        left = [server for servers in whole.values() for server in servers]
        able = [*left, *(server for servers in free.parts[rest:] for server in servers)]
        rack_of = cluster.rack_of
        placement.part_server = min(
            able, key=lambda server: (seats.key(rack_of[server]), free.free[server], server)
        )
        placement.part_gpus = rest
    return placement


class _PowerSeats:
    """Rack powers as they will be once a gang is seated, and who ranks lowest.

    References
    ----------
    .. [1] US patent application 2026/0186818, "Thermal and power aware virtual machine placement":
       rows with power left and aisles with air left first, then servers in these.
    """

    def __init__(self, cluster: Cluster, warmth: Warmth) -> None:
        watched_w = cluster.power.watched_w
        assert watched_w is not None, "rack power is watched where it is looked at"
        self._cluster, self._warmth = cluster, warmth
        self._rack_w = list(watched_w)
        self._branches = _Means(cluster.branch_of, watched_w)
        self._rows = _Means(cluster.row_of, watched_w)
        # Where rows are not looked at each rack is one, and ranks as a rack ranks.
        self._by_row = cluster.row_of[-1] + 1 < len(cluster.row_of)
        server = cluster.server
        self._step_w = server.power_w(1.0)[0] - server.power_w(0.0)[0]

    def key(self, rack: int) -> tuple[float, ...]:
        """Return the rank of *rack*: its branch, its row where rows are known, then itself."""
        own = self._warmth(self._cluster, self._rack_w, rack)
        rows = (self._rows.of(rack),) if self._by_row else ()
        return (self._branches.of(rack), *rows, *own, rack)

    def take(self, whole: Groups, number: int) -> list[int]:
        """Take *number* servers out of *whole*, rack by rack."""
        heap = [(self.key(rack), rack) for rack in whole]
        heapify(heap)
        taken: list[int] = []
        while len(taken) < number:
            key, rack = heappop(heap)
            if not whole[rack]:
                continue
            now = self.key(rack)
            if now != key:  # a branch or a neighbour has filled since: powers only rise
                heappush(heap, (now, rack))
                continue
            taken.append(whole[rack].pop(0))
            self._rack_w[rack] += self._step_w
            self._branches.add(rack, self._step_w)
            self._rows.add(rack, self._step_w)
            heappush(heap, (self.key(rack), rack))
        return taken


class _Means:
    """What the racks of each group draw on the mean."""

    def __init__(self, group_of: Sequence[int], rack_w: Sequence[float]) -> None:
        self._group_of = group_of
        self._sum_w: dict[int, float] = defaultdict(float)
        self._racks = Counter(group_of)
        for group, each_w in zip(group_of, rack_w, strict=True):
            self._sum_w[group] += each_w

    def of(self, rack: int) -> float:
        """Return the mean of the group of *rack* [W]."""
        group = self._group_of[rack]
        return self._sum_w[group] / self._racks[group]

    def add(self, rack: int, more_w: float) -> None:
        """Count *more_w* in *rack* [W]."""
        self._sum_w[self._group_of[rack]] += more_w


def spread(rack_of: Sequence[int], free: FreeServers, gpus: int) -> Placement | None:
    """Seat one server after another in the rack that has most GPUs free at that moment.

    Within a rack the tightest server takes the part, the lowest number decides a tie.

    Examples
    --------
    Six servers of 8 GPUs, two to a rack; server 0 is held.

    >>> free = FreeServers([0, 8, 8, 8, 8, 8], 8)
    >>> spread([0, 0, 1, 1, 2, 2], free, 24).whole
    [1, 2, 4]
    """
    if not free.fits(gpus):
        return None
    full, rest = divmod(gpus, free.size)
    whole = _grouped(free.whole, rack_of)
    room: dict[int, int] = defaultdict(int)
    for rack, servers in whole.items():
        room[rack] += len(servers) * free.size
    for part_free, servers in enumerate(free.parts):
        for server in servers:
            room[rack_of[server]] += part_free
    taken = []
    for _ in range(full):
        rack = max((rack for rack in whole if whole[rack]), key=lambda r: (room[r], -r))
        taken.append(whole[rack].pop(0))
        room[rack] -= free.size
    placement = Placement(sorted(taken), free.size)
    if rest:
        left = [server for servers in whole.values() for server in servers]
        able = [*left, *(server for servers in free.parts[rest:] for server in servers)]
        placement.part_server = min(
            able, key=lambda server: (-room[rack_of[server]], free.free[server], server)
        )
        placement.part_gpus = rest
    return placement


def topology(leaf_of: Sequence[int], free: FreeServers, gpus: int) -> Placement | None:
    """Seat a gang on as few leaves as there can be.

    A leaf that holds all of it, the one with fewest whole servers free; else the leaf with
    most whole servers free, and so on with what is left. A gang smaller than a server
    crosses nothing and is packed.

    Examples
    --------
    Eight servers of 8 GPUs, three to a leaf (the last has two); server 1 is held.

    >>> free = FreeServers([8, 0, 8, 8, 8, 8, 8, 8], 8)
    >>> topology([0, 0, 0, 1, 1, 1, 2, 2], free, 24).whole
    [3, 4, 5]
    """
    full, rest = divmod(gpus, free.size)
    if full == 0:
        return free.pack(gpus)
    if not free.fits(gpus):
        return None
    whole = _grouped(free.whole, leaf_of)
    parts = _tightest(free, rest, leaf_of) if rest else {}
    taken, leaves = _fill(whole, parts, full, rest)
    placement = Placement(sorted(taken), free.size)
    if rest:
        spare = set(free.whole).difference(taken)
        placement.part_server = _part_server(free, leaf_of, leaves, spare, parts)
        placement.part_gpus = rest
    return placement


def _grouped(servers: list[int], group_of: Sequence[int]) -> Groups:
    groups: Groups = {}
    for server in servers:
        groups.setdefault(group_of[server], []).append(server)
    return groups


def _tightest(free: FreeServers, rest: int, leaf_of: Sequence[int]) -> dict[int, int]:
    """Return for each leaf the tightest partly free server that holds *rest* GPUs."""
    found: dict[int, int] = {}
    for servers in free.parts[rest:]:
        for server in servers:
            found.setdefault(leaf_of[server], server)
    return found


def _fill(whole: Groups, parts: dict[int, int], full: int, rest: int) -> tuple[list[int], set[int]]:
    """Return *full* whole servers on the fewest leaves that also hold the rest, and the leaves."""
    taken: list[int] = []
    leaves: set[int] = set()
    seated = rest == 0  # whether the rest has a partly free server on a leaf already used
    while len(taken) < full:
        left = full - len(taken)

        def holds(leaf: int, left: int = left, seated: bool = seated) -> bool:
            room = len(whole[leaf])
            return room > left or (room == left and (seated or leaf in parts))

        able = [leaf for leaf in whole if holds(leaf)]
        if able:
            leaf = min(able, key=lambda each: (len(whole[each]), each not in parts, each))
        else:
            leaf = max(whole, key=lambda each: (len(whole[each]), each in parts, -each))
        taken += whole.pop(leaf)[:left]
        leaves.add(leaf)
        seated = seated or leaf in parts
    return taken, leaves


def _part_server(
    free: FreeServers,
    leaf_of: Sequence[int],
    leaves: set[int],
    spare: set[int],
    parts: dict[int, int],
) -> int:
    """Return the server for the rest: tight and on a leaf in use, if there is such a one."""
    beside = [parts[leaf] for leaf in leaves if leaf in parts]
    beside = beside or [server for server in spare if leaf_of[server] in leaves]
    elsewhere = beside or list(parts.values()) or list(spare)
    return min(elsewhere, key=lambda server: (free.free[server], server))
