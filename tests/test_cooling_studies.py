"""What every plant shows inside a whole facility: part load, heartbeat, a trip, any scenario."""

import copy
import functools
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.support.composed import composed
from twin import build, run
from twin.cooling.direct_liquid import DirectLiquid
from twin.errors import ConfigError
from twin.physics.moist_air import ratio_from_wetbulb, saturated_ratio
from twin.physics.thermal import WATER_LATENT_HEAT, air_density
from twin.results.run_folder import Run
from twin.settings import catalogue

CONF = catalogue.data_dir("conf")
PLANTS = catalogue.choices("cooling")
LIQUID = ["direct_liquid_dry", "direct_liquid_tower", "immersion"]
HOUR = 1.0 / 24.0
MISFIT = re.compile(
    r"^(rack\.|faults\.|workload\..*: is required|workload\..*what the facility has)"
)
"""How a pair of choices may be refused instead of run."""

every_plant = pytest.mark.parametrize("cooling", PLANTS)


@functools.cache
def small():
    return composed("scenario=climate_map", "facility.gpus=256", "output.interval_s=300")


@functools.cache
def choice(group, name):
    content = OmegaConf.load(CONF / group / f"{name}.yaml")
    if "defaults" in content:
        return composed(f"{group}={name}")[group]
    return OmegaConf.to_container(content, resolve=True)


def load(cooling, *, site="beijing", power="n", beat_s=60, days=HOUR, start="2023-07-03 06:00"):
    """Return a small centre at constant load; composing once and choosing is ten times faster."""
    config = copy.deepcopy(small())
    for group, name in (("cooling", cooling), ("site", site), ("power", power)):
        config[group] = copy.deepcopy(choice(group, name))
    config["clock"] |= {"start": start, "duration_days": days, "heartbeat_s": beat_s}
    return config


def finished(folder, config):
    run.execute({**config, "output": {**config["output"], "plots": False, "report": False}}, folder)
    return Run.open(folder)


@pytest.mark.parametrize("cooling", ["chilled_air", "waterside_economizer", "airside_economizer"])
def test_a_feed_is_built_for_the_set_points_a_plant_is_designed_for(cooling):
    ratings = []
    for by in (None, "load" if cooling == "chilled_air" else "outdoor"):
        config = load(cooling)
        config["cooling"]["reset"]["by"] = by
        design = build.read(config)
        build.size(design)
        diagram = design.power.one_line()
        ratings.append(dict(diagram.nodes(data="rated_w")))
    assert ratings[0] == ratings[1]


# ---- part load ----


def site_pue(cooling, load_fraction, power="n", weather=(20.0, 15.0)):
    """Return PUE in steady state with that fraction of the nameplate IT power."""
    design = build.read(load(cooling, power=power))
    build.size(design)
    it_w, racks_w = (load_fraction * w for w in (design.it_nameplate_w, design.rack_plate_w))
    for _ in range(12):
        heat_w = it_w + design.power.serve_it(it_w, 300.0)
        plant = design.cooling.step(heat_w, *weather, 300.0, heat_w - racks_w)
        feed = design.power.serve_all(plant.power_w, design.aux_w, 300.0)
    return (it_w + feed.loss_w + plant.power_w + design.aux_w) / it_w


@every_plant
@pytest.mark.parametrize("power", ["n", "two_n"])
@pytest.mark.parametrize("weather", [(20.0, 15.0), (-10.0, -11.0), (34.0, 26.0)])
def test_pue_is_worse_at_a_tenth_of_the_load_than_at_half(cooling, power, weather):
    """No-load losses of the feed, auxiliaries, fans and pumps at their least speed remain."""
    tenth, half = (site_pue(cooling, load, power, weather) for load in (0.1, 0.5))
    assert tenth > half + 0.05


@pytest.mark.parametrize("power", ["n", "two_n", "rack_battery", "direct"])
def test_fixed_loads_are_those_of_the_building_and_of_the_sets_that_wait(power):
    design = build.read(load("chilled_air", power=power))
    build.size(design)
    building_w = design.facility.aux_fraction * design.built_it_w
    nodes = design.power.one_line().nodes.values()
    rated_w = sum(node["installed_w"] for node in nodes if node["kind"] == "generator")
    assert design.aux_w == pytest.approx(building_w + 0.003 * rated_w, rel=1e-9)
    assert (rated_w > design.built_it_w) == (power != "direct")


@every_plant
def test_no_plant_cools_for_nothing(cooling):
    assert site_pue(cooling, 0.7) > 1.03


# ---- heartbeat ----


def summary_at(beat_s, folder, cooling, **choices):
    return finished(folder / str(beat_s), load(cooling, beat_s=beat_s, **choices)).summary


def agree(short, long):
    assert long["it_energy_kwh"] == pytest.approx(short["it_energy_kwh"], rel=1e-9)
    assert long["cooling_energy_kwh"] == pytest.approx(short["cooling_energy_kwh"], rel=2e-3)


@every_plant
def test_cooling_energy_does_not_depend_on_the_heartbeat(cooling, tmp_path):
    """Three hours of a July morning at 60 s and 300 s agree within 0.2 %."""
    choices = {"site": "shenzhen", "days": 3 * HOUR}
    agree(*(summary_at(beat_s, tmp_path, cooling, **choices) for beat_s in (60, 300)))


@pytest.mark.slow
@every_plant
@pytest.mark.parametrize("start", ["2023-01-10 00:00", "2023-04-10 00:00", "2023-07-10 00:00"])
@pytest.mark.parametrize("site", ["shenzhen", "ulanqab"])
def test_nor_over_two_days_of_any_season(cooling, site, start, tmp_path):
    choices = {"site": site, "start": start, "days": 2.0}
    agree(*(summary_at(beat_s, tmp_path, cooling, **choices) for beat_s in (60, 300)))


# ---- a trip ----


@every_plant
@pytest.mark.parametrize("beat_s", [60, 300])
def test_the_ledger_closes_through_a_trip_of_everything_the_plant_has(cooling, beat_s, tmp_path):
    config = load(cooling, site="shenzhen", beat_s=beat_s, days=2 * HOUR)
    design = build.read(config)
    build.size(design)
    units = design.cooling.installed()
    config["faults"]["scheduled"] = {
        unit: {"unit": f"cooling.{unit}", "at_hours": 0.25 + 0.125 * k, "repair_hours": 0.25}
        for k, unit in enumerate(units)
    }
    done = finished(tmp_path / "run", config)
    assert done.summary["energy_residual_fraction"] <= 1e-9
    assert done.events()["kind"].tolist().count("fault") == len(units)


# ---- how long servers last without cooling ----

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "cooling.md").read_text(encoding="utf-8")
LASTS = re.findall(r"^\| .* \| (\d+) s \| (?:`(.*)`)? ?\|$", PAGE, re.MULTILINE)


def test_the_page_says_how_long_racks_of_every_density_last():
    assert len(LASTS) == 7
    assert LASTS[0] == ("219", "")


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "choices"), LASTS)
def test_racks_last_as_long_as_the_page_says(seconds, choices, tmp_path):
    done = finished(tmp_path / "run", composed("scenario=cooling_loss_5kw", *choices.split()))
    events = done.events()
    first = {
        kind: at_s
        for at_s, kind in reversed(list(zip(events["at_s"], events["kind"], strict=True)))
    }
    assert first["thermal_trip"] - first["cooling_off"] == float(seconds)


# ---- a plant too small for its heat ----


def test_a_plant_too_small_runs_and_reports_what_it_did_to_the_jobs(tmp_path):
    """Hardly any trim chiller, an afternoon 12 K hotter than ever: servers slow down."""

    def afternoon(name, trim_fraction):
        config = load("indirect_evaporative", site="shenzhen", start="2023-07-10 10:00", days=0.25)
        config["cooling"]["trim_fraction"] = trim_fraction
        config["site"]["heat_wave"] = {"start_day": 0, "days": 1, "add_k": 12}
        return finished(tmp_path / name, config)

    small, enough = afternoon("small", 0.01), afternoon("enough", 1.0)
    assert small.series(["heat_unmet_w"])["heat_unmet_w"].max() > 0.0
    assert small.summary["throttled_gpu_hours"] > 0.0 == enough.summary["throttled_gpu_hours"]
    assert small.summary["it_energy_kwh"] < enough.summary["it_energy_kwh"]
    assert "throttle" in small.events()["kind"].tolist()
    assert small.summary["energy_residual_fraction"] <= 1e-9


# ---- fans of the servers ----


def fan_kwh(done):
    series = done.series()
    return series["server_fan_power_w"].mean() * done.summary["simulated_days"] * 24 / 1e3


@every_plant
def test_servers_keep_the_fans_that_the_air_of_their_hall_needs(cooling, tmp_path):
    """Same work under every plant. Supplies are loaded less without fans, where they lose more."""
    done = finished(tmp_path / "run", load(cooling))
    by_air = finished(tmp_path / "air", load("chilled_air"))
    taken = load(cooling)["cooling"].get("capture_fraction", 0.0)
    assert fan_kwh(done) == pytest.approx((1.0 - taken) * fan_kwh(by_air), rel=0.01)

    spared_kwh = by_air.summary["it_energy_kwh"] - done.summary["it_energy_kwh"]
    assert spared_kwh == pytest.approx(taken * fan_kwh(by_air), rel=0.03)
    assert spared_kwh <= taken * fan_kwh(by_air) + 1e-9
    assert done.summary["energy_residual_fraction"] <= 1e-9
    without_fans = done.summary["it_energy_kwh"] - fan_kwh(done)
    tue = done.summary["facility_energy_kwh"] / without_fans
    assert done.summary["tue"] == pytest.approx(tue)


@pytest.mark.parametrize(("network", "trays"), [("fat_tree", 0), ("nvl72", 64 // 18 + 1)])
def test_cold_plates_are_handed_the_heat_of_their_racks_and_of_nothing_else(
    network, trays, tmp_path, monkeypatch
):
    """64 trays of four GPUs; NVLink switches stand in their racks, 9 x 730 W to 18 of them."""
    config = load("direct_liquid_tower", days=0.25 * HOUR)
    for group, name in (("gpu", "gb200_nvl72"), ("rack", "120kw"), ("network", network)):
        config[group] = copy.deepcopy(choice(group, name))
    handed = []
    step = DirectLiquid.step

    def watched(plant, *args):
        handed.append(args)
        return step(plant, *args)

    design = build.read(config)
    build.size(design)
    design_w = 64 * 6300.0 + trays * 9 * 730.0
    assert design.cooling.distribution._design_w == pytest.approx(0.8 * design_w)

    monkeypatch.setattr(DirectLiquid, "step", watched)
    done = finished(tmp_path / "run", config)
    heat_w, _, _, _, apart_w = handed[-1]
    last = {name: column[-1] for name, column in done.series().items()}
    assert heat_w - apart_w == pytest.approx(last["server_power_w"] + trays * 9 * 730.0, rel=1e-3)
    assert apart_w > last["storage_power_w"] > 0.0
    assert done.summary["energy_residual_fraction"] <= 1e-9


def test_a_hall_of_air_says_that_servers_for_cold_plates_are_not_at_home_in_it(tmp_path):
    config = load("chilled_air")
    config["gpu"] = copy.deepcopy(choice("gpu", "mi250x"))
    done = finished(tmp_path / "run", config)
    (told,) = [text for text in done.info["warnings"] if "air_cooled_fraction" in text]
    assert told.startswith("gpu.air_cooled_fraction=0: the hall leaves 100% of the heat in the air")


def test_fewer_fans_do_not_carry_a_hall_whose_coolant_stands(tmp_path):
    """Plates take 0.8 of the heat; their 12 L warm until servers switch off at 42 degC."""
    config = load("direct_liquid_dry", beat_s=1, days=0.1 * HOUR)
    config["output"]["interval_s"] = 10
    config["gpu"] |= {"throttle_power_fraction": 1.0}
    config["faults"]["scheduled"] = {
        "cdu": {"unit": "cooling.cdu", "at_hours": 0.02, "repair_hours": 9.0}
    }
    done = finished(tmp_path / "run", config)
    events = done.events()
    (off_s,) = (at_s for at_s, k in zip(events["at_s"], events["kind"], strict=True) if "trip" in k)
    before = {name: column[6] for name, column in done.series().items()}
    held_j_per_k = len(done.racks()["rack_id"]) * 12.0 * 4186.0
    warming_k_per_s = 0.8 * before["server_power_w"] / held_j_per_k
    alone_s = (42.0 - before["inlet_max_c"]) / warming_k_per_s
    assert off_s - 72.0 == pytest.approx(alone_s, rel=0.1)


# ---- thin air ----


@pytest.mark.parametrize(
    ("site", "cooling", "throttles_at_c"),
    [
        ("beijing", "chilled_air", 35.0),
        ("guiyang", "chilled_air", 34.2),
        ("zhongwei", "rear_door", 34.02),
        ("ulanqab", "direct_liquid_dry", 33.28),
        ("ulanqab", "immersion", 35.0),
    ],
)
def test_servers_throttle_at_cooler_inlets_where_thin_air_cools_them(site, cooling, throttles_at_c):
    design = build.read(load(cooling, site=site))
    build.size(design)
    assert not design.gpu.limits(throttles_at_c - 0.01, False, False)[0]
    assert design.gpu.limits(throttles_at_c + 0.01, False, False)[0]


# ---- water in the air of a closed hall, which is not modelled ----


@pytest.mark.parametrize("site", ["shenzhen", "shanghai", "beijing", "ulanqab"])
def test_make_up_air_brings_too_little_water_to_matter(site):
    """0.3 L/s for each m2 (ASHRAE 62.1) is all the water that enters; nothing inside makes any.

    Condensed on coils at 12 degC, or evaporated up to the dew point of -9 degC that ASHRAE
    recommends at least, it is 0.4 % of the heat of the hall in the worst hour of a year.
    """
    design = build.read(load("chilled_air", site=site, days=365.0, start="2023-01-01 00:00"))
    build.size(design)
    area_m2 = design.facility.floor_area_m2_per_rack * design.cluster.racks
    dry_air_kg_per_s = 0.3e-3 * area_m2 * air_density(0.0)
    pressure_pa = design.weather.pressure_pa
    coil, least = (saturated_ratio(c, pressure_pa) for c in (12.0, -9.0))
    outdoors = [
        ratio_from_wetbulb(drybulb_c, min(drybulb_c, wetbulb_c), pressure_pa)
        for drybulb_c, wetbulb_c in (design.weather.at(3600.0 * hour) for hour in range(8760))
    ]
    latent_w = [
        dry_air_kg_per_s * WATER_LATENT_HEAT * max(ratio - coil, least - ratio, 0.0)
        for ratio in outdoors
    ]
    heat_w = 0.7 * design.built_it_w
    assert max(latent_w) < 0.005 * heat_w
    assert sum(latent_w) / 8760 < 0.0015 * heat_w


# ---- racks that are too dense ----


@pytest.mark.parametrize("scenario", ["rack_50kw", "rack_100kw"])
@pytest.mark.parametrize("cooling", ["chilled_air", "airside_economizer", "indirect_evaporative"])
def test_air_refuses_a_dense_rack_and_says_what_carries_it(scenario, cooling):
    config = composed(f"scenario={scenario}", f"cooling={cooling}")
    with pytest.raises(ConfigError, match=r"at most 25 kW per rack; .*direct_liquid.* 150 kW"):
        run.check(config)


@pytest.mark.parametrize("scenario", ["rack_50kw", "rack_100kw"])
@pytest.mark.parametrize("cooling", LIQUID)
def test_liquid_carries_a_dense_rack(scenario, cooling):
    run.check(composed(f"scenario={scenario}", f"cooling={cooling}"))


def test_rear_doors_end_between_50_and_100_kw():
    run.check(composed("scenario=rack_50kw", "cooling=rear_door"))
    with pytest.raises(ConfigError, match="at most 78 kW"):
        run.check(composed("scenario=rack_100kw", "cooling=rear_door"))


def test_or_loads_it_only_as_far_as_it_can_be_cooled(tmp_path):
    """Four DGX H100 of 10.2 kW in a rack of 50 kW; contained air carries two of them."""
    config = load("chilled_air")
    for group, name in (("gpu", "h100"), ("rack", "50kw")):
        config[group] = copy.deepcopy(choice(group, name))
    config["rack"]["fit_to_cooling"] = True
    done = finished(tmp_path / "run", config)

    racks = 256 // (2 * 8)
    assert len(done.racks()["rack_id"]) == racks
    stranded_kw = done.summary["stranded_power_kw"]
    assert stranded_kw > racks * (50.0 - 2 * 10.2)
    assert stranded_kw == pytest.approx(racks * 50.0 - done.racks()["power_peak_kw"].sum())
    assert any("hold 2 of 4 servers" in text for text in done.info["warnings"])


# ---- every plant in every scenario ----


def runs_an_hour(folder, config):
    done = finished(folder, config)
    summary = done.summary
    assert summary["simulated_days"] == pytest.approx(HOUR)
    assert summary["energy_residual_fraction"] <= 1e-9
    assert summary["cooling_energy_kwh"] > 0.0
    assert summary["pue"] > 1.0


@every_plant
def test_every_plant_runs_an_hour(cooling, tmp_path):
    runs_an_hour(tmp_path / "run", load(cooling))


@pytest.mark.slow
@every_plant
@pytest.mark.parametrize("scenario", list(catalogue.scenario_files()))
def test_every_plant_runs_an_hour_in_every_scenario(cooling, scenario, tmp_path):
    config = composed(f"scenario={scenario}", f"cooling={cooling}", f"clock.duration_days={HOUR}")
    if config["clock"].get("burst"):
        config["clock"]["burst"]["at_hours"] = [0.5]  # its own windows may lie beyond the hour
    try:
        run.check(config)
    except ConfigError as error:
        assert MISFIT.match(str(error)), str(error)
        pytest.skip(f"refused: {error}")
    runs_an_hour(tmp_path / "run", config)


# ---- set points that move ----


def test_moving_set_points_save_energy_in_the_whole_building_and_close_its_ledger(tmp_path):
    """A mild day: the chillers stay off that would run without, and servers breathe warmer air."""
    seen = {}
    for by in (None, "outdoor"):
        config = load("waterside_economizer", days=0.5, start="2023-06-01 06:00", beat_s=300)
        config["cooling"]["reset"]["by"] = by
        done = finished(tmp_path / str(by), config)
        seen[by] = done.summary, done.series(["supply_c"])["supply_c"]
    still, moving = seen[None][0], seen["outdoor"][0]
    assert max(abs(s["energy_residual_fraction"]) for s in (still, moving)) <= 1e-9
    assert moving["free_cooling_fraction"] > still["free_cooling_fraction"]
    assert moving["facility_energy_kwh"] < still["facility_energy_kwh"]
    assert moving["it_energy_kwh"] >= still["it_energy_kwh"]
    assert max(seen[None][1]) <= 23.0 + 1e-6 < max(seen["outdoor"][1]) <= 26.0 + 0.05
