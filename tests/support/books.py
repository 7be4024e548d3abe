"""What holds of a facility whenever a run is over, whatever broke in it."""

from __future__ import annotations

import pytest

from twin.facility.heartbeat import Facility


def assert_nothing_is_lost(facility: Facility) -> None:
    """Find every watt, GPU and job, and all repaired things at work again."""
    cluster, desk, voltage = facility.cluster, facility.dispatcher, facility.voltage
    assert facility.totals.residual_max < 1e-9
    seated = sum(job.gpus for job in desk.running)
    out = sum(cluster.capacities[i] for i in range(cluster.servers) if cluster._out[i])
    assert cluster.free.gpus + seated + out == cluster.gpus
    ended = desk.done.completed + desk.done.killed
    assert desk.done.submitted == ended + len(desk.running) + len(desk.queue)
    assert (voltage.it, voltage.mechanical, voltage.movers, voltage.aux) == (1, 1, 1, 1)
    assert voltage.unserved_w == pytest.approx(0.0, abs=1e-6)
    assert voltage.motors.whole == dict.fromkeys(voltage.motors.whole, 1.0)
    assert facility.heat_limit.zones[0].tripped or cluster.servers_on == cluster.servers
