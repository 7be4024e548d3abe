"""Racks refuse servers they cannot feed, hold or carry."""

import doctest
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.composed import composed
from twin import build
from twin.cluster import rack as rack_module
from twin.cluster.rack import RackConfig
from twin.config import parse
from twin.errors import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"
FLOOR = 2.5, 1224.0
CONTENT = {
    "6_5kw": "a100",
    "13kw": "a100",
    "20kw": "h100",
    "26kw": "a100",
    "40kw": "h100",
    "50kw": "h100",
    "57kw": "b200",
    "100kw": "b200_4u",
    "120kw": "gb200_nvl72",
}


def load(name: str) -> RackConfig:
    return parse(RackConfig, yaml.safe_load((CONF / f"rack/{name}.yaml").read_text()), "rack")


def server(name):
    """Return a choice of server, with what it builds on."""
    data = yaml.safe_load((CONF / f"gpu/{name}.yaml").read_text())
    return {**(server(data["defaults"][0]) if "defaults" in data else {}), **data}


@pytest.mark.parametrize(("name", "gpu"), CONTENT.items())
def test_every_rack_feeds_holds_and_carries_the_servers_it_is_named_for(name, gpu):
    keys, rack = server(gpu), load(name)
    rack.check(1e3 * keys["nameplate_kw"])
    filling = rack.fill(keys["rack_units"], keys["mass_kg"], *FLOOR)
    assert filling.used_units <= filling.height_units


def test_documented_examples_hold():
    assert doctest.testmod(rack_module).failed == 0


def stack(**changes):
    keys = {"name": "stack", "rated_kw": 100.0, "servers_per_rack": 4, "height_units": 42.0}
    return RackConfig(**(keys | {"holds_kg": 1361.0, "empty_kg": 200.0} | changes))


def test_what_stands_in_a_rack_by_hand():
    """Four servers of 8 U and 130 kg: 32 U, 520 kg, and 720 kg on 2.5 m2."""
    filling = stack().fill(8, 130.0, *FLOOR)
    assert (filling.used_units, filling.servers_kg, filling.floor_kg_per_m2) == (32, 520, 288)
    assert filling.unchecked() == []


@pytest.mark.parametrize(
    ("changes", "server", "floor", "words"),
    [
        ({}, (11, 1.0), FLOOR, "rack.height_units=42: must be >= 44, 4 servers of 11 U (rack."
         "servers_per_rack=4; 3 would fit)"),
        ({}, (1, 341.0), FLOOR, "rack.holds_kg=1361: must be >= 1364, 4 servers of 341 kg (rack."
         "servers_per_rack=4; 3 would fit)"),
        ({}, (1, 340.0), (2.0, 700.0), "facility.floor_load_kg_per_m2=700: must be >= 780: 4 "
         "servers of 340 kg in a rack of 200 kg stand on 2 m2 (rack.servers_per_rack=4; "
         "3 would fit)"),
        ({"holds_kg": None}, (1, 1.0), (2.0, 90.0), "facility.floor_load_kg_per_m2=90: must be "
         ">= 102: 4 servers of 1 kg in a rack of 200 kg stand on 2 m2 (rack.servers_per_rack=4; "
         "0 would fit)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line_with_its_arithmetic(
    changes, server, floor, words
):
    with pytest.raises(ConfigError, match=f"^{re.escape(words)}$"):
        stack(**changes).fill(*server, *floor)


@given(
    st.integers(1, 60), st.floats(0.5, 20.0), st.floats(1.0, 400.0), st.floats(10.0, 60.0),
    st.floats(50.0, 3000.0), st.floats(0.0, 300.0), st.floats(1.0, 10.0), st.floats(50.0, 2000.0),
)  # fmt: skip
def test_as_many_fit_as_the_refusal_says_and_no_more(
    number, units, kg, height, holds, empty, floor_m2, floor_kg
):
    keys = {"height_units": height, "holds_kg": holds, "empty_kg": empty}

    def fits(servers):
        try:
            stack(servers_per_rack=servers, **keys).fill(units, kg, floor_m2, floor_kg)
        except ConfigError as error:
            return int(re.search(r"(\d+) would fit", str(error))[1])
        return servers

    told = number
    while told and fits(told) < told:  # height, strength and floor are looked at in turn
        told = fits(told)
    assert told == 0 or fits(told + 1) <= told or told == number
    inside = told * units <= height * 1.000001 and told * kg <= holds * 1.000001
    assert inside and (told == 0 or told * kg + empty <= floor_kg * floor_m2 * 1.000001)


def test_what_is_not_known_is_not_checked_and_is_said():
    filling = stack(servers_per_rack=40).fill(None, None, *FLOOR)
    assert [said.partition(":")[0] for said in filling.unchecked()] == [
        "gpu.rack_units is null",
        "gpu.mass_kg is null",
    ]
    bare = stack(height_units=None, holds_kg=None)
    assert bare.fill(None, None, 2.5, None).unchecked() == []
    assert bare.fill(40, 400.0, 2.5, None).used_units == 160


def test_servers_too_high_for_the_rack_are_refused_before_anything_runs():
    words = ["gpu=b200", "rack=100kw", "cooling=direct_liquid_dry", "network=fat_tree"]
    with pytest.raises(ConfigError, match=r"^rack\.height_units=52: must be >= 60.*5 would fit"):
        build.size(build.read(composed(*words)))
    design = build.read(composed("gpu=b200_4u", *words[1:]))
    build.size(design)
    assert (design.filling.used_units, design.filling.servers_kg) == (24, None)
    assert len(design.filling.unchecked()) == 1


def test_a_floor_too_weak_is_refused():
    with pytest.raises(ConfigError, match=r"^facility\.floor_load_kg_per_m2=150: must be >= 179"):
        build.size(build.read(composed("facility.floor_load_kg_per_m2=150")))


@pytest.mark.parametrize("key", ["height_units", "holds_kg", "empty_kg"])
def test_a_rack_below_nothing_is_refused_by_key(key):
    data = yaml.safe_load((CONF / "rack/13kw.yaml").read_text()) | {key: -1}
    with pytest.raises(ConfigError, match=rf"rack\.{key}=-1"):
        parse(RackConfig, data, "rack")


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
