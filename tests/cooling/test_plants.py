"""The contract every plant in conf/cooling keeps."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.plants import (
    NAMES,
    RESETS,
    design,
    parsed,
    plant,
    resetting,
    residual,
    steady,
)
from twin.errors import ConfigError

every_plant = pytest.mark.parametrize("name", NAMES)
few = settings(max_examples=15, suppress_health_check=list(HealthCheck))


@every_plant
def test_the_parts_add_up_and_the_heat_is_counted(name):
    made = plant(name)
    heat_w = 0.6 * design().heat_w
    state = steady(made, heat_w, 20.0, 14.0)

    assert state.power_w == pytest.approx(sum(state.parts_w.values()), rel=1e-12)
    assert all(part >= 0.0 for part in state.parts_w.values())
    assert state.heat_in_w == pytest.approx(heat_w, rel=1e-9)
    assert state.unmet_w == 0.0
    assert 0.0 <= state.free_fraction <= 1.0
    assert state.supply_c <= state.return_c
    assert 10.0 < state.inlet_c < 32.0


@every_plant
@few
@given(data=st.data())
def test_the_ledger_closes_in_every_step_whatever_happens(name, data):
    """Random heat and weather, beats of any length, units tripped and repaired."""
    made = plant(name)
    most_w = design().heat_w
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()):
            unit = data.draw(st.sampled_from(sorted(made.installed())))
            made.set_available(unit, data.draw(st.sampled_from([0.0, 0.5, 1.0])))
        heat_w = most_w * data.draw(st.floats(0.0, 1.2))
        drybulb_c = data.draw(st.floats(-35.0, 45.0))
        wetbulb_c = drybulb_c - data.draw(st.floats(0.0, 15.0))
        dt_s = data.draw(st.sampled_from([1.0, 60.0, 300.0]))

        state = made.step(heat_w, drybulb_c, wetbulb_c, dt_s)

        assert residual(state, heat_w, dt_s) <= 1e-9
        assert state.unmet_w >= 0.0
        assert state.water_kg_per_s >= 0.0


def energies(made, dt_s, seed=7, mean_c=14.0):
    """Electricity and water of two days of moving load and weather."""
    rng = _steps(seed=seed)
    total = dict.fromkeys(("power", "water"), 0.0)
    for hour in range(48):
        heat_w = design().heat_w * next(rng)
        for k in range(int(3600 / dt_s)):
            day = (hour + (k + 0.5) * dt_s / 3600.0) / 24.0
            drybulb_c = mean_c + 9.0 * _wave(day)
            state = made.step(heat_w, drybulb_c, drybulb_c - 4.0, dt_s)
            total["power"] += state.power_w * dt_s
            total["water"] += state.water_kg_per_s * dt_s
    return total


@every_plant
def test_energy_does_not_depend_on_the_beat(name):
    """60 s and 300 s agree within 0.2 %."""
    short, long = (energies(plant(name), dt_s) for dt_s in (60.0, 300.0))
    assert long["power"] == pytest.approx(short["power"], rel=2e-3)
    assert long["water"] == pytest.approx(short["water"], rel=5e-3, abs=1.0)


@pytest.mark.parametrize(("name", "where", "by"), RESETS)
@pytest.mark.parametrize(("seed", "mean_c"), [(7, 14.0), (10, 4.0), (3, 22.0)])
def test_nor_does_it_while_set_points_move(name, where, by, seed, mean_c):
    short, long = (
        energies(resetting(name, where, by)[0], dt_s, seed, mean_c) for dt_s in (60.0, 300.0)
    )
    assert long["power"] == pytest.approx(short["power"], rel=2e-3)
    assert long["water"] == pytest.approx(short["water"], rel=2e-2)  # spraying begins at a beat


def settled(made, heat_w, weather):
    """Return the steady state with all duty chillers running, whatever the load."""
    for chillers in _banks(made):
        chillers.fixed_units = chillers.duty_units
    return steady(made, heat_w, *weather)


@every_plant
@few
@given(
    fractions=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    drybulb_c=st.floats(-25.0, 38.0),
    depression_k=st.floats(0.0, 12.0),
)
@example(fractions=(0.15, 0.75), drybulb_c=33.0, depression_k=8.0)
@example(fractions=(0.3, 0.45), drybulb_c=-8.0, depression_k=2.0)
@example(fractions=(0.1313, 0.2284), drybulb_c=17.4, depression_k=4.387)
def test_more_heat_never_lowers_the_power_of_running_units(
    name, fractions, drybulb_c, depression_k
):
    weather = drybulb_c, min(drybulb_c - depression_k, 26.5)
    less_w, more_w = sorted(fraction * design().heat_w for fraction in fractions)
    less, more = (settled(plant(name), heat_w, weather) for heat_w in (less_w, more_w))
    assert more.power_w >= less.power_w * (1.0 - 1e-6)


@few
@pytest.mark.parametrize("machine", ["carrier_19xr", "trane_cvhf", "york_yk"])
@given(
    fraction=st.floats(0.1, 0.9),
    wetbulbs_c=st.tuples(st.floats(-20.0, 26.5), st.floats(-20.0, 26.5)),
    depressions_k=st.tuples(st.floats(0.0, 12.0), st.floats(0.0, 12.0)),
)
def test_hotter_or_wetter_air_never_lowers_compressor_power(
    machine, fraction, wetbulbs_c, depressions_k
):
    """At equal set points and a fixed number of running units."""
    dry_c, wet_c = sorted(wetbulbs_c)
    cool_k, hot_k = sorted(depressions_k)
    cool, hot = (
        settled(plant("chilled_air", chillers__machine=machine), fraction * design().heat_w, air)
        for air in ((dry_c + cool_k, dry_c), (wet_c + hot_k, wet_c))
    )
    assert cool.unmet_w == hot.unmet_w == 0.0
    assert hot.parts_w["chiller"] >= cool.parts_w["chiller"] * (1.0 - 1e-6)


COMPRESSORS = {"chiller", "air_chiller", "trim", "trim_chiller"}


@every_plant
@few
@given(
    fraction=st.floats(0.1, 0.9),
    wetbulbs_c=st.tuples(st.floats(-20.0, 26.5), st.floats(-20.0, 26.5)),
    depressions_k=st.tuples(st.floats(0.0, 12.0), st.floats(0.0, 12.0)),
)
@example(fraction=0.6, wetbulbs_c=(9.0, 11.0), depressions_k=(0.5, 0.5))
@example(fraction=0.8, wetbulbs_c=(2.0, 8.0), depressions_k=(3.0, 3.0))
@example(fraction=0.5, wetbulbs_c=(18.0, 26.0), depressions_k=(0.0, 8.0))
def test_nor_does_it_in_any_plant(name, fraction, wetbulbs_c, depressions_k):
    """Economizers, trims and the air beside cold plates included, as they are configured."""
    dry_c, wet_c = sorted(wetbulbs_c)
    cool_k, hot_k = sorted(depressions_k)
    cool, hot = (
        settled(plant(name), fraction * design().heat_w, air)
        for air in ((dry_c + cool_k, dry_c), (wet_c + hot_k, wet_c))
    )
    cool_w, hot_w = (
        sum(w for part, w in state.parts_w.items() if part in COMPRESSORS) for state in (cool, hot)
    )
    assert hot_w >= cool_w * (1.0 - 1e-6)


@every_plant
def test_everything_that_can_trip_can_be_repaired(name):
    made = plant(name)
    heat_w = 0.5 * design().heat_w
    before = steady(made, heat_w, 25.0, 20.0)
    for unit in made.installed():
        made.set_available(unit, 0.0)
        for _ in range(5):
            made.step(heat_w, 25.0, 20.0, 60.0)
        made.set_available(unit, 1.0)
        after = steady(made, heat_w, 25.0, 20.0, hours=8)
        assert after.inlet_c == pytest.approx(before.inlet_c, abs=0.05), unit
        assert after.power_w == pytest.approx(before.power_w, rel=1e-3), unit


@every_plant
def test_every_unit_is_counted_and_every_plant_answers_to_a_chiller_trip(name):
    made = plant(name)
    counts = made.installed()
    for unit in counts:
        made.set_available(unit, 0.0)
    assert all(count >= 1 for count in counts.values())
    assert "chiller" in counts


WITHOUT_SPARE = {
    ("rear_door", "crah"),  # a door is part of its rack
    ("airside_economizer", "chiller"),  # the outdoors stands in for a trim chiller
    ("indirect_evaporative", "chiller"),
}


def without_chiller(made, unit):
    """Return whether *unit* is the chiller of a plant that only answers to that name."""
    return unit == "chiller" and not hasattr(made, "chillers") and made.air is None


@every_plant
def test_whatever_is_there_more_than_once_may_lose_one(name):
    """N+1: at design heat and weather, one machine less of any kind is not felt."""
    made = plant(name)
    for unit, count in made.installed().items():
        if (name, unit) in WITHOUT_SPARE or without_chiller(made, unit):
            continue
        assert count >= 2, unit
        before = steady(made, design().heat_w, 33.0, 25.0)
        made.set_available(unit, 1.0 - 1.0 / count)
        after = steady(made, design().heat_w, 33.0, 25.0)
        made.set_available(unit, 1.0)
        assert after.unmet_w == 0.0, unit
        assert after.inlet_c == pytest.approx(before.inlet_c, abs=0.05), unit


@every_plant
def test_losing_all_of_anything_is_felt(name):
    made = plant(name)
    for unit in made.installed():
        before = steady(made, design().heat_w, 33.0, 25.0)
        made.set_available(unit, 0.0)
        after = steady(made, design().heat_w, 33.0, 25.0, hours=0.5)
        made.set_available(unit, 1.0)
        steady(made, design().heat_w, 33.0, 25.0, hours=6)
        if without_chiller(made, unit):
            continue
        assert after.inlet_c > before.inlet_c + 1.0, unit


@every_plant
def test_twice_the_heat_it_was_built_for_runs_and_is_reported_as_unmet(name):
    made, heat_w = plant(name), 2.0 * design().heat_w
    before = steady(made, 0.5 * heat_w, 34.8, 26.6)
    states = [made.step(heat_w, 34.8, 26.6, 300.0) for _ in range(24)]

    assert max(state.unmet_w for state in states) > 0.02 * heat_w
    assert states[-1].inlet_c > before.inlet_c + 4.0
    assert max(residual(state, heat_w, 300.0) for state in states) <= 1e-9


@every_plant
def test_with_everything_out_of_service_nothing_is_drawn(name):
    made = plant(name)
    for unit in made.installed():
        made.set_available(unit, 0.0)
    assert made.step(design().heat_w, 25.0, 20.0, 60.0).power_w == 0.0


@every_plant
def test_movers_are_units_of_the_plant_and_draw_what_they_say(name):
    """With only them in service the plant draws their parts and nothing else."""
    made = plant(name)
    movers = made.movers()
    assert movers
    for unit in set(made.installed()) - {mover.unit for mover in movers}:
        made.set_available(unit, 0.0)
    state = made.step(0.5 * design().heat_w, 20.0, 15.0, 60.0)
    moved_w = sum(state.parts_w[part] for mover in movers for part in mover.parts)
    assert state.power_w == pytest.approx(moved_w, rel=1e-9)
    assert moved_w > 0.0


@every_plant
def test_an_unknown_unit_is_refused_with_what_there_is(name):
    made = plant(name)
    with pytest.raises(ConfigError, match=f"unit=flux_capacitor.*{next(iter(made.installed()))}"):
        made.set_available("flux_capacitor", 0.0)


@every_plant
def test_a_rack_no_technology_carries_is_refused_with_the_limit(name):
    with pytest.raises(ConfigError, match=r"600 kW of servers.*at most \d+ kW per rack"):
        plant(name, design(rack_kw=600.0))


TRIM = {"spares": 0, "margin": 1.0, "stage_up_plr": 0.95, "stage_down_plr": 0.9, "restart_s": 480.0}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "chilled_air",
            {"chillers__machine": "air_cooled"},
            r"cooling\.chillers\.machine=air_cooled: .* heat to water: carrier_19xr",
        ),
        (
            "airside_economizer",
            {"chillers__machine": "carrier_19xr"},
            r"cooling\.chillers\.machine=carrier_19xr: .* heat to air: warm_water_dry, air_cooled",
        ),
        (
            "immersion",
            {"trim": {"machine": "warm_water", **TRIM}},
            r"cooling\.trim\.machine=warm_water: .* heat to air: warm_water_dry, air_cooled",
        ),
    ],
)
def test_a_machine_whose_condenser_finds_nothing_to_cool_it_is_refused(name, changes, message):
    with pytest.raises(ConfigError, match=message):
        plant(name, **changes)


@every_plant
def test_two_plants_of_one_configuration_are_the_same(name):
    one, other = plant(name), plant(name)
    for k in range(20):
        heat_w = 5e5 + 2e4 * k
        assert one.step(heat_w, 20.0, 15.0, 60.0) == other.step(heat_w, 20.0, 15.0, 60.0)


@every_plant
def test_a_plant_runs_at_no_load_and_in_any_weather_of_the_earth(name):
    made = plant(name)
    for drybulb_c, wetbulb_c in [(-40.0, -40.0), (50.0, 33.0), (50.0, 15.0), (0.0, 0.0)]:
        for heat_w in (0.0, design().heat_w):
            state = made.step(heat_w, drybulb_c, wetbulb_c, 60.0)
            assert residual(state, heat_w, 60.0) <= 1e-9


@every_plant
def test_thin_air_costs_power(name):
    low, high = (
        steady(plant(name, design(altitude_m=z)), 1e6, 20.0, 14.0).power_w for z in (0.0, 1400.0)
    )
    assert high > low


@every_plant
def test_a_misspelt_key_is_refused(name):
    with pytest.raises(ConfigError, match="unknown key"):
        parsed(name, suply_c=20.0)


@every_plant
def test_the_ledger_sees_any_outgoing_flow_that_is_a_thousandth_wrong(name, monkeypatch):
    """No item balances the others: each flow is its owner's, so each error shows."""
    made = plant(name)
    heat_w = 0.7 * design().heat_w
    steady(made, heat_w, 20.0, 14.0)
    original = type(made.room if hasattr(made, "room") else made.distribution)
    method = "solve" if hasattr(made, "room") else "exchange"
    right = getattr(original, method)

    def bent(self, *args):
        first, *rest = right(self, *args)
        return (first * 1.001, *rest)

    monkeypatch.setattr(original, method, bent)
    state = made.step(heat_w, 20.0, 14.0, 60.0)
    assert residual(state, heat_w, 60.0) > 1e-5


def _banks(made):
    """Return every bank of chillers in a plant."""
    found = [made.chillers] if getattr(made, "chillers", None) is not None else []
    inner = getattr(made, "air", None)
    return found + (_banks(inner) if inner is not None else [])


def _wave(day):
    from math import pi, sin

    return sin(2.0 * pi * (day - 0.375))


def _steps(seed):
    from random import Random

    rng = Random(seed)
    while True:
        yield rng.uniform(0.25, 0.95)
