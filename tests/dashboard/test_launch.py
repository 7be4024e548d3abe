"""Runs started from the page: refused with help, watched, and ended with it."""

import time

import pytest

from twin.dashboard.launch import Launcher, beside
from twin.errors import ConfigError
from twin.results.run_folder import Run


@pytest.fixture
def launcher(tmp_path):
    launcher = Launcher(tmp_path / "outputs")
    yield launcher
    launcher.stop()


def wait(started):
    end = time.monotonic() + 120.0
    while started.state() == "running" and time.monotonic() < end:
        time.sleep(0.1)
    return started.state()


@pytest.mark.parametrize(
    "changes",
    ["hydra.run.dir=/", "+hydra.run.dir=/", "--multirun", "-m", "hydra/launcher=pool", "site"],
)
def test_what_is_no_change_of_the_configuration_is_refused(launcher, changes):
    with pytest.raises(ConfigError, match="must be key=value"):
        launcher.start("mana_oasis", changes)
    assert not launcher.started and not launcher.folder.exists()


def test_an_unknown_scenario_names_the_nearest(launcher):
    with pytest.raises(ConfigError, match="did you mean 'mana_oasis'"):
        launcher.start("mana_oasi", "")


def test_a_run_is_finished_in_the_folder_that_is_shown(launcher):
    one = launcher.start("mana_oasis", "clock.duration_days=0.02\noutput=data_only\n")
    assert wait(one) == "done"
    assert Run.open(one.folder).summary["simulated_days"] == pytest.approx(0.02)
    assert one.progress() > 0.9
    launcher.tidy()
    assert not beside(one.folder, "log").exists() and not beside(one.folder, "progress").exists()


def test_what_the_configuration_refuses_is_told_as_on_the_command_line(launcher):
    one = launcher.start("mana_oasis", "site=ulanqabb")
    assert "did you mean 'ulanqab'" in wait(one)
    assert not one.folder.exists()


def test_too_many_at_once_are_refused_and_all_end_with_the_page(launcher):
    started = [launcher.start("mana_oasis", "clock.duration_days=30") for _ in range(2)]
    with pytest.raises(ConfigError, match="going on already"):
        launcher.start("mana_oasis", "")
    launcher.stop()
    assert all(one.process.poll() is not None for one in started)
