"""The utility's register of demand, against months and quarter hours counted by hand."""

import doctest
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.site import demand
from twin.site.demand import DemandMeter

QUARTER_S = 900.0
DAY_S = 86400.0


def metered(start, steps, price=10.0):
    """Return the bill of a meter that sees *steps*, pairs of (seconds, watts)."""
    meter, at_s = DemandMeter(start, price), 0.0
    for length_s, power_w in steps:
        meter.add([at_s], [length_s], [power_w])
        at_s += length_s
    return meter.bill(at_s)


def test_documented_examples_hold():
    assert doctest.testmod(demand).failed == 0


def test_the_highest_quarter_hour_counts_and_not_the_highest_moment():
    """A minute at 10 MW in a quarter hour at 1 MW: 1.6 MW."""
    steps = [(1800, 1e6), (60, 10e6), (840, 1e6), (DAY_S - 2700, 1e6)]
    (bill,) = metered(datetime(2023, 7, 3), steps)
    assert bill.peak_kw == pytest.approx(1600, rel=1e-12)
    assert (bill.month, bill.part) == ("2023-07", pytest.approx(1 / 31))
    assert bill.cost == pytest.approx(10 * 1600 / 31)


def test_a_peak_across_two_quarter_hours_is_shared_by_them():
    """Ten minutes at 3 MW from 23:55 to 00:05 of the last night of a month, then of none."""
    steps = [(DAY_S - 300, 0.0), (600, 3e6), (DAY_S - 300, 0.0)]
    july, august = metered(datetime(2023, 7, 31), steps)
    assert (july.month, august.month) == ("2023-07", "2023-08")
    assert july.peak_kw == august.peak_kw == pytest.approx(1000, rel=1e-12)


@pytest.mark.parametrize(
    ("start", "days", "parts"),
    [
        (datetime(2024, 2, 28), 3, {"2024-02": 2 / 29, "2024-03": 1 / 31}),
        (datetime(2023, 2, 28), 3, {"2023-02": 1 / 28, "2023-03": 2 / 31}),
        (datetime(2023, 12, 31, 12), 1, {"2023-12": 0.5 / 31, "2024-01": 0.5 / 31}),
        (datetime(2024, 2, 1), 29, {"2024-02": 1.0}),
        (datetime(2100, 2, 1), 28, {"2100-02": 1.0}),
    ],
)
def test_a_month_costs_the_part_of_its_charge_that_the_run_covers(start, days, parts):
    bill = metered(start, [(3600.0, 2e6)] * (24 * days))
    assert {month.month: month.part for month in bill} == pytest.approx(parts)
    assert [month.cost for month in bill] == pytest.approx([20e3 * p for p in parts.values()])


def test_a_year_of_a_constant_load_costs_twelve_charges():
    bill = metered(datetime(2024, 1, 1), [(DAY_S, 5e5)] * 366)
    assert len(bill) == 12
    assert sum(month.cost for month in bill) == pytest.approx(12 * 10 * 500, rel=1e-12)


def test_quarter_hours_are_those_of_the_clock_wherever_a_run_begins():
    """From 00:10: five minutes at 3 MW fall into the first quarter hour alone."""
    steps = [(300, 3e6), (900, 0.9e6), (600, 0.0)]
    (bill,) = metered(datetime(2023, 7, 3, 0, 10), steps)
    assert bill.peak_kw == pytest.approx(1000, rel=1e-12)


def test_a_quarter_hour_that_the_run_leaves_counts_with_what_was_drawn_in_it():
    (bill,) = metered(datetime(2023, 7, 3), [(450, 2e6)])
    assert bill.peak_kw == pytest.approx(1000, rel=1e-12)


def test_a_month_without_power_costs_nothing():
    bill = metered(datetime(2023, 7, 31, 23), [(3600, 1e6), (3600, 0.0)])
    assert [month.cost > 0 for month in bill] == [True, False]


seconds = st.lists(st.integers(1, 5000), min_size=1, max_size=40)


@given(seconds, st.randoms(use_true_random=False), st.integers(0, 3599), st.data())
def test_the_bill_is_that_of_quarter_hours_summed_second_by_second(lengths, dice, lag_s, data):
    """However the same power is cut into beats."""
    power_w = np.repeat([dice.uniform(0.0, 1e7) for _ in lengths], lengths)
    hour, minute, second = 23, lag_s // 60, lag_s % 60
    start = datetime(2024, 2, 29, hour, minute, second)
    padded = np.concatenate([np.zeros(lag_s % 900), power_w])
    padded = np.concatenate([padded, np.zeros(-len(padded) % 900)])
    means = padded.reshape(-1, 900).sum(axis=1) / QUARTER_S

    cuts = data.draw(st.lists(st.integers(1, len(power_w)), max_size=30))
    changes = np.flatnonzero(np.diff(power_w)) + 1
    edges = sorted({0, len(power_w), *cuts, *changes.tolist()})
    steps = [(float(b - a), float(power_w[a])) for a, b in pairwise(edges)]
    found = {month.month: month.peak_kw for month in metered(start, steps)}
    before = 4 - lag_s // 900
    february, march = means[:before].max(), means[before:].max(initial=0.0)
    assert found.get("2024-02", 0.0) == pytest.approx(february / 1e3, rel=1e-9)
    assert found.get("2024-03", 0.0) == pytest.approx(march / 1e3, rel=1e-9)


@given(st.floats(0.1, 10.0), st.floats(0.0, 100.0))
def test_the_charge_is_proportional_to_power_and_price(times, price):
    steps = [(700.0, 1e6), (1100.0, 3e6), (800.0, 2e6)]
    once = metered(datetime(2023, 7, 31, 23, 40), steps, 1.0)
    more = metered(datetime(2023, 7, 31, 23, 40), [(s, w * times) for s, w in steps], price)
    expected = [month.cost * times * price for month in once]
    assert [month.cost for month in more] == pytest.approx(expected, rel=1e-9)
