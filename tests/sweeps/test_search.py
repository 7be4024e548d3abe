"""A study by Optuna: what may be searched, what is refused, what is found, and found again."""

import csv
import importlib.util
import json
import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.support.commands import FAKE, called
from twin.errors import ConfigError
from twin.sweeps.search import Axis, OptunaSweeper, search_space

AIMS = [
    "+hydra.sweeper.objectives.carbon_t=minimize",
    "+hydra.sweeper.objectives.cost_per_gpu_hour=minimize",
]
needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="optuna is not installed"
)


@pytest.fixture
def study(tmp_path):
    def run(*words, folder="study"):
        start = (FAKE, "-m", "hydra/sweeper=optuna", f"hydra.sweep.dir={folder}")
        return called(*start, *words, folder=tmp_path)

    return run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def parsed(*overrides):
    return OverridesParser.create().parse_overrides(list(overrides))


def test_the_space_is_written_as_a_sweep_is():
    space = search_space(
        parsed(
            "cooling=rear_door,immersion",
            "++rack.rated_kw=interval(13,25)",
            "facility.gpus=int(interval(8,80))",
            "clock.seed=range(1,4)",
            "a.b=tag(log,interval(1,100))",
            "c=1",
        )
    )
    assert space == {
        "cooling": Axis(choices=("rear_door", "immersion")),
        "rack.rated_kw": Axis(low=13.0, high=25.0),
        "facility.gpus": Axis(low=8, high=80, whole=True),
        "clock.seed": Axis(choices=("1", "2", "3")),
        "a.b": Axis(low=1.0, high=100.0, log=True),
    }


def test_a_later_word_on_a_key_replaces_the_earlier():
    assert search_space(parsed("a=1,2", "a=3,4")) == {"a": Axis(choices=("3", "4"))}
    assert search_space(parsed("a=1,2", "a=3")) == {}


@pytest.mark.parametrize("word", ["a=interval(2,1)", "a=tag(log,interval(0,1))"])
def test_an_interval_without_inside_is_refused(word):
    with pytest.raises(ConfigError, match=re.escape(word)):
        search_space(parsed(word))


@needs_optuna
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "objectives: at least one is needed"),
        ({"objectives": {"peu": "minimize"}}, "objectives.peu: .*did you mean 'pue'"),
        ({"objectives": {"currency": "minimize"}}, "objectives.currency: no figure"),
        ({"objectives": {"pue": "down"}}, "objectives.pue=down: must be minimize or maximize"),
        ({"constraints": {"wait_s": {"at_most": 1}}}, "constraints.wait_s: .*'wait_p"),
        ({"constraints": {"pue": {"below": 1}}}, "constraints.pue.below=1: must be at_most or"),
        ({"constraints": {"pue": 3}}, "constraints.pue=3: must be {at_most: number}"),
        ({"trials": 0}, "trials=0: must be a whole number >= 1"),
        ({"sampler": "tpee"}, "sampler=tpee: unknown; did you mean 'tpe'"),
    ],
)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        OptunaSweeper(**settings)._check_settings()


@needs_optuna
@pytest.mark.slow
def test_two_aims_give_a_front_within_the_bounds(study, tmp_path):
    done = study(
        *AIMS,
        "+hydra.sweeper.constraints.wait_p95_s.at_most=70",
        "hydra.sweeper.trials=20",
        "clock.seed=range(0,11)",
        "rack.rated_kw=interval(13,20)",
    )
    assert done.returncode == 0, done.stderr
    trials = rows(tmp_path / "study/study.csv")
    assert len(trials) == 20
    best = rows(tmp_path / "study/pareto.csv")
    assert best and all(float(row["wait_p95_s"]) <= 70 for row in best)
    # carbon falls and cost rises along the rack: every design within the bound is on the front
    feasible = [row for row in trials if float(row["wait_p95_s"]) <= 70]
    assert {row["trial"] for row in best} == {row["trial"] for row in feasible}
    costs = [float(row["cost_per_gpu_hour"]) for row in best]
    assert [float(row["carbon_t"]) for row in best] == sorted(
        float(row["carbon_t"]) for row in best
    )
    assert costs == sorted(costs, reverse=True)
    assert (tmp_path / "study/pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "on the Pareto front" in done.stdout


@needs_optuna
@pytest.mark.slow
def test_failures_and_unknown_figures_do_not_end_a_study(study, tmp_path):
    done = study(
        "+hydra.sweeper.objectives.pue=minimize",
        "+hydra.sweeper.constraints.wait_p95_s.at_most=1000",
        "hydra.sweeper.trials=24",
        "hydra.sweeper.batch=6",
        "clock.seed=4,5,6,11,12,13,15,16",
    )
    trials = rows(tmp_path / "study/study.csv")
    assert len(trials) == 24
    by_seed = {row["clock.seed"]: row for row in reversed(trials)}
    assert by_seed["11"]["state"] == by_seed["16"]["state"] == "failed"
    assert by_seed["16"]["problem"] == "wait_p95_s is not known of this design"
    assert by_seed["15"]["state"] == "refused"
    assert [row["clock.seed"] for row in rows(tmp_path / "study/pareto.csv")] == ["5"]
    assert done.returncode == 1
    assert "trials failed" in done.stderr and "Traceback" not in done.stderr
    ran = (tmp_path / "finished.log").read_text().split()
    assert len(ran) == len(set(ran)), "a design that is chosen again is not run again"


@needs_optuna
@pytest.mark.slow
def test_a_study_is_the_same_on_any_number_of_cores_and_taken_up_again(study, tmp_path):
    words = [*AIMS, "hydra.sweeper.trials=12", "hydra.sweeper.batch=4"]
    words += ["clock.seed=1,2,3,4", "rack.rated_kw=interval(13,20)"]
    assert study(*words, "hydra.launcher.workers=1", folder="one").returncode == 0
    assert study(*words, "hydra.launcher.workers=2", folder="two").returncode == 0

    def settings(folder):
        return [
            (r["clock.seed"], r["rack.rated_kw"]) for r in rows(tmp_path / folder / "study.csv")
        ]

    assert settings("one") == settings("two")
    ran = (tmp_path / "finished.log").read_text().split()
    for number in (2, 7, 9):
        (tmp_path / "two" / str(number) / "summary.json").unlink(missing_ok=True)
    done = called(FAKE, "resume=two", folder=tmp_path)
    assert done.returncode == 0
    assert settings("one") == settings("two")
    assert len((tmp_path / "finished.log").read_text().split()) == len(ran) + 3


@needs_optuna
@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("facility.gpsu=1,2", "facility.gpsu: unknown key; did you mean 'gpus'?"),
        (
            "scheduling=easy,eassy",
            "scheduling=eassy: there is no such choice; did you mean 'easy'?",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(word, told, study, tmp_path):
    done = study(AIMS[0], word)
    assert done.returncode == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_scenario_can_carry_a_study(study, tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/mine.yaml").write_text(
        "defaults: [mana_oasis, _self_]\n"
        "hydra: {sweeper: {trials: 3, objectives: {pue: minimize}, params: {clock.seed: '4,5'}}}\n"
    )
    done = called(FAKE, "-m", "scenario=mine", folder=tmp_path)
    assert done.returncode == 2
    assert "trials, objectives: unknown to hydra/sweeper=grid" in done.stderr
    pytest.importorskip("optuna")
    done = study("scenario=mine")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "study/study.csv")) == 3


def test_the_ready_studies_ask_for_figures_that_exist():
    import yaml

    from twin.schema import SUMMARY
    from twin.settings.catalogue import data_dir

    for path in (data_dir("conf") / "hydra/sweeper").glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in [*(content.get("objectives") or {}), *(content.get("constraints") or {})]:
            assert key in SUMMARY, f"{path.name}: {key}"
    assert json.dumps(content)
