"""Free servers: what a plan on a copy says is what the placements come to one by one."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from twin.cluster.free import FreeServers

SIZE = 8


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(1, 100))
def test_releases_until_a_gang_fits_are_those_given_back_one_by_one(held, gpus):
    servers = FreeServers([SIZE] * 10, SIZE)
    releases = []
    for number, each in enumerate(held):
        placement = servers.pack(each)
        if placement is not None:
            servers.take(placement)
            releases.append((60.0 * number, placement))

    one_by_one, when_s = servers.counts(), inf
    for at_s, placement in releases:
        one_by_one.release(placement)
        if one_by_one.fits(gpus):
            when_s = at_s
            break

    at_once = servers.counts()
    assert at_once.release_until(gpus, iter(releases)) == when_s
    assert (at_once.gpus, at_once.whole) == (one_by_one.gpus, one_by_one.whole)
    assert at_once.parts == one_by_one.parts
