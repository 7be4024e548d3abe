"""Published outcomes against ours: ``twin-validate``.

Each row of a scenario's ``published:`` block is a figure of a real system, its
tolerance and its type. Rows of type A are arithmetic on their own inputs, C may have
been calibrated on, V are predictions; they are counted apart, because arithmetic must
not flatter. A row that fails stays visible as failing.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.config import parse
from twin.errors import ConfigError, suggest
from twin.files import whole
from twin.identity import code_hash, identity
from twin.pool import Ended, Tell, run_forked
from twin.results.run_folder import Run
from twin.scenario import Published, ScenarioConfig
from twin.settings import catalogue

TYPES = {"A": "arithmetic", "C": "calibrated", "V": "predicted"}
COLUMNS = (
    "scenario",
    "row",
    "type",
    "figure",
    "expected",
    "tolerance",
    "got",
    "error_fraction",
    "passed",
    "problem",
    "source",
    "note",
)
_PROBE = re.compile(r"^[a-z]\w*\.[a-z]\w*$")

Probe = Callable[..., float]
"""Called by name with ``config``, ``run`` and the row's inputs, as far as it asks for them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run and the rows it answers."""

    scenario: str
    overrides: tuple[str, ...]
    rows: tuple[Published, ...]

    def words(self) -> list[str]:
        """Return the command line of the run."""
        return [f"scenario={self.scenario}", *self.overrides]


@dataclass(frozen=True, slots=True)
class Checked:
    """One published figure and ours."""

    scenario: str
    row: Published
    got: float | None
    problem: str = ""
    """Why there is no figure of ours; empty where there is one."""

    @property
    def passed(self) -> bool:
        """Whether ours is near enough."""
        return self.row.passes(self.got)

    @property
    def error_fraction(self) -> float | None:
        """Our error as a fraction of the published value; None where there is none."""
        if self.got is None or self.row.value == 0:
            return None
        return (self.got - self.row.value) / self.row.value


def find_cases(names: Sequence[str] = (), *, slow: bool = False) -> list[Case]:
    """Return what must be run for the scenarios or rows of these *names*, or for all.

    Raises
    ------
    ConfigError
        If a name is neither a scenario nor a row, or a scenario publishes nothing.
    """
    cases, known = [], set()
    for scenario, path in catalogue.scenario_files().items():
        about = _about(scenario, path)
        known |= {scenario, *(row.row for row in about.published)}
        chosen = [
            row
            for row in about.published
            if (not names or scenario in names or row.row in names)
            and (slow or not (row.slow or about.slow))
        ]
        for overrides in dict.fromkeys(tuple(row.overrides) for row in chosen):
            rows = tuple(row for row in chosen if tuple(row.overrides) == overrides)
            cases.append(Case(scenario, overrides, rows))
    for name in names:
        if name not in known:
            near = suggest(name, known, "twin --help")
            raise ConfigError(f"{name}: no such scenario or row; {near}")
    if not cases:
        which = ", ".join(names) or "no scenario"
        more = "" if slow else "; slow ones are checked with --slow"
        raise ConfigError(f"{which}: nothing published to check{more}")
    return cases


def _about(scenario: str, path: Path) -> ScenarioConfig:
    """Return what the file itself says; published outcomes are never inherited."""
    from twin.settings import refusals

    try:
        content = refusals.load_plain(path)
    except refusals.REFUSALS as error:
        raise ConfigError(refusals.explain(error)) from error
    about = content.get("scenario") if isinstance(content, dict) else None
    about = about if isinstance(about, dict) else {}
    return parse(ScenarioConfig, {"name": scenario, **about}, f"{path}: scenario")


def check_all(
    cases: Sequence[Case],
    folder: Path,
    *,
    workers: int | None = None,
    on_news: Callable[[int, Any], None] = lambda index, news: None,
    on_end: Callable[[Ended], None] = lambda ended: None,
) -> list[Checked]:
    """Run what is not yet in *folder*, each case in a process of its own, and compare."""
    code = code_hash()

    def work(index: int, tell: Tell) -> list[Checked]:
        return check_case(cases[index], folder, code, tell)

    checked: list[Checked] = []
    for case, end in zip(
        cases,
        run_forked(len(cases), work, workers=workers, on_news=on_news, on_end=on_end),
        strict=True,
    ):
        if end.error is None:
            checked += end.value
        else:
            checked += [Checked(case.scenario, row, None, end.error) for row in case.rows]
    return checked


def check_case(case: Case, folder: Path, code: str, tell: Tell) -> list[Checked]:
    """Return our figure for each row of *case*; a run is only made where a row needs one."""
    from twin.settings import compose

    config = compose.load(case.words())
    run: Run | None = None
    checked = []
    for row in case.rows:
        if run is None and needs_run(row):
            run = run_once(config, folder, code, tell, " ".join(["twin", *case.words()]))
        checked.append(_check(case.scenario, row, config, run))
    return checked


def needs_run(row: Published) -> bool:
    """Return whether *row* is answered by a finished run and not by its inputs alone."""
    return row.probe is None or "run" in inspect.signature(find_probe(row.probe)).parameters


def _check(scenario: str, row: Published, config: Mapping[str, Any], run: Run | None) -> Checked:
    if row.probe is not None:
        return Checked(scenario, row, ask_probe(row, config, run))
    assert row.metric is not None
    assert run is not None
    if row.metric not in run.summary:
        raise ConfigError(
            f"metric={row.metric}: no key of a summary; {suggest(row.metric, run.summary)}"
        )
    value = run.summary[row.metric]
    if not isinstance(value, (int, float)):
        return Checked(scenario, row, None, f"{row.metric} is not modelled here")
    return Checked(scenario, row, float(value))


def ask_probe(row: Published, config: Mapping[str, Any], run: Run | None = None) -> float:
    """Return the figure of the probe of *row*, called with what its parameters name.

    Raises
    ------
    ConfigError
        If the row gives an input the probe does not know, or lacks one.
    """
    assert row.probe is not None
    probe = find_probe(row.probe)
    wanted = inspect.signature(probe).parameters
    given = {"config": config, "run": run}
    for name in row.inputs:
        if name not in wanted or name in given:
            known = suggest(name, [key for key in wanted if key not in given])
            raise ConfigError(f"{row.probe}: inputs.{name}: no such input; {known}")
    arguments = {**row.inputs, **{key: given[key] for key in given if key in wanted}}
    for name, parameter in wanted.items():
        if name not in arguments and parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"{row.probe}: inputs.{name}: is required")
    return float(probe(**arguments))


def find_probe(name: str) -> Probe:
    """Return the function ``module.function`` below ``twin.probes``.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    module_name, _, function_name = name.partition(".")
    folder = Path(__file__).resolve().parent.parent / "probes"
    modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    if not _PROBE.match(name) or module_name not in modules:
        raise ConfigError(f"probe={name}: no such probe; {suggest(module_name, modules)}")
    module = importlib.import_module(f"twin.probes.{module_name}")
    functions = {
        key: value
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not key.startswith("_")
    }
    if function_name not in functions:
        raise ConfigError(f"probe={name}: no such probe; {suggest(function_name, functions)}")
    return functions[function_name]


def run_once(config: dict[str, Any], folder: Path, code: str, tell: Tell, command: str) -> Run:
    """Return the run of *config*, an earlier one by the same code if there is one."""
    from twin import run

    name = f"{config['scenario']['name']}-{identity(config)[:12]}-{code[:8]}"
    path = folder / "runs" / name
    if not (path / "summary.json").is_file():
        lean = {**config, "output": {**config["output"], "plots": False, "report": False}}
        run.execute(lean, path, tell, command=command)
    return Run.open(path)


def tally(checked: Iterable[Checked]) -> dict[str, tuple[int, int]]:
    """Return (passed, all) of each type of row, in the order A, C, V."""
    rows = list(checked)
    return {
        kind: (
            sum(1 for one in rows if one.row.type == kind and one.passed),
            sum(1 for one in rows if one.row.type == kind),
        )
        for kind in TYPES
    }


def write_csv(checked: Iterable[Checked], path: Path) -> None:
    """Write one line per published figure; the file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_line(one) for one in checked)


def _line(one: Checked) -> list[object]:
    row = one.row
    return [
        one.scenario,
        row.row,
        row.type,
        row.figure(),
        row.value,
        row.allowed(),
        "" if one.got is None else one.got,
        "" if one.error_fraction is None else one.error_fraction,
        "yes" if one.passed else "no",
        one.problem,
        row.source,
        row.note,
    ]
