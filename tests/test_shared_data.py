"""Every file of the shared data sets is read, to the last row, by a reader of the twin."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.workload.conftest import configured, context
from twin.calibration.command import base_values, find_format
from twin.calibration.telemetry import read_telemetry
from twin.config import parse
from twin.gpu.air_server import AirServer
from twin.site.hourly_file import read_hourly
from twin.site.weather_formats import read_weather_file
from twin.workload.lengths import read_length_windows
from twin.workload.reference import FleetColumns, fleet, measured
from twin.workload.requests import read_rates, read_requests
from twin.workload.table import read_columns

__all__ = ["configured", "context"]  # fixtures

OTHER = ("README.md", "SHA256SUMS")
SMC = "telemetry/mlperf-training-smc-h100/"
H200 = "telemetry/mlperf-inference-nvidia-h200/"
GENTD = "requests/alibaba-gentd26/"

JOBS = {  # choice of conf/workload, start of the run, days, keys, rows
    "jobs/philly-2017/philly_2017-10.csv.gz": ("philly", "2017-10-01", 31, {}, 47_192),
    "jobs/nrel-eagle-2019/eagle_jobs_sample.csv.gz": ("slurm", "2019-01-01", 3, {}, 1_000),
    "jobs/alibaba-openb-2023/openb_pods_day000-129.csv.gz": (
        "openb", "2023-01-01", 130, {"origin_s": 0}, 3_121,
    ),
    GENTD + "lora_requests_first.csv.gz": ("gentd26", "2024-11-15", 14, {}, 13_217),
    "samework/jobs_1d.csv.gz": ("raps_jobs", "2024-01-01", 1, {}, 3_000),
    "samework/jobs_1d_with_starts.csv.gz": ("raps_jobs", "2024-01-01", 1, {}, 3_000),
    "samework/jobs_7d.csv.gz": ("raps_jobs", "2024-01-01", 7, {}, 21_000),
}  # fmt: skip
REQUESTS = {  # choice of conf/workload, start of the run, days, rows
    "requests/azure-llm-2023/azure_conv_first.csv.gz": (
        "serving_azure", "2023-11-16 18:00", 1 / 24, 10_189,
    ),
    "requests/azure-llm-2023/azure_code_first.csv.gz": (
        "serving_azure", "2023-11-16 18:00", 1 / 24, 5_415,
    ),
    "requests/mooncake-kimi-2025/mooncake_conversation_first.jsonl.gz": (
        "serving_mooncake", "2024-01-01", 1 / 48, 5_719,
    ),
    "requests/alibaba-servegen-2025/m-small_rates.csv.gz": (
        "serving_servegen", "2024-01-01", 14, 86_688,
    ),
}  # fmt: skip
WINDOWS = [  # of six hours
    f"requests/alibaba-servegen-2025/tokens/m-small_client{client}.json.gz"
    for client in (17, 19, 36)
]
TELEMETRY = {  # choice of conf/telemetry, rows
    "telemetry/cornell-biohpc/cbsugpu08_usage_stats.txt.gz": ("cornell_h100", 15_279),
    "telemetry/cornell-biohpc/cbsugpu05_usage_stats.txt.gz": ("cornell_a40", 23_373),
    "telemetry/acme-seren-2023/quantiles_seren.csv": ("acme_seren", 12_000),
    "telemetry/harvard-cannon-ipmi-2025/ipmi_snapshot_a.csv.gz": ("harvard_ipmi", 21_966),
    "telemetry/zeus-power-caps/summary_power_v100.csv": ("zeus_v100", 476),
    "telemetry/zeus-power-caps/summary_power_a40.csv": ("zeus_a40", 453),
    H200 + "llama2-70b-99_Offline_spl.txt.gz": ("nvidia_h200", 3_634),
    H200 + "llama2-70b-99_Server_spl.txt.gz": ("nvidia_h200", 3_056),
    H200 + "resnet50_Server_spl.txt.gz": ("nvidia_h200", 885),
    SMC + "power_dev.csv.gz": ("smc_h100", 115_292),
}
MEASURED = {  # minutes, of what, from when, days, rows
    **{
        f"jobs/helios-earth-2020/earth_vc{name}_2020-05.csv.gz": ("helios", "2020-05-01", 44_640)
        for name in ("6YE", "TJs", "hbv", "pDC")
    },
    "jobs/philly-2017/philly_nodes_2017-10.csv.gz": ("philly", "2017-10-01", 41_161),
}
NODES = {  # columns of GPUs and model, rows, GPUs
    "jobs/alibaba-openb-2023/openb_nodes.csv.gz": ("gpu", "model", 1_523, 6_212),
    "jobs/alibaba-spot-fleet-2026/spot_nodes.csv.gz": (
        "gpu_capacity_num", "gpu_model", 4_278, None,
    ),
}  # fmt: skip
TABLES = {  # what is published beside a trace: numbers, words, rows
    GENTD + "qps_first.csv.gz": (
        ["timestamp_anon", "value"], ["container_ip", "request_type"], 8_148,
    ),
    GENTD + "queue_rt_first.csv.gz": (["timestamp_anon", "value"], ["container_ip"], 7_854),
    GENTD + "pipeline_latency_first.csv.gz": (
        ["timestamp_anon", "value"], ["container_ip"], 11_505,
    ),
    GENTD + "gpu_duty_cycle_first.csv.gz": (
        ["timestamp_anon", "value"], ["container_ip"], 35_355,
    ),
    "jobs/helios-earth-2020/Earth_gpu_number.csv": (["vc6YE", "total"], ["date"], 181),
    "telemetry/acme-seren-2023/cluster_summary.csv": (["gpu_job_num"], ["id"], 5),
    "telemetry/zeus-power-caps/summary_train.csv": (["target_epoch"], ["network"], 3_759),
    SMC + "events_dev.csv": (["time_ms"], ["key"], 338),
    "samework/raps_power_1d.csv.gz": (["at_s", "power_kw", "loss_kw"], [], 5_760),
}  # fmt: skip
WEATHER = {  # hours, with a leap day where the year is typical
    **{
        f"weather/epw/{name}.epw": 8_784
        for name in (
            "CHN_Beijing.545110_CSWD", "CHN_Shanghai.583620_CSWD", "USA_AK_Anchorage.702735_TMY3",
            "USA_AZ_Phoenix.722780_TMYx", "USA_VA_Leesburg.724055_TMYx",
        )
    },
    **{
        f"weather/china-hourly-actual/{city}_2013-2015.csv.gz": 26_280
        for city in ("Beijing", "Shanghai", "Guangzhou")
    },
    **{
        f"weather/open-meteo/openmeteo_{zone}_2023.json.gz": 8_760
        for zone in ("DE-LU", "SG", "US-TEX-ERCO")
    },
}  # fmt: skip
GRID = {  # quantity, column, rows
    **{
        f"grid/{quantity}/{quantity}_{zone}_2023.csv.gz": (quantity, column, 8_760)
        for quantity, column in (("price", None), ("carbon", "direct"))
        for zone in ("DE-LU", "SG", "US-TEX-ERCO")
    },
    "grid/carbon/carbon_NL_2021-2024.parquet": ("carbon", None, 35_064),
}
CLOCKS = {"price_DE-LU": "Europe/Berlin", "price_SG": "Asia/Singapore", "carbon_NL": "UTC"}
WORDS = {  # descriptions, no rows of a trace: a word that each must hold
    "grid/carbon/china_provincial_emissions_2023.json": "emission_factor",
    SMC + "system_64x.json": "accelerator_model_name",
    H200 + "system.json": "accelerator_model_name",
    H200 + "llama2-70b-99_Offline_summary.txt": "Tokens per second",
    H200 + "llama2-70b-99_Server_summary.txt": "okens per second",
    H200 + "resnet50_Server_summary.txt": "Scheduled samples per second",
}
GROUPS = (JOBS, REQUESTS, WINDOWS, TELEMETRY, MEASURED, NODES, TABLES, WEATHER, GRID, WORDS)


def test_no_file_of_the_data_sets_is_left_unread(shared_data):
    files = {
        str(path.relative_to(shared_data))
        for path in shared_data.rglob("*")
        if path.is_file() and path.name not in OTHER
    }
    known = [name for group in GROUPS for name in group]
    assert len(known) == len(set(known))
    assert files == set(known)


@pytest.mark.parametrize("name", JOBS)
def test_every_list_of_jobs_is_read_to_its_last_row(shared_data, configured, context, name):
    choice, start, days, keys, rows = JOBS[name]
    replay = configured(choice, path=str(shared_data / name), **keys)
    replay.check(context(start=datetime.fromisoformat(start), days=days, gpus=37_888))
    report = replay.report
    assert report.read == rows
    counted = [int(n.rsplit(": ", 1)[1]) for n in report.notes if n.startswith("rows left out")]
    assert report.used + report.refused_count + sum(counted) == rows
    assert report.used > 0


@pytest.mark.parametrize("name", REQUESTS)
def test_every_trace_of_requests_is_read_to_its_last_row(shared_data, configured, context, name):
    choice, start, days, rows = REQUESTS[name]
    run = context(start=datetime.fromisoformat(start), days=days)
    layout = configured(choice).layout
    read = read_rates if "rates" in name else read_requests
    _, report = read(str(shared_data / name), layout, run, "workload")
    assert (report.read, report.used, report.refused_count) == (rows, rows, 0)


@pytest.mark.parametrize("name", WINDOWS)
def test_every_distribution_of_lengths_is_one(shared_data, name):
    windows = read_length_windows(shared_data / name)
    assert len(windows) == 56  # fourteen days of four
    assert [window.at_s for window in windows] == [21_600.0 * k for k in range(56)]
    for window in windows:
        for shares in (window.prompt, window.output):
            assert not shares or sum(shares.values()) == pytest.approx(1.0, abs=1e-6)
        prompt, output = window.means()
        assert prompt >= 0.0 <= output


@pytest.mark.slow
@pytest.mark.parametrize("name", TELEMETRY)
def test_all_telemetry_is_read_to_its_last_row(shared_data, name):
    choice, rows = TELEMETRY[name]
    telemetry = find_format(choice)
    server = parse(AirServer, {**base_values(telemetry.base), **telemetry.set}, "gpu")
    events = shared_data / SMC / "events_dev.csv" if choice == "smc_h100" else None
    assert read_telemetry(telemetry, [shared_data / name], events, server).read == rows


@pytest.mark.parametrize("name", MEASURED)
def test_every_measured_minute_is_read(shared_data, configured, name):
    choice, start, rows = MEASURED[name]
    columns = configured(choice).reference_columns
    found = measured(shared_data / name, datetime.fromisoformat(start), 31 * 86400.0, columns)
    assert found["measured_rows"] + found["measured_rows_dropped"] == rows


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_read(shared_data, name):
    gpus, model, rows, total = NODES[name]
    (numbers,), (models,) = read_columns(shared_data / name, [gpus], [model])
    assert len(numbers) == len(models) == rows
    found = fleet(shared_data / name, FleetColumns(gpus, model))
    assert found.total() == numbers.sum()
    assert total is None or found.total() == total


@pytest.mark.parametrize("name", TABLES)
def test_what_is_published_beside_a_trace_is_read_to_its_last_row(shared_data, name):
    numbers, words, rows = TABLES[name]
    found, said = read_columns(shared_data / name, numbers, words)
    assert found.shape == (len(numbers), rows)
    assert [len(column) for column in said] == [rows] * len(words)
    assert np.isfinite(found).mean() > 0.5


@pytest.mark.parametrize("name", WEATHER)
def test_every_hour_of_weather_is_read(shared_data, name):
    assert len(read_weather_file(str(shared_data / name)).drybulb_c) == WEATHER[name]


@pytest.mark.parametrize("name", GRID)
def test_every_hour_of_a_grid_is_read(shared_data, name):
    quantity, column, rows = GRID[name]
    clock = CLOCKS.get(Path(name).name.rsplit("_", 1)[0])
    file = read_hourly(
        str(shared_data / name), quantity, column=column,
        clock=clock, utc_offset_h=1.0, shift_hours=0.0,
    )  # fmt: skip
    assert file.rows == rows


@pytest.mark.parametrize("name", WORDS)
def test_every_description_says_what_it_is_for(shared_data, name):
    text = (shared_data / name).read_text(encoding="utf-8")
    assert WORDS[name] in text
    assert not name.endswith(".json") or json.loads(text)
