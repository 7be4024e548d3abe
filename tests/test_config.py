"""The reader of configuration, where tests of models do not reach."""

import math

import pytest

from twin import build
from twin.config import ClockConfig, OutputConfig, parse
from twin.errors import ConfigError
from twin.settings import compose


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_must_be_finite(value):
    with pytest.raises(ConfigError, match=rf"output\.interval_s={value}: must be a finite number"):
        parse(OutputConfig, {"interval_s": value}, "output")


def test_a_whole_number_may_be_written_as_a_float_but_not_as_a_fraction():
    clock = {"start": "2023-07-03", "duration_days": 1}
    assert parse(ClockConfig, {**clock, "seed": 1e3}, "clock").seed == 1000
    with pytest.raises(ConfigError, match=r"clock\.seed=1\.5: must be a whole number"):
        parse(ClockConfig, {**clock, "seed": 1.5}, "clock")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "~nobody9/x", "\ud800"])
def test_what_no_file_can_be_called_is_refused_by_its_key(name):
    config = compose.load(["workload=philly"])
    config["workload"]["path"] = name
    with pytest.raises(ConfigError, match=r"^workload\.path=.*: must be the name of a file"):
        build.read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chilled_water.rise_k", 1e-30),
        ("chilled_water.pump_head_kpa", 1e30),
        ("chilled_water.pump_efficiency", 1e-30),
        ("condenser_water.range_k", 1e-30),
        ("tower.fan_kw_per_kw", 1e6),
    ],
)
def test_a_plant_that_nobody_could_build_is_refused(key, value):
    config = compose.load([f"cooling.{key}={value}"])
    with pytest.raises(ConfigError, match=rf"cooling\.{key}="):
        build.read(config)
