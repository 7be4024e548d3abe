"""Books of rack power, beat by beat."""

from tests.support.desk import ToyServer
from twin.cluster.cluster import Cluster


def test_what_changes_at_the_very_end_of_a_beat_belongs_to_the_next():
    cluster = Cluster(ToyServer(), gpus=16, servers_per_rack=1)
    cluster.take_beat(60.0)
    cluster.switch_off([1], 60.0)  # as heat does once the books of a beat are closed
    assert cluster.take_racks().tolist() == [[100.0, 100.0]]
    cluster.switch_on([1], 90.0)
    cluster.take_beat(120.0)
    assert cluster.take_racks().tolist() == [[100.0, 50.0]]
