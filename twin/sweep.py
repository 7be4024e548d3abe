"""``twin --multirun``: every design checked first, then all run, then compared.

Two Hydra plugins, chosen by default in ``conf/config.yaml``: the sweeper
:class:`GridSweeper` and the launcher :class:`PoolLauncher`. Hydra accepts plugins
only from the namespace ``hydra_plugins``, so :func:`register` lends them that name.
"""

from __future__ import annotations

import itertools
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from twin import compose, show
from twin.errors import ConfigError, RunError, TwinError, require
from twin.pool import Ended, Tell, describe, run_forked, usable_cores

ERROR_FILE = "error.txt"
"""What a failed design leaves in its folder."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one design."""

    folder: Path
    overrides: tuple[str, ...]
    error: str | None = None


def register() -> None:
    """Make the two plugins known to Hydra."""
    parent = sys.modules.setdefault("hydra_plugins", types.ModuleType("hydra_plugins"))
    sys.modules["hydra_plugins.twin"] = sys.modules[__name__]
    vars(parent)["twin"] = sys.modules[__name__]
    for plugin in (GridSweeper, PoolLauncher):
        plugin.__module__ = "hydra_plugins.twin"
        Plugins.instance().register(plugin)


def run_design(config: DictConfig, tell: Tell | None = None) -> Outcome:
    """Run one design in the folder Hydra made for it; a failure is an outcome, not an exception.

    This is the task function of a sweep, with any launcher.
    """
    from twin import run

    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    overrides = tuple(filter_overrides(settings.overrides.task))
    (folder / "summary.json").unlink(missing_ok=True)  # not finished until it is written again
    (folder / ERROR_FILE).unlink(missing_ok=True)
    try:
        run.execute(compose.plain(config), folder, tell, command=f"twin {_shown(overrides)}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        write_error(folder, error)
        return Outcome(folder, overrides, describe(error))
    return Outcome(folder, overrides)


def write_error(folder: Path, error: BaseException | str) -> None:
    """Leave what went wrong in *folder*, with the traceback if there is one."""
    import traceback

    text = error if isinstance(error, str) else "".join(traceback.format_exception(error))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ERROR_FILE).write_text(text.rstrip() + "\n", encoding="utf-8")


class GridSweeper(Sweeper):
    """Every combination of the listed values, all checked before the first starts."""

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: Callable[..., Any], config: DictConfig
    ) -> None:
        """Take what Hydra hands to every sweeper, and the launcher chosen."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Check all designs, run them, compare those that finished.

        Raises
        ------
        ConfigError
            Listing every design that is wrong; nothing has been started or written.
        RunError
            If a design failed; all others have run and been compared.
        """
        assert self.hydra_context and self.config and self.launcher
        loader = self.hydra_context.config_loader
        axes = compose.open_keys([f"{key}={values}" for key, values in self.params.items()])
        designs = combinations(OverridesParser.create(loader).parse_overrides([*axes, *arguments]))
        check_designs(loader, self.config, designs)
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        returns = self.launcher.launch(designs, initial_job_idx=0)
        finish(folder, [each.return_value for each in returns])
        return returns


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the overrides of each design: one value of each list, in every combination.

    Of two overrides of one key the later counts.
    """
    axes: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            axes[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            raise ConfigError(f"{override.input_line}: has no end; list values, or use range()")
    return [list(design) for design in itertools.product(*axes.values())]


class PoolLauncher(Launcher):
    """One forked process per design, as many at once as there are cores."""

    def __init__(self, workers: int | None = None, time_limit_s: float | None = None) -> None:
        self.workers = workers
        self.time_limit_s = time_limit_s

    def setup(
        self, *, hydra_context: HydraContext, task_function: Callable[..., Any], config: DictConfig
    ) -> None:
        """Take what Hydra hands to every launcher; refuse a wrong setting of our own."""
        whole = self.workers is None or (isinstance(self.workers, int) and self.workers >= 1)
        require(whole, "hydra.launcher.workers", self.workers, "a whole number >= 1, or null")
        number = _is_limit(self.time_limit_s)
        require(number, "hydra.launcher.time_limit_s", self.time_limit_s, "a number > 0, or null")
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all designs and return how each ended, in their order."""
        sweep_dir = Path(self.config.hydra.sweep.dir)
        folders = [sweep_dir / str(initial_job_idx + i) for i in range(len(job_overrides))]
        returns: dict[int, JobReturn] = {}

        def work(index: int, tell: Tell) -> Outcome:
            job = self._compose(job_overrides[index], initial_job_idx + index)
            tell(Path(job.hydra.sweep.dir, job.hydra.sweep.subdir))
            done = run_job(
                hydra_context=self.hydra_context,
                task_function=lambda config: self.task_function(config, tell),
                config=job,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            outcome: Outcome = done.return_value
            return outcome

        with show.designs_bar(len(job_overrides)) as bar:

            def heard(index: int, news: Any) -> None:
                if isinstance(news, Path):
                    folders[index] = news
                else:
                    bar.progress(index, news)

            def ended(end: Ended) -> None:
                overrides = tuple(filter_overrides(job_overrides[end.index]))
                outcome = end.value
                if end.error is not None:
                    write_error(folders[end.index], end.detail or end.error)
                    outcome = Outcome(folders[end.index], overrides, end.error)
                bar.ended(end.index, _failure(initial_job_idx + end.index, outcome))
                returns[end.index] = _returned(outcome, overrides)

            try:
                run_forked(
                    len(job_overrides),
                    work,
                    workers=self.workers,
                    time_limit_s=self.time_limit_s,
                    on_news=heard,
                    on_end=ended,
                )
            except KeyboardInterrupt:
                good = sum(1 for each in returns.values() if each.return_value.error is None)
                raise Interrupted(sweep_dir, good, len(job_overrides)) from None
        return [returns[i] for i in range(len(job_overrides))]

    def _compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        return compose_design(self.hydra_context.config_loader, self.config, overrides, number)


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and value > 0)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep: says what is kept."""

    def __init__(self, folder: Path, finished: int, total: int) -> None:
        super().__init__(
            f"{finished} of {total} designs are finished and kept in {show.place(folder)}; "
            "a folder in it without summary.json is not a finished run"
        )


def compose_design(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], number: int
) -> DictConfig:
    """Return the whole configuration of one design of a sweep."""
    job = loader.load_sweep_config(master, list(overrides))
    with open_dict(job):
        job.hydra.job.id = str(number)
        job.hydra.job.num = number
    return job


def check_designs(
    loader: ConfigLoader, master: DictConfig, designs: Sequence[Sequence[str]]
) -> None:
    """Compose and build every design without running it.

    Raises
    ------
    ConfigError
        With each problem once, and the designs that have it.
    """
    workers = min(usable_cores(), len(designs))

    def share(worker: int, tell: Tell) -> list[tuple[int, str]]:
        from twin import run

        found = []
        for number in range(worker, len(designs), workers):
            try:
                job = compose_design(loader, master, designs[number], number)
                compose.check_machinery(job)
                run.check(compose.plain(job))
            except ConfigError as error:
                found.append((number, str(error)))
            except Exception as error:
                found.append((number, compose.explain(error)))
        return found

    where: dict[str, list[int]] = defaultdict(list)
    for part in run_forked(workers, share, workers=workers):
        if part.error is not None:
            raise RunError(f"the check of the designs failed: {part.error}\n{part.detail}".rstrip())
        for number, problem in part.value:
            where[problem].append(number)
    if where:
        raise ConfigError(_problems(where, designs))


def _problems(where: dict[str, list[int]], designs: Sequence[Sequence[str]]) -> str:
    wrong = {number for numbers in where.values() for number in numbers}
    lines = [f"{len(wrong)} of {len(designs)} designs are wrong; none was started."]
    for problem, numbers in sorted(where.items(), key=lambda item: min(item[1])):
        if len(numbers) < len(designs) or len(designs) == 1:
            first = min(numbers)
            more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            lines.append(f"design {first} ({_shown(designs[first])}){more}:")
        else:
            lines.append("every design:")
        lines += [f"  {line}" for line in problem.splitlines()]
    return "\n".join(lines)


def _shown(overrides: Iterable[str]) -> str:
    return " ".join(each.lstrip("+") for each in filter_overrides(list(overrides)))


def _failure(number: int, outcome: Outcome) -> str | None:
    if outcome.error is None:
        return None
    first = outcome.error.splitlines()[0] if outcome.error else "failed"
    return f"design {number} ({_shown(outcome.overrides)}) failed: {first}"


def _returned(outcome: Outcome, overrides: Sequence[str]) -> JobReturn:
    done = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    done.return_value = outcome
    return done


def finish(sweep_dir: Path, outcomes: Sequence[Outcome]) -> None:
    """Write and print the comparison of what finished; raise if anything failed."""
    problems = [
        f"{_failure(number, outcome)}\n  see {show.place(outcome.folder / ERROR_FILE)}"
        for number, outcome in enumerate(outcomes)
        if outcome.error is not None
    ]
    if problems:
        problems.insert(0, f"{len(problems)} of {len(outcomes)} designs failed:")
    try:
        if any(outcome.error is None for outcome in outcomes):
            show.comparison([outcome.folder for outcome in outcomes], sweep_dir)
    except TwinError as error:
        problems.append(f"the comparison failed: {error}")
    if problems:
        raise RunError("\n".join(problems))
