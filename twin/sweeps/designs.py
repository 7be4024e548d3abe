"""The designs of a sweep: each composed, checked and given its folder before any is run."""

from __future__ import annotations

import pickle
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig, open_dict

from twin.errors import ConfigError, RunError
from twin.pool import Tell, run_forked, usable_cores
from twin.settings import compose, refusals

ERROR_FILE = "error.txt"
"""What a failed design leaves in its folder."""


@dataclass(frozen=True, slots=True)
class Design:
    """One point of a sweep, ready to run."""

    number: int
    overrides: tuple[str, ...]
    """As on a command line, those of Hydra included."""
    folder: Path
    identity: str
    """Hash of all that decides its results; see :mod:`twin.identity`."""
    composed: bytes = field(repr=False)
    """The whole configuration, packed: composing is dear, and done once."""

    def config(self) -> DictConfig:
        """Return the whole configuration, Hydra's own part included."""
        config = pickle.loads(zlib.decompress(self.composed))
        assert isinstance(config, DictConfig)
        return config

    def words(self) -> str:
        """Return what tells this design from others, as typed."""
        return shown(self.overrides)


@dataclass(frozen=True, slots=True)
class Refused:
    """A point of a sweep that cannot be run, and why."""

    number: int
    overrides: tuple[str, ...]
    problem: str
    composed: bool = True
    """Whether it was composed at least, and refused by what it would build."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one design."""

    number: int
    folder: Path
    overrides: tuple[str, ...]
    error: str | None = None
    """What went wrong; None where nothing did."""
    seconds: float | None = None
    """Wall-clock time of the design itself; None where it was not run now. [s]"""
    cpu_s: float | None = None
    """Processor time of the design itself. [s]"""
    process_s: float | None = None
    """Wall-clock time of its process, start-up included. [s]"""

    def failure(self) -> str | None:
        """Return which design failed and why, in one line; None if it did not."""
        if self.error is None:
            return None
        first = self.error.splitlines()[0] if self.error else "failed"
        return f"design {self.number} ({shown(self.overrides)}) failed: {first}"


def shown(overrides: Iterable[str]) -> str:
    """Return overrides as a user types them, without those of Hydra."""
    return " ".join(each.lstrip("+") for each in filter_overrides(list(overrides)))


def prepare(
    loader: ConfigLoader,
    master: DictConfig,
    designs: Sequence[Sequence[str]],
    on_end: Callable[[int], None] = lambda count: None,
) -> list[Design]:
    """Compose and build every design without running it.

    Raises
    ------
    ConfigError
        With each problem once, and the designs that have it; or if two share a folder.
    """
    found = examine(loader, master, designs, on_end=on_end)
    refused = [each for each in found if isinstance(each, Refused)]
    if refused:
        raise ConfigError(_problems(refused, designs))
    ready = [each for each in found if isinstance(each, Design)]
    owners: dict[Path, Design] = {}
    for design in ready:
        other = owners.setdefault(design.folder, design)
        if other is not design:
            raise ConfigError(
                f"hydra.sweep.subdir: designs {other.number} and {design.number} would share "
                f"the folder {design.folder}"
            )
    return ready


def examine(
    loader: ConfigLoader,
    master: DictConfig,
    designs: Sequence[Sequence[str]],
    first: int = 0,
    on_end: Callable[[int], None] = lambda count: None,
) -> list[Design | Refused]:
    """Compose and build designs, numbered from *first*, without running them.

    It is done in forked processes, so that this one never loads the simulation;
    *on_end* is told each time one is done.
    """
    workers = min(usable_cores(), len(designs))

    def share(worker: int, tell: Tell) -> list[Design | Refused]:
        found = []
        for place in range(worker, len(designs), workers):
            found.append(_examine_one(loader, master, designs[place], first + place))
            tell(1)
        return found

    found: list[Design | Refused] = []
    for part in run_forked(
        workers, share, workers=workers, on_news=lambda index, count: on_end(count)
    ):
        if part.error is not None:
            raise RunError(f"the check of the designs failed: {part.error}\n{part.detail}".rstrip())
        found += part.value
    return sorted(found, key=lambda each: each.number)


def _examine_one(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], number: int
) -> Design | Refused:
    from twin import run
    from twin.identity import identity

    composed = False
    try:
        job = compose_design(loader, master, overrides, number)
        compose.check_machinery(job)
        plain = compose.plain(job)
        composed = True
        run.check(plain)
        folder = Path(job.hydra.sweep.dir, job.hydra.sweep.subdir)
        packed = zlib.compress(pickle.dumps(job), 1)
        return Design(number, tuple(overrides), folder, identity(plain), packed)
    except ConfigError as error:
        return Refused(number, tuple(overrides), str(error), composed)
    except Exception as error:
        return Refused(number, tuple(overrides), refusals.explain(error, overrides), composed)


def compose_design(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], number: int
) -> DictConfig:
    """Return the whole configuration of one design of a sweep."""
    job = loader.load_sweep_config(master, list(overrides))
    with open_dict(job):
        job.hydra.job.id = str(number)
        job.hydra.job.num = number
    return job


def _problems(refused: Sequence[Refused], designs: Sequence[Any]) -> str:
    where: dict[str, list[Refused]] = defaultdict(list)
    for each in refused:
        where[each.problem].append(each)
    be = "is" if len(refused) == 1 else "are"
    lines = [f"{len(refused)} of {len(designs)} designs {be} wrong; none was started."]
    for problem, having in where.items():
        if len(having) < len(designs) or len(designs) == 1:
            more = f" and {len(having) - 1} more" if len(having) > 1 else ""
            lines.append(f"design {having[0].number} ({shown(having[0].overrides)}){more}:")
        else:
            lines.append("every design:")
        lines += [f"  {line}" for line in problem.splitlines()]
    return "\n".join(lines)
