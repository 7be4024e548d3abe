"""A block of beats gives what its beats give one by one, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import RunError
from twin.facility.beat_books import AS_THEY_ARE, BEAT, MEANS, Block, added
from twin.physics.steps import StepSeries
from twin.results.summary import Totals
from twin.schema import ROW

PARTS = ("chiller", "tower_fan")
LEAST_J = 6e4
MISSING = ("battery_j", "generator_w", "pv_w", "slo_fraction", "stored_bytes")
BEATS = st.lists(
    st.lists(st.floats(0.0, 1e7), min_size=len(BEAT) + len(PARTS), max_size=len(BEAT) + len(PARTS)),
    min_size=1,
    max_size=6,
)


def beats_of(numbers):
    """Return beats one after another, of 60 s and of odd lengths, some figures not modelled."""
    beats, at_s = [], 0.0
    for number, values in enumerate(numbers):
        beat = dict(zip((*BEAT, *PARTS), values, strict=True))
        beat["from_s"], at_s = at_s, at_s + (60.0 if number % 3 else 7.7)
        beat["to_s"] = at_s
        beat["feed_stored_j"] -= 5e6
        for name in MISSING[number % 5 :]:
            beat[name] = math.nan
        beats.append(beat)
    return beats


def one_by_one(beats):
    """Return the worst residual and the totals, beat after beat in plain floats."""
    worst, totals = 0.0, Totals()
    for b in beats:
        dt_s = b["to_s"] - b["from_s"]
        out_w = b["plant_ambient_w"] + b["reused_w"] + b["feed_ambient_w"] + b["aux_w"]
        out_w += (b["plant_stored_j"] + b["feed_stored_j"]) / dt_s
        known = (0.0 if math.isnan(b[name]) else b[name] for name in ("generator_w", "pv_w"))
        in_w = b["utility_w"]
        for source_w in known:
            in_w += source_w
        taken_j = in_w * dt_s - min(b["feed_stored_j"], 0.0)
        worst = max(worst, abs(in_w - out_w) * dt_s / max(taken_j, LEAST_J))
        totals.unserved_j += (b["dead_w"] + b["unserved_w"]) * dt_s
        totals.reused_j += b["reused_w"] * dt_s
        totals.free_s += b["free_fraction"] * dt_s
        totals.requests += b["requests"]
        totals.powered_s += b["powered"] * dt_s
        for part in PARTS:
            totals.cooling_parts_j[part] += b[part] * dt_s
    return worst, totals


@settings(max_examples=60)
@given(BEATS)
def test_ledger_and_sums_are_those_of_the_beats_one_by_one(numbers):
    beats = beats_of(numbers)
    worst, totals = one_by_one(beats)
    block, summed = Block([tuple(beat.values()) for beat in beats], PARTS), Totals()
    block.add_to(summed)
    assert block.residual(LEAST_J) == worst
    assert summed == totals


@pytest.mark.parametrize("flow", ["plant_ambient_w", "feed_stored_j", "utility_w"])
def test_a_flow_that_is_not_a_number_does_not_pass_as_closed(flow):
    beats = beats_of([[1.0] * (len(BEAT) + len(PARTS))] * 3)
    beats[1][flow] = math.nan
    block = Block([tuple(beat.values()) for beat in beats], PARTS)
    with pytest.raises(RunError, match=r"not a number 7\.7 s into the run"):
        block.residual(LEAST_J)


def test_blocks_go_on_where_the_last_one_ended():
    beats = beats_of([[0.1 * (k + j) for j in range(len(BEAT) + 2)] for k in range(9)])
    _, totals = one_by_one(beats)
    summed = Totals()
    for start in range(0, 9, 4):
        part = [tuple(beat.values()) for beat in beats[start : start + 4]]
        Block(part, PARTS).add_to(summed)
    assert summed == totals


@settings(max_examples=40)
@given(BEATS)
def test_rows_hold_every_column_of_the_record(numbers):
    beats = beats_of(numbers)
    price, carbon = np.linspace(0.3, 1.1, len(beats)), np.linspace(0.5, 0.6, len(beats))
    rows = Block([tuple(beat.values()) for beat in beats], PARTS).rows(800, price, carbon)
    for k, (row, b) in enumerate(zip(rows.tolist(), beats, strict=True)):
        dt_s = b["to_s"] - b["from_s"]
        wanted = {column: b[figure] for column, figure in AS_THEY_ARE.items()}
        wanted |= {column: b[figure] / dt_s for column, figure in MEANS.items()}
        wanted["facility_power_w"] = b["it_w"] + b["loss_w"] + b["plant_w"] + b["aux_w"]
        wanted["gpu_active_fraction"] = b["active_s"] / dt_s / 800
        wanted["price_per_kwh"] = price[k]
        wanted["carbon_kg_per_s"] = b["utility_w"] * float(carbon[k]) / 3.6e6
        elsewhere = {"rack_power_max_w": math.nan, "row_power_max_w": math.nan}
        assert set(ROW) == set(wanted) | set(elsewhere)
        np.testing.assert_array_equal(row, [(wanted | elsewhere)[column] for column in ROW])


def test_a_beat_of_too_few_figures_is_no_block():
    with pytest.raises(Exception, match="pack expected"):
        Block([(0.0,) * (len(BEAT) + 1)], PARTS)


def test_sums_take_one_value_after_another():
    values = np.random.default_rng(3).normal(size=(3, 1000)) * [[1.0], [1e8], [1e-8]]
    totals = [0.1, 1e12, -3.0]
    summed = added(np.array(totals), values).tolist()
    for k, row in enumerate(values.tolist()):
        for value in row:
            totals[k] += value
    assert totals == summed


@settings(max_examples=60)
@given(
    st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=30),
    st.integers(-7200, 0),
    st.sampled_from([900.0, 3600.0]),
    st.lists(st.sampled_from([60.0, 300.0, 0.7, 5000.0]), min_size=1, max_size=40),
)
def test_means_of_many_intervals_are_those_of_each(values, first_at_s, step_s, lengths):
    series, other = (StepSeries(values, float(first_at_s), step_s) for _ in range(2))
    ends = np.cumsum(lengths)
    starts = np.concatenate(([0.0], ends[:-1]))
    each = [series.mean(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    assert other.means(starts, ends).tolist() == each
    flat = StepSeries.flat(0.4)
    assert flat.means(starts, ends).tolist() == [0.4] * len(lengths)
