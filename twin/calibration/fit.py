"""Fitting a server's parameters to telemetry by bounded least squares, and how well it fits.

A part of the telemetry is held out: the fit never sees it, and its errors there say what
the fitted server is worth on data of the same kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from twin.calibration.telemetry import Readings, Telemetry
from twin.errors import ConfigError, InputFileError, require
from twin.gpu.air_server import AirServer

Floats = NDArray[np.float64]
Model = Callable[[Floats, Floats], Floats]
"""``(parameters, x) -> y``."""

KNOTS = 7
"""Corner points of a curve of speed against power."""
SEED = 20260101
"""Lots that decide what is held out are drawn from it, the same in every run."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a model is off, as ASHRAE Guideline 14 counts it."""

    points: int
    bias: float
    """Mean of model less measured, over the mean measured. [-]"""
    cv_rmse: float
    """Root mean square of model less measured, over the mean measured. [-]"""


def errors(model: Floats, measured: Floats) -> Errors:
    """Return bias and CV(RMSE) of *model* against *measured*, arrays of one shape.

    Examples
    --------
    >>> errors(np.array([1.1, 2.1]), np.array([1.0, 2.0]))
    Errors(points=2, bias=0.0666..., cv_rmse=0.0666...)
    """
    off, mean = model - measured, float(measured.mean())
    return Errors(len(off), float(off.mean()) / mean, float(np.sqrt((off**2).mean())) / mean)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that was fitted."""

    key: str
    before: float
    value: float
    low: float
    high: float
    """Ends of its 95 % confidence interval, as if readings were independent."""
    at_bound: bool = False
    """Whether the fit was stopped by what is allowed, so that the telemetry wants more."""


@dataclass(slots=True)
class Fit:
    """A fitted server, and what is known about the fit."""

    server: AirServer
    parameters: list[Parameter]
    fitted: Errors
    held_out: Errors
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    notes: list[str] = field(default_factory=list)


def fit(server: AirServer, readings: Readings, telemetry: Telemetry, share: float) -> Fit:
    """Return *server* with the parameters that fit *readings*; *share* of them held out.

    Raises
    ------
    ConfigError
        If scipy is not installed, or there is too little to fit to and to test on.
    """
    held = held_out(readings, telemetry.hold_out, share)
    notes = []
    if readings.psu_efficiency is not None:
        ratio, error = readings.psu_efficiency
        if ratio > 1.0:
            raise InputFileError(
                f"{readings.reports[0].path}: supplies give {ratio:.3f} of what they take: "
                "must be at most 1"
            )
        server = replace(server, psu_efficiency=((1.0, ratio),))
        notes.append(
            f"efficiency of the supplies, mean output over input: {ratio:.4f} +- {error:.4f}"
        )
    make = {"gpu": _fit_gpu, "server": _fit_server, "caps": _fit_caps}[telemetry.measures]
    rest = ~held
    fitted, parameters, model = make(server, readings.x[rest], readings.y[rest])
    x, y = readings.x, readings.y
    inside, outside = (errors(model(x[part]), y[part]) for part in (rest, held))
    span_x, span_y = ((float(v.min()), float(v.max())) for v in (x, y))
    return Fit(fitted, parameters, inside, outside, span_x, span_y, notes)


def held_out(readings: Readings, how: str, share: float) -> NDArray[np.bool_]:
    """Return which readings the fit must not see.

    Raises
    ------
    ConfigError
        If nothing would be left to fit to, or to test on.
    """
    rng, number = np.random.default_rng(SEED), len(readings)
    if how == "time":
        held = readings.at_s > np.quantile(readings.at_s, 1.0 - share)
    elif how == "group":
        # Of groups that reach the lowest x and of the others a share each: were all of one kind
        # held out, nothing would be left to fit its end of the range to.
        lowest = np.unique(readings.group[readings.x <= readings.x.min()])
        others = np.setdiff1d(readings.group, lowest)
        drawn = [rng.permutation(kind)[: round(share * len(kind))] for kind in (lowest, others)]
        held = np.isin(readings.group, np.concatenate(drawn))
    else:
        held = rng.permutation(number) < share * number
    if held.sum() < 2 or (~held).sum() < 8:
        raise ConfigError(
            f"--hold-out {share:g}: leaves {int((~held).sum())} readings to fit to and "
            f"{int(held.sum())} to test on (by {how}): must be at least 8 and 2"
        )
    return np.asarray(held)


# ---- the three things to fit ----

Fitted = tuple[AirServer, list[Parameter], Callable[[Floats], Floats]]


def _fit_gpu(server: AirServer, activity: Floats, gpu_w: Floats) -> Fitted:
    """Fit what a GPU draws idle and at its most, and the curve between them."""
    idle_w, most_w = server.gpu_idle_w, server.gpu_max_w

    def model(at: Floats, x: Floats) -> Floats:
        idle, span, exponent = at
        return np.asarray(idle + span * x**exponent)

    start = [idle_w, most_w - idle_w, min(max(server.activity_exponent, 0.5), 1.5)]
    bounds = ([1.0, 0.3 * most_w, 0.5], [0.3 * most_w, 1.5 * most_w, 1.5])
    at, cov, stuck = _least_squares(model, start, bounds, activity, gpu_w)
    idle, span, exponent = (float(value) for value in at)
    fitted = replace(
        server, gpu_idle_w=idle, gpu_max_w=idle + span, activity_exponent=exponent, nameplate_kw=1e6
    )
    half = _half_width(len(gpu_w), 3)
    most_error = math.sqrt(max(cov[0, 0] + cov[1, 1] + 2 * cov[0, 1], 0.0))
    rows = (
        ("gpu_idle_w", idle_w, idle, math.sqrt(cov[0, 0]), stuck[0]),
        ("gpu_max_w", most_w, idle + span, most_error, stuck[1]),
        ("activity_exponent", server.activity_exponent, exponent, math.sqrt(cov[2, 2]), stuck[2]),
    )
    parameters = [
        Parameter(key, before, value, value - half * error, value + half * error, bound)
        for key, before, value, error, bound in rows
    ]
    return fitted, parameters, lambda x: model(at, x)


def _fit_server(server: AirServer, gpu_w: Floats, server_w: Floats) -> Fitted:
    """Fit what the host draws while its GPUs idle, and what it adds when they all work."""
    loose = replace(server, nameplate_kw=1e6)

    def trial(idle_w: float, rise_w: float) -> AirServer:
        return replace(loose, host_idle_w=float(idle_w), host_busy_w=float(idle_w + rise_w))

    def model(at: Floats, x: Floats) -> Floats:
        one = trial(*at)
        span_w = one.gpu_max_w - one.gpu_idle_w
        drives, where = np.unique((x - one.gpu_idle_w) / span_w, return_inverse=True)
        return np.array([one.power_w(drive)[0] for drive in drives.tolist()])[where]

    before = server.host_idle_w, server.host_busy_w - server.host_idle_w
    most_w = float(server_w.max())
    start = [min(before[0], 0.9 * most_w), min(before[1], 0.9 * most_w)]
    at, cov, stuck = _least_squares(model, start, ([0.0, 0.0], [most_w, most_w]), gpu_w, server_w)
    half = _half_width(len(server_w), 2)
    idle_w, rise_w = (float(value) for value in at)
    busy_error = math.sqrt(max(cov[0, 0] + cov[1, 1] + 2 * cov[0, 1], 0.0))
    rows = (
        ("host_idle_w", server.host_idle_w, idle_w, math.sqrt(cov[0, 0]), stuck[0]),
        ("host_busy_w", server.host_busy_w, idle_w + rise_w, busy_error, stuck[1]),
    )
    parameters = [
        Parameter(key, was, value, value - half * error, value + half * error, bound)
        for key, was, value, error, bound in rows
    ]
    return trial(idle_w, rise_w), parameters, lambda x: model(at, x)


def _fit_caps(server: AirServer, power: Floats, speed: Floats) -> Fitted:
    """Fit speed against power, both over uncapped, as a rising line with corners."""
    lowest = float(np.quantile(power, 0.02))
    knots = np.linspace(lowest, 1.0, KNOTS)

    def model(rises: Floats, x: Floats) -> Floats:
        # 1 at full power, lower by each of the rises further down: never falling with power.
        heights = 1.0 - np.concatenate([np.cumsum(rises[::-1])[::-1], [0.0]])
        return np.interp(x, knots, heights)

    start = [1.0 / KNOTS] * (KNOTS - 1)
    bounds = ([0.0] * (KNOTS - 1), [0.9] * (KNOTS - 1))
    rises, cov, _ = _least_squares(model, start, bounds, power, speed)
    heights = model(rises, knots)
    if heights.min() <= 0.0:
        raise InputFileError(f"speed at {lowest:.0%} of power: {heights.min():.3g}: must be > 0")
    half = _half_width(len(speed), KNOTS - 1)
    parameters = []
    for i, (x, y) in enumerate(zip(knots.tolist(), heights.tolist(), strict=True)):
        error = math.sqrt(max(float(cov[i:, i:].sum()), 0.0))
        before = float(np.interp(x, *np.array(server.speed_at_power).T))
        parameters.append(
            Parameter(f"speed_at_power[{x:.3f}]", before, y, y - half * error, y + half * error)
        )
    points = tuple((float(x), float(y)) for x, y in zip(knots, heights, strict=True))
    throttle = max(server.throttle_power_fraction, points[0][0])
    fitted = replace(server, speed_at_power=points, throttle_power_fraction=throttle)
    return fitted, parameters, lambda x: model(rises, x)


# ---- least squares ----


def _least_squares(
    model: Model,
    start: Sequence[float],
    bounds: tuple[Sequence[float], Sequence[float]],
    x: Floats,
    y: Floats,
) -> tuple[Floats, Floats, list[bool]]:
    """Return (parameters, their covariance, which of them stand at a bound)."""
    try:
        from scipy.optimize import least_squares
    except ImportError:
        raise ConfigError("scipy is not installed: pip install 'twin[calibrate]'") from None
    low, high = (np.asarray(bound, dtype=float) for bound in bounds)
    begin = np.clip(start, low + 1e-6 * (high - low), high - 1e-6 * (high - low))
    scale = float(np.abs(y).mean())
    found = least_squares(
        lambda at: (model(at, x) - y) / scale,
        begin,
        bounds=(low, high),
        diff_step=1e-4,  # a server's power is rounded to 1 mW, which smaller steps would not pass
        x_scale=np.maximum(np.abs(begin), 1e-3 * (high - low)),
    )
    require(bool(found.success), "fit", found.message, "one that converges")
    sizes = np.linalg.norm(found.jac, axis=0)
    if np.linalg.matrix_rank(found.jac / np.where(sizes > 0, sizes, 1.0), tol=1e-4) < len(start):
        raise InputFileError(
            f"the readings to fit to, x from {x.min():.4g} to {x.max():.4g}, do not tell "
            f"{len(start)} parameters apart: they must vary more"
        )
    stuck = [bool(active) for active in found.active_mask]
    free = [i for i, each in enumerate(stuck) if not each]
    variance = 2.0 * float(found.cost) / max(len(y) - len(start), 1)
    cov = np.zeros((len(start), len(start)))
    jacobian = found.jac[:, free]
    cov[np.ix_(free, free)] = variance * np.linalg.pinv(jacobian.T @ jacobian)
    return np.asarray(found.x), cov, stuck


def _half_width(points: int, parameters: int) -> float:
    """Return half of the confidence interval over the standard error: Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.5 + CONFIDENCE / 2, max(points - parameters, 1)))
