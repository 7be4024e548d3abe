"""What a run came to: the totals of all who kept account, what it cost, what each rack did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.build import Design
from twin.economics import Building, Capital, Costs
from twin.facility.heartbeat import Facility
from twin.records import Used
from twin.results.summary import Facts
from twin.units import SECONDS_PER_HOUR


def add_up(design: Design, facility: Facility) -> None:
    """Carry what jobs, requests and batches came to over to the totals of the run."""
    _add_work(facility)
    _add_latencies(design, facility)
    _add_flow(design, facility)


def _add_work(facility: Facility) -> None:
    """Carry what the dispatcher counted over to the totals."""
    totals, desk = facility.totals, facility.dispatcher
    done, moved, saving = desk.done, desk.traffic.moved, desk.saving
    totals.useful_gpu_s = max(done.useful_gpu_s, 0.0)  # lost work leaves a rounding rest
    totals.lost_gpu_s = done.lost_gpu_s
    totals.storage_read_bytes = moved.read_bytes
    totals.storage_written_bytes = moved.written_bytes
    if saving is not None:
        totals.storage_written_bytes -= saving.unwritten_bytes
        totals.storage_most_bytes = saving.space.most_bytes
        totals.storage_stalled_gpu_s = saving.stalled_gpu_s
    totals.flops = max(done.useful_flops, 0.0)
    totals.flops_gpu_s = done.known_flops_gpu_s
    totals.jobs_submitted = done.submitted
    totals.jobs_completed = done.completed
    totals.jobs_killed = done.killed
    totals.service_j = done.service_j
    totals.requests_asked = desk.tally.asked


def _add_latencies(design: Design, facility: Facility) -> None:
    """Carry over how long requests waited, where the workload knows."""
    latency = design.workload.latency(facility.dispatcher.offers.paces)
    if latency is None:
        return
    totals = facility.totals
    totals.ttft_p50_s, totals.itl_p50_s = latency.ttft_s(0.5), latency.itl_s(0.5)
    totals.ttft_p99_s, totals.itl_p99_s = latency.ttft_s(0.99), latency.itl_s(0.99)
    within = latency.within_fraction()
    totals.requests_within_slo = None if within is None else within * totals.requests


def _add_flow(design: Design, facility: Facility) -> None:
    """Carry over what came of a pipeline of batches, where the workload has one."""
    totals, desk = facility.totals, facility.dispatcher
    totals.flow = design.workload.flow_report(
        Used(
            seconds=totals.seconds,
            gpus=design.facility.gpus,
            held_gpu_s=totals.gpu_allocated_s,
            read_bytes=totals.storage_read_bytes,
            written_bytes=totals.storage_written_bytes,
            storage_load=design.storage.asked_fraction,
            room=desk.saving.short_room(desk.traffic.inlet) if desk.saving else None,
        )
    )


def facts(design: Design, facility: Facility) -> Facts:
    """Return what the scorecard must know of the facility besides the totals."""
    totals, config = facility.totals, design.facility
    gpu_hours = totals.gpu_allocated_s / SECONDS_PER_HOUR
    missing, paid = missing_fraction(design), costs(design, facility)
    there_were = config.gpus * (1.0 - missing) * totals.seconds / SECONDS_PER_HOUR
    rent = design.economics.rent(there_were, design.site.currency)
    bought, rate = capital(design), design.economics.exchange(design.site.currency)
    return Facts(
        gpus=config.gpus,
        racks_built=design.positions,
        floor_area_m2=design.floor_m2,
        nameplate_it_w=standing_w(design),
        missing_fraction=missing,
        currency=design.site.currency,
        has_services=design.workload.held_gpus() > 0,
        peak_flops=design.gpu.peak_flops,
        cost_per_gpu_hour=paid.per_gpu_hour(gpu_hours),
        break_even_fraction=paid.break_even(rent),
        it_capex=rate * bought.it,
        building_capex=rate * (bought.building + bought.floor),
    )


def missing_fraction(design: Design) -> float:
    """Return the part of all rack-time in which a rack of a build-out did not stand yet."""
    return design.build_out.missing_fraction(design.duration_s) if design.build_out else 0.0


def standing_w(design: Design) -> float:
    """Return the plate rating of all IT that stood, on the mean over the run [W]."""
    storage_w = design.storage.power_w(float("inf"))
    racks_w = design.it_nameplate_w - storage_w
    return storage_w + racks_w * (1.0 - missing_fraction(design))


def capital(design: Design) -> Capital:
    """Return what is paid once, in the currency of the prices; IT as it stood in the mean."""
    in_liquid = design.cooling.liquid_fraction()
    if in_liquid < 1.0:  # of the servers; where it is all, switches and storage stand in it too
        in_liquid *= design.rack_plate_w / design.built_it_w
    building = Building(  # it stands from the start
        design.built_it_w,
        in_liquid,
        design.floor_m2,
        design.positions,
    )
    gpus = round(design.facility.gpus * (1.0 - missing_fraction(design)))
    return design.economics.capital(gpus, building)


def costs(design: Design, facility: Facility) -> Costs:
    """Return what the run cost, by what it is paid for."""
    totals = facility.totals
    return design.economics.costs(
        capital(design),
        hours=totals.seconds / SECONDS_PER_HOUR,
        energy_cost=totals.electricity_cost,
        water_m3=totals.water_kg / 1e3,
        currency=design.site.currency,
    )


def rack_table(design: Design, facility: Facility) -> dict[str, list[Any]]:
    """Return the columns of ``racks.parquet``."""
    number = facility.cluster.racks
    heat = facility.heat_limit
    zones = [heat.zones[zone] for zone in heat.zone_of]
    power: Mapping[str, Any] = facility.racks.table()
    width = len(str(number))
    kind = type(design.cooling).__name__
    return {
        "rack_id": [f"rack-{i:0{width}d}" for i in range(1, number + 1)],
        "hall": ["hall-1"] * number,
        "cooling": [kind] * number,
        **power,
        "inlet_max_c": [zone.inlet_max_c for zone in zones],
        "throttled_s": [zone.throttled_s for zone in zones],
    }
