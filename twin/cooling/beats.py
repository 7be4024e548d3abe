"""Joining the short steps of one beat into the record of the beat."""

from __future__ import annotations

from twin.cooling.base import PlantState


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
