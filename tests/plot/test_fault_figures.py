"""Figures of the feed and of faults: every design drawn, nothing on top of anything else."""

import doctest
import itertools
import json

import numpy as np
import pytest

from tests.support.power_files import read_power
from tests.support.synthetic_run import make_run
from twin.plot import fault_story, one_line
from twin.results.run_folder import Run
from twin.settings.catalogue import choices


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(one_line).failed == 0


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "short", days=0.25, beat_s=300.0)


def diagram(power):
    elements = read_power(power)["elements"]
    fed_by = {name: keys.get("fed_by") or [] for name, keys in elements.items()}
    feeders = {name: [by] if isinstance(by, str) else by for name, by in fed_by.items()}
    return elements, [(by, name) for name, several in feeders.items() for by in several]


@pytest.mark.parametrize("power", choices("power"))
def test_no_element_lies_on_another_and_all_are_fed_from_above(power):
    elements, edges = diagram(power)
    places = one_line.layout(list(elements), edges)
    for (x0, y0), (x1, y1) in itertools.combinations(places.values(), 2):
        assert y0 != y1 or abs(x0 - x1) > 1.0 - 1e-9
    assert all(places[feeder][1] < places[fed][1] for feeder, fed in edges)


def test_the_feed_is_drawn_with_its_peaks(short):
    elements, edges = diagram("two_n")
    nodes = [
        {"name": name, "kind": keys["type"], "installed": 2, "peak_w": 5e5, "installed_w": 4e5}
        for name, keys in elements.items()
    ]
    info = {"one_line": {"nodes": nodes, "edges": edges}}
    (short / "run.json").write_text(json.dumps(info))
    path = one_line.draw(Run.open(short), short / "plots")
    assert path is not None and path.read_bytes().startswith(b"\x89PNG")


def test_a_run_that_says_nothing_of_its_feed_has_no_diagram(short):
    (short / "run.json").write_text("{}")
    assert one_line.draw(Run.open(short), short / "plots") is None


def events(*rows):
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 4
    return dict(zip(("at_s", "kind", "where", "detail"), map(np.array, columns), strict=True))


def test_the_story_tells_consequences_and_not_every_switch():
    told = fault_story.marks(
        events(
            (0.0, "fault", "power.utility", ""),
            (0.0, "dead", "power.transformer", "was live"),
            (10.0, "live", "power.generator", "was starting"),
            (10.0, "live", "power.ats", "was waiting"),
            (99.0, "thermal_trip", "hall", ""),
        )
    )
    assert told == [
        (0.0, "power.utility breaks"),
        (10.0, "power.generator running"),
        (99.0, "servers shut down by heat"),
    ]


def test_the_window_holds_the_story_and_stays_in_the_run():
    story = [(100.0, "a"), (5000.0, "b")]
    from_s, to_s = fault_story.window_s(story, 6000.0)
    assert (from_s, to_s) == (0.0, 6000.0)
    from_s, to_s = fault_story.window_s([(1e5, "a")], 1e6)
    assert from_s < 1e5 < to_s


def test_a_run_in_which_nothing_happened_has_no_story(tmp_path):
    assert fault_story.marks(events()) == []
