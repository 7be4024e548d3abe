"""Distributions of a finished run, read back as power of servers and GPUs."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.composed import composed
from twin.errors import ConfigError
from twin.probes import fleet


def finished(rack_power_s, activity_gpu_s, gpu_s, peak_kw=6.0):
    """Return a run of four servers in racks of their own, each rated 6.5 kW."""
    racks = {
        "rack_id": np.array(["a", "b", "c", "d"], dtype=object),
        "rated_kw": np.full(4, 6.5),
        "power_mean_kw": np.array([2.0, 2.0, 3.0, 5.0]),
        "power_peak_kw": np.full(4, peak_kw),
    }
    kept = {
        "rack_power_s": rack_power_s,
        "gpu_activity_gpu_s": activity_gpu_s,
        "gpu_s": gpu_s,
    }
    return SimpleNamespace(info={"servers": 4, "distributions": kept}, racks=lambda: racks)


def histogram(**seconds):
    bins = np.zeros(201)
    for name, time_s in seconds.items():
        bins[int(name.removeprefix("bin"))] = time_s
    return bins.tolist()


def activity(**gpu_seconds):
    steps = np.zeros(101)
    for name, time in gpu_seconds.items():
        steps[int(name.removeprefix("at"))] = time
    return steps.tolist()


@pytest.fixture(scope="module")
def config():
    return composed("scenario=acme_seren")


RUN = finished(histogram(bin50=60.0, bin150=40.0), activity(at0=10.0, at100=30.0), 100.0)


def test_mean_of_servers_is_that_of_their_racks():
    assert fleet.server_mean_kw(RUN) == 3.0


@pytest.mark.parametrize(("share", "bin_edge"), [(0.3, 50.5), (0.6, 51), (0.8, 150.5)])
def test_quantiles_are_linear_within_a_bin(config, share, bin_edge):
    got = fleet.server_quantile_kw(config, RUN, share)
    assert got == pytest.approx(bin_edge / 200 * 6.5)


def test_no_server_draws_more_than_the_largest_seen(config):
    run = finished(histogram(bin150=1.0), activity(), 1.0, peak_kw=4.88)
    assert fleet.server_quantile_kw(config, run, 0.99) == 4.88


def test_racks_of_several_servers_say_nothing_about_one(config):
    shared = {**config, "rack": {**config["rack"], "servers_per_rack": 2}}
    with pytest.raises(ConfigError, match=r"rack\.servers_per_rack=2: must be 1"):
        fleet.server_quantile_kw(shared, RUN, 0.5)


def test_gpus_without_a_job_count_as_idle(config):
    """60 of 100 hold no job, 10 hold one and idle, 30 work at full power."""
    idle_w, full_w = config["gpu"]["gpu_idle_w"], config["gpu"]["gpu_max_w"]

    assert fleet.gpu_mean_w(config, RUN) == pytest.approx(0.7 * idle_w + 0.3 * full_w)
    assert fleet.gpu_below(config, RUN, idle_w + 1) == pytest.approx(0.7)
    assert fleet.gpu_above(config, RUN, idle_w + 1) == pytest.approx(0.3)
    assert fleet.gpu_below(config, RUN, idle_w) == 0.0
