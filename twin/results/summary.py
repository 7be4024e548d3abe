"""What a run adds up to: the totals it accumulates and the scorecard made of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import numpy as np

from twin import metrics
from twin.files import write_text
from twin.records import COMPLETED, FlowReport
from twin.results.racks import RackPower
from twin.results.run_folder import read_columns
from twin.schema import FLOW, SUMMARY
from twin.units import (
    BYTES_PER_TERABYTE,
    JOULES_PER_GWH,
    JOULES_PER_KWH,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
)

Summary = dict[str, float | int | str | None]

WATTS_PER_MEGAWATT = 1e6
KILOGRAMS_PER_TONNE = 1e3
ROUNDING = 1e-9
"""Requests dropped below this share of those asked are a rounding rest."""
KILOGRAMS_PER_M3 = 1e3
LITRES_PER_M3 = 1000.0


@dataclass(slots=True)
class Totals:
    """Sums a run accumulates beat by beat and job by job.

    A value that is ``None`` was not modelled and stays null in the summary.
    """

    seconds: float = 0.0
    it_j: float = 0.0
    fan_j: float = 0.0
    """Fans inside servers, part of ``it_j``. [J]"""
    storage_j: float = 0.0
    storage_read_bytes: float = 0.0
    storage_written_bytes: float = 0.0
    storage_most_bytes: float | None = None
    storage_stalled_gpu_s: float | None = None
    """Both None where its capacity is not known."""
    loss_j: float = 0.0
    it_loss_j: float = 0.0
    """Losses on the path to IT, part of ``loss_j``. [J]"""
    cooling_j: float = 0.0
    cooling_parts_j: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """``cooling_j`` by component. [J]"""
    aux_j: float = 0.0
    facility_j: float = 0.0
    pv_j: float | None = None
    generator_j: float | None = None
    fuel_l: float | None = None
    fuel_carbon_kg: float | None = None
    reused_j: float = 0.0
    unserved_j: float = 0.0
    water_kg: float = 0.0
    carbon_kg: float = 0.0
    carbon_market_kg: float | None = None
    cost: float = 0.0
    """Electricity by the kWh, in the currency of the site."""
    demand_cost: float | None = None
    """What the tariff charges for demand, in the same; None where it does not."""
    free_s: float = 0.0
    """Time in which no compressor ran. [s]"""
    set_point_moves: int | None = None
    """How often set points of the plant were moved; None where they stand still."""
    it_peak_w: float = 0.0
    facility_peak_w: float = 0.0
    residual_max: float = 0.0

    gpu_allocated_s: float = 0.0
    gpu_active_s: float = 0.0
    """Weighted by activity. [GPU-s]"""
    gpu_out_s: float = 0.0
    """Time of GPUs whose server was out of service. [GPU-s]"""
    throttled_gpu_s: float = 0.0
    capped_gpu_s: float = 0.0
    """The part of it in which a power limit acted. [GPU-s]"""
    jobs_shed: int = 0
    feed_fits_w: float = inf
    """IT power that fits the feed in the end, with its redundancy; ``inf``: no limit known. [W]"""
    powered_s: float = 0.0
    """Time of racks with voltage, weighted by their share of the IT load. [s]"""
    throttle_after_s: float = inf
    """Shortest time from a loss of cooling or power to throttling by heat; ``inf``: never. [s]"""
    trip_after_s: float = inf
    """The same to a shutdown by heat. [s]"""
    useful_gpu_s: float = 0.0
    lost_gpu_s: float = 0.0
    flops: float = 0.0
    """Useful FLOPs of the jobs whose FLOPs are known. [FLOP]"""
    flops_gpu_s: float = 0.0
    """GPU time those jobs held. [GPU-s]"""
    jobs_submitted: int = 0
    jobs_completed: int = 0
    jobs_killed: int = 0

    requests: float = 0.0
    requests_asked: float = 0.0
    tokens: float = 0.0
    service_j: float = 0.0
    """Server energy of the services. [J]"""
    requests_within_slo: float | None = None
    flow: FlowReport | None = None
    """What came of the pipeline of batches, where there is one."""
    ttft_p50_s: float | None = None
    ttft_p99_s: float | None = None
    itl_p50_s: float | None = None
    itl_p99_s: float | None = None

    @property
    def electricity_cost(self) -> float:
        """All of the bill, in the currency of the site."""
        return self.cost + (self.demand_cost or 0.0)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the scorecard must know of the facility besides the totals."""

    gpus: int
    racks_built: int
    floor_area_m2: float
    """IT floor of the racks built. [m2]"""
    nameplate_it_w: float
    """Plate rating of all IT. [W]"""
    currency: str
    has_services: bool = False
    """Whether the workload serves requests; without, their keys are null."""
    peak_flops: float = 0.0
    """Dense peak of one GPU; 0 where unknown. [FLOP/s]"""
    cost_per_gpu_hour: float | None = None
    break_even_fraction: float | None = None
    """Use from which owning is cheaper than renting."""
    it_capex: float | None = None
    building_capex: float | None = None
    """Power, cooling, floor and racks."""
    missing_fraction: float = 0.0
    """Part of all rack-time in which a rack of a build-out did not stand yet."""


def summarize(totals: Totals, facts: Facts, racks: RackPower, jobs_path: Path) -> Summary:
    """Return the scorecard: every key of ``schema.SUMMARY``, None where it does not apply.

    Parameters
    ----------
    totals : Totals
        What the run accumulated.
    facts : Facts
        What the facility is.
    racks : RackPower
        Power of the racks that hold IT.
    jobs_path : Path
        The finished ``jobs.parquet``; waits and slowdowns are read from it.
    """
    found: Summary = {
        **_energies(totals, facts),
        **_ratios(totals),
        **_powers(totals, facts, racks),
        **_work(totals, facts),
        **_faults(totals),
        **_waits(jobs_path),
        **_services(totals, facts),
        **_flow(totals),
        **_money(totals, facts),
    }
    return {name: _finite(found[name]) for name in SUMMARY}


def write_summary(summary: Mapping[str, float | int | str | None], folder: Path) -> Path:
    """Write ``summary.json``, whole or not at all; the last file of a run."""
    text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
    return write_text(folder / "summary.json", text)


def _finite(value: float | int | str | None) -> float | int | str | None:
    """Return None for what is not a number: NaN means not known, and JSON has no NaN."""
    return value if not isinstance(value, float) or np.isfinite(value) else None


def _energies(t: Totals, facts: Facts) -> Summary:
    return {
        "simulated_days": t.seconds / SECONDS_PER_DAY,
        "it_energy_kwh": t.it_j / JOULES_PER_KWH,
        "facility_energy_kwh": t.facility_j / JOULES_PER_KWH,
        "facility_energy_gwh": t.facility_j / JOULES_PER_GWH,
        "cooling_energy_kwh": t.cooling_j / JOULES_PER_KWH,
        "loss_energy_kwh": t.loss_j / JOULES_PER_KWH,
        "aux_energy_kwh": t.aux_j / JOULES_PER_KWH,
        "nameplate_energy_gwh": facts.nameplate_it_w * t.seconds / JOULES_PER_GWH,
        "unserved_energy_kwh": t.unserved_j / JOULES_PER_KWH,
        "energy_residual_fraction": t.residual_max,
        "pv_energy_kwh": None if t.pv_j is None else t.pv_j / JOULES_PER_KWH,
        "generator_energy_kwh": None if t.generator_j is None else t.generator_j / JOULES_PER_KWH,
        "generator_fuel_m3": None if t.fuel_l is None else t.fuel_l / LITRES_PER_M3,
    }


def _ratios(t: Totals) -> Summary:
    return {
        "pue": metrics.pue(t.facility_j, t.it_j),
        "tue": metrics.tue(t.facility_j, t.it_j, t.fan_j),
        "ppue_cooling": metrics.ppue(t.cooling_j, t.it_j),
        "ppue_power": metrics.ppue(t.loss_j, t.it_j),
        "wue_l_per_kwh": metrics.wue_l_per_kwh(t.water_kg, t.it_j),
        "cue_kg_per_kwh": metrics.cue_kg_per_kwh(t.carbon_kg, t.it_j),
        "ere": metrics.ere(t.facility_j, t.reused_j, t.it_j),
        "mlc": metrics.mlc(t.cooling_j, t.it_j),
        "elc": metrics.elc(t.it_loss_j, t.it_j),
        "free_cooling_fraction": metrics.free_cooling_fraction(t.free_s, t.seconds),
        "set_point_moves": t.set_point_moves,
    }


def _powers(t: Totals, facts: Facts, racks: RackPower) -> Summary:
    mean_kw, p95_kw, peak_kw = racks.density_kw()
    row_peak_w = racks.row_peak_w()
    stranded_w = np.maximum(racks.rated_w - racks.peak_w(), 0.0).sum()
    return {
        "it_power_mean_mw": metrics.ratio(t.it_j / WATTS_PER_MEGAWATT, t.seconds),
        "it_power_peak_mw": t.it_peak_w / WATTS_PER_MEGAWATT,
        "facility_power_mean_mw": metrics.ratio(t.facility_j / WATTS_PER_MEGAWATT, t.seconds),
        "facility_power_peak_mw": t.facility_peak_w / WATTS_PER_MEGAWATT,
        "rack_density_mean_kw": mean_kw,
        "rack_density_p95_kw": p95_kw,
        "rack_density_peak_kw": peak_kw,
        "row_power_peak_kw": None if row_peak_w is None else row_peak_w / 1e3,
        "stranded_power_kw": float(stranded_w) / 1e3,
        "floor_density_kw_per_m2": metrics.ratio(t.it_peak_w / 1e3, facts.floor_area_m2),
        "racks_built": facts.racks_built,
        "floor_area_m2": facts.floor_area_m2,
        "rack_occupancy_fraction": metrics.ratio(
            len(racks.rated_w) * (1.0 - facts.missing_fraction), facts.racks_built
        ),
    }


def _work(t: Totals, facts: Facts) -> Summary:
    missing_gpu_s = facts.missing_fraction * facts.gpus * t.seconds
    all_gpu_s = facts.gpus * t.seconds - missing_gpu_s
    return {
        "gpu_allocated_fraction": metrics.ratio(t.gpu_allocated_s, all_gpu_s),
        "gpu_active_fraction": metrics.ratio(t.gpu_active_s, all_gpu_s),
        "jobs_submitted": t.jobs_submitted,
        "jobs_completed": t.jobs_completed,
        "jobs_killed": t.jobs_killed,
        "goodput_fraction": metrics.goodput_fraction(t.useful_gpu_s, t.gpu_allocated_s),
        "gpu_hours_useful": t.useful_gpu_s / SECONDS_PER_HOUR,
        "gpu_hours_lost": t.lost_gpu_s / SECONDS_PER_HOUR,
        "mfu_mean": metrics.mfu(t.flops, facts.peak_flops, t.flops_gpu_s),
        "gpu_available_fraction": metrics.ratio(all_gpu_s + missing_gpu_s - t.gpu_out_s, all_gpu_s),
        "throttled_gpu_hours": t.throttled_gpu_s / SECONDS_PER_HOUR,
        "capped_gpu_hours": t.capped_gpu_s / SECONDS_PER_HOUR,
        "storage_read_tb": t.storage_read_bytes / BYTES_PER_TERABYTE,
        "storage_written_tb": t.storage_written_bytes / BYTES_PER_TERABYTE,
        "storage_used_max_tb": _per(t.storage_most_bytes, BYTES_PER_TERABYTE),
        "storage_stalled_gpu_hours": _per(t.storage_stalled_gpu_s, SECONDS_PER_HOUR),
    }


def _per(quantity: float | None, unit: float) -> float | None:
    return None if quantity is None else quantity / unit


def _faults(t: Totals) -> Summary:
    return {
        "jobs_shed": t.jobs_shed,
        "stranded_feed_kw": (t.feed_fits_w - t.it_peak_w) / 1e3,
        "power_available_fraction": metrics.ratio(t.powered_s, t.seconds),
        "minutes_to_throttle": t.throttle_after_s / SECONDS_PER_MINUTE,
        "minutes_to_trip": t.trip_after_s / SECONDS_PER_MINUTE,
    }


def _waits(jobs_path: Path) -> Summary:
    """Percentiles from the job table, so that no list of waits is kept in memory."""
    jobs = read_columns(jobs_path, ["wait_s", "slowdown", "status"])
    waits = jobs["wait_s"][~np.isnan(jobs["wait_s"])]
    slowdowns = jobs["slowdown"][jobs["status"] == COMPLETED]
    return {
        "wait_p50_s": _percentile(waits, 50.0),
        "wait_p95_s": _percentile(waits, 95.0),
        "slowdown_p95": _percentile(slowdowns, 95.0),
    }


def _percentile(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], q: float
) -> float | None:
    return float(np.percentile(values, q)) if len(values) else None


def _services(t: Totals, facts: Facts) -> Summary:
    dropped = t.requests_asked - t.requests
    served: Summary = {
        "requests_served": t.requests,
        "requests_dropped": dropped if dropped > ROUNDING * t.requests_asked else 0.0,
        "tokens_served": t.tokens,
        "ttft_p50_s": t.ttft_p50_s,
        "itl_p50_s": t.itl_p50_s,
        "ttft_p99_s": t.ttft_p99_s,
        "itl_p99_s": t.itl_p99_s,
        "slo_attainment_fraction": None
        if t.requests_within_slo is None
        else metrics.ratio(t.requests_within_slo, t.requests),
        "energy_per_token_j": metrics.ratio(t.service_j, t.tokens) if t.service_j else None,
        "energy_per_1000_requests_kwh": None
        if not (t.service_j and t.requests)
        else t.service_j / JOULES_PER_KWH / (t.requests / 1000.0),
    }
    return served if facts.has_services else dict.fromkeys(served)


def _flow(t: Totals) -> Summary:
    keys = [name for name, key in SUMMARY.items() if key.group == FLOW]
    return dict.fromkeys(keys) | ({} if t.flow is None else t.flow.summary)


def _money(t: Totals, facts: Facts) -> Summary:
    market_kg, fuel_kg = t.carbon_market_kg, t.fuel_carbon_kg
    return {
        "water_m3": t.water_kg / KILOGRAMS_PER_M3,
        "carbon_t": t.carbon_kg / KILOGRAMS_PER_TONNE,
        "carbon_market_t": None if market_kg is None else market_kg / KILOGRAMS_PER_TONNE,
        "generator_carbon_t": None if fuel_kg is None else fuel_kg / KILOGRAMS_PER_TONNE,
        "electricity_cost": t.electricity_cost,
        "demand_cost": t.demand_cost,
        "cost_per_gpu_hour": facts.cost_per_gpu_hour,
        "break_even_fraction": facts.break_even_fraction,
        "it_capex": facts.it_capex,
        "building_capex": facts.building_capex,
        "currency": facts.currency,
    }
