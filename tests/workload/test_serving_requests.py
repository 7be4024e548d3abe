"""Traces of requests: real ones whole, and bad ones refused by name."""

import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from twin.errors import ConfigError, InputFileError
from twin.workload.lengths import measured_lengths, read_length_windows
from twin.workload.requests import (
    RateLayout,
    RequestColumns,
    RequestLayout,
    read_rates,
    read_requests,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "requests"
AZURE = RequestLayout(RequestColumns("TIMESTAMP", "ContextTokens", "GeneratedTokens"))
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
NOON = datetime(2023, 11, 16, 18, 15)


@pytest.fixture
def read(context, tmp_path):
    """Return a reader of the text of an Azure trace."""

    def reader(rows, layout=AZURE, header=HEADER):
        path = tmp_path / "trace.csv"
        path.write_text(header + rows, encoding="utf-8")
        return read_requests(str(path), layout, context(days=1 / 24, start=NOON), "workload")

    return reader


@pytest.mark.parametrize(("kind", "rows"), [("conv", 10_189), ("code", 5_415)])
def test_azure_is_read_whole(kind, rows, shared_data, context):
    path = shared_data / "requests" / "azure-llm-2023" / f"azure_{kind}_first.csv.gz"
    found, report = read_requests(str(path), AZURE, context(days=1 / 24, start=NOON), "workload")
    assert (report.read, report.used, report.refused_count) == (rows, rows, 0)
    assert len(found) == rows
    assert np.all(np.diff(found.at_s) > 0)


def test_mooncake_is_read_whole(shared_data, context, configured):
    path = shared_data / "requests" / "mooncake-kimi-2025" / "mooncake_conversation_first.jsonl.gz"
    layout = configured("serving_mooncake").layout
    found, report = read_requests(str(path), layout, context(days=1 / 48), "workload")
    assert (report.read, report.used) == (5_719, 5_719)
    assert found.at_s.max() == pytest.approx(1797, abs=1)
    assert np.median(found.prompt) == pytest.approx(7640, rel=0.01)


def test_servegen_rates_of_all_clients_add_up(shared_data, context, configured):
    path = shared_data / "requests" / "alibaba-servegen-2025" / "m-small_rates.csv.gz"
    layout = configured("serving_servegen").layout
    rates, report = read_rates(str(path), layout, context(days=14), "workload")
    assert (report.read, report.used, len(rates)) == (86_688, 86_688, 2016)
    assert rates.mean() == pytest.approx(1174.4, rel=1e-4)
    assert rates.max() == pytest.approx(3879.5, rel=1e-4)


def test_burstgpt_layout_leaves_out_failed_requests_and_counts_them(context, configured):
    layout = configured("serving_burstgpt").layout
    found, report = read_requests(
        str(FIXTURES / "burstgpt.csv"), layout, context(days=1 / 24), "workload"
    )
    assert found.at_s.tolist() == [5, 45, 45, 185]
    assert found.output.tolist() == [18, 230, 276, 112]
    assert report.notes == ["requests left out, no answer: 1"]


def test_times_are_counted_from_the_start_of_the_run(read):
    found, report = read("2023-11-16 18:14:59.0,5,5\n2023-11-16 18:15:46.6805900,374,44\n")
    assert found.at_s.tolist() == pytest.approx([46.68059])
    assert report.notes == ["requests left out, outside the run: 1"]


def test_unknown_columns_are_listed_beside_the_mapping_wanted(read):
    with pytest.raises(InputFileError, match="ContextTokens") as error:
        read("1,2,3\n", header="when,in,out\n")
    assert "columns seen: when, in, out" in str(error.value)
    assert "prompt_tokens: ContextTokens" in str(error.value)


def test_rows_out_of_order_are_refused_by_line(read):
    with pytest.raises(InputFileError, match=r"csv:3: TIMESTAMP=.*before line 2"):
        read("2023-11-16 18:15:47,5,5\n2023-11-16 18:15:46,5,5\n")


def test_two_requests_at_one_instant_are_refused_unless_allowed(read):
    rows = "2023-11-16 18:15:47,5,5\n2023-11-16 18:15:47,6,6\n"
    with pytest.raises(InputFileError, match=r"csv:3: .*line 2 again.*same_instant=allow"):
        read(rows)
    found, _ = read(rows, RequestLayout(AZURE.columns, same_instant="allow"))
    assert found.prompt.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2023-11-16 18:15:47,0,5", "ContextTokens='0': must be a whole number >= 1"),
        ("2023-11-16 18:15:47,5,-3", "GeneratedTokens='-3': must be"),
        ("2023-11-16 18:15:47,5,", "GeneratedTokens='': must be"),
        ("2023-11-16 18:15:47,5.5,1", "ContextTokens='5.5': must be"),
        ("2023-11-16 18:15:47,1e30,1", "ContextTokens='1e30': must be a whole number >= 1 and"),
        ("2023-11-16 18:15:47,5,inf", "GeneratedTokens='inf': must be"),
        ("yesterday,5,5", "TIMESTAMP='yesterday': must be a time"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_by_line_and_value(read, row, why):
    with pytest.raises(InputFileError, match=r"trace.csv:2: ") as error:
        read(row + "\n")
    assert why in str(error.value)


@pytest.mark.parametrize("when", ["nan", "inf", "-inf"])
def test_a_time_that_is_no_number_is_refused_and_does_not_hide_the_order(read, when):
    layout = RequestLayout(AZURE.columns, time_format="seconds", refuse_above_fraction=0.5)
    with pytest.raises(InputFileError, match=r"csv:4: TIMESTAMP=3: must not be before line 2"):
        read(f"5,5,5\n{when},5,5\n3,5,5\n", layout)
    found, report = read(f"5,5,5\n{when},5,5\n7,5,5\n", layout)
    assert found.at_s.tolist() == [5.0, 7.0]
    (row,) = report.refused
    assert f"csv:3: TIMESTAMP='{when}': must be a time (seconds)" in row


def test_a_few_bad_rows_may_be_allowed_and_are_named(read):
    layout = RequestLayout(AZURE.columns, refuse_above_fraction=0.5)
    _, report = read("2023-11-16 18:15:46,0,5\n2023-11-16 18:15:47,5,5\n", layout)
    assert (report.read, report.used, report.refused_count) == (2, 1, 1)
    assert "ContextTokens" in report.refused[0]


def test_a_trace_that_lies_outside_the_run_is_refused(read):
    with pytest.raises(InputFileError, match="none of its 1 requests"):
        read("2024-11-16 18:15:46,5,5\n")


def test_a_missing_path_says_which_columns_it_wants(context):
    with pytest.raises(ConfigError, match=r"workload.path: is required.*GeneratedTokens"):
        read_requests(None, AZURE, context(), "workload")


@pytest.mark.parametrize("bad", ["{", '{"timestamp":' * 5000, '{"timestamp": ' + "9" * 5000 + "}"])
def test_json_lines_that_are_none_are_refused_by_line(tmp_path, context, configured, bad):
    layout = configured("serving_mooncake").layout
    path = tmp_path / "trace.jsonl.gz"
    good = json.dumps({"timestamp": 0, "input_length": 5, "output_length": 5})
    with gzip.open(path, "wt") as file:
        file.write(good + "\n" + bad + "\n")
    with pytest.raises(InputFileError, match="gz:2: no JSON object"):
        read_requests(str(path), layout, context(), "workload")
    with gzip.open(path, "wt") as file:
        file.write('{"t": 0}\n')
    with pytest.raises(InputFileError, match="columns seen: t"):
        read_requests(str(path), layout, context(), "workload")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("0,1\n0,1\n", "csv:3: t=0: again"),
        ("600,1\n0,1\n", "csv:3: t=0: out of order"),
        ("0,-1\n", "csv:2: rate=-1: must be >= 0"),
        ("0,many\n", "csv:2: rate='many': must be a number"),
        ("0,1\n1200,1\n", "no window for t=600"),
    ],
)
def test_rates_that_cannot_be_used_are_refused_by_line(tmp_path, context, rows, why):
    path = tmp_path / "rates.csv"
    path.write_text("t,rate\n" + rows, encoding="utf-8")
    with pytest.raises(InputFileError, match=why):
        read_rates(str(path), RateLayout("t", "rate", 600), context(days=1 / 48), "workload")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", "json: no JSON object"),
        ("[" * 100_000, "json: no JSON object"),
        ("[]", "holds no windows"),
        ('{"0": {"input_tokens": "{5: 1e999}", "output_tokens": "{}"}}', "window 0: must hold"),
        (f'{{"0": {{"input_tokens": "{"(" * 10_000}", "output_tokens": "{{}}"}}}}', "0: must hold"),
        ('{"0": {"input_tokens": "{1: 1.0}"}}', "window 0: must hold input_tokens and output"),
        ('{"noon": {"input_tokens": "{}", "output_tokens": "{}"}}', "window noon: must hold"),
        ('{"0": {"input_tokens": "{5: -1}", "output_tokens": "{}"}}', "window 0: must hold"),
        ('{"0": {"input_tokens": "exit()", "output_tokens": "{}"}}', "window 0: must hold"),
    ],
)
def test_lengths_that_are_none_are_refused_by_window(tmp_path, text, why):
    path = tmp_path / "lengths.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=why):
        read_length_windows(path)


def test_windows_of_lengths_come_in_order_with_their_means(tmp_path):
    path = tmp_path / "lengths.json"
    window = {"input_tokens": "{10: 0.5, 30: 0.5}", "output_tokens": "{4: 1.0}"}
    idle = {"input_tokens": "{}", "output_tokens": "{}"}
    path.write_text(json.dumps({"21600": window, "0": idle}), encoding="utf-8")
    assert [(each.at_s, *each.means()) for each in read_length_windows(path)] == [
        (0.0, 0.0, 0.0),
        (21600.0, 20.0, 4.0),
    ]


def length_file(tmp_path, *windows):
    """Return a file of windows of six hours: of prompts and answers by their shares."""
    path = tmp_path / "lengths.json"
    content = {
        str(21600 * k): {"input_tokens": str(prompt), "output_tokens": str(output)}
        for k, (prompt, output) in enumerate(windows)
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_lengths_are_drawn_from_the_windows_of_the_run(tmp_path):
    path = length_file(
        tmp_path, ({10: 1.0}, {3: 1.0}), ({}, {}), ({20: 0.5, 40: 0.5}, {0: 1.0}), ({9: 1}, {9: 1})
    )
    found = measured_lengths(path, 21600.0, 3 * 21600.0)
    prompt, output = found.draw(np.random.default_rng(0), 10_000)
    assert set(prompt.tolist()) == {20, 40}
    assert np.mean(prompt == 20) == pytest.approx(0.5, abs=0.02)
    assert set(output.tolist()) == {1}  # no request is without a token
    with pytest.raises(InputFileError, match="no request from second 21600 to 43200"):
        measured_lengths(path, 21600.0, 43200.0)


def rate_file(tmp_path, per_s):
    """Return a file of a day of one client's constant rate."""
    path = tmp_path / "rates.csv"
    windows = "".join(f"1,{600 * k},{per_s}\n" for k in range(144))
    path.write_text("client,t,rate\n" + windows, encoding="utf-8")
    return str(path)


def test_a_replay_of_rates_takes_measured_lengths(tmp_path, configured, on_h100):
    keys = {"path": rate_file(tmp_path, 2), "replicas": 64}
    lengths = length_file(tmp_path, ({400: 1.0}, {50: 1.0}))
    drawn, measured = (
        configured("serving_servegen", **keys, lengths_path=path) for path in (None, str(lengths))
    )
    for replay in (drawn, measured):
        replay.check(on_h100(days=1))
    found = measured.lengths(on_h100(days=1))
    assert (found.prompt.mean(), found.output_mean) == (400.0, 50.0)
    assert drawn.lengths(on_h100(days=1)).output_mean == pytest.approx(80, rel=0.05)


def test_more_recorded_requests_than_can_be_followed_are_refused(tmp_path, context, configured):
    replay = configured("serving_servegen", path=rate_file(tmp_path, 2000), mode="requests")
    with pytest.raises(ConfigError, match=r"mode=requests: 1\.73e\+08 requests: must be at most"):
        replay.check(context(days=1))


def test_json_lines_without_the_wanted_keys_are_refused_though_blank_ones_lead(tmp_path, on_h100):
    path = tmp_path / "trace.jsonl"
    path.write_text('\n{"time": 0, "in": 100}\n', encoding="utf-8")
    columns = RequestColumns("timestamp", "input_length", "output_length")
    layout = RequestLayout(columns, format="jsonl", time_format="seconds")
    with pytest.raises(InputFileError, match=r"columns seen: time, in\nmapping wanted: arrival"):
        read_requests(str(path), layout, on_h100(), "workload")
