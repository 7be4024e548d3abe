"""Runs started from the page: a process of their own each, watched by their progress file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from twin.errors import ConfigError, suggest
from twin.settings.catalogue import scenario_files
from twin.show import PROGRESS_FILE

MOST_AT_ONCE = 2
"""Runs at once; the others are refused, not queued."""
_CHANGE = re.compile(r"^\+{0,2}[A-Za-z_]\w*([./][\w\-]+)*=[^\n]*$")


@dataclass(slots=True)
class Started:
    """A run that was started from the page."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    def progress(self) -> float:
        """Return the fraction done, as the run last said."""
        told = beside(self.folder, "progress")
        return float(told.read_text(encoding="utf-8")) if told.is_file() else 0.0

    def state(self) -> str:
        """Return ``running``, ``done``, or why it failed."""
        status = self.process.poll()
        if status is None:
            return "running"
        if status == 0:
            return "done"
        log = beside(self.folder, "log")
        lines = log.read_text(encoding="utf-8", errors="replace").strip()
        return lines or f"ended with status {status}"


@dataclass(slots=True)
class Launcher:
    """Starts runs below one folder."""

    folder: Path
    started: list[Started] = field(default_factory=list)

    def start(self, scenario: str, changes: str) -> Started:
        """Start *scenario* with *changes*, one ``key=value`` a line.

        Raises
        ------
        ConfigError
            If the scenario does not exist, a line is no change of the configuration, or too
            much runs already. What the configuration itself refuses is told by
            :meth:`Started.state`.
        """
        if scenario not in scenario_files():
            raise ConfigError(f"scenario={scenario}: {suggest(scenario, scenario_files())}")
        words = [line.strip() for line in changes.splitlines() if line.strip()]
        for word in words:
            if not _CHANGE.match(word) or word.lstrip("+").startswith(("hydra.", "hydra/")):
                raise ConfigError(f"{word}: must be key=value, such as cooling=rear_door")
        if sum(one.process.poll() is None for one in self.started) >= MOST_AT_ONCE:
            raise ConfigError(f"{MOST_AT_ONCE} runs are going on already: wait for one to end")
        stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
        name, folder = f"{scenario}/{stamp}", self.folder / scenario / stamp
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "twin", f"scenario={scenario}", *words]
        with beside(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, f"hydra.run.dir={folder}"],
                env={**os.environ, PROGRESS_FILE: str(beside(folder, "progress"))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.started.append(Started(name, folder, process))
        return self.started[-1]

    def tidy(self) -> None:
        """Remove what only served to watch runs that have ended well."""
        for one in self.started:
            if one.process.poll() == 0:
                for ending in ("progress", "log"):
                    beside(one.folder, ending).unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop what still runs: nothing is left behind when the page is closed."""
        for one in self.started:
            if one.process.poll() is None:
                one.process.terminate()
                one.process.wait()


def beside(folder: Path, ending: str) -> Path:
    """Return the file beside a run's folder that only serves to watch it."""
    return folder.with_name(f"{folder.name}.{ending}")
