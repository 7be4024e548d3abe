"""What happens in a run is the same at any heartbeat, and a longer run has the same past."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_cooling_studies import HOUR, PLANTS, finished, load
from twin import build
from twin.results.recorder import Recorder

ENERGIES = ("it_energy_kwh", "cooling_energy_kwh", "loss_energy_kwh")


def pair(folder, **choices):
    """Return the same run at 60 and 300 s; *change* may change its configuration."""
    change = choices.pop("change", lambda config: None)
    done = []
    for beat_s in (60, 300):
        config = load(beat_s=beat_s, **choices)
        change(config)
        done.append(finished(folder / str(beat_s), config))
    return done


def differences(done):
    short, long = (each.summary for each in done)
    return [abs(long[key] / short[key] - 1.0) for key in ENERGIES]


def happened(done, *kinds):
    events = done.events()
    return [
        at_s for at_s, kind in zip(events["at_s"], events["kind"], strict=True) if kind in kinds
    ]


def tripped(unit, at_hours=0.3561):
    def change(config):
        trip = {"unit": f"cooling.{unit}", "at_hours": at_hours, "repair_hours": 0.4}
        config["faults"]["scheduled"] = {"trip": trip}

    return change


@pytest.mark.parametrize(
    ("cooling", "unit"), [("chilled_air", "chiller"), ("direct_liquid_dry", "pump")]
)
def test_servers_slow_down_stop_and_start_at_the_same_moments(cooling, unit, tmp_path):
    """To two seconds, and with the energy to 2e-4; at the beat's end it was 120 s and 2 %."""
    done = pair(tmp_path, cooling=cooling, site="shenzhen", days=2 * HOUR, change=tripped(unit))
    kinds = ("throttle", "thermal_trip", "thermal_restart")
    short, long = (happened(each, *kinds) for each in done)
    assert len(short) >= 3
    assert long == pytest.approx(short, abs=2.0)
    assert max(differences(done)) < 2e-4


def test_a_breaker_opens_after_its_time_from_the_step_of_the_load(tmp_path):
    """A load that came within a beat was not seen before its end: 40 % of the energy."""

    def oversubscribed(config):
        config["power"]["oversubscription"] = 2.5

    done = pair(tmp_path, cooling="chilled_air", change=oversubscribed)
    short, long = (happened(each, "bypass", "trip") for each in done)
    assert len(short) >= 2
    assert long == pytest.approx(short, abs=0.01)
    assert differences(done)[0] < 1e-9
    assert max(differences(done)) < 1e-4


def test_losses_that_cooling_learns_of_late_do_not_depend_on_the_heartbeat(tmp_path):
    """They came a beat later: 0.2 % of the cooling of half an hour."""
    done = pair(tmp_path, cooling="indirect_evaporative", power="legacy", days=0.5 * HOUR)
    assert differences(done)[0] < 1e-12
    assert max(differences(done)) < 1e-5


def test_steps_of_the_load_in_quick_succession_end_beats_a_second_apart(tmp_path):
    """Each ended one: two steps within a second made a beat of 0.3 s."""
    design = build.read(load("chilled_air", days=HOUR))
    build.size(design)
    facility = build.assemble(design, Recorder(tmp_path, 300.0))
    env, cluster = facility.env, facility.cluster

    def steps():
        yield env.timeout(1810.0)
        half = range(cluster.servers // 2)
        cluster.switch_off(half, env.now)
        yield env.timeout(0.3)
        cluster.switch_off(range(cluster.servers // 2, cluster.servers), env.now)

    env.process(steps())
    env.process(facility.heartbeat(60.0, 1814.0, lambda fraction: None))
    seen = []
    for until_s in (1809.0, 1810.2, 1810.9, 1811.1):
        env.run(until_s)
        seen.append(facility.closed_s)
    facility.recorder.abort()
    assert seen == [1800.0, 1810.0, 1810.0, 1811.0]


@pytest.mark.parametrize("power", ["n", "n_plus_1_pv"])
def test_a_longer_run_has_the_same_past_to_the_last_bit(power, tmp_path):
    choices = {"cooling": "indirect_evaporative", "power": power, "start": "2023-08-05 14:37"}
    short, long = (
        finished(tmp_path / str(days), load(days=days, **choices)).series()
        for days in (1.4 * HOUR, 2.1 * HOUR)
    )
    whole = len(short["at_s"]) - 1  # the last interval may be cut
    for name in short:
        assert np.array_equal(short[name][:whole], long[name][:whole], equal_nan=True), name


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_fault_of_any_plant_costs_another_energy_at_another_heartbeat(data, tmp_path):
    """IT to 5e-4, which is a trip found two seconds late in an hour; cooling and losses to 2e-3."""
    cooling = data.draw(st.sampled_from(PLANTS))
    power = data.draw(st.sampled_from(["n", "n_plus_1", "legacy", "hvdc", "two_n"]))
    at_hours = data.draw(st.floats(0.05, 0.9))
    done = pair(
        tmp_path,
        cooling=cooling,
        power=power,
        site=data.draw(st.sampled_from(["shenzhen", "beijing", "ulanqab"])),
        days=2 * HOUR,
        change=tripped("chiller", at_hours) if data.draw(st.booleans()) else lambda config: None,
    )
    it, cooling_, loss = differences(done)
    assert it < 5e-4
    assert max(cooling_, loss) < 2e-3
