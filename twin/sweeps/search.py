"""``twin -m hydra/sweeper=optuna``: designs chosen by what became of those before.

Optuna chooses the designs (``ask``) and hears what became of them (``tell``); running
them is what every sweep does. Trials are chosen in batches of a fixed size, so that
the study is the same on any number of cores.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override

from twin import show
from twin.errors import ConfigError, RunError, suggest
from twin.results.study import Aim, Study, Tried
from twin.settings.compose import open_keys
from twin.sweeps import resume
from twin.sweeps.base import BaseSweeper, Interrupted
from twin.sweeps.designs import ERROR_FILE, Design, Refused, examine, shown
from twin.sweeps.launch import launch
from twin.sweeps.timing import Timing

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

SAMPLERS = ("nsga2", "random", "tpe")
DIRECTIONS = ("maximize", "minimize")
BOUNDS = ("at_least", "at_most")
POPULATION = 20
"""Generation of ``nsga2``: fewer trials than its own default of 50 would be chosen at random."""


class OptunaSweeper(BaseSweeper):
    """A study by Optuna over one or several figures of the scorecard."""

    def __init__(
        self,
        trials: int = 100,
        batch: int = 10,
        sampler: str = "tpe",
        seed: int = 0,
        objectives: dict[str, str] | None = None,
        constraints: dict[str, dict[str, float]] | None = None,
        params: dict[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        super().__init__(params, resume)
        self.trials = trials
        self.batch = batch
        self.sampler = sampler
        self.seed = seed
        self.objectives = dict(objectives or {})
        self.constraints = dict(constraints or {})

    def sweep(self, arguments: list[str]) -> Any:
        """Search, and write what was tried and which designs are best.

        Raises
        ------
        ConfigError
            If a figure, a direction or a key to be varied does not exist; nothing has
            been started or written.
        RunError
            If a design died or raised, or if none keeps all bounds; what was found is written.
        """
        self._check_settings()
        aim = Aim(self.objectives, {k: dict(v) for k, v in self.constraints.items()})
        overrides = self.overrides(arguments)
        space = search_space(overrides)
        fixed = [_fixed(each) for each in overrides if not each.is_sweep_override()]
        self._check_space(space, fixed)
        if self.resume:
            resume.require_same(self.folder, [])
        self.begin()
        timing = Timing(workers=self.workers())
        with resume.held(self.folder):
            if not self.resume:
                resume.write(self.folder, self.words(), [])
            study = self._search(aim, space, fixed, timing)
        timing.write(self.folder)
        show.say(timing.told())
        finish(study, self.folder)
        return study

    # ---- asking and telling ------------------------------------------------

    def _search(
        self, aim: Aim, space: dict[str, Axis], fixed: Sequence[str], timing: Timing
    ) -> Study:
        study = self._study(aim)
        distributions = {key: axis.distribution() for key, axis in space.items()}
        found = Study(aim, [])
        known: dict[str, Tried] = {}
        try:
            with show.designs_bar(self.trials, "trials") as bar:
                while (left := self.trials - len(found.trials)) > 0:
                    asked = [study.ask(distributions) for _ in range(min(self.batch, left))]
                    batch = self._prepare(
                        [{k: space[k].text(each.params[k]) for k in space} for each in asked],
                        fixed,
                        len(found.trials),
                        timing,
                    )
                    tried = self._try(batch, known, bar, timing)
                    for trial, one in zip(asked, tried, strict=True):
                        _judge(aim, one)
                        _tell(study, trial, one)
                    found.trials += tried
                    found.write(self.folder)
        except KeyboardInterrupt:
            raise Interrupted(self.folder, len(found.trials), self.trials, "trials") from None
        return found

    def _prepare(
        self,
        settings: Sequence[dict[str, str]],
        fixed: Sequence[str],
        first: int,
        timing: Timing,
    ) -> list[tuple[dict[str, str], Design | Refused]]:
        """Compose and check designs that are numbered from *first*."""
        points = [_point(each, fixed) for each in settings]
        with timing.checking():
            found = examine(self.hydra_context.config_loader, self.config, points, first)
        return list(zip(settings, found, strict=True))

    def _try(
        self,
        batch: Sequence[tuple[dict[str, str], Design | Refused]],
        known: dict[str, Tried],
        bar: show.DesignsBar,
        timing: Timing,
    ) -> list[Tried]:
        """Run what has not been run before; return what became of each trial."""
        tried: list[Tried] = []
        left: dict[int, Design] = {}
        for settings, one in batch:
            if isinstance(one, Refused):
                tried.append(Tried(one.number, settings, None, "refused", one.problem))
            elif one.identity in known:
                source = known[one.identity]
                tried.append(Tried(one.number, settings, source.folder, "repeated"))
            else:
                known[one.identity] = Tried(one.number, settings, one.folder)
                tried.append(known[one.identity])
                if not (self.resume and resume.is_done(one)):
                    left[one.number] = one
        for trial in tried:
            if trial.number not in left:
                bar.ended(trial.number, None)
        failures = self._launch(list(left.values()), bar, timing)
        for trial in tried:
            trial.problem = trial.problem or failures.get(trial.number, "")
            if trial.number in failures:
                trial.state = "failed"
        lost = {one.folder: one for one in known.values() if one.state == "failed"}
        for trial in tried:
            if trial.state == "repeated" and trial.folder in lost:
                trial.state, trial.problem = "failed", lost[trial.folder].problem
        return tried

    def _launch(
        self, designs: Sequence[Design], bar: show.DesignsBar, timing: Timing
    ) -> dict[int, str]:
        """Run *designs*; return what went wrong, by number."""
        if not designs:
            return {}
        with timing.running():
            outcomes = launch(self.launcher, designs, bar, [each.number for each in designs])
        timing.add(outcomes)
        return {each.number: each.error for each in outcomes if each.error is not None}

    def _study(self, aim: Aim) -> optuna.Study:
        from optuna import create_study, logging
        from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
        from optuna.study import StudyDirection

        logging.set_verbosity(logging.WARNING)
        samplers: dict[str, Callable[[], BaseSampler]] = {
            "tpe": lambda: TPESampler(seed=self.seed),
            "nsga2": lambda: NSGAIISampler(seed=self.seed, population_size=POPULATION),
            "random": lambda: RandomSampler(seed=self.seed),
        }
        down, up = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
        directions = [down if lower else up for lower in aim.lower()]
        return create_study(directions=directions, sampler=samplers[self.sampler]())

    # ---- checking ------------------------------------------------------------

    def _check_settings(self) -> None:
        _require_optuna()
        where = "hydra.sweeper"
        problems = [
            f"{where}.{name}={value!r}: must be a whole number >= {least}"
            for name, value, least in (
                ("trials", self.trials, 1),
                ("batch", self.batch, 1),
                ("seed", self.seed, 0),
            )
            if not isinstance(value, int) or isinstance(value, bool) or value < least
        ]
        if self.sampler not in SAMPLERS:
            problems.append(
                f"{where}.sampler={self.sampler}: unknown; {suggest(str(self.sampler), SAMPLERS)}"
            )
        if not self.objectives:
            problems.append(
                f"{where}.objectives: at least one is needed, as "
                "+hydra.sweeper.objectives.cost_per_gpu_hour=minimize"
            )
        for key, direction in self.objectives.items():
            problems += _metric_problems(f"{where}.objectives.{key}", key)
            if direction not in DIRECTIONS:
                problems.append(
                    f"{where}.objectives.{key}={direction}: must be minimize or maximize"
                )
        for key, bounds in self.constraints.items():
            problems += _metric_problems(f"{where}.constraints.{key}", key)
            problems += _bound_problems(f"{where}.constraints.{key}", bounds)
        if problems:
            raise ConfigError("\n".join(problems))

    def _check_space(self, space: dict[str, Axis], fixed: Sequence[str]) -> None:
        """Refuse what no trial could mend: values that cannot be composed, axes that never fit.

        Each value is tried alone, with everything else as the scenario has it. A value
        that does not fit there may fit elsewhere; an axis of which none fits may not.
        """
        if not space:
            raise ConfigError("nothing to search: list values, as cooling=chilled_air,immersion")
        probes = [(key, text) for key, axis in space.items() for text in axis.probes()]
        points = [_point({key: text}, fixed) for key, text in probes]
        found = examine(self.hydra_context.config_loader, self.config, points)
        problems: dict[str, list[Refused]] = {key: [] for key in space}
        for (key, _), one in zip(probes, found, strict=True):
            if isinstance(one, Refused):
                problems[key].append(one)
        told = []
        for key, refused in problems.items():
            hopeless = len(refused) == len(space[key].probes())
            for one in refused if hopeless else (r for r in refused if not r.composed):
                told.append(f"{shown(one.overrides)}:\n  {one.problem}")
                if hopeless:
                    break  # they all say much alike
        if told:
            raise ConfigError("\n".join(["no trial was started:", *told]))


def _metric_problems(where: str, key: str) -> list[str]:
    from twin.schema import SUMMARY

    numbers = [name for name, one in SUMMARY.items() if one.unit != "text"]
    if key in numbers:
        return []
    return [f"{where}: no figure of a summary; {suggest(key, numbers)}"]


def _bound_problems(where: str, bounds: object) -> list[str]:
    if not isinstance(bounds, Mapping) or not bounds:
        return [f"{where}={bounds}: must be {{at_most: number}} or {{at_least: number}}"]
    return [
        f"{where}.{name}={value}: must be at_most or at_least, and a number"
        for name, value in bounds.items()
        if name not in BOUNDS or isinstance(value, bool) or not isinstance(value, (int, float))
    ]


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("hydra/sweeper=optuna: needs the extra 'opt': pip install 'twin[opt]'")


def _judge(aim: Aim, one: Tried) -> None:
    """Read the figures of a trial that ran; one that lacks them has failed."""
    from twin.results.run_folder import Run

    if one.state not in ("finished", "repeated") or one.folder is None:
        return
    one.summary = Run.open(one.folder).summary
    try:
        one.excess = aim.excess(one.summary)
        one.values = aim.values(one.summary)
    except ValueError as error:
        one.state, one.problem = "failed", str(error)


def _tell(study: optuna.Study, trial: optuna.Trial, one: Tried) -> None:
    from optuna.trial import TrialState

    if not one.values:
        study.tell(trial, state=TrialState.FAIL)
        return
    for name, excess in one.excess.items():
        trial.set_constraint(name, excess)
    study.tell(trial, one.values)


def _point(settings: Mapping[str, str], fixed: Sequence[str]) -> list[str]:
    """Return the overrides of a design; keys are those of :func:`search_space`."""
    return [*fixed, *open_keys([f"{key}={text}" for key, text in settings.items()])]


def _fixed(override: Override) -> str:
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


# ---- the space that is searched ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that is varied: a choice, or a number within bounds."""

    choices: tuple[str, ...] = ()
    """As they are typed; empty for a number."""
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def text(self, value: Any) -> str:
        """Return a drawn value as it is typed; six digits of a number are enough."""
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    def probes(self) -> list[str]:
        """Return values that say whether the axis exists: all choices, or both ends."""
        ends = [int(self.low), int(self.high)] if self.whole else [self.low, self.high]
        return list(self.choices) or [self.text(end) for end in ends]


def search_space(overrides: Sequence[Override]) -> dict[str, Axis]:
    """Return what is varied, by key; the later override of a key counts.

    Raises
    ------
    ConfigError
        If the bounds of an interval leave nothing to choose from.
    """
    space: dict[str, Axis] = {}
    for override in overrides:
        key = override.get_key_element().lstrip("+")
        space.pop(key, None)
        if override.is_sweep_override():
            space[key] = _axis(override)
    return space


def _axis(override: Override) -> Axis:
    value = override.value()
    if not isinstance(value, IntervalSweep):
        return Axis(choices=tuple(dict.fromkeys(map(str, override.sweep_string_iterator()))))
    low, high, log = value.start, value.end, "log" in value.tags
    if low is None or high is None or not low < high or (log and low <= 0.0):
        least = "0 < low < high" if log else "low < high"
        raise ConfigError(f"{override.input_line}: must have {least}")
    return Axis(low=low, high=high, whole=isinstance(low, int), log=log)


def finish(study: Study, folder: Path) -> None:
    """Print which designs are best and draw them; raise if anything failed."""
    from twin.plot.study import draw_study

    show.say(study)
    if study.known():
        draw_study(study, folder)
    show.say(f"Written to {show.place(folder)}")
    problems = []
    for one in study.trials:
        if one.state == "failed":
            first = one.problem.splitlines()[0] if one.problem else "failed"
            problems.append(f"trial {one.number} ({one.words()}) failed: {first}")
            if one.folder is not None and (one.folder / ERROR_FILE).is_file():
                problems.append(f"  see {show.place(one.folder / ERROR_FILE)}")
    if problems:
        problems.insert(0, f"{study.count('failed')} of {len(study.trials)} trials failed:")
    if not any(one.feasible for one in study.trials):
        problems.append("no design keeps all bounds" if study.known() else "no design has run")
    if problems:
        raise RunError("\n".join(problems))
