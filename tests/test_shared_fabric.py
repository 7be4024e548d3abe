"""Jobs on a fabric that is shared and breaks: who ends later, who stops, who does not notice."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.composed import composed
from tests.support.desk import Disk, desk, job, play
from twin import run
from twin.errors import ParameterError
from twin.faults import Wiring
from twin.jobs.life import asking
from twin.network.fat_tree import FatTree
from twin.records import COMPLETED, RUNNING, Placement
from twin.results.run_folder import Run
from twin.scheduling.conservative import ConservativeBackfill
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.scheduling.priority import PreemptivePriority


def tree(**changes):
    """Return two servers of two ports to a leaf, one cable up from each; no loss to ECMP."""
    shape = {
        "radix": 6,
        "port_gbps": 8.0,
        "nics_per_server": 2,
        "rail_optimised": False,
        "oversubscription": 4.0,
        "max_tiers": 3,
        "ecmp_efficiency": 1.0,
        "switch_w": 0.0,
        "transceiver_w": 0.0,
        "optical_server_links": True,
        "contention": "in_step",
    }
    return FatTree(**{**shape, **changes})


def bench(servers, policy=None, **changes):
    return desk(policy or FirstComeFirstServed(), servers, fabric=tree(**changes))


def at(dispatcher, when_s, action):
    def wait():
        yield dispatcher.env.timeout(when_s)
        action()

    dispatcher.env.process(wait())


def wiring(dispatcher, unit, events=None):
    machines = dispatcher.fabric.units()[unit]
    record = (events if events is not None else []).append
    return Wiring(machines, unit, dispatcher, np.random.default_rng(0), record)


def test_the_toy_tree_is_as_it_says():
    fabric = tree()
    fabric.size(4, 8)
    assert fabric.leaf_of() == [0, 0, 1, 1]
    assert fabric.capacity() == {("leaf", 0): 1e9, ("leaf", 1): 1e9}
    assert fabric.server_bytes_per_s() == 2e9


def test_a_job_ends_later_while_another_shares_its_uplinks_and_no_longer():
    """One server on each of two leaves, half of the step on the links: 2 ports on 1 cable.

    From the heartbeat after the second has come (60 s) to the one after it has ended, four
    ports share the cable.
    """
    one = job("one", 0, 16, 1000, comm_fraction=1.0)
    two = job("two", 50, 16, 100, comm_fraction=1.0)
    dispatcher = bench(4, oversubscription=2.0)
    seats = {"one": [0, 2], "two": [1, 3]}  # both cross
    dispatcher.policy.seat = lambda view, each: Placement(seats[each.job_id], 8)
    play(dispatcher, [one, two], until_s=55)
    alone = one.network_factor
    assert two.network_factor == alone
    dispatcher.env.run(until=65)
    beside = one.network_factor
    assert beside == two.network_factor < alone
    dispatcher.env.run()
    first = 10 * alone
    two_ends_s = 60 + (100 - first) / beside
    assert two.finished_at_s == pytest.approx(two_ends_s)
    heartbeat_s = (int(two_ends_s // 60) + 1) * 60
    left = 1000 - 60 * alone - (heartbeat_s - 60) * beside
    assert one.finished_at_s == pytest.approx(heartbeat_s + left / alone)


def test_gpus_wait_at_their_low_level_while_the_fabric_makes_steps_longer():
    """Half of an undisturbed step at 0.9, the rest at 0.1: at rate r it is r/2 and 1 - r/2."""
    one = job("one", 0, 32, 100, comm_fraction=0.5, activity=0.9, duty=0.5, low_activity=0.1)
    dispatcher = bench(4)
    spine = wiring(dispatcher, "spine_switch")
    at(dispatcher, 20, lambda: spine.lose(1.0))
    at(dispatcher, 50, lambda: spine.lose(0.0))
    play(dispatcher, [one])
    rate = 1 / (1 + 0.5 * 0.5 * (4 - 1))
    slowed = rate / 2 * 0.9 + (1 - rate / 2) * 0.1
    ends_s = 30 + 100 / rate
    energy_j = 4 * ((ends_s - 30) * (100 + 800 * slowed) + 30 * (100 + 800 * 0.1))
    assert one.finished_at_s == pytest.approx(ends_s)
    assert one.energy_j == pytest.approx(energy_j)
    active = dispatcher.tally.take(ends_s)[1]
    assert active == pytest.approx(32 * ((ends_s - 30) * slowed + 30 * 0.1))
    assert dispatcher.done.activity_gpu_s[90] == pytest.approx(32 * 100 / 2)


def test_a_job_on_one_leaf_is_not_slowed():
    one = job("one", 0, 16, 100, comm_fraction=0.5)
    play(bench(4), [one])
    assert one.finished_at_s == 100


def test_links_carry_what_the_work_done_sends_whatever_slows_it():
    """Half rate for 100 s, a stop, and once more: bytes follow work, not time on GPUs."""
    one = job("one", 0, 32, 1000, comm_fraction=0.5)
    dispatcher = bench(4)
    at(dispatcher, 100, lambda: dispatcher.throttle(1.0, 0.5))
    at(dispatcher, 200, lambda: dispatcher.throttle(1.0, 1.0))
    at(dispatcher, 300, lambda: (dispatcher.stop(one), dispatcher.dispatch()))
    play(dispatcher, [one])
    ends_s = one.finished_at_s
    rate = 1 / (1 + 0.5 * 0.5 * (4 - 1))
    worked_s = rate * (ends_s - 50)
    assert worked_s == pytest.approx(250 * rate + 1000)  # 250 s of it done twice
    load = dispatcher.network.gangs.link_loads(ends_s)["leaf"]
    assert load["mean_fraction"] == pytest.approx([4 * 0.5 * 0.5 * worked_s / ends_s] * 2)
    assert load["contended"] == [False, False]


def test_a_lost_leaf_stops_gangs_across_it_and_single_servers_go_on():
    jobs = [
        job("gang", 0, 16, 100, comm_fraction=0.5, checkpoint_s=10),  # leaf 0
        job("single", 0, 8, 100, comm_fraction=0.5),  # leaf 1
        job("other", 1, 16, 100, comm_fraction=0.5),  # leaf 1 and 2
    ]
    dispatcher, events = bench(6), []
    leaf = wiring(dispatcher, "leaf_switch", events)
    at(dispatcher, 35, lambda: leaf.fail(0))
    at(dispatcher, 1000, lambda: leaf.mend(0))
    play(dispatcher, jobs, until_s=40)
    gang, single, other = jobs
    # two servers are left on leaves 1 and 2: the one behind the others and the sixth
    assert (gang.restarts, gang.lost_gpu_s) == (1, pytest.approx(16 * 5))
    assert (single.restarts, single.status) == (0, RUNNING)
    assert (other.restarts, other.status) == (0, RUNNING)
    assert [(event.kind, event.where) for event in events] == [("cut_off", "network.leaf_switch")]
    assert events[0].detail == "2 servers off the fabric, 1 jobs across them stopped"
    assert dispatcher.cluster.free.gpus == 8  # 16 of leaf 0 take nobody
    dispatcher.env.run()
    assert all(each.status == COMPLETED for each in jobs)
    assert dispatcher.cluster.free.free == [8] * 6
    assert dispatcher.cluster.gpus_out.take(dispatcher.env.now) == pytest.approx(965 * 16)


def test_servers_cut_off_take_nobody_new_though_their_jobs_end():
    first = job("first", 0, 8, 50)
    dispatcher = bench(2)
    leaf = wiring(dispatcher, "leaf_switch")
    at(dispatcher, 10, lambda: leaf.lose(1.0))
    at(dispatcher, 200, lambda: leaf.lose(0.0))
    late = job("late", 60, 8, 50)
    play(dispatcher, [first, late])
    assert first.finished_at_s == 50
    assert late.started_at_s == 200


def test_a_server_both_broken_and_cut_off_needs_both_repairs():
    dispatcher = bench(2)
    leaf = wiring(dispatcher, "leaf_switch")
    at(dispatcher, 10, lambda: leaf.fail(0))
    at(dispatcher, 20, lambda: dispatcher.shut_down([0]))
    at(dispatcher, 30, lambda: leaf.mend(0))
    at(dispatcher, 40, lambda: dispatcher.start_up([0], 0.0))
    play(dispatcher, [job("all", 11, 16, 10)])
    assert dispatcher.cluster.free.free == [8, 8]
    dispatcher = bench(2)
    leaf = wiring(dispatcher, "leaf_switch")
    at(dispatcher, 10, lambda: dispatcher.shut_down([0]))
    at(dispatcher, 20, lambda: leaf.fail(0))
    at(dispatcher, 30, lambda: dispatcher.start_up([0], 0.0))
    at(dispatcher, 40, lambda: leaf.mend(0))
    late = job("all", 11, 16, 10)
    play(dispatcher, [late])
    assert late.started_at_s == 40
    assert dispatcher.cluster.gpus_out.take(50) == pytest.approx(10 * 8 + 20 * 16)


def test_a_lost_spine_slows_and_its_repair_restores_exactly():
    one = job("one", 0, 48, 100, comm_fraction=0.8)
    dispatcher = bench(6, radix=8, oversubscription=1.0)
    spine = wiring(dispatcher, "spine_switch")
    assert spine.machines == 2
    at(dispatcher, 20, lambda: spine.fail(0))
    at(dispatcher, 80, lambda: spine.mend(0))
    play(dispatcher, [one], until_s=10)
    assert one.network_factor == 1.0
    dispatcher.env.run(until=30)
    assert one.network_factor == pytest.approx(1 / (1 + 0.8 * (2 / 3) * (2 - 1)))
    half = one.network_factor
    dispatcher.env.run()
    assert one.network_factor == 1.0
    assert one.finished_at_s == pytest.approx(80 + 100 - 20 - 60 * half)
    assert one.restarts == 0


def test_without_a_way_up_a_gang_waits_and_goes_on():
    one = job("one", 0, 32, 100, comm_fraction=0.8)
    dispatcher = bench(4)
    spine = wiring(dispatcher, "spine_switch")
    at(dispatcher, 20, lambda: spine.lose(1.0))
    at(dispatcher, 50, lambda: spine.lose(0.0))
    play(dispatcher, [one])
    alone = 1 / (1 + 0.8 * 0.5 * (4 - 1))
    assert one.finished_at_s == pytest.approx(30 + 100 / alone)
    assert one.restarts == 0


POLICIES = {
    "easy": EasyBackfill,
    "conservative": lambda: ConservativeBackfill(depth=20),
    "priority": lambda: PreemptivePriority(priorities={"training": 1}),
}
BLOCKING = {"write_bytes_per_s": 10.0, "burst_bytes_per_s": 20.0, "burst_fraction": 0.5}

rows = st.lists(
    st.tuples(
        st.integers(0, 60),  # gap to the next arrival
        st.integers(1, 40),  # GPUs
        st.integers(1, 300),  # work
        st.floats(0.0, 0.9),  # communication
    ),
    min_size=1,
    max_size=25,
)
breaks = st.lists(
    st.tuples(
        st.floats(1.0, 2000.0),
        st.sampled_from(["leaf_switch", "spine_switch", "link", "node"]),
        st.integers(0, 100),
        st.floats(1.0, 500.0),
    ),
    max_size=12,
)


# ---- storage over the same links: a cable of 1 GB/s for the two servers of a leaf ----


def converged(servers, seats, **changes):
    """Return a dispatcher whose fabric carries storage, and jobs sit where *seats* says."""
    kind = {"contention": "interleaved", "carries_storage": True}
    dispatcher = bench(servers, **{**kind, **changes})
    dispatcher.policy.seat = lambda view, each: Placement(seats[each.job_id], 8)
    return dispatcher


@pytest.mark.parametrize("way", ["read_bytes_per_s", "write_bytes_per_s"])
def test_what_a_server_reads_or_writes_crosses_the_uplinks_of_its_leaf(way):
    # 1.5 GB/s over one cable: two thirds of the rate; with a network of its own all of it.
    for carries, end_s in ((True, 150.0), (False, 100.0)):
        one = job("one", 0, 8, 100, **{way: 1.5e9})
        play(converged(4, {"one": [0]}, carries_storage=carries), [one])
        assert one.finished_at_s == pytest.approx(end_s)


def test_reading_and_writing_go_opposite_ways():
    one = job("one", 0, 8, 100, read_bytes_per_s=1e9, write_bytes_per_s=0.5e9)
    play(converged(4, {"one": [0]}), [one])
    assert one.finished_at_s == pytest.approx(100.0)


def test_readers_of_one_leaf_share_its_cable_and_those_of_another_do_not():
    # 2 x 0.8 GB/s on one cable: 0.625 each from the first full minute on.
    seats = {"a": [0], "b": [1], "c": [2]}
    jobs = [job(name, 0, 8, 100, read_bytes_per_s=0.8e9) for name in seats]
    play(converged(4, seats), jobs)
    ends = [each.finished_at_s for each in jobs]
    assert ends == pytest.approx([60 + 40 / 0.625, 60 + 40 / 0.625, 100])


def test_a_checkpoint_slows_the_communication_of_others_on_its_leaf():
    """A gang with half of its step on the cable, a writer beside it: they rise together.

    The gang alone: 2 GB/s of ports on 1 GB/s, half of the traffic crosses: 1 / 1.5, a load
    of 1 GB/s at full rate. The writer asks 0.9 GB/s at full rate: both get 1 / 1.9.
    """
    gang = job("gang", 0, 16, 1000, comm_fraction=1.0)
    writer = job("writer", 0, 8, 1000, write_bytes_per_s=0.9e9)
    dispatcher = converged(4, {"gang": [0, 2], "writer": [1]})
    play(dispatcher, [gang, writer], until_s=59)
    assert gang.network_factor == pytest.approx(1 / 1.5)
    dispatcher.env.run(until=61)
    assert gang.network_factor == pytest.approx(1 / 1.9)
    assert writer.network_factor == pytest.approx(1 / 1.9)
    links = dispatcher.network.gangs.link_loads(61.0)["leaf"]
    dispatcher.work.settle(gang), dispatcher.work.settle(writer)
    sent = 1e9 * gang.worked_s + 0.9e9 * writer.worked_s
    assert dispatcher.network.gangs.link_loads(61.0)["leaf"]["mean_fraction"][0] == pytest.approx(
        sent / 61 / 1e9
    )
    assert links["contended"] == [True, False]


def test_who_reads_over_a_lost_leaf_stops_and_who_reads_nothing_goes_on():
    reader = job("reader", 0, 8, 100, read_bytes_per_s=1.0)
    worker = job("worker", 0, 8, 100)
    dispatcher = converged(4, {"reader": [0], "worker": [1]})
    at(dispatcher, 10, lambda: dispatcher.rewire("leaf_switch", [0]))
    play(dispatcher, [reader, worker], until_s=200)
    assert (reader.restarts, worker.restarts, worker.finished_at_s) == (1, 0, 100)


def test_a_port_carries_no_more_than_its_line():
    one = job("one", 0, 8, 100, read_bytes_per_s=4e9)  # two ports of 1 GB/s, cables to spare
    play(converged(4, {"one": [0]}, radix=60, oversubscription=1.0), [one])
    assert one.finished_at_s == pytest.approx(200.0)


def test_a_checkpoint_is_loaded_over_the_uplinks_of_its_leaf():
    """50 GB through 2 GB/s of ports and 1 GB/s of cable: 50 s where the restart reckons with 25."""
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=25.0, checkpoint_bytes=50e9)
    dispatcher = converged(4, {"one": [0]})
    at(dispatcher, 35, lambda: (dispatcher.shut_down([0]), dispatcher.start_up([0], 0.0)))
    play(dispatcher, [one])
    assert one.finished_at_s == pytest.approx(35 + 50 + 70)
    assert dispatcher.traffic.moved.read_bytes == pytest.approx(50e9)
    (cable, _) = dispatcher.network.gangs.link_loads(155.0)["leaf"]["mean_fraction"]
    assert cable == pytest.approx(50e9 / 155 / 1e9)


def test_storage_does_not_go_over_a_fabric_in_step():
    with pytest.raises(ParameterError, match="carries_storage=True: must be false"):
        tree(carries_storage=True)


@pytest.mark.parametrize("contention", ["interleaved", "in_step", "with storage"])
@given(rows=rows, faults=breaks, policy=st.sampled_from(list(POLICIES)))
@settings(max_examples=25)
def test_whatever_breaks_no_gpu_is_held_twice_and_no_job_is_lost(contention, rows, faults, policy):
    at_s, jobs, ended = 0, [], []
    for number, (gap, gpus, work, comm) in enumerate(rows):
        at_s += gap
        more = {"comm_fraction": comm, "checkpoint_s": 20.0, "restart_s": 5.0}
        more["priority"] = number % 2
        more |= [{}, {"read_bytes_per_s": 10.0}, {"write_bytes_per_s": 10.0}, BLOCKING][number % 4]
        jobs.append(job(str(number), at_s, gpus, work, **more))
    fabric = tree(contention=contention)
    if contention == "with storage":
        fabric = tree(contention="interleaved", carries_storage=True)
    disk = Disk(bytes_per_s=25.0)
    dispatcher = desk(POLICIES[policy](), 6, fabric=fabric, disk=disk, on_end=ended.append)
    if dispatcher.policy.asks_every_s < math.inf:
        dispatcher.env.process(asking(dispatcher.env, dispatcher, 60.0))
    units = {unit: wiring(dispatcher, unit) for unit in ("leaf_switch", "spine_switch", "link")}

    def strike(begin_s, unit, machine, repair_s):
        yield dispatcher.env.timeout(begin_s)
        if unit == "node":
            dispatcher.shut_down([machine % 6])
            yield dispatcher.env.timeout(repair_s)
            dispatcher.start_up([machine % 6], 1.0)
            return
        machine %= units[unit].machines
        units[unit].fail(machine)
        yield dispatcher.env.timeout(repair_s)
        units[unit].mend(machine)

    def look():
        """Every 7 s: seats and links hold no more than they can."""
        group_of, line = fabric.group_of(), fabric.server_bytes_per_s()
        for _ in range(400):
            yield dispatcher.env.timeout(7.0)
            held, load = Counter(), Counter()
            for each in dispatcher.running:
                seat = each.placement
                held.update(dict.fromkeys(seat.whole, 8))
                if seat.part_gpus:
                    held[seat.part_server] += seat.part_gpus
                on = {group_of[server] for server in seat.servers()}
                if len(on) > 1:
                    share = each.comm_fraction * (1 - 1 / len(on)) * each.network_factor * line
                    for server in seat.whole:
                        load[group_of[server]] += share
                    if seat.part_gpus:
                        load[group_of[seat.part_server]] += share * seat.part_gpus / 8
            assert all(gpus <= 8 for gpus in held.values())
            free = dispatcher.cluster.free.free
            assert all(held[server] + free[server] <= 8 for server in range(6))
            if not dispatcher.network.gangs.links.stale:
                room = fabric.capacity()
                for group, bytes_per_s in load.items():
                    assert bytes_per_s <= room["leaf", group] * (1 + 1e-6)

    for fault in faults:
        dispatcher.env.process(strike(*fault))
    dispatcher.env.process(look())
    play(dispatcher, jobs, until_s=300_000)
    assert sorted(each.job_id for each in ended) == sorted(each.job_id for each in jobs)
    assert all(each.status == COMPLETED for each in jobs)
    assert dispatcher.cluster.free.free == [8] * 6
    assert dispatcher.cluster.gpus_out.power_w == 0
    lost_s = sum(each.lost_gpu_s / each.gpus for each in jobs if each.write_bytes_per_s)
    worked_s = sum(each.work_s for each in jobs if each.write_bytes_per_s) + lost_s
    assert dispatcher.traffic.moved.written_bytes == pytest.approx(10.0 * worked_s)
    assert not dispatcher.traffic.moved.bursting
    assert fabric.cut_off() == set()


def test_a_run_writes_down_what_broke_in_its_fabric_and_its_ledger_closes(tmp_path):
    words = ["network=fat_tree_oversubscribed", "network.contention=in_step"]
    words += ["workload=large_training", "facility.gpus=512", "clock.duration_days=0.5"]
    words += ["faults=cluster_failures", "faults.random.leaves.mttf_hours=30"]
    words += ["faults.random.cables.mttf_hours=100", "output=data_only"]
    run.execute(composed(*words), tmp_path / "run")
    done = Run.open(tmp_path / "run")
    events = done.events()
    told = set(zip(events["kind"].tolist(), events["where"].tolist(), strict=True))
    for unit in ("network.leaf_switch", "network.link"):
        assert {("fault", unit), ("repair", unit)} <= told
    assert ("cut_off", "network.leaf_switch") in told
    assert done.summary["energy_residual_fraction"] < 1e-9
    assert done.summary["gpu_hours_lost"] > 0.0
    assert done.summary["gpu_available_fraction"] < 1.0
    assert done.summary["goodput_fraction"] < 0.9
    record = done.info["fabric"]
    leaf = record["links"]["leaf"]
    assert record["plan"]["leaves"] == len(leaf["mean_fraction"]) == 10
    assert any(leaf["contended"])
    assert 0.0 < max(leaf["mean_fraction"]) <= 1.0 < max(leaf["demand_peak_fraction"])
