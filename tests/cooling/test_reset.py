"""Set points that move: never further than coils and limits allow, and never often."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.plants import NAMES, RESETS, design, plant, resetting, residual, resolve, steady
from tests.support.plants import settings as settings_of
from twin.config import parse
from twin.cooling.reset import Steps, kept_above_c, kept_below_c, water_below_supply_k
from twin.errors import ConfigError

HEAT_W = design().heat_w
every_reset = pytest.mark.parametrize(("name", "where", "by"), RESETS)
few = settings(max_examples=12, suppress_health_check=list(HealthCheck))
COMPRESSORS = {"chiller", "air_chiller", "trim"}

steps = st.builds(
    Steps,
    least_c=st.floats(5.0, 20.0),
    most_c=st.floats(20.0, 30.0),
    step_k=st.floats(0.1, 3.0),
    spare_k=st.floats(0.0, 2.0),
)


# ---- how far and how often ----


@given(steps, st.floats(5.0, 30.0), st.floats(-20.0, 60.0))
def test_a_set_point_stays_within_bounds_and_comes_to_rest_where_the_limit_lets_it(
    where, at_c, limit_c
):
    for kept, sign in ((kept_below_c, 1.0), (kept_above_c, -1.0)):
        now_c = min(max(at_c, where.least_c), where.most_c)
        moved_c = kept(now_c, limit_c, where)
        assert where.least_c <= moved_c <= where.most_c
        assert kept(moved_c, limit_c, where) == moved_c
        if moved_c not in (now_c, where.least_c, where.most_c):
            count = (moved_c - where.least_c) / where.step_k
            assert count == pytest.approx(round(count), abs=1e-6)
            if where.least_c <= limit_c - sign * where.spare_k <= where.most_c:
                assert sign * (limit_c - moved_c) >= where.spare_k - 1e-6


@given(st.floats(0.0, 20.0), st.floats(0.0, 2.0), st.floats(0.1, 1.0))
def test_water_that_far_below_the_supply_is_just_cold_enough(rise_k, fan_k, effectiveness):
    supply_c = 20.0
    water_c = supply_c - water_below_supply_k(rise_k, fan_k, effectiveness)
    return_c = supply_c + rise_k
    assert return_c - effectiveness * (return_c - water_c) + fan_k == pytest.approx(supply_c)


def day(made, dt_s=300.0, days=2, noise_k=0.0, mean_c=16.0):
    """Let *made* live through days of moving load and weather, and yield its states."""
    for k in range(int(days * 86400 / dt_s)):
        at = (k + 0.5) * dt_s / 86400.0
        drybulb_c = mean_c + 6.0 * math.sin(2.0 * math.pi * (at - 0.375))
        drybulb_c += noise_k * math.sin(977.0 * k)
        heat_w = HEAT_W * (0.6 + 0.2 * math.sin(2.0 * math.pi * 3.1 * at))
        state = made.step(heat_w, drybulb_c, drybulb_c - 3.0, dt_s)
        assert residual(state, heat_w, dt_s) <= 1e-9
        yield state


@every_reset
@pytest.mark.parametrize("noise_k", [0.0, 3.0])
def test_set_points_move_seldom_whatever_the_weather_does(name, where, by, noise_k):
    made, mover = resetting(name, where, by)
    days, looks = 2, 24 * 60 / mover.reset.every_minutes
    for _ in day(made, days=days, noise_k=noise_k, mean_c=19.0):
        pass
    assert 1 <= mover.reset.moves <= days * (12 if noise_k == 0.0 else looks)


@every_reset
def test_supply_air_stays_below_its_limit_and_where_the_coils_are_asked_to_hold_it(name, where, by):
    made, mover = resetting(name, where, by)
    limit_c = mover.supply_c if by == "load" else mover.reset.supply_max_c
    water_c = getattr(mover.reset, "chilled_water_max_c", math.inf)
    for state in day(made):
        if not where.startswith("air__"):
            assert state.supply_c <= limit_c + 0.05
        assert mover._supply_set_c <= limit_c
        assert getattr(mover, "_water_set_c", 0.0) <= water_c


@every_reset
@few
@given(
    fraction=st.floats(0.1, 1.0),
    wetbulb_c=st.floats(-20.0, 26.5),
    depression_k=st.floats(0.0, 12.0),
)
def test_compressors_never_draw_more_than_with_set_points_that_stand_still(
    name, where, by, fraction, wetbulb_c, depression_k
):
    """In steady state, with as many units running; fans and pumps are another matter."""
    powers = []
    for moves in (None, by):
        made, mover = resetting(name, where, moves)
        mover.chillers.fixed_units = mover.chillers.duty_units
        state = steady(made, fraction * HEAT_W, wetbulb_c + depression_k, wetbulb_c)
        assert state.unmet_w == 0.0
        powers.append(sum(w for part, w in state.parts_w.items() if part in COMPRESSORS))
    still_w, moving_w = powers
    assert moving_w <= still_w * (1.0 + 1e-6) + 1e-3


# ---- what they follow ----


def test_water_is_warmer_the_less_the_coils_have_to_do():
    water_c = []
    for fraction in (1.0, 0.7, 0.4, 0.1):
        made, _ = resetting("rear_door", "reset", "load", reset__chilled_water_max_c=32.0)
        state = steady(made, fraction * HEAT_W, 20.0, 14.0)
        assert state.supply_c == pytest.approx(24.0)
        water_c.append(made.chilled_water.water_c)
    assert water_c == sorted(water_c)
    assert water_c[0] >= 16.0 + 2.0
    assert water_c[-1] >= water_c[0] + 2.0


def test_more_load_cools_the_water_again_before_the_next_look_is_due():
    made, _ = resetting("rear_door", "reset", "load", reset__chilled_water_max_c=32.0)
    steady(made, 0.05 * HEAT_W, 20.0, 14.0)
    warm_c = made.chilled_water.water_c
    for _ in range(10):
        state = made.step(HEAT_W, 20.0, 14.0, 60.0)
    assert made.chilled_water.water_c < warm_c - 1.0
    assert state.supply_c == pytest.approx(24.0)


def test_by_the_outdoors_air_and_water_warm_only_where_that_spares_the_chillers():
    made, _ = resetting("waterside_economizer", "reset", "outdoor")
    seen = []
    for wetbulb_c in (-5.0, 4.0, 8.0, 11.0, 14.0, 26.0):
        state = steady(made, 0.7 * HEAT_W, wetbulb_c + 4.0, wetbulb_c)
        seen.append((made._water_set_c, state.supply_c, state.free_fraction))
    assert seen == sorted(seen, key=lambda each: each[:2])
    assert seen[0] == (16.0, pytest.approx(23.0), 1.0)
    assert seen[-1][1] == pytest.approx(26.0, abs=0.5)
    still = plant("waterside_economizer")
    free = [steady(still, 0.7 * HEAT_W, w + 4.0, w).free_fraction for w in (8.0, 11.0)]
    assert sum(each[2] for each in seen[2:4]) > sum(free)


@pytest.mark.parametrize("name", ["airside_economizer", "indirect_evaporative"])
def test_supply_air_warms_in_place_of_the_trim(name):
    made, _ = resetting(name, "reset", "outdoor")
    for wetbulb_c in (5.0, 10.0, 15.0, 18.0, 20.0, 22.0):
        state = steady(made, 0.8 * HEAT_W, wetbulb_c + 10.0, wetbulb_c)
        spared = state.parts_w["trim"] == 0.0
        assert spared or state.supply_c == pytest.approx(26.0)


def test_a_pump_that_is_lost_takes_the_warmth_back():
    made, _ = resetting("rear_door", "reset", "load")
    steady(made, HEAT_W, 20.0, 14.0)
    warm_c = made.chilled_water.water_c
    made.set_available("chw_pump", 0.6)
    state = steady(made, HEAT_W, 20.0, 14.0)
    assert made.chilled_water.water_c < warm_c
    assert state.supply_c == pytest.approx(24.0)


@pytest.mark.parametrize("mean_c", [7.0, 16.0, 22.0])
@pytest.mark.parametrize(("name", "where", "by"), [*[(name, "", None) for name in NAMES], *RESETS])
def test_neither_energy_nor_moves_depend_on_the_beat(name, where, by, mean_c):
    seen = []
    for dt_s in (60.0, 300.0):
        made = plant(name) if by is None else resetting(name, where, by)[0]
        states = list(day(made, dt_s=dt_s, days=1.5, mean_c=mean_c))
        energy_j = sum(state.power_w * dt_s for state in states)
        water_kg = sum(state.water_kg_per_s * dt_s for state in states)
        seen.append((energy_j, water_kg, made.set_point_moves()))
    (short_j, short_kg, short_moves), (long_j, long_kg, long_moves) = seen
    assert long_j == pytest.approx(short_j, rel=2e-3)
    assert long_kg == pytest.approx(short_kg, rel=5e-3, abs=50.0)
    assert long_moves == short_moves


def test_set_points_follow_means_and_move_at_set_times_only():
    made, mover = resetting("airside_economizer", "reset", "outdoor")
    mover.reset.every_s = 1000.0
    moved_s, at_s = [], 0.0
    for beat_s in (70.0, 300.0, 7.0, 900.0, 300.0, 300.0, 300.0, 2000.0):
        before = made.set_point_moves()
        wetbulb_c = 24.0 if at_s < 1000.0 else 15.0
        made.step(0.8 * HEAT_W, wetbulb_c + 8.0, wetbulb_c, beat_s)
        at_s += beat_s
        if made.set_point_moves() != before:
            moved_s.append(at_s)
    assert moved_s == [1277.0, 2177.0]  # the first beats to end after 1000 s and 2000 s


def test_load_that_falls_while_a_valve_is_open_moves_nothing():
    made, mover = resetting("waterside_economizer", "reset", "load")
    steady(made, 0.4 * HEAT_W, 20.0, 14.0)
    made.set_available("chiller", 0.0)
    made.set_available("tower", 0.0)
    while made.step(HEAT_W, 20.0, 14.0, 5.0).supply_c < made.supply_c + 0.5:
        pass
    moves, water_c = mover.reset.moves, made._water_set_c
    made.step(0.1 * HEAT_W, 20.0, 14.0, 5.0)
    assert (mover.reset.moves, made._water_set_c) == (moves, water_c)


@pytest.mark.parametrize("name", sorted({name for name, where, _ in RESETS if where == "reset"}))
def test_a_plant_whose_keys_do_not_speak_of_a_reset_stands_still(name):
    keys = settings_of(name)
    del keys["reset"]
    made = parse(resolve("cooling", keys["kind"], "cooling.kind"), keys, "cooling", resolve)
    made.size(design())
    assert steady(made, 0.5 * HEAT_W, 20.0, 14.0) == steady(plant(name), 0.5 * HEAT_W, 20.0, 14.0)
    assert made.set_point_moves() is None


# ---- trips ----


@every_reset
def test_a_trip_is_ridden_through_and_left_behind(name, where, by):
    made, mover = resetting(name, where, by)
    before = steady(made, 0.9 * HEAT_W, 33.0, 25.0)
    made.set_available("chiller", 0.0)
    rising = [made.step(0.9 * HEAT_W, 33.0, 25.0, 10.0).inlet_max_c for _ in range(60)]
    assert all(later >= sooner - 1e-6 for sooner, later in pairwise(rising))
    assert rising[-1] > before.inlet_c + 0.5
    made.set_available("chiller", 1.0)
    after = steady(made, 0.9 * HEAT_W, 33.0, 25.0, hours=8)
    assert after.inlet_c == pytest.approx(before.inlet_c, abs=mover.reset.step_k + 0.05)


def test_warmer_air_leaves_less_time_after_a_trip():
    def seconds_to_32_c(by):
        made, _ = resetting("waterside_economizer", "reset", by)
        steady(made, HEAT_W, 33.0, 25.0)
        made.set_available("chiller", 0.0)
        made.set_available("tower", 0.0)
        return sum(made.step(HEAT_W, 33.0, 25.0, 5.0).inlet_c < 32.0 for _ in range(200))

    assert 60 / 5 < seconds_to_32_c("outdoor") < seconds_to_32_c(None)


@every_reset
def test_set_points_stand_still_while_a_feed_is_sized(name, where, by):
    powers = []
    for moves in (None, by):
        made, mover = resetting(name, where, moves)
        made.size(replace(design(), holds_set_points=True))
        for heat, dt_s in ((1.0, 60.0), (2.0, 3600.0), (0.5, 3600.0)):
            powers.append(made.step(heat * HEAT_W, 34.8, 26.6, dt_s).power_w)
        assert mover.reset.moves == 0
    assert powers[:3] == powers[3:]


# ---- refused ----


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("chilled_air", {"by": "lod"}, r"cooling\.reset\.by='lod': did you mean 'load'"),
        ("chilled_air", {"by": "lod"}, r"Allowed: load, outdoor or null$"),
        (
            "chilled_air",
            {"by": "load", "step_k": 3.0},
            r"cooling\.reset\.step_k=3\.0: must be <= 2 K, from chilled_water_c to",
        ),
        ("chilled_air", {"by": "outdoor"}, r"cooling\.reset\.by=outdoor: must be load or null"),
        (
            "chilled_air",
            {"by": "load", "chilled_water_max_c": 7.0},
            r"cooling\.reset\.chilled_water_max_c=7\.0: must be in chilled_water_c=8\.\.10",
        ),
        (
            "chilled_air",
            {"by": "load", "chilled_water_max_c": 12.0},
            r"reset\.chilled_water_max_c=12\.0.*8\.\.10 degC, to where chiller carrier_19xr",
        ),
        (
            "waterside_economizer",
            {"by": "outdoor", "supply_max_c": 22.0},
            r"cooling\.reset\.supply_max_c=22\.0: must be >= supply_c=23",
        ),
        (
            "indirect_evaporative",
            {"by": "outdoor", "supply_max_c": 20.0},
            r"cooling\.reset\.supply_max_c=20\.0: must be >= supply_c=24",
        ),
        (
            "direct_liquid_dry",
            None,
            r"cooling\.reset=.*did you mean 'cooling\.air\.reset'\? Allowed: air, ",
        ),
        ("rear_door", {"step_k": 0.0}, r"cooling\.reset\.step_k=0\.0: must be >= 0\.1"),
        ("rear_door", {"every_minutes": 0}, r"cooling\.reset\.every_minutes=0: must be >= 1"),
    ],
)
def test_an_impossible_reset_is_refused_by_its_key(name, changes, message):
    reset = {f"reset__{key}": value for key, value in (changes or {}).items()}
    with pytest.raises(ConfigError, match=message):
        plant(name, **(reset or {"reset": {"by": "load"}}))


def test_limits_that_are_not_used_are_not_looked_at():
    made = plant("waterside_economizer", supply_c=27.0, chilled_water_c=21.5)
    assert steady(made, 0.5 * HEAT_W, 20.0, 14.0).supply_c == pytest.approx(27.0)
