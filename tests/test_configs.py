"""Every configuration file and every scenario there is, built as a run would."""

import functools
import re

import pytest
from omegaconf import OmegaConf

from twin import build, run
from twin.errors import ConfigError
from twin.settings import catalogue, compose
from twin.validation.published import find_cases, find_probe

CONF = catalogue.data_dir("conf")
CHOICES = [(group, name) for group in catalogue.GROUPS for name in catalogue.choices(group)]
SCENARIOS = list(catalogue.scenario_files())
COOLINGS = catalogue.choices("cooling")

MISFIT = re.compile(
    r"^(rack\.|faults\.|facility\.(phases|racks_built|floor_load_kg_per_m2)"
    r"|workload\.path: is required|workload\..*(what the facility has|all of the facility)"
    r"|network\..* missing$)"
)
"""How a choice that is right in itself may be refused beside the others: a rack too small for
its servers or too dense for its cooling, a floor that does not carry it, a fault of a unit that
this cooling does not have, a trace that was not named, jobs too large, phases of other racks, a
fabric with too few ports."""


@functools.cache
def default():
    return compose.load()


def chosen(group, name):
    """Return the default configuration with another choice in one group."""
    content = OmegaConf.load(CONF / group / f"{name}.yaml")
    if "defaults" in content:
        return compose.load([f"{group}={name}"])
    return {**default(), group: OmegaConf.to_container(content, resolve=True)}


def fits_or_says_why(config):
    """Build *config*; it must fit together or be refused for not fitting."""
    try:
        run.check(config)
    except ConfigError as error:
        assert MISFIT.match(str(error)), str(error)


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_file_explains_itself(path):
    assert "# " in path.read_text()


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_fills_its_model_and_fits_or_says_why(group, name):
    config = chosen(group, name)
    build.read(config)
    fits_or_says_why(config)


def in_turn(scenarios, coolings):
    """Return every scenario with one plant, so that every plant comes up several times."""
    return [(name, coolings[k % len(coolings)]) for k, name in enumerate(scenarios)]


@pytest.mark.parametrize(("scenario", "cooling"), in_turn(SCENARIOS, COOLINGS))
def test_every_scenario_works_with_another_cooling(scenario, cooling):
    """All pairs are among those of the slow test below."""
    config = compose.load([f"scenario={scenario}", f"cooling={cooling}"])
    assert config["scenario"]["name"] == scenario.rpartition("/")[2]
    fits_or_says_why(config)


@pytest.mark.slow
@pytest.mark.parametrize(("group", "name"), CHOICES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_works_with_every_choice(scenario, group, name):
    fits_or_says_why(compose.load([f"scenario={scenario}", f"{group}={name}"]))


@pytest.mark.parametrize("path", catalogue.scenario_files().values(), ids=lambda p: p.stem)
def test_every_scenario_asks_a_question(path):
    assert not catalogue.question(path).startswith("(")
    assert path.read_text().startswith("# ")
    assert not re.search(r"(?i)todo|fixme", path.read_text())


def test_every_published_row_is_well_formed_and_its_probe_exists():
    """What a scenario's file says of itself is read as it is; that it composes is told above."""
    rows = [row for case in find_cases(slow=True) for row in case.rows]
    assert all(callable(find_probe(row.probe)) for row in rows if row.probe is not None)
