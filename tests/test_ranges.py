"""Absurd values are refused by name, before they hang a run or break its ledger."""

import re

import pytest

from tests.support.composed import composed
from twin import __main__ as command
from twin import build, run
from twin.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value", "choices"),
    [
        ("clock.duration_days", 36526, []),
        ("clock.replications", 1e9, []),
        ("clock.heartbeat_s", 1e-9, []),
        ("rack.rated_kw", 1e300, []),
        ("rack.rated_kw", -1e300, []),
        ("rack.rated_kw", 1e-300, []),
        ("rack.height_units", 1e-300, []),
        ("rack.holds_kg", 1e300, []),
        ("facility.floor_load_kg_per_m2", 1e-300, []),
        ("economics.floor_price_per_m2", 1e300, []),
        ("economics.rack_position_price", -1e300, []),
        ("site.tariff.demand_charge_per_kw_month", 1e300, []),
        ("cooling.tower.approach_k", 1e300, []),
        ("clock.seed", 1e30, []),
        ("workload.count", 1e9, ["workload=training_mix"]),
        ("faults.random.servers.mttf_hours", 1e-9, ["faults=node_failures"]),
        ("power.bess.ahead_hours", 1e9, ["power=n_plus_1_arbitrage"]),
        ("scheduling.ahead_hours", 1e9, ["scheduling=deadline"]),
        ("facility.gpus", 1e30, []),
        ("facility.racks_built", 1e30, []),
        ("workload.streams.fine_tuning.offered_load", 1e6, []),
        ("workload.streams.development.jobs_per_day", 1e30, []),
        ("workload.streams.fine_tuning.run.mean_h", 1e-30, []),
        ("workload.streams.pipeline.fleet.vehicles", 1e30, []),
        ("workload.streams.pipeline.fleet.clip_mb", 1e-30, []),
        ("workload.streams.pipeline.cycle_days", 1e6, []),
        ("workload.streams.pipeline.simulation.replay.hours_per_job", 1e-30, []),
        ("power.oversubscription", 1e6, []),
        ("power.elements.ups.battery.exponent", 1e6, []),
        ("power.elements.ups.spare_units", 1e30, []),
        ("power.elements.ups.units", 1e30, []),
        ("power.elements.ups.design_loading", 1e-30, []),
        ("power.elements.ups.loss", [1e30, 0.0, 0.0], []),
        ("power.elements.ups.loss", [0.0, 1e30, 0.0], []),
        ("power.elements.ups.loss", [0.0, 0.0, 1e30], []),
        ("power.elements.ups.bypass", [1e30, 0.0, 0.0], ["power=ups_eco"]),
        ("cooling.air_handlers.spares", 1e30, []),
        ("cooling.air_handlers.fan_pressure_pa", 1e30, []),
        ("cooling.air_handlers.fan_efficiency", 1e-30, []),
        ("cooling.chilled_water.duty_pumps", 1e30, []),
        ("cooling.chilled_water.spare_pumps", 1e30, []),
        ("cooling.chillers.spares", 1e30, []),
        ("cooling.tower.spares", 1e30, []),
        ("cooling.facility_water.duty_pumps", 1e30, ["cooling=direct_liquid_dry"]),
        ("cooling.facility_water.volume_l_per_rack", 1e-12, ["cooling=direct_liquid_dry"]),
        ("cooling.cooler.spares", 1e30, ["cooling=direct_liquid_dry"]),
        ("cooling.cooler.duty_banks", 1e30, ["cooling=direct_liquid_dry"]),
        ("cooling.room.air_rise_k", 1e-30, []),
        ("cooling.room.air_rise_k", 1e30, []),
        ("cooling.room.air_volume_m3_per_rack", 1e-30, []),
        ("cooling.room.server_coupling_w_per_k", 1e30, []),
        ("cooling.room.coupling_at_kw", 1e-30, []),
        ("cooling.containments.contained.airflow_ratio", 1e30, []),
        ("network.nics_per_server", 1e30, []),
        ("network.switch_w", 1e30, []),
        ("network.transceiver_w", 1e30, []),
        ("network.nics_per_server", 1e30, ["network=dragonfly"]),
        ("network.routers_per_group", 1e30, ["network=dragonfly"]),
        ("network.switch_w", 1e30, ["network=dragonfly"]),
        ("network.block_side", 1e30, ["network=torus"]),
        ("network.transceiver_w", 1e30, ["network=torus"]),
        ("network.servers_per_domain", 1e30, ["network=nvl72"]),
        ("storage.nodes", 1e30, []),
        ("site.daily_range_k", 1e6, []),
        ("site.scatter_k", 1e6, []),
        ("site.summer_scatter_k", 1e6, []),
    ],
)
def test_an_absurd_value_is_refused_by_its_key(key, value, choices):
    config = composed(*choices)
    place = config
    *way, last = key.split(".")
    for step in way:
        place = place[step]
    place[last] = value
    with pytest.raises(ConfigError, match=rf"^{re.escape(key)}(\[\d\])?=.*: must be "):
        build.read(config)


def test_so_many_requests_are_not_followed_one_by_one():
    config = composed(
        "workload=serving_8b", "workload.mode=requests", "workload.requests_per_s=1e6"
    )
    with pytest.raises(ConfigError, match=r"^workload\.requests_per_s=.*must be <= 165\.344 over "):
        run.check(config)


def test_what_a_model_refuses_while_it_is_sized_carries_its_group():
    config = composed("cooling.supply_c=18.0", "cooling.chilled_water_c=17.5")
    design = build.read(config)
    with pytest.raises(ConfigError, match=r"^cooling\.supply_c=18\.0: must be >= "):
        build.size(design)


def test_an_unknown_kind_names_the_models_there_are():
    config = composed("cooling.kind=os.system")
    with pytest.raises(ConfigError, match=r"Allowed: airside_economizer\.AirsideEconomizer, ") as e:
        build.read(config)
    assert "os.system" in str(e.value)
    assert "AirStream" not in str(e.value)  # not a plant by itself


def test_a_check_that_fails_for_an_unforeseen_reason_is_one_line(monkeypatch, capsys, tmp_path):
    def stumble(config):
        raise OverflowError("too\nlarge")

    monkeypatch.setattr(run, "check", stumble)
    status = command.main([f"hydra.run.dir={tmp_path}/run"])
    said = capsys.readouterr().err
    assert (status, said.count("\n")) == (1, 1)
    assert "OverflowError: too large" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("start", ["9990-01-01 00:00", "0001-01-01 00:00"])
def test_a_run_begins_in_a_year_of_the_calendar_in_use(start):
    with pytest.raises(ConfigError, match=r"clock\.start=.*must lie in the years 1900 to 2200"):
        run.check(composed(f"clock.start='{start}'"))
