"""What the sweepers of the twin share: a launcher, a folder, being taken up again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from twin import show
from twin.errors import ConfigError, TwinError
from twin.pool import usable_cores
from twin.settings import compose, refusals

EXTRAS = {"ray": "ray", "slurm": "slurm", "slurm_local": "slurm", "joblib": "joblib"}
"""Launchers of other packages, and the extra that brings each."""
_NOT_AGAIN = ("hydra.sweep.dir=", "hydra.sweeper.resume=")


class BaseSweeper(Sweeper):
    """Reads what is varied, knows where it goes and who runs it."""

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def __init__(self, params: dict[str, Any] | None = None, resume: bool = False) -> None:
        self.params = params or {}
        self.resume = resume

    def setup(
        self, *, hydra_context: HydraContext, task_function: Callable[..., Any], config: DictConfig
    ) -> None:
        """Take what Hydra hands to every sweeper, and the launcher chosen."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = chosen_launcher(hydra_context, task_function, config)
        self.folder = Path(config.hydra.sweep.dir)

    def words(self) -> list[str]:
        """Return what was asked for on the command line, by which it can be asked for again."""
        said = self.config.hydra.overrides
        kept = [str(word) for word in said.hydra if not str(word).startswith(_NOT_AGAIN)]
        return [*kept, *(str(word) for word in said.task)]

    def overrides(self, arguments: Sequence[str]) -> list[Override]:
        """Return the axes that the configuration carries, then those of the command line."""
        axes = [f"{key}={_axis(values)}" for key, values in self.params.items()]
        parser = OverridesParser.create(self.hydra_context.config_loader)
        return parser.parse_overrides([*compose.open_keys(axes), *arguments])

    def begin(self) -> None:
        """Make the folder of the sweep and leave in it what was asked for."""
        compose.claim("hydra.sweep.dir", self.config)
        OmegaConf.save(self.config, self.folder / "multirun.yaml")

    def workers(self) -> int:
        """Return how many designs run at once, as far as is known here."""
        chosen = getattr(self.launcher, "workers", None)
        return chosen if isinstance(chosen, int) else usable_cores()


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep: says what is kept and how to go on."""

    def __init__(self, folder: Path, finished: int, total: int, things: str) -> None:
        where = show.place(folder)
        super().__init__(
            f"{finished} of {total} {things} are finished and kept in {where}; "
            "a folder in it without summary.json is not a finished run.\n"
            f"Go on with: twin -m resume={where}"
        )


def chosen_launcher(
    hydra_context: HydraContext, task_function: Callable[..., Any], config: DictConfig
) -> Launcher:
    """Return the launcher that is configured.

    Raises
    ------
    ConfigError
        If its package is not installed, or a setting of it is wrong.
    """
    chosen = str(config.hydra.runtime.choices.get("hydra/launcher"))
    try:
        return Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
    except TwinError:
        raise
    except (ImportError, RuntimeError) as error:
        extra = EXTRAS.get(chosen)
        if extra is None:
            raise ConfigError(f"hydra/launcher={chosen}: {error}") from error
        raise ConfigError(
            f"hydra/launcher={chosen}: needs the extra '{extra}': pip install 'twin[{extra}]'"
        ) from error
    except refusals.REFUSALS as error:
        raise ConfigError(f"hydra/launcher={chosen}: {refusals.explain(error)}") from error


def _axis(values: Any) -> str:
    """Return the values of an axis as a command line has them; a list is one, too."""
    if OmegaConf.is_list(values) or isinstance(values, list):
        return ",".join(str(value) for value in values)
    return str(values)
