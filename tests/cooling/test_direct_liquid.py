import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plants import design, plant, residual, steady
from twin.cooling.chillers import running_units
from twin.cooling.direct_liquid import DistributionUnits, HeatReuse
from twin.errors import ConfigError

LIQUID = ["direct_liquid_dry", "direct_liquid_tower", "immersion"]
DENSE = design(racks=20, servers=140, rack_kw=100.0)
each_liquid = pytest.mark.parametrize("name", LIQUID)

TRIM = {
    "machine": "warm_water_dry",
    "spares": 0,
    "margin": 1.0,
    "stage_up_plr": 0.95,
    "stage_down_plr": 0.9,
    "restart_s": 480.0,
}


def units_of(**changes):
    keys = {
        "unit_kw": 1000.0,
        "spares": 0,
        "approach_k": 4.0,
        "pump_kw_per_kw": 0.012,
        "pump_exponent": 2.7,
        "min_flow": 0.4,
        "volume_l_per_rack": 60.0,
        "still_l_per_rack": 12.0,
    }
    made = DistributionUnits(**(keys | changes))
    made.size(120e3, 1)
    made.coolant_c = 40.0
    return made


@each_liquid
def test_a_hundred_kilowatt_rack_is_carried(name):
    state = steady(plant(name, DENSE), DENSE.heat_w, 33.0, 25.0)
    assert state.unmet_w == 0.0
    assert state.power_w / DENSE.heat_w < 0.12


def test_only_the_air_share_of_a_rack_loads_its_air_plant():
    with pytest.raises(ConfigError, match=r"30 kW of servers in a rack; contained chilled air"):
        plant("direct_liquid_dry", design(rack_kw=150.0), capture_fraction=0.8)
    plant("direct_liquid_dry", design(rack_kw=150.0), capture_fraction=0.9)


@pytest.mark.parametrize("name", ["direct_liquid_dry", "direct_liquid_tower"])
def test_cold_plates_take_nothing_from_switches_storage_and_losses(name):
    """A quarter of the heat from elsewhere: 0.8 of the servers' is 0.6 of all."""
    hall = design(rack_kw=50.0)
    apart = plant(name, replace(hall, apart_w=0.25 * hall.heat_w))
    alike = plant(name, hall, capture_fraction=0.6)
    for load in (1.0, 0.5, 0.7):
        heat_w = load * hall.heat_w
        state = apart.step(heat_w, 30.0, 20.0, 300.0, 0.25 * heat_w)
        same = alike.step(heat_w, 30.0, 20.0, 300.0)
        assert state.power_w == pytest.approx(same.power_w, rel=1e-9)
        assert state.parts_w == pytest.approx(same.parts_w, rel=1e-9)
        assert state.inlet_c == pytest.approx(same.inlet_c)
        assert residual(state, heat_w, 300.0) <= 1e-9


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_ledger_closes_however_much_of_the_heat_is_not_of_servers(load, share):
    made = plant("direct_liquid_dry", replace(DENSE, rack_w=50e3, apart_w=0.2 * DENSE.heat_w))
    heat_w = load * DENSE.heat_w
    for _ in range(3):
        state = made.step(heat_w, 28.0, 20.0, 60.0, share * heat_w)
        assert residual(state, heat_w, 60.0) <= 1e-9


def test_a_tank_takes_the_heat_of_all_that_stands_in_it():
    made, other = plant("immersion", DENSE), plant("immersion", replace(DENSE, apart_w=1e5))
    plain = made.step(DENSE.heat_w, 30.0, 20.0, 60.0)
    assert other.step(DENSE.heat_w, 30.0, 20.0, 60.0, 1e5) == plain


@pytest.mark.parametrize(
    ("name", "limit"),
    [("direct_liquid_dry", 150), ("direct_liquid_tower", 150), ("immersion", 250)],
)
def test_racks_above_the_limit_are_refused(name, limit):
    with pytest.raises(ConfigError, match=f"at most {limit} kW per rack"):
        plant(name, design(rack_kw=limit + 1.0))


def test_frontier_water_warms_13_k():
    """21 MW into 379 kg/s of water (Frontier): a rise of 13.3 K."""
    made = plant(
        "immersion",
        design(racks=74, servers=9408, rack_kw=21e3 / 74, drybulb_c=20.0),
        rack_limit_kw=400.0,
        facility_water__rise_k=13.3,
        cooler__approach_k=12.0,
    )
    state = steady(made, 21e6, 15.0, 10.0)
    kg_per_s = made.facility_water.flow_w_per_k / 4186.0
    assert kg_per_s == pytest.approx(379.0, rel=0.05)
    assert state.return_c - state.supply_c == pytest.approx(13.3, abs=0.7)


def test_a_rack_whose_loop_has_flow_but_no_rejection_warms_as_its_water_allows():
    """120 kW into 60 L of coolant is 0.5 K/s when the facility water stands."""
    made = units_of()
    given_w, stored_j = made.exchange(120e3, 36.0, 10.0, water_flows=False)

    assert given_w == 0.0
    assert stored_j == pytest.approx(1.2e6)
    assert (made.coolant_c - 40.0) / 10.0 == pytest.approx(0.5, rel=0.05)


def test_coolant_that_stands_warms_at_the_cold_plates_and_mixes_when_it_moves_again():
    """Five times as fast: 15 K, the way to a stop, take 6 s at 120 kW."""
    made = units_of()
    made.set_available(0.0)
    given_w, stored_j = made.exchange(120e3, 36.0, 6.0)
    assert (given_w, stored_j) == (0.0, pytest.approx(7.2e5))
    assert made.coolant_c == pytest.approx(40.0 + 14.4, abs=0.2)

    made.set_available(1.0)
    assert made.coolant_c == pytest.approx(40.0 + 14.4 / 5.0, abs=0.05)
    assert made.heat_j_per_k * (made.coolant_c - 40.0) == pytest.approx(7.2e5)


@pytest.mark.parametrize("unit", ["cdu", "pump"])
@pytest.mark.parametrize("name", [*LIQUID, "direct_liquid_cabinet"])
def test_heat_that_stays_in_standing_coolant_is_unmet(name, unit):
    """All of the liquid's share, with distribution units or facility pumps stopped."""
    made = plant(name)
    heat_w = 0.8 * design().heat_w
    steady(made, heat_w, 25.0, 18.0)
    made.set_available(unit, 0.0)
    for _ in range(10):
        state = made.step(heat_w, 25.0, 18.0, 60.0)
        assert residual(state, heat_w, 60.0) <= 1e-9
    assert state.unmet_w == pytest.approx(made.capture_fraction * heat_w, rel=0.03)
    made.set_available(unit, 1.0)
    state = made.step(heat_w, 25.0, 18.0, 60.0)
    assert residual(state, heat_w, 60.0) <= 1e-9
    assert steady(made, heat_w, 25.0, 18.0).unmet_w == 0.0


def test_more_coolant_at_the_cold_plates_than_there_is_is_refused():
    with pytest.raises(
        ConfigError, match=r"still_l_per_rack=80\.0: must be <= volume_l_per_rack=60"
    ):
        plant("direct_liquid_dry", distribution__still_l_per_rack=80.0)


def test_coolant_settles_at_the_approach_and_loses_no_heat():
    made = units_of()
    given_w, stored_j = made.exchange(60e3, 36.0, 20.0)
    assert given_w * 20.0 + stored_j == pytest.approx(60e3 * 20.0, rel=1e-12)
    made.exchange(60e3, 36.0, 3600.0)
    assert made.coolant_c == pytest.approx(36.0 + 60.0 / 120.0 / 1.012 * 4.0)


@each_liquid
def test_loss_of_the_heat_rejection_warms_the_coolant_and_the_reported_inlet(name):
    made = plant(name, DENSE)
    before = steady(made, DENSE.heat_w, 25.0, 18.0)
    made.set_available("tower" if "tower" in made.installed() else "dry_cooler", 0.0)
    for _ in range(10):
        state = made.step(DENSE.heat_w, 25.0, 18.0, 60.0)
        assert residual(state, DENSE.heat_w, 60.0) <= 1e-9

    assert state.supply_c > before.supply_c + 5.0
    assert state.inlet_c - before.inlet_c == pytest.approx(
        state.supply_c - made.coolant_c, abs=1e-6
    )
    assert state.unmet_w > 0.0


def test_hotter_than_design_the_coolant_floats_up_and_a_trim_chiller_holds_it():
    keys = {"coolant_c": 34.0, "trim_fraction": 0.9}
    bare = steady(plant("immersion", DENSE, **keys), DENSE.heat_w, 33.0, 22.0)
    trimmed = steady(plant("immersion", DENSE, trim=TRIM, **keys), DENSE.heat_w, 33.0, 22.0)

    assert bare.supply_c > 38.0
    assert bare.parts_w["trim_chiller"] == 0.0
    assert trimmed.supply_c == pytest.approx(34.0, abs=1e-6)
    assert trimmed.parts_w["trim_chiller"] > 0.0
    assert trimmed.free_fraction == 0.0
    assert residual(trimmed, DENSE.heat_w, 300.0) <= 1e-9


@pytest.mark.parametrize("name", ["direct_liquid_dry", "direct_liquid_tower"])
def test_coolant_flows_through_cold_plates_whatever_they_take(name):
    """No valves in them: 12 W of pumps for each kW of design heat, full or half full."""
    made = plant(name, DENSE)
    for load in (1.0, 0.5, 0.1):
        state = steady(made, load * DENSE.heat_w, 25.0, 18.0)
        assert state.parts_w["cdu_pump"] == pytest.approx(0.012 * 0.8 * DENSE.heat_w)


def test_dry_plants_use_no_water():
    assert steady(plant("immersion", DENSE), DENSE.heat_w, 30.0, 20.0).water_kg_per_s == 0.0


def test_reused_heat_leaves_the_ledger_by_its_own_door_and_spares_the_fans():
    reuse = {"sink_c": 40.0, "approach_k": 3.0, "demand_kw": 500.0}
    plain = steady(plant("immersion", DENSE), DENSE.heat_w, 35.0, 20.0)
    state = steady(plant("immersion", DENSE, reuse=reuse), DENSE.heat_w, 35.0, 20.0)

    assert state.reused_heat_w == pytest.approx(500e3)
    assert state.parts_w["rejection_fan"] < plain.parts_w["rejection_fan"]
    assert residual(state, DENSE.heat_w, 300.0) <= 1e-9


@pytest.mark.parametrize("drybulb_c", [20.0, 35.0])
def test_coolers_see_the_water_as_cold_as_reuse_leaves_it(drybulb_c):
    """Their fans work for a smaller difference than without, not only for less heat."""
    reuse = {"sink_c": 40.0, "approach_k": 3.0, "demand_kw": 500.0}
    made = plant("immersion", DENSE, reuse=reuse)
    state = steady(made, DENSE.heat_w, drybulb_c, 15.0)
    water, cooler = made.facility_water, made.cooler
    dry_w = state.ambient_heat_w - state.parts_w["rejection_fan"]

    assert state.reused_heat_w == pytest.approx(500e3)
    warm_w = dry_w - state.parts_w["facility_pump"]  # the pump warms the water behind the coils
    assert water.return_c - water.water_c == pytest.approx(warm_w / water.flow_w_per_k)
    per_kelvin = cooler.exchange_w_per_k(water.flow_w_per_k, cooler._air)
    assert per_kelvin * (water.return_c - drybulb_c) == pytest.approx(dry_w, rel=1e-5)


def test_water_too_cool_for_the_taker_gives_no_heat():
    taker = HeatReuse(sink_c=60.0, approach_k=3.0, demand_kw=500.0)
    assert taker.taken_w(46.0, 1e5) == 0.0
    assert taker.taken_w(64.0, 1e5) == pytest.approx(1e5)


def test_no_heat_may_be_left_over():
    with pytest.raises(ConfigError, match=r"capture_fraction=0\.9: must be 1 without an 'air'"):
        plant("immersion", capture_fraction=0.9)
    with pytest.raises(ConfigError, match=r"capture_fraction=1\.0"):
        plant("direct_liquid_dry", capture_fraction=1.0)


def test_tripping_a_chiller_that_is_not_there_is_said_and_changes_nothing():
    made = plant("immersion", DENSE)
    made.set_available("chiller", 0.0)
    made.set_available("chiller", 1.0)
    assert made.warnings == ["there is no chiller in this plant: tripping it has no effect"]


def test_a_chiller_trip_reaches_the_air_plant_of_liquid_racks():
    made = plant("direct_liquid_dry", DENSE)
    before = steady(made, DENSE.heat_w, 25.0, 18.0)
    made.set_available("chiller", 0.0)
    for _ in range(20):
        state = made.step(DENSE.heat_w, 25.0, 18.0, 60.0)
    assert state.inlet_c > before.inlet_c + 3.0


def test_warm_water_plants_in_a_cool_dry_climate_cost_a_few_percent():
    """Liquid share alone, Golden CO (mean 10.7 / 4.9 degC): towers without chillers, 2-5 %."""
    made = plant("direct_liquid_tower", DENSE)
    state = steady(made, 0.7 * DENSE.heat_w, 10.7, 4.9)
    liquid_w = sum(w for name, w in state.parts_w.items() if not name.startswith("air_"))
    assert 0.02 < liquid_w / (0.8 * 0.7 * DENSE.heat_w) < 0.05


def tower_pump_w(made, heat_w):
    """Return the power of the tower pumps, from a settled step and the ledger of the loop."""
    steady(made, heat_w, 20.0, 14.0)
    rejection = made._rejection
    done = rejection.step(heat_w, made._water_set_c, (20.0, 14.0), 60.0)
    return done.pump_w


def test_tower_pumps_follow_the_heat_down_to_the_least_flow_of_a_cell():
    made = plant("direct_liquid_tower", DENSE)
    water = made.tower_water
    full_w = water.pump_w(3, 3.0)
    assert full_w == pytest.approx(3 * water.unit_pump_w)
    assert water.pump_w(3, 2.4) / full_w == pytest.approx(0.8**water.pump_exponent)
    assert water.flow(2.8, 3, 3) == 2.8
    assert water.flow(2.1, 3, 3) == 3 * water.min_flow  # wet fill
    assert water.flow(3.4, 3, 3) == 3.0  # no more than the pumps move
    assert water.flow(3.0, 2, 3) == 3.0  # two cells take the water of three pumps


def test_the_next_tower_pump_starts_before_the_running_ones_are_full_but_no_spare_one():
    water = plant("direct_liquid_tower", DENSE).tower_water
    assert [water.pumps(flow, 3, 5) for flow in (0.79, 0.81, 1.59, 1.61, 3.0)] == [1, 2, 2, 3, 3]
    assert water.pumps(3.1, 3, 5) == 4  # more than the design heat takes the spare
    assert water.pumps(1.61, 3, 2) == 2  # as many as the cells in service take


@given(st.floats(0.0, 12.0), st.integers(1, 8), st.integers(0, 10))
def test_tower_pumps_are_the_more_of_two_rules(flow, duty, served):
    water = plant("direct_liquid_tower", DENSE).tower_water
    early = running_units(flow, 1.0, water.stage_up_flow, min(duty, served))
    full = running_units(flow, 1.0, 1.0, served)
    assert water.pumps(flow, duty, served) == max(early, full)


def test_tower_pumps_of_constant_speed_are_those_of_least_flow_one():
    made = plant("direct_liquid_tower", DENSE)
    made.tower_water.min_flow = 1.0
    cell_w = made._rejection._cell_w
    assert tower_pump_w(made, 2.1 * cell_w) == pytest.approx(3 * made.tower_water.unit_pump_w)
    made.tower_water.min_flow = 0.75
    slower_w = tower_pump_w(made, 2.1 * cell_w)
    assert slower_w == pytest.approx(3 * made.tower_water.unit_pump_w * 0.75**2.5)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
def test_towers_hold_the_water_as_long_as_their_own_water_is_cold_enough(fraction):
    """The exchanger is 1.5 K, and water at 31.5 degC can be made at a wet bulb of 28 degC."""
    made = plant("direct_liquid_cabinet")
    state = steady(made, fraction * design().heat_w, 33.0, 28.0)
    assert made.facility_water.water_c == pytest.approx(33.0)
    assert made._rejection._supply_c == pytest.approx(31.5)
    assert state.free_fraction == 1.0


@pytest.mark.parametrize("wetbulb_c", [29.5, 31.0])
@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_water_too_warm_to_be_held_comes_to_rest_an_exchanger_above_the_tower(fraction, wetbulb_c):
    made = plant("direct_liquid_cabinet")
    heat_w = fraction * design().heat_w
    powers = {round(steady(made, heat_w, 34.0, wetbulb_c, hours=4).power_w, 3) for _ in range(4)}
    assert len(powers) == 1
    over_k = made.facility_water.water_c - made._rejection._supply_c - 1.5
    assert 0.0 <= over_k < 0.1


@pytest.mark.parametrize("beat_s", [60.0, 300.0])
@pytest.mark.parametrize("fraction", [0.9, 0.97, 1.0])
@pytest.mark.parametrize("name", ["direct_liquid_tower", "direct_liquid_cabinet"])
def test_tower_pumps_come_to_rest_on_the_hottest_day(name, fraction, beat_s):
    """At 28 degC wet bulb three pumps miss the set point; they swung between three and four."""
    made = plant(name)
    heat_w = fraction * design().heat_w
    steady(made, heat_w, 33.0, 28.0)
    seen = set()
    for _ in range(int(7200.0 / beat_s)):
        state = made.step(heat_w, 33.0, 28.0, beat_s)
        seen.add((round(state.parts_w["rejection_pump"]), round(state.supply_c, 2)))
    assert len(seen) == 1
    assert made.facility_water.water_c <= made._water_set_c + 0.5


def test_a_spare_tower_pump_starts_once_on_a_hot_day_and_stops_once():
    made = plant("direct_liquid_cabinet")
    heat_w = 0.95 * design().heat_w
    running = []
    for k in range(24 * 60):
        day = k / (24.0 * 60.0)
        wetbulb_c = 25.0 + 12.0 * min(day, 1.0 - day) * (1.0 + 0.05 * math.sin(40.0 * day))
        made.step(heat_w, 34.0, wetbulb_c, 60.0)
        running.append(max(3, made._rejection._pumps))  # three for the heat alone
    changes = sum(a != b for a, b in pairwise(running))
    assert (changes, max(running), running[-1]) == (2, 4, 3)


@pytest.mark.parametrize("wetbulb_c", [24.0, 28.0, 30.0])
def test_running_more_tower_pumps_never_warms_the_water(wetbulb_c):
    made = plant("direct_liquid_cabinet")
    steady(made, 0.8 * design().heat_w, 33.0, wetbulb_c)
    above_k = [
        made._rejection._rests_k(pumps, 0.8 * design().heat_w, wetbulb_c) for pumps in (2, 3, 4)
    ]
    assert above_k == sorted(above_k, reverse=True)


@pytest.mark.parametrize("name", [*LIQUID, "direct_liquid_cabinet"])
def test_pumps_that_stop_stop_cooling_at_once_at_any_heartbeat(name):
    """On towers the water that stood still gave its heat away for one more beat."""
    warmest_c = []
    for beat_s in (10.0, 60.0, 300.0):
        made = plant(name)
        steady(made, 0.8 * design().heat_w, 30.0, 22.0)
        made.set_available("pump", 0.0)
        for _ in range(int(900.0 / beat_s)):
            state = made.step(0.8 * design().heat_w, 30.0, 22.0, beat_s)
        warmest_c.append(state.inlet_c)
    assert warmest_c == pytest.approx([warmest_c[0]] * 3, abs=0.1)


@each_liquid
def test_a_plant_without_heat_runs_no_compressor_outdoors(name):
    made = plant(name)
    state = made.step(0.0, 20.0, 14.0, 60.0)
    alone = made.air is None
    assert state.free_fraction == (
        1.0 if alone else made.air.step(0.0, 20.0, 14.0, 60.0).free_fraction
    )
    assert state.parts_w["trim_chiller"] == 0.0


def test_facility_water_that_would_freeze_is_refused():
    with pytest.raises(ConfigError, match=r"cooling\.coolant_c=4\.0: must be > 4 degC, or the fac"):
        plant("immersion", coolant_c=4.0)


WARM_HOUR = (34.8, 26.6)


@pytest.mark.parametrize(
    ("name", "changes", "key"),
    [
        ("direct_liquid_dry", {"coolant_c": 25.0}, "cooler.approach_k"),
        ("direct_liquid_dry", {"coolant_c": 36.0, "trim": TRIM}, "trim"),
        ("immersion", {"coolant_c": 30.0}, "cooler.approach_k"),
        ("direct_liquid_tower", {"coolant_c": 20.0}, "exchanger_approach_k"),
        ("direct_liquid_cabinet", {"coolant_c": 20.0}, "exchanger_approach_k"),
    ],
)
def test_a_coolant_the_outdoors_cannot_make_is_said_before_the_start(name, changes, key):
    """With the temperature that the plant then comes to rest at."""
    made = plant(name, **changes)
    (said,) = made.warnings
    assert f"cooling.coolant_c={changes['coolant_c']:g}" in said
    assert key in said
    warned_c = float(said.split("no colder than ")[1].split()[0])
    steady(made, design().heat_w, *WARM_HOUR)
    assert made.distribution.coolant_c == pytest.approx(warned_c, abs=0.3)


def test_a_coolant_of_no_class_is_said_to_leave_chips_as_cool_as_before():
    assert plant("direct_liquid_dry", coolant_c=49.0).warnings == []
    (said,) = plant("direct_liquid_dry", coolant_c=60.0).warnings
    assert said.startswith("cooling.coolant_c=60: the facility water, 56 degC, is warmer than")
    assert "as cool as in air of 25 degC" in said


@pytest.mark.parametrize("name", [*LIQUID, "direct_liquid_cabinet"])
def test_nothing_is_said_of_a_coolant_that_can_be_made(name):
    assert plant(name).warnings == []
    assert plant(name, design(wetbulb_c=28.0)).warnings == []
    full = plant("direct_liquid_dry", coolant_c=36.0, trim=TRIM, trim_fraction=1.0)
    assert full.warnings == []
