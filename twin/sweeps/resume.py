"""A sweep's own record, by which it can be taken up again after it was stopped or killed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from twin import __version__
from twin.errors import ConfigError
from twin.files import alone_in, write_text
from twin.identity import input_files, recorded_identity
from twin.settings.compose import plain, walk
from twin.sweeps.designs import Design

SWEEP_FILE = "sweep.json"
MOST_SHOWN = 5
"""Differences told of two sweeps."""
_PATIENCE_S = 10.0


def read_words(folder: Path) -> list[str]:
    """Return what the sweep in *folder* was started with.

    Raises
    ------
    ConfigError
        If no sweep was begun there, or another version began it.
    """
    return [str(word) for word in _read(folder)["words"]]


def write(folder: Path, words: Sequence[str], designs: Sequence[Design]) -> None:
    """Record what is about to run in *folder*; the file appears whole.

    *designs* may be empty where they are not known beforehand.
    """
    first = plain(designs[0].config()) if designs else {}
    record = {
        "twin": __version__,
        "words": list(words),
        "input_files": _hashes(first),
        "first_config": first,
        "designs": [[design.words(), design.identity] for design in designs],
    }
    write_text(folder / SWEEP_FILE, json.dumps(record, indent=1) + "\n")


def require_same(folder: Path, designs: Sequence[Design]) -> None:
    """Raise ConfigError, saying what differs, unless *folder* was begun with *designs*."""
    record = _read(folder)
    before = [(str(words), str(identity)) for words, identity in record["designs"]]
    now = [(design.words(), design.identity) for design in designs]
    if before == now:
        return
    said = [
        f"design {number} was ({was[0]}) and is now ({new[0]})"
        for number, (was, new) in enumerate(zip(before, now, strict=False))
        if was[0] != new[0]
    ]
    if len(before) != len(now):
        said.insert(0, f"it had {len(before)} designs and has now {len(now)}")
    if not said:
        said = _changes(record, plain(designs[0].config())) or [
            f"design {number} ({new[0]}) has changed"
            for number, (was, new) in enumerate(zip(before, now, strict=True))
            if was != new
        ]
    more = [f"... and {len(said) - MOST_SHOWN} more"] if len(said) > MOST_SHOWN else []
    raise ConfigError(
        "\n  ".join([f"resume={folder}: another sweep was begun there:", *said[:MOST_SHOWN], *more])
    )


def is_done(design: Design) -> bool:
    """Return whether the folder of *design* holds its finished run, and no other."""
    return recorded_identity(design.folder) == design.identity


def held(folder: Path) -> AbstractContextManager[None]:
    """Hold *folder* for this sweep alone, until the last of its processes has ended."""
    return alone_in(folder, _PATIENCE_S)  # designs of a killed sweep end within moments


def _read(folder: Path) -> dict[str, Any]:
    path = folder / SWEEP_FILE
    if not folder.is_dir():
        raise ConfigError(f"resume={folder}: no such folder")
    if not path.is_file():
        raise ConfigError(
            f"resume={folder}: no sweep was begun there; its folder holds {SWEEP_FILE}"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["twin"]
        assert {"words", "designs", "first_config", "input_files"} <= record.keys()
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(f"{path}: is not the record of a sweep") from error
    if version != __version__:
        raise ConfigError(
            f"resume={folder}: was begun with twin {version}, and this is {__version__}; "
            "runs of two versions cannot be compared, start anew"
        )
    assert isinstance(record, dict)
    return record


def _hashes(config: Mapping[str, Any]) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in input_files(config)}


def _changes(record: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return which values and input files of the first design have changed."""
    before, now = dict(walk(record["first_config"])), dict(walk(config))
    keys = [
        key
        for key in dict.fromkeys([*before, *now])
        if not key.startswith("output.") and before.get(key) != now.get(key)
    ]
    said = [f"{key} was {before.get(key)!r} and is now {now.get(key)!r}" for key in keys]
    hashes = _hashes(config)
    said += [
        f"{path} has changed"
        for path, was in record["input_files"].items()
        if path in hashes and hashes[path] != was
    ]
    return said
