"""What a gang loses on a fabric: alone by closed form, beside others never above capacity."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import fabrics
from tests.support.desk import job
from tests.support.max_min import max_min_rates
from twin.network.dragonfly import Dragonfly
from twin.network.gangs import Gangs
from twin.network.torus import Torus, torus_stretch
from twin.physics.sharing import spanning_rate
from twin.records import Placement


def load(name, servers, **changes):
    fabric = fabrics.load(name, **changes)
    fabric.size(servers, 8)
    return fabric


def seat(fabric, servers):
    """Return (leaves, placement) of a job on these servers."""
    leaf_of = fabric.leaf_of()
    return len({leaf_of[server] for server in servers}), Placement(sorted(servers), 8)


def by_group(fabric, servers):
    """Return how many of these servers hang on each group."""
    return Counter(map(fabric.group_of().__getitem__, servers))


def alone(fabric, comm, servers):
    return Gangs(fabric).join(job("one", 0, 8, 1), comm, *seat(fabric, servers))


# ---- alone ----


def test_a_job_that_fills_its_leaves_gets_one_over_the_oversubscription():
    """Half the traffic of two leaves crosses, at 1/7 of the bandwidth and 0.8 of that."""
    fabric = load("fat_tree_oversubscribed", 70)
    assert alone(fabric, 0.2, range(14)) == pytest.approx(1 / (1 + 0.2 * 0.5 * (7 / 0.8 - 1)))


def test_a_job_with_one_server_a_leaf_has_the_uplinks_to_itself():
    """Eight ports of one server on eight uplinks: only ECMP costs something."""
    fabric = load("fat_tree_oversubscribed", 70)
    assert alone(fabric, 0.2, [0, 7]) == pytest.approx(1 / (1 + 0.2 * 0.5 * (1 / 0.8 - 1)))


def test_what_a_job_hides_slows_it_where_it_outlasts_the_work_it_hides_behind():
    """Half of it crosses two full leaves, at a seventh of the bandwidth and 0.8 of that."""
    fabric = load("fat_tree_oversubscribed", 70)
    seat_of = seat(fabric, range(14))
    longer = 0.5 * (7 / 0.8 - 1)
    for cover in (0.9, 0.3):
        rate = Gangs(fabric).join(job("one", 0, 8, 1), 0.02, *seat_of, hidden=((0.1, cover),))
        more = max(0.0, 0.1 * (1 + longer) - cover)
        assert (more > 0.0) == (cover == 0.3)
        assert rate == pytest.approx(1 / (1 + 0.02 * longer + more))


def test_what_is_hidden_loads_links_as_well():
    fabric = load("fat_tree_oversubscribed", 14)
    means = []
    for exposed, hidden in ((0.4, ()), (0.1, ((0.3, 0.9),))):
        gangs, one = Gangs(fabric), job("one", 0, 8, 1)
        gangs.join(one, exposed, *seat(fabric, [0, 1, 7, 8]), hidden=hidden)
        work(gangs, one, 500.0)
        means.append(gangs.link_loads(1000.0)["leaf"]["mean_fraction"])
    assert means[0] == pytest.approx(means[1])


@pytest.mark.parametrize("contention", ["interleaved", "in_step"])
@pytest.mark.parametrize("name", fabrics.ALL)
def test_full_leaves_lose_what_the_closed_form_says(name, contention):
    fabric = load(name, 2000, contention=contention)
    size = fabric.leaf_of().count(0)
    for leaves in (1, 2, 5):
        servers = range(leaves * size)
        if isinstance(fabric, Torus):
            stretch = torus_stretch(leaves, fabric.routing_efficiency)
        elif isinstance(fabric, Dragonfly):
            links = fabric.links_per_pair * (fabric.groups - 1)
            stretch = max(1.0, 4 * 4 * 32 / links) / fabric.routing_efficiency
        else:
            down, up = size * fabric.nics_per_server, fabric.planes * fabric._ports[1]
            stretch = max(1.0, down / up) / fabric.ecmp_efficiency
        if len(servers) <= 2000:
            expected = spanning_rate(0.3, leaves, stretch)
            assert alone(fabric, 0.3, servers) == pytest.approx(expected)


@pytest.mark.parametrize("name", fabrics.ALL)
def test_spreading_over_more_full_leaves_never_helps(name):
    fabric = load(name, 2000)
    size = fabric.leaf_of().count(0)
    rates = [alone(fabric, 0.3, range(k * size)) for k in range(1, 2000 // size + 1)]
    assert rates[:1] == [1.0]
    assert rates == sorted(rates, reverse=True)


def test_two_full_leaves_have_one_of_the_spines_where_paths_are_not_spread():
    """Three leaves of 32 servers below two spines of each rail, half of the cables to each."""
    fabric = load("fat_tree", 96, routing="shortest_path")
    assert fabric.plane.spines == 2
    assert alone(fabric, 0.3, range(64)) == pytest.approx(spanning_rate(0.3, 2, 2.0))
    # 0-1 and 1-2 meet on the second spine, 0-2 has the first: leaf 1 has the same half for both.
    assert alone(fabric, 0.3, range(96)) == pytest.approx(spanning_rate(0.3, 3, 2.0))
    # A quarter of each leaf fits the half; no flow is hashed, so nothing is lost to collisions.
    assert alone(fabric, 0.3, [*range(8), *range(32, 40)]) == 1.0


@pytest.mark.parametrize("servers", [96, 3000])  # two tiers, and three
def test_one_path_for_each_pair_helps_no_gang_that_needs_its_cables(servers):
    ecmp = load("fat_tree", servers, ecmp_efficiency=1.0)
    pinned = load("fat_tree", servers, routing="shortest_path")
    for leaves in range(2, 1 + servers // 32):
        full = range(32 * leaves)
        assert alone(pinned, 0.3, full) <= alone(ecmp, 0.3, full)


def test_a_lost_spine_leaves_pinned_paths_a_way_round():
    fabric = load("fat_tree", 96, routing="shortest_path")
    fabric.set_broken("spine_switch", [0])
    assert 0.0 < alone_when_broken(fabric, 0.3, range(64)) < spanning_rate(0.3, 2, 2.0)


def test_goodput_falls_as_oversubscription_grows():
    rates = [
        alone(load("fat_tree", 256, oversubscription=float(r)), 0.3, range(256))
        for r in (1, 2, 4, 8)
    ]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 4


def test_a_dragonfly_with_few_global_links_loses_more():
    rates = [
        alone(load("dragonfly", 1000, global_links_per_router=links), 0.3, range(512))
        for links in (16, 8, 4)
    ]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 3


# ---- beside others ----


@st.composite
def crowds(draw):
    """Return a fabric's name and gangs that hold different servers: (servers, communication)."""
    name = draw(st.sampled_from(fabrics.ALL))
    servers = draw(st.permutations(range(100)))
    comm = st.floats(0.01, 0.9)
    sizes = draw(st.lists(st.tuples(st.integers(2, 30), comm), min_size=1, max_size=20))
    gangs, first = [], 0
    for size, fraction in sizes:
        gangs.append((servers[first : first + size], fraction))
        first += size
    return name, [gang for gang in gangs if len(gang[0]) > 1]


def many(name, **changes):
    """Return a fabric with short links between small leaves."""
    small = {
        "dragonfly": {"endpoints_per_router": 4, "routers_per_group": 8},
        "torus": {"block_side": 2},
        "nvl72": {"servers_per_domain": 6},
    }.get(name, {"radix": 16, "oversubscription": 7.0})
    if name == "dragonfly":
        small["global_links_per_router"] = 2
    if name == "nvl72":
        small |= {"radix": 16, "oversubscription": 3.0}
    return load(name, 100, **small, **changes)


@given(crowds(), st.sampled_from(["interleaved", "in_step"]), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_no_link_ever_carries_more_than_it_can_and_rates_are_max_min_fair(crowd, how, chance):
    name, members = crowd
    fabric = many(name, contention=how)
    gangs, factors, there = Gangs(fabric), {}, {}
    for number, (servers, comm) in enumerate(members):
        one = job(str(number), 0, 8, 1)
        leaves, placement = seat(fabric, servers)
        factors[one] = gangs.join(one, comm, leaves, placement)
        there[one] = (comm, leaves, placement)
        if chance.random() < 0.2:
            gone = chance.choice(list(there))
            gangs.leave(gone)
            del there[gone], factors[gone]
    for unit, machines in fabric.units().items():
        if machines and chance.random() < 0.5:
            broken = chance.sample(range(machines), chance.randint(1, min(machines, 6)))
            fabric.set_broken(unit, broken)
    factors |= gangs.rewire()
    capacity, used = fabric.capacity(), {}
    flows = []
    for one, (comm, leaves, placement) in there.items():
        assert 0.0 <= factors[one] <= 1.0
        share = comm * (1.0 - 1.0 / leaves)
        route = fabric.route(by_group(fabric, placement.whole)) if leaves > 1 else {}
        for link, load in route.items():
            used[link] = used.get(link, 0.0) + share * load * factors[one]
        if how == "interleaved" and leaves > 1:
            single = Gangs(fabric)
            single.join(one, comm, leaves, placement)
            most = single.rewire()[one]
            assert factors[one] <= most * (1 + 1e-9)
            flows.append((one, {link: share * load for link, load in route.items()}, most))
    for link, load in used.items():
        assert load <= capacity[link] * (1 + 1e-6)
    fair = max_min_rates([each[1] for each in flows], capacity, [each[2] for each in flows])
    assert [factors[each[0]] for each in flows] == pytest.approx(fair, rel=1e-6, abs=1e-9)


def test_two_jobs_in_step_share_the_uplinks_of_a_leaf_by_hand():
    """Two servers each on both leaves: 32 ports on 8 uplinks at 0.8, for 0.2 of a step."""
    fabric = load("fat_tree_oversubscribed", 14, contention="in_step")
    gangs = Gangs(fabric)
    pair = [job("a", 0, 8, 1), job("b", 0, 8, 1)]
    first = [gangs.join(each, 0.4, *seat(fabric, [0, 1, 7, 8])) for each in pair]
    assert first == pytest.approx([1 / (1 + 0.2 * (2 / 0.8 - 1))] * 2)
    assert list(gangs.share().values()) == pytest.approx([1 / (1 + 0.2 * (4 / 0.8 - 1))] * 2)
    gangs.leave(pair[0])
    assert gangs.share() == {pair[1]: pytest.approx(first[0])}


def test_interleaved_jobs_share_only_what_their_mean_loads_exceed():
    """Three servers each, 0.5 of a step on the links: 24 ports x 0.5 x rate, twice, on 6.4."""
    fabric = load("fat_tree_oversubscribed", 14)
    gangs = Gangs(fabric)
    pair = [job("a", 0, 8, 1), job("b", 0, 8, 1)]
    first = [gangs.join(each, 1.0, *seat(fabric, [0, 1, 2, 7, 8, 9])) for each in pair]
    assert first == pytest.approx([1 / (1 + 0.5 * (3 / 0.8 - 1))] * 2)
    assert list(gangs.share().values()) == pytest.approx([6.4 / (2 * 24 * 0.5)] * 2)


def test_a_non_blocking_fabric_has_no_contention():
    fabric = load("fat_tree", 96, contention="in_step")
    gangs = Gangs(fabric)
    for i in range(48):
        gangs.join(job(str(i), 0, 16, 1), 0.9, *seat(fabric, [i, 95 - i]))
    assert not gangs.links.stale


# ---- what breaks ----


def test_losing_half_the_spines_halves_what_goes_up():
    fabric = load("fat_tree", 256)
    whole = fabric.capacity()
    spines = fabric.units()["spine_switch"]
    fabric.set_broken("spine_switch", range(0, spines, 2))
    assert fabric.capacity() == pytest.approx({link: room / 2 for link, room in whole.items()})
    assert fabric.cut_off() == set()
    fabric.set_broken("spine_switch", [])
    assert fabric.capacity() == whole


def test_a_lost_cable_is_not_lost_again_with_its_spine():
    fabric = load("fat_tree_oversubscribed", 14)
    lone = fabric.capacity()["leaf", 0]
    fabric.set_broken("link", [0])
    assert fabric.capacity()["leaf", 0] == pytest.approx(lone * 7 / 8)
    fabric.set_broken("spine_switch", [fabric._ends(0)[1]])
    assert fabric.units()["spine_switch"] == 1
    assert fabric.capacity() == {("leaf", 0): 0.0, ("leaf", 1): 0.0}
    assert alone_when_broken(fabric, 0.1, [0, 7]) == 0.0


def alone_when_broken(fabric, comm, servers):
    gangs, one = Gangs(fabric), job("one", 0, 8, 1)
    gangs.join(one, comm, *seat(fabric, servers))
    return gangs.rewire()[one]


def test_the_loss_of_a_rail_slows_whoever_hangs_on_it():
    """Seven of eight rails: all communication of a job on that leaf takes 8/7 as long."""
    fabric = load("fat_tree", 96)
    fabric.set_broken("leaf_switch", [0])
    assert fabric.cut_off() == set()
    assert fabric.port_shares() == {0: 7 / 8}
    assert alone_when_broken(fabric, 0.2, [0, 1]) == pytest.approx(1 / (1 + 0.2 / 7))
    both = 1 + 0.2 * 0.5 * (8 / 7 - 1) + 0.2 * 0.5 * (8 / 7 / 0.9 - 1)
    assert alone_when_broken(fabric, 0.2, [0, 32]) == pytest.approx(1 / both)
    assert alone_when_broken(fabric, 0.2, [64, 65]) == 1.0


def test_all_rails_or_the_one_leaf_cut_servers_off():
    rails = load("fat_tree", 96)
    leaves = rails.plane.leaves
    rails.set_broken("leaf_switch", [rail * leaves + 1 for rail in range(8)])
    assert rails.cut_off() == set(range(32, 64))
    flat = load("fat_tree_oversubscribed", 20)
    flat.set_broken("leaf_switch", [2])
    assert flat.cut_off() == set(range(14, 20))
    fly = load("dragonfly", 100)
    fly.set_broken("switch", [1])
    assert fly.cut_off() == {4, 5, 6, 7}


def test_a_core_of_three_tiers_takes_its_part_of_every_pod():
    fabric = load("fat_tree", 64, radix=8)
    whole = fabric.capacity()
    cores = fabric.units()["core_switch"] // fabric.planes
    fabric.set_broken("core_switch", [0])
    left = fabric.capacity()
    pods = [link for link in whole if link[0] == "pod"]
    assert len(pods) > 1
    for link in pods:
        lost = 1.0 - left[link] / whole[link]
        assert lost == pytest.approx(1 / cores / fabric.planes, rel=0.5)
    assert all(left[link] == whole[link] for link in whole if link[0] == "leaf")


def test_a_domain_of_nvlink_does_not_mind_the_fabric():
    fabric = load("nvl72", 72)
    fabric.set_broken("leaf_switch", range(fabric.units()["leaf_switch"]))
    assert alone_when_broken(fabric, 0.3, [0, 36]) == 0.0


def test_cables_of_a_torus_and_global_links_of_a_dragonfly_carry_less_when_some_are_lost():
    for name, machines in (("torus", [0, 1]), ("dragonfly", [0, 1])):
        fabric = load(name, 256)
        whole = fabric.capacity()
        fabric.set_broken("link", machines)
        assert sum(fabric.capacity().values()) < sum(whole.values())
        fabric.set_broken("link", [])
        assert fabric.capacity() == whole


# ---- links that are ample ----


@pytest.mark.parametrize("servers", [200, 3000])  # two tiers, and three
@given(
    rows=st.lists(
        st.tuples(st.floats(0.05, 0.95), st.sets(st.integers(0, 199), min_size=2)), max_size=8
    ),
    gone=st.integers(0, 7),
    lost=st.integers(0, 4),
)
@settings(max_examples=40)
def test_ample_links_need_no_account_of_who_is_on_them(servers, rows, gone, lost):
    """Kept account of or not, factors are the same: while whole, broken, and whole again."""
    fabric = load("fat_tree", servers)
    light, heavy = Gangs(fabric), Gangs(fabric)
    assert not light._watched
    heavy._watched = True
    for k, (comm, places) in enumerate(rows):
        one = job(str(k), 0, 8, 1)
        where = seat(fabric, [place * servers // 200 for place in places])
        assert light.join(one, comm, *where) == heavy.join(one, comm, *where)
        if k == gone:
            light.leave(one), heavy.leave(one)
    for gangs in (light, heavy):
        gangs.share()
    factors = [{each: gang.factor for each, gang in g._gangs.items()} for g in (light, heavy)]
    assert factors[0] == pytest.approx(factors[1])
    for broken in (range(lost), ()):
        fabric.set_broken("spine_switch", broken)
        assert light.rewire() == pytest.approx(heavy.rewire())


@pytest.mark.parametrize("servers", [200, 3000])  # two tiers, and three
@pytest.mark.parametrize("oversubscription", [1.0, 3.0])
@given(places=st.sets(st.integers(0, 199), min_size=2), comm=st.floats(0.01, 0.9))
@settings(max_examples=60)
def test_no_link_holds_a_gang_of_the_free_size(servers, oversubscription, places, comm):
    """Wherever it sits, its route leaves it line share; so its factor needs no route."""
    fabric = load("fat_tree", servers, oversubscription=oversubscription)
    seats = sorted(place * servers // 200 for place in places)
    size = int(min(fabric.free_size(), len(seats)))
    assert size >= min(len(seats), 6)
    for chosen in (seats[:size], seats[-size:]):
        capacity, route = fabric.capacity(), fabric.route(by_group(fabric, chosen))
        most = min([1.0, *(capacity[link] / load for link, load in route.items())])
        assert most >= fabric.line_share * (1.0 - 1e-12)
        leaves, placement = seat(fabric, chosen)
        factor = Gangs(fabric).join(job("one", 0, 8, 1), comm, leaves, placement)
        assert factor == spanning_rate(comm, leaves, 1.0 / fabric.line_share)


# ---- what links carried ----


def work(gangs, one, worked_s):
    one.worked_s = worked_s
    gangs.leave(one)


def test_links_tell_what_was_sent_over_them_by_hand():
    """16 of 32 ports cross at line rate for 0.4 / 2 of 500 s of work, in a run of 1,000 s."""
    fabric = load("fat_tree_oversubscribed", 14)
    gangs, one = Gangs(fabric), job("one", 0, 8, 1)
    gangs.join(one, 0.4, *seat(fabric, [0, 1, 7, 8]))
    work(gangs, one, 500.0)
    leaf = gangs.link_loads(1000.0)["leaf"]
    assert leaf["capacity_bytes_per_s"] == [8 * 50e9 * 0.8] * 2
    assert leaf["mean_fraction"] == pytest.approx([16 * 0.2 * 0.5 / 6.4] * 2)
    demand = 1 / (1 + 0.2 * (2 / 0.8 - 1))  # of its line rate, what it gets alone
    assert leaf["demand_peak_fraction"] == pytest.approx([16 * 0.2 * demand / 6.4] * 2)
    assert leaf["contended"] == [False, False]


def test_who_is_still_there_counts_too():
    fabric = load("fat_tree", 96)
    gangs, one = Gangs(fabric), job("one", 0, 8, 1)
    gangs.join(one, 0.4, *seat(fabric, [0, 1, 32, 33]))
    one.worked_s = 500.0
    running = gangs.link_loads(1000.0)
    gangs.leave(one)
    assert gangs.link_loads(1000.0) == running
    assert running["leaf"]["mean_fraction"] == pytest.approx(
        [2 * 0.2 * 0.5 / (32 * 0.9)] * 2 + [0.0]
    )


def test_ample_links_have_a_mean_and_no_highest_demand():
    fabric = load("fat_tree", 96)
    leaf = Gangs(fabric).link_loads(1.0)["leaf"]
    assert leaf["demand_peak_fraction"] == [None] * 3
    assert not any(leaf["contended"])


def test_a_link_that_two_jobs_want_in_full_is_contended():
    fabric = load("fat_tree_oversubscribed", 21)
    gangs = Gangs(fabric)
    for name in "ab":
        gangs.join(job(name, 0, 8, 1), 1.0, *seat(fabric, [0, 1, 2, 7, 8, 9]))
    leaf = gangs.link_loads(1.0)["leaf"]
    assert leaf["contended"] == [True, True, False]
    assert leaf["demand_peak_fraction"][0] > 1.0
    assert leaf["demand_peak_fraction"][2] == 0.0


def test_what_was_contended_before_a_repair_stays_told():
    fabric = load("fat_tree_oversubscribed", 14)
    gangs, one = Gangs(fabric), job("one", 0, 8, 1)
    gangs.join(one, 1.0, *seat(fabric, [0, 1, 2, 7, 8, 9]))
    gangs.join(job("two", 0, 8, 1), 1.0, *seat(fabric, [3, 4, 5, 10, 11, 12]))
    before = gangs.link_loads(1.0)["leaf"]
    fabric.set_broken("link", [0])
    gangs.rewire()
    after = gangs.link_loads(1.0)["leaf"]
    assert after["contended"] == [True, True]
    assert after["capacity_bytes_per_s"] == before["capacity_bytes_per_s"]
    assert after["demand_peak_fraction"] == pytest.approx(before["demand_peak_fraction"])


@pytest.mark.parametrize("name", fabrics.ALL)
def test_every_link_of_a_fabric_has_its_place_in_the_plan(name):
    fabric = load(name, 3000)
    plan = fabric.plan()
    loads = Gangs(fabric).link_loads(1.0)
    count = {kind: len(columns["contended"]) for kind, columns in loads.items()}
    if plan["form"] == "tree":
        assert count["leaf"] == plan["leaves"]
        per_pod = plan["leaves_per_pod"]
        assert count.get("pod") == (per_pod and -(-plan["leaves"] // per_pod))
    elif plan["form"] == "groups":
        assert count == {"group": plan["groups"]}
    else:
        x, y, z = plan["sides"]
        assert count == {"block": x * y * z}
