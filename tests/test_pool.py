"""Forked work: everything that can happen to a process is an ending, not an accident."""

import os
import signal
import sys
import time

import pytest

from twin.errors import ConfigError, RunError
from twin.pool import run_forked

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"  # pytest-xdist has threads
)


def test_results_come_back_by_index():
    ended = run_forked(4, lambda index, tell: index * index, workers=2)
    assert [(end.index, end.value, end.error) for end in ended] == [
        (i, i * i, None) for i in range(4)
    ]


def test_each_kind_of_end_is_described():
    def work(index, tell):
        if index == 0:
            raise ConfigError("rack.rated_kw=5: must be >= 13")
        if index == 1:
            raise KeyError("x")
        if index == 2:
            sys.exit(7)
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 4:
            os._exit(9)
        return "fine"

    ended = run_forked(6, work, workers=3)

    assert [end.error for end in ended] == [
        "rack.rated_kw=5: must be >= 13",
        "KeyError: 'x'",
        "exited with status 7",
        "died (killed by SIGKILL)",
        "died (exit status 9)",
        None,
    ]
    assert "raise KeyError" in ended[1].detail


def test_never_more_run_at_once_than_asked_for(tmp_path):
    def work(index, tell):
        (tmp_path / str(index)).touch()
        seen = len(list(tmp_path.iterdir()))
        time.sleep(0.05)
        (tmp_path / str(index)).unlink()
        return seen

    ended = run_forked(8, work, workers=2)
    assert max(end.value for end in ended) <= 2


def test_news_arrives_before_the_end():
    heard = []

    def work(index, tell):
        tell("one")
        tell("two")

    run_forked(
        1,
        work,
        on_news=lambda index, news: heard.append(news),
        on_end=lambda end: heard.append("end"),
    )
    assert heard == ["one", "two", "end"]


def test_work_over_its_time_is_killed():
    began = time.monotonic()
    ended = run_forked(2, lambda index, tell: time.sleep(60 * index), time_limit_s=0.3, workers=2)
    assert [end.error for end in ended] == [None, "stopped after 0.3 s, its limit"]
    assert time.monotonic() - began < 10


def test_an_error_in_the_parent_stops_the_children():
    def stop(end):
        raise RunError("enough")

    began = time.monotonic()
    with pytest.raises(RunError):
        run_forked(2, lambda index, tell: time.sleep(30 * index), workers=2, on_end=stop)
    assert time.monotonic() - began < 10
