"""twin-calibrate: known parameters come back, real telemetry is read to the last row."""

import builtins
import re

import numpy as np
import pytest
import yaml

from twin.calibration.command import base_values, find_format, formats, main
from twin.calibration.fit import errors, fit, held_out
from twin.calibration.telemetry import Readings, Telemetry, read_telemetry
from twin.config import parse
from twin.errors import ConfigError, InputFileError
from twin.gpu.air_server import AirServer
from twin.records import LoadReport
from twin.settings import compose

pytest.importorskip("scipy", reason="calibration needs the extra 'calibrate'")

GPU = {"measures": "gpu", "base": "h100", "columns": {"gpu_w": "watts", "activity": "busy"}}
SERVER = {"measures": "server", "base": "h100", "columns": {"gpu_w": "gpu", "server_w": "node"}}


@pytest.fixture(scope="module")
def h100():
    return parse(AirServer, base_values("h100"), "gpu")


def readings(x, y, group=None):
    many = len(x)
    none = np.full(many, np.nan)
    group = np.zeros(many, dtype=int) if group is None else group
    return Readings(np.asarray(x), np.asarray(y), group, none, [LoadReport("made.csv")])


def inside(parameter, truth):
    return parameter.low <= truth <= parameter.high


# ---- known parameters ----


def test_noisy_gpu_readings_give_their_parameters_back_within_the_interval(h100):
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 3000)
    y = 90.0 + 520.0 * x**0.8 + rng.normal(0, 15, 3000)
    found = fit(h100, readings(x, y), parse(Telemetry, GPU, "t"), 0.3)
    truth = {"gpu_idle_w": 90.0, "gpu_max_w": 610.0, "activity_exponent": 0.8}
    for one in found.parameters:
        assert inside(one, truth[one.key]), one
        assert one.value == pytest.approx(truth[one.key], rel=0.02)
    assert abs(found.held_out.bias) < 0.01
    assert found.held_out.cv_rmse == pytest.approx(15 / y.mean(), rel=0.1)


def test_noisy_server_readings_give_the_host_back_within_the_interval(h100):
    rng = np.random.default_rng(2)
    from dataclasses import replace

    truth = replace(h100, host_idle_w=1000.0, host_busy_w=1900.0)
    gpu_w = rng.uniform(70, 700, 800)
    clean = np.array([truth.power_w((w - 70) / 630)[0] for w in gpu_w])
    found = fit(h100, readings(gpu_w, clean + rng.normal(0, 60, 800)),
                parse(Telemetry, SERVER, "t"), 0.3)  # fmt: skip
    assert inside(found.parameters[0], 1000.0)
    assert inside(found.parameters[1], 1900.0)
    assert found.parameters[0].value == pytest.approx(1000.0, rel=0.03)


def test_readings_without_noise_give_the_truth_itself(h100):
    x = np.linspace(0, 1, 60)
    found = fit(h100, readings(x, 70 + 500 * x**1.1), parse(Telemetry, GPU, "t"), 0.2)
    got = [one.value for one in found.parameters]
    assert got == pytest.approx([70.0, 570.0, 1.1], rel=1e-3)


def test_the_speed_under_a_cap_comes_back(h100):
    rng = np.random.default_rng(3)
    power = rng.uniform(0.4, 1.0, 600)
    speed = np.interp(power, [0.4, 0.7, 1.0], [0.5, 0.9, 1.0]) + rng.normal(0, 0.01, 600)
    caps = {**GPU, "measures": "caps",
            "columns": {"gpu_w": "w", "limit_w": "cap", "time": "s"}}  # fmt: skip
    found = fit(h100, readings(power, speed), parse(Telemetry, caps, "t"), 0.3)
    curve = np.array(found.server.speed_at_power)
    assert np.interp(0.55, *curve.T) == pytest.approx(0.7, abs=0.01)
    assert curve[-1].tolist() == [1.0, 1.0]
    assert np.all(np.diff(curve[:, 1]) >= 0)


def test_a_parameter_that_is_stopped_by_its_bound_says_so(h100):
    x = np.linspace(0, 1, 60)
    found = fit(h100, readings(x, 70 + 500 * x**2.5), parse(Telemetry, GPU, "t"), 0.2)
    assert [one.at_bound for one in found.parameters if one.key == "activity_exponent"] == [True]


def test_readings_that_do_not_vary_are_refused(h100):
    x = np.full(60, 500.0)
    with pytest.raises(InputFileError, match="do not tell 2 parameters apart"):
        fit(h100, readings(x, x * 9 + np.arange(60)), parse(Telemetry, SERVER, "t"), 0.3)


def test_bias_and_cv_rmse_by_hand():
    found = errors(np.array([11.0, 21.0]), np.array([10.0, 20.0]))
    assert found.bias == pytest.approx(1 / 15)
    assert found.cv_rmse == pytest.approx(1 / 15)


def test_whole_groups_are_held_out_and_of_each_kind_some():
    group = np.repeat(np.arange(10), 6)
    x = np.where((group < 4) & (np.arange(60) % 2 == 0), 0.0, 1.0)
    held = held_out(readings(x, x, group), "group", 0.5)
    for one in range(10):
        assert len(set(held[group == one])) == 1
    assert len(set(held[group < 4])) == len(set(held[group >= 4])) == 2


# ---- real telemetry ----

REAL = [  # format, files, events, rows read, points to fit
    ("cornell_h100", ["cornell-biohpc/cbsugpu08_usage_stats.txt.gz"], None, 15_279, 15_277),
    ("cornell_a40", ["cornell-biohpc/cbsugpu05_usage_stats.txt.gz"], None, 23_373, 23_371),
    ("acme_seren", ["acme-seren-2023/quantiles_seren.csv"], None, 12_000, 999),
    ("harvard_ipmi", ["harvard-cannon-ipmi-2025/ipmi_snapshot_a.csv.gz"], None, 21_966, 139),
    ("zeus_v100", ["zeus-power-caps/summary_power_v100.csv"], None, 476, 147),
    ("zeus_a40", ["zeus-power-caps/summary_power_a40.csv"], None, 453, 137),
    (
        "nvidia_h200",
        [
            "mlperf-inference-nvidia-h200/llama2-70b-99_Offline_spl.txt.gz",
            "mlperf-inference-nvidia-h200/llama2-70b-99_Server_spl.txt.gz",
            "mlperf-inference-nvidia-h200/resnet50_Server_spl.txt.gz",
        ],
        None,
        7_575,
        7_313,
    ),
    pytest.param(
        "smc_h100",
        ["mlperf-training-smc-h100/power_dev.csv.gz"],
        "mlperf-training-smc-h100/events_dev.csv",
        115_292,
        115_221,
        marks=pytest.mark.slow,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "files", "events", "rows", "points"), REAL)
def test_every_telemetry_folder_is_read_to_the_last_row(
    shared_data, name, files, events, rows, points
):
    folder = shared_data / "telemetry"
    telemetry = find_format(name)
    server = parse(AirServer, {**base_values(telemetry.base), **telemetry.set}, "gpu")
    paths = [folder / file for file in files]
    found = read_telemetry(telemetry, paths, folder / events if events else None, server)
    assert (found.read, len(found)) == (rows, points)
    fitted = fit(server, found, telemetry, 0.3)
    assert abs(fitted.held_out.bias) < 0.06
    assert fitted.held_out.cv_rmse < 0.25


def test_every_format_has_its_real_file():
    assert {getattr(row, "values", row)[0] for row in REAL} == set(formats())


# ---- the command ----


def made(tmp_path, rows=400, seed=5):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, rows)
    y = 80 + 500 * x**0.9 + rng.normal(0, 10, rows)
    lines = [f"{w:.3f},{a:.5f}" for w, a in zip(y, x, strict=True)]
    path = tmp_path / "gpu.csv"
    path.write_text("\n".join(["watts,busy", *lines]) + "\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(GPU))
    return path


def test_the_file_written_says_what_it_is_and_the_twin_takes_it(tmp_path, monkeypatch, capsys):
    path = made(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["mine.yaml", str(path), "--name", "my_gpu"]) == 0
    text = (tmp_path / "conf" / "gpu" / "my_gpu.yaml").read_text()
    for said in ("gpu.csv, sha256 ", "400 rows read", "held out by row", "CV(RMSE)", "valid for"):
        assert said in text
    assert re.search(r"gpu_idle_w: [78]\d\.\d+  # fitted, 95 % confidence", text)
    assert "held out" in capsys.readouterr().out
    gpu = compose.load(["gpu=my_gpu"])["gpu"]
    assert gpu["gpu_idle_w"] == pytest.approx(80, abs=5)
    server = parse(AirServer, {k: v for k, v in gpu.items() if k != "kind"}, "gpu")
    assert server.gpu_max_w == pytest.approx(580, rel=0.02)


def test_a_choice_of_ones_own_may_not_hide_behind_one_of_the_twins(tmp_path, monkeypatch):
    path = made(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["mine.yaml", str(path), "--name", "a"]) == 0
    (tmp_path / "conf" / "gpu" / "a.yaml").rename(tmp_path / "conf" / "gpu" / "h100.yaml")
    with pytest.raises(ConfigError, match="bears the name of a choice of the twin's"):
        compose.load(["gpu=h100"])
    assert compose.load(["gpu=a100"])["gpu"]["gpus_per_server"] == 8


BAD = [
    ("watts,busy\n100,0.5\nabc,0.5\n", r"gpu\.csv:3: watts='abc': must be a number >= 0"),
    ("watts,busy\n100,0.5\n-5,0.5\n", r"gpu\.csv:3: watts='-5': must be a number >= 0"),
    ("watts,busy\n100,1.5\n", r"gpu\.csv:2: busy=1\.5: must be at most all of it"),
    ("watts,busy\n100,0.5,7\n", r"gpu\.csv:2: 3 fields: must be 2"),
    ("power,busy\n100,0.5\n", r"no column 'watts'\ncolumns seen: power, busy\nmapping wanted"),
    ("watts,busy\n100,0.5\n", r"--hold-out 0\.3: leaves"),
    ("watts,busy\n", r"no row can be used"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_bad_file_is_refused_by_line(tmp_path, monkeypatch, capsys, text, said):
    path = made(tmp_path)
    path.write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["mine.yaml", str(path)]) == 2
    assert re.search(said, capsys.readouterr().err.replace(" \n", "\n"))
    assert not (tmp_path / "conf").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cornel_h100", "x.csv"], "did you mean 'cornell_h100'?"),
        (["cornell_h100"], "FORMAT and FILE: are required"),
        (["cornell_h100", "x.csv", "--hold-out", "1"], "--hold-out 1: must be > 0 and < 1"),
        (["cornell_h100", "x.csv", "--name", "h100"], "comes with the twin"),
        (["cornell_h100", "x.csv", "--name", "../x"], "must be letters"),
        (["cornell_h100", "x.csv", "--base", "h1000"], "there is no such choice"),
        (["cornell_h100", "x.csv", "--set", "gpu_idle_w"], "must be KEY=VALUE"),
        (["cornell_h100", "x.csv", "--set", "gpu_idel_w=3"], "gpu_idle_w"),
        (["cornell_h100", "x.csv", "--events", "e.csv"], "has no use with this format"),
        (["smc_h100", "x.csv"], "--events: is required"),
        (["cornell_h100", "x.csv"], "no such file"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_scipy_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    path = made(tmp_path)
    monkeypatch.chdir(tmp_path)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["mine.yaml", str(path)]) == 2
    assert "pip install 'twin[calibrate]'" in capsys.readouterr().err


def test_help_teaches_and_list_lists(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "Examples:" in capsys.readouterr().out
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in formats())
