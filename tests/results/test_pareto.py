"""The designs that no other beats, by hand and by the definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.results.pareto import pareto_front
from twin.results.study import Aim, Study, Tried


def test_by_hand():
    points = [(1, 5), (2, 3), (3, 4), (4, 1), (4, 1), (float("nan"), 0)]
    assert pareto_front(points, [True, True]).tolist() == [True, True, False, True, True, False]
    assert pareto_front(points, [False, False]).tolist() == [True, False, True, True, True, False]
    assert pareto_front([], [True, True]).tolist() == []


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


@given(points, st.booleans(), st.booleans())
def test_it_is_the_definition(found, first, second):
    def better(a, b):
        ahead = [
            (x < y) if low else (x > y) for x, y, low in zip(a, b, (first, second), strict=True)
        ]
        behind = [
            (x > y) if low else (x < y) for x, y, low in zip(a, b, (first, second), strict=True)
        ]
        return any(ahead) and not any(behind)

    front = pareto_front(np.array(found, dtype=float).reshape(-1, 2), [first, second])
    assert front.tolist() == [not any(better(b, a) for b in found) for a in found]


def tried(number, *values, excess=0.0, state="finished"):
    return Tried(number, {"a": str(number)}, None, state, "", {}, list(values), {"x": excess})


def test_a_design_that_breaks_a_bound_is_not_the_best_and_none_stands_twice():
    aim = Aim({"pue": "minimize", "carbon_t": "minimize"}, {"wait_p95_s": {"at_most": 1.0}})
    study = Study(
        aim,
        [
            tried(0, 1.0, 2.0, excess=0.5),
            tried(1, 2.0, 2.0),
            tried(2, 1.5, 3.0),
            tried(3, 2.0, 2.0, state="repeated"),
            tried(4, 3.0, 3.0),
        ],
    )
    assert [one.number for one in study.best()] == [2, 1]
    assert "5 trials: 4 designs run, 1 repeated, 3 keep all bounds; 2 on the Pareto" in study.told()
