"""Configuration to objects: the only place where names become models.

:func:`read` checks every key of every group and returns a :class:`Design`;
:func:`size` lets the models fit each other; :func:`assemble` starts the processes.
Nothing is written before all three have passed.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from math import floor, inf
from typing import Any

import simpy

from twin.cluster.cluster import Cluster
from twin.cluster.rack import Filling, RackConfig
from twin.config import ClockConfig, Component, FacilityConfig, OutputConfig, parse
from twin.cooling.base import CoolingPlant, Mover, PlantDesign
from twin.economics import Economics
from twin.errors import ConfigError, suggest, under
from twin.facility.heartbeat import Facility, split
from twin.facility.heat_limit import HeatLimit
from twin.facility.phases import BuildOut, build_out
from twin.facility.power_limit import PowerLimit
from twin.facility.voltage import Motors, Voltage
from twin.faults import Faults, Group, Servers, Unit, Wiring, start
from twin.gpu.base import GpuServer
from twin.jobs.clock import Clock
from twin.jobs.life import Dispatcher, arrivals, asking, filling
from twin.jobs.offers import service
from twin.network.base import Fabric
from twin.power.base import FeedDesign, PowerFeed
from twin.records import Hardware, Job, WorkloadContext
from twin.results.racks import RackPower
from twin.results.recorder import Recorder
from twin.rng import rng_for
from twin.scenario import ScenarioConfig
from twin.scheduling.base import Policy
from twin.site.base import Site, WeatherSeries
from twin.site.demand import DemandMeter
from twin.site.grid import GridSignals
from twin.storage.base import Storage
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from twin.workload.base import Workload

COMPONENTS: dict[str, type[Component]] = {
    "gpu": GpuServer,
    "cooling": CoolingPlant,
    "power": PowerFeed,
    "network": Fabric,
    "storage": Storage,
    "site": Site,
    "workload": Workload,
    "scheduling": Policy,
}
"""Groups whose ``kind:`` names a class in the folder of the same name."""

RECORDS: dict[str, type] = {
    "facility": FacilityConfig,
    "rack": RackConfig,
    "economics": Economics,
    "faults": Faults,
    "clock": ClockConfig,
    "output": OutputConfig,
}
"""Groups of plain keys."""


RECOVERY_HEAT, RECOVERY_S = 2.0, 3600.0
"""Heat over the design heat, and for how long, under which all machines of a plant run at full,
as after a trip: their branch is built for that."""

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Years a run may begin in; the calendar ends long after the longest run of the last."""


@dataclass(slots=True)
class Design:
    """The models of one facility, checked one by one and not yet fitted to each other."""

    scenario: ScenarioConfig
    facility: FacilityConfig
    gpu: GpuServer
    rack: RackConfig
    cooling: CoolingPlant
    power: PowerFeed
    network: Fabric
    storage: Storage
    site: Site
    workload: Workload
    scheduling: Policy
    economics: Economics
    faults: Faults
    clock: ClockConfig
    output: OutputConfig
    start: datetime = field(init=False)
    duration_s: float = field(init=False)
    weather: WeatherSeries = field(init=False)
    grid: GridSignals = field(init=False)
    context: WorkloadContext = field(init=False)
    cluster: Cluster = field(init=False)
    build_out: BuildOut | None = field(init=False)
    it_nameplate_w: float = field(init=False)
    built_it_w: float = field(init=False)
    """Plate rating of all IT, were every rack position built filled like the others. [W]"""
    aux_w: float = field(init=False)
    rack_note: str | None = field(init=False, default=None)
    """What is to be said of racks that hold fewer servers than they could."""
    server_note: str | None = field(init=False, default=None)
    """What is to be said of servers whose fans do not fit the hall."""
    filling: Filling = field(init=False)
    """What the servers of a rack take of its height, its strength and its floor."""

    @property
    def positions(self) -> int:
        """Rack positions built, filled or not."""
        return self.facility.racks_built or self.cluster.racks

    @property
    def rack_plate_w(self) -> float:
        """Plate rating of servers and switches in their racks, were every position filled."""
        cluster = self.cluster
        filled_w = cluster.servers * self.gpu.nameplate_w + self.network.among_servers_w()
        return filled_w * self.positions / cluster.racks

    @property
    def floor_m2(self) -> float:
        """IT floor of all positions, aisles and all."""
        return self.positions * self.facility.floor_area_m2_per_rack


def resolve(family: str, kind: str, path: str) -> type:
    """Return the class that ``kind: module.Class`` names in ``twin.<family>``.

    Raises
    ------
    ConfigError
        If there is no such module or class there, or it is not a model of the family.
    """
    module_name, _, class_name = kind.partition(".")
    models = _models(family, module_name)
    if class_name not in models:
        raise ConfigError(f"{path}={kind!r}: no such model; {suggest(kind, _kinds(family))}")
    return models[class_name]


def _kinds(family: str) -> list[str]:
    """Return every ``kind`` of a family."""
    package = importlib.import_module(f"twin.{family}")
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [f"{name}.{model}" for name in modules for model in _models(family, name)]


def _models(family: str, module_name: str) -> dict[str, type]:
    """Return the models that a module of a family holds, by class name; none if there is none."""
    if not module_name.isidentifier() or module_name == "base":
        return {}
    name = f"twin.{family}.{module_name}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, but lacks something itself
            raise
        return {}
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Component)
        and value.__module__ == module.__name__
        and dataclasses.is_dataclass(value)
        and getattr(value, "family", None) == family
        and not inspect.isabstract(value)
    }


def read(config: Mapping[str, Any]) -> Design:
    """Fill every model from plain data; raise one ConfigError with all problems."""
    groups: dict[str, Any] = {"scenario": ScenarioConfig, **COMPONENTS, **RECORDS}
    problems = [
        f"{key}: unknown group; {suggest(str(key), groups)}" for key in config if key not in groups
    ]
    models: dict[str, Any] = {}
    for group, shape in groups.items():
        try:
            models[group] = _model(group, shape, config)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Design(**models)


def _model(group: str, shape: type, config: Mapping[str, Any]) -> Any:
    if group not in config or config[group] is None:
        raise ConfigError(f"{group}: is required")
    data = config[group]
    if issubclass(shape, Component):
        if not isinstance(data, Mapping) or "kind" not in data:
            raise ConfigError(f"{group}.kind: is required")
        shape = resolve(group, str(data["kind"]), f"{group}.kind")
    return parse(shape, data, group, resolve)


def size(design: Design, replication: int = 0) -> None:
    """Let the models fit each other: racks their servers, plant and feed their load.

    Raises
    ------
    ConfigError
        If something does not fit: a rack over its rating or beyond its cooling, a fabric
        with too few ports, an input file that cannot be used.
    """
    _time(design)
    _fill_racks(design)
    facility, server, cluster = design.facility, design.gpu, design.cluster
    with under("economics"):
        design.economics.exchange(design.site.currency)
    rng = rng_for(design.clock.seed, replication)
    with under("site"):
        design.weather = design.site.weather(design.start, design.duration_s, rng)
        design.grid = design.site.grid(design.start, design.duration_s)
    design.context = WorkloadContext(
        start=design.start,
        duration_s=design.duration_s,
        gpus=facility.gpus,
        gpus_per_server=server.gpus_per_server,
        gpu_peak_flops=server.peak_flops,
        rng=rng,
        hardware=hardware(design),
    )
    with under("workload"):
        design.workload.check(design.context)
    held = design.workload.held_gpus()
    if held > facility.gpus:
        raise ConfigError(
            f"facility.gpus={facility.gpus}: must be at least the {held} that services hold"
        )
    storage_w = design.storage.power_w(float("inf"), float("inf"))
    design.it_nameplate_w = (
        cluster.servers * server.nameplate_w + design.network.power_w() + storage_w
    )
    racks_w = (design.it_nameplate_w - storage_w) * design.positions / cluster.racks
    design.built_it_w = racks_w + storage_w
    design.aux_w = facility.aux_fraction * design.built_it_w
    _size_plant_and_feed(design)
    _branches(design)
    design.power.know_prices(design.grid.price_per_kwh)
    if design.power.wants_sun():
        design.power.know_sun(design.site.sunshine(design.start, design.duration_s, design.weather))
    design.power.seed(rng)
    design.faults.check(machines(design))


def _fill_racks(design: Design) -> None:
    """Put the servers into racks, and the racks on the fabric."""
    facility, server, rack = design.facility, design.gpu, design.rack
    design.rack_note = rack.fit(server.nameplate_w, design.cooling.rack_limit_w())
    rack.check(server.nameplate_w)
    design.filling = rack.fill(
        server.rack_units,
        server.mass_kg,
        facility.floor_area_m2_per_rack,
        facility.floor_load_kg_per_m2,
    )
    air_fraction = 1.0 - design.cooling.liquid_fraction()
    design.server_note = server.place(design.site.altitude_m, air_fraction)
    cluster = design.cluster = Cluster(server, facility.gpus, rack.servers_per_rack)
    if facility.racks_built and facility.racks_built < cluster.racks:
        raise ConfigError(
            f"facility.racks_built={facility.racks_built}: must be 0 or at least the "
            f"{cluster.racks} racks that {facility.gpus} GPUs fill"
        )
    rises_k = rack.rises_k(cluster.racks)
    if rises_k:
        cluster.draw_warm(rises_k)
    design.build_out = build_out(facility.phases, design.start, cluster.racks)
    with under("network"):
        design.network.size(cluster.servers, server.gpus_per_server)


def hardware(design: Design) -> Hardware:
    """Return what a training step sees; a server reaches as far as its ports and the fabric's."""
    server, fabric = design.gpu, design.network
    fabric_bytes_per_s = min(server.nic_bytes_per_s, fabric.server_bytes_per_s())
    fabric_bytes_per_s /= server.gpus_per_server
    joined = server.scale_up_bytes_per_s > 0.0
    return Hardware(
        memory_bytes=server.memory_bytes,
        memory_bytes_per_s=server.memory_bytes_per_s,
        domain_gpus=server.gpus_per_server * fabric.servers_joined() if joined else 1,
        domain_bytes_per_s=server.scale_up_bytes_per_s if joined else fabric_bytes_per_s,
        fabric_bytes_per_s=fabric_bytes_per_s,
        storage_bytes_per_s=design.storage.write_bandwidth_bytes_per_s,
        gpu_power_w=server.gpu_power_w,
        link_fraction=server.link_fraction,
        exchange_s=server.exchange_us * 1e-6,
        attention_s=server.attention_us * 1e-6,
        storage_holds_bytes=design.storage.capacity_bytes,
        multiprocessors=server.multiprocessors,
        attention_speed=server.attention_speed,
    )


def _time(design: Design) -> None:
    clock, output = design.clock, design.output
    try:
        design.start = datetime.fromisoformat(clock.start)
    except ValueError:
        raise ConfigError(
            f"clock.start={clock.start!r}: must be a date and time like '2023-07-03 00:00'"
        ) from None
    if design.start.tzinfo is not None:
        raise ConfigError(f"clock.start={clock.start!r}: must be site-local, without a time zone")
    design.duration_s = clock.duration_days * SECONDS_PER_DAY
    for hour in clock.burst.at_hours if clock.burst else ():
        if hour * SECONDS_PER_HOUR >= design.duration_s:
            raise ConfigError(
                f"clock.burst.at_hours={hour:g}: must lie within the run of "
                f"{design.duration_s / SECONDS_PER_HOUR:g} h"
            )
    if not FIRST_YEAR <= design.start.year <= LAST_YEAR:
        raise ConfigError(
            f"clock.start={clock.start!r}: must lie in the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    beats = output.interval_s / clock.heartbeat_s
    if abs(beats - round(beats)) > 1e-9 or beats < 1:
        raise ConfigError(
            f"output.interval_s={output.interval_s:g}: must be a multiple of "
            f"clock.heartbeat_s={clock.heartbeat_s:g}"
        )


def _size_plant_and_feed(design: Design) -> None:
    """Size the plant for IT and losses, then the feed for IT and that plant.

    Both for every rack position built, filled or not.
    """
    it_w, site, cluster = design.built_it_w, design.site, design.cluster
    feed, plant = design.power, design.cooling
    with under("power"):
        feed.size(FeedDesign(it_w, 0.5 * it_w, design.aux_w))  # a first guess of the plant
        heat_w = it_w + feed.serve_it(it_w, 1.0)
        if feed.movers_on_ups:  # then the UPS carries more than IT, and tells its loss a beat late
            feed.serve_all(0.5 * it_w, design.aux_w, 1.0)
            heat_w = it_w + feed.serve_it(it_w, 1.0)
    apart_w = heat_w - design.rack_plate_w
    plant_design = PlantDesign(
        heat_w=heat_w,
        apart_w=apart_w,
        racks=design.positions,
        servers=cluster.servers,
        rack_w=min(design.rack.servers_per_rack, cluster.servers) * design.gpu.nameplate_w,
        altitude_m=site.altitude_m,
        pressure_pa=design.weather.pressure_pa,
        drybulb_c=site.design_drybulb_c,
        wetbulb_c=site.design_wetbulb_c,
    )
    with under("cooling"):
        plant.size(replace(plant_design, holds_set_points=True))
        hot_c = (site.design_drybulb_c, site.design_wetbulb_c)
        worst = plant.step(heat_w, *hot_c, 60.0, apart_w)
        for dt_s in (RECOVERY_S, 60.0):  # the way there, and what is drawn then
            flat_out = plant.step(RECOVERY_HEAT * heat_w, *hot_c, dt_s, RECOVERY_HEAT * apart_w)
    parts = frozenset(part for mover in movers_on_ups(design) for part in mover.parts)
    mechanical_w, movers_w = split(worst, parts)
    connected_w, _ = split(flat_out, parts)
    with under("power"):
        for _ in range(2):  # the sets carry their own heaters: the second round is within 1e-4
            aux_w = design.aux_w + feed.standby_w
            feed.size(FeedDesign(it_w, mechanical_w, aux_w, movers_w, connected_w))
    design.aux_w += feed.standby_w
    with under("cooling"):
        plant.warnings.clear()
        plant.size(plant_design)  # again, to start from the steady state


def movers_on_ups(design: Design) -> list[Mover]:
    """Return the fans and pumps of the plant that hang on the UPS."""
    return [m for m in design.cooling.movers() if m.moves in design.power.movers_on_ups]


def _branches(design: Design) -> None:
    """Tell the cluster which branch of the feed each rack hangs on, and in which row it stands."""
    cluster, passed = design.cluster, 0.0
    if design.rack.racks_per_row:
        cluster.row_of = [rack // design.rack.racks_per_row for rack in range(cluster.racks)]
    for branch, (_, share, _) in enumerate(design.power.rack_groups()):
        first, last = (round(part * cluster.racks) for part in (passed, passed + share))
        cluster.branch_of[first:last] = [branch] * (last - first)
        passed += share


def machines(design: Design) -> dict[str, int]:
    """Return everything that can break, as ``family.unit``, and of how many machines it is."""
    cluster, feed = design.cluster, design.power
    return {
        **{f"cooling.{unit}": count for unit, count in design.cooling.installed().items()},
        **{f"power.{element}": count for element, count in feed.installed().items()},
        **{f"power.{switch}.stuck": 1 for switch in feed.switches()},
        **{f"network.{unit}": count for unit, count in design.network.units().items()},
        "it.node": cluster.servers,
        "it.gpu": cluster.gpus,
    }


def units(design: Design, facility: Facility) -> dict[str, Unit]:
    """Return the same things, and how to break them in a running facility."""
    found: dict[str, Unit] = {}
    for name, count in machines(design).items():
        family, _, unit = name.partition(".")
        if family == "cooling":
            found[name] = Group(count, partial(facility.break_plant, unit))
        elif family == "power":
            found[name] = Group(count, _feed_switch(facility, unit, count))
        elif family == "network":
            dice = design.context.rng(f"faults.{name}")
            record = facility.recorder.event
            found[name] = Wiring(count, unit, facility.dispatcher, dice, record)
        else:
            per_server = design.gpu.gpus_per_server if unit == "gpu" else 1
            dice = design.context.rng(f"faults.{name}")
            restart_s = facility.voltage.restart_s
            found[name] = Servers(count, per_server, facility.dispatcher, dice, restart_s)
    return found


def _feed_switch(facility: Facility, unit: str, count: int) -> Callable[[float], None]:
    """Return what lets a fraction of the *count* units of a feed element be in service.

    Half a unit carries nothing: what is begun is lost, as with servers and switches.
    """
    feed = facility.feed
    element, _, mode = unit.partition(".")

    def act(fraction: float) -> None:
        if mode:
            facility.break_feed(lambda: feed.set_stuck(element, fraction < 1.0))
        else:
            facility.break_feed(lambda: feed.set_available(element, floor(fraction * count + 1e-9)))

    return act


def assemble(design: Design, recorder: Recorder) -> Facility:
    """Return the facility of a sized *design* in a new environment, its processes started."""
    env = Clock()
    dispatcher = _dispatcher(env, design, recorder)
    feed, plant = design.power, design.cooling
    on_ups = movers_on_ups(design)
    motors = Motors(
        plant.set_available,
        dict.fromkeys(plant.installed(), 1.0),
        frozenset(mover.unit for mover in on_ups),
    )
    voltage = Voltage(
        env=env,
        feed=feed,
        dispatcher=dispatcher,
        motors=motors,
        record=recorder.event,
        restart_s=design.facility.restart_minutes * SECONDS_PER_MINUTE,
        reset_s=design.faults.breaker_reset_minutes * SECONDS_PER_MINUTE,
    )
    power_limit = PowerLimit(feed, dispatcher, recorder.event)
    facility = Facility(
        env=env,
        cluster=design.cluster,
        dispatcher=dispatcher,
        network_w=design.network.power_w(),
        network_apart=_apart(design.network),
        feed=feed,
        plant=plant,
        grid=design.grid,
        weather=design.weather,
        aux_w=design.aux_w,
        ups_parts=frozenset(part for mover in on_ups for part in mover.parts),
        voltage=voltage,
        power_limit=power_limit,
        heat_limit=HeatLimit(dispatcher, voltage, power_limit, recorder.event),
        recorder=recorder,
        racks=RackPower(
            design.cluster.racks, design.rack.rated_kw * 1000.0, design.rack.racks_per_row
        ),
        demand=_demand_meter(design),
    )
    _start(design, facility)
    return facility


def _apart(network: Fabric) -> float:
    """Return the part of the fabric's power that is not drawn in the servers' racks."""
    all_w = network.power_w()
    return 1.0 - network.among_servers_w() / all_w if all_w > 0.0 else 1.0


def _demand_meter(design: Design) -> DemandMeter | None:
    """Return the utility's register of demand, where the tariff charges for it."""
    charge = design.site.tariff.demand_charge_per_kw_month
    return None if charge is None else DemandMeter(design.start, charge)


def _dispatcher(env: simpy.Environment, design: Design, recorder: Recorder) -> Dispatcher:
    """Return where jobs meet servers, with what its policy must know and be asked."""
    dispatcher = Dispatcher(
        env,
        design.cluster,
        design.scheduling,
        design.network,
        design.storage,
        recorder.job,
        design.clock.heartbeat_s,
        recorder.event,
    )
    dispatcher.board.signals["price"] = design.grid.price_per_kwh.at
    dispatcher.board.signals["carbon"] = design.grid.carbon_kg_per_kwh.at
    if design.scheduling.asks_every_s < inf:
        env.process(asking(env, dispatcher, design.scheduling.asks_every_s))
    return dispatcher


def _start(design: Design, facility: Facility) -> None:
    """Start the processes of a facility: its feed, its growth, its faults, its work."""
    env, dispatcher = facility.env, facility.dispatcher
    env.process(facility.watch())
    if design.build_out is not None:
        env.process(design.build_out.run(env, facility))
    if design.clock.burst is not None:
        dice = design.context.rng("burst")
        env.process(facility.look_closely(design.clock.burst, dice))
    every = units(design, facility)
    facility.voltage.resets = {
        name.removeprefix("power."): unit.reset
        for name, unit in every.items()
        if isinstance(unit, Group) and name.startswith("power.")
    }
    start(env, design.faults, every, facility.recorder.event, design.context.rng)
    for offer in design.workload.services(design.context):
        env.process(service(env, dispatcher, offer))
    dispatcher.follow = design.workload.chain()
    jobs: Iterator[Job] = design.workload.jobs(design.context)
    env.process(arrivals(env, jobs, dispatcher.submit))
    inlet = design.workload.inlet()
    if inlet is not None:
        env.process(filling(env, dispatcher, inlet))
