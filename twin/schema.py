"""Every number a run writes: its name, unit, formula and where its definition comes from.

The tables below are the law for the files of a run folder. The recorder takes its
columns and their aggregation from them, the summary its keys, the reports their
labels, and the documentation its glossary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from twin.records import COMPLETED, KILLED, QUEUED, RUNNING

PUE_BOUNDARY = (
    "PUE = facility energy / IT energy over the whole period, never a mean of ratios. "
    "Facility = everything consumed inside the fence: IT + electrical losses + cooling + "
    "auxiliaries, storage losses included, change of stored energy excluded; the utility meter "
    "differs from it when generators, batteries or PV act. IT is measured at the server, switch "
    "and storage inlets (the output of the rack PDU)."
)
"""Where the PUE is measured; printed in every report."""

SLOWDOWN_BOUND_S = 10.0
"""Shortest service time a slowdown is taken over. [s]"""

ISO_PUE = "ISO/IEC 30134-2:2016, Power usage effectiveness"
ISO_WUE = "ISO/IEC 30134-9:2022, Water usage effectiveness"
ISO_CUE = "ISO/IEC 30134-8:2022, Carbon usage effectiveness"
GREEN_GRID_ERE = "The Green Grid, White Paper 29, ERE: a metric for measuring the benefit of reuse"
TUE = "Patterson et al., TUE, a new energy-efficiency metric applied at ORNL's Jaguar, ISC 2013"
ASHRAE_90_4 = "ANSI/ASHRAE Standard 90.4, Energy Standard for Data Centers, sections 6 and 8"
SCOPE_1 = "GHG Protocol, Corporate Standard, 2004, scope 1"
SCOPE_2 = "GHG Protocol, Scope 2 Guidance, 2015"
SLOWDOWN = "Feitelson and Rudolph, Metrics and benchmarking for parallel job scheduling, 1998"
ETTR = "Kokolis et al., Revisiting reliability in large-scale ML research clusters, HPCA 2025"
MFU = "Chowdhery et al., PaLM: scaling language modeling with pathways, 2022, appendix B"
IEEE_493 = "IEEE Std 493, Gold Book: availability = uptime / (uptime + downtime)"
OCCUPANCY = "China, Special action plan for green data centres, 2024: rack occupancy"
LEDGER = "energy ledger of the run"
WORKLOAD = "job table of the run"
PIPELINE_BOOKS = "books of the driving pipeline"
LITTLE = "Little, A proof for the queuing formula L = lambda W, 1961"

STATUSES = {
    QUEUED: "arrived and still waiting when the run ended",
    RUNNING: "holding GPUs when the run ended; services stay in this state",
    COMPLETED: "all work done",
    KILLED: "ended before its work was done and not restarted",
}
"""Every value of the ``status`` column of ``jobs.parquet``."""

Better = Literal["lower", "higher", "neither"]
Aggregate = Literal["start", "mean", "max", "min", "last", "ratio"]
Kind = Literal["number", "count", "text"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of ``summary.json``."""

    name: str
    label: str
    unit: str
    """``-`` for a ratio, ``fraction`` for 0-1 (shown in percent), ``currency`` for money."""
    formula: str
    reference: str
    group: str
    """Heading of the scorecard it stands under."""
    better: Better = "neither"
    after: str = ""
    """Key it is shown below; empty: below the one before it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Parquet file."""

    name: str
    unit: str
    formula: str
    reference: str = LEDGER
    aggregate: Aggregate = "mean"
    """How heartbeats become one output interval; used by ``series.parquet`` alone."""
    kind: Kind = "number"

    def metadata(self) -> dict[str, str]:
        """Return what the Parquet file says about the column."""
        return {"unit": self.unit, "meaning": self.formula}


def _keys(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


ENERGY = "Energy"
EFFICIENCY = "Efficiency"
POWER = "Power and density"
USE = "Utilization"
WORK = "Jobs and goodput"
SERVICE = "Inference"
COST = "Water, carbon and cost"
STORED = "Storage"
TRUST = "Limits and ledger"
FLOW = "Fleet to release"
GROUPS = (ENERGY, EFFICIENCY, POWER, USE, WORK, SERVICE, STORED, COST, TRUST, FLOW)
"""Headings of the scorecard, in order."""

SUMMARY = _keys(
    Key(
        "simulated_days",
        "Simulated time",
        "days",
        "simulated seconds / 86,400",
        LEDGER,
        ENERGY,
    ),
    Key(
        "it_energy_kwh",
        "IT energy",
        "kWh",
        "integral of it_power_w: servers with their fans, switches with optics, storage",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "facility_energy_kwh",
        "Facility energy",
        "kWh",
        "it_energy_kwh + loss_energy_kwh + cooling_energy_kwh + aux_energy_kwh",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "facility_energy_gwh",
        "Facility energy",
        "GWh",
        "facility_energy_kwh / 10^6",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "cooling_energy_kwh",
        "Cooling energy",
        "kWh",
        "integral of cooling_power_w: compressors, pumps, tower and hall fans",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "loss_energy_kwh",
        "Electrical losses",
        "kWh",
        "integral of loss_power_w: transformers, UPS, PDUs and cables at their actual load",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "aux_energy_kwh",
        "Auxiliary energy",
        "kWh",
        "integral of aux_power_w: lighting, offices, building management, warm generators",
        ISO_PUE,
        ENERGY,
        "lower",
    ),
    Key(
        "nameplate_energy_gwh",
        "Nameplate IT energy",
        "GWh",
        "nameplate power of all IT x simulated time: what a plate-rating estimate would say",
        "arithmetic",
        ENERGY,
    ),
    Key(
        "pue",
        "PUE",
        "-",
        "facility_energy_kwh / it_energy_kwh",
        ISO_PUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "tue",
        "TUE",
        "-",
        "pue x ITUE, ITUE = IT energy / (IT energy - server fan energy - server power supply "
        "losses where the server model reports them)",
        TUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "ppue_cooling",
        "Partial PUE, cooling",
        "-",
        "(it_energy_kwh + cooling_energy_kwh) / it_energy_kwh",
        ISO_PUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "ppue_power",
        "Partial PUE, power",
        "-",
        "(it_energy_kwh + loss_energy_kwh) / it_energy_kwh",
        ISO_PUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "wue_l_per_kwh",
        "WUE",
        "L/kWh",
        "water used on site / it_energy_kwh, 1 kg = 1 L",
        ISO_WUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "cue_kg_per_kwh",
        "CUE",
        "kg/kWh",
        "location-based CO2 of the electricity bought / it_energy_kwh",
        ISO_CUE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "ere",
        "ERE",
        "-",
        "(facility energy - heat reused) / IT energy",
        GREEN_GRID_ERE,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "mlc",
        "Mechanical load component",
        "-",
        "cooling_energy_kwh / it_energy_kwh (annualized energy form, over the simulated period)",
        ASHRAE_90_4,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "elc",
        "Electrical loss component",
        "-",
        "losses on the path to IT / (IT energy + those losses) = 1 - path efficiency "
        "(energy form, over the simulated period)",
        ASHRAE_90_4,
        EFFICIENCY,
        "lower",
    ),
    Key(
        "it_power_mean_mw",
        "IT power, mean",
        "MW",
        "it_energy_kwh / simulated hours",
        LEDGER,
        POWER,
    ),
    Key(
        "it_power_peak_mw",
        "IT power, peak",
        "MW",
        "largest mean of it_power_w over a beat: a heartbeat, or less where the load steps or "
        "something breaks",
        LEDGER,
        POWER,
        "lower",
    ),
    Key(
        "facility_power_mean_mw",
        "Facility power, mean",
        "MW",
        "facility_energy_kwh / simulated hours",
        LEDGER,
        POWER,
    ),
    Key(
        "facility_power_peak_mw",
        "Facility power, peak",
        "MW",
        "largest mean of facility_power_w over a beat",
        LEDGER,
        POWER,
        "lower",
    ),
    Key(
        "rack_density_mean_kw",
        "Rack power, mean",
        "kW",
        "mean over all IT racks and the whole time of a rack's power",
        LEDGER,
        POWER,
    ),
    Key(
        "rack_density_p95_kw",
        "Rack power, 95th percentile",
        "kW",
        "95th percentile over all IT racks and the whole time, weighted by time",
        LEDGER,
        POWER,
    ),
    Key(
        "rack_density_peak_kw",
        "Rack power, peak",
        "kW",
        "largest mean of any rack over a beat",
        LEDGER,
        POWER,
    ),
    Key(
        "stranded_power_kw",
        "Stranded rack power",
        "kW",
        "sum of rating - peak over the racks that hold IT: provisioned but never drawn",
        LEDGER,
        POWER,
        "lower",
    ),
    Key(
        "floor_density_kw_per_m2",
        "Floor density",
        "kW/m2",
        "it_power_peak_mw / IT floor area of the racks built",
        LEDGER,
        POWER,
    ),
    Key(
        "gpu_allocated_fraction",
        "GPUs allocated",
        "fraction",
        "GPU-seconds held by jobs / (GPUs x simulated seconds)",
        WORKLOAD,
        USE,
        "higher",
    ),
    Key(
        "gpu_active_fraction",
        "GPUs active",
        "fraction",
        "GPU-seconds weighted by GPU activity / (GPUs x simulated seconds)",
        WORKLOAD,
        USE,
        "higher",
    ),
    Key(
        "rack_occupancy_fraction",
        "Rack occupancy",
        "fraction",
        "racks that hold IT / racks built",
        OCCUPANCY,
        USE,
        "higher",
    ),
    Key(
        "jobs_submitted",
        "Jobs submitted",
        "jobs",
        "jobs that arrived, services included",
        WORKLOAD,
        WORK,
    ),
    Key(
        "jobs_completed",
        "Jobs completed",
        "jobs",
        "jobs whose work was all done",
        WORKLOAD,
        WORK,
        "higher",
    ),
    Key(
        "jobs_killed",
        "Jobs killed",
        "jobs",
        "jobs ended before their work was done and not restarted",
        WORKLOAD,
        WORK,
        "lower",
    ),
    Key(
        "wait_p50_s",
        "Wait, median",
        "s",
        "median over jobs that started of first start - arrival; jobs still queued are left out",
        WORKLOAD,
        WORK,
        "lower",
    ),
    Key(
        "wait_p95_s",
        "Wait, 95th percentile",
        "s",
        "95th percentile of the same waits",
        WORKLOAD,
        WORK,
        "lower",
    ),
    Key(
        "slowdown_p95",
        "Slowdown, 95th percentile",
        "-",
        "95th percentile over completed jobs of max(1, (finish - arrival) / max(service, 10 s))",
        SLOWDOWN,
        WORK,
        "lower",
    ),
    Key(
        "goodput_fraction",
        "Goodput",
        "fraction",
        "gpu_hours_useful / GPU-hours allocated: the rest is slowed, restarted or lost",
        ETTR,
        WORK,
        "higher",
    ),
    Key(
        "gpu_hours_useful",
        "Useful GPU-hours",
        "GPU-h",
        "work done and kept, at full rate, x GPUs",
        ETTR,
        WORK,
        "higher",
    ),
    Key(
        "gpu_hours_lost",
        "Lost GPU-hours",
        "GPU-h",
        "work done and thrown away: since the last checkpoint of a stopped job, x GPUs",
        ETTR,
        WORK,
        "lower",
    ),
    Key(
        "mfu_mean",
        "Model FLOPs utilization",
        "fraction",
        "useful model FLOPs / (peak FLOP/s x GPU-seconds held), jobs of known FLOPs only",
        MFU,
        WORK,
        "higher",
    ),
    Key(
        "requests_served",
        "Requests served",
        "requests",
        "requests answered by services",
        WORKLOAD,
        SERVICE,
        "higher",
    ),
    Key(
        "tokens_served",
        "Tokens served",
        "tokens",
        "tokens generated by services",
        WORKLOAD,
        SERVICE,
        "higher",
    ),
    Key(
        "ttft_p99_s",
        "Time to first token, p99",
        "s",
        "99th percentile over requests of first token - arrival",
        WORKLOAD,
        SERVICE,
        "lower",
    ),
    Key(
        "itl_p99_s",
        "Inter-token latency, p99",
        "s",
        "99th percentile of the time between two tokens of a request",
        WORKLOAD,
        SERVICE,
        "lower",
    ),
    Key(
        "slo_attainment_fraction",
        "Requests within SLO",
        "fraction",
        "requests that met their latency objectives / requests served",
        WORKLOAD,
        SERVICE,
        "higher",
    ),
    Key(
        "energy_per_token_j",
        "Energy per token",
        "J",
        "server energy of the services / tokens_served; cooling and losses not included",
        WORKLOAD,
        SERVICE,
        "lower",
    ),
    Key(
        "water_m3",
        "Water",
        "m3",
        "evaporation + drift + blowdown",
        ISO_WUE,
        COST,
        "lower",
    ),
    Key(
        "carbon_t",
        "Carbon, location-based",
        "t",
        "integral of utility power x grid carbon factor",
        SCOPE_2,
        COST,
        "lower",
    ),
    Key(
        "carbon_market_t",
        "Carbon, market-based",
        "t",
        "utility energy not covered by contracts x residual factor; null without contracts",
        SCOPE_2,
        COST,
        "lower",
    ),
    Key(
        "electricity_cost",
        "Electricity",
        "currency",
        "integral of utility power x tariff, and demand_cost where the tariff has it",
        "tariff of the site",
        COST,
        "lower",
    ),
    Key(
        "cost_per_gpu_hour",
        "Cost per GPU-hour",
        "currency/GPU-h",
        "annuity of capital + rent + electricity + water, over GPU-hours held",
        "economics of the scenario",
        COST,
        "lower",
    ),
    Key(
        "currency",
        "Currency",
        "text",
        "ISO 4217 code of every amount of money",
        "ISO 4217",
        COST,
    ),
    Key(
        "free_cooling_fraction",
        "Compressor-free time",
        "fraction",
        "time in which no compressor ran / simulated time",
        "cooling plant",
        TRUST,
        "higher",
    ),
    Key(
        "gpu_available_fraction",
        "GPU availability",
        "fraction",
        "time of GPUs whose server is in service (powered, whole, restarted) / all GPU time",
        WORKLOAD,
        TRUST,
        "higher",
    ),
    Key(
        "throttled_gpu_hours",
        "Throttled GPU-hours",
        "GPU-h",
        "GPU-hours slowed, by heat or by a power limit; capped_gpu_hours are the latter",
        LEDGER,
        TRUST,
        "lower",
    ),
    Key(
        "unserved_energy_kwh",
        "Unserved energy",
        "kWh",
        "power that loads drew when they lost their voltage x time until they had it back",
        LEDGER,
        TRUST,
        "lower",
    ),
    Key(
        "energy_residual_fraction",
        "Energy residual",
        "-",
        "largest over beats of |energy in - energy out| / max(energy in, 1 kW x heartbeat); "
        "discharge of batteries is energy in",
        LEDGER,
        TRUST,
        "lower",
    ),
    Key(
        "capped_gpu_hours",
        "Capped GPU-hours",
        "GPU-h",
        "the part of throttled_gpu_hours in which a power limit slowed them, heat or not",
        LEDGER,
        TRUST,
        "lower",
        "throttled_gpu_hours",
    ),
    Key(
        "power_available_fraction",
        "Power availability",
        "fraction",
        "time in which racks have voltage, weighted by their share of the IT load / all time",
        IEEE_493,
        TRUST,
        "higher",
        "gpu_available_fraction",
    ),
    Key(
        "minutes_to_throttle",
        "Loss to throttling",
        "min",
        "shortest time from the latest loss of cooling or power to GPUs slowed by heat; null "
        "where that never happened",
        LEDGER,
        TRUST,
        "higher",
        "capped_gpu_hours",
    ),
    Key(
        "minutes_to_trip",
        "Loss to shutdown",
        "min",
        "shortest time from the latest loss of cooling or power to servers shut down by heat; "
        "null where that never happened",
        LEDGER,
        TRUST,
        "higher",
        "minutes_to_throttle",
    ),
    Key(
        "storage_read_tb",
        "Read from storage",
        "TB",
        "sum over jobs of bytes read per second of work * work done, lost work included; and "
        "checkpoints loaded at restarts",
        LEDGER,
        STORED,
    ),
    Key(
        "storage_written_tb",
        "Written to storage",
        "TB",
        "sum over jobs of bytes written per second of work * work done, lost work included; and "
        "what was uploaded",
        LEDGER,
        STORED,
    ),
    Key(
        "energy_per_1000_requests_kwh",
        "Energy per 1,000 requests",
        "kWh",
        "server energy of the services / requests_served x 1000; cooling and losses not included",
        WORKLOAD,
        SERVICE,
        "lower",
        "energy_per_token_j",
    ),
    Key(
        "jobs_shed",
        "Jobs shed",
        "jobs",
        "jobs stopped because the feed could not carry them, each time counted",
        WORKLOAD,
        WORK,
        "lower",
        "jobs_killed",
    ),
    Key(
        "stranded_feed_kw",
        "Stranded feed power",
        "kW",
        "IT power that fits the feed at the end of the run, redundancy kept, - it_power_peak_mw; "
        "negative where the peak went beyond it",
        LEDGER,
        POWER,
        "lower",
        "stranded_power_kw",
    ),
    Key(
        "releases",
        "Releases",
        "releases",
        "batches of clips that went through all stages of the pipeline in the run",
        PIPELINE_BOOKS,
        FLOW,
        "higher",
    ),
    Key(
        "release_cycle_p50_days",
        "Recording to release, median",
        "days",
        "time from the mean clip of a batch being recorded to its release, over releases",
        PIPELINE_BOOKS,
        FLOW,
        "lower",
    ),
    Key(
        "release_cycle_p95_days",
        "Recording to release, 95th percentile",
        "days",
        "as release_cycle_p50_days",
        PIPELINE_BOOKS,
        FLOW,
        "lower",
    ),
    Key(
        "clips_recorded",
        "Clips recorded",
        "clips",
        "by the fleet in the run",
        PIPELINE_BOOKS,
        FLOW,
    ),
    Key(
        "clips_released",
        "Clips in releases",
        "clips",
        "selected clips of the batches released in the run",
        PIPELINE_BOOKS,
        FLOW,
        "higher",
    ),
    Key(
        "pipeline_backlog_days",
        "Backlog at the end",
        "days",
        "clips between recording and release at the end, over what each stage must do a day; "
        "in a steady state the time from recording to release",
        LITTLE,
        FLOW,
        "lower",
    ),
    Key(
        "pipeline_load_max",
        "Highest load",
        "-",
        "most that the pipeline and all other jobs ask of WAN, ingest, storage, hand labelling or "
        "GPUs, over what there is, and of room on the storage where uploads wait for it; above 1 "
        "the backlog grows without end",
        PIPELINE_BOOKS,
        FLOW,
        "lower",
    ),
    Key(
        "pv_energy_kwh",
        "PV energy used",
        "kWh",
        "integral of pv_power_w: what is not curtailed; null where there is no PV",
        LEDGER,
        ENERGY,
        "higher",
    ),
    Key(
        "generator_energy_kwh",
        "Generator energy",
        "kWh",
        "integral of generator_power_w; null where there are no generators",
        LEDGER,
        ENERGY,
        "lower",
    ),
    Key(
        "row_power_peak_kw",
        "Row power, peak",
        "kW",
        "largest mean of all racks of a row together over a beat; null where rows are not "
        "looked at",
        LEDGER,
        POWER,
        after="rack_density_peak_kw",
    ),
    Key(
        "break_even_fraction",
        "Break-even use",
        "-",
        "cost of the run over the rent of all GPU-hours there were: jobs must hold so much of them "
        "for owning to be cheaper, above 1 renting always is; null where no rent is known",
        "economics of the scenario",
        COST,
        "lower",
        after="cost_per_gpu_hour",
    ),
    Key(
        "requests_dropped",
        "Requests dropped",
        "requests",
        "requests asked - requests_served: turned away, given up while they waited, or made while "
        "the service had no GPUs",
        WORKLOAD,
        SERVICE,
        "lower",
        "requests_served",
    ),
    Key(
        "ttft_p50_s",
        "Time to first token, median",
        "s",
        "median over requests of first token - arrival",
        WORKLOAD,
        SERVICE,
        "lower",
        "tokens_served",
    ),
    Key(
        "itl_p50_s",
        "Inter-token latency, median",
        "s",
        "median of the time between two tokens of a request",
        WORKLOAD,
        SERVICE,
        "lower",
        "ttft_p99_s",
    ),
    Key(
        "demand_cost",
        "Electricity, thereof demand",
        "currency",
        "sum over calendar months of the highest quarter-hour mean of utility power x charge per "
        "kW and month x part of the month in the run; part of electricity_cost; null where the "
        "tariff has none",
        "tariff of the site",
        COST,
        "lower",
        "electricity_cost",
    ),
    Key(
        "it_capex",
        "IT, to buy",
        "currency",
        "GPUs (of a build-out, in the mean) x price x (1 + share of servers, network and storage)",
        "economics of the scenario",
        COST,
        "lower",
        "currency",
    ),
    Key(
        "building_capex",
        "Building, to buy",
        "currency",
        "built plate rating of IT x price per watt, of liquid too + floor_area_m2 x price per m2 + "
        "racks_built x price of a position",
        "economics of the scenario",
        COST,
        "lower",
        "it_capex",
    ),
    Key(
        "racks_built",
        "Rack positions",
        "racks",
        "rack positions built, filled or not",
        "configuration",
        POWER,
        "neither",
        "row_power_peak_kw",
    ),
    Key(
        "floor_area_m2",
        "IT floor",
        "m2",
        "racks_built x floor area of a position, with aisles",
        "configuration",
        POWER,
        "neither",
        "racks_built",
    ),
    Key(
        "storage_used_max_tb",
        "Held by storage, most",
        "TB",
        "largest sum of what was there before, uploads kept and checkpoints kept; null where the "
        "capacity is not known",
        LEDGER,
        STORED,
        after="storage_written_tb",
    ),
    Key(
        "storage_stalled_gpu_hours",
        "Stalled by a full storage",
        "GPU-h",
        "GPU time of jobs that stood still until a checkpoint found room; null where the capacity "
        "is not known",
        LEDGER,
        STORED,
        "lower",
        "storage_used_max_tb",
    ),
    Key(
        "set_point_moves",
        "Set points moved",
        "times",
        "how often the reset of the cooling plant moved its air or water; null where set points "
        "stand still",
        "cooling plant",
        TRUST,
        after="free_cooling_fraction",
    ),
    Key(
        "generator_fuel_m3",
        "Generator fuel",
        "m3",
        "burnt by the sets that run, spare ones that turn along included; null where there are no "
        "generators, or where it is not known how much they take per kWh",
        LEDGER,
        ENERGY,
        "lower",
        "generator_energy_kwh",
    ),
    Key(
        "generator_carbon_t",
        "Carbon of generators",
        "t",
        "generator_fuel_m3 x what a litre emits; on site (scope 1), not part of carbon_t; null "
        "where generator_fuel_m3 is, or where that is not known",
        SCOPE_1,
        COST,
        "lower",
        "carbon_market_t",
    ),
)
"""Keys of ``summary.json``, in order."""


def _reading_order() -> dict[str, Key]:
    order: list[str] = []
    for name, key in SUMMARY.items():
        order.insert(order.index(key.after) + 1 if key.after else len(order), name)
    place = {name: (GROUPS.index(SUMMARY[name].group), k) for k, name in enumerate(order)}
    return {name: SUMMARY[name] for name in sorted(order, key=place.__getitem__)}


SCORECARD = _reading_order()
"""The same keys as a reader meets them: by heading, and what belongs together side by side."""

SERIES = _columns(
    Column("at_s", "s", "start of the interval, from the start of the run", "run clock", "start"),
    Column("it_power_w", "W", "servers + network + storage, at their inlets", ISO_PUE),
    Column("server_power_w", "W", "servers with their fans and power supplies"),
    Column("server_fan_power_w", "W", "fans inside servers, part of server_power_w", TUE),
    Column("network_power_w", "W", "switches and optics"),
    Column("storage_power_w", "W", "shared storage"),
    Column("loss_power_w", "W", "losses of all elements of the power feed", ISO_PUE),
    Column("cooling_power_w", "W", "compressors, pumps, tower and hall fans", ISO_PUE),
    Column(
        "aux_power_w",
        "W",
        "lighting, offices, building management, warm generators",
        ISO_PUE,
    ),
    Column("facility_power_w", "W", "IT + losses + cooling + auxiliaries", ISO_PUE),
    Column("utility_power_w", "W", "power at the utility meter"),
    Column(
        "pue",
        "-",
        "mean facility_power_w / mean it_power_w of the interval; null where IT is 0",
        ISO_PUE,
        "ratio",
    ),
    Column("gpus_allocated", "GPUs", "GPUs held by jobs", WORKLOAD),
    Column("gpu_active_fraction", "fraction", "activity-weighted GPUs / all GPUs", WORKLOAD),
    Column("jobs_running", "jobs", "jobs holding GPUs, services included", WORKLOAD),
    Column("jobs_queued", "jobs", "jobs waiting", WORKLOAD),
    Column("rack_power_max_w", "W", "power of the fullest rack", LEDGER, "max"),
    Column("inlet_max_c", "degC", "highest server inlet temperature", "cooling plant", "max"),
    Column("supply_c", "degC", "supply air or liquid temperature", "cooling plant"),
    Column("drybulb_c", "degC", "outdoor dry bulb", "weather of the site"),
    Column("wetbulb_c", "degC", "outdoor wet bulb", "weather of the site"),
    Column("water_kg_per_s", "kg/s", "evaporation + drift + blowdown", ISO_WUE),
    Column("carbon_kg_per_s", "kg/s", "utility power x grid carbon factor", SCOPE_2),
    Column("price_per_kwh", "currency/kWh", "electricity price", "tariff of the site"),
    Column("heat_unmet_w", "W", "heat that came in and was not removed", "cooling plant"),
    Column("throttled_gpus", "GPUs", "GPUs slowed, by heat or by a power limit"),
    Column("battery_j", "J", "energy in batteries at the end of the interval", LEDGER, "last"),
    Column("tokens_per_s", "tokens/s", "tokens generated by services", WORKLOAD),
    Column("capped_gpus", "GPUs", "GPUs slowed by a power limit, part of throttled_gpus"),
    Column(
        "slo_fraction",
        "fraction",
        "requests that met their latency objectives / requests, of services that model latency; "
        "null where there are none",
        WORKLOAD,
    ),
    Column("pv_power_w", "W", "photovoltaic power on site that is used; null where there is none"),
    Column("generator_power_w", "W", "power from generators on site; null where there are none"),
    Column(
        "row_power_max_w",
        "W",
        "power of the fullest row of racks; null where rows are not looked at",
        LEDGER,
        "max",
    ),
    Column(
        "storage_used_bytes",
        "B",
        "on the shared storage: what was there before, uploads kept, checkpoints kept; null where "
        "its capacity is not known",
        LEDGER,
    ),
)
"""Columns of ``series.parquet``, in order."""

JOBS = _columns(
    Column("job_id", "text", "name of the job in its trace", WORKLOAD, kind="text"),
    Column("kind", "text", "training, inference, ...", WORKLOAD, kind="text"),
    Column("arrived_at_s", "s", "submission, from the start of the run", WORKLOAD),
    Column("started_at_s", "s", "first start; null if never", WORKLOAD),
    Column("finished_at_s", "s", "end; null if not ended", WORKLOAD),
    Column("gpus", "GPUs", "GPUs asked for, all or none", WORKLOAD, kind="count"),
    Column("status", "text", "one of: " + ", ".join(STATUSES), WORKLOAD, kind="text"),
    Column("wait_s", "s", "started_at_s - arrived_at_s", WORKLOAD),
    Column("service_s", "s", "time spent holding GPUs", WORKLOAD),
    Column(
        "slowdown",
        "-",
        "max(1, (finished_at_s - arrived_at_s) / max(service_s, 10 s)); null if not ended",
        SLOWDOWN,
    ),
    Column("restarts", "-", "times it was started again", WORKLOAD, kind="count"),
    Column("lost_gpu_s", "GPU-s", "work thrown away x GPUs", ETTR),
    Column(
        "energy_j",
        "J",
        "its share of server energy; on a server shared with other jobs, as if all of its GPUs "
        "worked as the job's do",
        WORKLOAD,
    ),
    Column("rack_spread", "racks", "racks its placement touched", WORKLOAD, kind="count"),
)
"""Columns of ``jobs.parquet``, in order."""

RACKS = _columns(
    Column("rack_id", "text", "name of the rack", kind="text"),
    Column("hall", "text", "hall it stands in", kind="text"),
    Column("cooling", "text", "how it is cooled", kind="text"),
    Column("rated_kw", "kW", "what it may draw"),
    Column("power_mean_kw", "kW", "mean over the run"),
    Column(
        "power_p95_kw",
        "kW",
        "95th percentile of means over beats, by their length, from 200 bins of rated_kw",
    ),
    Column("power_peak_kw", "kW", "largest mean over a beat"),
    Column("inlet_max_c", "degC", "highest inlet temperature", "cooling plant"),
    Column("throttled_s", "s", "time in which its GPUs were slowed"),
)
"""Columns of ``racks.parquet``, in order."""

EVENTS = _columns(
    Column("at_s", "s", "instant, from the start of the run"),
    Column("kind", "text", "trip, repair, transfer, throttle, shed, ...", kind="text"),
    Column("where", "text", "the unit concerned", kind="text"),
    Column("detail", "text", "what happened, in words", kind="text"),
)
"""Columns of ``events.parquet``, in order."""

BURST = _columns(
    Column("burst", "-", "number of the window, from 0; see clock.burst", kind="count"),
    Column("at_s", "s", "start of the sample, from the start of the run"),
    Column("it_power_w", "W", "mean over the sample; over whole steps, that of the run"),
    Column("utility_power_w", "W", "the same at the utility meter, cooling held still"),
)
"""Columns of ``burst.parquet``, in order; written where ``clock.burst`` asks for it."""

PIPELINE = _columns(
    Column("at_s", "s", "instant, from the start of the run; every quarter of an hour"),
    Column("recorded", "clips", "recorded by the fleet since the start", PIPELINE_BOOKS),
    Column("upload", "clips", "in the vehicles, waiting for the WAN", PIPELINE_BOOKS),
    Column("ingest", "clips", "uploaded and not yet written to the storage", PIPELINE_BOOKS),
    Column("gathering", "clips", "written, their batch not yet complete", PIPELINE_BOOKS),
    Column("selection", "clips", "in batches that are searched for useful clips", PIPELINE_BOOKS),
    Column("labelling", "clips", "selected, in batches being labelled", PIPELINE_BOOKS),
    Column("reconstruction", "clips", "in batches rebuilt in 3-D and multiplied", PIPELINE_BOOKS),
    Column("training", "clips", "in batches that models are trained on", PIPELINE_BOOKS),
    Column("simulation", "clips", "in batches whose candidate release is tested", PIPELINE_BOOKS),
    Column("discarded", "clips", "not selected, since the start", PIPELINE_BOOKS),
    Column("released", "clips", "in releases since the start", PIPELINE_BOOKS),
)
"""Columns of ``pipeline.parquet``, which only runs with a driving pipeline have."""

FILES = {
    "series": SERIES,
    "jobs": JOBS,
    "racks": RACKS,
    "events": EVENTS,
    "burst": BURST,
    "pipeline": PIPELINE,
}
"""The Parquet files of a run folder, without their suffix."""

ROW = tuple(name for name in SERIES if name not in ("at_s", "pue"))
"""Order of the values the recorder is given each heartbeat."""


def glossary() -> str:
    """Return the data dictionary of a run folder as Markdown.

    Examples
    --------
    >>> glossary().splitlines()[0]
    '# Glossary of results'
    """
    parts = ["# Glossary of results", "", PUE_BOUNDARY, "", "## summary.json", ""]
    parts += _table(
        ("key", "unit", "formula", "reference"),
        ((f"`{k.name}`", k.unit, k.formula, k.reference) for k in SUMMARY.values()),
    )
    for name, columns in FILES.items():
        parts += ["", f"## {name}.parquet", ""]
        if columns is SERIES:
            head: tuple[str, ...] = ("column", "unit", "over an interval", "meaning", "reference")
            rows = [
                (f"`{c.name}`", c.unit, c.aggregate, c.formula, c.reference)
                for c in columns.values()
            ]
            parts += _table(head, rows)
        else:
            parts += _table(
                ("column", "unit", "meaning", "reference"),
                ((f"`{c.name}`", c.unit, c.formula, c.reference) for c in columns.values()),
            )
    parts += ["", "## Status of a job", ""]
    parts += _table(("status", "meaning"), ((f"`{s}`", why) for s, why in STATUSES.items()))
    return "\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return lines
