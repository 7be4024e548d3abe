"""Numbers as people read them."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.results import quantity as module
from twin.results.quantity import figure, not_modelled, quantity, scorecard
from twin.schema import SUMMARY


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(module).failed == 0


@given(st.floats(1e-4, 1e12))
def test_three_figures_are_within_half_a_percent(value):
    assert float(figure(value).replace(",", "")) == pytest.approx(value, rel=6e-3)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "s", "0 s"),
        (0.045, "s", "45.0 ms"),
        (90.0, "s", "1.50 min"),
        (2e5, "s", "2.31 days"),
        (1 / 48, "days", "30.0 min"),
        (7.0, "days", "7.00 days"),
        (0.834, "fraction", "83.4 %"),
        (3e-13, "-", "3e-13"),
        (1234567.0, "jobs", "1,234,567"),
        (2.4e10, "tokens", "24.0 billion"),
        (0.5, "MW", "500 kW"),
        (339.0, "m3", "339 m³"),
        (0.021, "GWh", "21.0 MWh"),
        (1.029e8, "currency", "103 million currency"),
        (134, "racks", "134"),
        (335.0, "m2", "335 m²"),
    ],
)
def test_units_fit_the_size(value, unit, shown):
    assert quantity(value, unit) == shown


def test_the_scorecard_leaves_out_what_does_not_apply_and_shows_nothing_twice():
    summary = dict.fromkeys(SUMMARY) | {
        "pue": 1.2,
        "facility_energy_kwh": 1e3,
        "facility_energy_gwh": 1e-3,
        "electricity_cost": 12.0,
        "currency": "EUR",
    }
    shown = [row for rows in scorecard(summary).values() for row in rows]
    assert [label for _, label, _ in shown] == ["Facility energy", "PUE", "Electricity"]
    assert shown[-1][2] == "12.0 EUR"
    assert "WUE" in not_modelled(summary)
