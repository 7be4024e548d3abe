"""What is kept account of beat by beat, worked out a block of beats at a time.

A beat leaves a tuple of figures behind. Whatever no later beat depends on is made of many
of them at once: the rows of the record, how far the ledger closes, the sums of the run.
Sums take beat after beat, so a block gives the same numbers as its beats one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from twin.cooling.base import PlantState
from twin.errors import RunError
from twin.power.base import FeedState
from twin.results.summary import Totals
from twin.schema import ROW
from twin.units import JOULES_PER_KWH

Floats = NDArray[np.float64]

BEAT = (
    "from_s", "to_s", "warm",
    "it_w", "server_w", "fan_j", "network_w", "storage_w", "aux_w",
    "allocated_s", "active_s", "running_s", "queued_s", "tokens", "requests",
    "slo_fraction", "slowed_gpus", "capped_gpus", "stored_bytes", "drybulb_c", "wetbulb_c",
    "powered", "dead_w",
    "plant_w", "inlet_max_c", "supply_c", "water_kg_per_s", "unmet_w", "plant_ambient_w",
    "reused_w", "plant_stored_j", "free_fraction",
    "utility_w", "loss_w", "feed_ambient_w", "feed_stored_j", "battery_j", "unserved_w",
    "generator_w", "pv_w",
)  # fmt: skip
"""What a beat leaves behind, in this order; the parts of the plant's power follow. NaN where a
quantity is not modelled; ``dead_w`` is what went without voltage before the feed was asked."""
AS_THEY_ARE = {
    "it_power_w": "it_w",
    "server_power_w": "server_w",
    "network_power_w": "network_w",
    "storage_power_w": "storage_w",
    "loss_power_w": "loss_w",
    "cooling_power_w": "plant_w",
    "aux_power_w": "aux_w",
    "utility_power_w": "utility_w",
    "inlet_max_c": "inlet_max_c",
    "supply_c": "supply_c",
    "drybulb_c": "drybulb_c",
    "wetbulb_c": "wetbulb_c",
    "water_kg_per_s": "water_kg_per_s",
    "heat_unmet_w": "unmet_w",
    "throttled_gpus": "slowed_gpus",
    "battery_j": "battery_j",
    "capped_gpus": "capped_gpus",
    "slo_fraction": "slo_fraction",
    "pv_power_w": "pv_w",
    "generator_power_w": "generator_w",
    "storage_used_bytes": "stored_bytes",
}
"""Column of a row -> figure of a beat."""
MEANS = {
    "server_fan_power_w": "fan_j",
    "gpus_allocated": "allocated_s",
    "jobs_running": "running_s",
    "jobs_queued": "queued_s",
    "tokens_per_s": "tokens",
}
"""Column of a row -> integral over a beat."""


def plant_figures(plant: PlantState, rise_k: float) -> tuple[float, ...]:
    """Return what a plant leaves in ``BEAT``; the warmest servers draw air *rise_k* warmer."""
    return (
        plant.power_w,
        plant.inlet_max_c + rise_k,
        plant.supply_c,
        plant.water_kg_per_s,
        plant.unmet_w,
        plant.ambient_heat_w,
        plant.reused_heat_w,
        plant.stored_j,
        plant.free_fraction,
    )


def feed_figures(feed: FeedState) -> tuple[float, ...]:
    """Return what a feed leaves in ``BEAT``."""
    return (
        feed.utility_w,
        feed.loss_w,
        feed.ambient_heat_w,
        feed.stored_j,
        math.nan if feed.battery_j is None else feed.battery_j,
        feed.unserved_w,
        math.nan if feed.generator_w is None else feed.generator_w,
        math.nan if feed.pv_w is None else feed.pv_w,
    )


class Block:
    """The figures of some beats, one after another."""

    def __init__(self, beats: Sequence[Sequence[float]], parts: Sequence[str]) -> None:
        """Take *beats*, each the figures of ``BEAT`` and then the power of each of *parts*."""
        # Packed first: a third of the time that numpy takes to look at number after number.
        pack = Struct(f"{len(BEAT) + len(parts)}d").pack
        values = np.frombuffer(b"".join([pack(*beat) for beat in beats]))
        columns = values.reshape(len(beats), -1).T
        self.of: dict[str, Floats] = dict(zip(BEAT, columns, strict=False))
        self.parts_w = dict(zip(parts, islice(columns, len(BEAT), None), strict=True))
        self.lengths_s: Floats = self.of["to_s"] - self.of["from_s"]

    def rows(self, gpus: int, price_per_kwh: Floats, carbon_kg_per_kwh: Floats) -> Floats:
        """Return the rows of the record, shape (beats, columns); NaN where others fill them in.

        Parameters
        ----------
        gpus : int
            All GPUs of the cluster.
        price_per_kwh, carbon_kg_per_kwh : ndarray, shape (beats,)
            Means over each beat.
        """
        of, lengths_s = self.of, self.lengths_s
        made = {column: of[figure] for column, figure in AS_THEY_ARE.items()}
        made |= {column: of[figure] / lengths_s for column, figure in MEANS.items()}
        made["facility_power_w"] = of["it_w"] + of["loss_w"] + of["plant_w"] + of["aux_w"]
        made["gpu_active_fraction"] = of["active_s"] / lengths_s / gpus
        made["price_per_kwh"] = price_per_kwh
        made["carbon_kg_per_s"] = of["utility_w"] * carbon_kg_per_kwh / JOULES_PER_KWH
        rows = np.full((len(lengths_s), len(ROW)), np.nan)
        for column, values in made.items():
            rows[:, ROW.index(column)] = values
        return rows

    def residual(self, least_j: float) -> float:
        """Return by how much the ledger does not close in the worst of the beats [-].

        Of the energy of a beat or a part of it, and at least of *least_j*: a part may be so
        short that the rounding of large stores exceeds what it moved. The ledger only adds
        what each component says of itself.

        Raises
        ------
        RunError
            If a flow is not a number: it would compare with nothing, and pass as closed.
        """
        of, lengths_s = self.of, self.lengths_s
        # Auxiliaries (lighting, offices) give their heat to the outdoors.
        out_w = of["plant_ambient_w"] + of["reused_w"] + of["feed_ambient_w"] + of["aux_w"]
        out_w += (of["plant_stored_j"] + of["feed_stored_j"]) / lengths_s
        in_w = of["utility_w"] + np.nan_to_num(of["generator_w"]) + np.nan_to_num(of["pv_w"])
        given_j = np.minimum(of["feed_stored_j"], 0.0)  # what batteries give comes in, too
        taken_j = in_w * lengths_s - given_j
        residuals = np.abs(in_w - out_w) * lengths_s / np.maximum(taken_j, least_j)
        worst = float(residuals.max())
        if math.isnan(worst):
            at_s = of["from_s"][int(np.isnan(residuals).argmax())]
            raise RunError(
                f"the ledger cannot close: a flow is not a number {at_s:g} s into the run"
            )
        return worst

    def add_to(self, totals: Totals) -> None:
        """Add to *totals* what no column of the record holds, beat after beat."""
        of, lengths_s = self.of, self.lengths_s
        parts_j = totals.cooling_parts_j
        sums = {
            "unserved_j": (of["dead_w"] + of["unserved_w"]) * lengths_s,
            "reused_j": of["reused_w"] * lengths_s,
            "free_s": of["free_fraction"] * lengths_s,
            "requests": of["requests"],
            "powered_s": of["powered"] * lengths_s,
        }
        before = [getattr(totals, name) for name in sums] + [parts_j[part] for part in self.parts_w]
        beats = [*sums.values(), *(part_w * lengths_s for part_w in self.parts_w.values())]
        after = added(np.array(before), np.array(beats)).tolist()
        for name, total in zip(sums, after, strict=False):
            setattr(totals, name, total)
        parts_j.update(zip(self.parts_w, after[len(sums) :], strict=True))


def added(totals: Floats, values: Floats) -> Floats:
    """Return totals to which values have been added one after another, in their order.

    Parameters
    ----------
    totals : ndarray, shape (n,)
    values : ndarray, shape (n, beats)

    Returns
    -------
    ndarray, shape (n,)
        What a loop over the beats would give, to the last bit; a plain sum would not.

    Examples
    --------
    >>> added(np.array([1e16, 0.0]), np.array([[1.0, 1.0], [0.1, 0.2]])).tolist()
    [1e+16, 0.30000000000000004]
    """
    one_by_one: Floats = np.add.accumulate(np.column_stack((totals, values)), axis=1)
    return one_by_one[:, -1]
