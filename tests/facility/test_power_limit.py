"""Over the limit of the feed: refused, capped or shed, and never simply drawn."""

import pytest

from tests.support.desk import desk, job, play
from tests.test_outage import load, outage
from twin import run
from twin.facility.power_limit import PowerLimit
from twin.results.run_folder import Run
from twin.scheduling.easy import EasyBackfill
from twin.scheduling.fcfs import FirstComeFirstServed

BUSY = ["power=n", "power.oversubscription=2.5", "clock.duration_days=0.5"]


def finished(tmp_path, *changes):
    run.execute(load(*BUSY, *changes), tmp_path / "run")
    return Run.open(tmp_path / "run")


def kinds(done):
    return set(done.events()["kind"])


def test_left_alone_an_overload_opens_breakers_and_stops_jobs(tmp_path):
    done = finished(tmp_path)
    assert {"bypass", "trip", "power_off", "reset", "power_on"} <= kinds(done)
    assert done.summary["gpu_hours_lost"] > 0.0
    assert done.summary["energy_residual_fraction"] < 1e-9


@pytest.mark.parametrize("policy", ["refuse", "cap", "shed"])
def test_every_policy_keeps_the_breakers_closed(tmp_path, policy):
    done = finished(tmp_path, f"power.over_limit={policy}")
    assert not kinds(done) & {"bypass", "trip", "power_off"}
    assert done.summary["energy_residual_fraction"] < 1e-9


def test_refusing_keeps_redundancy_and_makes_jobs_wait(tmp_path):
    free = run.execute(load(*BUSY[2:]), tmp_path / "free")
    refused = finished(tmp_path, "power.over_limit=refuse").summary
    assert refused["it_power_peak_mw"] < free["it_power_peak_mw"]
    assert refused["throttled_gpu_hours"] == 0.0
    assert refused["jobs_completed"] <= free["jobs_completed"]


def test_capped_gpus_work_slower_and_it_shows(tmp_path):
    done = finished(tmp_path, "power.over_limit=cap")
    assert "cap" in kinds(done)
    capped = done.summary["capped_gpu_hours"]
    assert done.summary["throttled_gpu_hours"] == capped > 0.0  # slowed by the limit, not by heat
    assert done.series()["capped_gpus"].max() > 0.0
    assert done.summary["minutes_to_throttle"] is None
    assert done.summary["goodput_fraction"] < 0.99
    assert done.summary["gpu_hours_lost"] == 0.0


def test_the_more_a_feed_is_oversubscribed_the_less_of_it_is_stranded(tmp_path):
    found = [
        run.execute(
            load("power=n", f"power.oversubscription={ratio}", "power.over_limit=cap"),
            tmp_path / str(ratio),
        )
        for ratio in (1.0, 1.5, 2.5)
    ]
    stranded_kw = [summary["stranded_feed_kw"] for summary in found]
    assert stranded_kw == sorted(stranded_kw, reverse=True)
    assert found[0]["capped_gpu_hours"] == 0.0 < found[-1]["capped_gpu_hours"]
    nameplate_kw = found[0]["nameplate_energy_gwh"] * 1e6 / 3.0
    assert stranded_kw[0] == pytest.approx(
        nameplate_kw - 1e3 * found[0]["it_power_peak_mw"], rel=0.02
    )


def test_losing_ups_modules_sheds_jobs_that_come_back_later(tmp_path):
    changes = ["power=n", "clock.duration_days=0.5", "power.over_limit=shed"]
    config = load(*changes, outage("power.ups", at=6.0, repair=2.0, fraction=0.6))
    config["power"]["elements"]["ups"]["unit_max_kw"] = 20.0
    run.execute(config, tmp_path / "run")
    done = Run.open(tmp_path / "run")
    assert "shed" in kinds(done)
    assert done.summary["jobs_shed"] > 0
    assert not kinds(done) & {"bypass", "trip", "power_off"}
    assert done.summary["energy_residual_fraction"] < 1e-9


# ---- the controller on its own --------------------------------------------------


class Supply:
    """A feed that says how much fits."""

    def __init__(self, over_limit, limit_w):
        self.over_limit, self.limit_w, self.asked_w = over_limit, limit_w, 0.0

    def headroom_w(self, *, steady):
        return self.limit_w - self.asked_w


def limited(policy, limit_w, servers=4, scheduling=FirstComeFirstServed):
    dispatcher = desk(scheduling(), servers)
    supply = Supply(policy, limit_w)
    limit = PowerLimit(supply, dispatcher, lambda event: None)

    def beats():
        while True:
            supply.asked_w = dispatcher.cluster.power.total_w
            if limit.heed(supply.asked_w, 0.0, 1.0):
                dispatcher.throttle(*limit.pace())
            yield dispatcher.env.timeout(1.0)

    dispatcher.env.process(beats())
    return dispatcher, limit


@pytest.mark.parametrize("scheduling", [FirstComeFirstServed, EasyBackfill])
def test_no_job_starts_that_does_not_fit_the_watts(scheduling):
    # 400 W idle; each job of 8 GPUs adds 800: room for two of four.
    dispatcher, _ = limited("refuse", 2000.0, scheduling=scheduling)
    jobs = [job(f"j{i}", 1.0, 8, 100) for i in range(4)]
    play(dispatcher, jobs, until_s=1000)
    assert sorted(one.started_at_s for one in jobs) == [1, 1, 101, 101]


def test_a_large_job_that_fits_the_seats_is_not_starved_of_watts_by_small_ones():
    """Room for 16 of 32 GPUs at full power; a new small job every 10 s, each for 100 s.

    The last of those before it starts at 111 s: nobody overtakes who is there at 211 s.
    """
    dispatcher, _ = limited("refuse", 2000.0, scheduling=EasyBackfill)
    small = [job(f"s{i}", 1.0 + 10 * i, 2, 100) for i in range(200)]
    large = job("large", 95.0, 16, 50)
    order = sorted([*small, large], key=lambda each: each.arrived_at_s)
    play(dispatcher, order, until_s=4000)
    assert large.started_at_s == 211.0
    assert all(each.status == "completed" for each in order)


def test_jobs_that_end_before_the_reserved_watts_are_free_may_overtake():
    dispatcher, _ = limited("refuse", 2000.0, scheduling=EasyBackfill)
    first = job("first", 1.0, 8, 100)
    wide = job("wide", 2.0, 16, 50)
    short, long = job("short", 3.0, 8, 50), job("long", 4.0, 8, 500)
    play(dispatcher, [first, wide, short, long], until_s=1000)
    assert (short.started_at_s, wide.started_at_s) == (3.0, 101.0)
    assert long.started_at_s >= 151.0


def test_a_cap_settles_at_what_fits_and_lets_go():
    dispatcher, limit = limited("cap", 2000.0)
    play(dispatcher, [job(f"j{i}", 0.5, 8, 100) for i in range(4)], until_s=50)
    assert limit.part == 0.5  # (2000 - 400) / 3200
    assert dispatcher.cluster.power.total_w == 2000
    dispatcher.env.run(until=1000)
    assert (limit.part, dispatcher.done.completed) == (1.0, 4)
    assert dispatcher.done.useful_gpu_s == pytest.approx(4 * 8 * 100)


def test_a_cap_goes_no_lower_than_was_measured():
    dispatcher, limit = limited("cap", 500.0)
    play(dispatcher, [job(f"j{i}", 0.5, 8, 100) for i in range(4)], until_s=50)
    assert limit.part == 0.25


def test_the_least_important_and_youngest_go_first():
    dispatcher, limit = limited("shed", 1e9)
    jobs = [job("old", 0.5, 8, 100), job("young", 5.5, 8, 100), job("vip", 9.5, 8, 100, priority=5)]
    dispatcher.env.process(squeeze(limit, 2100.0))
    play(dispatcher, jobs, until_s=50)
    assert [one.status for one in jobs] == ["running", "queued", "running"]


def squeeze(limit, limit_w):
    yield limit.dispatcher.env.timeout(20)
    limit.feed.limit_w = limit_w
