"""The load of a run leaves in the form that Vessim's trace loader takes."""

import csv

import numpy as np
import pytest

from tests.support.synthetic_run import make_run
from twin.export import export
from twin.results.run_folder import Run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", days=1.0, beat_s=300.0)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_offsets_begin_at_zero_and_values_are_the_series(run, tmp_path):
    path = tmp_path / "out" / "load.csv"
    assert export([str(run), "--vessim", str(path)]) == 0
    head, *rows = rows_of(path)
    assert head == ["offset_s", "facility_power_w"]
    offsets, values = np.array(rows, dtype=float).T
    series = Run.open(run).series()
    days = Run.open(run).summary["simulated_days"]
    assert offsets[0] == 0.0
    assert np.all(np.diff(offsets) > 0.0)
    assert offsets[-1] == pytest.approx(days * 86400.0)
    assert np.array_equal(offsets[:-1], series["at_s"])
    assert np.array_equal(values[:-1], series["facility_power_w"])  # to the last bit
    assert values[-1] == values[-2]


def test_several_powers_make_several_columns(run, tmp_path):
    path = tmp_path / "load.csv"
    assert export([str(run), "--vessim", str(path), "--columns", "it_power_w, aux_power_w"]) == 0
    assert rows_of(path)[0] == ["offset_s", "it_power_w", "aux_power_w"]


@pytest.mark.parametrize("name", ["it_powr_w", "pue", ""])
def test_what_is_not_a_power_is_refused(run, tmp_path, name, capsys):
    assert export([str(run), "--vessim", str(tmp_path / "x.csv"), "--columns", name]) == 2
    assert "no such power" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()


def test_vessim_itself_reads_it(run, tmp_path):
    vessim = pytest.importorskip("vessim")
    path = tmp_path / "load.csv"
    export([str(run), "--vessim", str(path)])
    trace = vessim.Trace.from_csv(path)
    series = Run.open(run).series()
    assert trace.at(float(series["at_s"][3])) == series["facility_power_w"][3]
