"""The map of sites and plants: true to the runs it is drawn from, and honest about gaps."""

import doctest

import numpy as np
import pytest

from twin import run
from twin.errors import InputFileError
from twin.plot import climate_map
from twin.plot.climate_map import Place, draw, place_of, read_places
from twin.results.run_folder import Run
from twin.settings import compose

SHORT = ["scenario=climate_map", "clock.duration_days=3", "clock.start=2023-01-30 00:00"]


def finished(folder, *overrides):
    run.execute(compose.load([*SHORT, *overrides]), folder)
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    finished(folder / "0", "site=ulanqab", "cooling=indirect_evaporative")
    finished(folder / "1", "site=shenzhen", "cooling=indirect_evaporative")
    return folder


def place(site, plant, pue=1.2, free_hours=4000.0):
    return Place(site, plant, 10.0, pue, np.linspace(pue, pue + 0.1, 12), free_hours)


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(climate_map).failed == 0


def test_monthly_figures_are_ratios_of_energies(sweep):
    shown = place_of(Run.open(sweep / "0"))
    assert np.isnan(shown.monthly_pue[2:]).all()
    rows = Run.open(sweep / "0").series(["it_power_w", "facility_power_w"])
    january = rows["facility_power_w"][:48].sum() / rows["it_power_w"][:48].sum()
    assert shown.monthly_pue[0] == pytest.approx(january, rel=1e-12)
    low, high = sorted(shown.monthly_pue[:2])
    assert low <= shown.pue <= high


def test_a_sweep_is_read_by_site(sweep):
    assert {shown.site for shown in read_places(sweep)} == {"Ulanqab", "Shenzhen"}


def test_two_runs_of_one_site_and_plant_are_refused(sweep, tmp_path):
    for name in ("0", "1"):
        (tmp_path / name).symlink_to(sweep / "0")
    with pytest.raises(InputFileError, match="one finished run for each site and plant"):
        read_places(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="one finished run"):
        read_places(tmp_path)


@pytest.mark.parametrize("free_hours", [0.0, 8760.0, float("nan")])
def test_the_map_is_drawn_whole_also_with_gaps(tmp_path, free_hours):
    places = [
        place("Ulanqab", "chilled_air", free_hours=free_hours),
        place("Shenzhen", "chilled_air", pue=1.4),
        place("Ulanqab", "immersion", pue=1.1),
    ]
    path = draw(places, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 300_000


def test_one_year_of_one_plant_is_drawn_too(tmp_path):
    assert draw([place("Ulanqab", "immersion")], tmp_path).is_file()
