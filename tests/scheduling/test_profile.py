"""What is free when: moving a reservation forward equals never having made it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from twin.cluster.free import FreeServers
from twin.scheduling.profile import Profile

SIZE, SERVERS = 8, 5


@given(seed=st.integers(0, 100_000))
@settings(max_examples=150)
def test_a_gang_fits_now_beside_its_own_reservation_as_if_there_were_none(seed):
    rng = random.Random(seed)
    free = FreeServers([SIZE] * SERVERS, SIZE)
    running = []
    for _ in range(rng.randint(0, 6)):
        placement = free.pack(rng.randint(1, 20))
        if placement is not None:
            free.take(placement)
            running.append((rng.uniform(1.0, 100.0), placement))
    without, holding = (Profile(0.0, free.free, SIZE) for _ in range(2))
    for at_s, placement in sorted(running, key=lambda each: each[0]):
        without.release(at_s, placement)
        holding.release(at_s, placement)
    gpus, length_s = rng.randint(1, SIZE * SERVERS), rng.uniform(1.0, 200.0)
    held_s = rng.choice([at_s for at_s, _ in running] + [101.0])
    start_s, bits = without.earliest(gpus, length_s)
    if start_s > held_s:
        return
    held_s = max(held_s, 0.5)
    later = FreeServers(without.free_by_server(bits), SIZE)
    seat = later.pack(gpus)
    if not without.is_free(seat, held_s, held_s + length_s):
        return
    holding.hold(seat, held_s, float("inf"))
    assert holding.fits_now(gpus, length_s, seat, held_s) == (start_s == 0.0)
