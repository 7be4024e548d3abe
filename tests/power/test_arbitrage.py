"""Storage earns what a linear program earns, and a square wave of prices its closed form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics.steps import StepSeries
from twin.power.arbitrage import levels_j
from twin.power.bess import Bess

HOUR_S = 3600.0
KWH = 3.6e6


def bess(**keys):
    values = {
        "at": "utility",
        "power_fraction": 0.2,
        "hours": 2.0,
        "round_trip_efficiency": 0.81,
        "reserve_fraction": 0.0,
        "import_limit_fraction": None,
        "charge_below_price": None,
        "discharge_above_price": None,
        "ahead_hours": 24.0,
    }
    storage = Bess(**(values | keys))
    storage.size(1e6)  # 200 kW, 400 kWh
    return storage


def run(storage, prices, beat_s=600.0, site_w=9e5, later=()):
    """Return (saving, energy drawn [J], heat [J]) of a run through hourly *prices*."""
    series = StepSeries([*prices, *later], 0.0, HOUR_S)
    storage.know_prices(series)
    saving = drawn_j = heat_j = 0.0
    for k in range(round(len(prices) * HOUR_S / beat_s)):
        storage.look(k * beat_s)
        price = series.mean(k * beat_s, (k + 1) * beat_s)
        change_w, heat_w = storage.step(site_w, price, beat_s)
        saving -= change_w * beat_s * price / KWH
        drawn_j += change_w * beat_s
        heat_j += heat_w * beat_s
    return saving, drawn_j, heat_j


# ---- the plan --------------------------------------------------------------------------


def earned(prices, power_w, usable_j, one_way, start_j, left):
    """Return what following the levels earns, leftovers included."""
    stored, money = start_j, 0.0
    levels = levels_j(prices, power_w, usable_j, one_way, HOUR_S, left)
    for price, (fill, rest) in zip(prices, levels, strict=True):
        assert -1e-6 <= fill <= rest <= usable_j + 1e-6
        if stored < fill:
            gain = min(fill - stored, power_w * one_way * HOUR_S)
            money -= gain / one_way * price / KWH
            stored += gain
        elif stored > rest:
            loss = min(stored - rest, power_w / one_way * HOUR_S)
            money += loss * one_way * price / KWH
            stored -= loss
    return money + left * stored / KWH


@settings(max_examples=30)
@given(
    prices=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=14),
    hours=st.floats(0.3, 5.0),
    one_way=st.floats(0.7, 1.0),
    start=st.floats(0.0, 1.0),
    left=st.floats(0.0, 1.0),
)
def test_the_plan_earns_what_a_linear_program_earns(prices, hours, one_way, start, left):
    optimize = pytest.importorskip("scipy.optimize")
    n, power_kw = len(prices), 100.0
    usable = power_kw * hours
    p = np.array(prices)
    # Charging and giving at the meter in each hour [kWh]; energy left is start + sums of both.
    cost = np.concatenate([p - left * one_way, left / one_way - p])
    sums = np.tril(np.ones((n, n)))
    stored = np.hstack([one_way * sums, -sums / one_way])
    limits = np.concatenate([np.full(n, usable * (1 - start)), np.full(n, usable * start)])
    best = optimize.linprog(cost, np.vstack([stored, -stored]), limits, bounds=(0.0, power_kw))
    assert best.success
    money = earned(prices, 1e3 * power_kw, usable * KWH, one_way, start * usable * KWH, left)
    assert money == pytest.approx(-best.fun + left * start * usable, abs=1e-4)


def test_below_zero_it_fills_and_gives_nothing():
    levels = levels_j([-0.5, 0.1], 1e5, 1e5 * HOUR_S, 0.9, HOUR_S)
    assert levels[0] == (1e5 * HOUR_S, 1e5 * HOUR_S)


@pytest.mark.parametrize("wrong", ["power_w", "usable_j", "one_way", "step_s"])
def test_what_is_no_storage_is_refused(wrong):
    keys = {"power_w": 1.0, "usable_j": 1.0, "one_way": 1.0, "step_s": 1.0} | {wrong: 0.0}
    with pytest.raises(ParameterError, match=wrong):
        levels_j([1.0], **keys)


# ---- storage that follows it ---------------------------------------------------------------


@pytest.mark.parametrize("beat_s", [60.0, 600.0, 3600.0])
def test_a_square_wave_saves_its_closed_form(beat_s):
    """Full at the start; 5 dear halves of a day, 4 cheap ones between them to buy again."""
    low, high, days = 0.3, 1.1, 5
    prices = ([low] * 12 + [high] * 12) * days
    storage = bess()
    saving, drawn_j, heat_j = run(storage, prices, beat_s, later=[low] * 24)
    kwh, one_way = 400.0, 0.9
    closed = days * kwh * one_way * high - (days - 1) * kwh / one_way * low
    assert saving == pytest.approx(closed, rel=1e-9)
    assert storage.saved == pytest.approx(saving, rel=1e-9)
    # What was drawn is what became heat or is still stored: it began full and ends empty.
    assert drawn_j == pytest.approx(heat_j + storage.stored_j - kwh * KWH, rel=1e-9)
    assert storage.stored_j == pytest.approx(0.0, abs=1.0)
    assert heat_j / KWH == pytest.approx(days * kwh * 0.1 + (days - 1) * kwh * (1 / 0.9 - 1))


def test_a_spread_that_does_not_pay_for_the_losses_is_left_alone():
    low, high = 0.85, 1.0  # 0.85 / 0.81 > 1.0
    saving, _, heat_j = run(bess(), ([low] * 12 + [high] * 12) * 4)
    assert (saving, heat_j) == (0.0, 0.0)


def test_a_flat_price_moves_nothing():
    storage = bess()
    storage.know_prices(StepSeries.flat(0.7))
    storage.look(0.0)
    assert storage.step(9e5, 0.7, 60.0) == (0.0, 0.0)


def test_no_more_is_known_than_is_published():
    """Who knows of two very dear hours gives no more before them than it can buy back."""
    prices = [1.0, 0.3, 9.0, 9.0]
    near, far = bess(ahead_hours=2.0), bess(ahead_hours=4.0)
    for storage in (near, far):
        run(storage, prices[:1], later=prices[1:])
    one_hour_kwh = 200.0
    assert near.stored_j / KWH == pytest.approx(400.0 - one_hour_kwh / 0.9)
    assert far.stored_j / KWH == pytest.approx(400.0 - one_hour_kwh * 0.9)


def test_of_equal_hours_it_uses_the_first_without_a_pause():
    storage = bess(round_trip_efficiency=0.81, hours=3.0)
    storage.stored_j = 0.0
    series = StepSeries([0.2] * 8 + [1.0] * 8, 0.0, HOUR_S)
    storage.know_prices(series)
    works = []
    for k in range(16 * 6):
        storage.look(k * 600.0)
        change_w, _ = storage.step(9e5, series.at(k * 600.0), 600.0)
        works.append((change_w > 0.0) - (change_w < 0.0))
    turns = [k for k in range(1, len(works)) if works[k] != works[k - 1]]
    assert [works[0], *(works[k] for k in turns)] == [1, 0, -1, 0]
    assert turns[1] == 8 * 6


def test_it_still_shaves_peaks_and_never_exports():
    storage = bess(import_limit_fraction=0.5)
    storage.know_prices(StepSeries([0.1] * 24, 0.0, HOUR_S))
    storage.look(0.0)
    assert storage.step(6e5, 0.1, 60.0)[0] == pytest.approx(-1e5)
    storage.know_prices(StepSeries([1.0] + [0.1] * 23, 0.0, HOUR_S))
    storage.look(0.0)
    assert storage.step(5e4, 1.0, 60.0)[0] == pytest.approx(-5e4)


def test_a_surplus_is_taken_as_far_as_there_is_room():
    storage = bess()
    storage.know_prices(StepSeries([0.7, 0.1, 0.1, 0.1, 0.7], 0.0, HOUR_S))
    storage.look(0.0)
    assert storage.step(-5e4, 0.7, 60.0) == (0.0, 0.0)  # full
    storage.stored_j = 0.0
    taken_w, heat_w = storage.step(-5e4, 0.7, 60.0)
    assert taken_w == pytest.approx(5e4)
    assert heat_w == pytest.approx(5e3)
    assert storage.saved == 0.0, "a surplus costs nothing"


def test_thresholds_and_a_plan_exclude_each_other():
    with pytest.raises(ParameterError, match="ahead_hours"):
        bess(charge_below_price=0.3, discharge_above_price=0.9)
    assert math.isclose(bess().rated_w, 2e5)
