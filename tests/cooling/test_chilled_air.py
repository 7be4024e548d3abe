from itertools import pairwise

import pytest

from tests.support.plants import design, plant, residual, steady
from twin.cooling.rejection import CondenserWater, HeatRejection
from twin.cooling.room import Room
from twin.errors import ConfigError


def test_inlet_is_supply_mixed_with_hot_return():
    state = steady(plant("chilled_air"), 1e6, 20.0, 14.0)
    assert state.inlet_c == pytest.approx(state.supply_c + 0.05 * (state.return_c - state.supply_c))


def test_power_per_heat_in_full_mechanical_mode_is_what_plants_draw():
    """0.19-0.27 kW per kW of heat at design, part by part."""
    heat_w = design().heat_w
    state = steady(plant("chilled_air"), heat_w, 34.8, 26.6)

    assert 0.19 <= state.power_w / heat_w <= 0.27
    bands = {"chiller": (0.13, 0.18), "tower_fan": (0.005, 0.0126), "crah_fan": (0.02, 0.05)}
    for part, (low, high) in bands.items():
        assert low <= state.parts_w[part] / heat_w <= high


def test_wetter_air_never_lowers_compressor_power():
    powers = []
    for wetbulb_c in range(-20, 30, 2):
        made = plant("chilled_air")
        made.chillers.fixed_units = made.chillers.duty_units
        powers.append(steady(made, 8e5, wetbulb_c + 5.0, wetbulb_c).parts_w["chiller"])

    assert all(b >= a * (1 - 1e-6) for a, b in pairwise(powers))


def test_loss_of_all_chillers_warms_loop_then_room_and_repair_brings_both_back():
    made = plant("chilled_air")
    heat_w = design().heat_w
    start = steady(made, heat_w, 30.0, 22.0)
    made.set_available("chiller", 0.0)
    seconds_to_32_c = 0
    while made.room.inlet_c < 32.0:
        state = made.step(heat_w, 30.0, 22.0, 10.0)
        assert state.parts_w["chiller"] == 0.0
        assert residual(state, heat_w, 10.0) <= 1e-9
        seconds_to_32_c += 10

    # 40 L of water per 13 kW rack buys a minute or two before the room follows it.
    assert 120 < seconds_to_32_c < 900
    assert state.unmet_w > 0.0
    assert made.chilled_water.water_c > made.chilled_water_c

    made.set_available("chiller", 1.0)
    made.step(heat_w, 30.0, 22.0, made.chillers.restart_s)
    assert made.room.inlet_c > 32.0
    end = steady(made, heat_w, 30.0, 22.0)
    assert end.inlet_c == pytest.approx(start.inlet_c, abs=0.01)
    assert made.chilled_water.water_c == made.chilled_water_c
    assert any("not extrapolated" in text for text in made.warnings)


def test_a_trip_reads_the_same_at_any_beat():
    def peak(dt_s):
        made = plant("chilled_air")
        steady(made, 1e6, 30.0, 22.0)
        made.set_available("chiller", 0.0)
        for _ in range(int(600 / dt_s)):
            state = made.step(1e6, 30.0, 22.0, dt_s)
        return state.inlet_max_c

    assert peak(10.0) == pytest.approx(peak(300.0), abs=0.2)


def test_the_spare_chiller_covers_one_that_trips():
    made = plant("chilled_air")
    heat_w = design().heat_w
    steady(made, heat_w, 34.8, 26.6)
    made.set_available("chiller", 1.0 - 1.0 / made.chillers.installed)
    state = steady(made, heat_w, 34.8, 26.6)

    assert state.unmet_w == 0.0
    assert state.supply_c == pytest.approx(18.0)


def test_a_plant_too_small_for_its_heat_runs_and_reports_unmet_heat():
    made = plant("chilled_air")
    state = steady(made, 2.0 * design().heat_w, 34.8, 26.6, hours=2)

    assert state.unmet_w > 0.0
    assert state.inlet_c > 40.0
    assert residual(state, 2.0 * design().heat_w, 300.0) <= 1e-9


@pytest.mark.parametrize(
    ("containment", "rack_kw", "ok"),
    [
        ("perimeter", 15.0, True),
        ("perimeter", 16.0, False),
        ("contained", 25.0, True),
        ("contained", 26.0, False),
        ("in_row", 30.0, True),
        ("in_row", 41.0, False),
    ],
)
def test_containment_decides_what_a_rack_may_draw(containment, rack_kw, ok):
    if ok:
        plant("chilled_air", design(rack_kw=rack_kw), containment=containment)
        return
    with pytest.raises(ConfigError, match=rf"{rack_kw:g} kW of servers.*{containment}.*rear_door"):
        plant("chilled_air", design(rack_kw=rack_kw), containment=containment)


def test_less_containment_means_warmer_inlets():
    inlets = [
        steady(plant("chilled_air", containment=c), 1e6, 20.0, 14.0).inlet_c
        for c in ("in_row", "contained", "perimeter")
    ]
    assert inlets == sorted(inlets)
    # CFD of an uncontained hall: 3.8-5.3 K above the coolers' set point.
    assert 3.8 <= inlets[2] - 18.0 <= 5.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supply_c": 7.0}, r"cooling\.supply_c=7\.0: must be above chilled_water_c=8"),
        ({"tower__approach_k": -2.0}, r"cooling\.tower\.approach_k=-2\.0"),
        ({"tower__cycles_of_concentration": 1.0}, r"cycles_of_concentration=1\.0: must be > 1"),
        ({"containment": "containd"}, "did you mean 'contained'"),
        ({"chillers__machine": "trane"}, "trane_cvhf"),
        ({"chilled_water__rise_k": 30.0}, "rise_k=30.*below the return air"),
        ({"supply_c": 9.0}, "supply_c=9.*what the coil reaches"),
        ({"chilled_water_c": 2.0}, r"chilled_water_c=2\.0: must be in 4\.44"),
    ],
)
def test_impossible_set_points_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        plant("chilled_air", **changes)


def _scaled(monkeypatch, cls, method, pick):
    """Let one number a method returns, chosen by *pick*, be 0.1 % too large."""
    original = getattr(cls, method)
    monkeypatch.setattr(cls, method, lambda self, *args: pick(original(self, *args)))


@pytest.mark.parametrize("flow", ["room_store", "coil", "tower", "basin"])
def test_the_ledger_sees_a_flow_that_is_a_thousandth_wrong(monkeypatch, flow):
    made = plant("chilled_air")
    steady(made, 6e5, 20.0, 14.0)
    made.step(8e5, 20.0, 14.0, 60.0)

    def bent(done, field):
        setattr(done, field, getattr(done, field) * 1.001)
        return done

    if flow == "room_store":
        _scaled(monkeypatch, Room, "solve", lambda got: (got[0], got[1], got[2] * 1.001))
    elif flow == "coil":
        _scaled(monkeypatch, Room, "solve", lambda got: (got[0] * 1.001, got[1], got[2]))
    elif flow == "tower":
        _scaled(monkeypatch, HeatRejection, "step", lambda got: bent(got, "ambient_w"))
    else:
        _scaled(monkeypatch, HeatRejection, "step", lambda got: bent(got, "stored_j"))

    assert residual(made.step(2e5, 22.0, 16.0, 60.0), 2e5, 60.0) > 1e-8


def test_condenser_water_volume_follows_its_minutes():
    water = CondenserWater(range_k=5.0, pump_head_kpa=250.0, pump_efficiency=0.7, basin_minutes=10)
    water.size(1e6, 2)
    assert water.heat_j_per_k == pytest.approx(2 * 2e5 * 600.0)


def test_a_tripped_pump_or_tower_stops_the_chillers_and_a_tripped_fan_the_air():
    for unit in ("chw_pump", "tower", "crah"):
        made = plant("chilled_air")
        steady(made, 1e6, 30.0, 22.0)
        made.set_available(unit, 0.0)
        for _ in range(10):
            state = made.step(1e6, 30.0, 22.0, 60.0)
        assert state.inlet_c > 30.0, unit
        assert state.unmet_w > 0.0, unit


@pytest.mark.parametrize(("fraction", "wetbulb_c"), [(0.65, 15.0), (0.6, 23.0)])
def test_a_chiller_near_its_threshold_does_not_come_and_go(fraction, wetbulb_c):
    """Two cells make colder water, and one chiller then would do: power swung by 16 %."""
    made = plant("chilled_air")
    heat_w = fraction * design().heat_w
    steady(made, heat_w, wetbulb_c + 6.0, wetbulb_c)
    powers_w = {round(made.step(heat_w, wetbulb_c + 6.0, wetbulb_c, 60.0).power_w) for _ in "12345"}
    assert len(powers_w) == 1
