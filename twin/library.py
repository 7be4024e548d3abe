"""The twin as a library: a scenario and some overrides in, a :class:`Result` out.

::

    import twin

    result = twin.simulate("mana_oasis", {"cooling": "immersion", "clock.duration_days": 1})
    pue = result.summary["pue"]
    result.series.plot(x="at_s", y=["it_power_w", "cooling_power_w"])

The commands are built on the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import ConfigError, RunError, TwinError, suggest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from omegaconf import DictConfig

TABLES = ("series", "jobs", "racks", "events")
"""The tables of a run folder."""

Overrides = Mapping[str, Any] | Sequence[str]
"""``{"rack.rated_kw": 20}`` or ``["rack.rated_kw=20"]``, as on the command line."""


@dataclass(frozen=True)
class Result:
    """A finished run; its tables are read when they are first asked for.

    Attributes
    ----------
    folder : Path
        Where everything the run left is, ``report.html`` included.
    summary : dict
        The scorecard: metric to number, None where it does not apply. Names carry
        their units; the glossary defines each.
    """

    folder: Path
    summary: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Result:
        """Return the finished run in *folder*, whoever made it.

        Raises
        ------
        InputFileError
            If there is no finished run.
        """
        from twin.results.run_folder import Run

        return cls(Path(folder), Run.open(folder).summary)

    @cached_property
    def series(self) -> pd.DataFrame:
        """One row per output interval: powers in W, temperatures in °C, from ``at_s`` on."""
        return self._frame("series")

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row per job: when it came, waited, ran; its GPUs, energy and status."""
        return self._frame("jobs")

    @cached_property
    def racks(self) -> pd.DataFrame:
        """One row per rack: its power in kW and its inlet temperature."""
        return self._frame("racks")

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per fault, trip, transfer, throttle, shed and repair."""
        return self._frame("events")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        from twin.results.run_folder import Run

        return Run(self.folder, self.summary).config()

    @cached_property
    def info(self) -> dict[str, Any]:
        """What made the run: versions, seed, seconds used, warnings."""
        from twin.results.run_folder import Run

        return Run(self.folder, self.summary).info

    def table(self, name: str) -> pa.Table:
        """Return ``series``, ``jobs``, ``racks`` or ``events`` as an Arrow table.

        It needs no pandas, and carries unit and meaning of each column as metadata.

        Raises
        ------
        ConfigError
            If there is no such table.
        InputFileError
            If the run keeps it with its replications, in ``folder / "rep_000"`` and so on.
        """
        import pyarrow.parquet as pq

        from twin.errors import InputFileError

        if name not in TABLES:
            raise ConfigError(f"{name}: no table of a run; {suggest(name, TABLES)}")
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            parts = sorted(part.name for part in self.folder.glob("rep_*"))
            where = f"; each replication has its own, in {parts[0]} ..." if parts else ""
            raise InputFileError(f"{path}: is missing from this run folder{where}")
        return pq.read_table(path)

    def _frame(self, name: str) -> pd.DataFrame:
        try:
            import pandas  # noqa: F401  asked for here, so that the message is ours
        except ImportError as error:
            raise ConfigError(
                f"Result.{name}: needs the extra 'pandas': pip install 'twin[pandas]'; "
                f"Result.table({name!r}) does without"
            ) from error
        return self.table(name).to_pandas()

    def _repr_html_(self) -> str:
        """Return the scorecard, as notebooks show it."""
        from html import escape

        from twin.results.quantity import quantity
        from twin.schema import SUMMARY

        currency = self.summary.get("currency")
        rows = "".join(
            f"<tr><td>{escape(key.label)}</td><td><code>{name}</code></td><td>"
            f"{escape(quantity(self.summary[name], key.unit, currency))}</td></tr>"
            for name, key in SUMMARY.items()
            if self.summary.get(name) is not None
        )
        return f"<p>{escape(str(self.folder))}</p><table>{rows}</table>"


def simulate(
    scenario: str = "mana_oasis",
    overrides: Overrides = (),
    *,
    folder: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Run a scenario and return what came of it.

    Parameters
    ----------
    scenario : str
        Name of a scenario: of the twin, of ``./scenarios``, or of ``$TWIN_SCENARIOS``.
    overrides : mapping or sequence of str
        What differs: ``{"cooling": "immersion", "rack.rated_kw": 20}``, or as on the
        command line, ``["cooling=immersion", "rack.rated_kw=20"]``.
    folder : path, optional
        Where the run is written; ``outputs/<scenario>/<date_time>`` where left out.
    progress : callable, optional
        Told the fraction 0-1 that is done, from time to time.

    Returns
    -------
    Result
        Summary, tables and folder.

    Raises
    ------
    ConfigError
        If a name, a key, a value or an input file is wrong; nothing is written.
    RunError
        If the run failed.

    Examples
    --------
    >>> twin.simulate("mana_oasis", {"clock.duration_days": 7}).summary["pue"]  # doctest: +SKIP
    1.287
    """
    from twin.settings import compose

    words = [f"scenario={scenario}", *override_words(overrides)]
    if folder is not None:
        words.append(f"hydra.run.dir={quoted(Path(folder).absolute())}")
    composed = compose.compose(words)
    compose.check_machinery(composed.config)
    check(compose.plain(composed.config))  # before a folder is made

    def task(config: DictConfig) -> Result:
        from hydra.core.hydra_config import HydraConfig

        where = Path(HydraConfig.get().runtime.output_dir)
        (where / "summary.json").unlink(missing_ok=True)  # not finished until it is written
        command = f"twin.simulate({scenario!r}, {list(words[1:])!r})"
        return run_in_folder(compose.plain(config), where, progress, command)

    result = composed.run(task)
    assert isinstance(result, Result)
    return result


def check(config: Mapping[str, Any]) -> None:
    """Build everything that *config*, plain data, names, without running it.

    Raises
    ------
    ConfigError
        If a key, a value, an input file or the fit of the parts is wrong.
    RunError
        If a value that no range foresaw makes a model fail.
    """
    from twin import run

    try:
        run.check(config)
    except TwinError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"the configuration could not be checked: {said}") from error


def run_in_folder(
    config: Mapping[str, Any],
    folder: Path,
    progress: Callable[[float], None] | None = None,
    command: str = "",
) -> Result:
    """Simulate *config*, plain data, and leave a finished run in *folder*.

    *command* is what the user said, for ``run.json``.
    """
    from twin import run

    return Result(folder, run.execute(config, folder, progress, command))


def override_words(overrides: Overrides) -> list[str]:
    """Return overrides as words of a command line.

    Examples
    --------
    >>> override_words({"rack.rated_kw": 20, "output.plots": False, "site.weather_path": "a b.epw"})
    ['rack.rated_kw=20', 'output.plots=false', "site.weather_path='a b.epw'"]
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides={overrides!r}: must be a mapping or a list of key=value")
    if not isinstance(overrides, Mapping):
        return [str(word) for word in overrides]
    return [f"{key}={_value(value)}" for key, value in overrides.items()]


def _value(value: Any) -> str:
    """Return *value* in the grammar of overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_value(each) for each in value) + "]"
    if isinstance(value, str):
        plain = value.replace("_", "").replace("/", "").replace(".", "")
        spoken = value.lower() in ("true", "false", "null", "nan", "inf", "yes", "no", "on", "off")
        return value if plain.isalnum() and plain[0].isalpha() and not spoken else quoted(value)
    return quoted(value) if isinstance(value, Path) else str(value)


def quoted(text: object) -> str:
    r"""Return *text* in quotes that overrides understand.

    Examples
    --------
    >>> quoted("it's")
    "'it\\'s'"
    """
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"
