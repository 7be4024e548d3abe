"""``twin``: a command line in, a run folder out."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from twin import __version__
from twin.commands import INTERRUPTED
from twin.errors import ConfigError, RunError, TwinError
from twin.settings import catalogue

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from twin.settings.compose import Composed

HELP = """\
Simulate an AI datacenter: jobs, watts, heat and the grid in one closed ledger.

  twin                                       a week of an autonomous-driving centre
  twin scenario=NAME [group=choice ...] [group.key=value ...]
  twin --multirun group=choice,choice ...    every combination, then their comparison
  twin --multirun resume=DIR                 go on with a sweep that was stopped or killed
  twin --multirun hydra/sweeper=STUDY ...    search instead of every combination

Examples
  twin clock=day                             one day
  twin site=beijing rack.rated_kw=20         another climate, other racks
  twin -m scheduling=fcfs,easy clock.seed=0,1
  twin -m scenario=design_space clock=day    a scenario may carry what is varied
  twin -m hydra/sweeper=cost_carbon          the Pareto front of cost and carbon
  twin scenario=philly_replay workload.path=trace.csv
  twin --cfg job scenario=chiller_trip       show the configuration, run nothing

Scenarios (scenario=NAME; your own go into ./scenarios or a folder of $TWIN_SCENARIOS)
{scenarios}
Groups (group=choice; the keys of each choice: twin --cfg job --package GROUP)
{groups}
Studies (hydra/sweeper=NAME)
{studies}
Launchers of a sweep (hydra/launcher=NAME)
{launchers}
Output goes to outputs/<scenario>/<date_time>, sweeps to outputs/sweeps/<date_time>/<n>;
hydra.run.dir=DIR and hydra.sweep.dir=DIR choose another folder. A folder without
summary.json is not a finished run. A sweep uses all cores; hydra.launcher.workers=N limits it.
In Python: import twin; twin.simulate("mana_oasis", {{"clock": "day"}}).summary["pue"]

Exit status: 0 done, 1 the run failed, 2 the configuration or an input file is wrong,
130 stopped by Ctrl-C.

Completion for this shell: eval "$(twin --shell-completion install=bash)"  (zsh, fish alike)
Other options: --cfg, --info, --hydra-help, --version.
Other commands: twin-compare, twin-plot, twin-validate, twin-export, twin-dash, twin-calibrate.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 failed, 2 wrong use, 130 stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _simulate(words))


def guarded(command: Callable[[], int]) -> int:
    """Return the status of *command*, telling what the user must know of how it ended."""
    if isinstance(sys.stdout, TextIOWrapper):  # no m³ on a terminal of another age, but a figure
        sys.stdout.reconfigure(errors="replace")
    try:
        status = command()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as error:
        _complain(f"Stopped. {error}".rstrip())
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, e.g. `twin --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, a folder that was taken away
        _complain(
            f"{error.filename or 'writing'}: {error.strerror or error}; what was begun is kept"
        )
        return 1
    except Exception as error:
        if _cut_short(error):
            _complain("Stopped.")
            return INTERRUPTED
        if isinstance(error, TwinError):
            _complain(str(error))
            return error.exit_status
        raise


def _cut_short(error: BaseException | None) -> bool:
    """Return whether *error* came of undoing what Ctrl-C had cut short."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _complain(text: str) -> None:
    from twin.show import complain  # loaded late: Ctrl-C while it loads is answered, too

    complain(text)


def _simulate(words: list[str]) -> int:
    if {"--help", "-h"} & set(words):
        sys.stdout.write(help_text())
        return 0
    if "--version" in words:
        sys.stdout.write(f"twin {__version__}\n")
        return 0
    from twin.pool import stopped_by_sigterm
    from twin.settings import compose
    from twin.sweeps import grid, launch

    words = grid.resumed(words)
    options = compose.read_arguments(words)
    compose.register()
    grid.register()
    with stopped_by_sigterm():
        if options.shell_completion or options.hydra_help:
            compose.hand_over(words)
            return 0
        composed = compose.compose(options.overrides, sweep=options.multirun)
        compose.check_machinery(composed.config)
        if options.multirun:
            composed.sweep(launch.DesignTask(str(Path.cwd())))
        elif options.cfg or options.info:
            compose.plain(composed.config)
            compose.require_package(options.package, composed.config)
            compose.hand_over(words)
        else:
            _run_once(words, composed)
    return 0


def _run_once(words: list[str], composed: Composed) -> None:
    from twin import library
    from twin.settings import compose

    library.check(compose.plain(composed.config))  # before a folder is made
    failures: list[TwinError] = []

    def task(config: DictConfig) -> None:
        try:
            _run_in_folder(config, shlex.join(["twin", *words]))
        except TwinError as error:  # past Hydra, which would print its own account
            failures.append(error)

    composed.run(task)
    if failures:
        raise failures[0]


def _run_in_folder(config: DictConfig, command: str) -> None:
    from hydra.core.hydra_config import HydraConfig

    from twin import library, show
    from twin.settings import compose
    from twin.sweeps.designs import ERROR_FILE
    from twin.sweeps.launch import write_error

    folder = Path(HydraConfig.get().runtime.output_dir)
    for stale in ("summary.json", ERROR_FILE):  # not finished until it is written again
        (folder / stale).unlink(missing_ok=True)
    try:
        with show.run_bar(config.scenario.name) as advance:
            result = library.run_in_folder(compose.plain(config), folder, advance, command)
    except ConfigError:
        _discard(folder)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(folder)) from None
    except TwinError as error:
        write_error(folder, str(error))
        raise
    except Exception as error:
        write_error(folder, error)
        raise RunError(
            f"the run failed: {type(error).__name__}: {error}\n"
            f"the traceback is in {show.place(folder / ERROR_FILE)}"
        ) from error
    show.summary(result.summary, folder)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".hydra")


def _discard(folder: Path) -> None:
    """Remove a folder that holds nothing but Hydra's notes."""
    if not _files(folder):
        shutil.rmtree(folder)


def _kept(folder: Path) -> str:
    from twin.show import place

    files = _files(folder)
    if not files:
        _discard(folder)
        return "Nothing is kept."
    return (
        f"Kept in {place(folder)}: {', '.join(files)}; "
        "without summary.json it is not a finished run."
    )


_BELOW: dict[str, Any] = {
    "width": 100,
    "initial_indent": " " * 14,
    "subsequent_indent": " " * 14,
}


def help_text() -> str:
    """Return what ``twin --help`` says: how to ask, the scenarios, the groups, examples."""
    files = catalogue.scenario_files()
    wide = max(map(len, files))
    scenarios = [f"  {name:<{wide}} {catalogue.question(path)}" for name, path in files.items()]
    groups = [
        f"  {name:<11} {about}\n" + fill(", ".join(catalogue.choices(name)), **_BELOW)
        for name, about in catalogue.GROUPS.items()
    ]
    return HELP.format(
        scenarios="\n".join([*scenarios, ""]),
        groups="\n".join([*groups, ""]),
        studies=_listed("hydra/sweeper"),
        launchers=_listed("hydra/launcher"),
    )


def _listed(group: str) -> str:
    """Return the choices of a group of Hydra's and how their files begin."""
    folder = catalogue.data_dir("conf") / group
    lines = [
        f"  {name:<16} {catalogue.about(folder / f'{name}.yaml')}\n"
        for name in catalogue.choices(group)
    ]
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
