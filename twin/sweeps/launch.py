"""Running the designs of a sweep, so that none can stop the others.

:class:`PoolLauncher` runs them on the cores of this machine. Launchers of other
packages (Ray, Slurm, joblib) are driven by :func:`launch_foreign`, which reads what
became of each design from its folder: such launchers give up all results when one
process dies.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from twin import show
from twin.errors import RunError, TwinError, require
from twin.files import write_text
from twin.library import quoted, run_in_folder
from twin.pool import Ended, Tell, describe, run_forked, usable_cores
from twin.settings import compose
from twin.sweeps.designs import ERROR_FILE, Design, Outcome, prepare, shown
from twin.sweeps.resume import is_done

_ALL_AT_ONCE = "LocalLauncher"
"""A launcher that starts every design at once; it is given as many as there are cores."""


@dataclass(frozen=True, slots=True)
class DesignTask:
    """What every launcher calls: runs one design in the folder Hydra made for it.

    A failure is an outcome, not an exception.
    """

    here: str
    """Where relative paths begin, wherever a worker was started."""

    def __call__(self, config: DictConfig, tell: Tell | None = None) -> Outcome:
        """Run the design that *config* describes."""
        os.chdir(self.here)
        settings = HydraConfig.get()
        folder = Path(settings.runtime.output_dir)
        overrides = tuple(filter_overrides(settings.overrides.task))
        outcome = Outcome(int(settings.job.num), folder, overrides)
        clocks = time.perf_counter(), time.process_time()
        try:
            run_in_folder(compose.plain(config), folder, tell, f"twin {shown(overrides)}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            write_error(folder, error)
            return replace(outcome, error=describe(error))
        return replace(
            outcome,
            seconds=time.perf_counter() - clocks[0],
            cpu_s=time.process_time() - clocks[1],
        )


def write_error(folder: Path, error: BaseException | str) -> None:
    """Leave what went wrong in *folder*, with the traceback if there is one."""
    import traceback

    text = error if isinstance(error, str) else "".join(traceback.format_exception(error))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ERROR_FILE, text.rstrip() + "\n")


def clear(folder: Path) -> None:
    """Take away what would make *folder* look like a run that ended, or that began."""
    for name in ("summary.json", ERROR_FILE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / ".hydra", ignore_errors=True)


def launch(
    launcher: Launcher, designs: Sequence[Design], bar: show.DesignsBar, place: Sequence[int]
) -> list[Outcome]:
    """Run *designs* on *launcher*; return how each ended, in their order.

    *place* says which of the designs of *bar* each one is.
    """
    if not designs:
        return []
    for design in designs:
        clear(design.folder)
    if isinstance(launcher, PoolLauncher):
        return launcher.run(designs, bar, place)
    return launch_foreign(launcher, designs, bar, place)


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
        """Run all designs for a sweeper of another package; return how each ended."""
        designs = prepare(self.hydra_context.config_loader, self.config, job_overrides)
        with show.designs_bar(len(designs)) as bar:
            outcomes = launch(self, designs, bar, range(len(designs)))
        return [_returned(outcome) for outcome in outcomes]

    def run(
        self, designs: Sequence[Design], bar: show.DesignsBar, place: Sequence[int]
    ) -> list[Outcome]:
        """Run *designs*; return how each ended, in their order."""
        outcomes: dict[int, Outcome] = {}

        def work(index: int, tell: Tell) -> Outcome:
            done = run_job(
                hydra_context=self.hydra_context,
                task_function=lambda config: self.task_function(config, tell),
                config=designs[index].config(),
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            outcome: Outcome = done.return_value
            return outcome

        def ended(end: Ended) -> None:
            design = designs[end.index]
            outcome = Outcome(
                design.number,
                design.folder,
                design.overrides,
                end.error if end.error is not None else end.value.error,
                process_s=end.seconds,
            )
            if end.error is not None:
                write_error(design.folder, end.detail or end.error)
            else:
                outcome = replace(outcome, seconds=end.value.seconds, cpu_s=end.value.cpu_s)
            bar.ended(place[end.index], outcome.failure())
            outcomes[end.index] = outcome

        run_forked(
            len(designs),
            work,
            workers=self.workers,
            time_limit_s=self.time_limit_s,
            on_news=lambda index, fraction: bar.progress(place[index], fraction),
            on_end=ended,
        )
        return [outcomes[index] for index in range(len(designs))]


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and value > 0)


def _returned(outcome: Outcome) -> JobReturn:
    done = JobReturn(overrides=outcome.overrides, status=JobStatus.COMPLETED)
    done.return_value = outcome
    return done


# ---- launchers of other packages ---------------------------------------------


def launch_foreign(
    launcher: Launcher, designs: Sequence[Design], bar: show.DesignsBar, place: Sequence[int]
) -> list[Outcome]:
    """Run *designs* on a launcher that may lose them; run again what it lost.

    A design whose process dies may take others with it. Those that had begun are
    run again one by one, so that the one that dies alone is known; those that had
    not begun are run again together.

    Raises
    ------
    RunError
        If the launcher ends without having begun any design.
    """
    places = {design.number: where for design, where in zip(designs, place, strict=True)}
    outcomes: dict[int, Outcome] = {}

    def note(outcome: Outcome) -> None:
        outcomes[outcome.number] = outcome
        bar.ended(places[outcome.number], outcome.failure())

    groups = _groups(launcher, designs)
    while groups:
        group = groups.pop(0)
        why = _launch_group(launcher, group, note)
        lost = [design for design in group if design.number not in outcomes]
        if len(group) == 1 and lost and _begun(lost[0]):
            write_error(lost[0].folder, why)
            note(Outcome(lost[0].number, lost[0].folder, lost[0].overrides, why.splitlines()[0]))
            continue
        begun = [design for design in lost if _begun(design)]
        if lost and not begun and len(lost) == len(group):
            raise RunError(f"the launcher began no design: {why}")
        for design in lost:
            clear(design.folder)
        untouched = [design for design in lost if design not in begun]
        groups = [[design] for design in begun] + ([untouched] if untouched else []) + groups
    return [outcomes[design.number] for design in designs]


def _groups(launcher: Launcher, designs: Sequence[Design]) -> list[list[Design]]:
    size = usable_cores() if type(launcher).__name__ == _ALL_AT_ONCE else len(designs)
    return [list(designs[i : i + size]) for i in range(0, len(designs), size)]


def _launch_group(
    launcher: Launcher, group: Sequence[Design], note: Callable[[Outcome], None]
) -> str:
    """Launch *group* in a process of its own, as some launchers run designs in theirs.

    *note* is told what ended, as soon as its folder shows it. Return why the launcher
    ended, if not because all was done.
    """
    waiting = list(group)

    def work(index: int, tell: Tell) -> None:
        overrides = [[*design.overrides, *_where(design)] for design in group]
        try:
            launcher.launch(overrides, initial_job_idx=group[0].number)
        finally:
            _close_down()

    def look() -> None:
        for design in list(waiting):
            outcome = _seen(design)
            if outcome is not None:
                waiting.remove(design)
                note(outcome)

    [end] = run_forked(1, work, on_wait=look, daemon=False)
    look()
    return end.error or "died"


def _close_down() -> None:
    """End the workers that launchers keep for later: this process would wait for them."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
    if "joblib.externals.loky" in sys.modules:
        loky = sys.modules["joblib.externals.loky"]
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _where(design: Design) -> list[str]:
    """Return overrides that put a design into its folder, whatever number it is given."""
    folder = design.folder.absolute()
    return [f"hydra.sweep.dir={quoted(folder.parent)}", f"hydra.sweep.subdir={quoted(folder.name)}"]


def _begun(design: Design) -> bool:
    return (design.folder / ".hydra").is_dir()


def _seen(design: Design) -> Outcome | None:
    """Return what the folder of *design* says became of it; None while it says nothing."""
    failed = design.folder / ERROR_FILE
    outcome = Outcome(design.number, design.folder, design.overrides)
    if failed.is_file():
        lines = failed.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return replace(outcome, error=lines[-1] if lines else "failed")
    if not (design.folder / "summary.json").is_file():
        return None
    try:
        done = is_done(design)
    except TwinError as error:
        return replace(outcome, error=str(error))
    if not done:
        return replace(outcome, error="its worker ran another configuration, or another twin")
    return outcome
