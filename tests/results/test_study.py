"""A study: which designs are best, how the trials went."""

from twin.results.study import Aim, Study, Tried


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
