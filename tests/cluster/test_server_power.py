"""Books of rack power, beat by beat."""

import numpy as np
import pytest

from tests.support.desk import ToyServer
from twin.cluster import cluster as cluster_module
from twin.cluster.cluster import Cluster
from twin.records import Job


def test_what_changes_at_the_very_end_of_a_beat_belongs_to_the_next():
    cluster = Cluster(ToyServer(), gpus=16, servers_per_rack=1)
    cluster.power.take_beat(60.0)
    cluster.switch_off([1], 60.0)  # as heat does once the books of a beat are closed
    assert cluster.power.take_racks().tolist() == [[100.0, 100.0]]
    cluster.switch_on([1], 90.0)
    cluster.power.take_beat(120.0)
    assert cluster.power.take_racks().tolist() == [[100.0, 50.0]]


@pytest.mark.parametrize("wide", [1, 3])
def test_many_servers_booked_at_once_are_as_exact_as_one_by_one(monkeypatch, wide):
    """Two gangs come, change and go across beats, and the last step falls after the last beat."""

    def story(least):
        monkeypatch.setattr(cluster_module, "WIDE", least)
        hall = Cluster(ToyServer(), 40, servers_per_rack=2)
        rows = []
        large, small = (
            Job(name, "training", 0.0, gpus, 1.0, 1.0) for name, gpus in (("a", 24), ("b", 12))
        )
        hall.place(large, hall.free.pack(24), 0.5, 10.0)
        hall.power.take_beat(60.0)
        hall.place(small, hall.free.pack(12), 0.25, 75.0)
        hall.drive(large, 1.0, 100.0)
        hall.power.take_beat(120.0)
        hall.drive(small, 0.75, 120.0)
        rows.append(hall.power.take_racks())
        hall.remove(large, 130.0)
        hall.switch_off([0, 1, 2], 150.0)
        hall.power.take_beat(180.0)
        rows.append(hall.power.take_racks())
        return np.vstack(rows), hall.power.total_w

    one_by_one, power_w = story(10**9)
    at_once, same_w = story(wide)
    assert at_once == pytest.approx(one_by_one, rel=1e-14)
    assert same_w == power_w


def test_the_first_step_of_the_load_in_a_beat_is_told():
    """Servers of 100 W: two are a step, one is none, the way back is told too."""
    told, hall = [], Cluster(ToyServer(), gpus=48, servers_per_rack=2)
    hall.power.watch_steps(150.0, lambda: told.append(hall.power.total_w))
    hall.power.take_beat(60.0)
    hall.switch_off([0], 70.0)
    assert told == []
    hall.switch_off([1], 80.0)
    hall.switch_off([2], 85.0)
    assert len(told) == 1
    hall.power.take_beat(120.0)
    hall.switch_on([0, 1], 130.0)
    assert len(told) == 2
