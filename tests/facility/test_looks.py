"""Looks between heartbeats: soon after an upset, often while air moves, none when all is calm."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.facility.looks import CALM_S, FIRST_S, LARGEST_K, Looks


def never(rate_k_per_s):
    return inf


def looked_at(looks, until_s, warmed_k=lambda at_s, dt_s: 0.0, heeded_in_s=never):
    """Return when *looks* looks of itself until then."""
    now_s, found_s = 0.0, []
    while looks.due_s <= until_s:
        before_s, now_s = now_s, looks.due_s
        moves = (warmed_k(now_s, now_s - before_s), False)
        looks.lived(now_s, now_s - before_s, moves, heeded_in_s)
        found_s.append(now_s)
    return found_s


def test_a_run_begins_with_looks_that_become_rarer_until_the_heartbeat_does():
    looks = Looks()
    assert looked_at(looks, 1000.0) == [1.0, 3.0, 7.0, 15.0, 31.0, 63.0]
    assert looks.due_s == inf


def test_an_upset_starts_them_anew():
    looks = Looks()
    looked_at(looks, 1000.0)
    looks.upset(2000.0)
    assert looks.due_s == 2000.0 + FIRST_S


def test_a_step_of_the_load_is_looked_at_now_but_no_sooner_than_a_second_after_the_last_look():
    looks = Looks()
    looks.step(500.0, 480.0)
    assert looks.due_s == 500.0
    looks.step(500.0, 499.7)
    assert looks.due_s == 499.7 + FIRST_S


@given(st.floats(1e-4, 0.19))
def test_air_that_moves_steadily_moves_little_from_one_look_to_the_next(rate_k_per_s):
    looks = Looks()
    found_s = looked_at(looks, 1000.0, lambda _, dt_s: rate_k_per_s * dt_s)
    apart_s = [after - before for before, after in zip([0.0, *found_s], found_s, strict=False)]
    if rate_k_per_s * CALM_S > LARGEST_K * 1.001:
        assert max(apart_s) * rate_k_per_s <= max(LARGEST_K * 1.001, FIRST_S * rate_k_per_s)
        assert found_s[-1] > 900.0
    elif rate_k_per_s * CALM_S < LARGEST_K * 0.999:
        assert looks.due_s == inf


def test_the_moment_at_which_servers_heed_the_air_is_looked_at():
    looks = Looks(inf, CALM_S)
    looks.lived(600.0, 300.0, (0.3, False), lambda rate: 0.05 / rate)
    assert looks.due_s == pytest.approx(650.0)


def test_where_only_the_plant_is_on_its_way_a_minute_is_a_beat():
    looks = Looks(inf, CALM_S)
    looks.lived(600.0, 300.0, (0.0, True), never)
    assert looks.due_s == 600.0 + CALM_S
    looks.lived(660.0, 60.0, (0.0, False), never)
    assert looks.due_s == inf


def test_air_that_was_not_known_before_has_not_moved():
    looks = Looks()
    looks.lived(1.0, 1.0, (nan, False), never)
    assert looks.due_s == 3.0
