"""Files that appear whole: written under another name, which they lose when they are done.

And folders into which one run writes at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from twin.errors import ConfigError

PART = ".part"
"""Suffix of a file that is not finished."""


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Let a failure to write tell that it is *path* that was written: of a full disk none does."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield the name to write *path* under; the block's end, if it is reached, renames it."""
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)  # of a run that was killed, or a link to somewhere else
    with blamed(path):
        yield part
        part.replace(path)


def write_text(path: Path, text: str) -> Path:
    """Write *text* to *path*, whole or not at all, and return the path."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


@contextmanager
def alone_in(folder: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Keep others out of *folder* for the block and as long as processes begun in it live.

    Where a system knows no locks, they are trusted.

    Raises
    ------
    ConfigError
        If another run or sweep is in it, and is still after *patience_s*.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + patience_s
    try:
        with suppress(OSError):  # a file system without locks
            while not _locked(handle, fcntl):
                if time.monotonic() > end:
                    raise ConfigError(f"{folder}: another run or sweep is writing into it")
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _locked(handle: int, fcntl: ModuleType) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
