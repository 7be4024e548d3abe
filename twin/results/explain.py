"""Why designs differ: what each setting does, who is worth looking at, where the energy goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputFileError, require
from twin.results.compare import Comparison, Entry
from twin.results.run_folder import Run
from twin.schema import SUMMARY
from twin.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Floats = NDArray[np.float64]
Sense = Literal["lower", "higher"]

MOST_KEYS = 12
WATTS_PER_KW = 1e3


def non_dominated(values: Floats, better: Sequence[Sense]) -> NDArray[np.bool_]:
    """Return which rows no other row beats: the Pareto front.

    Parameters
    ----------
    values : ndarray, shape (n, m)
        Row: design; column: objective. A row with NaN is on no front.
    better : sequence of {"lower", "higher"}, length m
        Which way each objective is better.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where no other row is at least as good in every column and better in one;
        equal rows are on the front together.

    Raises
    ------
    ParameterError
        If `better` does not fit the columns.

    References
    ----------
    .. [1] K. Miettinen, *Nonlinear Multiobjective Optimization*, Kluwer 1999, definition 2.2.1.

    Examples
    --------
    >>> cost_and_carbon = np.array([[1.0, 9.0], [2.0, 5.0], [3.0, 5.0]])
    >>> non_dominated(cost_and_carbon, ["lower", "lower"]).tolist()
    [True, True, False]
    """
    require(values.shape[1] == len(better), "better", len(better), f"of length {values.shape[1]}")
    cost = np.where(np.array(better) == "lower", values, -values)
    front: NDArray[np.bool_] = np.asarray(~np.isnan(cost).any(axis=1))
    for k in np.flatnonzero(front):
        as_good = (cost[front] <= cost[k]).all(axis=1)
        if (as_good & (cost[front] < cost[k]).any(axis=1)).any():
            front[k] = False
    return front


@dataclass(frozen=True, slots=True)
class Effect:
    """What one setting does to one figure, the others averaged out."""

    key: str
    means: dict[str, float]
    """Mean of the figure over the runs with each value of the key, by value as written."""

    @property
    def spread(self) -> float:
        """Difference between its best and its worst value."""
        return max(self.means.values()) - min(self.means.values())


def effects(comparison: Comparison, metric: str) -> list[Effect]:
    """Return the effect of each varied setting on *metric*, the strongest first.

    A mean over all runs of a value is the effect of the value alone only where every
    value of the other settings was run with it, as in a full sweep.
    """
    found = []
    for key in comparison.telling[:MOST_KEYS]:
        by_value: dict[str, list[float]] = {}
        for entry in comparison.entries:
            value = entry.summary.get(metric)
            if isinstance(value, (int, float)):
                by_value.setdefault(comparison.setting(entry, key), []).append(float(value))
        if len(by_value) > 1:
            means = {name: sum(values) / len(values) for name, values in by_value.items()}
            found.append(Effect(key, means))
    return sorted(found, key=lambda effect: -effect.spread)


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the facility draws more in one design than in the other."""

    name: str
    kw: float
    """Mean power, second less first. [kW]"""


def differences(first: Run, second: Run) -> list[Part]:
    """Return where the mean power of two runs differs, part by part.

    The parts add up to the difference of the two facilities' mean power: servers
    without fans, fans, network, storage, electrical losses, every part of the cooling
    plants, auxiliaries.
    """
    one, other = parts_kw(first), parts_kw(second)
    return [
        Part(name, other.get(name, 0.0) - one.get(name, 0.0))
        for name in dict.fromkeys([*one, *other])
    ]


def parts_kw(run: Run) -> dict[str, float]:
    """Return the mean power of each part of a facility [kW].

    Raises
    ------
    InputFileError
        If the parts of the cooling do not add up to the cooling: a record of another kind.
    """
    summary = run.summary
    columns = ("server_power_w", "server_fan_power_w", "network_power_w", "storage_power_w")
    series = run.series(["at_s", *columns])
    length_s = float(summary["simulated_days"]) * SECONDS_PER_DAY
    share = np.diff(series["at_s"], append=length_s) / length_s / WATTS_PER_KW
    means = {name: float(share @ np.nan_to_num(series[name])) for name in columns}
    fans_kw = means["server_fan_power_w"]
    hours = length_s / SECONDS_PER_HOUR
    cooling = {
        part_name(part): kwh / hours for part, kwh in run.info.get("cooling_energy_kwh", {}).items()
    }
    cooling_kw = summary["cooling_energy_kwh"] / hours
    if abs(sum(cooling.values()) - cooling_kw) > 1e-6 * max(cooling_kw, 1.0):
        raise InputFileError(f"{run.path}: run.json does not say where the cooling energy went")
    return {
        "servers": means["server_power_w"] - fans_kw,
        "server fans": fans_kw,
        "network": means["network_power_w"],
        "storage": means["storage_power_w"],
        "electrical losses": summary["loss_energy_kwh"] / hours,
        **cooling,
        "auxiliaries": summary["aux_energy_kwh"] / hours,
    }


_ABBREVIATED = {
    "crah": "CRAH",
    "chw": "chilled-water",
    "cw": "condenser-water",
    "cdu": "CDU",
    "crac": "CRAC",
    "ahu": "AHU",
    "rdhx": "rear-door",
}


def part_name(part: str) -> str:
    """Return a part of a cooling plant as people call it.

    Examples
    --------
    >>> part_name("chw_pump")
    'chilled-water pump'
    """
    return " ".join(_ABBREVIATED.get(word, word) for word in part.split("_"))


def extremes(comparison: Comparison, metric: str) -> tuple[Entry, Entry] | None:
    """Return the runs in which *metric* is worst and best; None where it says nothing."""
    known = [e for e in comparison.entries if isinstance(e.summary.get(metric), (int, float))]
    known.sort(key=lambda entry: float(entry.summary[metric]))
    if len(known) < 2 or known[0].summary[metric] == known[-1].summary[metric]:
        return None
    least, most = known[0], known[-1]
    return (least, most) if SUMMARY[metric].better == "higher" else (most, least)
