"""Calm beats are beats like others, to the last bit, only sooner done."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.power.test_feed import CONF, DESIGN, diagrams, ready
from twin.config import parse
from twin.power.feed import Feed
from twin.rng import rng_for

LOADS = st.floats(0.0, 1.1)
BEATS = st.lists(
    st.tuples(LOADS, LOADS, LOADS, LOADS, st.sampled_from([60.0, 60.0, 7.3])),
    min_size=3,
    max_size=12,
)


def twins(make):
    """Return two equal feeds, the second of which walks every row in every beat."""
    feeds = [make(), make()]
    feeds[1]._find_calm = lambda: None
    for feed in feeds:
        feed.size(dataclasses.replace(DESIGN, movers_w=0.05e6))
        feed.seed(rng_for(0))
    return feeds


def same(feeds, parts, dt_s):
    """Let both take the same beat and compare all they say at once; return if it was calm."""
    it_w, mechanical_w, aux_w, movers_w = (
        part * most_w for part, most_w in zip(parts, feeds[0]._most_w, strict=True)
    )
    heats = [feed.serve_it(it_w, dt_s) for feed in feeds]
    states = [feed.serve_all(mechanical_w, aux_w, dt_s, movers_w) for feed in feeds]
    assert heats[0] == heats[1]
    assert states[0] == states[1]
    assert feeds[0].until_change_s() == feeds[1].until_change_s()
    assert feeds[0].take_changes() == feeds[1].take_changes()
    return feeds[0]._unwalked


def same_in_the_end(feeds):
    """Compare what is worked out late: loads, losses and peaks, what is owed to IT, warnings."""
    assert feeds[0].it_loss_j() == feeds[1].it_loss_j()
    one, other = (feed.one_line() for feed in feeds)
    assert dict(one.nodes(data=True)) == dict(other.nodes(data=True))
    assert list(one.edges(data=True)) == list(other.edges(data=True))
    assert feeds[0].warnings == feeds[1].warnings


@settings(max_examples=40)
@given(diagrams(), BEATS)
def test_calm_beats_change_no_bit_in_any_diagram(elements, beats):
    feeds = twins(lambda: parse(Feed, {"elements": dict(elements)}, "power"))
    for *parts, dt_s in beats:
        same(feeds, parts, dt_s)
    same_in_the_end(feeds)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
@settings(max_examples=5)
@given(beats=BEATS, broken=st.integers(0, 11), at=st.data())
def test_calm_beats_change_no_bit_when_things_break(name, beats, broken, at):
    feeds = twins(lambda: ready(name))
    element = at.draw(st.sampled_from(sorted(feeds[0].installed())))
    for k, (*parts, dt_s) in enumerate(beats):
        if k in (broken, broken + 3):
            units = feeds[0].installed()[element] if k > broken else 0
            for feed in feeds:
                feed.set_available(element, units)
        same(feeds, parts, dt_s)
    same_in_the_end(feeds)


def test_a_feed_within_its_design_is_calm_and_one_beyond_is_not():
    feeds = twins(lambda: ready("n_plus_1"))
    usual, beyond = (0.9, 0.9, 1.0, 1.0), (0.9, 1.01, 1.0, 1.0)
    calm = [same(feeds, parts, 60.0) for parts in (usual, usual, usual, beyond, usual, usual)]
    assert calm == [False, True, True, False, True, True]
    same_in_the_end(feeds)


@pytest.mark.parametrize("name", ["n_plus_1_bess", "n_plus_1_pv"])
def test_storage_and_sun_at_the_meter_are_never_calm(name):
    feeds = twins(lambda: ready(name))
    assert not any(same(feeds, (0.5, 0.5, 1.0, 1.0), 60.0) for _ in range(4))


def test_many_calm_beats_are_noted_before_they_fill_memory():
    feeds = twins(lambda: ready("two_n"))
    for k in range(1500):
        same(feeds, (0.3 + 0.0004 * k, 0.5, 1.0, 1.0), 60.0)
    assert len(feeds[0]._calm.beats) < 600
    same_in_the_end(feeds)
