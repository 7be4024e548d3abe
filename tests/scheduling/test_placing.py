"""Which servers a rule picks, by hand and against every choice there is."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.desk import ToyServer, desk, job, play
from twin.cluster.cluster import Cluster
from twin.cluster.free import FreeServers
from twin.cluster.placing import rule
from twin.errors import ConfigError
from twin.scheduling.easy import EasyBackfill

LEAF_OF = [0, 0, 0, 1, 1, 1, 2, 2, 2]
RULES = ["pack", "spread", "topology", "power_headroom", "thermal"]


def racks_of_three():
    """Return nine toy servers (100 W idle, 900 W busy) in racks that are also the leaves."""
    return Cluster(ToyServer(), 72, 3)


def seat(name, free, gpus, size=8):
    return rule(name, racks_of_three(), LEAF_OF)(FreeServers(free, size), gpus)


def test_an_unknown_rule_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"placement='topologie'.*topology"):
        rule("topologie", racks_of_three(), LEAF_OF)


def test_pack_takes_the_lowest_numbers_across_leaves():
    assert seat("pack", [0, 8, 8, 8, 8, 8, 8, 8, 8], 24).whole == [1, 2, 3]


def test_topology_takes_the_tightest_leaf_that_holds_the_gang():
    # Leaf 0 has two whole servers free, leaves 1 and 2 three: 16 GPUs go to leaf 0, 24 to leaf 1.
    free = [0, 8, 8, 8, 8, 8, 8, 8, 8]
    assert seat("topology", free, 16).whole == [1, 2]
    assert seat("topology", free, 24).whole == [3, 4, 5]


def test_topology_fills_the_emptiest_leaves_where_none_holds_the_gang():
    # 32 GPUs: three servers of leaf 1, then the tightest leaf that holds the last: leaf 0.
    assert seat("topology", [0, 8, 8, 8, 8, 8, 8, 8, 8], 32).whole == [1, 3, 4, 5]


def test_topology_keeps_the_rest_on_a_leaf_in_use():
    # 20 GPUs: two servers and 4 GPUs. Leaf 0 has a part of 6 free, leaf 1 none but a third
    # server: both hold the gang; leaf 0 is the tighter.
    placement = seat("topology", [6, 8, 8, 8, 8, 8, 0, 0, 4], 20)
    assert (placement.whole, placement.part_server) == ([1, 2], 0)


def test_spread_goes_to_the_emptiest_rack_each_time():
    # Racks 0, 1, 2 have 8, 24, 16 GPUs free: rack 1 (16 left), then rack 1 again (a tie goes
    # to the lower number), then rack 2.
    assert seat("spread", [0, 0, 8, 8, 8, 8, 0, 8, 8], 24).whole == [3, 4, 7]
    # A part: rack 1 has most free, and there the tightest server that holds it.
    assert seat("spread", [0, 0, 4, 8, 5, 8, 8, 0, 0], 4).part_server == 4


def least_leaves(free, gpus):
    """Fewest leaves of any seat there is, by trying all sets of leaves."""
    full, rest = divmod(gpus, 8)
    for number in (1, 2, 3):
        for leaves in combinations(range(3), number):
            servers = [n for n, leaf in zip(free, LEAF_OF, strict=True) if leaf in leaves]
            whole = servers.count(8)
            part = sum(n >= rest for n in servers) > full if rest else True
            if whole >= full and part:
                return number
    return None


frees = st.lists(st.sampled_from([0, 0, 2, 5, 8, 8, 8]), min_size=9, max_size=9)


@given(free=frees, gpus=st.integers(1, 72))
@settings(max_examples=400)
def test_topology_crosses_as_few_leaves_as_any_seat_could(free, gpus):
    placement = seat("topology", free, gpus)
    least = least_leaves(free, gpus)
    if least is None:
        assert placement is None
    else:
        assert len({LEAF_OF[server] for server in placement.servers()}) == least


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_every_rule_seats_whoever_fits_and_only_on_what_is_free(name, seed):
    rng = random.Random(seed)
    free = FreeServers([8] * 8 + [3], 8)
    choose = rule(name, racks_of_three(), LEAF_OF)
    held = []
    for _ in range(50):
        gpus = rng.randint(1, 40)
        placement = choose(free, gpus)
        assert (placement is not None) == free.fits(gpus)
        if placement is not None and rng.random() < 0.7:
            assert placement.gpus() == gpus
            assert placement.whole == sorted(set(placement.whole))
            assert placement.part_server not in placement.whole
            free.take(placement)
            held.append(placement)
            assert min(free.free) >= 0
        elif held:
            free.give(held.pop(rng.randrange(len(held))))
        assert free.gpus == sum(free.free)


# ---- by watts ----


def warm(name, racks_w, gpus, branches=(0, 0, 0)):
    """Return where a gang sits among free servers whose racks draw so much."""
    cluster = racks_of_three()
    choose = rule(name, cluster, LEAF_OF)
    cluster.power.watched_w[:] = racks_w
    cluster.branch_of[:] = branches
    return choose(FreeServers([8] * 9, 8), gpus)


def test_power_headroom_fills_the_rack_that_draws_least_at_each_moment():
    """900, 300 and 1000 W: the middle rack takes one (1100), then the first (1700), ..."""
    assert warm("power_headroom", [900.0, 300.0, 1000.0], 8).whole == [3]
    assert warm("power_headroom", [900.0, 300.0, 1000.0], 24).whole == [0, 3, 6]


def test_power_headroom_takes_the_branch_of_the_feed_that_draws_least():
    assert warm("power_headroom", [2000.0, 500.0, 2200.0], 16, (0, 1, 1)).whole == [3, 4]
    assert warm("power_headroom", [900.0, 500.0, 2200.0], 8, (0, 1, 1)).whole == [0]


@pytest.mark.parametrize("name", ["power_headroom", "thermal"])
def test_the_row_that_draws_least_comes_before_the_rack_that_does(name):
    """Rows of 800 and 700 W on the mean: the second, though its racks are not the coolest."""
    cluster = racks_of_three()
    choose = rule(name, cluster, LEAF_OF)
    cluster.row_of[:] = (0, 0, 1)
    cluster.power.watched_w[:] = [200.0, 1400.0, 700.0]
    assert choose(FreeServers([8] * 9, 8), 8).whole == [6]
    assert choose(FreeServers([8] * 9, 8), 16).whole == [0, 6], "by then it draws 1500 W"


def test_thermal_minds_the_neighbours():
    """Means with neighbours: 600, 733 and 950 W, so the warmer first rack takes it."""
    assert warm("thermal", [300.0, 900.0, 1000.0], 8).whole == [0]
    assert warm("thermal", [900.0, 300.0, 2000.0], 8).whole == [0]
    assert warm("power_headroom", [900.0, 300.0, 2000.0], 8).whole == [3]


def test_thermal_leaves_racks_in_warm_air_for_the_last():
    cluster = racks_of_three()
    cluster.draw_warm([4.0, 2.0, 0.0])
    choose = rule("thermal", cluster, LEAF_OF)
    cluster.power.watched_w[:] = [100.0, 300.0, 900.0]
    assert choose(FreeServers([8] * 9, 8), 32).whole == [3, 6, 7, 8]


def test_part_of_a_server_goes_to_the_tightest_one_of_the_coolest_rack():
    cluster = racks_of_three()
    choose = rule("thermal", cluster, LEAF_OF)
    cluster.power.watched_w[:] = [900.0, 900.0, 300.0]
    placement = choose(FreeServers([8, 8, 8, 8, 8, 8, 8, 4, 6], 8), 4)
    assert (placement.part_server, placement.part_gpus) == (7, 4)


@pytest.mark.parametrize("placement", ["power_headroom", "thermal"])
def test_what_a_rule_sees_of_racks_is_what_they_draw(placement):
    dispatcher = desk(EasyBackfill(placement=placement), 6)
    rows = [(0, 8, 100), (3, 12, 50), (9, 20, 70), (11, 3, 20), (60, 8, 40)]
    jobs = [job(str(i), at, gpus, work) for i, (at, gpus, work) in enumerate(rows)]
    for stop in (1, 10, 40, 70, 200):
        play(dispatcher, jobs if stop == 1 else [], until_s=stop)
        dispatcher.cluster.power.take_beat(stop)
        dispatcher.cluster.power.take_racks()
        seen_w = dispatcher.cluster.power.watched_w
        assert seen_w == dispatcher.cluster.power.watch()
        assert sum(seen_w) == dispatcher.cluster.power.total_w
    assert dispatcher.cluster.power.watched_w == [100.0] * 6
