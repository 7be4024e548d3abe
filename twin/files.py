"""Files that appear whole: written under another name, which they lose when they are done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
