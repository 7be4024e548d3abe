"""The figures of a study: a front for several aims, a course for one."""

import pytest

from twin.plot.study import draw_study
from twin.results.study import Aim, Study, Tried

FIGURES = ("carbon_t", "cost_per_gpu_hour")


def study(*keys):
    aim = Aim(dict.fromkeys(keys, "minimize"), {"wait_p95_s": {"at_most": 300.0}})
    trials = []
    for k in range(30):
        summary = {"carbon_t": 90.0 - k, "cost_per_gpu_hour": 5.0 + k * k / 99, "currency": "CNY"}
        summary["wait_p95_s"] = 20.0 * k
        settings = {"cooling": ("immersion", "rear_door")[k % 2], "rack.rated_kw": str(10 + k)}
        one = Tried(k, settings, None, summary=summary)
        one.values, one.excess = aim.values(summary), aim.excess(summary)
        trials.append(one)
    return Study(aim, trials)


@pytest.mark.parametrize(("keys", "name"), [(FIGURES, "pareto"), (FIGURES[:1], "progress")])
def test_it_is_drawn(keys, name, tmp_path):
    path = draw_study(study(*keys), tmp_path)
    assert path.name == f"{name}.png"
    assert path.stat().st_size > 10_000


def test_a_study_without_a_feasible_design_is_drawn_too(tmp_path):
    some = study(*FIGURES)
    some.trials = some.trials[20:]
    assert not any(one.feasible for one in some.trials)
    assert draw_study(some, tmp_path).is_file()
