"""When are two runs the same run? When configuration, code and input files are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twin import __version__


def identity(config: Mapping[str, Any]) -> str:
    """Return a hash of all that decides the results of *config*.

    That is the plain configuration without ``output``, the version of the twin, and
    the content of every file a key ending in ``path`` names.
    """
    decisive = {key: value for key, value in config.items() if key != "output"}
    digest = hashlib.sha256(__version__.encode())
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    for path in sorted(input_files(decisive)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def recorded_identity(folder: Path) -> str | None:
    """Return the identity of the finished run in *folder*; None where there is none.

    A replicated run keeps it with its replications.
    """
    if not (folder / "summary.json").is_file():
        return None
    for path in (folder / "run.json", folder / "rep_000" / "run.json"):
        try:
            found = json.loads(path.read_text(encoding="utf-8")).get("identity")
        except (OSError, ValueError, AttributeError):
            continue
        return None if found is None else str(found)
    return None


def code_hash() -> str:
    """Return a hash of the twin's own source, for results that must follow every edit."""
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def input_files(data: Any, key: str = "") -> Iterator[Path]:
    """Yield every existing file that a key ending in ``path`` names, at any depth."""
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from input_files(value, str(name))
    elif isinstance(data, list):
        for value in data:
            yield from input_files(value, key)
    elif key.endswith("path") and isinstance(data, str) and Path(data).is_file():
        yield Path(data)
