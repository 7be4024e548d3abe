"""Many pieces of work, one forked process each, none able to stop the others.

A piece may raise, call ``sys.exit`` or be killed: it ends, its end is told, and
the next one starts. The parent never starts a thread and never imports the
simulation, so forking is safe and cheap.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any

from twin.errors import ConfigError, TwinError

Tell = Callable[[Any], None]
"""Sends a picklable piece of news from a running piece of work to the parent."""

_PATIENCE_S = 5.0
_WAIT_S = 1.0
_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``prctl``."""


@dataclass(slots=True)
class Ended:
    """How one piece of work ended."""

    index: int
    value: Any = None
    """What it returned; None where it failed."""
    error: str | None = None
    """What went wrong, in a sentence; None where nothing did."""
    detail: str = ""
    """The traceback, where there is one."""
    seconds: float = 0.0


@dataclass(slots=True)
class _Running:
    index: int
    process: ForkProcess
    connection: Connection
    since: float


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_forked(
    count: int,
    work: Callable[[int, Tell], Any],
    *,
    workers: int | None = None,
    time_limit_s: float | None = None,
    on_news: Callable[[int, Any], None] = lambda index, news: None,
    on_end: Callable[[Ended], None] = lambda ended: None,
    on_wait: Callable[[], None] | None = None,
    daemon: bool = True,
) -> list[Ended]:
    """Call ``work(index, tell)`` for each index below *count*, each in its own process.

    Parameters
    ----------
    count : int
        Number of pieces of work.
    work : callable
        Returns something that can be pickled.
    workers : int, optional
        How many run at once; as many as there are usable cores where left out.
    time_limit_s : float, optional
        Wall-clock time after which a piece is stopped. [s]
    on_news : callable
        Called in this process with ``(index, news)`` for all that *work* tells.
    on_end : callable
        Called in this process with each :class:`Ended`, in order of ending.
    on_wait : callable, optional
        Called in this process once a second at least.
    daemon : bool
        Whether a piece of work may not have processes of its own; see :func:`spread`.

    Returns
    -------
    list of Ended
        One per piece of work, by index.

    Raises
    ------
    ConfigError
        Where the system cannot fork.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        raise ConfigError(
            "hydra.launcher=pool: needs a system that forks; try hydra/launcher=basic"
        )
    workers = usable_cores() if workers is None else workers
    ended: dict[int, Ended] = {}
    running: list[_Running] = []
    waiting = iter(range(count))

    def finish(one: _Running, end: Ended) -> None:
        running.remove(one)
        one.process.join()
        one.connection.close()
        end.seconds = time.monotonic() - one.since
        ended[one.index] = end
        on_end(end)

    try:
        while len(ended) < count:
            while len(running) < workers and (index := next(waiting, None)) is not None:
                running.append(_start(index, work, daemon))
            for one in _ready(running, time_limit_s, None if on_wait is None else _WAIT_S):
                end = _listen(one, on_news)
                if end is not None:
                    finish(one, end)
            if on_wait is not None:
                on_wait()
            for one in _late(running, time_limit_s):
                one.process.kill()
                finish(one, Ended(one.index, error=f"stopped after {time_limit_s:g} s, its limit"))
    finally:
        _stop(running)
    return [ended[index] for index in range(count)]


def spread(
    count: int,
    work: Callable[[int, Tell], Any],
    *,
    workers: int | None = None,
    on_news: Callable[[int, Any], None] = lambda index, news: None,
) -> list[Ended]:
    """Do the same over the cores, or here one by one where no process can be forked.

    That is so on one core, on systems without fork, and inside a forked process: there the
    cores have work already. Here an error is raised instead of told.
    """
    workers = usable_cores() if workers is None else workers
    forks = "fork" in multiprocessing.get_all_start_methods()
    if workers > 1 and forks and not multiprocessing.current_process().daemon:
        return run_forked(count, work, workers=workers, on_news=on_news)
    ended = []
    for index in range(count):

        def tell(news: Any, index: int = index) -> None:
            on_news(index, news)

        ended.append(Ended(index, work(index, tell)))
    return ended


def _start(index: int, work: Callable[[int, Tell], Any], daemon: bool) -> _Running:
    here, there = multiprocessing.Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    process = multiprocessing.get_context("fork").Process(
        target=_child, args=(index, work, there, os.getpid()), daemon=daemon
    )
    process.start()
    there.close()
    return _Running(index, process, here, time.monotonic())


def _child(index: int, work: Callable[[int, Tell], Any], out: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C stops
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that `finally` is kept
    _die_with(parent)
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # one core each; the pool fills the machine
    try:
        end = Ended(index, work(index, lambda news: out.send(("news", news))))
    except BaseException as error:
        end = Ended(index, error=describe(error), detail=traceback.format_exc())
    out.send(("end", end))


def _die_with(parent: int) -> None:
    """On Linux, let this process end when its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it went before we asked
            sys.exit("stopped")


def describe(error: BaseException) -> str:
    """Return *error* in a sentence, naming its type where that is all there is to know."""
    if isinstance(error, TwinError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"exited with status {error.code}"
    return f"{type(error).__name__}: {error}"


def _ready(
    running: list[_Running], time_limit_s: float | None, wait_s: float | None
) -> Iterator[_Running]:
    timeout = wait_s
    if time_limit_s is not None:
        oldest = min(one.since for one in running)
        left_s = max(0.0, oldest + time_limit_s - time.monotonic())
        timeout = left_s if wait_s is None else min(wait_s, left_s)
    ready = wait([one.connection for one in running], timeout)
    return iter([one for one in running if one.connection in ready])


def _late(running: list[_Running], time_limit_s: float | None) -> list[_Running]:
    if time_limit_s is None:
        return []
    return [one for one in running if time.monotonic() - one.since >= time_limit_s]


def _listen(one: _Running, on_news: Callable[[int, Any], None]) -> Ended | None:
    try:
        kind, content = one.connection.recv()
    except EOFError:
        one.process.join()
        return Ended(one.index, error=f"died ({_cause(one.process.exitcode)})")
    if kind == "end":
        assert isinstance(content, Ended)
        return content
    on_news(one.index, content)
    return None


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit status {exitcode}"


def _stop(running: list[_Running]) -> None:
    for one in running:
        one.process.terminate()
    deadline = time.monotonic() + _PATIENCE_S
    for one in running:
        one.process.join(max(0.0, deadline - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        one.connection.close()


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that it ends as cleanly as Ctrl-C."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
