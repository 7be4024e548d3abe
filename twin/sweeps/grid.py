"""``twin --multirun``: every design checked first, then all run, then compared.

The Hydra plugins of the twin: the sweepers :class:`GridSweeper` and
:class:`twin.sweeps.search.OptunaSweeper`, and the launcher
:class:`twin.sweeps.launch.PoolLauncher`. Hydra accepts plugins only from the namespace
``hydra_plugins``, so :func:`register` lends them that name.
"""

from __future__ import annotations

import itertools
import sys
import time
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from twin import show
from twin.errors import ConfigError, RunError, TwinError
from twin.library import quoted
from twin.sweeps import resume
from twin.sweeps.base import BaseSweeper, Interrupted
from twin.sweeps.designs import ERROR_FILE, Design, Outcome, prepare
from twin.sweeps.launch import PoolLauncher, launch
from twin.sweeps.search import OptunaSweeper
from twin.sweeps.timing import Timing


def register() -> None:
    """Make our plugins known to Hydra."""
    Plugins.instance()  # looks for those that are installed, before we lend ours the name
    parent = sys.modules.setdefault("hydra_plugins", types.ModuleType("hydra_plugins"))
    sys.modules["hydra_plugins.twin"] = vars(parent)["twin"] = sys.modules[__name__]
    for plugin in (GridSweeper, OptunaSweeper, PoolLauncher):
        lend_name(plugin)
    # conf/hydra/launcher/ray.yaml has the name of the plugin's own schema, which it shall fit.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore")


def lend_name(plugin: type[Plugin]) -> None:
    """Register *plugin* as one of ``hydra_plugins.twin``; its own name stays what it was.

    Workers of other machines import it by its own name.
    """
    own = plugin.__module__
    plugin.__module__ = "hydra_plugins.twin"
    try:
        Plugins.instance().register(plugin)
    finally:
        plugin.__module__ = own


def resumed(words: Sequence[str]) -> list[str]:
    """Return a command line in which ``resume=DIR`` is said in words of Hydra.

    What the sweep varies is taken from its own record unless it is said again.
    """
    asked = [word for word in words if word.startswith("resume=")]
    if not asked:
        return list(words)
    folder = Path(asked[-1].partition("=")[2])
    rest = [word for word in words if word not in asked]
    before = resume.read_words(folder)
    if all(word.lstrip("+").startswith(("-", "hydra.", "hydra/")) for word in rest):
        said = {word.lstrip("+").partition("=")[0] for word in rest}
        rest += [word for word in before if word.lstrip("+").partition("=")[0] not in said]
    if not {"-m", "--multirun"} & set(rest):
        rest.insert(0, "--multirun")
    return [*rest, f"hydra.sweep.dir={quoted(folder)}", "hydra.sweeper.resume=true"]


class GridSweeper(BaseSweeper):
    """Every combination of the listed values, all checked before the first starts."""

    def __init__(
        self, params: dict[str, Any] | None = None, resume: bool = False, **unknown: Any
    ) -> None:
        super().__init__(params, resume)
        if unknown:
            raise ConfigError(
                f"{', '.join(unknown)}: unknown to hydra/sweeper=grid; "
                "a search by figures is asked for with hydra/sweeper=optuna"
            )

    def sweep(self, arguments: list[str]) -> Any:
        """Check all designs, run those not yet finished, compare those that finished.

        Raises
        ------
        ConfigError
            Listing every design that is wrong; nothing has been started or written.
        RunError
            If a design failed; all others have run and been compared.
        """
        began = time.perf_counter()
        points = combinations(self.overrides(arguments))
        with show.designs_bar(len(points), "designs checked") as bar:
            designs = prepare(self.hydra_context.config_loader, self.config, points, bar.count)
        if self.resume:
            resume.require_same(self.folder, designs)
        timing = Timing(workers=self.workers(), check_s=time.perf_counter() - began)
        self.begin()
        with resume.held(self.folder):
            outcomes = self._run(designs, timing)
        timing.add(outcomes)
        timing.write(self.folder)
        show.say(timing.told())
        finish(self.folder, outcomes)
        return outcomes

    def _run(self, designs: Sequence[Design], timing: Timing) -> list[Outcome]:
        done = [design for design in designs if self.resume and resume.is_done(design)]
        if not self.resume:
            resume.write(self.folder, self.words(), designs)
        left = [design for design in designs if design not in done]
        if done:
            show.say(f"{len(done)} of {len(designs)} designs are finished; {len(left)} are left.")
        outcomes = {each.number: Outcome(each.number, each.folder, each.overrides) for each in done}
        try:
            with timing.running(), show.designs_bar(len(designs), ended=len(done)) as bar:
                for outcome in launch(self.launcher, left, bar, range(len(done), len(designs))):
                    outcomes[outcome.number] = outcome
        except KeyboardInterrupt:
            finished = sum(resume.is_done(design) for design in designs)
            raise Interrupted(self.folder, finished, len(designs), "designs") from None
        return [outcomes[design.number] for design in designs]


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
            values = list(override.sweep_string_iterator())
            if not values:
                raise ConfigError(f"{override.input_line}: holds no value")
            axes[key] = [f"{key}={value}" for value in values]
        else:
            raise ConfigError(f"{override.input_line}: has no end; list values, or use range()")
    return [list(design) for design in itertools.product(*axes.values())]


def finish(sweep_dir: Path, outcomes: Sequence[Outcome]) -> None:
    """Write and print the comparison of what finished; raise if anything failed."""
    problems = [
        f"{outcome.failure()}\n  see {show.place(outcome.folder / ERROR_FILE)}"
        for outcome in outcomes
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
