"""What a scenario may say of itself."""

import pytest

from twin.config import parse
from twin.errors import ConfigError
from twin.scenario import ScenarioConfig


@pytest.mark.parametrize("name", ["mana_oasis", "Fuyao 2.0 (north)", "乌兰察布"])
def test_a_name_of_one_folder_is_taken(name):
    assert parse(ScenarioConfig, {"name": name}, "scenario").name == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/tmp/x", "a/b", "a\\b", "a\n", "<b>", " x"]
)
def test_a_name_that_leads_results_elsewhere_is_refused(name):
    with pytest.raises(ConfigError, match=r"scenario\.name='.*': must be the name of one folder"):
        parse(ScenarioConfig, {"name": name}, "scenario")
