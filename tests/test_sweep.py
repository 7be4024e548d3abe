"""A sweep: all designs checked first, none able to stop the others, all told at the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from twin.errors import ConfigError
from twin.sweep import PoolLauncher, combinations

FAKE = Path(__file__).with_name("with_fake_run.py")
COMMAND = [sys.executable, str(FAKE)]
HERE = {**os.environ, "PYTHONPATH": str(FAKE.parent.parent)}


@pytest.fixture
def sweep(tmp_path):
    def run(*words):
        return subprocess.run(
            [*COMMAND, "--multirun", "hydra.sweep.dir=sweep", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=HERE,
        )

    return run


def finished(folder):
    return sorted(int(path.parent.name) for path in folder.glob("sweep/*/summary.json"))


@pytest.mark.slow
def test_every_combination_runs_and_is_compared(sweep, tmp_path):
    done = sweep("clock.seed=0,1", "scheduling=easy,fcfs")

    assert done.returncode == 0, done.stderr
    assert finished(tmp_path) == [0, 1, 2, 3]
    assert "compared 4 runs" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("workers", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_designs_that_raise_exit_or_are_killed_stop_no_other(sweep, tmp_path, workers):
    done = sweep("clock.seed=0,11,12,13,1", f"hydra.launcher.workers={workers}")

    assert done.returncode == 1
    assert finished(tmp_path) == [0, 4]
    assert "compared 5 runs" in done.stdout
    assert "3 of 5 designs failed" in done.stderr
    assert "design 1 (clock.seed=11) failed: the ledger does not close" in done.stderr
    assert "design 2 (clock.seed=12) failed: exited with status 3" in done.stderr
    assert "design 3 (clock.seed=13) failed: died (killed by SIGKILL)" in done.stderr
    for number, trace in ((1, "RunError"), (2, "SystemExit"), (3, "SIGKILL")):
        assert trace in (tmp_path / f"sweep/{number}/error.txt").read_text()


@pytest.mark.slow
def test_the_basic_launcher_works_too(sweep, tmp_path):
    done = sweep("clock.seed=0,11,12,1", "hydra/launcher=basic")

    assert done.returncode == 1
    assert finished(tmp_path) == [0, 3]
    assert "2 of 4 designs failed" in done.stderr


@pytest.mark.slow
def test_a_design_over_the_time_limit_is_stopped(sweep, tmp_path):
    done = sweep("clock.seed=14,0", "hydra.launcher.time_limit_s=2")

    assert done.returncode == 1
    assert finished(tmp_path) == [1]
    assert "design 0 (clock.seed=14) failed: stopped after 2 s, its limit" in done.stderr


def test_all_problems_of_all_designs_are_told_and_nothing_is_started(sweep, tmp_path):
    done = sweep("clock.seed=0,15", "scheduling=easy,easyy")

    assert done.returncode == 2
    assert "3 of 4 designs are wrong; none was started" in done.stderr
    assert "design 1 (clock.seed=0 scheduling=easyy) and 1 more" in done.stderr
    assert "did you mean 'easy'?" in done.stderr
    assert "clock.seed=15: must be something else" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"workers": 0}, "hydra.launcher.workers=0: must be a whole number >= 1"),
        ({"workers": "all"}, "hydra.launcher.workers=all: must be a whole number >= 1"),
        ({"time_limit_s": -1}, "hydra.launcher.time_limit_s=-1: must be a number > 0"),
    ],
)
def test_a_wrong_setting_of_the_launcher_is_refused(setting, message):
    launcher = PoolLauncher(**setting)
    with pytest.raises(ConfigError, match=message):
        launcher.setup(hydra_context=None, task_function=None, config=None)


def parsed(*overrides):
    return OverridesParser.create().parse_overrides(list(overrides))


def test_designs_are_all_combinations_and_the_later_override_counts():
    designs = combinations(parsed("a.b=1,2", "c=x", "++d.e=range(2)", "a.b=3,4"))
    assert designs == [
        ["a.b=3", "c=x", "++d.e=0"],
        ["a.b=3", "c=x", "++d.e=1"],
        ["a.b=4", "c=x", "++d.e=0"],
        ["a.b=4", "c=x", "++d.e=1"],
    ]


def test_a_sweep_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="has no end"):
        combinations(parsed("clock.seed=interval(0,1)"))


@pytest.mark.slow
def test_a_scenario_can_carry_the_axes_and_the_command_line_replaces_one(sweep, tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/study.yaml").write_text(
        "defaults: [mana_oasis, _self_]\n"
        "hydra: {sweeper: {params: {clock.seed: '0,1', scheduling: 'easy,fcfs'}}}\n"
    )
    done = sweep("scenario=study", "clock.seed=5")

    assert done.returncode == 0, done.stderr
    assert finished(tmp_path) == [0, 1]


def test_ctrl_c_stops_every_design_and_says_what_is_kept(tmp_path):
    words = [
        "--multirun",
        "hydra.sweep.dir=sweep",
        "clock.seed=0,14,14",
        "hydra.launcher.workers=2",
    ]
    with subprocess.Popen(
        [*COMMAND, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=HERE
    ) as process:
        wait_for(lambda: finished(tmp_path) and len(list(tmp_path.glob("sweep/*/hanging"))) == 2)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=30)[1]

    assert process.returncode == 130
    assert "1 of 3 designs are finished and kept in sweep" in message
    assert "Traceback" not in message
    assert time.monotonic() - began < 5
    assert finished(tmp_path) == [0]


@pytest.mark.slow
def test_no_design_outlives_a_sweep_that_is_killed(tmp_path):
    words = ["--multirun", "hydra.sweep.dir=sweep", "clock.seed=14,14", "hydra.launcher.workers=2"]
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=HERE) as process:
        wait_for(lambda: len(list(tmp_path.glob("sweep/*/hanging"))) == 2)
        children = children_of(process.pid)
        process.kill()
    assert len(children) == 2
    wait_for(lambda: not any(Path(f"/proc/{child}/environ").exists() for child in children))


def children_of(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("this system does not list the children of a process")
    return listed.read_text().split()


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.slow
def test_two_sweeps_in_one_second_do_not_collide(tmp_path):
    words = [*COMMAND, "-m", "clock.seed=0,1"]
    both = [subprocess.Popen(words, cwd=tmp_path, env=HERE) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(list(tmp_path.glob("outputs/sweeps/*/1/summary.json"))) == 2
