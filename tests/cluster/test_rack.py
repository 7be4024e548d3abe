"""Racks refuse servers they cannot feed."""

from pathlib import Path

import pytest
import yaml

from twin.cluster.rack import RackConfig
from twin.config import parse
from twin.errors import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMEPLATE_W = {
    path.stem: 1e3 * yaml.safe_load(path.read_text())["nameplate_kw"]
    for path in (CONF / "gpu").glob("*.yaml")
}
CONTENT = {
    "6_5kw": "a100",
    "13kw": "a100",
    "20kw": "h100",
    "26kw": "a100",
    "40kw": "h100",
    "50kw": "h100",
    "57kw": "b200",
    "100kw": "b200",
    "120kw": "gb200_nvl72",
}


def load(name: str) -> RackConfig:
    return parse(RackConfig, yaml.safe_load((CONF / f"rack/{name}.yaml").read_text()), "rack")


@pytest.mark.parametrize(("name", "gpu"), CONTENT.items())
def test_every_rack_carries_the_servers_it_is_named_for(name, gpu):
    load(name).check(NAMEPLATE_W[gpu])


def test_a_full_rack_is_accepted_and_one_watt_more_is_not():
    rack = RackConfig(name="two", rated_kw=13.0, servers_per_rack=2)
    rack.check(6500.0)
    with pytest.raises(ConfigError, match=r"rack.rated_kw=13: must be >= 13.002"):
        rack.check(6501.0)


def test_the_refusal_says_how_many_would_fit():
    with pytest.raises(ConfigError, match=r"rack.servers_per_rack=2; 1 would fit"):
        load("13kw").check(10200.0)


def test_a_row_whose_busway_carries_its_racks_is_accepted_and_one_more_is_not():
    keys = {"name": "two", "rated_kw": 13.0, "servers_per_rack": 2, "row_kw": 165.0}
    RackConfig(**keys, racks_per_row=10).check(6500.0)  # 130 kW of 132
    with pytest.raises(ConfigError, match=r"rack\.row_kw=165: must be >= 178\.75.*10 racks would"):
        RackConfig(**keys, racks_per_row=11).check(6500.0)


def test_half_of_what_describes_a_row_is_refused():
    with pytest.raises(ConfigError, match="row_kw"):
        RackConfig(name="two", rated_kw=13.0, servers_per_rack=2, racks_per_row=4)


def test_a_pattern_of_inlets_repeats_over_the_racks_and_without_a_rise_there_is_none():
    keys = {"name": "one", "rated_kw": 6.5, "servers_per_rack": 1}
    assert RackConfig(**keys, inlet_rise_k=[4, 0, 0]).rises_k(5) == [4, 0, 0, 4, 0]
    assert RackConfig(**keys, inlet_rise_k=[0, 0]).rises_k(5) == []
    assert RackConfig(**keys).rises_k(5) == []


def test_air_cooler_than_the_hall_is_refused():
    data = yaml.safe_load((CONF / "rack/13kw.yaml").read_text()) | {"inlet_rise_k": [0, -1]}
    with pytest.raises(ConfigError, match=r"inlet_rise_k\[1\]=-1"):
        parse(RackConfig, data, "rack")
