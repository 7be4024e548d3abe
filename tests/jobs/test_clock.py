"""The clock of a run is SimPy's own environment in all but its cost."""

import simpy

from twin.jobs.clock import Clock


def story(env: simpy.Environment) -> tuple[list[float], int]:
    """Return when things happened in a small world, and the number of events."""
    seen = []

    def ticking():
        for k in range(3):
            yield env.timeout(0.1 * (k + 1))
            seen.append(env.now)

    def waiting(ends):
        yield env.timeout(0.25) | ends
        seen.append(env.now)

    env.process(waiting(env.process(ticking())))
    env.run(until=env.timeout(2.0))
    seen.append(env.now)
    return seen, next(env._eid)


def test_a_clock_tells_simpys_story():
    assert story(Clock()) == story(simpy.Environment())


def test_it_says_the_time_without_a_call():
    assert isinstance(vars(simpy.Environment)["now"], property)
    assert not isinstance(vars(Clock)["now"], property)
