import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.cooling.chiller import full_load_w, part_load_power
from twin.cooling.chillers import Chillers, running_units
from twin.cooling.machines import MACHINES
from twin.errors import ParameterError

VARIABLE_SPEED = ["carrier_19xr", "trane_cvhf", "york_yk"]


def chillers(machine="carrier_19xr", **changes):
    keys = {
        "spares": 1,
        "margin": 1.1,
        "stage_up_plr": 0.9,
        "stage_down_plr": 0.85,
        "restart_s": 300.0,
    } | changes
    return Chillers(machine=machine, **keys)


@pytest.mark.parametrize(
    ("machine", "chilled_c", "condenser_c", "cops"),
    [
        ("carrier_19xr", 7, 29.4, (6.03, 6.10, 5.94, 5.02)),
        ("carrier_19xr", 7, 18, (7.71, 7.81, 7.60, 6.42)),
        ("carrier_19xr", 10, 24, (7.93, 8.03, 7.81, 6.60)),
        ("trane_cvhf", 7, 29.4, (6.68, 7.11, 7.32, 6.56)),
        ("trane_cvhf", 7, 18, (10.54, 11.21, 11.54, 10.36)),
        ("york_yk", 7, 24, (7.17, 8.50, 10.01, 10.18)),
        ("york_yk_vanes", 7, 24, (7.50, 7.98, 7.85, 5.90)),
    ],
)
def test_raw_curves_give_the_reference_cops(machine, chilled_c, condenser_c, cops):
    curves = MACHINES[machine]
    capacity_w, power_w = full_load_w(curves, chilled_c, condenser_c)

    for part_load, cop in zip((1.0, 0.75, 0.5, 0.25), cops, strict=True):
        got = part_load * capacity_w / (power_w * part_load_power(curves, part_load))
        assert got == pytest.approx(cop, rel=0.005)


@pytest.mark.parametrize("machine", VARIABLE_SPEED)
@given(st.data())
def test_hotter_condenser_water_never_lowers_compressor_power(machine, data):
    curves = MACHINES[machine]
    chilled_c = data.draw(st.floats(*curves.chilled_range_c))
    cool_c, warm_c = sorted(data.draw(st.tuples(*[st.floats(*curves.condenser_range_c)] * 2)))
    bank = chillers(machine)
    bank.size(2e6, chilled_c, warm_c)
    capacity_w = min(bank.unit_w(chilled_c, t)[0] for t in (cool_c, warm_c))
    load_w = data.draw(st.floats(0.01, 1.0)) * capacity_w

    cool_w = bank.power_w(load_w, 1, chilled_c, cool_c)
    assert bank.power_w(load_w, 1, chilled_c, warm_c) >= cool_w * (1 - 1e-9)


@given(st.sampled_from(sorted(MACHINES)), st.floats(0, 1), st.floats(0, 1))
def test_more_load_never_lowers_compressor_power(machine, one, other):
    curves = MACHINES[machine]
    low, high = sorted((one, other))
    assert part_load_power(curves, low) <= part_load_power(curves, high)


def test_below_least_load_a_machine_cycles_in_proportion():
    curves = MACHINES["carrier_19xr"]
    assert part_load_power(curves, 0.05) == pytest.approx(part_load_power(curves, 0.2) / 4)


@pytest.mark.parametrize(("chilled_c", "condenser_c"), [(3.0, 25.0), (7.0, 40.0)])
def test_the_equation_refuses_water_it_was_not_measured_at(chilled_c, condenser_c):
    with pytest.raises(ParameterError, match="must be in"):
        full_load_w(MACHINES["carrier_19xr"], chilled_c, condenser_c)


def test_a_bank_holds_the_bound_and_says_so_once():
    bank = chillers()
    bank.size(2e6, 8.0, 29.0)

    assert bank.unit_w(8.0, 45.0) == bank.unit_w(8.0, 32.22)
    bank.unit_w(8.0, 50.0)
    assert len(bank.warnings) == 1
    assert "not extrapolated" in bank.warnings[0]


def test_the_vane_machine_says_when_its_curve_is_doubtful():
    bank = chillers("york_yk_vanes")
    bank.size(4e6, 8.0, 24.0)
    bank.power_w(0.3 * bank.unit_w(8.0, 24.0)[0], 1, 8.0, 24.0)

    assert "below 0.5" in bank.warnings[0]


def test_units_are_scaled_to_the_plant():
    bank = chillers(margin=1.2)
    bank.size(5e6, 7.0, 29.4)

    assert bank.duty_units * bank.unit_w(7.0, 29.4)[0] == pytest.approx(6e6)
    assert bank.installed == bank.duty_units + 1
    assert 0.5 < bank.scale <= 1.0


@pytest.mark.parametrize(("load", "units"), [(0, 0), (0.1, 1), (0.9, 1), (0.91, 2), (9.0, 3)])
def test_units_start_when_the_running_ones_are_full(load, units):
    assert running_units(load, 1.0, 0.9, 3) == units


def test_units_stop_when_the_rest_have_room_to_spare():
    bank = chillers(stage_up_plr=0.9, stage_down_plr=0.8, margin=1.0)
    bank.size(6e6, 7.0, 29.4)
    unit_w, _ = bank.unit_w(7.0, 29.4)
    loads = (0.5, 0.95, 0.85, 0.81, 0.79, 2.8, 1.7, 1.65, 1.5, 0.0)
    assert [bank.staged(load * unit_w, unit_w) for load in loads] == [1, 2, 2, 2, 1, 4, 3, 3, 2, 0]
    bank.set_available(0.25)
    assert bank.staged(3.0 * unit_w, unit_w) == bank.ready


def test_thresholds_of_staging_that_leave_no_gap_are_refused():
    with pytest.raises(ParameterError, match=r"stage_down_plr=0\.9: must be < stage_up_plr=0\.9"):
        chillers(stage_up_plr=0.9, stage_down_plr=0.9)


def test_a_repaired_unit_comes_back_after_its_restart_time():
    bank = chillers(restart_s=300.0)
    bank.size(5e6, 7.0, 29.4)
    bank.set_available(0.0)
    assert bank.ready == 0

    bank.set_available(1.0)
    bank.pass_time(299.0)
    assert bank.ready == 0
    bank.pass_time(bank.until_restart_s(60.0))
    assert bank.ready == bank.installed


def test_unknown_machine_is_refused_with_the_nearest_name():
    with pytest.raises(ParameterError, match="did you mean 'carrier_19xr'"):
        chillers("carrier_19x")


def test_water_too_warm_for_the_machine_is_refused_at_sizing():
    with pytest.raises(ParameterError, match=r"chilled_water_c=12\.0: must be in 4\.44\.\.10"):
        chillers().size(1e6, 12.0, 29.0)


def test_against_air_a_warm_water_machine_does_as_such_machines_do():
    """4.5-6 at 20 degC water and 35 degC air, condenser fans included."""
    capacity_w, power_w = full_load_w(MACHINES["warm_water_dry"], 20.0, 35.0)
    assert 4.5 <= capacity_w / power_w <= 6.0


WATER_C = st.sampled_from([4.0, 7.0, 8.0, 9.5, 12.0])
CONDENSER_C = st.sampled_from([10.0, 18.0, 24.0, 29.4, 35.0])


@given(st.lists(st.tuples(WATER_C, CONDENSER_C), min_size=1, max_size=12), st.booleans())
def test_a_bank_that_was_asked_before_answers_like_a_new_one(asked, again):
    """What it keeps of earlier answers never shows, nor after it was sized anew."""
    bank = chillers()
    bank.size(1e6, 7.0, 29.4)
    for chilled_c, condenser_c in asked:
        new = chillers()
        new.size(1e6, 7.0, 29.4)
        assert bank.unit_w(chilled_c, condenser_c) == new.unit_w(chilled_c, condenser_c)
        if again:
            bank.size(2e6, 8.0, 24.0)
            new.size(2e6, 8.0, 24.0)
            assert bank.unit_w(chilled_c, condenser_c) == new.unit_w(chilled_c, condenser_c)
            bank.size(1e6, 7.0, 29.4)
