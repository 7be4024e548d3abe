"""A feed of named elements: every watt from the meter to the rack inlets, loss by loss.

The diagram is checked once and, whenever somebody's supply changes, flattened to rows
ordered from leaf to root: ``(element, no-load loss, proportional, quadratic, feeders)``.
A beat walks the rows twice: first those that carry IT load alone, whose losses the
cooling plant must know, then the rest. What an element draws is its output plus its
loss (plus what its battery takes), so source = sinks + losses holds at every node, at
the element's own load. Where nothing can happen the walk is made short, see calm.py.

Time passes when :meth:`Feed.serve_all` closes a beat. Whatever falls due within a beat
(a transfer, an empty battery, a trip) happens at its end; a driver that wants the exact
instant makes beats no longer than :meth:`Feed.until_change_s`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Annotated, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from twin.config import Positive, Range
from twin.errors import require, require_known
from twin.physics.steps import StepSeries
from twin.power import one_line, sizing
from twin.power.base import Change, ElementLoads, FeedDesign, FeedState, Load, PowerFeed
from twin.power.bess import Bess
from twin.power.breaker import Breaker
from twin.power.calm import BEATS_PER_BLOCK, Asked, Calm
from twin.power.diagram import SINKS, Element, diagram, with_movers
from twin.power.fuel import Tank
from twin.power.loads import Loads
from twin.power.pv import PvArray
from twin.power.routes import Routes, element_loads_w, flatten, highest_it_w
from twin.power.stores import Stores
from twin.power.supply import Supply
from twin.records import Sunshine
from twin.rng import RngFor

MAKES_UP_S = 60.0
"""Heat that cooling was given too little comes no faster, or a cut beat would get a shock. [s]"""


@dataclass(kw_only=True)
class Feed(PowerFeed):
    """A diagram of any shape without circles; see the files in ``conf/power``.

    Examples
    --------
    >>> nothing = {"heat_to": "hall", "loss": (0.0, 0.0, 0.0)}
    >>> feed = Feed(
    ...     elements={
    ...         "grid": Element(type="utility", **nothing),
    ...         "ups": Element(type="ups", fed_by="grid", heat_to="hall", loss=(0.01, 0, 0.02)),
    ...         "racks": Element(type="racks", fed_by="ups", **nothing),
    ...         "chillers": Element(type="mechanical", fed_by="grid", **nothing),
    ...         "offices": Element(type="auxiliary", fed_by="grid", **nothing),
    ...     }
    ... )
    >>> feed.size(FeedDesign(it_w=1e6, mechanical_w=3e5, aux_w=1e4))
    >>> round(feed.serve_it(5e5, dt_s=60.0))  # heat for the cooling plant
    15000
    >>> round(feed.serve_all(1e5, 1e4, dt_s=60.0).utility_w)
    625000
    >>> feed.set_available("ups", 0)
    >>> feed.fed_fraction("it")
    0.0
    """

    elements: dict[str, Element]
    oversubscription: Annotated[float, Range(1.0, 10.0)] = 1.0
    """Nameplate IT power over the IT power that everything above the racks is built for. [-]"""
    contract_kw: Positive | None = None
    """Power contracted on each utility line; None: what the design load needs. [kW]"""
    bess: Bess | None = None
    pv: PvArray | None = None

    # ---- fixed by the diagram ----
    _names: list[str] = field(init=False, repr=False)
    """Leaf to root: whoever is fed comes before its feeders."""
    _index: dict[str, int] = field(init=False, repr=False)
    _graph: nx.DiGraph = field(init=False, repr=False)
    _ordered: list[Element] = field(init=False, repr=False)
    _it_alone: list[bool] = field(init=False, repr=False)
    """Whether nothing but IT load hangs below an element."""
    _utilities: list[int] = field(init=False, repr=False)
    _generators: list[int] = field(init=False, repr=False)
    _breakers: dict[int, Breaker] = field(init=False, repr=False)
    _tanks: list[tuple[int, Tank]] = field(init=False, repr=False)
    _using_fuel: bool = field(init=False, repr=False, default=False)
    """Whether a tank is in use or not full."""

    # ---- fixed by size() ----
    _unit_w: list[float] = field(init=False, repr=False)
    _installed: list[int] = field(init=False, repr=False)
    _supply: Supply = field(init=False, repr=False)
    _stores: Stores = field(init=False, repr=False)
    _sized: bool = field(init=False, repr=False, default=False)
    _draw_die: Callable[[int], Sequence[float]] | None = field(init=False, default=None, repr=False)

    # ---- fixed by who has voltage ----
    _routes: Routes = field(init=False, repr=False)
    _rerouted: bool = field(init=False, default=False, repr=False)
    """Whether no beat has gone along them yet."""
    _calm_here: Calm | None = field(init=False, default=None, repr=False)
    """Calm beats with these routes; None where there are none, or nobody has looked."""
    _looked_for_calm: bool = field(init=False, default=False, repr=False)

    # ---- of calm beats ----
    _most_w: Asked = field(init=False, default=(0.0,) * 4, repr=False)
    """The loads the feed is built for, in the order of ``SINKS``."""
    _calm: Calm | None = field(init=False, default=None, repr=False)
    """Takes the beats while nothing is under way."""
    _unwalked: bool = field(init=False, default=False, repr=False)
    """Whether the last beat was calm, so that no element knows its load."""

    # ---- of the present beat ----
    _loads: Loads = field(init=False, repr=False)
    _asked_w: Asked = field(init=False, default=(0.0,) * 4)
    """The loads asked for last, in the order of ``SINKS``."""
    _it_losses_w: tuple[float, float] = field(init=False, default=(0.0, 0.0))
    """Of the IT rows and of recharging: (all, those outdoors)."""
    _price_per_kwh: float | None = field(init=False, default=None)
    _at_s: float = field(init=False, default=0.0)
    """When the present beat began. [s]"""
    _pv_at: int = field(init=False, default=-1)
    _pv_w: float = field(init=False, default=0.0)
    """PV power used in the last beat."""
    _hot: bool = field(init=False, default=False)
    """Whether a breaker remembers an overload."""
    _it_loss_j: float = field(init=False, default=0.0)
    _late_w: float = field(init=False, default=0.0)
    """Heat of indoor elements in the last beat, known too late for its cooling. [W]"""
    _released_w: float = field(init=False, default=0.0)
    """What cooling was given for it in this one. [W]"""
    _owed_j: float = field(init=False, default=0.0)
    """What it was given too little so far. [J]"""

    def __post_init__(self) -> None:
        # By name, so that neither sums nor dice depend on the order they are listed in.
        self.elements = dict(sorted(self.elements.items()))
        for name, element in self.elements.items():
            if element.type == "utility" and self.contract_kw is not None:
                self.elements[name] = replace(
                    element, units=1, spare_units=0, unit_kw=self.contract_kw, unit_max_kw=None
                )
        if self.movers_on_ups:
            diagram(self.elements)  # refused as it stands, before a branch is added to it
            self.elements = with_movers(self.elements, list(self.movers_on_ups))
        self._graph = diagram(self.elements)
        self._names = list(reversed(list(nx.topological_sort(self._graph))))
        self._index = {name: i for i, name in enumerate(self._names)}
        self._ordered = ordered = [self.elements[name] for name in self._names]
        self._it_alone = [self._kinds_below(name) == {"racks"} for name in self._names]
        self._utilities = [i for i, e in enumerate(ordered) if e.type == "utility"]
        self._generators = [i for i, e in enumerate(ordered) if e.type == "generator"]
        self._breakers = {i: e.breaker for i, e in enumerate(ordered) if e.breaker}
        self._tanks = [(i, e.fuel) for i, e in enumerate(ordered) if e.fuel]
        require(bool(self._utilities), "elements", sorted(self._names), "with a utility")
        for key, behind in (("bess", self.bess), ("pv", self.pv)):
            if behind is not None:
                self._check_meter(key, behind.at)

    def _check_meter(self, key: str, at: str) -> None:
        """Refuse storage or PV that does not stand at the meter of a utility."""
        names = [self._names[i] for i in self._utilities]
        require_known(f"{key}.at", at, names, "a utility")
        lossless = max(self.elements[at].loss) == 0.0
        require(lossless, f"elements.{at}.loss", self.elements[at].loss, f"0 with {key} there")
        require(key not in self.elements, f"elements.{key}", "an element", "named otherwise")

    def _kinds_below(self, name: str) -> set[str]:
        """Return the kinds of sink that hang on an element, or that it is."""
        kinds = {self.elements[below].type for below in (name, *nx.descendants(self._graph, name))}
        return {str(kind) for kind in kinds} & set(SINKS)

    # ---- set-up ----

    def size(self, design: FeedDesign) -> None:
        """Fix ratings leaf to root, each element for the design load and losses below it."""
        built = sizing.build(self.elements, self._names, design, self.oversubscription)
        self._installed = [built[name][0] for name in self._names]
        self._unit_w = [built[name][1] for name in self._names]
        self.warnings.clear()
        self._loads = Loads(self._names, self.warnings)
        self._hot = False
        self._late_w = self._owed_j = self._it_loss_j = 0.0
        it_w = design.it_w / self.oversubscription
        self._most_w = it_w, design.mechanical_w, design.aux_w, design.movers_w
        self._calm, self._unwalked = None, False
        rated_w = [units * w for units, w in zip(self._installed, self._unit_w, strict=True)]
        bess_at = self._index[self.bess.at] if self.bess else -1
        self._pv_at = self._index[self.pv.at] if self.pv else -1
        self._at_s = self._pv_w = 0.0
        self._stores = Stores(self._ordered, rated_w, self.bess, bess_at)
        for breaker in self._breakers.values():
            breaker.reset()
        for i, tank in self._tanks:
            tank.size((self._installed[i] - self._ordered[i].spare_units) * self._unit_w[i])
        self._using_fuel = False
        self._supply = Supply(self.elements, self._graph, self._names, self._installed)
        self._supply.draw_die = self._draw_die
        self._sized = True
        self._route()

    def seed(self, rng: RngFor) -> None:
        """Take the dice that say which generator sets start."""
        dice = rng("power.start")
        self._draw_die = lambda sets: [float(die) for die in dice.random(sets)]
        if self._sized:
            self._supply.draw_die = self._draw_die

    # ---- each beat ----

    def know_prices(self, prices: StepSeries) -> None:
        """Take the prices of the run, for storage that plans ahead."""
        if self.bess is not None:
            self.bess.know_prices(prices)

    def wants_sun(self) -> bool:
        """Return whether there is PV on site."""
        return self.pv is not None

    def know_sun(self, sun: Sunshine) -> None:
        """Let PV work out its power over the run."""
        if self.pv is not None:
            self.pv.know_sun(sun)

    def wants_price(self) -> bool:
        """Return whether there is storage or PV at the meter."""
        return self.bess is not None or self.pv is not None

    def tell_price(self, price_per_kwh: float, at_s: float = 0.0) -> None:
        """Take the price of the beat to come, for storage that trades."""
        self._price_per_kwh, self._at_s = price_per_kwh, at_s
        if self.bess is not None:
            self.bess.look(at_s)

    def serve_it(self, it_w: float, dt_s: float) -> float:
        """Carry *it_w* to the racks; return the heat released into cooled space [W]."""
        if self._calm is not None:
            lost_w, ambient_w = self._calm.serve_it(it_w)
        else:
            lost_w, ambient_w = self._load_it(it_w, dt_s)
        self._asked_w = (it_w, 0.0, 0.0, 0.0)
        self._it_losses_w = (lost_w, ambient_w)
        # As in the last beat; what that was wrong by follows, over a minute in shorter beats.
        released_w = self._late_w + self._owed_j / (dt_s if dt_s > MAKES_UP_S else MAKES_UP_S)
        self._released_w = released_w = released_w if released_w > 0.0 else 0.0
        return lost_w - ambient_w + released_w

    def serve_all(
        self, mechanical_w: float, aux_w: float, dt_s: float, movers_w: float = 0.0
    ) -> FeedState:
        """Carry cooling and auxiliaries too, let *dt_s* pass and close the beat."""
        self._asked_w = asked_w = (self._asked_w[0], mechanical_w, aux_w, movers_w)
        if self._calm is not None:
            sums_w = self._calm.serve_all(asked_w, dt_s)
            if sums_w is not None:
                return self._close_calm_beat(self._calm, sums_w, dt_s)
            self._wake()
        lost_w, ambient_w, it_lost_w = self._loads.carry_others(self._asked_w)
        stores = self._stores
        stored_j = self._hold(lost_w - ambient_w, dt_s)
        bess_heat_w = 0.0  # outdoors
        shone_w = self._shine(dt_s) if self.pv is not None else 0.0
        if not stores.at_rest:
            bess_heat_w = self._use_stores(dt_s)
            stored_j += stores.close()
        pv_w = None if self.pv is None else self._use_pv(self.pv, shone_w, dt_s)
        it_path_lost_w, it_path_ambient_w = self._it_losses_w
        self._it_loss_j += (it_path_lost_w + it_lost_w) * dt_s
        state = FeedState(
            utility_w=self._loads.drawn_w(self._utilities),
            loss_w=it_path_lost_w + lost_w + bess_heat_w,
            ambient_heat_w=it_path_ambient_w + ambient_w + bess_heat_w,
            stored_j=stored_j,
            battery_j=stores.energy_j if stores.exist else None,
            unserved_w=0.0 if self._routes.all_fed else self._loads.unserved_w(self._asked_w),
            generator_w=self._loads.drawn_w(self._generators) if self._generators else None,
            pv_w=pv_w,
        )
        self._pass_time(dt_s)
        return state

    def _close_calm_beat(
        self, calm: Calm, sums_w: tuple[float, float, float], dt_s: float
    ) -> FeedState:
        """Return what a calm beat did; time passes in it without any trace."""
        self._unwalked = True
        if len(calm.beats) >= BEATS_PER_BLOCK:
            self._note(calm)
        lost_w, ambient_w, given_w = sums_w
        it_lost_w, it_ambient_w = self._it_losses_w
        return FeedState(  # by position, in the order of its fields: half the time of names
            given_w,
            it_lost_w + lost_w,
            it_ambient_w + ambient_w,
            self._hold(lost_w - ambient_w, dt_s),
            self._stores.energy_j if self._stores.exist else None,
            0.0,
            0.0 if self._generators else None,
            None,
        )

    def _hold(self, heat_w: float, dt_s: float) -> float:
        """Keep what of the heat of this beat cooling was not given; return how much more [J]."""
        self._late_w = heat_w
        more_j = (heat_w - self._released_w) * dt_s
        self._owed_j += more_j
        return more_j

    # ---- what a driver may ask ----

    def until_change_s(self) -> float:
        """Return the time until something changes by itself while loads stay as they are.

        A timer of a transfer or a start, an empty battery, a breaker that opens; ``inf``
        where nothing is under way.
        """
        if self._unwalked:
            return inf
        loads = self._loads_now()
        load_w, rated_w = loads.load_w, self._routes.rated_w
        soonest_s = self._supply.until_change_s()
        if not self._stores.at_rest:
            empty_s = self._stores.lasts_s(load_w, loads.loss_w, self._routes, self._supply)
            soonest_s = min(soonest_s, empty_s)
        if self._using_fuel:
            for i, tank in self._tanks:
                soonest_s = min(soonest_s, tank.until_change_s(load_w[i], rated_w[i]))
        for i, breaker in self._breakers.items():
            if load_w[i] > rated_w[i] > 0.0:
                soonest_s = min(soonest_s, breaker.trips_in_s(load_w[i] / rated_w[i]))
        return soonest_s

    def take_changes(self) -> list[Change]:
        """Return what has happened since the last call, in order."""
        taken, self._supply.changes = self._supply.changes, []
        return taken

    def fed_fraction(self, load: Load) -> float:
        """Return the part of a kind of load whose supply has voltage now, 0-1."""
        return sum((self._ordered[i].share for i, _ in self._routes.sinks[load]), 0.0)

    def rack_groups(self) -> list[tuple[str, float, bool]]:
        """Return (name, share of the IT load, whether it has voltage) of each rack group."""
        return [
            (name, element.share, self._supply.energised(self._index[name]))
            for name, element in self.elements.items()
            if element.type == "racks"
        ]

    def battery_lasts_s(self, element: str) -> float:
        """Return how long the battery of *element* carries its present load; ``inf``: none [s]."""
        i = self._find(element)
        self._recall()
        battery, rated_w = self._ordered[i].battery, self._routes.rated_w[i]
        if battery is None:
            return inf
        loads = self._loads_now()
        return battery.lasts_s(loads.load_w[i] + loads.loss_w[i], rated_w)

    def it_limit_w(self, *, steady: bool) -> float:
        """Return the IT power at which the first element reaches its limit.

        Parameters
        ----------
        steady : bool
            Against ``design_loading`` of the units needed, which keeps the redundancy;
            otherwise against the rating of the units in service, beyond which breakers
            start to count.

        Returns
        -------
        float
            IT power with mechanical, auxiliary and recharging loads as of the last beat;
            0 where no rack has voltage or other loads already take all. [W]
        """
        limits_w = self._steady_w() if steady else self._routes.rated_w
        others_w = dict(zip(SINKS.values(), self._asked_w, strict=True))
        stores = self._stores
        charging_w = [
            max(0.0, into_w) + heat_w
            for into_w, heat_w in zip(stores.into_w, stores.heat_w, strict=True)
        ]
        return highest_it_w(self._routes, limits_w, others_w, charging_w)

    def headroom_w(self, *, steady: bool = True) -> float:
        """Return how much more IT power fits, see :meth:`it_limit_w`; negative: too much [W]."""
        return self.it_limit_w(steady=steady) - self._asked_w[0]

    def loads_w(self, it_w: NDArray[np.float64]) -> tuple[NDArray[np.float64], ElementLoads]:
        """Return what the meter and each element would carry at these IT powers, time standing."""
        stores, routes = self._stores, self._routes
        extra_w = [
            max(0.0, into_w) + heat_w
            for into_w, heat_w in zip(stores.into_w, stores.heat_w, strict=True)
        ]
        others_w = dict(zip(SINKS.values(), self._asked_w, strict=True))
        load_w = element_loads_w(routes, it_w, others_w, extra_w)
        meter_w = np.zeros_like(it_w)
        for i in self._utilities:
            at_rest_w, linear, quadratic = self._loss_of(i)
            if self.bess is not None and i == stores.bess_at:
                load_w[i] = load_w[i] + stores.bess_w[0]
            if self.pv is not None and i == self._pv_at:
                load_w[i] = np.maximum(load_w[i] - self._pv_w, 0.0)
            out_w = load_w[i]
            meter_w = meter_w + out_w + at_rest_w + out_w * (linear + out_w * quadratic)
        rated_w = routes.rated_w
        passing = [i for i, element in enumerate(self._ordered) if element.type not in SINKS]
        return meter_w, {self._names[i]: (rated_w[i], load_w[i]) for i in passing}

    def _loss_of(self, i: int) -> tuple[float, float, float]:
        rows = self._routes.it_rows + self._routes.other_rows
        _, at_rest_w, linear, quadratic, _, _ = next(row for row in rows if row[0] == i)
        return at_rest_w, linear, quadratic

    def it_loss_j(self) -> float:
        """Return the losses on the path to IT since it was sized [J]."""
        if self._calm is not None:
            self._note(self._calm)
        return self._it_loss_j

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Return what storage and sources on site did since the start, by name."""
        found = {"storage": self.bess, "pv": self.pv}
        return {name: each.account() for name, each in found.items() if each is not None}

    def fuel(self) -> tuple[float | None, float | None]:
        """Return what all sets have burnt since the start [L], and what that emits [kg CO2]."""
        tanks = [self._ordered[i].fuel for i in self._generators]
        litres = [None if tank is None else tank.litres() for tank in tanks]
        carbon = [None if tank is None else tank.carbon_kg() for tank in tanks]
        return _sum(litres), _sum(carbon)

    @property
    def standby_w(self) -> float:
        """What keeps the generator sets warm, an auxiliary load [W]."""
        starts = [(i, self._ordered[i].start) for i in self._generators]
        return sum(s.heater_fraction * self._installed[i] * self._unit_w[i] for i, s in starts if s)

    @property
    def storage_w(self) -> float:
        """Return the rating of storage at the meter [W]."""
        return 0.0 if self.bess is None else self.bess.rated_w

    # ---- what may be done to it ----

    def set_available(self, element: str, units: int) -> None:
        """Let *units* of *element* be in service from now on; load finds the surviving paths.

        Call it between beats. It also closes a breaker that has tripped, cold, and turns a
        bypassed UPS back to its inverters. Batteries are thought of as alike
        in all units: one charge for those in service, one store of energy for all.

        Parameters
        ----------
        element : str
            Name of an element.
        units : int
            Units in service, from 0 to those installed.

        Raises
        ------
        ParameterError
            If there is no such element, or not so many units.
        """
        i = self._find(element)
        installed = self._installed[i]
        ok = 0 <= units <= installed
        require(ok, f"{element}.units", units, f"0 to {installed} installed")
        self._supply.units[i] = units
        self._supply.bypassed[i] = False
        if i in self._breakers:
            self._breakers[i].reset()
        self._supply.settle()
        self._route()

    def set_stuck(self, element: str, stuck: bool) -> None:
        """Let a switch stay on the feeder it is on, or free it again.

        Raises
        ------
        ParameterError
            If there is no such element, or it has no choice of feeders.
        """
        i = self._find(element)
        draw = self.elements[element].draw
        require(draw == "first", f"{element}.draw", draw, "'first' for a switch that can stick")
        self._supply.stuck[i] = stuck
        self._supply.settle()
        self._route()

    def switches(self) -> list[str]:
        """Return the elements that choose among feeders, and so can stick on one."""
        return [name for name, element in self.elements.items() if element.draw == "first"]

    def installed(self) -> dict[str, int]:
        """Return the units installed of each element: what can break, and how far."""
        return {name: self._installed[self._index[name]] for name in self.elements}

    def units(self, element: str) -> tuple[int, int]:
        """Return (in service, installed) of *element*."""
        i = self._find(element)
        return self._supply.units[i], self._installed[i]

    # ---- what is drawn ----

    def one_line(self) -> nx.DiGraph:
        """Return the diagram with what each element is, may carry, carries and loses.

        :func:`twin.power.one_line.draw` says which attributes nodes and edges have.
        """
        self._recall()
        seen = self._supply, self._stores, self._loads
        return one_line.draw(self.elements, self._graph, self._unit_w, *seen)

    # ---- one beat, inside ----

    def _load_it(self, it_w: float, dt_s: float) -> tuple[float, float]:
        """Carry IT to where it meets other loads; return (losses, those outdoors) [W]."""
        loads, self._rerouted = self._loads, False
        loads.begin(it_w)
        heat_w = outdoors_w = 0.0
        if not self._stores.at_rest:
            routes, supply = self._routes, self._supply
            heat_w, outdoors_w = self._stores.recharge(loads.load_w, routes, supply, dt_s)
        lost_w, ambient_w = loads.carry_it()
        return lost_w + heat_w, ambient_w + outdoors_w

    def _wake(self) -> None:
        """End the calm in the middle of a beat, IT being carried: from now on each element."""
        if self._calm is not None:
            self._note(self._calm)
        self._calm, self._unwalked = None, False
        self._load_it(self._asked_w[0], 0.0)

    def _recall(self) -> None:
        """Work out what each element carries, if the last beat was calm, and what they carried."""
        if self._unwalked:
            self._wake()
            self._loads.carry_others(self._asked_w)

    def _loads_now(self) -> Loads:
        """Return the loads of the last beat; as they will be where power goes other ways since.

        Such loads have not been carried yet: they are no peak, and nothing is overloaded.
        """
        if not self._rerouted:
            return self._loads
        ahead = Loads(self._names, [])
        ahead.route(self._routes, [])
        ahead.begin(self._asked_w[0])
        ahead.carry_it()
        ahead.carry_others(self._asked_w)
        return ahead

    def _note(self, calm: Calm) -> None:
        """Add up what the elements did in calm beats."""
        if not calm.beats:
            return
        peaks_w, owed_j = calm.take()
        self._loads.keep_peaks(peaks_w)
        for beat_j in owed_j.tolist():
            self._it_loss_j += beat_j

    def _find_calm(self) -> Calm | None:
        """Return what takes the coming beats if nothing is under way, else None."""
        under_way = self._hot or self._using_fuel or self._supply.until_change_s() < inf
        if under_way or not self._stores.at_rest or self.bess is not None or self.pv is not None:
            return None
        if not self._looked_for_calm:
            self._looked_for_calm = True
            self._calm_here = Calm.find(self._routes, self._utilities, self._most_w)
        return self._calm_here

    def _shine(self, dt_s: float) -> float:
        """Let PV take what it can off its meter, be it more than there is; return how much."""
        if self.pv is None or not self._supply.energised(self._pv_at):
            return 0.0
        shone_w = self.pv.mean_w(self._at_s, self._at_s + dt_s)
        self._loads.load_w[self._pv_at] -= shone_w
        return shone_w

    def _use_pv(self, pv: PvArray, shone_w: float, dt_s: float) -> float:
        """Curtail what nobody took; return the PV power that is used [W]."""
        i, load_w = self._pv_at, self._loads.load_w
        pv.produced_j += shone_w * dt_s
        self._pv_w = shone_w
        if load_w[i] < 0.0:
            pv.curtailed_j -= load_w[i] * dt_s
            self._pv_w += load_w[i]
            load_w[i] = 0.0
        self._loads.look_at_meter(i)
        return self._pv_w

    def _use_stores(self, dt_s: float) -> float:
        """Let batteries carry and storage at the meter trade; return the heat of the latter."""
        stores, load_w = self._stores, self._loads.load_w
        stores.carry(load_w, self._loads.loss_w, self._routes, self._supply, dt_s)
        if self.bess is None:
            return 0.0
        heat_w = stores.trade(load_w, self._supply, self._price_per_kwh, dt_s)
        self._loads.look_at_meter(stores.bess_at)
        return heat_w

    def _pass_time(self, dt_s: float) -> None:
        """Let timers, batteries and breakers see that *dt_s* has passed."""
        supply = self._supply
        moved = supply.advance(dt_s)  # first: what starts at the end of the beat has all its time
        changed = bool(self._loads.overloaded or self._hot) and self._bear_overloads(dt_s)
        if not self._stores.at_rest:
            changed = self._stores.tell(supply) or changed
        if self._using_fuel:
            changed = self._burn(dt_s) or changed
        if changed:
            supply.settle()
        if moved or changed:
            self._route()
        self._calm = self._find_calm()

    def _burn(self, dt_s: float) -> bool:
        """Let running sets burn and deliveries come; return whether a tank ran dry or is full."""
        news, supply = False, self._supply
        for i, tank in self._tanks:
            tank.pass_time(self._loads.load_w[i], self._routes.rated_w[i], dt_s)
            dry = tank.level <= 0.0
            if dry != supply.dry[i]:
                supply.dry[i], news = dry, True
                told = ("fuel_out", "its tank is empty") if dry else ("fuel_in", "its tank is full")
                supply.changes.append(Change(told[0], self._names[i], told[1]))
        return news

    def _bear_overloads(self, dt_s: float) -> bool:
        """Heat and cool all breakers; return whether one has opened."""
        opened = False
        for i, breaker in self._breakers.items():
            rated_w = self._routes.rated_w[i]
            if rated_w > 0.0 and breaker.bear(self._loads.load_w[i] / rated_w, dt_s):
                opened = True
                self._open(i, f"{self._loads.load_w[i] / 1e3:.0f} kW on {rated_w / 1e3:.0f} kW")
        self._loads.overloaded.clear()
        self._hot = any(breaker.heat > 0.0 for breaker in self._breakers.values())
        return opened

    def _open(self, i: int, why: str) -> None:
        """Open the breaker of an element, or turn it to its bypass."""
        kind = "trip"
        if self._ordered[i].bypass is not None and not self._supply.bypassed[i]:
            kind = "bypass"
            self._supply.bypassed[i] = True
            self._breakers[i].reset()
        else:
            self._supply.units[i] = 0
        self._supply.changes.append(Change(kind, self._names[i], why))

    # ---- limits, inside ----

    def _steady_w(self) -> list[float]:
        """Return what each element may carry for long without giving up its redundancy [W]."""
        ordered = self._ordered
        needed = [n - e.spare_units for n, e in zip(self._installed, ordered, strict=True)]
        return [
            min(e.design_loading * needed[i] * self._unit_w[i], self._routes.rated_w[i])
            for i, e in enumerate(ordered)
        ]

    def _find(self, element: str) -> int:
        require_known("element", element, self._index, "in the diagram")
        return self._index[element]

    # ---- routes, inside ----

    def _route(self) -> None:
        """Flatten who has voltage, and who draws from whom, anew."""
        self._recall()
        self._calm, self._looked_for_calm = None, False
        self._stores.at_rest = False
        self._using_fuel = any(
            tank.level < 1.0 or self._supply.energised(i) for i, tank in self._tanks
        )
        self._routes = flatten(self._ordered, self._it_alone, self._unit_w, self._supply)
        late = [self._stores.bess_at] if self.bess is not None else []
        if self.pv is not None:
            late.append(self._pv_at)
        self._loads.route(self._routes, late)
        self._rerouted = True


def _sum(parts: Sequence[float | None]) -> float | None:
    """Return the sum; None where there are no parts, or one is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None
