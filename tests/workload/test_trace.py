"""A replay uses every row it can and names every row it cannot."""

import gzip
import math
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import ConfigError, InputFileError, ParameterError
from twin.records import WorkloadContext
from twin.rng import rng_for
from twin.workload.reference import FleetColumns, ReferenceColumns, fleet, measured
from twin.workload.rows import Columns, GpuColumn
from twin.workload.table import duration_s
from twin.workload.trace import TraceReplay

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "jobs"
HEADER = "timestamp,duration,num_gpus,gpu_time,cluster"


@pytest.fixture
def trace(tmp_path):
    """Return a replay of rows in the Philly layout, and the lines it was made of."""

    def build(*rows, name="jobs.csv", **more):
        path = tmp_path / name
        text = "\n".join([HEADER, *rows]) + "\n"
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
        settings = {
            "job_kind": "training",
            "activity": 0.5,
            "limit_factor": (1.0, 5.0),
            "path": str(path),
            "columns": Columns(submit="timestamp", duration="duration", account="cluster"),
            "gpus_from": GpuColumn("num_gpus"),
            "refuse_above_fraction": 1.0,
        }
        return TraceReplay(**(settings | more))

    return build


def row(at="2023-07-03 00:00:10", duration="60", gpus="8", cluster="vc"):
    return f"{at},{duration},{gpus},0,{cluster}"


def jobs_of(replay, context):
    return list(replay.jobs(context))


# ---- rows that can be used ----


def test_a_row_becomes_a_job(trace, context):
    (job,) = jobs_of(trace(row(), checkpoint_minutes=10.0, comm_fraction=0.1), context())
    assert (job.arrived_at_s, job.work_s, job.gpus, job.account) == (10, 60, 8, "vc")
    assert (job.job_id, job.kind, job.activity) == ("training-2", "training", 0.5)
    assert (job.checkpoint_s, job.comm_fraction) == (600, 0.1)
    assert 60 <= job.limit_s <= 300


def test_a_gzipped_file_reads_the_same(trace, context):
    rows = [row(gpus=str(n)) for n in range(1, 9)]
    plain, packed = trace(*rows), trace(*rows, name="jobs.csv.gz")
    assert [(j.gpus, j.limit_s) for j in jobs_of(plain, context())] == [
        (j.gpus, j.limit_s) for j in jobs_of(packed, context())
    ]


def test_what_is_packed_is_told_by_its_content_and_not_by_its_name(trace, context):
    packed = trace(row(), name="jobs.csv.gz")
    misnamed = Path(packed.path).rename(Path(packed.path).with_name("packed.csv"))
    packed.path = str(misnamed)
    assert len(jobs_of(packed, context())) == 1
    plain = trace(row())
    plain.path = str(Path(plain.path).rename(Path(plain.path).with_name("plain.csv.gz")))
    assert len(jobs_of(plain, context())) == 1


def test_zones_that_are_dropped_are_told(trace, context):
    replay = trace(row("2023-07-03T00:00:10Z"), row("2023-07-03 00:00:10+08:00"))
    assert [job.arrived_at_s for job in jobs_of(replay, context())] == [10, 10]
    assert any("with a zone (UTC, UTC+08:00)" in note for note in replay.report.notes)
    silent = trace(row())
    silent.check(context())
    assert not any("zone" in note for note in silent.report.notes)


def test_unsorted_rows_are_sorted_and_ties_keep_their_order(trace, context):
    late, early = "2023-07-03 01:00:00", "2023-07-03 00:00:00"
    replay = trace(row(late, gpus="1"), row(early, gpus="2"), row(late, gpus="3"), row(late))
    jobs = jobs_of(replay, context())
    assert [(job.arrived_at_s, job.gpus) for job in jobs] == [
        (0, 2),
        (3600, 1),
        (3600, 3),
        (3600, 8),
    ]


@settings(deadline=None)  # each example writes a file
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["2023-07-02 12:00:00", "2023-07-03 00:00:00", "2023-07-03 09:00:00", "x"]
            ),
            st.sampled_from(["-1", "0", "30", "", "7200"]),
            st.sampled_from(["0", "1", "8", "9999"]),
        ),
        max_size=30,
    )
)
def test_every_row_is_used_refused_or_left_out(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("trace") / "jobs.csv"
    rows = [row(), *(row(*each) for each in given_rows)]
    path.write_text("\n".join([HEADER, *rows]))
    replay = TraceReplay(
        job_kind="training",
        activity=0.5,
        limit_factor=(1.0, 5.0),
        path=str(path),
        columns=Columns(submit="timestamp", duration="duration"),
        gpus_from=GpuColumn("num_gpus"),
        refuse_above_fraction=1.0,
    )
    day = WorkloadContext(datetime(2023, 7, 3), 86_400.0, 2144, 8, 312e12, rng_for(0))
    jobs = list(replay.jobs(day))
    outside = sum(at < "2023-07-03" for at, _, _ in given_rows)
    report = replay.report
    assert report.read == len(rows) == report.used + report.refused_count + outside
    assert len(jobs) == report.used
    assert all(a.arrived_at_s <= b.arrived_at_s for a, b in pairwise(jobs))


def test_duplicate_rows_are_jobs_of_their_own(trace, context):
    jobs = jobs_of(trace(row(), row(), row()), context())
    assert len({job.job_id for job in jobs}) == 3


def test_rows_outside_the_run_are_left_out_and_counted(trace, context):
    replay = trace(row(), row("2023-07-02 23:59:59"), row("2023-07-04 00:00:00", gpus="bad"))
    day = context(days=1)
    assert len(jobs_of(replay, day)) == 1
    assert (replay.report.read, replay.report.used, replay.report.refused_count) == (3, 1, 0)
    assert any(
        note.startswith("rows left out, outside the run") and note.endswith(": 2")
        for note in replay.report.notes
    )


def test_invented_estimates_are_seeded_and_said(trace, context):
    rows = [row(duration="100")] * 500
    first, again = (jobs_of(trace(*rows), context(seed=1)) for _ in range(2))
    assert [j.limit_s for j in first] == [j.limit_s for j in again]
    assert min(j.limit_s for j in first) >= 100
    assert max(j.limit_s for j in first) <= 500
    replay = trace(*rows)
    replay.check(context())
    assert any("invented, run time x U(1, 5), seeded: 500" in note for note in replay.report.notes)


def test_given_estimates_are_kept(trace, context):
    columns = Columns(submit="timestamp", duration="duration", limit="gpu_time")
    rows = ["2023-07-03 00:00:10,60,8,2:00:00,vc", "2023-07-03 00:00:10,60,8,UNLIMITED,vc"]
    first, second = jobs_of(trace(*rows, columns=columns), context())
    assert first.limit_s == 7200
    assert 60 <= second.limit_s <= 300


def test_activity_points_spread_over_the_jobs(trace, context):
    points = [(0.0, 0.1), (1.0, 0.9)]
    seen = [j.activity for j in jobs_of(trace(*[row()] * 2000, activity=points), context())]
    assert sum(seen) / 2000 == pytest.approx(0.5, abs=4 * 0.8 / math.sqrt(12 * 2000))


def test_activity_may_be_a_weighted_sum_of_columns(trace, context):
    rows = ["2023-07-03 00:00:20,60,8,0.5,vc", "2023-07-03 00:00:10,60,8,1.0,vc"]
    replay = trace(*rows, activity_from={"gpu_time": 0.25, "num_gpus": 0.0625})
    assert [job.activity for job in jobs_of(replay, context())] == [0.75, 0.625]


def test_an_activity_above_one_is_refused_with_its_sum(trace, context):
    replay = trace(row(), "2023-07-03 00:00:10,60,8,9,vc", activity_from={"gpu_time": 0.25})
    assert len(jobs_of(replay, context())) == 1
    assert replay.report.refused[0].endswith("0.25 x gpu_time = 2.25: must be >= 0 and <= 1")


def test_replayed_jobs_may_have_a_duty_cycle(trace, context):
    replay = trace(*[row()] * 3, activity=0.9, duty=0.4, low_activity=0.1)
    seen = {(j.activity, j.duty, j.low_activity) for j in jobs_of(replay, context())}
    assert seen == {(0.9, 0.4, 0.1)}


def test_whole_servers_round_up_large_jobs_only(trace, context):
    rows = [row(gpus=str(n)) for n in (3, 8, 9, 17)]
    jobs = jobs_of(trace(*rows, whole_servers=True), context())
    assert [job.gpus for job in jobs] == [3, 8, 16, 24]


def test_columns_may_stand_anywhere_and_be_quoted(tmp_path, trace, context):
    path = tmp_path / "other.csv"
    path.write_text('\ufeffnum_gpus , note,timestamp,duration\n4,"a, b",2023-07-03 00:00:01,5\n')
    columns = Columns(submit="timestamp", duration="duration")
    (job,) = jobs_of(trace(path=str(path), columns=columns), context())
    assert (job.gpus, job.arrived_at_s, job.account) == (4, 1, "")


# ---- rows that cannot ----


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (row(at="yesterday"), "timestamp='yesterday': must be a time (iso)"),
        (row(at=""), "timestamp: is missing"),
        (row(duration="-5"), "duration=-5: must be > 0"),
        (row(duration="0"), "duration=0: must be > 0"),
        (row(duration="long"), "duration='long': must be a duration"),
        (row(duration="nan"), "duration='nan': must be a duration"),
        (row(duration=""), "duration: is missing"),
        (row(duration="1e308"), "a run time of 1e+308 s: must be at most 1e+15 s"),
        (
            row(duration="9" * 400 + "-00:00:01"),
            f"duration='{'9' * 400}-00:00:01': must be a duration",
        ),
        (row(gpus="0"), "num_gpus=0 GPUs: must be > 0"),
        (row(gpus="-1"), "num_gpus=-1 GPUs: must be > 0"),
        (row(gpus="many"), "num_gpus='many': must be a number"),
        (row(gpus=""), "num_gpus: is missing"),
        (row(gpus="nan"), "num_gpus=nan GPUs: must be > 0"),
        (row(gpus="2145"), "num_gpus=2145 GPUs: must be at most 2144, all there are"),
        ("2023-07-03 00:00:10,60", "2 fields: must be 5, as in the header"),
        (row() + ",more", "6 fields: must be 5, as in the header"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_why(trace, context, bad, why):
    replay = trace(row(), bad, row())
    assert len(jobs_of(replay, context())) == 2
    report = replay.report
    assert (report.read, report.used, report.refused_count) == (3, 2, 1)
    assert report.refused == [f"{replay.path}:3: {why}"]


@pytest.mark.parametrize("pattern", [r"(\w+)", r"many|(\d+)"])
def test_what_a_pattern_finds_must_be_a_number(trace, context, pattern):
    replay = trace(row(), row(gpus="many"), gpus_from=GpuColumn("num_gpus", pattern=pattern))
    assert len(jobs_of(replay, context())) == 1
    why = "num_gpus='many': 'many' must be a number" if "w" in pattern else "num_gpus=0 GPUs: must"
    assert why in replay.report.refused[0]


def test_a_time_pattern_that_names_a_thing_twice_reads_no_time(trace, context):
    with pytest.raises(InputFileError, match=r"timestamp=.*: must be a time \(%Y%Y\)"):
        trace(row(), time_format="%Y%Y").check(context())


def test_strict_refuses_the_file_at_the_first_bad_row(trace, context):
    replay = trace(row(), row(gpus="x"), row(gpus="y"), strict=True)
    with pytest.raises(InputFileError, match=r"jobs.csv:3: num_gpus='x'.*\n.*strict=true"):
        replay.check(context())


def test_more_than_one_bad_row_in_a_hundred_refuses_the_file(trace, context):
    good, bad = [row()] * 99, row(gpus="0")
    fine = trace(*good, bad, refuse_above_fraction=0.01)
    fine.check(context())
    assert fine.report.refused_count == 1
    with pytest.raises(InputFileError) as refused:
        trace(*good[:-1], bad, bad, refuse_above_fraction=0.01).check(context())
    message = str(refused.value)
    assert "jobs.csv:100: num_gpus=0 GPUs: must be > 0" in message
    assert "2 of 100 rows cannot be used: must be at most" in message
    assert "workload.refuse_above_fraction=0.01" in message
    assert refused.value.exit_status == 2


def test_only_the_first_twenty_bad_rows_are_named(trace, context):
    replay = trace(row(), *[row(gpus="0")] * 50)
    replay.check(context())
    assert (len(replay.report.refused), replay.report.refused_count) == (20, 50)


def test_a_file_without_a_row_in_the_run_is_refused(trace, context):
    with pytest.raises(InputFileError, match=r"none of its 1 rows falls .* \(1 lie outside\)"):
        trace(row("2017-10-01 00:00:00")).check(context())


def test_a_file_without_rows_says_so(trace, context):
    with pytest.raises(InputFileError, match=r"jobs\.csv: holds no rows below its header"):
        trace().check(context())


def test_a_file_of_refused_rows_alone_is_refused_by_the_first(trace, context):
    replay = trace(row(gpus="0"), row(gpus="0"), refuse_above_fraction=1.0)
    with pytest.raises(InputFileError, match=r"csv:2: num_gpus=0 .*\n.*none of its 2 rows can be"):
        replay.check(context())


def test_a_missing_path_says_what_is_wanted(configured, context):
    with pytest.raises(ConfigError, match=r"workload.path: is required.*timestamp, duration"):
        configured("philly").check(context())


def test_a_missing_file_is_named(configured, context):
    with pytest.raises(InputFileError, match=r"nowhere.csv: no such file"):
        configured("philly", path="nowhere.csv").check(context())


def test_unknown_columns_list_what_was_seen_and_wanted(configured, context):
    with pytest.raises(InputFileError) as refused:
        configured("philly", path=str(FIXTURES / "helios.csv")).check(context())
    message = str(refused.value)
    assert "no column 'timestamp'" in message
    assert "columns seen: job_id, user, vc, gpu_num" in message
    assert "mapping wanted: submit: timestamp, duration: duration" in message


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00broken", b"\xff\xfe\x00"])
def test_a_file_that_is_no_table_is_refused(tmp_path, configured, context, content):
    for name in ("x.csv", "x.csv.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputFileError, match=name):
            configured("philly", path=str(tmp_path / name)).check(context())


def test_a_folder_is_no_file(tmp_path, configured, context):
    with pytest.raises(InputFileError, match="is a folder, not a file"):
        configured("philly", path=str(tmp_path)).check(context())


def test_columns_need_a_duration_or_both_ends():
    with pytest.raises(ParameterError, match="duration=None"):
        Columns(submit="a", start="b")


def test_a_pattern_needs_its_one_group():
    with pytest.raises(ParameterError, match="regular expression with one group"):
        GpuColumn("AllocTRES", pattern="gpu=")
    with pytest.raises(ParameterError, match="regular expression with one group"):
        GpuColumn("AllocTRES", pattern="(gpu")


# ---- every format there is a mapping for ----


def replayed(configured, context, name, file, start, **more):
    replay = configured(name, path=str(FIXTURES / file), **more)
    jobs = jobs_of(replay, context(start=start, days=1))
    return replay.report, [(job.arrived_at_s, job.gpus, job.work_s, job.account) for job in jobs]


def test_acme(configured, context):
    report, jobs = replayed(configured, context, "acme", "acme.csv", datetime(2023, 3, 1))
    assert jobs == [(540, 32, 7200, "u1"), (600, 8, 3600, "u1")]
    assert report.refused_count == 0
    assert "rows left out, never ran: 1" in report.notes
    assert "rows left out, no GPU asked for: 1" in report.notes


def test_helios(configured, context):
    _, jobs = replayed(configured, context, "helios", "helios.csv", datetime(2020, 4, 1))
    assert jobs == [(28_800, 1, 3600, "vcOne"), (28_800, 16, 100, "vcTwo")]


def test_pai(configured, context):
    report, jobs = replayed(configured, context, "pai", "pai.csv", datetime(2020, 7, 1))
    assert jobs == [(500, 1, 60, ""), (1000, 2, 3600, ""), (1500, 1, 300, "")]
    assert "jobs whose GPUs were rounded up: 1" in report.notes
    assert "rows left out, state Running: 1" in report.notes


def test_swf(configured, context):
    report, jobs = replayed(configured, context, "swf", "log.swf", datetime(2020, 7, 1))
    assert jobs == [(0, 8, 3600, "3"), (60, 16, 90, "4")]
    assert (report.read, report.used) == (3, 2)


def test_sacct(configured, context):
    replay = configured("sacct", path=str(FIXTURES / "sacct.txt"))
    one, other = jobs_of(replay, context(start=datetime(2024, 1, 1), days=1))
    assert (one.arrived_at_s, one.gpus, one.work_s, one.limit_s) == (10, 8, 3600, 7200)
    assert (other.gpus, other.account) == (2, "ml")
    assert other.limit_s >= 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:01:00", 60), ("2-00:00:00", 172_800), ("1:02", 62), ("7", 7)]
)
def test_slurm_durations(text, seconds):
    assert duration_s(text) == seconds


# ---- real files ----


def test_philly_replays_every_row(configured, context, shared_data):
    folder = shared_data / "jobs" / "philly-2017"
    replay = configured(
        "philly",
        path=str(folder / "philly_2017-10.csv.gz"),
        reference_path=str(folder / "philly_nodes_2017-10.csv.gz"),
    )
    month = context(start=datetime(2017, 10, 1), days=31, gpus=2490)
    jobs = jobs_of(replay, month)
    assert (replay.report.read, replay.report.used, len(jobs)) == (47_192, 47_192, 47_192)
    assert replay.report.refused_count == 0
    assert all(a.arrived_at_s <= b.arrived_at_s for a, b in pairwise(jobs))
    # started at submit, from an empty cluster, as the data set's description says
    busy = sum(min(j.work_s, month.duration_s - j.arrived_at_s) * j.gpus for j in jobs)
    assert busy / month.duration_s == pytest.approx(505, abs=0.5)
    assert replay.report.measured["measured_nodes_total"] == 420
    assert replay.report.measured["measured_rows_dropped"] == 1081
    assert replay.report.measured["measured_nodes_busy_mean"] == pytest.approx(332.2, abs=0.1)
    assert any("upper bound" in note for note in replay.report.notes)


def test_philly_with_every_hundredth_row_broken_is_refused(
    configured, context, shared_data, tmp_path
):
    source = shared_data / "jobs" / "philly-2017" / "philly_2017-10.csv.gz"
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    broken = [line.replace(",", ",x", 1) if n % 90 == 5 else line for n, line in enumerate(lines)]
    (tmp_path / "broken.csv").write_text("\n".join(broken))
    month = context(start=datetime(2017, 10, 1), days=31, gpus=2490)
    with pytest.raises(InputFileError, match=r"broken.csv:6: duration='x.*\n.*of 47192 rows"):
        configured("philly", path=str(tmp_path / "broken.csv")).check(month)


def test_eagle_replays_its_thousand_jobs(configured, context, shared_data):
    path = shared_data / "jobs" / "nrel-eagle-2019" / "eagle_jobs_sample.csv.gz"
    days = context(start=datetime(2019, 1, 1), days=3, gpus=2880)
    replay = configured("slurm", path=str(path))
    jobs = jobs_of(replay, days)
    assert (replay.report.read, len(jobs)) == (1000, 1000)
    assert all(a.arrived_at_s <= b.arrived_at_s for a, b in pairwise(jobs))
    assert not any("invented" in note for note in replay.report.notes)
    # more than 400 of one job array share their second and keep the order of the file
    same = [job for job in jobs if sum(1 for j in jobs if j.arrived_at_s == job.arrived_at_s) > 400]
    assert len(same) > 400
    assert len({job.job_id for job in jobs}) == 1000


def test_eagle_by_its_gpu_column_keeps_the_four_gpu_jobs(configured, context, shared_data):
    path = shared_data / "jobs" / "nrel-eagle-2019" / "eagle_jobs_sample.csv.gz"
    replay = configured("slurm", path=str(path), gpus_from={"column": "gpus_req"})
    assert len(jobs_of(replay, context(start=datetime(2019, 1, 1), days=3))) == 4
    assert "rows left out, no GPU asked for: 996" in replay.report.notes


def test_openb_replays_its_gpu_pods(configured, context, shared_data):
    path = shared_data / "jobs" / "alibaba-openb-2023" / "openb_pods_day000-129.csv.gz"
    replay = configured("openb", path=str(path), origin_s=0)
    jobs = jobs_of(replay, context(days=130))
    notes = " ".join(replay.report.notes)
    assert (replay.report.read, replay.report.refused_count) == (3121, 0)
    assert "rows left out, state Pending: 267" in notes
    assert "no GPU asked for" in notes
    assert "rounded up" in notes
    assert {job.gpus for job in jobs} == {1, 2, 4, 8}


def test_openb_says_how_much_of_its_cluster_the_facility_is(configured, context, shared_data):
    folder = shared_data / "jobs" / "alibaba-openb-2023"
    replay = configured(
        "openb",
        path=str(folder / "openb_pods_day000-129.csv.gz"),
        fleet_path=str(folder / "openb_nodes.csv.gz"),
    )
    replay.check(context(days=18))
    (note,) = [note for note in replay.report.notes if "trace's cluster" in note]
    assert "had 6212 GPUs" in note
    assert "the facility has 2144, 0.35 of them" in note


def test_the_spot_fleet_is_read_to_the_last_node(shared_data):
    path = shared_data / "jobs" / "alibaba-spot-fleet-2026" / "spot_nodes.csv.gz"
    models = fleet(path, FleetColumns("gpu_capacity_num", "gpu_model"))
    rows = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    assert len(rows) == 4278
    assert models.total() == sum(int(row.split(",")[1]) for row in rows)
    assert len(models) == len({row.split(",")[0] for row in rows})


@pytest.mark.parametrize("vc", ["6YE", "TJs", "hbv", "pDC"])
def test_helios_clusters_are_read_minute_by_minute(configured, shared_data, vc):
    columns = configured("helios").reference_columns
    path = shared_data / "jobs" / "helios-earth-2020" / f"earth_vc{vc}_2020-05.csv.gz"
    found = measured(path, datetime(2020, 5, 1), 31 * 86400.0, columns)
    assert found["measured_rows"] + found["measured_rows_dropped"] == 44_640
    assert 0 < found["measured_gpus_busy_mean"] <= found["measured_gpus_total"]


def test_image_requests_are_replayed_as_jobs_of_one_gpu(configured, context, shared_data):
    path = shared_data / "requests" / "alibaba-gentd26" / "lora_requests_first.csv.gz"
    replay = configured("gentd26", path=str(path))
    jobs = jobs_of(replay, context(start=datetime(2024, 11, 15), days=14))
    report = replay.report
    assert report.read == 13_217
    assert (
        report.used
        + sum(int(n.rsplit(": ", 1)[1]) for n in report.notes if "left out" in n)
        + report.refused_count
        == 13_217
    )
    assert len(jobs) == report.used > 12_000
    assert {job.gpus for job in jobs} == {1}


def test_gpus_are_a_column_or_a_constant_but_not_both(configured):
    with pytest.raises(ConfigError, match="given, or else constant, and not both"):
        configured("gentd26", gpus_from={"column": "num_lora", "constant": 1})


@pytest.mark.parametrize(
    ("rows", "message"),
    [("4", r"nodes\.csv:2: gpus='4x'"), ("0", "no node has a GPU")],
)
def test_a_fleet_that_cannot_be_read_is_refused(tmp_path, rows, message):
    path = tmp_path / "nodes.csv"
    path.write_text(f"gpus,model\n{rows}{'x' if rows == '4' else ''},A\n")
    with pytest.raises(InputFileError, match=message):
        fleet(path, FleetColumns("gpus", "model"))


# ---- what was measured ----


def test_artefacts_are_left_out_of_the_measured_mean(tmp_path):
    path = tmp_path / "nodes.csv"
    path.write_text(
        "time,active,total\n2017-10-01 00:00:00,300,420\n2017-10-01 00:01:00,0,420\n"
        "2017-10-01 00:02:00,900,4200\n2017-10-01 00:03:00,320,420\n2017-11-01 00:00:00,1,420\n"
    )
    assert measured(path, datetime(2017, 10, 1), 86400.0, ReferenceColumns()) == {
        "measured_nodes_busy_mean": 310,
        "measured_nodes_total": 420,
        "measured_rows": 2,
        "measured_rows_dropped": 2,
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2017-10-01 00:00:00,x,420", "nodes.csv:2: "),
        ("2017-12-01 00:00:00,1,420", "no row falls into the run"),
        ("2017-10-01 00:00:00,0,420", "no row of the run shows an active node"),
    ],
)
def test_a_reference_that_says_nothing_is_refused(tmp_path, rows, message):
    path = tmp_path / "nodes.csv"
    path.write_text(f"time,active,total\n{rows}\n")
    with pytest.raises(InputFileError, match=message):
        measured(path, datetime(2017, 10, 1), 86400.0, ReferenceColumns())
