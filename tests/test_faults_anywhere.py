"""Any feed, any plant, faults anywhere: overlapping, repeated, in the middle of a transfer.

Nothing may be lost of watts, jobs and GPUs on the way, and once everything has been
repaired for a while everything carries load again.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.power.test_feed import diagrams
from tests.support.books import assert_nothing_is_lost
from tests.test_outage import load
from twin import build, run
from twin.results.recorder import Recorder
from twin.settings.catalogue import choices

LAST_REPAIR_H = 1.2
"""More than enough for the room to cool and batteries to be refilled before the end."""
WORDS = ["clock.duration_days=0.2", "clock.heartbeat_s=60", "faults.breaker_reset_minutes=5"]

faults = st.lists(
    st.tuples(
        st.floats(0.0, 1.0),  # which unit, of all there are
        st.floats(0.0, 1.0),  # which machine of it
        st.floats(0.0, LAST_REPAIR_H).map(lambda hours: round(hours, 9)),
        st.one_of(st.floats(0.001, 0.02), st.floats(0.02, 0.7)),  # some as short as a transfer
    ),
    max_size=10,
)
quiet = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def backed_diagrams(draw):
    """Random diagrams behind a transfer switch, some boxes with a battery."""
    elements = draw(diagrams())
    for name, element in elements.items():
        if element.get("fed_by"):
            element["fed_by"] = ["ats" if f == "utility" else f for f in element["fed_by"]]
        if name.startswith("box"):
            element["delay_s"] = draw(st.sampled_from([0.0, 3.0, 15.0]))
            if draw(st.booleans()):
                element["battery"] = {
                    "type": "vrla",
                    "minutes_at_rating": draw(st.sampled_from([0.5, 5.0])),
                    "exponent": 1.2,
                    "recharge_fraction": 0.3,
                    "recharge_efficiency": 0.85,
                }
    nothing = {"heat_to": "outdoor", "loss": [0, 0, 0]}
    elements["generator"] = {
        "type": "generator",
        "start": {"start_s": 10, "failure_fraction": draw(st.sampled_from([0.0, 0.5]))},
        "fuel": {"hours_at_rating": 0.2, "no_load_fraction": 0.1, "delivery_hours": 0.3},
        **nothing,
    }
    ats = {"type": "ats", "fed_by": ["utility", "generator"], "draw": "first", "delay_s": 2}
    elements["ats"] = {**ats, "retransfer_s": draw(st.sampled_from([0.0, 60.0])), **nothing}
    return elements


def lived(config, drawn, folder):
    """Return the facility after a run in which machines break and are mended as drawn."""
    design = build.read(config)
    build.size(design)
    facility = build.assemble(design, Recorder(folder, 300.0))
    units = build.units(design, facility)
    names = sorted(units)

    def fault(unit, machine, at_h, for_h):
        yield facility.env.timeout(at_h * 3600)
        unit.fail(machine)
        yield facility.env.timeout(min(for_h, LAST_REPAIR_H - at_h) * 3600)
        unit.mend(machine)

    for which, machine, at_h, for_h in drawn:
        unit = units[names[min(int(which * len(names)), len(names) - 1)]]
        one = min(int(machine * unit.machines), unit.machines - 1)
        facility.env.process(fault(unit, one, at_h, for_h))
    run.simulate(design, facility, lambda _: None)
    facility.recorder.close()
    return facility


@settings(max_examples=8, **quiet)
@given(
    st.sampled_from(choices("power")),
    st.sampled_from(["chilled_air", "airside_economizer", "direct_liquid_tower"]),
    st.sampled_from(["ignore", "refuse", "cap", "shed"]),
    st.sampled_from(["[]", "[air]", "[air,water]"]),
    faults,
)
def test_ready_designs(tmp_path_factory, power, cooling, policy, movers, drawn):
    if power in ("direct", "rack_battery", "frontier"):
        movers = "[]"  # no UPS to hang them on
    words = [f"power={power}", f"cooling={cooling}", f"power.over_limit={policy}"]
    config = load(*WORDS, *words, f"power.movers_on_ups={movers}", "rack=13kw")
    assert_nothing_is_lost(lived(config, drawn, tmp_path_factory.mktemp("run")))


@settings(max_examples=8, **quiet)
@given(backed_diagrams(), st.sampled_from(["ignore", "cap"]), faults)
def test_random_diagrams(tmp_path_factory, elements, policy, drawn):
    config = load(*WORDS, f"power.over_limit={policy}")
    config["power"]["elements"] = elements
    assert_nothing_is_lost(lived(config, drawn, tmp_path_factory.mktemp("run")))


@pytest.mark.slow
@settings(max_examples=150, **quiet)
@given(backed_diagrams(), st.sampled_from(["ignore", "refuse", "cap", "shed"]), faults)
def test_many_random_diagrams(tmp_path_factory, elements, policy, drawn):
    config = load(*WORDS, f"power.over_limit={policy}")
    config["power"]["elements"] = elements
    assert_nothing_is_lost(lived(config, drawn, tmp_path_factory.mktemp("run")))
