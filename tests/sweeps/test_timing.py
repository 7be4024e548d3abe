"""Where the time of a sweep went."""

import json
from pathlib import Path

import pytest

from twin.sweeps.designs import Outcome
from twin.sweeps.timing import Timing


def outcome(seconds, cpu_s, process_s, error=None):
    return Outcome(0, Path(), (), error, seconds, cpu_s, process_s)


def test_start_up_and_checking_are_kept_apart(tmp_path):
    timing = Timing(workers=2, check_s=7.0, wall_s=51.0)
    timing.add([outcome(10.0, 9.0, 10.2) for _ in range(10)])
    timing.add([outcome(None, None, 0.5, "died"), outcome(None, None, None)])

    assert timing.designs == 10
    assert timing.startup_s == pytest.approx(2.0)
    assert timing.net_wall_s() == pytest.approx(50.0)
    assert timing.speed_up() == pytest.approx(1.8)
    assert "Speed-up over one core 1.80, 90 % of ideal, without 2.0 s of starting" in timing.told()
    assert "7.0 s of composing and checking" in timing.told()
    timing.write(tmp_path)
    assert json.loads((tmp_path / "timing.json").read_text())["speed_up"] == pytest.approx(1.8)


def test_where_designs_run_elsewhere_no_speed_up_is_claimed():
    timing = Timing(workers=2, check_s=7.0, wall_s=51.0)
    timing.add([outcome(None, None, None)])
    assert timing.told() == "Checked in 7.0 s, run in 51.0 s."
