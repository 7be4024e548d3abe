"""What heat does to the servers: fans that speed up, GPUs that slow down, halls that trip.

Once a beat the plant says how warm the air is that it supplies; what it does to them holds
for the next beat. Switches and storage draw the same air and are made for none that is warmer:
they are taken to go with the last servers of the hall, and to come back with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from twin.cluster.cluster import Cluster
from twin.facility.power_limit import PowerLimit
from twin.facility.voltage import Voltage
from twin.jobs.life import Dispatcher
from twin.records import Event
from twin.units import SECONDS_PER_MINUTE

SHARPNESS_S = 0.1
"""To which the moment is found at which servers heed air that warms steadily. [s]"""


@dataclass(slots=True)
class Zone:
    """Servers that draw the same air, and what heat does to them now."""

    where: str
    servers: Sequence[int]
    rise_k: float = 0.0
    """How much warmer their air is than the hall's inlet. [K]"""
    throttled: bool = False
    throttled_s: float = 0.0
    """For how long heat or a power limit has slowed them. [s]"""
    tripped: bool = False
    fan_factor: float = 1.0
    inlet_c: float = nan
    inlet_max_c: float = -273.15


@dataclass(slots=True)
class HeatLimit:
    """Keeps servers from air that is too warm for them, beside what the power limit does."""

    dispatcher: Dispatcher
    voltage: Voltage
    power_limit: PowerLimit
    record: Callable[[Event], None]
    throttled: bool = False
    """Whether heat slows GPUs down: all of them, or the jobs that have some in warmer air."""
    throttle_after_s: float = inf
    """Shortest time from a loss of cooling or power until heat slowed GPUs down. [s]"""
    trip_after_s: float = inf
    """The same until servers shut down. [s]"""
    spread: float = 1.0
    """What of switches and storage runs: nothing while every server is shut down by heat. [-]"""
    zones: list[Zone] = field(init=False)
    """The hall, from the coolest air to the warmest; one where all racks draw it alike."""
    zone_of: NDArray[np.intp] = field(init=False)
    """Which of them each rack belongs to."""

    def __post_init__(self) -> None:
        self.zones, self.zone_of = _zones(self.dispatcher.cluster)

    def heed(self, inlet_c: float, inlet_max_c: float, now_s: float, dt_s: float) -> None:
        """Let the servers draw air as warm as the plant left it at the end of a beat."""
        capped = self.power_limit.part < 1.0
        for zone in self.zones:
            if capped or zone.throttled:
                zone.throttled_s += dt_s
            self._heed(zone, inlet_c + zone.rise_k, inlet_max_c + zone.rise_k, now_s)

    def heeded_in_s(self, rate_k_per_s: float, within_s: float) -> float:
        """Return when servers would heed air that warms at this rate; ``inf``: later [s]."""
        limits, heeded_s = self.dispatcher.cluster.server.limits, inf
        for zone in self.zones:
            now, inlet_c = (zone.throttled, zone.tripped), zone.inlet_c
            if zone.tripped and self.voltage.mechanical == 0.0:
                continue
            before_s, after_s = 0.0, within_s
            if limits(inlet_c + rate_k_per_s * after_s, *now) == now:
                continue
            while after_s - before_s > SHARPNESS_S:
                middle_s = 0.5 * (before_s + after_s)
                if limits(inlet_c + rate_k_per_s * middle_s, *now) == now:
                    before_s = middle_s
                else:
                    after_s = middle_s
            heeded_s = min(heeded_s, after_s)
        return heeded_s

    def slowed_gpus(self, allocated: float) -> tuple[float, float]:
        """Return how many of the GPUs held heat or a power limit slows, and the limit alone."""
        if self.power_limit.part < 1.0:
            return allocated, allocated
        if not self.throttled:
            return 0.0, 0.0
        if all(zone.throttled for zone in self.zones):
            return allocated, 0.0
        return float(self.dispatcher.work.slowed_by_heat()), 0.0

    def rack_fans_w(self, dt_s: float) -> NDArray[np.float64] | None:
        """Return what the fans of each rack drew more for warm air [W]; None where all draw it."""
        fans = self.dispatcher.cluster.power.fans
        if fans is None:
            return None
        more = np.array([zone.fan_factor - 1.0 for zone in self.zones])
        warm_w: NDArray[np.float64] = fans.take(dt_s) * more[self.zone_of]
        return warm_w

    def pace(self) -> float:
        """Let GPUs work as heat and power allow; return the rate of the slowest over their own."""
        usual = self.power_limit.pace() if self.power_limit.part < 1.0 else (1.0, 1.0)
        if not self.throttled:
            self.dispatcher.throttle(*usual)
            return usual[1]
        activity, rate = self.dispatcher.cluster.server.throttle()
        hot = min(usual[0], activity), min(usual[1], rate)
        if all(zone.throttled for zone in self.zones):
            self.dispatcher.throttle(*hot)
        else:
            servers = [server for zone in self.zones if zone.throttled for server in zone.servers]
            self.dispatcher.throttle(*usual, servers, hot)
        return hot[1]

    def _heed(self, zone: Zone, inlet_c: float, inlet_max_c: float, now_s: float) -> None:
        """Let inlet temperature set fan speed, throttling and trip of the servers of a zone."""
        server = self.dispatcher.cluster.server
        zone.inlet_max_c = max(zone.inlet_max_c, inlet_max_c)
        if inlet_c == zone.inlet_c:
            return
        zone.inlet_c = inlet_c
        zone.fan_factor = server.fan_factor(inlet_c)
        throttled, tripped = server.limits(inlet_c, zone.throttled, zone.tripped)
        if zone.tripped and self.voltage.mechanical == 0.0:
            tripped = True  # nobody starts servers in a hall without cooling
        if tripped != zone.tripped:
            zone.tripped = tripped
            self._trip(zone, inlet_c, now_s)
        if throttled != zone.throttled:
            zone.throttled = throttled
            self.throttled = any(each.throttled for each in self.zones)
            rate = self.pace()
            kind = "throttle" if throttled else "throttle_end"
            detail = f"inlet {inlet_c:.1f} C, GPUs at {rate:.0%} of their rate"
            if throttled:
                detail += self._since(now_s)
                passed_s = now_s - self.voltage.lost_at_s
                self.throttle_after_s = min(self.throttle_after_s, passed_s)
            self.record(Event(now_s, kind, zone.where, detail))

    def _trip(self, zone: Zone, inlet_c: float, now_s: float) -> None:
        desk, voltage, servers = self.dispatcher, self.voltage, zone.servers
        self.spread = 0.0 if all(each.tripped for each in self.zones) else 1.0
        if zone.tripped:
            jobs = desk.shut_down(servers)
            detail = f"inlet {inlet_c:.1f} C: servers shut down, {jobs} jobs stopped"
            detail += self._since(now_s)
            self.trip_after_s = min(self.trip_after_s, now_s - voltage.lost_at_s)
            self.record(Event(now_s, "thermal_trip", zone.where, detail))
        else:
            desk.start_up(servers, voltage.restart_s)
            minutes = voltage.restart_s / SECONDS_PER_MINUTE
            detail = f"inlet {inlet_c:.1f} C: servers powered again, ready in {minutes:g} min"
            self.record(Event(now_s, "thermal_restart", zone.where, detail))

    def _since(self, now_s: float) -> str:
        """Say how long ago cooling or power was lost, where it was."""
        passed_s = now_s - self.voltage.lost_at_s
        if passed_s == inf:
            return ""
        return f", {passed_s / SECONDS_PER_MINUTE:.1f} min after the last loss"


def _zones(cluster: Cluster) -> tuple[list[Zone], NDArray[np.intp]]:
    """Return the parts of a hall that draw the same air, and which of them each rack belongs to."""
    if cluster.power.fans is None:
        whole = Zone("hall", range(cluster.servers))
        return [whole], np.zeros(cluster.racks, dtype=np.intp)
    rises_k, zone_of = np.unique(cluster.power.fans.rise_k, return_inverse=True)
    of_server = zone_of[cluster.rack_of]
    zones = [
        Zone(f"racks at +{rise_k:g} K", np.flatnonzero(of_server == number).tolist(), rise_k)
        for number, rise_k in enumerate(rises_k.tolist())
    ]
    return zones, zone_of
