"""Shared bandwidth and power of parallel storage, by hand and at its limits."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twin.config import parse
from twin.errors import ConfigError
from twin.storage.parallel import (
    ParallelStorage,
    read_bandwidth_bytes_per_s,
    shared_fraction,
)

CONF = Path(__file__).resolve().parents[2] / "conf" / "storage"
DEMAND = st.floats(0, 1e15)


def load(name: str = "all_flash_2tbps", **changes: object) -> ParallelStorage:
    data = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return parse(ParallelStorage, {**data, **changes}, "storage")


@pytest.mark.parametrize(
    ("name", "bytes_per_s"),
    [("all_flash_2tbps", 2e12), ("all_flash_800gbps", 8e11), ("llama3_240pb", 2e12)],
)
def test_published_bandwidth(name, bytes_per_s):
    assert load(name).bandwidth_bytes_per_s == pytest.approx(bytes_per_s, rel=1e-3)


def test_everyone_gets_all_until_the_bandwidth_is_used_up():
    storage = load()
    assert storage.shares(0.0, 0.0) == (1.0, 1.0)
    assert storage.shares(2e12, 0.0) == (1.0, 1.0)
    assert storage.shares(4e12, 0.0)[0] == 0.5
    assert storage.shares(0.0, 2e12) == (0.5, 0.5)


def test_readers_and_writers_share_the_time_of_the_nodes():
    """Half of the reading and half of the writing fill it; twice that gets half."""
    storage = load()
    assert storage.load(1e12, 5e11) == 1.0
    assert storage.shares(1e12, 5e11) == (1.0, 1.0)
    assert storage.shares(2e12, 1e12) == (0.5, 0.5)
    assert storage.room_bytes_per_s(1e12, 0.0) == 5e11
    assert storage.room_bytes_per_s(4e12, 0.0) == 0.0
    assert storage.power_w(1e12, 2.5e11) == 50e3 + 0.75 * 40e3
    assert storage.power_w(9e12, 9e12) == 90e3


def test_what_is_asked_is_told_below_and_above_what_there_is():
    storage = load()
    assert storage.asked_fraction(0.0, 0.0) == 0.0
    assert storage.asked_fraction(5e11, 2.5e11) == pytest.approx(0.5)
    assert storage.asked_fraction(2e12, 0.0) == pytest.approx(1.0)
    assert storage.asked_fraction(2e12, 1e12) == pytest.approx(2.0)
    small_files = load(file_mb=0.1)  # 0.1 TB/s for readers
    assert small_files.asked_fraction(9e10, 0.0) == pytest.approx(0.9)
    assert small_files.asked_fraction(3e11, 0.0) == pytest.approx(3.0)


@given(DEMAND, DEMAND)
def test_what_is_moved_never_takes_more_time_than_there_is(read, write):
    storage = load(file_mb=0.5)
    readers, writers = storage.shares(read, write)
    assert 0.0 <= readers <= writers <= 1.0
    done = read * readers / storage.stream_bytes_per_s + write * writers / storage.write_bytes_per_s
    assert done <= 1.0 + 1e-9
    assert read * readers <= storage.bandwidth_bytes_per_s * (1.0 + 1e-9)


def test_checkpoints_wait_for_no_metadata():
    storage = load(file_mb=0.1)
    assert storage.shares(2e12, 0.0) == (pytest.approx(0.05), 1.0)


@given(DEMAND)
def test_what_is_read_is_the_smaller_of_demand_and_bandwidth(demand):
    assert demand * shared_fraction(demand, 2e12) == pytest.approx(min(demand, 2e12), rel=1e-12)


def test_power_at_rest_at_half_and_at_full_bandwidth():
    storage = load()
    assert storage.power_w(0.0) == 50e3
    assert storage.power_w(1e12) == 70e3
    assert storage.power_w(2e12) == storage.power_w(9e12) == 90e3


@given(DEMAND, DEMAND)
def test_more_demand_never_draws_less(a, b):
    storage = load()
    assert storage.power_w(min(a, b)) <= storage.power_w(max(a, b))


NEAR = st.floats(0, 4e12)
"""Demands below and above what there is, often enough on both sides."""


@given(NEAR, NEAR, NEAR, st.sampled_from([0.5, 64.0]))
def test_what_is_told_at_once_is_what_is_told_one_by_one(read, write, loads, file_mb):
    storage = load(file_mb=file_mb)
    asked = read, write, loads
    assert storage.serve(*asked) == (storage.shares(*asked), storage.power_w(*asked))


@pytest.mark.parametrize("read", [2e12, 2e12 * (1 + 1e-15), 1e12])
def test_storage_that_is_just_full_is_told_alike_both_ways(read):
    """At its bandwidth to the last bit, and a bit beyond it."""
    storage = load()
    for asked in ((read, 0.0, 0.0), (read, 5e11, 0.0), (0.0, 0.0, read), (read, 0.0, read)):
        assert storage.serve(*asked) == (storage.shares(*asked), storage.power_w(*asked))


def test_thirty_billion_small_files_are_bound_by_metadata():
    """3e10 files of 100 kB: 25 min a pass at 2 TB/s needs 2e7 opens a second."""
    files, file_bytes = 3e10, 1e5
    assert files * file_bytes / 2e12 / 60 == pytest.approx(25)
    assert read_bandwidth_bytes_per_s(2e12, 2e7, file_bytes) == 2e12
    raw = load(file_mb=0.1)
    assert raw.bandwidth_bytes_per_s == pytest.approx(1e11)
    assert raw.shares(2e12, 0.0)[0] == pytest.approx(0.05)
    assert raw.warnings() == [
        "storage is bound by metadata: 1e+06 opens/s of files of 0.1 MB give 0.1 of 2 TB/s"
    ]
    assert load().warnings() == []
    assert load().bandwidth_bytes_per_s == load().stream_bytes_per_s


def test_storage_that_waits_for_metadata_draws_little_more_than_idle():
    assert load(file_mb=0.1).power_w(2e12) == pytest.approx(50e3 + 0.05 * 40e3)


def test_a_wrong_value_is_refused_with_its_key():
    with pytest.raises(ConfigError, match=r"storage.node_busy_w=100.0: must be >= node_idle_w"):
        load(node_busy_w=100)
    with pytest.raises(ConfigError, match=r"storage.nodes=0: must be >= 1"):
        load(nodes=0)
    with pytest.raises(ConfigError, match=r"storage.used_fraction=1.2: must be >= 0 and <= 1"):
        load("llama3_240pb", used_fraction=1.2)
    with pytest.raises(ConfigError, match=r"storage.used_fraction=0.5: must be 0 where capacity"):
        load(used_fraction=0.5)


def test_who_loads_a_checkpoint_waits_for_no_metadata_and_shares_the_nodes():
    """2 TB/s of large pieces, though small files are read at 0.1; with writers by time."""
    storage = load(file_mb=0.1)
    assert storage.load_bandwidth_bytes_per_s == 2e12
    assert storage.shares(0.0, 0.0, 2e12) == (1.0, 1.0)
    assert storage.shares(0.0, 1e12, 2e12)[1] == 0.5
    assert storage.room_bytes_per_s(0.0, 0.0, 1e12) == 5e11
    assert storage.power_w(0.0, 0.0, 1e12) == 50e3 + 0.5 * 40e3
    assert load("llama3_240pb", used_fraction=0.5).used_bytes == 120e15
