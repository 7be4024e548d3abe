r"""Time of a matrix product from its shape: tiles, waves, and what memory holds up.

A product of *m* x *k* with *k* x *n* is cut into tiles of the output, one for a
multiprocessor at a time. All of them work in step, so a wave that is not full takes as
long as one that is, and a tile that reaches over the edge as long as a whole one. When
its last multiplication is done, a tile is written while nothing multiplies:

.. math:: t = w \Big(\frac{2 a b k P}{F} + \frac{a b P s}{B}\Big), \qquad
    w = \Big\lceil \frac{\lceil m/a \rceil \lceil n/b \rceil}{P} \Big\rceil

with tiles of *a* x *b*, *P* multiprocessors, speed *F* within tiles, bandwidth *B* and *s*
bytes a value. Or the multiplications are shared out evenly, which fills the last wave and
costs partial tiles that go through memory. Libraries take the fastest way they have.

Left out: the start of a kernel (some microseconds), tiles smaller than 128 x 128, products
so small that only those suit them, and what alignment of rows to 16 bytes costs.

Sources: tiles, their order of efficiency and quantisation, NVIDIA, "Matrix multiplication
background user's guide", 2023; the even share, Osama et al., "Stream-K", PPoPP 2023; that
accumulators take half the registers and more, so no other tile covers for one that is being
written, NVIDIA CUTLASS, "Efficient GEMM in CUDA".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from twin.errors import require

TILES = ((256, 128), (128, 256), (128, 128))
"""Rows and columns of output tiles: the two classes that cuBLAS runs fastest (NVIDIA's guide)."""

EVEN_TILE = (128, 256)
"""Tile of products whose multiplications are shared out evenly."""

OPERAND_BYTES = 2.0
"""Operands and outputs are BF16. [B]"""

ADDED_BYTES = 8.0
"""Read and written for a value that is added to in FP32: gradients of weights, as Megatron-LM
accumulates them within the product, and partial tiles. [B]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """A GPU as matrix products see it."""

    flops_per_s: float
    """Reached within tiles, all multiprocessors together. [FLOP/s]"""
    bytes_per_s: float
    """Reached by reads and writes of memory. [B/s]"""
    multiprocessors: int | None
    """None: not known, products of any shape fill them."""

    def __post_init__(self) -> None:
        """Refuse GPUs that cannot be."""
        require(self.flops_per_s > 0, "flops_per_s", self.flops_per_s, "> 0")
        require(self.bytes_per_s > 0, "bytes_per_s", self.bytes_per_s, "> 0")
        known = self.multiprocessors is None or self.multiprocessors >= 1
        require(known, "multiprocessors", self.multiprocessors, ">= 1, or None")


@lru_cache(maxsize=4096)
def product_s(
    rows: float,
    columns: float,
    depth: float,
    chip: Multiplier,
    output_bytes: float = OPERAND_BYTES,
) -> float:
    """Time of one matrix product.

    Parameters
    ----------
    rows, columns : float
        Shape of the output, > 0.
    depth : float
        Length of the sums, > 0.
    chip : Multiplier
        GPU it runs on.
    output_bytes : float
        Moved per value of the output; more than 2 where it is added to.

    Returns
    -------
    float
        Time; never less than operands and output take through memory. [s]

    Raises
    ------
    ParameterError
        If a side is not positive.

    Notes
    -----
    Held against 50,000 single BF16 products measured on A100, H100, H200 and B200 (eight
    tables of NVIDIA AIConfigurator 0.12, 512 and more in each direction, one speed within
    tiles fitted to each table): the logarithm of time is off by 0.12 in the standard
    deviation, by 0.22 where one speed is taken for all shapes.

    Examples
    --------
    One more column of tiles than 132 multiprocessors take at once costs most of a wave:

    >>> h100 = Multiplier(flops_per_s=700e12, bytes_per_s=3e12, multiprocessors=132)
    >>> [round(1e6 * product_s(11 * 256, 128 * n, 8192, h100)) for n in (12, 13)]
    [104, 133]
    """
    for name, side in (("rows", rows), ("columns", columns), ("depth", depth)):
        require(side > 0, name, side, "> 0")
    output = rows * columns
    moved = OPERAND_BYTES * depth * (rows + columns) + output_bytes * output
    if chip.multiprocessors is None:
        work_s = _work_s(output, depth, chip, output_bytes)
    else:
        waves = min(_waved(rows, columns, tile, chip.multiprocessors) for tile in TILES)
        even = _cells(rows, columns, EVEN_TILE)
        partial = chip.multiprocessors * EVEN_TILE[0] * EVEN_TILE[1]
        work_s = min(
            _work_s(waves, depth, chip, output_bytes),
            _work_s(even, depth, chip, output_bytes) + ADDED_BYTES * partial / chip.bytes_per_s,
        )
    return max(work_s, moved / chip.bytes_per_s)


def _work_s(output: float, depth: float, chip: Multiplier, output_bytes: float) -> float:
    """Return the time of *output* values, multiplied out and then written."""
    return output * (2.0 * depth / chip.flops_per_s + output_bytes / chip.bytes_per_s)


def _waved(rows: float, columns: float, tile: tuple[int, int], multiprocessors: int) -> float:
    """Return the values of the output that whole waves of tiles have room for."""
    wave = multiprocessors * tile[0] * tile[1]
    return ceil(_cells(rows, columns, tile) / wave) * wave


def _cells(rows: float, columns: float, tile: tuple[int, int]) -> float:
    """Return the values of the output that whole tiles have room for."""
    return float(ceil(rows / tile[0]) * tile[0] * ceil(columns / tile[1]) * tile[1])


@lru_cache(maxsize=4096)
def trained_s(
    tokens: float, inputs: float, outputs: float, chip: Multiplier, forwards: int = 1
) -> float:
    """Time of a layer's product with its weights in training, forward and back.

    Parameters
    ----------
    tokens : float
        Tokens at once, > 0.
    inputs, outputs : float
        Shape of the weights, > 0.
    chip : Multiplier
        GPU it runs on.
    forwards : int
        How often it is run forward; 2 where activations are recomputed.

    Returns
    -------
    float
        Time of the output, of the gradient of the input and of the gradient of the weights,
        the last added in FP32 to that of earlier micro-batches. [s]
    """
    forward_s = product_s(tokens, outputs, inputs, chip)
    to_inputs_s = product_s(tokens, inputs, outputs, chip)
    to_weights_s = product_s(inputs, outputs, tokens, chip, ADDED_BYTES)
    return forwards * forward_s + to_inputs_s + to_weights_s


def shape_loss(
    tokens: float, weights: Iterable[tuple[float, float]], chip: Multiplier, forwards: int = 1
) -> float:
    """Time of training products over that at full speed within tiles.

    Parameters
    ----------
    tokens : float
        Tokens at once, > 0.
    weights : iterable of (float, float)
        Shapes of the weights, inputs and outputs.
    chip : Multiplier
        GPU they run on.
    forwards : int
        How often they are run forward.

    Returns
    -------
    float
        >= 1, near 1 where all sides are long. [-]

    Examples
    --------
    Products of a layer 2,304 wide lose 11 %, those of one 12,288 wide 5 %:

    >>> chip = Multiplier(flops_per_s=700e12, bytes_per_s=3e12, multiprocessors=132)
    >>> shapes = [[(h, 3 * h), (h, h), (h, 4 * h), (4 * h, h)] for h in (2304, 12288)]
    >>> [round(shape_loss(8192, each, chip), 2) for each in shapes]
    [1.11, 1.05]
    """
    spent_s = full_s = 0.0
    for inputs, outputs in weights:
        spent_s += trained_s(tokens, inputs, outputs, chip, forwards)
        full_s += (4.0 + 2.0 * forwards) * tokens * inputs * outputs / chip.flops_per_s
    return spent_s / full_s
