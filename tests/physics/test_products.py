"""A product's time from its shape: waves by hand, limits, and kernels as measured."""

import doctest
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import ParameterError
from twin.physics import products
from twin.physics.products import Multiplier, product_s, shape_loss, trained_s

A100 = Multiplier(flops_per_s=0.85 * 312e12, bytes_per_s=0.9 * 2.039e12, multiprocessors=108)
H100 = Multiplier(flops_per_s=0.88 * 989e12, bytes_per_s=0.9 * 3.35e12, multiprocessors=132)
B200 = Multiplier(flops_per_s=0.75 * 2250e12, bytes_per_s=0.9 * 7.7e12, multiprocessors=148)
FREE = replace(H100, bytes_per_s=1e20)
"""An H100 whose memory takes no time."""

sides = st.integers(1, 20_000)
chips = st.sampled_from([A100, H100, B200, FREE, replace(H100, multiprocessors=None)])


def work_s(rows, columns, depth, chip):
    return 2.0 * rows * columns * depth / chip.flops_per_s


def test_the_examples_hold():
    assert doctest.testmod(products).failed == 0


def test_a_product_that_fills_whole_waves_loses_nothing_but_the_writing_of_its_output():
    """Three waves of 132 tiles of 256 x 128."""
    rows, columns, depth = 256 * 12, 128 * 33, 4096
    assert product_s(rows, columns, depth, FREE) == pytest.approx(
        work_s(rows, columns, depth, FREE)
    )
    written_s = 2.0 * rows * columns / H100.bytes_per_s
    got_s = product_s(rows, columns, depth, H100)
    assert got_s == pytest.approx(work_s(rows, columns, depth, H100) + written_s)


def test_one_more_column_of_tiles_costs_a_wave_of_the_smaller_tiles():
    """One wave of 256 x 128 is full; the next is one of 128 x 128, half as long."""
    rows, columns, depth = 256 * 12, 128 * 11, 64
    costly = replace(H100, bytes_per_s=1e13)  # sharing out evenly costs more than waiting
    one_s, two_s = (product_s(rows, columns + more, depth, costly) for more in (0, 1))
    assert two_s == pytest.approx(1.5 * one_s)


def test_a_long_product_is_shared_out_evenly_for_partial_tiles_through_memory():
    """133 tiles on 132 multiprocessors: 128 x 256 in each, and eight bytes of as many values."""
    rows, columns, depth = 128 * 7, 256 * 19, 100_000
    values = 133 * 128 * 256
    spent_s = 2.0 * values * depth / H100.flops_per_s
    spent_s += (2.0 * values + 8.0 * 132 * 128 * 256) / H100.bytes_per_s
    assert product_s(rows, columns, depth, H100) == pytest.approx(spent_s)


def test_a_tile_over_the_edge_takes_as_long_as_a_whole_one():
    assert product_s(12 * 256, 11 * 128, 512, FREE) == product_s(
        12 * 256 - 100, 11 * 128 - 60, 512, FREE
    )


def test_a_thin_product_takes_as_long_as_its_operands_through_memory():
    moved = 2.0 * (16 * 12288 + 12288 * 12288 + 16 * 12288)
    assert product_s(16, 12288, 12288, H100) == pytest.approx(moved / H100.bytes_per_s)


def test_a_product_added_to_in_fp32_moves_four_times_as_much_after_its_last_multiplication():
    rows, columns, depth = 256 * 12, 128 * 33, 4096
    plain_s, added_s = (product_s(rows, columns, depth, H100, x) for x in (2.0, 8.0))
    assert added_s - plain_s == pytest.approx(6.0 * rows * columns / H100.bytes_per_s)


@pytest.mark.parametrize("chip", [A100, H100, B200])
def test_a_large_product_runs_at_the_speed_within_tiles(chip):
    rows = columns = depth = 60_000
    assert product_s(rows, columns, depth, chip) / work_s(rows, columns, depth, chip) < 1.02


@given(sides, sides, sides, chips)
def test_no_product_is_faster_than_its_work_or_its_memory(rows, columns, depth, chip):
    got_s = product_s(rows, columns, depth, chip)
    moved = 2.0 * (rows * depth + depth * columns + rows * columns)
    assert got_s >= work_s(rows, columns, depth, chip) * (1 - 1e-12)
    assert got_s >= moved / chip.bytes_per_s


@given(sides, sides, sides, chips, st.integers(1, 3000))
def test_a_larger_product_is_never_faster(rows, columns, depth, chip, more):
    got_s = product_s(rows, columns, depth, chip)
    assert product_s(rows + more, columns, depth, chip) >= got_s
    assert product_s(rows, columns + more, depth, chip) >= got_s
    assert product_s(rows, columns, depth + more, chip) >= got_s


@given(sides, sides, sides)
def test_unknown_multiprocessors_are_taken_to_be_filled(rows, columns, depth):
    alike = replace(H100, multiprocessors=None)
    got_s = product_s(rows, columns, depth, alike)
    assert got_s <= product_s(rows, columns, depth, H100) * (1 + 1e-12)


def test_training_runs_a_product_forward_and_twice_back_and_forward_again_if_asked():
    once_s, again_s = (trained_s(4096, 2560, 7680, A100, forwards) for forwards in (1, 2))
    assert again_s - once_s == pytest.approx(product_s(4096, 7680, 2560, A100))
    backward_s = product_s(4096, 2560, 7680, A100) + product_s(2560, 7680, 4096, A100, 8.0)
    assert once_s == pytest.approx(product_s(4096, 7680, 2560, A100) + backward_s)


def test_the_loss_falls_towards_none_with_width_and_tokens():
    losses = [shape_loss(tokens, [(tokens, 4 * tokens)], H100) for tokens in (1024, 4096, 65_536)]
    assert losses == sorted(losses, reverse=True)
    assert 1.0 < losses[-1] < 1.02


MEASURED = [
    *((A100, 4096, 2048, 4096, 307.9), (A100, 4096, 2560, 4096, 312.0)),
    *((A100, 8192, 8192, 512, 303.4), (A100, 4096, 12288, 12288, 4782.3)),
    *((H100, 4096, 2560, 4096, 108.9), (H100, 4096, 3584, 4096, 181.0)),
    *((H100, 8192, 8192, 512, 110.1), (H100, 4096, 12288, 12288, 1603.2)),
    *((B200, 4096, 2048, 4096, 44.7), (B200, 4096, 3584, 4096, 90.7)),
    *((B200, 8192, 8192, 512, 52.6), (B200, 8192, 8192, 8192, 737.2)),
]
"""Shape and microseconds of single BF16 products: NVIDIA AIConfigurator 0.12, TensorRT-LLM."""


@pytest.mark.parametrize(("chip", "rows", "columns", "depth", "measured_us"), MEASURED)
def test_a_measured_product_takes_its_time_within_a_fifth(chip, rows, columns, depth, measured_us):
    assert 1e6 * product_s(rows, columns, depth, chip) == pytest.approx(measured_us, rel=0.2)


@pytest.mark.parametrize("name", ["rows", "columns", "depth"])
def test_a_product_without_a_side_is_refused(name):
    with pytest.raises(ParameterError, match=f"{name}=0: must be > 0"):
        product_s(**{"rows": 8, "columns": 8, "depth": 8, "chip": H100, name: 0})


@pytest.mark.parametrize("name", ["flops_per_s", "bytes_per_s", "multiprocessors"])
def test_a_gpu_that_cannot_be_is_refused(name):
    with pytest.raises(ParameterError, match=f"{name}=0"):
        replace(H100, **{name: 0})
