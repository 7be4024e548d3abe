"""The recorder: exact interval means, null where nothing is known, bounded, reproducible."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import ParameterError, RunError
from twin.records import Event, Job
from twin.results import recorder as module
from twin.results.recorder import Recorder
from twin.results.run_folder import read_columns
from twin.schema import EVENTS, JOBS, RACKS, ROW, SERIES

NAN = float("nan")


def row(**values):
    return [float(values.get(name, NAN)) for name in ROW]


def record(folder, beats, interval_s=300.0, beat_s=60.0):
    recorder = Recorder(folder, interval_s)
    for k, values in enumerate(beats):
        recorder.beat(k * beat_s, beat_s, values)
    recorder.close()
    return read_columns(folder / "series.parquet")


def test_powers_are_means_over_the_interval_and_pue_a_ratio_of_means(tmp_path):
    beats = [row(it_power_w=it, facility_power_w=1.5 * it + 10.0) for it in (10, 20, 30, 40, 0)]
    series = record(tmp_path, beats)
    assert series["at_s"].tolist() == [0.0]
    assert series["it_power_w"].tolist() == [20.0]
    assert series["pue"].tolist() == [40.0 / 20.0]


def test_maxima_last_values_and_unknowns(tmp_path):
    beats = [row(inlet_max_c=c, battery_j=b) for c, b in ((20, 5), (27, 4), (NAN, 3))]
    series = record(tmp_path, beats)
    assert series["inlet_max_c"].tolist() == [27.0]
    assert series["battery_j"].tolist() == [3.0]
    assert np.isnan(series["tokens_per_s"]).all()
    assert np.isnan(series["pue"]).all()


def test_a_value_known_for_part_of_an_interval_is_the_mean_of_that_part(tmp_path):
    series = record(tmp_path, [row(supply_c=20), row(), row(supply_c=24)])
    assert series["supply_c"].tolist() == [22.0]


def test_pue_is_null_where_it_is_zero(tmp_path):
    series = record(tmp_path, [row(it_power_w=0, facility_power_w=100)])
    assert np.isnan(series["pue"]).all()


def test_a_shorter_last_beat_weighs_by_its_length(tmp_path):
    recorder = Recorder(tmp_path, 300.0)
    recorder.beat(0.0, 60.0, row(it_power_w=100))
    recorder.beat(60.0, 20.0, row(it_power_w=500))
    recorder.close()
    assert read_columns(tmp_path / "series.parquet")["it_power_w"].tolist() == [200.0]


@pytest.mark.parametrize("block", [1, 3, 5, 7, 2048])
def test_intervals_do_not_depend_on_where_blocks_are_cut(tmp_path, monkeypatch, block):
    monkeypatch.setattr(module, "BEATS_PER_BLOCK", block)
    power = np.random.default_rng(1).uniform(1.0, 2.0, 23)
    series = record(tmp_path, [row(it_power_w=p) for p in power])
    assert series["at_s"].tolist() == [0.0, 300.0, 600.0, 900.0, 1200.0]
    parts = np.split(power, [5, 10, 15, 20])
    assert series["it_power_w"] == pytest.approx([part.mean() for part in parts], rel=1e-14)


@settings(max_examples=25)
@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=40), st.sampled_from([1.0, 30.0, 59.9]))
def test_no_energy_is_lost_between_beats_and_intervals(tmp_path_factory, power, beat_s):
    series = record(
        tmp_path_factory.mktemp("run"),
        [row(it_power_w=p) for p in power],
        interval_s=7 * beat_s,
        beat_s=beat_s,
    )
    lengths = np.diff(np.append(series["at_s"], len(power) * beat_s))
    energy = float((series["it_power_w"] * lengths).sum())
    assert energy == pytest.approx(sum(power) * beat_s, rel=1e-9)


def test_jobs_get_waits_and_bounded_slowdowns(tmp_path):
    recorder = Recorder(tmp_path, 300.0)
    job = Job("a", "training", 100.0, 8, 50.0, 60.0)
    recorder.job(job)
    job.started_at_s, job.service_s, job.status = 150.0, 50.0, "running"
    recorder.job(job)
    job.finished_at_s, job.status = 200.0, "completed"
    recorder.job(job)
    recorder.job(Job("b", "test", 0.0, 1, 1.0, 1.0, started_at_s=0.0, finished_at_s=1.0))
    recorder.close()
    jobs = read_columns(tmp_path / "jobs.parquet")
    assert list(jobs) == list(JOBS)
    assert jobs["status"].tolist() == ["queued", "running", "completed", "queued"]
    assert np.isnan(jobs["wait_s"][0]) and jobs["wait_s"][1:].tolist() == [50.0, 50.0, 0.0]
    assert np.isnan(jobs["slowdown"][:2]).all() and jobs["slowdown"][2:].tolist() == [2.0, 1.0]


def test_racks_and_events_keep_text_and_order(tmp_path):
    recorder = Recorder(tmp_path, 300.0)
    recorder.event(Event(5.0, "trip", "chiller", 'über <30> & "hot"'))
    recorder.event(Event(9.0, "repair", "chiller", ""))
    columns = {name: [1.0, NAN] for name in RACKS}
    columns |= {"rack_id": ["r0", "r1"], "hall": ["h", "h"], "cooling": ["air", "air"]}
    recorder.racks(columns)
    recorder.close()
    events = read_columns(tmp_path / "events.parquet")
    assert list(events) == list(EVENTS)
    assert events["detail"].tolist() == ['über <30> & "hot"', ""]
    assert read_columns(tmp_path / "racks.parquet")["rack_id"].tolist() == ["r0", "r1"]


def test_reading_tables_imports_neither_pandas_nor_what_arrow_computes_with(tmp_path):
    recorder = Recorder(tmp_path, 300.0)
    recorder.job(Job("a", "training", 100.0, 8, 50.0, 60.0))
    recorder.close()
    code = f"""
import sys
from pathlib import Path
from twin.results.run_folder import read_columns
for name in ("jobs", "events"):
    read_columns(Path({str(tmp_path)!r}) / f"{{name}}.parquet")
print({{"pandas", "pyarrow.compute"}} & {{*sys.modules}})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"


def test_text_that_is_missing_is_none(tmp_path):
    path = tmp_path / "table.parquet"
    with pq.ParquetWriter(path, pa.schema([("word", pa.string())])) as writer:
        for words in (["x", None, "y"], ["z", "x", None]):  # a dictionary for each row group
            writer.write_table(pa.table({"word": pa.array(words, pa.string())}))
    assert read_columns(path)["word"].tolist() == ["x", None, "y", "z", "x", None]


def test_a_run_without_rows_still_has_its_four_files(tmp_path):
    Recorder(tmp_path, 300.0).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["events.parquet", "jobs.parquet", "racks.parquet", "series.parquet"]


def test_files_appear_under_their_names_only_when_whole(tmp_path):
    recorder = Recorder(tmp_path, 300.0)
    recorder.beat(0.0, 60.0, row())
    assert not list(tmp_path.glob("*.parquet"))
    recorder.abort()
    assert not list(tmp_path.iterdir())


def test_equal_runs_give_equal_bytes_and_row_groups_by_count(tmp_path):
    written = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(7)
        beats = [row(it_power_w=p, tokens_per_s=-NAN) for p in rng.uniform(1, 2, 20000)]
        record(folder, beats, interval_s=60.0)
        written.append((folder / "series.parquet").read_bytes())
    assert written[0] == written[1]
    meta = pq.ParquetFile(tmp_path / "a" / "series.parquet").metadata
    assert [meta.row_group(k).num_rows for k in range(meta.num_row_groups)] == [16384, 3616]


def test_columns_say_their_unit_and_meaning(tmp_path):
    Recorder(tmp_path, 300.0).close()
    arrow = pq.read_schema(tmp_path / "series.parquet")
    assert arrow.names == list(SERIES)
    for field in arrow:
        assert field.metadata[b"unit"].decode() == SERIES[field.name].unit
        assert field.metadata[b"meaning"].decode() == SERIES[field.name].formula


def test_the_row_is_copied(tmp_path):
    recorder = Recorder(tmp_path, 60.0)
    values = row(it_power_w=1.0)
    recorder.beat(0.0, 60.0, values)
    values[0] = 99.0
    recorder.beat(60.0, 60.0, values)
    recorder.close()
    assert read_columns(tmp_path / "series.parquet")["it_power_w"].tolist() == [1.0, 99.0]


def test_a_row_of_the_wrong_length_is_refused(tmp_path):
    recorder = Recorder(tmp_path, 60.0)
    with pytest.raises(RunError, match=f"{len(ROW)} values"):
        recorder.beat(0.0, 60.0, [1.0, 2.0])
    recorder.abort()


def test_a_block_of_beats_is_recorded_as_its_beats_one_by_one(tmp_path):
    beats = [(60.0 * k, 60.0, row(it_power_w=float(k * k))) for k in range(7)]
    for name in ("single", "block"):
        (tmp_path / name).mkdir()
        recorder = Recorder(tmp_path / name, 120.0)
        if name == "single":
            for beat in beats:
                recorder.beat(*beat)
        else:
            starts, lengths, rows = zip(*beats, strict=True)
            recorder.beats(starts[:3], lengths[:3], np.array(rows[:3]))
            recorder.beats(starts[3:], lengths[3:], np.array(rows[3:]))
        recorder.close()
    single, block = (
        read_columns(tmp_path / name / "series.parquet") for name in ("single", "block")
    )
    assert block["it_power_w"].tolist() == [0.5, 6.5, 20.5, 36.0]
    assert block["it_power_w"].tolist() == single["it_power_w"].tolist()


def test_bad_interval_and_bad_rack_columns_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="interval_s=0"):
        Recorder(tmp_path, 0.0)
    recorder = Recorder(tmp_path, 60.0)
    with pytest.raises(ParameterError, match="racks="):
        recorder.racks({"rack_id": ["a"]})
    recorder.abort()
