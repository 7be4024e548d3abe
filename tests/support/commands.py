"""Commands called as a user calls them, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

FAKE = Path(__file__).parent.with_name("with_fake_run.py")
"""``twin`` with a simulation that takes no time."""
HERE = {**os.environ, "PYTHONPATH": str(FAKE.parent.parent)}
"""The environment in which commands find this tree."""


def called(
    *words: str | Path, folder: Path, timeout_s: float = 120.0, env: dict[str, str] = HERE
) -> subprocess.CompletedProcess[str]:
    """Return what became of Python called with *words* in *folder*, and what it said."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=env,
    )
