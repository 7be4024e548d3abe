"""Files that appear whole: written under another name, which they lose when they are done.

And folders into which one run writes at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from twin.errors import ConfigError

PART = ".part"
"""Suffix of a file that is not finished."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield the name to write *path* under; the block's end, if it is reached, renames it."""
    part = path.with_name(path.name + PART)
    yield part
    part.replace(path)


def write_text(path: Path, text: str) -> Path:
    """Write *text* to *path*, whole or not at all, and return the path."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of *folder* for the block; where a system knows no locks, trust them.

    Raises
    ------
    ConfigError
        If another run is in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(f"{folder}: another run is writing into it") from None
        yield
    finally:
        os.close(handle)
