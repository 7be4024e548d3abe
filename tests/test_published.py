"""Published outcomes are met, except those listed in expected_failures.txt, and they say why."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.composed import composed
from twin.errors import ConfigError
from twin.scenario import Published
from twin.validation.published import ask_probe, check_case, find_cases, needs_run

LIST = Path(__file__).with_name("expected_failures.txt")
EXPECTED = {
    tuple(line.split(maxsplit=2))
    for line in LIST.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}
CASES = find_cases()
ALL = find_cases(slow=True)
WITH_RUN = [case for case in CASES if any(needs_run(row) for row in case.rows)]
WITHOUT_RUN = [case for case in CASES if not all(needs_run(row) for row in case.rows)]


def name(case):
    return "-".join([case.scenario, *case.overrides])


def key(case, row):
    return case.scenario, row.row, row.figure()


def misses(case, checked):
    return {key(case, one.row): one.got for one in checked if not one.passed}


@pytest.mark.parametrize("case", WITHOUT_RUN, ids=name)
def test_figures_that_need_no_run_are_met(case):
    config = composed(*case.words())
    for row in case.rows:
        if not needs_run(row):
            got = ask_probe(row, config)
            assert row.passes(got) == (key(case, row) not in EXPECTED), f"{row.figure()} = {got}"


@pytest.mark.slow
@pytest.mark.parametrize("case", WITH_RUN, ids=name)
def test_figures_of_runs_are_met(case, tmp_path):
    checked = check_case(case, tmp_path, "", lambda _: None)
    listed = {key(case, row) for row in case.rows} & EXPECTED
    missed = misses(case, checked)
    assert set(missed) == listed, missed


@pytest.mark.slow
def test_every_hyperscale_hall_lies_in_the_band_that_operators_publish(tmp_path):
    """1.08 to 1.18, give or take 0.03, whichever operator a hall is compared with."""
    checked = [
        one
        for case in find_cases(["V33"], slow=True)
        for one in check_case(case, tmp_path, "", lambda _: None)
    ]
    assert len(checked) == 5
    published = [one.row.value for one in checked]
    low, high = min(published) - 0.03, max(published) + 0.03
    assert all(low <= one.got <= high for one in checked)


def test_every_expected_failure_is_a_row_that_says_why():
    rows = {key(case, row): row for case in ALL for row in case.rows}
    assert set(rows) >= EXPECTED
    assert all(rows[each].note for each in EXPECTED)


def test_figures_of_one_scenario_are_told_apart():
    times = Counter(key(case, row) for case in ALL for row in case.rows)
    assert [each for each in times if times[each] > 1] == []


# ---- what a probe is called with ----


def row(probe, **inputs):
    return Published("A1", 1.0, "A", "s", probe=probe, inputs=inputs, relative=0.1)


def test_a_probe_gets_the_inputs_of_its_row():
    assert ask_probe(row("mass.tonnes", pounds=2204.622622), {}) == pytest.approx(1.0)


def test_a_probe_gets_the_configuration_if_it_asks_for_it():
    config = {"facility": {"gpus": 2100}}
    assert ask_probe(row("gpu_time.hours", gpu_weeks=100.0), config) == 8.0


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (row("mass.tonnes", pound=1.0), r"inputs.pound: no such input; did you mean 'pounds'\?"),
        (row("mass.tonnes"), "inputs.pounds: is required"),
        (row("gpu_time.hours", config="x", gpu_weeks=1.0), "inputs.config: no such input"),
    ],
)
def test_a_wrong_input_is_refused_by_name(one, message):
    with pytest.raises(ConfigError, match=message):
        ask_probe(one, {"facility": {"gpus": 8}})


def test_a_probe_of_a_run_makes_the_run_necessary():
    assert needs_run(row("fleet.gpu_mean_w"))
    assert not needs_run(row("gpu_time.hours", gpu_weeks=1.0))
