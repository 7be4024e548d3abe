"""Two tiers by hand: where bytes are found, who is full first, what it draws."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twin.build import resolve
from twin.config import parse
from twin.errors import ConfigError
from twin.storage.tiered import TieredStorage

CONF = Path(__file__).resolve().parents[2] / "conf" / "storage"
DEMAND = st.floats(0, 1e14)


def part(name):
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def load(**changes):
    return parse(TieredStorage, {**part("tiered_100pb"), **changes}, "storage", resolve)


def test_the_tier_that_is_full_first_bounds_all_readers():
    """2 TB/s of flash serve nine tenths, 0.5 TB/s of disks one tenth: 2.2 TB/s; half: 1 TB/s."""
    assert load().bandwidth_bytes_per_s == pytest.approx(2e12 / 0.9)
    assert load(hit_fraction=0.5).bandwidth_bytes_per_s == pytest.approx(1e12)
    assert load(hit_fraction=0.0).bandwidth_bytes_per_s == pytest.approx(5e11)
    assert load(hit_fraction=1.0).bandwidth_bytes_per_s == pytest.approx(2e12)


def test_what_is_written_is_moved_down_once():
    """0.25 TB/s of disks bound the writers; the flash writes and reads it again."""
    tiers = load()
    assert tiers.write_bandwidth_bytes_per_s == pytest.approx(2.5e11)
    assert tiers.shares(0.0, 5e11)[1] == pytest.approx(0.5)
    assert tiers.room_bytes_per_s(0.0, 1.25e11) == pytest.approx(1.25e11)


def test_the_large_tier_holds_everything():
    """100 PB, a fifth of them taken; the fast tier's part of that is no room of its own."""
    large, fast = (part("tiered_100pb")[tier] for tier in ("large", "fast"))
    assert (load().capacity_bytes, load().used_bytes) == (100e15, 0.0)
    assert load(large={**large, "used_fraction": 0.2}).used_bytes == pytest.approx(20e15)
    unknown = load(large=part("all_flash_2tbps"))
    assert (unknown.capacity_bytes, unknown.used_bytes) == (None, 0.0)
    with pytest.raises(ConfigError, match=r"storage.fast.used_fraction=0.2: must be 0"):
        load(fast={**fast, "used_fraction": 0.2})


def test_checkpoints_are_loaded_from_the_fast_tier():
    """2 TB/s alone; half of that while clips are read at 2 TB/s, nine tenths of them there."""
    tiers = load()
    assert tiers.load_bandwidth_bytes_per_s == 2e12
    assert tiers.shares(0.0, 0.0, 2e12) == (1.0, 1.0)
    assert tiers.shares(2e12, 0.0, 2e12)[1] == pytest.approx(1 / 1.9)
    assert tiers.power_w(0.0, 0.0, 1e12) - tiers.power_w(0.0) == pytest.approx(0.5 * 40e3)


def test_power_of_both_tiers():
    tiers = load()
    idle_w = 100 * 500 + 125 * 600
    assert tiers.power_w(0.0) == idle_w
    assert tiers.power_w(1e12) == pytest.approx(idle_w + 0.45 * 40e3 + 0.2 * 25e3)
    assert tiers.power_w(9e15, 9e15) <= 100 * 900 + 125 * 800


@given(DEMAND, DEMAND, st.floats(0.0, 1.0))
def test_no_tier_works_longer_than_there_is_time(read, write, hits):
    tiers = load(hit_fraction=hits)
    readers, writers = tiers.shares(read, write)
    assert 0.0 <= readers <= writers <= 1.0
    assert max(tiers._loads(read * readers, write * writers, 0.0)) <= 1.0 + 1e-9
    assert read * readers <= tiers.bandwidth_bytes_per_s * (1.0 + 1e-9)
