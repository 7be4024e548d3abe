"""Server power at its limits, its fans, its supplies and what heat does to it."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twin.config import parse
from twin.errors import ConfigError, ParameterError
from twin.gpu.air_server import (
    STEPS_PER_W,
    AirServer,
    dynamic_fraction,
    fan_power_multiplier,
    inlet_derate_k,
    piecewise_linear,
)

CONF = Path(__file__).resolve().parents[2] / "conf" / "gpu"
NAMES = sorted(
    path.stem
    for path in CONF.glob("*.yaml")
    if yaml.safe_load(path.read_text()).get("kind") == "air_server.AirServer"
)
FRACTION = st.floats(0.0, 1.0)


def load(name: str, **changes: object) -> AirServer:
    data = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return parse(AirServer, {**data, **changes}, "gpu")


load_once = cache(load)
A100 = load_once("a100")
WITH_FANS = [name for name in NAMES if load_once(name).fan_full_speed_w > 0]


@pytest.mark.parametrize("name", NAMES)
def test_every_server_idles_below_half_and_peaks_below_its_nameplate(name):
    server = load(name)
    idle_w, _ = server.power_w(0.0)
    full_w, fan_w = server.power_w(1.0)
    assert 0.1 * server.nameplate_w < idle_w < 0.4 * server.nameplate_w
    assert full_w + fan_w * (server.fan_factor(60.0) - 1.0) <= server.nameplate_w


@given(st.sampled_from(NAMES), FRACTION)
def test_power_is_rounded_as_round_does(name, drive):
    server = load_once(name)
    output_w = server.output_w(drive)
    efficiency = piecewise_linear(output_w / (server.psu_rated_kw * 1e3), server.psu_efficiency)
    steps = round((output_w + server.psu_no_load_w) * (STEPS_PER_W / efficiency))
    assert server.power_w(drive)[0] == steps / STEPS_PER_W


@pytest.mark.parametrize(("name", "low_w", "high_w"), [("a100", 1420, 1700), ("h100", 1900, 2300)])
def test_idle_power_lies_within_what_was_measured(name, low_w, high_w):
    assert low_w <= load(name).power_w(0.0)[0] <= high_w


def test_non_gpu_power_of_the_a100_node_matches_the_fleet():
    """Node less eight GPUs: 1.0-1.2 kW idle, 1.5-2.0 kW busy."""
    assert 1000 <= A100.power_w(0.0)[0] - 8 * A100.gpu_power_w(0.0) <= 1200
    assert 1500 <= A100.power_w(1.0)[0] - 8 * A100.gpu_power_w(1.0) <= 2000


def test_gpu_power_runs_from_idle_to_its_maximum():
    assert A100.gpu_power_w(0.0) == A100.gpu_idle_w
    assert A100.gpu_power_w(1.0) == A100.gpu_max_w


def test_power_at_half_drive_by_hand():
    dc_w = 8 * 62 + 980 + 0.5 * (8 * 338 + 410) + 700 * 0.6**3
    load_fraction = dc_w / 13e3
    efficiency = 0.94 + (0.96 - 0.94) * (load_fraction - 0.2) / 0.3
    power_w, fan_w = A100.power_w(0.5)
    assert power_w == pytest.approx(dc_w / efficiency, abs=1e-3)
    assert fan_w == pytest.approx(700 * 0.6**3 / efficiency, abs=1e-3)


def test_a_converter_with_a_loss_of_its_own_takes_it_at_any_load():
    """Frontier's node converter: (P + 13 W) / 0.98; 626.26 W idle and 2704.26 W at full load."""
    own = yaml.safe_load((CONF / "mi250x_node.yaml").read_text())
    node = load("mi250x", **{key: own[key] for key in own if key not in ("defaults", "name")})
    for drive, output_w in ((0.0, 626.26), (1.0, 2704.26)):
        assert node.output_w(drive) == pytest.approx(output_w)
        assert node.power_w(drive)[0] == pytest.approx((output_w + 13) / 0.98, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
@given(x=FRACTION, y=FRACTION)
def test_more_drive_never_draws_less(name, x, y):
    server = load_once(name)
    low, high = sorted((x, y))
    assert server.power_w(low)[0] <= server.power_w(high)[0]
    assert server.power_w(low)[1] <= server.power_w(high)[1]


@given(st.lists(FRACTION, min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_steps_of_power_undone_in_any_order_leave_exactly_the_idle_power(drives, random):
    idle_w, _ = A100.power_w(0.0)
    steps = [A100.power_w(drive)[0] - idle_w for drive in drives]
    total_w = 1e6 * idle_w
    for step in steps:
        total_w += step
    random.shuffle(steps)
    for step in steps:
        total_w -= step
    assert total_w == 1e6 * idle_w


def test_fans_are_a_twentieth_when_cool_and_an_eighth_when_hot():
    """5-8 % of server power at 22 degC, 12-20 % at 35 degC."""
    power_w, fan_w = A100.power_w(1.0)
    hot_fan_w = fan_w * A100.fan_factor(35.0)
    assert 0.05 <= fan_w / power_w <= 0.08
    assert 0.12 <= hot_fan_w / (power_w - fan_w + hot_fan_w) <= 0.20


def test_fan_multiplier_at_its_limits():
    assert fan_power_multiplier(-20.0, 25.0, 35.0, 0.8) == 1.0
    assert fan_power_multiplier(25.0, 25.0, 35.0, 0.8) == 1.0
    assert fan_power_multiplier(30.0, 25.0, 35.0, 0.8) == pytest.approx(1.125**3)
    assert fan_power_multiplier(35.0, 25.0, 35.0, 0.8) == pytest.approx(1.25**3)
    assert fan_power_multiplier(50.0, 25.0, 35.0, 0.8) == pytest.approx(1.25**3)


@given(st.floats(-40, 60), st.floats(-40, 60))
def test_warmer_air_never_slows_the_fans(a, b):
    assert A100.fan_factor(min(a, b)) <= A100.fan_factor(max(a, b))


def test_a_curve_is_read_between_its_points_and_held_beyond_them():
    points = [(0.1, 0.9), (0.2, 0.94), (0.5, 0.96)]
    assert piecewise_linear(0.05, points) == 0.9
    assert piecewise_linear(0.15, points) == pytest.approx(0.92)
    assert piecewise_linear(0.2, points) == pytest.approx(0.94)
    assert piecewise_linear(0.9, points) == 0.96


def test_activity_outside_its_range_is_refused():
    with pytest.raises(ParameterError, match=r"activity=1.2: must be >= 0 and <= 1"):
        dynamic_fraction(1.2, 0.9)


def test_limits_have_hysteresis():
    assert A100.limits(34.9, False, False) == (False, False)
    assert A100.limits(35.0, False, False) == (True, False)
    assert A100.limits(33.0, True, False) == (True, False)
    assert A100.limits(32.0, True, False) == (False, False)
    assert A100.limits(42.0, True, False) == (True, True)
    assert A100.limits(36.0, True, True) == (True, True)
    assert A100.limits(32.0, True, True) == (False, False)


def test_thin_air_lowers_the_inlet_limits_by_a_kelvin_for_each_300_m_above_900():
    assert [inlet_derate_k(z) for z in (-400.0, 900.0, 1200.0, 1800.0)] == [0.0, 0.0, 1.0, 3.0]

    high = load("a100")
    high.place(1500.0, 1.0)
    assert high.limits(32.9, False, False) == (False, False)
    assert high.limits(33.0, False, False) == (True, False)
    assert high.limits(40.0, True, False) == (True, True)
    assert high.limits(30.0, True, True) == (False, False)
    high.place(18.0, 1.0)
    assert high.limits(34.9, False, False) == (False, False)
    high.place(1500.0, 0.0)  # in a tank no air cools it, thin or not
    assert high.limits(34.9, False, False) == (False, False)


def without_fans_w(server: AirServer, drive: float) -> float:
    """What the supplies deliver to all but the fans, by hand from the keys of the server."""
    gpus = server.gpus_per_server
    idle_w = gpus * server.gpu_idle_w + server.host_idle_w
    full_w = gpus * server.gpu_max_w + server.host_busy_w
    return idle_w + drive * (full_w - idle_w)


def fans_w(server: AirServer, drive: float) -> float:
    """What the fans draw behind the supplies."""
    return server.output_w(drive) - without_fans_w(server, drive)


@pytest.mark.parametrize("drive", [0.0, 0.4, 1.0])
def test_cold_plates_spare_as_much_fan_power_as_they_take_of_the_heat(drive):
    """Fewer fans at the same speed. ASHRAE: 70-90 % less, which is what cold plates take."""
    for captured in (0.7, 0.8, 0.9):
        server = load("b200")
        server.place(0.0, 1.0 - captured)
        assert fans_w(server, drive) == pytest.approx(
            (1.0 - captured) * fans_w(load("b200"), drive)
        )
        assert server.output_w(drive) - fans_w(server, drive) == without_fans_w(server, drive)


@given(st.sampled_from(WITH_FANS), FRACTION, FRACTION, FRACTION)
def test_air_that_warms_as_before_still_carries_all_heat_left_to_it(name, air, drive, inlet):
    """Flow over heat is that of the air-cooled server: at equal speed flow goes as power does."""
    server, built = load(name), load_once(name)
    server.place(0.0, air)
    flow = fans_w(server, drive) / fans_w(built, drive)
    assert flow * built.air_cooled_fraction == pytest.approx(
        min(built.air_cooled_fraction, air), abs=1e-9
    )
    assert server.fan_factor(20.0 + 20.0 * inlet) == built.fan_factor(20.0 + 20.0 * inlet)


@pytest.mark.parametrize("name", NAMES)
def test_no_server_has_fans_in_a_tank(name):
    server = load(name)
    assert server.place(0.0, 0.0) is None
    for drive in (0.0, 1.0):
        assert server.power_w(drive)[1] == 0.0
        assert server.output_w(drive) == without_fans_w(server, drive)


def test_a_server_built_for_cold_plates_keeps_the_few_fans_it_has():
    """115 of the 132 kW of a GB200 NVL72 go into liquid; its 60 W of fans are for the others."""
    tray = load("gb200_nvl72")
    assert tray.place(0.0, 1.0 - 0.87) is None
    assert tray.power_w(1.0) == load("gb200_nvl72").power_w(1.0)
    assert tray.place(0.0, 0.065) is None
    assert fans_w(tray, 1.0) == pytest.approx(0.5 * fans_w(load("gb200_nvl72"), 1.0))


def test_a_hall_that_leaves_more_heat_than_the_fans_were_built_for_is_told():
    note = load("gb200_nvl72").place(0.0, 0.2)
    assert note is not None
    assert "air_cooled_fraction=0.13: the hall leaves 20% of the heat in the air" in note
    assert load("mi250x").place(0.0, 1.0) is not None
    assert load("h100").place(0.0, 1.0) is None


def test_standing_a_server_into_another_hall_starts_from_what_it_was_built_with():
    server = load("h100")
    for air in (0.2, 0.2, 0.0, 1.0):
        server.place(0.0, air)
    assert server.power_w(0.7) == load("h100").power_w(0.7)


def test_throttling_gives_the_power_asked_for_and_the_speed_of_the_curve():
    activity, rate = A100.throttle()
    assert A100.gpu_power_w(activity) == pytest.approx(0.6 * A100.gpu_max_w)
    assert rate == pytest.approx(0.699 + (0.847 - 0.699) * (0.6 - 0.545) / (0.646 - 0.545))


def test_speed_at_power_is_the_median_of_the_measured_v100_jobs(shared_data):
    """Jobs that need most of the GPU, each against its own uncapped run."""
    lines = (shared_data / "telemetry/zeus-power-caps/summary_power_v100.csv").read_text()
    header, *rows = (line.split(",") for line in lines.splitlines())
    limit, seconds, watts = map(header.index, ("power_limit", "time_per_epoch", "average_power"))
    runs: dict[tuple[str, ...], dict[int, tuple[float, float]]] = {}
    for row in rows:
        job = tuple(row[:limit])
        runs.setdefault(job, {})[int(row[limit])] = (float(row[seconds]), float(row[watts]))
    heavy = [caps for caps in runs.values() if caps[250][1] >= 200]
    points = []
    for cap in sorted(heavy[0]):
        power = sorted(caps[cap][1] / caps[250][1] for caps in heavy)
        speed = sorted(caps[250][0] / caps[cap][0] for caps in heavy)
        points.append((power[len(heavy) // 2], speed[len(heavy) // 2]))

    assert len(heavy) == 21
    for name in NAMES:
        np.testing.assert_allclose(load(name).speed_at_power, points, atol=0.002)


def test_h100_host_matches_measured_nodes_in_training(shared_data):
    """64 nodes in MLPerf GPT-3, immersed: no fans; GPUs at 0.8 of TDP (assumed)."""
    folder = shared_data / "telemetry/mlperf-training-smc-h100"
    at = {}
    for line in (folder / "events_dev.csv").read_text().splitlines():
        _, benchmark, _, time_ms, key = line.split(",")
        if benchmark == "gpt3" and key in ("run_start", "run_stop"):
            at[key] = int(time_ms)
    with gzip.open(folder / "power_dev.csv.gz", "rt") as lines:
        rows = (line.split(",") for line in lines)
        watts = [
            float(row[5])
            for row in rows
            if row[1] == "gpt3" and row[5] and at["run_start"] <= int(row[4]) <= at["run_stop"]
        ]
    server = load("h100", fan_full_speed_w=0)
    drive = (0.8 * server.gpu_max_w - server.gpu_idle_w) / (server.gpu_max_w - server.gpu_idle_w)
    assert server.power_w(drive)[0] == pytest.approx(sum(watts) / len(watts), rel=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu_max_w": -1}, r"gpu.gpu_max_w=-1: must be > 0"),
        ({"gpu_max_w": 50}, r"gpu.gpu_max_w=50.0: must be > gpu_idle_w=62"),
        ({"nameplate_kw": 5}, r"gpu.nameplate_kw=5.0: must be >= 5.556"),
        ({"shutdown_inlet_c": 30}, r"gpu.shutdown_inlet_c=30.0: must be > throttle_inlet_c=35"),
        ({"throttle_power_fraction": 0.3}, r"must be >= 0.447, the lowest measured point"),
        ({"throttle_power_fraction": 0.1}, r"must be > 0.155"),
        ({"air_cooled_fraction": 0}, r"air_cooled_fraction=0.0: must be > 0 where there are fans"),
        ({"psu_efficiency": []}, r"psu_efficiency=\(\): must be at least one point"),
        ({"psu_efficiency": [[0.5, 0.9], [0.2, 0.9]]}, r"loads rising"),
        ({"gpu_idel_w": 3}, r"gpu.gpu_idel_w=3: unknown key; did you mean 'gpu_idle_w'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(changes, message):
    with pytest.raises(ConfigError, match=message):
        load("a100", **changes)
