"""Fans by rack: together they are the fans of the hall, and each is in its own rack."""

import doctest

import pytest
import yaml

from tests.support.composed import composed
from twin import build
from twin.cluster import cluster as cluster_module
from twin.cluster import inlets
from twin.cluster.cluster import Cluster
from twin.records import Job


def hall() -> Cluster:
    server = build.read(composed("gpu=a100")).gpu
    found = Cluster(server, 40, servers_per_rack=2)
    found.draw_warm([0.0, 3.0, 0.0])
    return found


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(inlets).failed == 0


@pytest.mark.parametrize("wide", [1, 3, 10**9])
def test_fans_by_rack_add_up_to_those_of_the_hall_in_every_beat(monkeypatch, wide):
    """Gangs come, change, share a server and go; servers lose their power; some at a beat's end."""
    monkeypatch.setattr(cluster_module, "WIDE", wide)
    cluster = hall()
    large, small = (
        Job(name, "training", 0.0, gpus, 1.0, 1.0) for name, gpus in (("a", 24), ("b", 12))
    )

    def beat(to_s: float) -> list[float]:
        _, fan_j = cluster.power.take_beat(to_s)
        assert cluster.power.fans is not None
        racks_w = cluster.power.fans.take(60.0)
        assert racks_w.sum() * 60.0 == pytest.approx(fan_j, rel=1e-12)
        return racks_w.tolist()

    cluster.place(large, cluster.free.pack(24), 0.5, 10.0)
    beat(60.0)
    cluster.place(small, cluster.free.pack(12), 0.25, 75.0)
    cluster.drive(large, 1.0, 100.0)
    beat(120.0)
    cluster.drive(small, 0.75, 120.0)
    cluster.remove(large, 130.0)
    cluster.switch_off([0, 1], 180.0 - 60.0)
    assert beat(180.0)[0] > 0.0, "until its job went the rack that was switched off had fans"
    assert beat(240.0)[0] == 0.0


def test_a_job_turns_the_fans_of_its_own_rack_only():
    cluster = hall()
    idle_w = cluster.server.power_w(0.0)[1]
    job = Job("a", "training", 0.0, 16, 1.0, 1.0)
    cluster.place(job, cluster.free.pack(16), 1.0, 0.0)
    cluster.power.take_beat(60.0)
    assert cluster.power.fans is not None
    busy_w = 2 * cluster.server.power_w(1.0)[1]
    assert cluster.power.fans.take(60.0).tolist() == [busy_w, 2 * idle_w, idle_w]


def test_a_hall_without_warm_racks_keeps_no_fans_by_rack():
    config = composed("rack.inlet_rise_k=[0,0]")
    design = build.read(yaml.safe_load(yaml.safe_dump(config)))
    build.size(design)
    assert design.cluster.power.fans is None
