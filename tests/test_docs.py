"""The documentation builds without a warning, and what it shows can be typed."""

import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.support.weather import EpwWriter
from twin import physics, run, scheduling
from twin.settings import catalogue, compose

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["html"])
def test_it_builds_without_a_warning(builder, tmp_path):
    for package in ("sphinx", "myst_parser", "furo", "numpydoc"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder, DOCS, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "twin.library.simulate" in (tmp_path / "library.html").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        heading = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        built = tmp_path / f"{page.stem}.html"
        if page.stem == "search":  # the site's own page of that name; optimum shows ours
            built = tmp_path / "optimum.html"
        elif page.stem == "optimum":
            continue
        assert f"<h1>{heading}<" in built.read_text(encoding="utf-8")


def test_every_equation_is_on_the_page_of_equations():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    top = Path(physics.__file__).parent
    modules = {path.relative_to(top).with_suffix("") for path in top.rglob("[!_]*.py")}
    named = set(re.findall(r"automodule:: twin\.physics\.([\w.]+)", page))
    assert named == {".".join(module.parts) for module in modules}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_choices_named_in_a_command_exist(page):
    text = page.read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if re.match(r"\s*(twin|  )\S* ?.*=", line)]
    own = {
        "dense",
        "NAME",
        "my_study",
        "warm_water",
        "our_jobs",
        "largest",
        "my_20mw",
    }  # made on the page itself
    for line in commands:
        for group, names in re.findall(r"\b([a-z/]+)=([a-z0-9_,]+)", line):
            known = set(catalogue.scenario_files()) if group == "scenario" else set()
            if group in catalogue.GROUPS or group.startswith("hydra/"):
                known = set(catalogue.choices(group))
            if known:
                assert set(names.split(",")) <= known | own, line


PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]


def yaml_blocks(path):
    """Return the YAML that a page shows, also within a list."""
    found = re.findall(r"^ *```yaml\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.M | re.S)
    return [textwrap.dedent(block) for block in found]


def test_yaml_is_found_also_within_a_list():
    assert any("rear_door" in block for block in yaml_blocks(DOCS / "ten_minutes.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_yaml_that_is_shown_can_be_read(page):
    for block in yaml_blocks(page):
        assert yaml.safe_load(block), block


def test_the_scenario_of_the_first_ten_minutes_fits_together(tmp_path, monkeypatch):
    (block,) = yaml_blocks(DOCS / "ten_minutes.md")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/dense.yaml").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    run.check(compose.load(["scenario=dense"]))


def test_what_is_shown_as_ones_own_fits_together(tmp_path, monkeypatch):
    """Each block begins with the file it stands in."""
    text = (DOCS / "own.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:yaml|python)\n(.*?)^```", text, re.M | re.S):
        path = tmp_path / re.match(r"# ([\w/]+\.(?:yaml|py))", block)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")
    epw = EpwWriter(tmp_path)
    Path(epw.write(epw.rows())).rename(tmp_path / "USA_AZ_Phoenix.722780_TMYx.epw")
    (tmp_path / "jobs.csv").write_text(
        "Submitted,Runtime,GPUs,User,Result,Name\n2023-07-03 01:00:00,60,8,me,done,one\n"
    )
    monkeypatch.setattr(
        scheduling, "__path__", [*scheduling.__path__, str(tmp_path / "twin/scheduling")]
    )
    monkeypatch.chdir(tmp_path)
    for words in (
        ["cooling=warm_water", "site=phoenix", "scheduling=largest"],
        ["workload=our_jobs", "workload.path=jobs.csv"],
        ["workload=our_mix"],
        ["scenario=my_20mw"],
    ):
        run.check(compose.load(words))
