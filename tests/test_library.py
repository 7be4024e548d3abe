"""The twin as a library: what a notebook gets, and what it is told when it is wrong."""

import importlib.util

import pytest

import twin
from twin.errors import ConfigError, InputFileError
from twin.library import override_words

SHORT = {"clock.duration_days": 0.01, "output": "data_only"}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a run's")  # a name that needs quoting
    return twin.simulate("mana_oasis", {**SHORT, "rack.rated_kw": 14}, folder=folder / "run")


def test_a_run_comes_back_with_its_tables(result):
    assert result.summary["pue"] > 1.0
    assert result.config["rack"]["rated_kw"] == 14
    assert "twin.simulate('mana_oasis'" in result.info["command"]
    series = result.table("series")
    assert series.column("at_s")[0].as_py() == 0.0
    assert series.field("it_power_w").metadata[b"unit"]
    assert result.table("racks").num_rows > 0
    assert (result.folder / ".hydra/overrides.yaml").is_file()


def test_tables_come_as_data_frames(result):
    pytest.importorskip("pandas")
    assert (result.series["facility_power_w"] >= result.series["it_power_w"]).all()
    assert {"job_id", "wait_s"} <= set(result.jobs.columns)
    assert len(result.racks) == result.table("racks").num_rows
    assert "kind" in result.events


def test_without_pandas_the_way_around_is_named(result, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    fresh = twin.Result(result.folder, result.summary)
    with pytest.raises(
        ConfigError, match=r"pip install 'twin\[pandas\]'; Result.table\('series'\)"
    ):
        _ = fresh.series


def test_a_run_of_before_is_opened(result, tmp_path):
    assert twin.Result.open(result.folder).summary == result.summary
    with pytest.raises(InputFileError, match="not a run folder"):
        twin.Result.open(tmp_path)
    with pytest.raises(ConfigError, match="serie: no table of a run; did you mean 'series'"):
        result.table("serie")


def test_a_notebook_shows_the_scorecard(result):
    assert "<code>pue</code>" in result._repr_html_()


def test_progress_is_told(tmp_path):
    told = []
    twin.simulate("mana_oasis", SHORT, folder=tmp_path, progress=told.append)
    assert told and told == sorted(told) and 0 < told[-1] <= 1


@pytest.mark.parametrize(
    ("scenario", "overrides", "message"),
    [
        ("mana_oasi", {}, "scenario=mana_oasi: .*did you mean 'mana_oasis'"),
        ("mana_oasis", {"facility.gpsu": 3}, r"facility\.gpsu=3: unknown key; did you mean 'gpus'"),
        ("mana_oasis", ["clock.seed=1,2"], "clock.seed=1,2: several values"),
        ("mana_oasis", "clock.seed=1", "must be a mapping or a list"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_written(scenario, overrides, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        twin.simulate(scenario, overrides, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_overrides_are_spelt_as_on_the_command_line():
    assert override_words({"a": True, "b": None, "c": [1, "x y"], "d": {"e": "no"}, "f": 1e-9}) == [
        "a=true",
        "b=null",
        "c=[1,'x y']",
        "d={e:'no'}",
        "f=1e-09",
    ]
    assert override_words(["a=1"]) == ["a=1"]


def test_the_door_hands_out_what_it_names():
    assert importlib.util.find_spec("twin.library") is not None
    assert set(twin.__all__) == {"Result", "__version__", "simulate"}
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = twin.simulat
