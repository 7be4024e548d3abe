"""Reading run folders: finished ones open, all others say why not."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from twin.errors import InputFileError
from twin.results.parquet import ParquetFile
from twin.results.recorder import Recorder
from twin.results.run_folder import Run, find_runs, read_columns
from twin.schema import JOBS, SUMMARY


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    Recorder(run, 300.0).close()
    (run / "config.yaml").write_text("clock:\n  seed: 3\n")
    (run / "run.json").write_text('{"version": "0.1.0"}')
    (run / "summary.json").write_text(json.dumps(dict.fromkeys(SUMMARY)))
    return run


def test_a_finished_run_opens(folder):
    run = Run.open(folder)
    assert run.summary["pue"] is None and run.info["version"] == "0.1.0" and not run.notes
    assert run.config() == {"clock": {"seed": 3}}
    assert list(run.series(["at_s", "pue"])) == ["at_s", "pue"]
    assert len(run.jobs()["job_id"]) == len(run.racks()["hall"]) == len(run.events()["at_s"]) == 0


def test_what_is_no_finished_run_is_refused_with_the_reason(folder, tmp_path):
    with pytest.raises(InputFileError, match="no such folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(InputFileError, match="not a run folder"):
        Run.open(tmp_path)
    (folder / "summary.json").unlink()
    with pytest.raises(InputFileError, match="did not finish"):
        Run.open(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"score": 3}'])
def test_a_foreign_summary_is_refused(folder, text):
    (folder / "summary.json").write_text(text)
    with pytest.raises(InputFileError, match=r"summary\.json"):
        Run.open(folder)


def test_a_run_of_another_version_opens_and_says_so(folder):
    keys = dict.fromkeys(SUMMARY) | {"new_key": 1.0, "pue_ci95": 0.1}
    del keys["mlc"]
    (folder / "summary.json").write_text(json.dumps(keys))
    notes = Run.open(folder).notes
    assert any("lacks mlc" in note for note in notes)
    assert any("new_key" in note and "pue_ci95" not in note for note in notes)


def test_unknown_columns_and_missing_or_broken_files_are_named(folder):
    run = Run.open(folder)
    with pytest.raises(InputFileError, match="did you mean 'it_power_w'"):
        run.series(["it_powr_w"])
    (folder / "jobs.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputFileError, match=r"jobs\.parquet: cannot be read"):
        run.jobs()
    (folder / "racks.parquet").unlink()
    with pytest.raises(InputFileError, match=r"racks\.parquet: is missing"):
        run.racks()


def test_rows_are_read_group_by_group_and_come_in_the_order_asked_for(tmp_path, monkeypatch):
    jobs = {name: [0] * 10 for name in JOBS} | {
        "job_id": [f"job-{k}" for k in range(10)],
        "kind": ["training"] * 10,
        "status": ["completed"] * 10,
        "wait_s": [math.nan if k == 5 else 0.5 * k for k in range(10)],
        "gpus": list(range(10)),
    }
    file = ParquetFile(tmp_path, "jobs", JOBS, rows_per_group=4)
    file.write(jobs)
    file.close()
    read, groups = pq.ParquetFile.read_row_group, []

    def noted(file, group, **more):
        groups.append(group)
        return read(file, group, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    names = ["job_id", "wait_s", "gpus"]
    whole = read_columns(tmp_path / "jobs.parquet", names)
    assert groups == [0, 1, 2]
    assert whole["job_id"].tolist() == jobs["job_id"] and whole["gpus"].dtype == np.int64
    assert np.array_equal(whole["wait_s"], jobs["wait_s"], equal_nan=True)

    groups.clear()
    rows = np.array([9, 1, 8, 1])
    some = read_columns(tmp_path / "jobs.parquet", names, rows)
    assert groups == [0, 2], "a group without any of the rows is not read"
    assert {name: some[name].tolist() for name in names} == {
        name: whole[name][rows].tolist() for name in names
    }
    assert len(read_columns(tmp_path / "jobs.parquet", names, rows[:0])["job_id"]) == 0


def test_runs_of_a_sweep_are_found_in_order_finished_or_not(tmp_path):
    for name in ("10", "2", "0"):
        (tmp_path / "sweep" / name).mkdir(parents=True)
        (tmp_path / "sweep" / name / "summary.json").write_text("{}")
    (tmp_path / "sweep" / "1" / ".hydra").mkdir(parents=True)
    (tmp_path / "sweep" / "plots").mkdir()
    names = [path.name for path in find_runs(tmp_path)]
    assert names == ["0", "1", "2", "10"]
    assert list(find_runs(tmp_path / "sweep" / "2")) == [tmp_path / "sweep" / "2"]
