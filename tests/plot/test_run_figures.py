"""Load duration, PUE map, months and Gantt: true to the series and the job table."""

import doctest
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.synthetic_run import make_run
from twin.plot import (
    gantt,
    load_duration,
    months,
    one_line,
    power,
    pue_map,
    service,
    style,
    temperatures,
)
from twin.plot.all import draw_all
from twin.plot.series import draw_series
from twin.results import charts
from twin.results.run_folder import Run


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "season"
    return Run.open(make_run(folder, days=70.0, beat_s=3600.0, interval_s=3600.0))


@pytest.mark.parametrize("module", [load_duration, months, one_line, style])
def test_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=400), st.integers(2, 50))
def test_a_duration_curve_falls_from_the_peak_to_the_least(power_w, points):
    share, reached_w = load_duration.duration_curve(np.array(power_w), points)
    assert len(share) <= points
    assert reached_w[0] == max(power_w) and reached_w[-1] == min(power_w)
    assert (np.diff(reached_w) <= 0.0).all() and (np.diff(share) > 0.0).all()


def test_an_uncut_duration_curve_holds_the_same_energy():
    power_w = np.random.default_rng(1).uniform(0.0, 1e6, 500)
    _, reached_w = load_duration.duration_curve(power_w, points=500)
    assert reached_w.sum() == pytest.approx(power_w.sum())


def test_a_leap_february_and_a_turn_of_the_year_fall_into_their_months():
    at_s = np.arange(0.0, 100 * 86400.0, 86400.0)
    names, month = months.months_of(datetime(2023, 12, 1), at_s)
    assert names == ["2023-12", "2024-01", "2024-02", "2024-03"]
    assert np.bincount(month).tolist() == [31, 31, 29, 9]


def test_the_months_add_up_to_the_run(season):
    series = season.series()
    names, month = months.months_of(datetime(2023, 7, 3), series["at_s"])
    assert names == ["2023-07", "2023-08", "2023-09"]
    energy_kwh = sum(
        np.bincount(month, weights=series[column] * 3600.0).sum() / 3.6e6
        for column, _, _ in months.PARTS
    )
    assert energy_kwh == pytest.approx(season.summary["facility_energy_kwh"], rel=1e-6)
    pues = months.pues(series, np.full(len(month), 3600.0), month)
    assert min(pues) <= season.summary["pue"] <= max(pues)


def test_months_are_drawn_for_runs_that_see_several(season, week, tmp_path):
    assert months.draw(season, tmp_path) == tmp_path / "months.png"
    assert months.draw(Run.open(week), tmp_path) is None


def test_pue_and_jobs_are_drawn_where_there_are_any(week, tmp_path):
    assert pue_map.draw(Run.open(week), tmp_path) == tmp_path / "pue_map.png"
    assert gantt.draw(Run.open(week), tmp_path) == tmp_path / "gantt.png"


def test_a_run_in_which_nothing_started_has_no_gantt(tmp_path):
    run = Run.open(make_run(tmp_path / "run", days=1 / 400, beat_s=108.0, interval_s=108.0))
    assert not len(run.jobs(["gpus"])["gpus"])
    assert gantt.draw(run, tmp_path) is None


@pytest.fixture
def drawn(monkeypatch):
    """Return the figures that are saved, by name."""
    figures = {}

    def keep(figure, folder, name):
        figures[name] = figure
        return folder / f"{name}.png"

    monkeypatch.setattr(style, "save", keep)
    return figures


def test_a_run_of_one_row_is_drawn_across_the_run(tmp_path, drawn):
    hour = make_run(tmp_path / "run", days=1 / 24, beat_s=3600.0, interval_s=3600.0)
    run = Run.open(hour)
    assert len(run.series(["at_s"])["at_s"]) == 1
    for module in (power, temperatures, load_duration):
        module.draw(run, tmp_path)
    stack, pue = drawn["power_and_pue"].axes
    widths = [np.ptp(layer.get_paths()[0].vertices[:, 0]) for layer in stack.collections]
    assert widths == pytest.approx([1 / 24] * len(power.LAYERS))
    indoors, outdoors = drawn["temperatures"].axes
    curves = drawn["load_duration"].axes[0]
    for axes, lines in ((pue, 1), (indoors, 2), (outdoors, 2), (curves, 2)):
        assert sum(len(line.get_xdata()) == 2 for line in axes.lines) >= lines


def test_what_is_said_of_a_load_duration_does_not_lie_on_anything_else(tmp_path, drawn, week):
    load_duration.draw(Run.open(week), tmp_path)
    figure = drawn["load_duration"]
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])
    assert figure.axes[0].get_legend() is None
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)


@pytest.mark.parametrize("plant", ["air", "liquid"])
def test_no_legend_is_cut_off_at_the_edge(tmp_path, drawn, plant):
    folder = make_run(tmp_path / "run", days=1.0, beat_s=300.0)
    if plant == "liquid":
        config = (folder / "config.yaml").read_text(encoding="utf-8")
        config = config.replace("supply_c: 20.0", "coolant_c: 44.0")
        (folder / "config.yaml").write_text(config, encoding="utf-8")
    draw_all(Run.open(folder))
    for name, figure in drawn.items():
        figure.canvas.draw()
        legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
        for each in legends:
            box = each.get_window_extent()
            assert box.x1 <= figure.bbox.x1 and box.y0 >= 0.0, name


def test_small_powers_are_drawn_in_kilowatts():
    assert style.power_scale([np.array([np.nan, 8.2e4]), np.array([np.nan])]) == (1e3, "kW")
    assert style.power_scale([np.array([8.2e4]), np.array([1.2e6])]) == (1e6, "MW")
    assert style.power_scale([np.zeros(3)]) == (1.0, "W")


def test_a_fraction_is_drawn_in_the_percent_it_is_labelled_with(week, drawn):
    run = Run.open(week)
    draw_series(run, ["gpu_active_fraction"])
    (axes,) = next(iter(drawn.values())).axes
    assert axes.get_ylabel() == "gpu_active_fraction [%]"
    share = run.series(["gpu_active_fraction"])["gpu_active_fraction"]
    assert axes.lines[0].get_ydata() == pytest.approx(100 * style.bucket(share)[0])


def test_what_services_made_is_drawn_where_one_models_latency(tmp_path, drawn, week, monkeypatch):
    run = Run.open(week)
    assert service.draw(run, tmp_path) == tmp_path / "service.png"
    tokens, power_axes, within = drawn["service"].axes
    series = run.series(service.COLUMNS)
    assert tokens.lines[0].get_ydata() * 1e3 == pytest.approx(
        style.bucket(series["tokens_per_s"])[0]
    )
    assert power_axes.get_ylabel() == "power [MW]"
    assert within.lines[0].get_ydata() / 100 == pytest.approx(
        style.bucket(series["slo_fraction"])[0]
    )
    nothing = {**series, "slo_fraction": np.full(len(series["at_s"]), np.nan)}
    monkeypatch.setattr(Run, "series", lambda self, columns=None: nothing)
    assert service.draw(run, tmp_path) is None


@pytest.mark.parametrize(
    ("shown", "started", "title"),
    [(1, 1, "The job that ran"), (7, 7, "All 7 jobs that ran")],
)
def test_a_gantt_of_all_jobs_does_not_call_them_the_largest(shown, started, title):
    assert gantt._title(shown, started, 1.0) == title


def test_figures_for_print_are_the_same_file_each_time(week, tmp_path):
    with style.also(["svg", "pdf"]):
        load_duration.draw(Run.open(week), tmp_path / "one")
        load_duration.draw(Run.open(week), tmp_path / "two")
    for ending in ("svg", "pdf"):
        first, second = (tmp_path / k / f"load_duration.{ending}" for k in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
    load_duration.draw(Run.open(week), tmp_path / "three")
    assert [path.name for path in (tmp_path / "three").iterdir()] == ["load_duration.png"]


PLANTS = [
    ("{kind: x, supply_c: 18}", "hottest server inlet", "supply air", True),
    ("{kind: x, coolant_c: 44, air: {kind: y}}", "hottest air inlet", "coolant supply", True),
    (
        "{kind: x, coolant_c: 44, air: null}",
        "air inlet as warm for the chips",
        "coolant supply",
        False,
    ),
]


@pytest.mark.parametrize(("cooling", "inlet", "supply", "has_air"), PLANTS)
def test_coolant_is_not_called_the_air_that_servers_breathe(
    cooling, inlet, supply, has_air, tmp_path, drawn
):
    folder = make_run(tmp_path / "run", days=1.0)
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("cooling:")]
    (folder / "config.yaml").write_text("\n".join([*lines, f"cooling: {cooling}"]))
    run = Run.open(folder)

    temperatures.draw(run, tmp_path)
    top = drawn["temperatures"].axes[0]
    shown = [line.get_label() for line in top.lines]
    assert shown[:2] == [inlet, supply]
    said = [text for text in top.texts if "recommended" in text.get_text()]
    assert len(said) == has_air
    assert (inlet if has_air else supply) in top.get_title(loc="left")

    chart = next(c for c in charts.pack(run).meta["charts"] if c["id"] == "c-indoors")
    assert [line["label"] for line in chart["series"]] == [inlet, supply]
