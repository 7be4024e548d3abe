"""Figures: every one is drawn, true to its data, in any run that can occur."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.figure import Figure

from tests.support.synthetic_run import make_run
from twin.errors import ConfigError, InputFileError
from twin.plot import energy_flow, power, style
from twin.plot.all import FIGURES, draw_all
from twin.plot.series import draw_series
from twin.results.report import page
from twin.results.run_folder import Run


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(style).failed == 0


def test_every_figure_is_drawn_whole(week):
    paths = draw_all(Run.open(week))
    assert len(FIGURES) <= len(paths) == len({path.name for path in paths})
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 300_000
    assert not list((week / "plots").glob("*.part"))


def test_a_run_of_one_row_without_configuration_or_notes_is_drawn_too(tmp_path):
    run = make_run(tmp_path / "run", days=1 / 288, beat_s=300.0)
    for name in ("config.yaml", "run.json"):
        (run / name).unlink()
    assert len(draw_all(Run.open(run))) >= len(FIGURES)
    assert len(page(Run.open(run))) > 1e6


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(1, 50))
def test_a_bucketed_line_keeps_its_range(values, points):
    mean, low, high = style.bucket(np.array(values), points)
    assert len(mean) <= points
    assert low.min() == min(values) and high.max() == max(values)
    assert (low - 1e-6 <= mean).all() and (mean <= high + 1e-6).all()


def test_buckets_without_a_value_stay_empty():
    mean, low, high = style.bucket(np.array([np.nan, np.nan, 1.0, np.nan]), 2)
    for part in (mean, low, high):
        assert np.isnan(part[0]) and part[1] == 1.0


def test_the_stack_adds_up_to_the_facility(week):
    series = Run.open(week).series()
    assert sum(power.layers_w(series)) == pytest.approx(series["facility_power_w"], rel=1e-9)


def test_the_energy_river_loses_nothing(week):
    nodes = {node.name: node for node in energy_flow.flows(Run.open(week))}
    for parent in ("electricity", "IT"):
        fed = sum(node.kwh for node in nodes.values() if node.source == parent)
        assert fed == pytest.approx(nodes[parent].kwh, rel=1e-6)
    heat = nodes["heat to the outdoors"].kwh + nodes["heat reused"].kwh
    assert heat == pytest.approx(nodes["electricity"].kwh, rel=1e-9)


def test_chosen_columns_over_a_chosen_time(week):
    run = Run.open(week)
    path = draw_series(run, ["it_power_w", "pue", "battery_j"], 3600.0, 7200.0)
    assert path.parent == week / "plots" and path.stat().st_size > 5000


def test_unknown_columns_and_empty_spans_are_refused(week):
    run = Run.open(week)
    with pytest.raises(InputFileError, match="did you mean 'supply_c'"):
        draw_series(run, ["suply_c"])
    with pytest.raises(ConfigError, match="nothing there"):
        draw_series(run, ["pue"], 1e9)
    with pytest.raises(ConfigError, match="series"):
        draw_series(run, [])


def test_matplotlib_waits_until_something_is_drawn():
    code = "import sys, twin.plot.all, twin.results.compare; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_names_in_chinese_are_drawn_without_a_complaint_in_a_font_that_has_them(
    tmp_path, monkeypatch
):
    """Where none is installed they are boxes; Matplotlib would write a line for each of them."""
    figure = Figure()
    western, chinese = figure.text(0.1, 0.5, "hall °C ≥ 3"), figure.text(0.5, 0.5, "智算中心")
    usual = western.get_fontfamily()
    assert style.save(figure, tmp_path, "names").is_file()
    assert (western.get_fontfamily(), chinese.get_fontfamily()[0]) == (usual, "DejaVu Sans")
    (there, *_) = font_manager.fontManager.ttflist
    monkeypatch.setattr(style, "HAN_FONTS", ("Nowhere Sans", there.name))
    style.save(figure, tmp_path, "names")
    assert chinese.get_fontfamily() == ["DejaVu Sans", there.name]
