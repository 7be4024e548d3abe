"""The built wheel, installed by itself, works from an empty folder and brings its data along."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="needs pip"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if "hatchling" in done.stderr and "No matching distribution" in done.stderr:
        pytest.skip("pip reaches no hatchling to build with")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Unpack the wheel by itself; what it needs comes from where the tests run."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def call(installed, where, module, function, *words):
    """Run a command as its console script does, with the unpacked wheel before all else."""
    code = f"import sys; from {module} import {function}; sys.exit({function}())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def scripts(installed):
    text = next(installed.glob("*.dist-info")).joinpath("entry_points.txt").read_text()
    lines = [line.partition(" = ") for line in text.splitlines() if " = " in line]
    return {name: tuple(target.split(":")) for name, _, target in lines}


def test_every_choice_and_scenario_is_in_the_wheel(installed):
    for folder in ("conf", "scenarios"):
        here = {path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.yaml")}
        packed = installed / "twin/_data" / folder
        assert here == {path.relative_to(packed) for path in packed.rglob("*.yaml")}
    for path in (ROOT / "twin").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (installed / path.relative_to(ROOT)).is_file()


def test_every_command_explains_itself_from_an_empty_folder(installed, tmp_path):
    found = scripts(installed)
    assert {"twin", "twin-compare", "twin-plot", "twin-validate", "twin-export"} <= set(found)
    for name, (module, function) in found.items():
        done = call(installed, tmp_path, module, function, "--help")
        assert done.returncode == 0, (name, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout.strip()
    assert list(tmp_path.iterdir()) == []


def test_runs_are_made_compared_and_drawn_from_an_empty_folder(installed, tmp_path):
    found = scripts(installed)

    def twin(name, *words):
        done = call(installed, tmp_path, *found[name], *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    short = ["clock.duration_days=0.02", "output=data_only"]
    for cooling in ("chilled_air", "immersion"):
        twin("twin", f"cooling={cooling}", f"hydra.run.dir=out/{cooling}", *short)
    twin("twin", "scenario=chiller_trip", "hydra.run.dir=trip", *short)
    assert "immersion" in twin("twin-compare", "out")
    assert (tmp_path / "out/compare.html").is_file()
    twin("twin-plot", "out/immersion")
    assert (tmp_path / "out/immersion/plots/power_and_pue.png").is_file()
    twin("twin-export", "--vessim", "load.csv", "out/immersion")
    assert (tmp_path / "load.csv").is_file()
    assert "chiller_curves" in twin("twin-validate", "chiller_curves")
