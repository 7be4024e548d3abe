"""What the page shows: listed runs and nothing else, read again when they change."""

import os

import numpy as np
import pytest

from tests.support.synthetic_run import make_run
from twin.dashboard.library import Library
from twin.errors import InputFileError
from twin.results.run_folder import Run


@pytest.fixture
def library(tmp_path):
    for k, supply in enumerate((18.0, 26.0)):
        run = make_run(tmp_path / str(k), days=0.5, beat_s=300.0, seed=k, supply_c=supply)
        (run / "report.html").write_text("report")
        (run / "plots").mkdir()
        (run / "plots" / "power.png").write_bytes(b"png")
    library = Library(tmp_path)
    library.refresh()
    return library


def test_a_row_tells_what_differs_and_what_came_of_it(library):
    first, second = library.rows()
    assert (first["cooling.supply_c"], second["cooling.supply_c"]) == (18.0, 26.0)
    assert first["pue"] == Run.open(library.path("0")).summary["pue"]
    assert library.label("electricity_cost") == "Electricity [CNY]"


def test_it_looks_again_only_when_something_finished(library):
    assert not library.refresh()
    make_run(library.folder / "2", days=0.5, beat_s=300.0)
    assert library.refresh()
    assert [row["run"] for row in library.rows()] == ["0", "1", "2"]
    os.utime(library.folder / "2" / "summary.json")
    assert library.refresh()


def test_an_empty_folder_is_an_empty_page(tmp_path):
    library = Library(tmp_path)
    assert not library.refresh()
    assert library.rows() == library.figures() == library.settings() == []


@pytest.mark.parametrize(
    "inside", ["config.yaml", "../1/report.html", "plots/../config.yaml", "/etc/hosts", "plots"]
)
def test_only_reports_and_pictures_of_a_run_can_be_reached(library, inside):
    assert library.file("0", "report.html").read_text() == "report"
    assert library.file("0", "plots/power.png").is_file()
    with pytest.raises(InputFileError, match="no file"):
        library.file("0", inside)


def test_only_listed_runs_can_be_reached(library):
    with pytest.raises(InputFileError, match="no such run"):
        library.path("../..")


def test_a_line_covers_the_run_and_a_closer_look_shows_every_row(library):
    series = Run.open(library.path("0")).series(["at_s", "it_power_w"])
    line = library.line("0", "it_power_w", None)
    assert line.at_s[0] == 0.0
    assert np.nanmax(np.array(line.high)) == series["it_power_w"].max()
    close = library.line("0", "it_power_w", (3600.0, 7200.0))
    inside = (series["at_s"] >= 3600.0) & (series["at_s"] <= 7200.0)
    assert close.mean == series["it_power_w"][inside].tolist()
    assert library.line("0", "it_power_w", (1e9, 2e9)).at_s == []
    with pytest.raises(InputFileError, match="did you mean 'it_power_w'"):
        library.line("0", "it_powr_w", None)
    assert set(library.line("0", "battery_j", None).mean) == {None}
