"""Storage that can be full: who finds room, who stalls, what is lost, what is read again."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.composed import composed
from tests.support.desk import Disk, desk, job, play
from twin import run
from twin.jobs.life import filling
from twin.records import COMPLETED, Inlet
from twin.results.run_folder import Run
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fcfs import FirstComeFirstServed
from twin.scheduling.priority import PreemptivePriority

FAST = 1e12
"""Bandwidth of a disk on which ten bytes take no time."""


def bench(holds_bytes=None, servers=2, policy=None, bytes_per_s=FAST, used_bytes=0.0):
    disk = Disk(bytes_per_s, holds_bytes, used_bytes)
    told = []
    dispatcher = desk(policy or FirstComeFirstServed(), servers, disk=disk, record=told.append)
    dispatcher.told = told
    return dispatcher


def saver(name, work_s, every_s, size=10.0, **more):
    """Return a job that writes checkpoints behind its steps."""
    more.setdefault("keep", 1)
    write = {"write_bytes_per_s": size / every_s, "checkpoint_bytes": size}
    return job(name, more.pop("at_s", 0), 8, work_s, checkpoint_s=every_s, **write, **more)


def stopper(name, work_s, every_s, fraction=0.2, **more):
    """Return a job that stops a fraction of its time to write checkpoints."""
    burst = {"burst_bytes_per_s": 10.0 / (fraction * every_s), "burst_fraction": fraction}
    return saver(name, work_s, every_s, **burst, **more)


def at(dispatcher, when_s, action):
    def wait():
        yield dispatcher.env.timeout(when_s)
        action()

    dispatcher.env.process(wait())


def fail(dispatcher):
    servers = range(dispatcher.cluster.servers)
    dispatcher.shut_down(servers)
    dispatcher.start_up(servers, 0.0)


def kinds(dispatcher):
    return [(event.at_s, event.kind) for event in dispatcher.told]


# ---- room for checkpoints ----


def test_a_job_keeps_its_newest_checkpoints_and_leaves_none_behind():
    dispatcher = bench(holds_bytes=30.0)
    seen = {}
    for when_s in (29, 31, 61, 91, 121, 199):
        space = dispatcher.saving.space
        at(dispatcher, when_s, lambda s=space, t=when_s: seen.update({t: s.used_bytes}))
    one = saver("one", 200, 30, keep=2)
    play(dispatcher, [one])
    assert seen == {29: 0, 31: 10, 61: 20, 91: 20, 121: 20, 199: 20}
    assert space.most_bytes == 30  # the third is written before the first is deleted
    assert (space.used_bytes, one.finished_at_s, dispatcher.told) == (0, 200, [])


def test_who_keeps_all_fills_the_disk_and_what_stays_outlives_the_job():
    dispatcher = bench(holds_bytes=45.0, used_bytes=10.0)
    play(dispatcher, [saver("one", 200, 30, keep=inf, stays=True)])
    assert kinds(dispatcher) == [(120, "storage_full")]
    assert dispatcher.saving.space.used_bytes == 10 + 30
    assert "10.0 TB" not in dispatcher.told[0].detail
    assert "one: a checkpoint" in dispatcher.told[0].detail
    assert "goes on without" in dispatcher.told[0].detail


def test_a_job_that_stops_for_its_checkpoints_stands_still_until_another_ends():
    """25 bytes for two that hold 10 each: there is no room for a third, so each waits to replace.

    ``behind`` holds one from 50 on, ``stops`` writes one from 80 on. The second of ``behind``,
    at 100, waits until it ends at 250; ``stops`` stands from 180 until then, at idle power.
    """
    dispatcher = bench(holds_bytes=25.0)
    behind, stops = saver("behind", 250, 50), stopper("stops", 400, 100)
    play(dispatcher, [behind, stops])
    assert kinds(dispatcher) == [
        (100, "storage_full"), (180, "storage_full"), (250, "storage_room")
    ]  # fmt: skip
    assert (behind.finished_at_s, stops.finished_at_s) == (250, 400 + 70)
    assert stops.energy_j == pytest.approx(400 * 900 + 70 * 100)
    assert stops.service_s == 470
    assert dispatcher.saving.stalled_gpu_s == 8 * 70
    assert dispatcher.done.useful_gpu_s == 8 * 650
    assert "stood still" in dispatcher.saving.warnings()[0]


def test_room_that_nobody_frees_stalls_a_job_to_the_end_of_the_run():
    dispatcher = bench(holds_bytes=15.0)
    one = stopper("one", 400, 100)
    play(dispatcher, [one], until_s=1000)
    dispatcher.close()
    assert one.work_s - one.remaining_s == 180
    assert dispatcher.saving.stalled_gpu_s == 8 * (1000 - 180)
    assert kinds(dispatcher) == [(180, "storage_full")]


def test_a_failure_costs_all_since_the_last_checkpoint_that_found_room():
    dispatcher = bench(holds_bytes=15.0)
    one = saver("one", 200, 30)
    at(dispatcher, 100, lambda: fail(dispatcher))
    play(dispatcher, [one])
    assert one.lost_gpu_s == pytest.approx(8 * 70)
    assert one.finished_at_s == pytest.approx(100 + 170)
    assert one.status == COMPLETED
    # Checkpoints of 60 and 90 were left out; after the failure those of 60 to 180.
    assert dispatcher.saving.unwritten_bytes == pytest.approx((2 + 5) * 10)


def test_what_was_set_aside_is_written_when_there_is_room_again():
    dispatcher = bench(holds_bytes=25.0, used_bytes=10.0)
    one = saver("one", 200, 30)

    gone = job("gone", 0, 8, 75, checkpoint_bytes=10.0, held=1)  # of what was used at the start
    at(dispatcher, 85, lambda: fail(dispatcher))
    play(dispatcher, [one, gone])
    assert kinds(dispatcher) == [(60, "storage_full"), (75, "storage_room")]
    assert one.lost_gpu_s == pytest.approx(8 * (85 - 60))
    assert one.finished_at_s == pytest.approx(85 + 200 - 60)


def test_a_failure_while_a_job_stands_still_goes_back_to_what_is_written():
    dispatcher = bench(holds_bytes=15.0)
    one = stopper("one", 400, 100)
    at(dispatcher, 300, lambda: fail(dispatcher))
    play(dispatcher, [one], until_s=1000)
    assert one.lost_gpu_s == pytest.approx(8 * 80)
    assert dispatcher.saving.stalled_gpu_s == 8 * (300 - 180)
    assert one.work_s - one.remaining_s == pytest.approx(180)  # and stands there again


def yielding():
    return PreemptivePriority(priorities={"inference": 9}, grace_minutes=5.0)


def test_who_makes_way_without_room_loses_what_is_new():
    dispatcher = bench(holds_bytes=15.0, policy=yielding())
    low, high = saver("low", 400, 100, save_s=60.0), job("high", 150, 16, 20, priority=5)
    play(dispatcher, [low, high], until_s=2000)
    assert high.started_at_s == 210
    assert low.lost_gpu_s == pytest.approx(8 * 50)
    assert "makes way without" in dispatcher.told[0].detail
    roomy = bench(holds_bytes=25.0, policy=yielding())
    low, high = saver("low", 400, 100, save_s=60.0), job("high", 150, 16, 20, priority=5)
    play(roomy, [low, high])
    assert (high.started_at_s, low.lost_gpu_s, roomy.told) == (210, 0, [])
    assert low.finished_at_s == pytest.approx(230 + 400 - 150)


def test_a_slower_pace_puts_the_next_checkpoint_off():
    dispatcher = bench(holds_bytes=100.0)
    at(dispatcher, 10, lambda: dispatcher.throttle(1.0, 0.5))
    at(dispatcher, 49, lambda: seen.append(dispatcher.saving.space.used_bytes))
    at(dispatcher, 51, lambda: seen.append(dispatcher.saving.space.used_bytes))
    seen = []
    play(dispatcher, [saver("one", 100, 30)])  # 10 s of work, and 20 at half speed: at 50
    assert seen == [0, 10]


# ---- uploads ----


def flood(dispatcher, wanted, retention_s=inf):
    inlet = Inlet(10.0, lambda now_s, written: (wanted, []), retention_s)
    dispatcher.env.process(filling(dispatcher.env, dispatcher, inlet))
    return inlet


def test_uploads_stop_at_the_brim_and_go_on_as_old_ones_are_deleted():
    """5 B/s into 120 B: full after 24 s; what came first, in 0-10 s, is deleted at 10 + 40."""
    dispatcher = bench(holds_bytes=120.0)
    inlet = flood(dispatcher, 5.0, retention_s=40.0)
    at(dispatcher, 45, lambda: seen.append(inlet.written_bytes))
    seen = []
    dispatcher.env.run(until=95)
    dispatcher.traffic.settle_inlet()
    assert seen == [120]
    # Deleted at 50, 60 and 70: 50, 50 and 20; each next step writes as much.
    assert inlet.written_bytes == pytest.approx(120 + 120)
    assert kinds(dispatcher) == [(20, "storage_full"), (50, "storage_room"), (70, "storage_full")]
    assert dispatcher.saving.space.most_bytes == 120
    said = dispatcher.saving.warnings()[0]
    assert said.endswith("first full at hour 0.00556: uploads waited outside (events storage_full)")


def test_checkpoints_and_uploads_share_the_room():
    dispatcher = bench(holds_bytes=60.0)
    inlet = flood(dispatcher, 2.0)
    one = saver("one", 100, 25)  # at 25: 60 taken at 20 for the step up to 30
    play(dispatcher, [one], until_s=101)
    assert inlet.written_bytes == pytest.approx(60)
    assert kinds(dispatcher)[0] == (25, "storage_full")
    assert one.held == 0


# ---- never more than there is ----

runs = st.lists(
    st.tuples(
        st.integers(0, 200),  # arrival
        st.integers(20, 400),  # work
        st.integers(7, 90),  # between two checkpoints
        st.integers(1, 40),  # size
        st.sampled_from([1, 2, inf]),
        st.booleans(),  # stops for them
        st.booleans(),  # leaves them behind
    ),
    min_size=1,
    max_size=8,
)


@given(
    rows=runs,
    holds=st.integers(1, 150),
    failures=st.lists(st.floats(1, 900), max_size=4),
    upload=st.sampled_from([0.0, 0.3]),
)
@settings(max_examples=60)
def test_the_books_of_the_room_close_and_never_overflow(rows, holds, failures, upload):
    used = 0.2 * holds
    dispatcher = bench(float(holds), 3, EasyBackfill(), used_bytes=used)
    space = dispatcher.saving.space
    make = {True: stopper, False: saver}
    jobs = []
    for number, (at_s, work, every, size, keep, stops, stays) in enumerate(sorted(rows)):
        more = {"size": float(size), "keep": keep, "stays": stays, "at_s": at_s}
        jobs.append(make[stops](f"j{number}", work, every, **more))
    inlet = flood(dispatcher, upload, 100.0)
    for when_s in failures:
        at(dispatcher, when_s, lambda: fail(dispatcher))

    def watch():
        while True:
            yield dispatcher.env.timeout(3.7)
            assert 0.0 <= space.used_bytes <= space.capacity_bytes * (1 + 1e-12)
            assert space.most_bytes <= space.capacity_bytes * (1 + 1e-12)
            held = sum(each.held * each.checkpoint_bytes for each in jobs)
            kept = sum(size for _, size in inlet.kept) + inlet.reserved_bytes
            assert space.used_bytes == pytest.approx(used + held + kept)
            assert all(each.held <= each.keep for each in jobs)

    dispatcher.env.process(watch())
    play(dispatcher, jobs, until_s=1500)
    dispatcher.close()
    written = dispatcher.traffic.moved.written_bytes - dispatcher.saving.unwritten_bytes
    assert written >= -1e-6


# ---- loading ----


def reloaded(bytes_per_s, restart_s, size=1000.0, others=(), at_s=35):
    """Return a job that fails at 35 s with 30 kept, and finds others at the disk."""
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=restart_s, checkpoint_bytes=size)
    dispatcher = bench(servers=2, bytes_per_s=bytes_per_s)
    at(dispatcher, at_s, lambda: (dispatcher.shut_down([0]), dispatcher.start_up([0], 0.0)))
    play(dispatcher, [one, *others])
    return one, dispatcher


def test_loading_alone_is_part_of_the_restart_and_its_bytes_are_read():
    one, dispatcher = reloaded(100.0, restart_s=20.0)
    assert one.finished_at_s == pytest.approx(35 + 20 + 70)
    assert dispatcher.traffic.moved.read_bytes == pytest.approx(1000)
    # 1 W for each byte a second, for the 10 s of it
    assert dispatcher.tally.take(125)[4] == pytest.approx(1000)


def test_a_checkpoint_larger_than_the_restart_takes_what_the_disk_needs():
    one, _ = reloaded(100.0, restart_s=2.0)
    assert one.finished_at_s == pytest.approx(35 + 10 + 70)


def test_who_reads_beside_it_makes_loading_longer_and_is_slowed_from_the_next_minute_on():
    """100 and 100 B/s of 100: loading gets half, from 45 to 65; the reader feels it at 60."""
    reader = job("reader", 0, 8, 100, read_bytes_per_s=100.0)
    one, dispatcher = reloaded(100.0, restart_s=20.0, others=[reader])
    assert one.finished_at_s == pytest.approx(35 + 10 + 20 + 70)
    assert reader.finished_at_s == pytest.approx(100 + 5 / 2)
    assert dispatcher.traffic.moved.read_bytes == pytest.approx(1000 + 100 * 100)


def test_two_that_start_again_share_what_there_is():
    jobs = [
        job(name, 0, 8, 100, checkpoint_s=10, restart_s=10.0, checkpoint_bytes=1000.0)
        for name in ("a", "b")
    ]
    dispatcher = bench(bytes_per_s=100.0)
    at(dispatcher, 35, lambda: fail(dispatcher))
    play(dispatcher, jobs)
    assert [each.finished_at_s for each in jobs] == [pytest.approx(35 + 20 + 70)] * 2


def test_a_second_failure_while_it_loads_loads_again():
    one = job("one", 0, 8, 100, checkpoint_s=10, restart_s=20.0, checkpoint_bytes=1000.0)
    dispatcher = bench(bytes_per_s=100.0)
    for when_s in (35, 50):
        at(dispatcher, when_s, lambda: fail(dispatcher))
    play(dispatcher, [one])
    assert one.finished_at_s == pytest.approx(50 + 20 + 70)
    assert dispatcher.traffic.moved.read_bytes == pytest.approx(500 + 1000)
    assert dispatcher.traffic.moved.loading == 0.0
    assert one.lost_gpu_s == 8 * 5


def test_no_server_loads_faster_than_its_ports():
    """400 GB through 200 GB/s of ports: 2 s, though the disk could do it in 0.4."""
    one, _ = reloaded(FAST, restart_s=0.0, size=400e9)
    assert one.finished_at_s == pytest.approx(35 + 2 + 70)


def test_without_a_checkpoint_nothing_is_read():
    one, dispatcher = reloaded(100.0, restart_s=20.0, at_s=5)
    assert one.finished_at_s == pytest.approx(5 + 20 + 100)
    assert dispatcher.traffic.moved.read_bytes == 0.0


# ---- a whole run ----


def full_run(folder, heartbeat_s):
    """Six hours of Llama 3 on a disk with room for 21 checkpoints, of which it keeps all."""
    words = [
        *("scenario=llama3_405b", "output=data_only", "output.interval_s=900"),
        *("clock.duration_days=0.25", f"clock.heartbeat_s={heartbeat_s}"),
        *("storage.used_fraction=0.9995", "workload.checkpoint.keep=null"),
        "workload.checkpoint.blocking_s=null",
    ]
    summary = run.execute(composed(*words), folder)
    return summary, Run.open(folder)


def test_a_full_disk_shows_in_power_events_and_summary_whatever_the_heartbeat(tmp_path):
    (summary, found), (again, other) = (
        full_run(tmp_path / str(beat_s), beat_s) for beat_s in (300, 900)
    )
    events = found.events()
    assert events["kind"].tolist() == ["storage_full"]
    full_s = float(events["at_s"][0])
    assert 0 < full_s < 0.8 * 21600
    stalled = 16384 * (21600 - full_s) / 3600
    assert summary["storage_stalled_gpu_hours"] == pytest.approx(stalled)
    # 120 TB less 21 checkpoints of 405e9 x 14 bytes leave less than one.
    size_tb = 405e9 * 14 / 1e12
    assert summary["storage_used_max_tb"] == pytest.approx(239880 + 21 * size_tb)
    series = found.series(["storage_used_bytes", "it_power_w"])
    used = series["storage_used_bytes"]
    assert (np.diff(used) >= -1.0).all()
    assert used[-1] == pytest.approx(summary["storage_used_max_tb"] * 1e12)
    assert series["it_power_w"][-1] < 0.65 * series["it_power_w"][1]
    assert "the storage of 240 PB, 100.0% of it taken at the start" in str(found.info["warnings"])
    assert used == pytest.approx(other.series(["storage_used_bytes"])["storage_used_bytes"])
    for key in ("storage_stalled_gpu_hours", "storage_used_max_tb", "gpu_hours_useful"):
        assert summary[key] == pytest.approx(again[key], rel=1e-12)
    assert events["at_s"].tolist() == other.events()["at_s"].tolist()


def test_without_a_known_capacity_nothing_is_told_of_room(tmp_path):
    words = ["scenario=mana_oasis", "output=data_only", "clock.duration_days=0.02"]
    summary = run.execute(composed(*words), tmp_path)
    assert summary["storage_used_max_tb"] is summary["storage_stalled_gpu_hours"] is None
    series = Run.open(tmp_path).series(["storage_used_bytes"])
    assert np.isnan(series["storage_used_bytes"]).all()
