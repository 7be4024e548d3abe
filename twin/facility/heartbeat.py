"""The heartbeat: IT energy, losses, heat, plant, limits, one row of the record.

Each beat reads the exact energy the servers used since the last one, passes it through
the feed and the plant, and hands the limits for the next beat back to the jobs. What no
other beat depends on (the record, the ledger, the sums) is made up for many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from math import inf, nan

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.cluster.cluster import Cluster
from twin.config import BurstConfig
from twin.cooling.base import CoolingPlant, PlantState
from twin.facility.beat_books import Block, feed_figures, plant_figures
from twin.facility.burst import Burst, Stepping, take
from twin.facility.heat_limit import HeatLimit
from twin.facility.looks import CALM_S, ON_ITS_WAY, STEP_FRACTION, STILL_K, Looks
from twin.facility.power_limit import PowerLimit
from twin.facility.voltage import Voltage
from twin.jobs.life import Dispatcher
from twin.power.base import PowerFeed
from twin.records import Job
from twin.results.racks import RackPower
from twin.results.recorder import Recorder
from twin.results.summary import Totals
from twin.schema import ROW
from twin.site.base import WeatherSeries
from twin.site.demand import DemandMeter, MonthlyDemand
from twin.site.grid import GridSignals
from twin.units import JOULES_PER_KWH, SECONDS_PER_HOUR

BEATS_PER_BLOCK = 128
"""Beats between two settlements of the racks: many, so that numpy is cheap."""
RACK_BEATS_PER_BLOCK = 2_000_000
"""Racks times beats at most, for which memory is needed several times over."""
SHORTEST_WAIT_S = 1e-3
"""A breaker needs longer to open; and the change of a large battery's energy over a much
shorter beat would be lost in its rounding. [s]"""
RACK_POWER_MAX = ROW.index("rack_power_max_w")
ROW_POWER_MAX = ROW.index("row_power_max_w")
UTILITY_POWER = ROW.index("utility_power_w")


def split(plant: PlantState, ups_parts: frozenset[str]) -> tuple[float, float]:
    """Return what a plant draws from its own branch, and its parts on the UPS from there [W]."""
    if not ups_parts:
        return plant.power_w, 0.0
    own_w = ups_w = 0.0
    for part, part_w in plant.parts_w.items():
        if part in ups_parts:
            ups_w += part_w
        else:
            own_w += part_w
    return own_w, ups_w


@dataclass(slots=True)
class Facility:
    """Everything one facility is made of; no state of it lives anywhere else."""

    env: simpy.Environment
    cluster: Cluster
    dispatcher: Dispatcher
    network_w: float
    """Switches and optics, whatever they carry. [W]"""
    network_apart: float
    """What of that is drawn elsewhere than in the servers' racks. [-]"""
    feed: PowerFeed
    plant: CoolingPlant
    grid: GridSignals
    weather: WeatherSeries
    aux_w: float
    voltage: Voltage
    power_limit: PowerLimit
    heat_limit: HeatLimit
    recorder: Recorder
    racks: RackPower
    demand: DemandMeter | None = None
    """Where the tariff charges for demand."""
    demand_bill: list[MonthlyDemand] = field(default_factory=list)
    """What it came to, once the run is over."""
    totals: Totals = field(default_factory=Totals)
    beat_s: float = 1.0
    """Length of a whole beat. [s]"""
    closed_s: float = 0.0
    """Up to when the books are closed. [s]"""
    it_w: float = 0.0
    """IT power of the last beat. [W]"""
    inlet_c: float = nan
    """Air at the servers at the end of it; it moved from nowhere to there in the first. [degC]"""
    stored_w: float = 0.0
    """What the plant kept of the heat in it. [W]"""
    warm: float = 1.0
    """Server power over that with cool inlets, in the last beat. [-]"""
    plant_w: tuple[float, float] = (0.0, 0.0)
    """Power of the plant in the last beat: on its own branch, and on the UPS. [W]"""
    ups_parts: frozenset[str] = frozenset()
    """Parts of the plant that hang on the UPS."""
    looks: Looks = field(default_factory=Looks)
    """When to look without waiting for the heartbeat."""
    due_s: float = inf
    """When the beat ends that runs: the feed changes by itself, or a look is due. [s]"""
    alarm: simpy.Event | None = None
    """Rings when ``due_s`` is another."""
    bursts: list[Burst] = field(default_factory=list)
    """The close-ups taken so far."""
    pending: list[tuple[float, ...]] = field(default_factory=list)
    """Beats whose books are not made up, as in ``BEAT``."""
    parts_w: Mapping[str, float] = field(default_factory=dict)
    """Power of the parts of the plant in the last beat. [W]"""
    pending_warm_w: list[NDArray[np.float64]] = field(default_factory=list)
    """What the fans of each rack drew more for warm air in those beats, where racks differ. [W]"""

    block: int = field(init=False)
    """Beats between two settlements."""

    def __post_init__(self) -> None:
        most = RACK_BEATS_PER_BLOCK // self.cluster.racks
        self.block = max(1, min(BEATS_PER_BLOCK, most))
        most_w = self.cluster.server.power_w(1.0)[0] * self.cluster.servers
        self.cluster.power.watch_steps(STEP_FRACTION * most_w, self._step)
        self.due_s = self.looks.due_s

    def heartbeat(
        self, beat_s: float, duration_s: float, progress: Callable[[float], None]
    ) -> Generator[simpy.Event, None, None]:
        """Beat at ``k * beat_s``, multiplied and never summed, so a year does not drift."""
        env = self.env
        self.beat_s = beat_s
        every = max(1, int(duration_s / beat_s / 200.0))
        k = 0
        now_s = env.now
        while now_s < duration_s:
            k += 1
            yield env.timeout(min(k * beat_s, duration_s) - now_s)
            self.catch_up()
            now_s = self.closed_s
            if k % every == 0:
                progress(now_s / duration_s)

    def watch(self) -> Generator[simpy.Event, None, None]:
        """End a beat wherever a look is due or the feed changes, be it between two heartbeats."""
        env = self.env
        while True:
            self.alarm = env.event()
            is_time = False
            if self.due_s < inf:
                wait = env.timeout(max(self.due_s - env.now, SHORTEST_WAIT_S))
                yield wait | self.alarm
                is_time = wait.processed
            else:
                yield self.alarm
            if is_time or env.now >= self.due_s:  # the alarm may tell of a later moment
                self.catch_up()

    def look_closely(
        self, config: BurstConfig, dice: np.random.Generator
    ) -> Generator[simpy.Event, None, None]:
        """Take a close-up at each instant asked for; nothing of the run is touched."""
        for hour in sorted(config.at_hours):
            yield self.env.timeout(hour * SECONDS_PER_HOUR - self.env.now)
            burst = take(
                config,
                self.env.now,
                self._it_now_w(),
                [self._stepping(job) for job in self.dispatcher.running],
                self.feed.loads_w,
                self.feed.storage_w,
                dice,
            )
            self.bursts.append(burst)

    def _it_now_w(self) -> float:
        """Return the IT power of this instant [W]."""
        return self.cluster.power.total_w * self.warm + self._spread_w() * self.voltage.it

    def _spread_w(self) -> float:
        """Return what switches and storage draw now, where all have voltage [W]."""
        spread_w = self.network_w + self.dispatcher.tally.storage_w
        return spread_w * self.heat_limit.spread

    def _stepping(self, job: Job) -> Stepping:
        """Return how the power of a running job swings with its steps."""
        if job.duty == 1.0 or job.rate <= 0.0:
            return Stepping(job.job_id, job.gpus, 0.0, job.duty, 0.0)
        server, (factor, _) = self.cluster.server, self.dispatcher.work.heat.of(job)
        levels = (job.activity * factor, job.low_activity * factor)
        # Fans are too slow to follow a step.
        high_w, low_w = (
            power_w - fan_w for power_w, fan_w in (server.power_w(server.drive(a)) for a in levels)
        )
        swing_w = (high_w - low_w) * job.gpus / server.gpus_per_server
        return Stepping(job.job_id, job.gpus, job.step_s / job.rate, job.duty, swing_w)

    def follow_feed(self) -> None:
        """Heed what has happened in the feed, and when it will change next."""
        changes = self.feed.take_changes()
        if changes:
            self.voltage.follow(changes, self._spread_w(), self.plant_w, self.aux_w)
            self._expect_restart()
            self.looks.upset(self.env.now)
        self._wake_at(min(self.env.now + self.feed.until_change_s(), self.looks.due_s))

    def _look_soon(self) -> None:
        """Look at what becomes of an upset."""
        self.looks.upset(self.env.now)
        self._wake_at(min(self.due_s, self.looks.due_s))

    def _expect_restart(self) -> None:
        """End a beat where machines of the plant that are on their way back will be back."""
        wait_s = self.plant.until_restart_s()
        if wait_s < inf:
            self.env.process(self._see_restart(wait_s))

    def _see_restart(self, wait_s: float) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(max(wait_s, SHORTEST_WAIT_S))
        self.catch_up()
        self._look_soon()
        self._expect_restart()

    def _step(self) -> None:
        """End the beat here, where the load takes a step."""
        self.looks.step(self.env.now, self.closed_s)
        self._wake_at(min(self.due_s, self.looks.due_s))

    def _wake_at(self, due_s: float) -> None:
        """End the beat at *due_s* if nothing else does before."""
        if due_s != self.due_s:
            self.due_s = due_s
            if self.alarm is not None and not self.alarm.triggered:
                self.alarm.succeed()

    def break_plant(self, unit: str, fraction: float) -> None:
        """Let *fraction* of a unit of the cooling plant be whole from now on."""
        self.catch_up()
        self.voltage.break_motors(unit, fraction)
        self._expect_restart()
        self._look_soon()

    def break_feed(self, act: Callable[[], None]) -> None:
        """Do something to the feed, here and now."""
        self.catch_up()
        act()
        self.looks.upset(self.env.now)
        self.follow_feed()
        self._heed_limit()

    def catch_up(self) -> None:
        """Close the books up to now, also in mid-beat, before something is changed by hand."""
        now_s = self.env.now
        if now_s > self.closed_s:
            self.beat(self.closed_s, now_s)
            self.closed_s = now_s

    def close(self) -> None:
        """Close the books of the last moments and hand over the jobs that have not ended."""
        self.catch_up()
        self.settle()
        self.dispatcher.close()
        if self.demand is not None:
            self.demand_bill = self.demand.bill(self.env.now)
            self.totals.demand_cost = sum(month.cost for month in self.demand_bill)
        self.totals.set_point_moves = self.plant.set_point_moves()
        self.totals.gpu_out_s = self.cluster.gpus_out.take(self.env.now)
        self.totals.it_loss_j = self.feed.it_loss_j()
        self.totals.fuel_l, self.totals.fuel_carbon_kg = self.feed.fuel()
        self.totals.jobs_shed = self.power_limit.jobs_shed
        self.totals.throttle_after_s = self.heat_limit.throttle_after_s
        self.totals.trip_after_s = self.heat_limit.trip_after_s
        self.totals.feed_fits_w = self.it_w + self.feed.headroom_w(steady=True)

    def beat(self, from_s: float, to_s: float) -> None:
        """Close the books of ``from_s..to_s`` and set the limits of what follows."""
        dt_s = to_s - from_s
        server_j, fan_j = self.cluster.power.take_beat(to_s)
        warm = 1.0
        extra_j = self._warm_fans_j(fan_j, dt_s)
        if extra_j != 0.0 and server_j > 0.0:
            warm = 1.0 + extra_j / server_j
            server_j += extra_j
            fan_j += extra_j
        allocated_s, active_s, running_s, queued_s, storage_j, tokens, requests = (
            self.dispatcher.tally.take(to_s)
        )
        server_w = server_j / dt_s
        voltage, saving = self.voltage, self.dispatcher.saving
        spread = voltage.it * self.heat_limit.spread
        network_w = self.network_w * spread
        storage_w = storage_j / dt_s * spread
        aux_w = self.aux_w * voltage.aux
        it_w = server_w + network_w + storage_w

        if self.feed.wants_price():
            self.feed.tell_price(self.grid.price_per_kwh.mean(from_s, to_s), from_s)
        lost_w = self.feed.serve_it(it_w, dt_s)
        apart_w = self.network_apart * network_w + storage_w + lost_w
        drybulb_c, wetbulb_c = self.weather.at(0.5 * (from_s + to_s))
        plant = self.plant.step(it_w + lost_w, drybulb_c, wetbulb_c, dt_s, apart_w)
        self.parts_w = plant.parts_w
        mechanical_w, movers_w = self.plant_w = split(plant, self.ups_parts)
        feed = self.feed.serve_all(mechanical_w, aux_w, dt_s, movers_w)
        self.it_w, self.warm, self.dispatcher.offers.inlet_c = it_w, warm, plant.inlet_c
        slowed_gpus, capped_gpus = self.heat_limit.slowed_gpus(allocated_s / dt_s)

        self.pending.append(
            (
                from_s, to_s, warm,
                it_w, server_w, fan_j, network_w, storage_w, aux_w,
                allocated_s, active_s, running_s, queued_s, tokens, requests,
                self.dispatcher.tally.take_slo(), slowed_gpus, capped_gpus,
                nan if saving is None else saving.space.mean_bytes(from_s, to_s),
                drybulb_c, wetbulb_c,
                voltage.it, voltage.unserved_w,
                *plant_figures(plant, self.heat_limit.zones[-1].rise_k),
                *feed_figures(feed),
                *plant.parts_w.values(),
            )
        )  # fmt: skip
        if len(self.pending) >= self.block:
            self.settle()
        self.heat_limit.heed(plant.inlet_c, plant.inlet_max_c, to_s, dt_s)
        self._choose_look(plant, to_s, dt_s)
        self.follow_feed()
        self._heed_limit()

    def _choose_look(self, plant: PlantState, now_s: float, dt_s: float) -> None:
        """Look again soon if the beat moved the air at the servers, or the plant behind it."""
        warmed_k, self.inlet_c = plant.inlet_c - self.inlet_c, plant.inlet_c
        stored_w = plant.stored_j / dt_s
        changed_w, self.stored_w = stored_w - self.stored_w, stored_w
        on_its_way = self.beat_s > CALM_S and abs(changed_w) > ON_ITS_WAY * plant.heat_in_w
        if on_its_way or self.looks.due_s < inf or not -STILL_K < warmed_k < STILL_K:
            self.looks.lived(now_s, dt_s, (warmed_k, on_its_way), self._heeded_in_s)

    def _heeded_in_s(self, rate_k_per_s: float) -> float:
        """Return when servers would heed air that warms at this rate; ``inf``: in no beat [s]."""
        return self.heat_limit.heeded_in_s(rate_k_per_s, self.beat_s)

    def _warm_fans_j(self, fan_j: float, dt_s: float) -> float:
        """Return what the fans drew more for warm air [J]; note it by rack where racks differ."""
        warm_w = self.heat_limit.rack_fans_w(dt_s)
        if warm_w is None:  # spread over racks as their power is
            return fan_j * (self.heat_limit.zones[0].fan_factor - 1.0)
        self.pending_warm_w.append(warm_w)
        return float(warm_w.sum()) * dt_s

    def settle(self) -> None:
        """Make up the books of all pending beats, and record those beats."""
        if not self.pending:
            return
        beats = Block(self.pending, tuple(self.parts_w))
        starts_s, ends_s, warm = (beats.of[name] for name in ("from_s", "to_s", "warm"))
        rack_w = self.cluster.power.take_racks()
        if self.pending_warm_w:
            rack_w += np.array(self.pending_warm_w)
            self.pending_warm_w.clear()
        elif np.any(warm != 1.0):
            rack_w *= warm[:, None]
        price, carbon = self.grid.price_per_kwh, self.grid.carbon_kg_per_kwh
        rows = beats.rows(
            self.cluster.gpus, price.means(starts_s, ends_s), carbon.means(starts_s, ends_s)
        )
        rows[:, ROW_POWER_MAX] = self.racks.block(rack_w, beats.lengths_s)
        rows[:, RACK_POWER_MAX] = rack_w.max(axis=1)
        starts, lengths = starts_s.tolist(), beats.lengths_s.tolist()
        self.recorder.beats(starts, lengths, rows)
        if self.demand is not None:
            self.demand.add(starts, lengths, rows[:, UTILITY_POWER].tolist())
        # At least of 1 kW over a whole beat.
        residual = beats.residual(1000.0 * self.beat_s)
        self.totals.residual_max = max(self.totals.residual_max, residual)
        beats.add_to(self.totals)
        self._add(beats.lengths_s, rows)
        self.pending.clear()

    def _add(self, lengths_s: NDArray[np.float64], rows: NDArray[np.float64]) -> None:
        """Add a block of beats, shape (beats, columns), to the totals of the run."""
        totals = self.totals
        column = dict(zip(ROW, rows.T, strict=True))
        sums = dict(zip(ROW, (lengths_s @ rows).tolist(), strict=True))
        totals.seconds += float(lengths_s.sum())
        totals.it_j += sums["it_power_w"]
        totals.fan_j += sums["server_fan_power_w"]
        totals.storage_j += sums["storage_power_w"]
        totals.loss_j += sums["loss_power_w"]
        totals.cooling_j += sums["cooling_power_w"]
        totals.aux_j += sums["aux_power_w"]
        totals.facility_j += sums["facility_power_w"]
        totals.water_kg += sums["water_kg_per_s"]
        totals.carbon_kg += sums["carbon_kg_per_s"]
        totals.gpu_allocated_s += sums["gpus_allocated"]
        totals.gpu_active_s += sums["gpu_active_fraction"] * self.cluster.gpus
        totals.throttled_gpu_s += sums["throttled_gpus"]
        totals.capped_gpu_s += sums["capped_gpus"]
        totals.tokens += sums["tokens_per_s"]
        for source, name in (("pv_j", "pv_power_w"), ("generator_j", "generator_power_w")):
            if sums[name] == sums[name]:  # NaN: there is none
                setattr(totals, source, (getattr(totals, source) or 0.0) + sums[name])
        bought_kwh = lengths_s * column["utility_power_w"] / JOULES_PER_KWH
        totals.cost += float(bought_kwh @ column["price_per_kwh"])
        market_kg_per_kwh = self.grid.market_kg_per_kwh
        if market_kg_per_kwh is not None:
            market_kg = float(bought_kwh.sum()) * market_kg_per_kwh
            totals.carbon_market_kg = (totals.carbon_market_kg or 0.0) + market_kg
        totals.it_peak_w = max(totals.it_peak_w, float(column["it_power_w"].max()))
        facility_peak_w = float(column["facility_power_w"].max())
        totals.facility_peak_w = max(totals.facility_peak_w, facility_peak_w)

    def _heed_limit(self) -> None:
        """Keep the servers below what the feed can carry."""
        limit = self.power_limit
        if limit.acts and self.it_w > 0.0:
            voltage = self.voltage
            other_w = self._spread_w() * voltage.it
            if limit.heed(self.it_w, other_w, self.warm):
                self.heat_limit.pace()
