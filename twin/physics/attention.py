r"""Speed of fused attention in training, behind a causal mask.

.. math:: t = \frac{F}{V} \Big(1 + \frac{s_0}{s}\Big)

with the operations *F* that the mask leaves, forward and back, *V* the speed in long
sequences and *s* tokens in one. Tiles on the diagonal are computed whole, the loop of a
tile is short at its beginning and end, and sums over a row are passes of their own: all of
it goes with the tokens and not with their square. Without a mask length matters little.

Left out: how many heads and sequences there are at once (eight heads of one sequence of
2,048 tokens do not fill a GPU and are about half as fast), and heads of other widths than
128 (64 are slower by up to a third).
"""

from __future__ import annotations

from twin.errors import require

SHORT_TOKENS = 870.0
"""What goes with the tokens takes as long as attention to so many more of them would.
Fitted to six tables of kernels on A100, H100, H200 and GB200, with sequences of 2,048 to
16,384 tokens: NVIDIA/cudnn-frontend, benchmark (2024 and 2026); Shah et al.,
"FlashAttention-3", 2024."""


def length_share(sequence: float) -> float:
    """Speed of causal attention over that in endless sequences.

    Parameters
    ----------
    sequence : float
        Tokens of a sequence, > 0.

    Returns
    -------
    float
        > 0 and < 1. [-]

    Raises
    ------
    ParameterError
        If there are no tokens.

    Notes
    -----
    One speed for all lengths is off by 0.11 in the logarithm (standard deviation over the
    six tables, one speed fitted to each), this by 0.04.

    Examples
    --------
    >>> [round(length_share(tokens), 2) for tokens in (2048, 4096, 8192, 131072)]
    [0.7, 0.82, 0.9, 0.99]
    """
    require(sequence > 0, "sequence", sequence, "> 0")
    return sequence / (sequence + SHORT_TOKENS)
