"""Published outcomes: what counts as near enough, and that no failure hides."""

import csv
import json

import pytest

from twin import cli, run
from twin.config import parse
from twin.errors import ConfigError
from twin.scenario import Published, ScenarioConfig
from twin.validation import published as validation

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"  # pytest-xdist has threads
)


def published(**keys):
    row = {"row": "V1", "metric": "pue", "value": 1.2, "relative": 0.05, "type": "V"}
    row |= {"source": "a paper", **keys}
    return parse(ScenarioConfig, {"name": "x", "published": [row]}, "scenario").published[0]


@pytest.mark.parametrize(
    ("bound", "near", "far"),
    [
        ({"relative": 0.05}, [1.141, 1.259], [1.139, 1.261]),
        ({"relative": None, "absolute": 0.1}, [1.11, 1.29], [1.09, 1.31]),
        ({"relative": None, "factor": 1.5}, [0.81, 1.79], [0.79, 1.81]),
        ({"relative": 0.0}, [1.2], [1.2000001, 1.1999999]),
    ],
)
def test_near_enough_is_inside_the_stated_bound(bound, near, far):
    row = published(**bound)
    assert all(row.passes(got) for got in near)
    assert not any(row.passes(got) for got in [*far, None, float("nan")])


def test_a_negative_figure_has_bounds_too():
    assert published(value=-10.0).passes(-10.4)
    assert not published(value=-10.0).passes(-10.6)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"probe": "a.b"}, "metric, probe"),
        ({"metric": None}, "metric, probe"),
        ({"absolute": 1}, "relative, absolute, factor"),
        ({"relative": None}, "relative, absolute, factor"),
        ({"type": "X"}, r"type='X'"),
        ({"value": 0}, "value=0"),
        ({"tolerance": 3}, "tolerance=3: unknown key"),
        ({"relative": -0.1}, "relative=-0.1"),
    ],
)
def test_a_row_that_says_too_little_or_too_much_is_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        published(**keys)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A scenario with published rows, and a simulation that returns a fixed summary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWIN_SCENARIOS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    runs = tmp_path / "runs"
    runs.mkdir()

    def execute(config, folder, progress=None, command=""):
        (runs / folder.name).touch()
        folder.mkdir(parents=True)
        pue = 1.1 + 0.1 * config["clock"]["seed"]
        (folder / "summary.json").write_text(json.dumps({"pue": pue, "water_m3": None}))

    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(validation, "code_hash", lambda: "12345678")

    def write(*rows):
        lines = ["defaults: [mana_oasis, _self_]", "scenario:", "  published:"]
        (tmp_path / "mine/study.yaml").write_text("\n".join([*lines, *(f"  - {r}" for r in rows)]))
        return runs

    return write


GOOD = "{row: V1, metric: pue, value: 1.1, relative: 0.01, type: V, source: s}"
BAD = "{row: V2, metric: pue, value: 2.0, relative: 0.01, type: C, source: s, note: too cold}"
SEEDED = (
    "{row: V3, metric: pue, value: 1.4, relative: 0.01, type: V, source: s, "
    "overrides: [clock.seed=3]}"
)
SLOW = "{row: V4, metric: pue, value: 1.1, relative: 0.01, type: V, source: s, slow: true}"
NULL = "{row: V5, metric: water_m3, value: 1, relative: 0.01, type: V, source: s}"
WRONG = "{row: V6, metric: puee, value: 1, relative: 0.01, type: V, source: s}"
PROBE = "{row: A1, probe: nameplate.servers, value: 268, relative: 0, type: A, source: s}"
NO_PROBE = "{row: A2, probe: nameplate.server, value: 268, relative: 0, type: A, source: s}"


def lines(tmp_path):
    with (tmp_path / "outputs/validation/validation.csv").open() as file:
        return {line["row"]: line for line in csv.DictReader(file)}


def test_all_rows_within_tolerance_pass(study, tmp_path, capsys):
    runs = study(GOOD, SEEDED, PROBE, SLOW)

    assert cli.validate(["study"]) == 0
    out = capsys.readouterr().out
    assert "A (arithmetic): 1 of 1 pass" in out
    assert "V (predicted): 2 of 2 pass" in out
    assert len(list(runs.iterdir())) == 2  # one run for both rows without overrides
    rows = lines(tmp_path)
    assert set(rows) == {"V1", "V3", "A1"}
    assert float(rows["V3"]["got"]) == pytest.approx(1.4)


def test_runs_are_kept_and_not_made_again(study, tmp_path):
    runs = study(GOOD)
    assert cli.validate(["study"]) == 0
    for name in runs.iterdir():
        name.unlink()
    assert cli.validate(["study"]) == 0
    assert list(runs.iterdir()) == []


def test_a_row_that_fails_stays_visible_with_its_reason(study, tmp_path, capsys):
    study(GOOD, BAD)
    assert cli.validate(["study"]) == 1
    out = capsys.readouterr().out
    assert "FAIL" in out
    assert "too cold" in out
    assert "C (calibrated): 0 of 1 pass" in out
    assert lines(tmp_path)["V2"]["passed"] == "no"


def test_what_is_not_modelled_does_not_pass(study, tmp_path, capsys):
    study(NULL)
    assert cli.validate(["study"]) == 1
    assert "water_m3 is not modelled here" in capsys.readouterr().out


def test_a_figure_that_does_not_exist_is_refused_with_the_nearest_and_its_place(study, capsys):
    study(WRONG)
    assert cli.validate(["study"]) == 2
    error = capsys.readouterr().err
    assert "study.yaml: scenario.published[0].metric=puee" in error
    assert "did you mean 'pue'?" in error


def test_a_probe_that_does_not_exist_fails_its_row_with_the_nearest(study, capsys):
    study(NO_PROBE)
    assert cli.validate(["study"]) == 1
    assert "did you mean 'servers'?" in capsys.readouterr().out


def test_slow_rows_are_checked_on_request(study, tmp_path):
    study(GOOD, SLOW)
    assert cli.validate(["study", "--slow"]) == 0
    assert set(lines(tmp_path)) == {"V1", "V4"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["studdy"], "did you mean 'study'?"),
        (["V1x"], "no such scenario or row"),
        (["philly_replay"], "nothing published to check"),
    ],
)
def test_a_name_that_is_neither_scenario_nor_row_is_refused(study, capsys, words, message):
    study(GOOD)
    assert cli.validate(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["os.system", "nameplate", "..os.x", "nameplate._x", "fleet.x.y"])
def test_a_probe_is_found_only_in_its_folder(name):
    with pytest.raises(ConfigError, match="no such probe"):
        validation.find_probe(name)


def test_rows_of_each_type_are_counted_apart():
    def row(kind, got):
        one = Published("V1", 1.0, kind, "s", metric="pue", relative=0.1)
        return validation.Checked("x", one, got)

    counted = validation.tally([row("A", 1.0), row("A", 2.0), row("V", 1.0)])
    assert counted == {"A": (1, 2), "C": (0, 0), "V": (1, 1)}
