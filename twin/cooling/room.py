"""The hall: air that warms in seconds, metal that warms in minutes, and who mixes with whom.

Cold air reaches the server inlets, is warmed, and returns to the coolers. Some hot
air slips back to the inlets (recirculation) and some cold air returns unused
(bypass); containment decides how much. The cold side is one store of heat, the
servers' metal another; the hot side holds little and follows at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from twin.config import Positive, PositiveFraction, Range
from twin.errors import ParameterError, require, suggest
from twin.physics.thermal import AIR_CP, air_density, linear_pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """How hot and cold air are kept apart, and what that lets a rack draw."""

    rack_limit_kw: Positive
    recirculation: PositiveFraction
    """Share of the inlet air that comes from the hot side. [-]"""
    airflow_ratio: Annotated[float, Range(0.1, 10.0)]
    """Air the coolers move over air the servers draw, at design. [-]"""


def chosen_containment(name: str, known: Mapping[str, Containment]) -> Containment:
    """Return the containment of that name.

    Raises
    ------
    ParameterError
        If there is none, with the nearest name.
    """
    if name not in known:
        raise ParameterError(f"containment={name}: {suggest(name, known)}")
    return known[name]


def coupling_w_per_k(reference_w_per_k: float, server_w: float, reference_w: float) -> float:
    """Heat exchange between a server's metal and its air, at another power. [W/K].

    Servers move air in proportion to their power; between the fins of heat sinks it
    flows laminar and the heat transfer grows with the square root of the flow.

    Parameters
    ----------
    reference_w_per_k : float
        Exchange of a server of the reference power. [W/K]
    server_w, reference_w : float
        Design power of the server, and of the reference, both > 0. [W]

    Raises
    ------
    ParameterError
        If a power is not positive.

    References
    ----------
    .. [1] F. P. Incropera et al., *Fundamentals of Heat and Mass Transfer*, ch. 7:
       laminar boundary layer, Nu ~ Re^0.5.

    Examples
    --------
    >>> coupling_w_per_k(400.0, 20e3, 5e3)
    800.0
    """
    require(server_w > 0.0 and reference_w > 0.0, "server_w", server_w, "> 0")
    return reference_w_per_k * math.sqrt(server_w / reference_w)


@dataclass(slots=True, kw_only=True)
class Room:
    """Air and server metal of a hall; steps exactly where its inputs are constant."""

    air_volume_m3_per_rack: Annotated[float, Range(low=0.01)]
    """Cold air of the hall over its racks; far less would warm faster than any beat. [m3]"""
    server_mass_kg: Positive
    server_specific_heat_j_per_kg_k: Positive
    server_coupling_w_per_k: Annotated[float, Range(0.0, 1e6, open_low=True)]
    """Heat exchange between the metal and the air of a server of ``coupling_at_kw``. [W/K]"""
    coupling_at_kw: Annotated[float, Range(low=0.01)]
    """Server power at which the coupling holds. [kW]"""
    air_rise_k: Annotated[float, Range(1.0, 60.0)]
    """Air temperature rise across a server at nameplate; fans keep it at part load. [K]"""
    min_airflow_fraction: PositiveFraction
    """Least air flow of the servers, as a fraction of that at design heat. [-]"""

    inlet_c: float = field(init=False, default=0.0)
    mass_c: float = field(init=False, default=0.0)
    air_j_per_k: float = field(init=False, default=0.0)
    mass_j_per_k: float = field(init=False, default=0.0)
    recirculation: float = field(init=False, default=0.0)
    _coupling_w_per_k: float = field(init=False, default=0.0)
    _least_heat_w: float = field(init=False, default=0.0)
    _next: tuple[float, float] = field(init=False, default=(0.0, 0.0))

    def size(self, heat_w: float, racks: int, servers: int, altitude_m: float) -> None:
        """Fix capacities."""
        self.air_j_per_k = racks * self.air_volume_m3_per_rack * air_density(altitude_m) * AIR_CP
        self.mass_j_per_k = servers * self.server_mass_kg * self.server_specific_heat_j_per_kg_k
        self._coupling_w_per_k = servers * coupling_w_per_k(
            self.server_coupling_w_per_k, heat_w / servers, self.coupling_at_kw * 1e3
        )
        self._least_heat_w = self.min_airflow_fraction * heat_w

    def settle(self, inlet_c: float) -> None:
        """Set the state to rest at *inlet_c*."""
        self.inlet_c = self.mass_c = inlet_c

    def server_flow_w_per_k(self, heat_w: float) -> float:
        """Air the servers draw, as a heat capacity rate. [W/K]."""
        least_w = self._least_heat_w
        return (heat_w if heat_w > least_w else least_w) / self.air_rise_k

    def solve(
        self,
        heat_w: float,
        cooler_flow_w_per_k: float,
        supply: tuple[float, float],
        dt_s: float,
    ) -> tuple[float, float, float]:
        """Advance by *dt_s*; return the mean return, the mean supply and the stored heat.

        The state at the end is held back until :meth:`commit`, so that a plant may
        try a step and take it back.

        Parameters
        ----------
        heat_w : float
            Heat released by the servers and losses in the hall. [W]
        cooler_flow_w_per_k : float
            Air moved by the coolers, as a heat capacity rate. [W/K]
        supply : (s0, s1)
            Supply air is ``s0 + s1 * return``: ``(set point, 0)`` while the coil holds
            its set point, ``(e * water + fan rise, 1 - e)`` for a coil at effectiveness e
            with its valve fully open.
        dt_s : float
            Duration. [s]

        Returns
        -------
        (return_c, supply_c, stored_j)

        Notes
        -----
        With G and M the capacity rates of server and cooler air, r the recirculated
        share of inlet air and ``b = M/G - 1 + r`` the bypassed share:

        ``hot = (T + (Q + h (Tm - T))/G + b supply) / (1 + b)``
        ``Ca T' = G ((1 - r) supply + r hot - T)`` and ``Cm Tm' = h (T - Tm)``.

        Their sum is ``Ca T' + Cm Tm' = Q - M (hot - supply)``: no heat is lost by mixing.
        When the coolers move less than the servers draw, the servers recirculate the rest.
        """
        s0, s1 = supply
        recirculated, flow, (constant, by_inlet, by_mass) = self._hot_side(
            heat_w, cooler_flow_w_per_k, supply
        )
        mixing = (1.0 - recirculated) * s1 + recirculated
        rate = flow / self.air_j_per_k
        decay = self._coupling_w_per_k / self.mass_j_per_k
        inlet_k, mass_k, inlet_mean_c, mass_mean_c = linear_pair(
            self.inlet_c,
            self.mass_c,
            (rate * (mixing * by_inlet - 1.0), rate * mixing * by_mass, decay, -decay),
            rate * ((1.0 - recirculated) * s0 + mixing * constant),
            0.0,
            dt_s,
        )
        return_c = constant + by_inlet * inlet_mean_c + by_mass * mass_mean_c
        stored_j = self.air_j_per_k * inlet_k + self.mass_j_per_k * mass_k
        self._next = (self.inlet_c + inlet_k, self.mass_c + mass_k)
        return return_c, s0 + s1 * return_c, stored_j

    def return_c(
        self, heat_w: float, cooler_flow_w_per_k: float, supply: tuple[float, float]
    ) -> float:
        """Air returning to the coolers now, see :meth:`solve`. [degC]."""
        _, _, (constant, by_inlet, by_mass) = self._hot_side(heat_w, cooler_flow_w_per_k, supply)
        return constant + by_inlet * self.inlet_c + by_mass * self.mass_c

    def _hot_side(
        self, heat_w: float, cooler_flow_w_per_k: float, supply: tuple[float, float]
    ) -> tuple[float, float, tuple[float, float, float]]:
        """Recirculated share, server air, and ``hot = c0 + c1 inlet + c2 mass``."""
        s0, s1 = supply
        least_w = self._least_heat_w
        flow = (heat_w if heat_w > least_w else least_w) / self.air_rise_k
        ratio = cooler_flow_w_per_k / flow
        recirculated, missing = self.recirculation, 1.0 - ratio
        recirculated = recirculated if recirculated > missing else missing
        bypassed = ratio - 1.0 + recirculated
        divisor = 1.0 + bypassed - bypassed * s1
        by_mass = self._coupling_w_per_k / flow / divisor
        constant = (heat_w / flow + bypassed * s0) / divisor
        return recirculated, flow, (constant, 1.0 / divisor - by_mass, by_mass)

    def commit(self) -> None:
        """Take over the state of the last :meth:`solve`."""
        self.inlet_c, self.mass_c = self._next
