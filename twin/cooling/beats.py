"""Going through a beat in steps, and joining them into the record of the beat."""

from __future__ import annotations

from collections.abc import Callable

from twin.cooling.base import PlantState

Weather = tuple[float, float]
"""Dry bulb and wet bulb. [degC]"""


def stepped(
    one: Callable[[float, Weather, float], tuple[PlantState, float]],
    heat_w: float,
    weather_c: Weather,
    dt_s: float,
) -> PlantState:
    """Advance by *dt_s* in as many steps as it takes, and return them as one.

    Parameters
    ----------
    one : callable
        Takes heat, weather and what is left of the beat [s], advances by that or less, and
        returns the record of its step and how long that was [s].
    heat_w : float
        Heat in every step. [W]
    weather_c : (float, float)
        Weather in every step. [degC]
    dt_s : float
        The beat. [s]
    """
    state, step_s = one(heat_w, weather_c, dt_s)
    left_s = dt_s - step_s
    if left_s <= 0.0:  # the usual case
        return state
    states, durations_s = [state], [step_s]
    while left_s > 0.0:
        state, step_s = one(heat_w, weather_c, left_s)
        left_s -= step_s
        states.append(state)
        durations_s.append(step_s)
    return joined(states, durations_s)


def joined(states: list[PlantState], durations_s: list[float]) -> PlantState:
    """Return the record of consecutive steps as one: means of flows, ends of temperatures.

    Parameters
    ----------
    states : list of PlantState
        One per step, in order.
    durations_s : list of float
        How long each took. [s]
    """
    total_s = sum(durations_s)
    shares = [duration_s / total_s for duration_s in durations_s]
    pairs = list(zip(states, shares, strict=True))
    last = states[-1]
    return PlantState(
        power_w=sum(state.power_w * share for state, share in pairs),
        parts_w={name: sum(s.parts_w[name] * share for s, share in pairs) for name in last.parts_w},
        inlet_c=last.inlet_c,
        inlet_max_c=max(state.inlet_max_c for state in states),
        supply_c=last.supply_c,
        return_c=last.return_c,
        heat_in_w=sum(state.heat_in_w * share for state, share in pairs),
        unmet_w=sum(state.unmet_w * share for state, share in pairs),
        ambient_heat_w=sum(state.ambient_heat_w * share for state, share in pairs),
        reused_heat_w=sum(state.reused_heat_w * share for state, share in pairs),
        stored_j=sum(state.stored_j for state in states),
        water_kg_per_s=sum(state.water_kg_per_s * share for state, share in pairs),
        free_fraction=sum(state.free_fraction * share for state, share in pairs),
    )
