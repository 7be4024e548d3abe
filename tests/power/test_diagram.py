"""Diagrams that cannot be drawn are refused, and the message names the element."""

import pytest

from twin.config import parse
from twin.errors import ConfigError
from twin.power.diagram import Element
from twin.power.feed import Feed

NOTHING = {"heat_to": "hall", "loss": [0, 0, 0]}


def plain():
    """Return the smallest feed: one line, three loads."""
    return {
        "utility": {"type": "utility", **NOTHING},
        "ups": {"type": "ups", "fed_by": "utility", **NOTHING},
        "racks": {"type": "racks", "fed_by": "ups", **NOTHING},
        "cooling": {"type": "mechanical", "fed_by": "utility", **NOTHING},
        "offices": {"type": "auxiliary", "fed_by": "utility", **NOTHING},
    }


def refusal(elements):
    with pytest.raises(ConfigError) as refused:
        parse(Feed, {"kind": "feed.Feed", "elements": elements}, "power")
    return str(refused.value)


def test_the_smallest_feed_is_accepted():
    assert list(parse(Feed, {"elements": plain()}, "power").elements) == sorted(plain())


def test_a_circle_is_named():
    elements = plain()
    elements["ups"]["fed_by"] = "sts"
    elements["sts"] = {"type": "sts", "fed_by": ["ups", "utility"], "draw": "first", **NOTHING}
    message = refusal(elements)
    assert "ups -> sts -> ups" in message or "sts -> ups -> sts" in message


def test_an_unfed_rack_group_is_named():
    elements = plain()
    del elements["racks"]["fed_by"]
    assert "power.elements.racks.fed_by=None: must be the name of an element" in refusal(elements)


def test_an_unknown_feeder_is_named_with_the_nearest_name():
    elements = plain()
    elements["racks"]["fed_by"] = "usp"
    message = refusal(elements)
    assert "power.elements.racks.fed_by=usp" in message
    assert "did you mean 'ups'?" in message


@pytest.mark.parametrize("key", ["unit_kw", "unit_max_kw", "design_loading", "units"])
def test_a_rating_of_zero_is_named(key):
    elements = plain()
    elements["ups"][key] = 0
    assert f"power.elements.ups.{key}=0: must be" in refusal(elements)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("ups", {"loss": [0, -0.1, 0]}, r"power.elements.ups.loss[1]=-0.1: must be >= 0"),
        ("ups", {"unit_kw": 1, "unit_max_kw": 1}, "unit_max_kw=1.0: must be left out"),
        ("ups", {"units": 2, "unit_max_kw": 1}, "unit_max_kw=1.0: must be left out"),
        ("ups", {"units": 1, "spare_units": 1}, "units=1: must be more than spare_units=1"),
        ("ups", {"share": 0.5}, "share=0.5: must be left out"),
        ("ups", {"fed_by": ["utility", "utility"]}, "must be names without repetition"),
        ("ups", {"fed_by": "cooling"}, "must be no mechanical"),
        ("utility", {"fed_by": "ups"}, "fed_by=ups: must be left out"),
        ("utility", {"draw": "first"}, "draw=first: must be left out for a utility"),
        ("ups", {"type": "usp"}, "did you mean 'ups'?"),
        ("ups", {"heat_to": "moon"}, "Allowed: electrical_room, hall, outdoor"),
        ("racks", {"share": 0.5}, "share of all 'racks'=0.5: must be 1 in sum"),
        ("racks", {"fed_by": "utility"}, "elements.ups=ups: must be named in a fed_by"),
    ],
)
def test_what_makes_no_sense_is_named(name, change, said):
    elements = plain()
    elements[name] = elements[name] | change
    assert said in refusal(elements)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("cooling", {"type": "auxiliary"}, "with a 'mechanical' for the mechanical load"),
        ("ups", {"fed_by": ["utility", "ups"]}, "must be free of circles"),
    ],
)
def test_a_diagram_that_cannot_be_is_refused_before_movers_are_added(name, change, said):
    elements = plain()
    elements[name] = elements[name] | change
    config = {"kind": "feed.Feed", "elements": elements, "movers_on_ups": ["air"]}
    with pytest.raises(ConfigError, match=said):
        parse(Feed, config, "power")


@pytest.mark.parametrize("missing", ["racks", "cooling", "offices"])
def test_every_kind_of_load_needs_a_place(missing):
    elements = plain()
    elements["spur"] = {"type": "racks", "fed_by": "ups", **NOTHING}
    if missing == "racks":
        del elements["spur"]
        elements["cooling"]["fed_by"] = "ups"
    else:
        del elements["racks"]
    kind = elements.pop(missing)["type"] if missing in elements else "racks"
    assert f"with a '{kind}'" in refusal(elements)


def element(**keys):
    return parse(Element, {"type": "ups", "fed_by": "a", **NOTHING, **keys}, "e")


@pytest.mark.parametrize(
    ("keys", "units", "unit_w"),
    [
        ({}, 1, 1e6),
        ({"design_loading": 0.5}, 1, 2e6),
        ({"units": 4}, 4, 0.25e6),
        ({"units": 5, "spare_units": 1}, 5, 0.25e6),
        ({"unit_max_kw": 250}, 4, 0.25e6),
        ({"unit_max_kw": 300, "spare_units": 1}, 5, 0.25e6),
        ({"unit_kw": 300}, 4, 0.3e6),
        ({"unit_kw": 300, "spare_units": 2}, 6, 0.3e6),
        ({"unit_kw": 300, "units": 2}, 2, 0.3e6),
    ],
)
def test_sizing_a_megawatt(keys, units, unit_w):
    assert element(**keys).build(1e6) == (units, pytest.approx(unit_w))


def test_sizing_is_blind_to_rounding():
    assert element(unit_max_kw=0.1, design_loading=0.3).build(3 * 0.3 * 100)[0] == 3
