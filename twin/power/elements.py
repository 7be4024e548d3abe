"""What one element of a feed loses: equations of transformers, UPS, rectifiers and cables.

Everywhere in this family *load* is what leaves an element on its rack side (its
output), and ``x`` is that output over the rating of the units in service. What
enters is output plus loss. Efficiencies quoted by makers are output over input.
"""

from __future__ import annotations

import math

from twin.errors import require

Loss = tuple[float, float, float]
"""``(a0, a1, a2)``: no-load, proportional and quadratic loss at rated load, over the rating."""


def loss_w(output_w: float, rated_w: float, loss: Loss) -> float:
    r"""Return what an element loses while it delivers *output_w*.

    .. math:: P_{loss} = P_r\,(a_0 + a_1 x + a_2 x^2), \quad x = P_{out} / P_r

    Parameters
    ----------
    output_w : float
        Power delivered on the load side, >= 0; above the rating the law is continued. [W]
    rated_w : float
        Rating of the units in service together, > 0. [W]
    loss : (a0, a1, a2)
        No-load, proportional and quadratic coefficient, each >= 0. [-]

    Returns
    -------
    float
        Loss, all of it heat. [W]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Notes
    -----
    ``a0`` is magnetisation and control, paid while energised; ``a1`` stands for
    junction drops and switching; ``a2`` for copper.

    References
    ----------
    .. [1] N. Rasmussen, "Electrical Efficiency Modeling for Data Centers", APC
       White Paper 113: the three-part loss law.

    Examples
    --------
    >>> loss_w(50e3, rated_w=100e3, loss=(0.01, 0.02, 0.04))
    3000.0
    """
    require(output_w >= 0.0, "output_w", output_w, ">= 0")
    require(rated_w > 0.0, "rated_w", rated_w, "> 0")
    require(min(loss) >= 0.0, "loss", loss, "three coefficients >= 0")
    a0, a1, a2 = loss
    x = output_w / rated_w
    return rated_w * (a0 + x * (a1 + x * a2))


def efficiency(load_fraction: float, loss: Loss) -> float:
    """Return output over input at *load_fraction* (output over rating); 0 at no load.

    Parameters
    ----------
    load_fraction : float
        Output over rating, >= 0. [-]
    loss : (a0, a1, a2)
        Loss coefficients, see :func:`loss_w`. [-]

    Returns
    -------
    float
        Efficiency, 0-1. [-]

    Raises
    ------
    ParameterError
        If *load_fraction* is negative.

    Examples
    --------
    >>> round(efficiency(0.5, (0.0079, 0.0051, 0.0200)), 3)
    0.97
    """
    input_fraction = load_fraction + loss_w(load_fraction, 1.0, loss)
    return load_fraction / input_fraction if load_fraction > 0.0 else 0.0


def output_w(input_w: float, rated_w: float, loss: Loss) -> float:
    """Return what is delivered when *input_w* enters: the inverse of output plus loss.

    Parameters
    ----------
    input_w : float
        Power entering the element, >= 0. [W]
    rated_w : float
        Rating of the units in service together, > 0. [W]
    loss : (a0, a1, a2)
        Loss coefficients, see :func:`loss_w`. [-]

    Returns
    -------
    float
        Output; 0 where the input does not even cover the no-load loss. [W]

    Raises
    ------
    ParameterError
        If a value is outside its range.

    Notes
    -----
    The positive root of ``a2 x^2 + (1 + a1) x + a0 - input/rated = 0``, written with
    the root in the denominator so that ``a2 = 0`` needs no case of its own.

    Examples
    --------
    >>> round(output_w(53e3, rated_w=100e3, loss=(0.01, 0.02, 0.04)), 6)
    50000.0
    """
    require(input_w >= 0.0, "input_w", input_w, ">= 0")
    require(rated_w > 0.0, "rated_w", rated_w, "> 0")
    a0, a1, a2 = loss
    left = input_w / rated_w - a0
    if left <= 0.0:
        return 0.0
    slope = 1.0 + a1
    return rated_w * 2.0 * left / (slope + math.sqrt(slope * slope + 4.0 * a2 * left))
