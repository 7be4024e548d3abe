"""What policies see of running jobs: when each ends at the latest, in that order."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tests.support.desk import desk
from twin.records import Job, Placement
from twin.scheduling.easy import EasyBackfill

STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "expect", "end"]), st.sampled_from([1.0, 2.0, 3.0, inf])),
    max_size=40,
)


@given(STEPS, st.randoms(use_true_random=False))
def test_releases_come_by_expected_end_and_then_by_start(steps, dice):
    board = desk(EasyBackfill(), 64).board
    expected: dict[Job, tuple[float, int]] = {}
    for number, (what, end_s) in enumerate(steps):
        if what == "start" or not expected:
            job = Job(f"job-{number}", "training", 0.0, 8, 1.0, 1.0)
            job.placement = Placement([number], 8)
            expected[job] = (end_s, number)
            board.start(job, end_s)
            continue
        job = dice.choice(list(expected))
        if what == "expect":
            expected[job] = (end_s, expected[job][1])
            board.expect(job, end_s)
        else:
            del expected[job]
            board.end(job)
    told = [(end_s, placement.whole) for end_s, placement in board.releases()]
    order = sorted(expected.items(), key=lambda item: item[1])
    assert told == [(end_s, job.placement.whole) for job, (end_s, _) in order]
    assert set(board.running) == set(expected)
