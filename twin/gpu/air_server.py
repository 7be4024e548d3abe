"""A server whose power follows the activity of its GPUs: host, fans and supplies included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

from twin.config import (
    Celsius,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    Range,
    RelativeSpeed,
)
from twin.errors import require
from twin.gpu.base import GpuServer
from twin.units import BYTES_PER_GIGABIT, BYTES_PER_GIGABYTE

Points = Sequence[tuple[float, float]]

STEPS_PER_W = 1024.0
"""Powers are whole multiples of 2**-10 W. Sums and differences of such numbers are
exact in double precision up to 2**43 W, so a rack that adds the step of each job's
start and subtracts it at its end returns to exactly its idle power, in any order."""
_TO_WHOLE = 2.0**52
"""Floats from here on are whole: adding this to a lesser one rounds it, half to even."""
DERATE_FROM_M, DERATE_M_PER_K = 900.0, 300.0
_SAME_SHARE = 1e-3
"""Shares of the heat that differ by less are taken as equal. [-]"""


def piecewise_linear(x: float, points: Points) -> float:
    """Interpolate between *points*; beyond the first and last the end values hold.

    Parameters
    ----------
    x : float
        Where to read the curve. [unit of the first coordinates]
    points : sequence of (x, y), at least one
        Corner points with rising x.

    Returns
    -------
    float
        Value of the curve at *x*. [unit of the second coordinates]

    Examples
    --------
    >>> piecewise_linear(0.75, [(0.5, 0.96), (1.0, 0.92)])
    0.94
    """
    below_x, below_y = points[0]
    if x <= below_x:
        return below_y
    for above_x, above_y in points:
        if x <= above_x:
            return below_y + (above_y - below_y) * (x - below_x) / (above_x - below_x)
        below_x, below_y = above_x, above_y
    return below_y


def dynamic_fraction(activity: float, exponent: float) -> float:
    """Dynamic power of a GPU over its largest dynamic power.

    Parameters
    ----------
    activity : float
        Weighted tensor and memory activity, 0-1; not the "utilisation" that
        drivers report, which is high while little power is drawn. [-]
    exponent : float
        0.8-1.0 on measured GPUs. [-]

    Returns
    -------
    float
        ``activity ** exponent``, so 0 at idle and 1 at full activity. [-]

    Raises
    ------
    ParameterError
        If *activity* is outside 0-1.

    Examples
    --------
    >>> dynamic_fraction(0.25, 0.5)
    0.5
    """
    if not 0.0 <= activity <= 1.0:
        require(False, "activity", activity, ">= 0 and <= 1")
    return float(activity**exponent)


def fan_power_multiplier(
    inlet_c: float, flat_c: float, full_c: float, full_load_speed: float
) -> float:
    r"""Fan power at a warm inlet over fan power at a cool one.

    .. math:: m = s^3, \quad s = \min\left(1 + \left(\frac{1}{n} - 1\right)
        \frac{T - T_0}{T_1 - T_0},\ \frac{1}{n}\right)

    Parameters
    ----------
    inlet_c : float
        Air temperature at the server inlet. [degC]
    flat_c : float
        Inlet up to which the speed depends on load alone. [degC]
    full_c : float
        Inlet at which the fans of a fully loaded server reach full speed. [degC]
    full_load_speed : float
        Speed over full speed of a fully loaded server at a cool inlet. [-]

    Returns
    -------
    float
        Multiplier, 1 up to *flat_c* and ``full_load_speed ** -3`` from *full_c* on. [-]

    Notes
    -----
    The controller raises the speed of every load by the same factor; power goes with
    the cube of speed (affinity law).

    References
    ----------
    .. [1] ASHRAE TC 9.9, *Thermal Guidelines for Data Processing Environments*,
       server power against inlet temperature.

    Examples
    --------
    >>> fan_power_multiplier(40.0, 25.0, 35.0, 0.5)
    8.0
    """
    if inlet_c <= flat_c:
        return 1.0
    top = 1.0 / full_load_speed
    speed = min(1.0 + (top - 1.0) * (inlet_c - flat_c) / (full_c - flat_c), top)
    return speed * speed * speed


def fans_kept(air_fraction: float, built_for: float) -> float:
    r"""Fans that a server keeps where liquid takes part of its heat, over those it was built with.

    .. math:: n = \min(1,\ f / f_0)

    Parameters
    ----------
    air_fraction : float
        Share *f* of the heat that the hall leaves to the air, 0-1. [-]
    built_for : float
        Share that its fans carry, 0-1; 1 for an air-cooled server. [-]

    Returns
    -------
    float
        Fans, their flow and their power at any speed, over those it was built with. [-]

    Notes
    -----
    Air that warms by as much as in the air-cooled server carries the rest of the heat, so flow
    goes with that heat. A server with cold plates is built with fewer fans for it, each at the
    speed it would have had; at equal speed power goes with their number (affinity law). All
    the fans slowed down instead would end at their least speed and save nothing at idle.

    References
    ----------
    .. [1] ASHRAE TC 9.9 (2011, 2021): servers on cold plates, which take 70-90 % of the heat,
       draw 70-90 % less for fans.

    Examples
    --------
    >>> fans_kept(0.25, 1.0), fans_kept(0.25, 0.125), fans_kept(0.0, 0.125)
    (0.25, 1.0, 0.0)
    """
    return 1.0 if air_fraction >= built_for else air_fraction / built_for


def inlet_derate_k(altitude_m: float) -> float:
    """How much lower the highest inlet temperature is at an altitude. [K].

    Thin air carries less heat at the same fan speed: above 900 m, 1 K for each 300 m.

    Parameters
    ----------
    altitude_m : float
        Height above sea level, -500..6000. [m]

    References
    ----------
    .. [1] ASHRAE TC 9.9, *Thermal Guidelines for Data Processing Environments*, 5th ed.
       (2021): maximum dry bulb of classes A1 and A2.

    Examples
    --------
    >>> inlet_derate_k(1500.0)
    2.0
    """
    return max(0.0, altitude_m - DERATE_FROM_M) / DERATE_M_PER_K


@dataclass(kw_only=True, slots=True)  # so many fields make method calls slow without slots
class AirServer(GpuServer):
    """GPUs, host, fans and redundant power supplies in one box.

    Everything is a function of the mean drive *x* of the GPUs: their power and the
    host's are linear in *x*, fan speed is linear in *x* and fan power cubic in speed,
    and the supplies lose what their efficiency at that load says.
    """

    name: str
    gpus_per_server: Count
    nameplate_kw: Positive
    peak_tflops: Positive
    """Dense FP16/BF16 of one GPU. [TFLOP/s]"""
    memory_gb: Positive
    memory_bandwidth_tb_per_s: Positive
    multiprocessors: Count | None
    """Of one GPU; null: not known, or its products are not tiled as cuBLAS does."""
    scale_up_gb_per_s: NonNegative
    """Bandwidth of one GPU inside its scale-up domain, both directions; 0: none known. [GB/s]"""
    exchange_us: NonNegative
    link_fraction: PositiveFraction
    attention_us: NonNegative
    attention_speed: RelativeSpeed | None
    """Of training, in long sequences, over that of matrix products; null: not known."""
    nic_count: CountOrZero
    nic_gbps: NonNegative
    mass_kg: Positive | None
    rack_units: Positive | None

    gpu_idle_w: Positive
    gpu_max_w: Positive
    activity_exponent: Annotated[float, Range(0.5, 1.5)]

    host_idle_w: NonNegative
    """CPUs, memory, NICs and switches behind the supplies while the GPUs idle. [W]"""
    host_busy_w: NonNegative

    fan_full_speed_w: NonNegative
    """All fans at full speed, behind the supplies; 0 for a server without fans. [W]"""
    air_cooled_fraction: Fraction = 1.0
    """Share of its heat that these fans carry off: 1 for an air-cooled server, whose fans become
    fewer where liquid takes part of the heat; less where it was built for cold plates."""
    fan_idle_speed: PositiveFraction
    fan_full_load_speed: PositiveFraction
    fan_flat_inlet_c: Celsius
    fan_full_speed_inlet_c: Celsius

    psu_rated_kw: Positive
    """Output of all supplies together; N+N supplies count twice the nameplate. [kW]"""
    psu_efficiency: tuple[tuple[PositiveFraction, PositiveFraction], ...]
    """Corner points (output over rating, efficiency); below the first its value holds."""
    psu_no_load_w: NonNegative = 0.0
    """What the supplies deliver to themselves besides, at any load: their input is the output
    and this over the efficiency. 0 where the efficiency says it all. [W]"""

    throttle_inlet_c: Celsius
    shutdown_inlet_c: Celsius
    inlet_release_k: Positive
    """Both limits let go this far below ``throttle_inlet_c``. [K]"""
    throttle_power_fraction: PositiveFraction
    """GPU power while throttled over ``gpu_max_w``."""
    speed_at_power: tuple[tuple[PositiveFraction, PositiveFraction], ...]
    """Corner points (GPU power over uncapped power, speed over uncapped speed)."""

    nameplate_w: float = field(init=False)
    peak_flops: float = field(init=False)
    memory_bytes: float = field(init=False)
    memory_bytes_per_s: float = field(init=False)
    scale_up_bytes_per_s: float = field(init=False)
    nic_bytes_per_s: float = field(init=False)
    _idle_dc_w: float = field(init=False, repr=False)
    _dynamic_dc_w: float = field(init=False, repr=False)
    _fans_w: float = field(init=False, repr=False)
    """Those fans that the hall's air needs, at full speed. [W]"""
    _fan_speed_rise: float = field(init=False, repr=False)
    _psu_rated_w: float = field(init=False, repr=False)
    _derate_k: float = field(init=False, repr=False, default=0.0)

    def __post_init__(self) -> None:
        """Derive SI values and check the keys against each other."""
        self.nameplate_w = self.nameplate_kw * 1e3
        self.peak_flops = self.peak_tflops * 1e12
        self.memory_bytes = self.memory_gb * BYTES_PER_GIGABYTE
        self.memory_bytes_per_s = self.memory_bandwidth_tb_per_s * 1e3 * BYTES_PER_GIGABYTE
        self.scale_up_bytes_per_s = 0.5 * self.scale_up_gb_per_s * BYTES_PER_GIGABYTE
        self.nic_bytes_per_s = self.nic_count * self.nic_gbps * BYTES_PER_GIGABIT
        gpus = self.gpus_per_server
        self._idle_dc_w = gpus * self.gpu_idle_w + self.host_idle_w
        self._dynamic_dc_w = (
            gpus * (self.gpu_max_w - self.gpu_idle_w) + self.host_busy_w - self.host_idle_w
        )
        self._fans_w = self.fan_full_speed_w
        self._fan_speed_rise = self.fan_full_load_speed - self.fan_idle_speed
        self._psu_rated_w = self.psu_rated_kw * 1e3
        self._check_order()
        self._check_points()
        full_w, fan_w = self.power_w(1.0)
        hot_w = full_w + fan_w * (self.fan_factor(self.fan_full_speed_inlet_c) - 1.0)
        require(
            hot_w <= self.nameplate_w,
            "nameplate_kw",
            self.nameplate_kw,
            f">= {hot_w / 1e3:g}, the power at full activity with all fans at full speed",
        )

    def _check_order(self) -> None:
        above = (
            ("gpu_max_w", "gpu_idle_w"),
            ("fan_full_speed_inlet_c", "fan_flat_inlet_c"),
            ("shutdown_inlet_c", "throttle_inlet_c"),
        )
        for high, low in above:
            value, least = getattr(self, high), getattr(self, low)
            require(value > least, high, value, f"> {low}={least}")
        at_least = (("host_busy_w", "host_idle_w"), ("fan_full_load_speed", "fan_idle_speed"))
        for high, low in at_least:
            value, least = getattr(self, high), getattr(self, low)
            require(value >= least, high, value, f">= {low}={least}")
        value = self.air_cooled_fraction
        fans = "> 0 where there are fans (fan_full_speed_w)"
        require(value > 0.0 or self.fan_full_speed_w == 0.0, "air_cooled_fraction", value, fans)
        idle_fraction = self.gpu_idle_w / self.gpu_max_w
        value = self.throttle_power_fraction
        require(value > idle_fraction, "throttle_power_fraction", value, f"> {idle_fraction:.3g}")

    def _check_points(self) -> None:
        for name in ("psu_efficiency", "speed_at_power"):
            points = getattr(self, name)
            x = [point[0] for point in points]
            rising = len(x) > 0 and all(a < b for a, b in pairwise(x))
            require(rising, name, points, "at least one point, loads rising")
        lowest = self.speed_at_power[0][0]
        value = self.throttle_power_fraction
        measured = f">= {lowest}, the lowest measured point of speed_at_power"
        require(value >= lowest, "throttle_power_fraction", value, measured)

    def drive(self, activity: float) -> float:
        """Return a GPU's dynamic power over its largest dynamic power, from its activity."""
        return dynamic_fraction(activity, self.activity_exponent)

    def gpu_power_w(self, activity: float) -> float:
        """Return the power of one GPU at *activity* [W]."""
        return self.gpu_idle_w + (self.gpu_max_w - self.gpu_idle_w) * self.drive(activity)

    def power_w(self, drive: float) -> tuple[float, float]:
        """Return (server input power, of which fans) at server-mean *drive*, cool inlet [W].

        The fans' part carries its share of the supplies' loss. Both are whole
        multiples of 2**-10 W, see :data:`STEPS_PER_W`.
        """
        output_w, fan_w = self._behind_supplies_w(drive)
        steps_per_output_w = STEPS_PER_W / piecewise_linear(
            output_w / self._psu_rated_w, self.psu_efficiency
        )
        steps = (output_w + self.psu_no_load_w) * steps_per_output_w + _TO_WHOLE
        fan_steps = fan_w * steps_per_output_w + _TO_WHOLE
        return (steps - _TO_WHOLE) / STEPS_PER_W, (fan_steps - _TO_WHOLE) / STEPS_PER_W

    def output_w(self, drive: float) -> float:
        """Return what the supplies deliver at server-mean *drive*, cool inlet [W]."""
        return self._behind_supplies_w(drive)[0]

    def _behind_supplies_w(self, drive: float) -> tuple[float, float]:
        """Return (output of the supplies, of which fans) [W]."""
        speed = self.fan_idle_speed + self._fan_speed_rise * drive
        fan_w = self._fans_w * speed * speed * speed
        return self._idle_dc_w + self._dynamic_dc_w * drive + fan_w, fan_w

    def fan_factor(self, inlet_c: float) -> float:
        """Return fan power at *inlet_c* over fan power at a cool inlet; 1 in the flat band."""
        return fan_power_multiplier(
            inlet_c, self.fan_flat_inlet_c, self.fan_full_speed_inlet_c, self.fan_full_load_speed
        )

    def place(self, altitude_m: float, air_fraction: float) -> str | None:
        """Lower the inlet limits for thin air, keep the fans that the hall's air needs.

        See :func:`inlet_derate_k` and :func:`fans_kept`.
        """
        self._derate_k = inlet_derate_k(altitude_m) if air_fraction > 0.0 else 0.0
        self._fans_w = self.fan_full_speed_w * fans_kept(air_fraction, self.air_cooled_fraction)
        if air_fraction <= self.air_cooled_fraction + _SAME_SHARE:
            return None
        return (
            f"gpu.air_cooled_fraction={self.air_cooled_fraction:g}: the hall leaves "
            f"{air_fraction:.0%} of the heat in the air, more than the fans of {self.name} are "
            "built for; keys: cooling, cooling.capture_fraction, gpu"
        )

    def limits(self, inlet_c: float, throttled: bool, tripped: bool) -> tuple[bool, bool]:
        """Return (throttled, tripped) at *inlet_c*, with hysteresis from the present state.

        A server that shut down is not started again while it would have to throttle.
        """
        inlet_c += self._derate_k
        release_c = self.throttle_inlet_c - self.inlet_release_k
        tripped = inlet_c >= self.shutdown_inlet_c or (tripped and inlet_c > release_c)
        throttled = inlet_c >= self.throttle_inlet_c or (throttled and inlet_c > release_c)
        return throttled, tripped

    def throttle(self) -> tuple[float, float]:
        """Return (activity factor, rate factor) while throttled, each 0-1."""
        return self.capped(self._dynamic(self.throttle_power_fraction))

    @property
    def least_cap(self) -> float:
        """Least part of their dynamic power that GPUs can be held to: as far as was measured."""
        return max(self._dynamic(self.speed_at_power[0][0]), 0.0)

    def capped(self, dynamic: float) -> tuple[float, float]:
        """Return (activity factor, rate factor) where GPUs use that part of dynamic power."""
        span_w = self.gpu_max_w - self.gpu_idle_w
        power_fraction = (self.gpu_idle_w + span_w * dynamic) / self.gpu_max_w
        rate = piecewise_linear(power_fraction, self.speed_at_power)
        return dynamic ** (1.0 / self.activity_exponent), rate

    def _dynamic(self, power_fraction: float) -> float:
        """Return the part of dynamic power at that fraction of the largest power."""
        span_w = self.gpu_max_w - self.gpu_idle_w
        return (power_fraction * self.gpu_max_w - self.gpu_idle_w) / span_w
