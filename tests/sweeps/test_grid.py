"""A sweep: all designs checked first, none able to stop the others, all told at the end."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.support.commands import FAKE, HERE, called
from twin.errors import ConfigError
from twin.sweeps.grid import combinations
from twin.sweeps.launch import PoolLauncher

SITE = FAKE.with_name("fake_site")
COMMAND = [sys.executable, str(FAKE)]


@pytest.fixture
def sweep(tmp_path):
    def run(*words):
        return called(FAKE, "--multirun", "hydra.sweep.dir=sweep", *words, folder=tmp_path)

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


def test_a_finished_sweep_says_where_its_time_went(sweep, tmp_path):
    done = sweep("clock.seed=0,1", "hydra.launcher.workers=2")

    assert done.returncode == 0, done.stderr
    timing = json.loads((tmp_path / "sweep/timing.json").read_text())
    assert timing["designs"] == timing["workers"] == 2
    assert timing["check_s"] > 0 and timing["startup_s"] > 0
    assert "2 designs in" in done.stdout and "of ideal" in done.stdout


@pytest.mark.slow
def test_two_designs_in_one_folder_are_refused(sweep, tmp_path):
    done = sweep("clock.seed=0,1", "hydra.sweep.subdir=same")
    assert done.returncode == 2
    assert "designs 0 and 1 would share the folder sweep/same" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ---- taken up again --------------------------------------------------------------


def begin_and_kill(tmp_path, when, *words):
    """Start a sweep with two workers, kill it hard when *when* holds, and let it rest."""
    words = ["-m", "hydra.sweep.dir=sweep", "hydra.launcher.workers=2", *words]
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=HERE) as process:
        wait_for(when)
        process.kill()
    (tmp_path / "go_on").touch()


def runs(tmp_path):
    """Return which seeds finished, in order, each as often as it did."""
    return sorted(int(line) for line in (tmp_path / "finished.log").read_text().split())


def test_a_killed_sweep_goes_on_with_what_is_missing(sweep, tmp_path):
    def half_done():
        return len(list(tmp_path.glob("sweep/*/hanging"))) == 2

    begin_and_kill(tmp_path, half_done, "clock.seed=0,1,14,2,24,3")
    done_before = finished(tmp_path)
    assert 0 < len(done_before) < 6

    done = sweep("resume=sweep")

    assert done.returncode == 0, done.stderr
    assert f"{len(done_before)} of 6 designs are finished; {6 - len(done_before)} are left" in (
        done.stdout
    )
    assert "compared 6 runs" in done.stdout
    assert finished(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert runs(tmp_path) == [0, 1, 2, 3, 14, 24]

    again = sweep("resume=sweep")
    assert again.returncode == 0, again.stderr
    assert runs(tmp_path) == [0, 1, 2, 3, 14, 24]


@pytest.mark.slow
def test_a_killed_worker_is_run_again_and_nothing_else(sweep, tmp_path):
    words = ["-m", "hydra.sweep.dir=sweep", "hydra.launcher.workers=2", "clock.seed=0,14,1,2"]
    with subprocess.Popen(
        [*COMMAND, *words], cwd=tmp_path, env=HERE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: finished(tmp_path) == [0, 2, 3])
        [worker] = children_of(process.pid)
        os.kill(int(worker), signal.SIGKILL)
        message = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert "design 1 (clock.seed=14) failed: died (killed by SIGKILL)" in message

    (tmp_path / "go_on").touch()
    done = sweep("resume=sweep")
    assert done.returncode == 0, done.stderr
    assert runs(tmp_path) == [0, 1, 2, 14]


@pytest.mark.slow
def test_a_failed_design_is_tried_again(sweep, tmp_path):
    assert sweep("clock.seed=0,11").returncode == 1
    done = sweep("resume=sweep")
    assert done.returncode == 1
    assert "1 of 2 designs are finished; 1 are left" in done.stdout
    assert runs(tmp_path) == [0]


@pytest.mark.slow
def test_another_sweep_is_not_mixed_in(sweep, tmp_path):
    assert sweep("clock.seed=0,1").returncode == 0
    for words, told in (
        (["clock.seed=0,2"], "design 1 was (clock.seed=1) and is now (clock.seed=2)"),
        (["clock.seed=0,1,2"], "it had 2 designs and has now 3"),
    ):
        done = sweep("resume=sweep", *words)
        assert done.returncode == 2
        assert told in done.stderr
    record = json.loads((tmp_path / "sweep/sweep.json").read_text())
    record["first_config"]["rack"]["rated_kw"] = 7.0
    record["designs"][0][1] = "other"
    (tmp_path / "sweep/sweep.json").write_text(json.dumps(record))
    done = sweep("resume=sweep")
    assert done.returncode == 2
    assert "rack.rated_kw was 7.0 and is now" in done.stderr
    assert runs(tmp_path) == [0, 1]


@pytest.mark.slow
def test_folders_that_cannot_be_taken_up_are_refused(sweep, tmp_path):
    (tmp_path / "foreign").mkdir()
    for folder, told in (
        ("nowhere", "resume=nowhere: no such folder"),
        ("foreign", "resume=foreign: no sweep was begun there"),
    ):
        done = sweep(f"resume={folder}")
        assert done.returncode == 2
        assert told in done.stderr
    (tmp_path / "foreign/sweep.json").write_text("[]")
    assert "is not the record of a sweep" in sweep("resume=foreign").stderr
    assert sweep("clock.seed=0,1").returncode == 0
    record = json.loads((tmp_path / "sweep/sweep.json").read_text())
    (tmp_path / "sweep/sweep.json").write_text(json.dumps({**record, "twin": "0.0.9"}))
    done = sweep("resume=sweep")
    assert done.returncode == 2
    assert "was begun with twin 0.0.9, and this is" in done.stderr


@pytest.mark.slow
def test_a_new_sweep_in_an_old_folder_does_not_trust_old_runs(sweep, tmp_path):
    assert sweep("clock.seed=0,1").returncode == 0
    begin_and_kill(
        tmp_path,
        lambda: len(list(tmp_path.glob("sweep/*/hanging"))) == 2,
        "clock.seed=14,24,1",
    )
    done = sweep("resume=sweep")
    assert done.returncode == 0, done.stderr
    assert runs(tmp_path) == [0, 1, 1, 14, 24]


# ---- launchers of other packages ---------------------------------------------------


@pytest.mark.slow
def test_the_basic_launcher_works_too(sweep, tmp_path):
    done = sweep("clock.seed=0,11,12,13,1", "hydra/launcher=basic")

    assert done.returncode == 1
    assert finished(tmp_path) == [0, 4]
    assert "3 of 5 designs failed" in done.stderr
    assert "design 3 (clock.seed=13) failed: died (killed by SIGKILL)" in done.stderr
    assert runs(tmp_path) == [0, 1]


FOREIGN = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
    "slurm_local": ("hydra_plugins.hydra_submitit_launcher", []),
    "ray": ("hydra_plugins.hydra_ray_launcher", ["hydra.launcher.ray.init.num_cpus=2"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", FOREIGN)
def test_no_launcher_loses_designs_to_one_that_dies(launcher, tmp_path):
    package, settings = FOREIGN[launcher]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    path = os.pathsep.join(map(str, (FAKE.parent.parent, FAKE.parent, SITE)))
    words = ["-m", "hydra.sweep.dir=sweep", f"hydra/launcher={launcher}", *settings]
    done = called(
        *("-m", "twin", *words, "clock.seed=0,11,12,13,1,2"),
        folder=tmp_path,
        timeout_s=300,
        env={**HERE, "PYTHONPATH": path},
    )
    assert done.returncode == 1, done.stderr
    assert finished(tmp_path) == [0, 4, 5]
    assert "3 of 6 designs failed" in done.stderr
    for number, cause in ((1, "ledger does not close"), (2, "3"), (3, "")):
        assert re.search(
            rf"design {number} \(clock.seed=1{number}\) failed: .*{cause}", done.stderr
        )
    assert set(runs(tmp_path)) == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", FOREIGN)
def test_a_launcher_that_is_not_installed_names_its_extra(launcher, sweep, tmp_path, monkeypatch):
    (tmp_path / "hydra_plugins").mkdir()  # hides those that are installed
    (tmp_path / "hydra_plugins/__init__.py").touch()
    monkeypatch.setitem(HERE, "PYTHONPATH", f"{tmp_path}{os.pathsep}{FAKE.parent.parent}")
    done = sweep("clock.seed=0,1", f"hydra/launcher={launcher}")
    assert done.returncode == 2
    assert f"hydra/launcher={launcher}: needs the extra" in done.stderr
    assert "pip install 'twin[" in done.stderr


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


def test_an_axis_without_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"clock\.seed=range\(5,1\): holds no value"):
        combinations(parsed("clock.seed=range(5,1)"))


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


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ray", "slurm_local", "joblib"])
def test_results_do_not_depend_on_the_launcher(launcher, tmp_path):
    """The four tables and the summary of real runs, byte for byte."""
    package, settings = FOREIGN[launcher]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    real = ["-m", "twin", "-m", "output=data_only", "clock.duration_days=0.02"]
    axes = ["cooling=chilled_air,immersion", "rack=13kw,20kw"]
    for into, words in (("pool", []), ("other", [f"hydra/launcher={launcher}", *settings])):
        axes_and_more = (f"hydra.sweep.dir={into}", *axes, *words)
        done = called(*real, *axes_and_more, folder=tmp_path, timeout_s=400)
        assert done.returncode == 0, done.stderr
    for path in sorted((tmp_path / "pool").glob("*/*")):
        if path.suffix == ".parquet" or path.name == "summary.json":
            other = tmp_path / "other" / path.relative_to(tmp_path / "pool")
            assert path.read_bytes() == other.read_bytes(), path
    assert len(list((tmp_path / "other").glob("[0-9]/summary.json"))) == 4


@pytest.mark.slow
def test_designs_meet_the_same_jobs(tmp_path):
    """Seeds are paired: what differs between designs is the design."""
    import pyarrow.parquet as pq

    words = ["-m", "hydra.sweep.dir=sweep", "cooling=chilled_air,immersion", "output=data_only"]
    words = ["-m", "twin", *words, "clock.duration_days=0.05"]
    done = called(*words, folder=tmp_path, timeout_s=200)
    assert done.returncode == 0, done.stderr
    came = [
        pq.read_table(tmp_path / f"sweep/{k}/jobs.parquet", columns=["job_id", "arrived_at_s"])
        for k in (0, 1)
    ]
    assert came[0].num_rows > 10
    assert came[0].equals(came[1])
