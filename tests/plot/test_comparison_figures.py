"""Figures of a comparison: the parts of a waterfall add up, every figure is drawn."""

import json

import pytest

from tests.support.synthetic_run import make_run
from twin.errors import InputFileError
from twin.plot import costs, overlay, parallel, pareto, tornado, waterfall
from twin.plot.all import draw_comparison
from twin.results.compare import compare
from twin.results.explain import differences, effects, extremes, parts_kw
from twin.results.run_folder import Run

SETTINGS = [(18.0, 13.0), (18.0, 20.0), (26.0, 13.0), (26.0, 20.0)]


def price(run, factor):
    """Let run.json say where the cooling energy went, and what the run cost."""
    record = json.loads((run / "run.json").read_text())
    cooling_kwh = json.loads((run / "summary.json").read_text())["cooling_energy_kwh"]
    record["cooling_energy_kwh"] = {"chiller": 0.75 * cooling_kwh, "crah_fan": 0.25 * cooling_kwh}
    parts = [part for part, _, _ in costs.PARTS]
    record["costs"] = {"currency": "CNY", "held_gpu_hours": 100.0, "rent_of_held_gpu_hours": 950.0}
    record["costs"] |= dict.fromkeys(parts, 100.0 * factor)
    (run / "run.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for k, (supply, rated) in enumerate(SETTINGS):
        run = make_run(
            folder / str(k), days=0.25, beat_s=300.0, seed=k, supply_c=supply, rated_kw=rated
        )
        (run / ".hydra").mkdir()
        said = f"- cooling.supply_c={supply:g}\n- rack.rated_kw={rated:g}\n"
        (run / ".hydra" / "overrides.yaml").write_text(said)
        price(run, 1.0 + k)
    return folder


@pytest.fixture(scope="module")
def found(sweep):
    return compare([sweep])


def test_every_figure_of_a_comparison_is_drawn_whole(found, tmp_path):
    paths = draw_comparison(found, tmp_path, ["wue_l_per_kwh"], ["pue"])
    names = {path.stem for path in paths}
    assert {"compare", "costs", "pareto", "parallel", "waterfall", "tornado_pue"} <= names
    assert "overlay_pue" in names
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))


def test_the_parts_of_a_waterfall_add_up_to_the_difference_of_the_facilities(sweep):
    first, second = Run.open(sweep / "0"), Run.open(sweep / "2")
    mean_kw = [
        run.summary["facility_energy_kwh"] / (24.0 * run.summary["simulated_days"])
        for run in (first, second)
    ]
    assert sum(parts_kw(first).values()) == pytest.approx(mean_kw[0], rel=1e-6)
    change_kw = sum(part.kw for part in differences(first, second))
    assert change_kw == pytest.approx(mean_kw[1] - mean_kw[0], abs=1e-6 * mean_kw[0])


def test_a_run_that_does_not_say_where_its_cooling_went_is_refused(tmp_path):
    run = make_run(tmp_path / "run", days=0.25, beat_s=300.0)
    with pytest.raises(InputFileError, match="where the cooling energy went"):
        parts_kw(Run.open(run))


def test_effects_average_over_the_other_settings_and_the_strongest_stands_first(found):
    for k, entry in enumerate(found.entries):
        supply, rated = SETTINGS[k]
        entry.summary["tue"] = 1.0 + 0.01 * (supply == 26.0) + 0.1 * (rated == 20.0)
    strongest, other = effects(found, "tue")
    assert strongest.key == "rack.rated_kw"
    assert strongest.spread == pytest.approx(0.1)
    assert other.spread == pytest.approx(0.01)
    assert strongest.means == pytest.approx({"13.0": 1.005, "20.0": 1.105})


def test_the_worst_design_comes_first(found):
    worst, best = extremes(found, "pue")
    pues = [entry.summary["pue"] for entry in found.entries]
    assert (worst.summary["pue"], best.summary["pue"]) == (max(pues), min(pues))


def test_figures_that_would_show_nothing_are_not_drawn(sweep, tmp_path):
    alone = compare([sweep / "0"])
    assert tornado.draw(alone, tmp_path) is None
    assert pareto.draw(alone, tmp_path) is None
    assert parallel.draw(alone, tmp_path) is None
    assert extremes(alone, "pue") is None
    for entry in alone.entries:
        (entry.path / "run.json").rename(entry.path / "kept")
    assert costs.draw(alone, tmp_path) is None
    (sweep / "0" / "kept").rename(sweep / "0" / "run.json")


def test_two_runs_make_a_waterfall_and_an_overlay(sweep, found, tmp_path):
    runs = [Run.open(sweep / "0"), Run.open(sweep / "3")]
    assert waterfall.draw(runs[0], runs[1], ["one", "other"], tmp_path).is_file()
    assert overlay.draw(found, ["it_power_w", "pue"], tmp_path).is_file()
