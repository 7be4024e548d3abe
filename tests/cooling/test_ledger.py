"""The ledger of every plant sees any flow that a component gets wrong by a thousandth.

The flows are found, not listed: whatever record of flows a plant makes while it steps is
made a thousandth too large, one number of one record at a time.
"""

import copy
import dataclasses
import importlib
import pkgutil

import pytest

import twin.cooling
from tests.support.plants import NAMES, RESETS, design, plant, resetting, residual, steady
from twin.config import Component

HEAT_W = design().heat_w
NOT_IN_THE_LEDGER = {"unmet_w": "a diagnosis", "sprayed_w": "becomes pump power"}
STATES = {
    "cold": (0.6, (-5.0, -7.0), None),
    "mild": (0.6, (16.0, 13.0), None),
    "hot": (0.9, (34.0, 26.0), None),
    "tripped": (0.8, (33.0, 25.0), "chiller"),
    "without_water": (0.8, (33.0, 25.0), "pump"),
}


def record_classes():
    """Return every record of flows in the family: plain dataclasses with powers or energies."""
    for module_info in pkgutil.iter_modules(twin.cooling.__path__):
        module = importlib.import_module(f"twin.cooling.{module_info.name}")
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and dataclasses.is_dataclass(value) and not issubclass(value, Component):
                yield value


def flows_of(cls):
    return [
        f.name
        for f in dataclasses.fields(cls)
        if f.name.endswith(("_w", "_j")) and f.type == "float"
    ]


RECORDS = [cls for cls in record_classes() if flows_of(cls)]


def audit(state, heat_w, dt_s):
    """Return the largest relative disagreement between what a plant says in different places."""
    parts_w = sum(state.parts_w.values())
    return max(
        residual(state, heat_w, dt_s),
        abs(state.heat_in_w - heat_w) / heat_w,
        abs(parts_w - state.power_w) / max(state.power_w, 1.0),
    )


class Made:
    """Notes the records made while it is in force, and bends one number of one of them."""

    def __init__(self, monkeypatch, bend=None):
        self.flows, self._bend, self._count = [], bend, {}
        for cls in RECORDS:
            monkeypatch.setattr(cls, "__init__", self._watched(cls))

    def _watched(self, cls):
        original = cls.__init__

        def init(record, *args, **kwargs):
            original(record, *args, **kwargs)
            nth = self._count[cls] = self._count.get(cls, -1) + 1
            for name in flows_of(cls):
                flow = cls.__name__, name, nth
                self.flows.append((flow, abs(getattr(record, name))))
                if flow == self._bend:
                    setattr(record, name, 1.001 * getattr(record, name))

        return init


def stepped(made, heat_w, weather_c, bend=None):
    """Step a copy once for a second; return the state and the flows it wrote down."""
    with pytest.MonkeyPatch.context() as patch:
        seen = Made(patch, bend)
        state = copy.deepcopy(made).step(heat_w, *weather_c, 1.0)
    return state, seen.flows


def in_state(name, fraction, weather_c, trip):
    made = plant(name)
    steady(made, fraction * HEAT_W, *weather_c)
    for unit in made.installed():
        if trip and unit.endswith(trip):
            made.set_available(unit, 0.0)
    made.step(0.9 * fraction * HEAT_W, *weather_c, 60.0)
    return made


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_any_flow_that_is_a_thousandth_wrong_shows(name, state):
    fraction, weather_c, trip = STATES[state]
    bend_each(in_state(name, fraction, weather_c, trip), fraction * HEAT_W, weather_c)


@pytest.mark.parametrize(("name", "where", "by"), RESETS)
def test_nor_does_one_hide_while_set_points_move(name, where, by):
    """The step after the first half-hour looks at load and weather, and moves."""
    made, mover = resetting(name, where, by)
    heat_w, weather_c = 0.35 * HEAT_W, (29.0, 22.0)
    made.step(heat_w, *weather_c, mover.reset.every_s)
    before = copy.deepcopy(made)
    made.step(heat_w, *weather_c, 1.0)
    assert mover.reset.moves == 1
    bend_each(before, heat_w, weather_c)


def bend_each(made, heat_w, weather_c):
    """Bend each flow of the coming step, one after another, and see that the ledger shows it."""
    right, flows = stepped(made, heat_w, weather_c)
    assert audit(right, heat_w, 1.0) <= 1e-9
    came_in_w = heat_w + right.power_w
    last = {cls: nth for (cls, _, nth), _ in flows}
    seen = set()
    for flow, size in flows:
        if flow[1] in NOT_IN_THE_LEDGER or size < 1e-6 * came_in_w:
            continue
        bent, _ = stepped(made, heat_w, weather_c, flow)
        if bent == right and flow[2] < last[flow[0]]:
            continue  # a step that was tried and taken back
        assert audit(bent, heat_w, 1.0) >= 0.5e-3 * size / came_in_w, flow
        seen |= {part for part, w in bent.parts_w.items() if w != right.parts_w[part]}
    # Every machine that drew power was one of those whose error showed.
    assert {part for part, w in right.parts_w.items() if w > 1e-6 * came_in_w} <= seen


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_a_plant_draws_power_in_one_of_the_states(name):
    """So that none of its machines was left out of the test above."""
    drew = set()
    for fraction, weather_c, trip in STATES.values():
        state, _ = stepped(in_state(name, fraction, weather_c, trip), fraction * HEAT_W, weather_c)
        drew |= {part for part, w in state.parts_w.items() if w > 0.0}
        known = set(state.parts_w)
    optional = {
        "trim_chiller",
        "outdoor_fan",
        "rejection_pump",
    }  # not in every plant's configuration
    assert known - drew <= optional


def test_the_records_were_found():
    assert {"PlantState", "Rejected", "Outdoors", "_Liquid", "_Worked", "_AirSide"} <= {
        cls.__name__ for cls in RECORDS
    }
