"""A bank of chillers: equal units, staged with the load, tripped and restarted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.config import AtLeastOne, NonNegative, PositiveFraction, UnitsOrZero
from twin.cooling.base import Medium
from twin.cooling.chiller import ChillerCurves, Machine, part_load_power
from twin.cooling.machines import MACHINES
from twin.errors import ParameterError, require, suggest, told_apart


def running_units(load_w: float, unit_w: float, fill: float, available: int) -> int:
    """Return how many equal units carry *load_w* with none filled above *fill*, if it can be.

    Parameters
    ----------
    load_w, unit_w : float
        Load and capacity of one unit. [W]
    fill : float
        Part load at which the next unit starts. [-]
    available : int
        Units that can run.

    Examples
    --------
    >>> running_units(1.7e6, 1e6, 0.9, 4)
    2
    >>> running_units(9e6, 1e6, 0.9, 4)
    4
    """
    if load_w <= 0.0 or available <= 0:
        return 0
    units = math.ceil(load_w / (fill * unit_w) - 1e-9)
    if units < 1:
        return 1
    return units if units < available else available


def staged_units(
    running: int, load_w: float, unit_w: float, fills: tuple[float, float], available: int
) -> int:
    """Return how many equal units carry *load_w*, those that run kept as long as they serve.

    Parameters
    ----------
    running : int
        Units that ran last.
    load_w, unit_w : float
        Load and capacity of one unit. [W]
    fills : (float, float)
        Part load above which one more starts; that to which the rest are filled at most where
        one stops, below the former. [-]
    available : int
        Units that can run.

    Notes
    -----
    The capacity of a unit follows its condenser water, and that the units that run: without a
    gap between the two, a load near a threshold would switch a unit at every look.

    Examples
    --------
    >>> [staged_units(n, 1.75e6, 1e6, (0.95, 0.85), 4) for n in (1, 2, 3, 4)]
    [2, 2, 3, 3]
    """
    start, stop = fills
    if load_w > start * running * unit_w or running <= 0:
        return running_units(load_w, unit_w, start, available)
    if load_w <= stop * (running - 1) * unit_w:
        running = min(running, running_units(load_w, unit_w, stop, available))
    return running if running < available else available


@dataclass(slots=True, kw_only=True)
class Chillers:
    """Equal units, as many as the load needs, with spares and a restart time.

    Units are the catalogue machine scaled to the plant, all with the same curves.
    They start one after another when the running ones are full.
    """

    machine: str | ChillerCurves
    """A machine of the catalogue, or the curves of your own."""
    spares: UnitsOrZero
    margin: AtLeastOne
    """Capacity of the duty units over the design load."""
    stage_up_plr: PositiveFraction
    """Part load of the running units above which one more starts."""
    stage_down_plr: PositiveFraction
    """Part load to which the rest are filled at most where one of them stops."""
    restart_s: NonNegative
    """From power back to chilled water, after a trip. [s]"""

    curves: Machine = field(init=False)
    duty_units: int = field(init=False, default=0)
    scale: float = field(init=False, default=1.0)
    """Size of one unit over the catalogue machine. [-]"""
    ready: int = field(init=False, default=0)
    """Units that can run now."""
    starting: int = field(init=False, default=0)
    """Units repaired and on their way back."""
    starting_left_s: float = field(init=False, default=0.0)
    fixed_units: int | None = field(init=False, default=None)
    """Run exactly so many units whatever the load, for studies at fixed staging."""
    warnings: list[str] = field(init=False, default_factory=list)
    _staged: int = field(init=False, default=0)
    """Units that ran last."""
    _left_range: bool = field(init=False, default=False)
    _doubted: bool = field(init=False, default=False)
    _chilled_c: float = field(init=False, default=math.nan)
    """Chilled water of the last answer of :meth:`unit_w`, mostly the same for long. [degC]"""
    _cold_c: float = field(init=False, default=math.nan)
    """The same, held within the curves. [degC]"""
    _condenser_c: float = field(init=False, default=math.nan)
    """Condenser water of that answer: at rest it is asked for twice a step. [degC]"""
    _unit_w: tuple[float, float] = field(init=False, default=(0.0, 0.0))

    def __post_init__(self) -> None:
        """Look the machine up, and keep the two thresholds apart."""
        require(
            self.stage_down_plr < self.stage_up_plr,
            "stage_down_plr",
            self.stage_down_plr,
            f"< stage_up_plr={self.stage_up_plr}, or a unit would come and go",
        )
        if isinstance(self.machine, str):
            if self.machine not in MACHINES:
                raise ParameterError(f"machine={self.machine}: {suggest(self.machine, MACHINES)}")
            self.curves = MACHINES[self.machine]
        else:
            self.curves = self.machine

    def check_condenser(self, medium: Medium, key: str) -> None:
        """Refuse a machine whose condenser is not cooled by what it finds in the plant.

        Raises
        ------
        ParameterError
            With the machines of the catalogue that are.
        """
        able = [name for name, each in MACHINES.items() if each.rejects_to == medium]
        require(
            self.curves.rejects_to == medium,
            f"{key}.machine",
            self.curves.name,
            f"one that gives its heat to {medium}: {', '.join(able)}",
        )

    @property
    def installed(self) -> int:
        """Duty units and spares."""
        return self.duty_units + self.spares

    def size(self, load_w: float, chilled_c: float, condenser_c: float) -> None:
        """Choose the number and size of units for *load_w* at design temperatures."""
        low, high = self.curves.chilled_range_c
        require(
            low <= chilled_c <= high,
            "chilled_water_c",
            chilled_c,
            f"in {low:g}..{high:g} degC, where chiller {self.curves.name} is known",
        )
        held_c = min(
            max(condenser_c, self.curves.condenser_range_c[0]), self.curves.condenser_range_c[1]
        )
        unit_w, _ = self.curves.full_load_w(chilled_c, held_c)
        wanted_w = load_w * self.margin
        self.duty_units = max(1, math.ceil(wanted_w / unit_w))
        self.scale = wanted_w / (self.duty_units * unit_w)
        self.ready, self._staged = self.installed, 0
        self._left_range = self._doubted = False
        self._chilled_c = self._condenser_c = math.nan

    def set_available(self, fraction: float) -> None:
        """Trip units at once; bring repaired ones back after the restart time."""
        units = math.floor(fraction * self.installed + 1e-9)
        if units <= self.ready:
            self.ready = units
            self.starting = 0
        else:
            self.starting = units - self.ready
            self.starting_left_s = self.restart_s
            self.pass_time(0.0)

    def until_restart_s(self, dt_s: float) -> float:
        """Return *dt_s*, or the time to the end of a restart if that comes first. [s]."""
        return dt_s if not self.starting else min(dt_s, self.starting_left_s)

    def pass_time(self, dt_s: float) -> None:
        """Let *dt_s* of the restart time pass."""
        if self.starting:
            self.starting_left_s -= dt_s
            if self.starting_left_s <= 1e-9:
                self.ready += self.starting
                self.starting = 0

    def unit_w(self, chilled_c: float, condenser_c: float) -> tuple[float, float]:
        """Capacity and full-load power of one unit; a temperature off the curve is held.

        A condenser colder than the curve is held by its own controls (a bypass, head
        pressure), so nothing is gained and nothing need be said; anything else is said.
        """
        if condenser_c == self._condenser_c and chilled_c == self._chilled_c:
            return self._unit_w
        curves, cold_c = self.curves, self._cold_c
        if chilled_c != self._chilled_c:
            low, high = curves.chilled_range_c
            cold_c = min(max(chilled_c, low), high)
        low, high = curves.condenser_range_c
        warm_c = condenser_c if condenser_c > low else low
        warm_c = warm_c if warm_c < high else high
        if (cold_c != chilled_c or condenser_c > high) and not self._left_range:
            self._say_range_left(chilled_c, condenser_c)
        capacity_w, power_w = curves.full_load_w(cold_c, warm_c)
        self._chilled_c, self._cold_c, self._condenser_c = chilled_c, cold_c, condenser_c
        self._unit_w = unit_w = self.scale * capacity_w, self.scale * power_w
        return unit_w

    def power_w(self, load_w: float, units: int, chilled_c: float, condenser_c: float) -> float:
        """Compressor power of *units* sharing *load_w* equally. [W]."""
        capacity_w, full_w = self.unit_w(chilled_c, condenser_c)
        curves = self.curves
        part_load, most = load_w / (units * capacity_w), curves.part_load_max
        part_load = part_load if part_load < most else most
        if part_load < curves.doubtful_below and not self._doubted:
            self._say_doubtful(part_load)
        return units * full_w * part_load_power(curves, part_load)

    @property
    def can_run(self) -> int:
        """Units that may run now."""
        return self.ready if self.fixed_units is None else min(self.fixed_units, self.ready)

    def staged(self, load_w: float, unit_w: float) -> int:
        """Units that run for *load_w* at a capacity of *unit_w* each."""
        if self.fixed_units is not None:
            return self.can_run
        units, full = self._staged, load_w / unit_w
        start, stop = self.stage_up_plr, self.stage_down_plr
        if stop * (units - 1) < full <= start * units and units <= self.ready:
            return units  # the usual case: nothing to start or stop
        units = self._staged = staged_units(units, load_w, unit_w, (start, stop), self.ready)
        return units

    def _say_range_left(self, chilled_c: float, condenser_c: float) -> None:
        self._left_range = True
        cold, warm = self.curves.chilled_range_c, self.curves.condenser_range_c
        self.warnings.append(
            f"chiller {self.curves.name}: asked for {told_apart(chilled_c, *cold)} degC leaving "
            f"with {told_apart(condenser_c, *warm)} degC entering the condenser, outside its "
            "measured range "
            f"({cold[0]:g}..{cold[1]:g} and {warm[0]:g}..{warm[1]:g} degC); "
            "held at the bound, not extrapolated"
        )

    def _say_doubtful(self, part_load: float) -> None:
        self._doubted = True
        self.warnings.append(
            f"chiller {self.curves.name}: ran at part load {part_load:.2f}; below "
            f"{self.curves.doubtful_below:g} its curves let power fall with a hotter condenser"
        )
