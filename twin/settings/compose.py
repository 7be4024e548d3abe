"""From a command line to one plain configuration: composing, and refusing what is not data.

Hydra composes; what it returns is turned into plain data here and nowhere else.
Configuration is data: a file may not name code (``_target_``), nor read the
environment, and what it may ask of Hydra itself is checked against short lists.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import hydra
from hydra import __version__ as hydra_version
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job
from hydra.errors import InstantiationException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException, UnsupportedInterpolationType

from twin.errors import ConfigError, suggest
from twin.files import alone_in
from twin.settings import search_path
from twin.settings.arguments import refuse
from twin.settings.catalogue import GROUPS, data_dir, own_conf
from twin.settings.hydra_inside import OWN_PLUGINS, Callbacks, get_args_parser
from twin.settings.refusals import REFUSALS, check_words, explain

_TRUSTED_PLUGINS = (OWN_PLUGINS, "hydra_plugins.")
_TRUSTED_HANDLERS = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler")
_TRUSTED_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_LOG_FILE = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
_PLAIN_NAME = re.compile(r"\.?\w[\w.\-]*")
_VALUE_OVERRIDE = re.compile(r"^(?!hydra[./])[A-Za-z_]\w*((\.[\w\-]+)+=|=\{)")


def register() -> None:
    """Make scenarios known to Hydra and close what could read the environment."""
    search_path.register()
    OmegaConf.register_new_resolver("oc.env", _refuse_environment, replace=True)
    OmegaConf.clear_resolver("ray_pkg_version")  # an installed launcher brings it along


def _refuse_environment(*_: Any) -> Any:
    raise UnsupportedInterpolationType("Unsupported interpolation type oc.env")


def version_base() -> dict[str, str]:
    """Return the ``version_base`` argument where Hydra still wants one."""
    return {"version_base": "1.3"} if hydra_version.startswith("1.3") else {}


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return Hydra's reading of the command line; ``multirun`` covers ``hydra.mode`` too."""
    parser = get_args_parser()
    parser.error = partial(refuse, command="twin")  # type: ignore[method-assign]
    options = parser.parse_intermixed_args(list(words))  # overrides on both sides of -m
    for name in ("config_path", "config_name", "config_dir", "experimental_rerun"):
        if getattr(options, name, None) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')}: not available; put scenarios of your own into "
                "./scenarios or a folder of $TWIN_SCENARIOS"
            )
    for name in ("resolve", "package"):
        if getattr(options, name) and not (options.cfg or options.info):
            raise ConfigError(f"--{name}: goes with --cfg job; to run, leave it out")
    options.multirun = options.multirun or "hydra.mode=MULTIRUN" in options.overrides
    return options


def require_package(package: str | None, config: DictConfig) -> None:
    """Refuse a part to show that the configuration does not have."""
    if package and OmegaConf.select(config, package) is None:
        raise ConfigError(
            f"--package {package}: no such part; {suggest(package, ('scenario', *GROUPS))}"
        )


def hand_over(words: Sequence[str]) -> None:
    """Let Hydra answer a command line that runs nothing: ``--cfg``, ``--info``, completion.

    Raises
    ------
    ConfigError
        If Hydra refuses something that composing alone does not show.
    """
    sys.argv[1:] = open_keys(words)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # hand errors to us instead of printing them
    run = hydra.main(config_path=str(data_dir("conf")), config_name="config", **version_base())
    try:
        run(lambda config: None)()
    except REFUSALS as error:
        raise ConfigError(explain(error)) from error


def open_keys(overrides: Sequence[str]) -> list[str]:
    """Let value overrides set keys that no file mentions: ``a.b=1`` becomes ``++a.b=1``.

    ``a={b: 1}`` likewise. A key may be left out of a file where the model has a default, so
    a file cannot tell which keys exist. The models can, and they refuse what they do not know.
    """
    return [f"++{each}" if _VALUE_OVERRIDE.match(each) else each for each in overrides]


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole configuration, Hydra's own part included, and what can compose more of its kind."""

    config: DictConfig
    loader: ConfigLoader

    def context(self) -> HydraContext:
        """Return what Hydra hands to its plugins; without callbacks, which would be code."""
        return HydraContext(config_loader=self.loader, callbacks=Callbacks())

    def run(self, task: Callable[[DictConfig], Any]) -> Any:
        """Call *task* in a folder of its own, ``hydra.run.dir``; return what it returns."""
        with alone_in(claim("hydra.run.dir", self.config)):
            done = run_job(
                hydra_context=self.context(),
                task_function=task,
                config=self.config,
                job_dir_key="hydra.run.dir",
                job_subdir_key=None,
            )
        return done.return_value

    def sweep(self, task: Callable[..., Any]) -> Any:
        """Let the sweeper that is configured call *task* for each design."""
        try:
            sweeper = Plugins.instance().instantiate_sweeper(
                hydra_context=self.context(), task_function=task, config=self.config
            )
        except InstantiationException as error:
            raise ConfigError(f"hydra.sweeper: {error.__cause__ or error}") from error
        except REFUSALS as error:
            raise ConfigError(explain(error)) from error
        return sweeper.sweep(arguments=list(self.config.hydra.overrides.task))


def claim(key: str, config: DictConfig) -> Path:
    """Make the folder that *key* names, and see that it can be written into.

    Raises
    ------
    ConfigError
        If it cannot, or if nothing is named.
    """
    named = str(OmegaConf.select(config, key) or "")
    if not named.strip():
        raise ConfigError(f"{key}=: must name a folder")
    try:
        Path(named).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=named):
            return Path(named)
    except OSError as error:
        raise ConfigError(f"{key}={named}: cannot be written into: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{key}={named!r}: must name a folder: {error}") from error


def compose(overrides: Sequence[str], *, sweep: bool = False) -> Composed:
    """Compose the whole configuration, Hydra's own part included.

    With *sweep* the overrides may list several values; the configuration is then
    only good for what all designs share.

    Raises
    ------
    ConfigError
        If it cannot be composed, in the user's words.
    """
    register()
    try:
        check_words(open_keys(overrides))
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(data_dir("conf")), job_name="twin", **version_base()):
            loader = GlobalHydra.instance().config_loader()
            config = loader.load_configuration(
                config_name="config",
                overrides=open_keys(overrides),
                run_mode=RunMode.MULTIRUN if sweep else RunMode.RUN,
            )
            return Composed(config, loader)
    except REFUSALS as error:
        raise ConfigError(explain(error, overrides)) from error


def load(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose *overrides* and return the plain, checked configuration of one run."""
    config = compose(overrides).config
    check_machinery(config)
    with open_dict(config):
        del config["hydra"]  # nobody asks for it any more, and a copy without it takes long
    return plain(config)


def plain(config: DictConfig) -> dict[str, Any]:
    """Return *config* as plain data, resolved, without Hydra's part.

    Raises
    ------
    ConfigError
        If it holds an unknown part, lacks one, names code, or cannot be resolved.
    """
    keys = [str(key) for key in config if key != "hydra"]
    bare = OmegaConf.masked_copy(config, keys) if "hydra" in config else config
    try:
        data = OmegaConf.to_container(bare, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    assert isinstance(data, dict)
    known = ("scenario", *GROUPS)
    problems = [
        f"{key!s}={data[key]!r}: unknown key; {suggest(str(key), known)}"
        for key in data
        if key not in known
    ]
    problems += [
        f"{name}={data.get(name)!r}: must be a mapping of keys"
        for name in known
        if not isinstance(data.get(name), dict)
    ]
    problems += [
        f"{path}={value!r}: configuration is data and cannot name code; use 'kind'"
        for path, value in walk(data)
        if path.rpartition(".")[2] == "_target_"
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return {str(key): value for key, value in data.items()}


def check_machinery(config: DictConfig) -> None:
    """Refuse a configuration that makes Hydra or ``logging`` call code of its choosing.

    Nor may it write files elsewhere, or set the environment: what ``git`` is depends on it.
    """
    settings = OmegaConf.to_container(config.hydra, resolve=False)
    assert isinstance(settings, dict)
    problems = _hidden_choices(config)
    if settings.get("callbacks"):
        problems.append("hydra.callbacks: not allowed; configuration is data")
    for path, value in walk(settings):
        key = path.rpartition(".")[2]
        logs = path.startswith(("hydra_logging.", "job_logging."))
        trusted = True
        if key == "_target_":
            plugin = path in ("launcher._target_", "sweeper._target_")
            trusted = plugin and str(value).startswith(_TRUSTED_PLUGINS)
        elif logs and key == "()":
            trusted = False
        elif logs and key == "class":
            trusted = value in _TRUSTED_HANDLERS
        elif logs and key == "filename":
            trusted = value == _LOG_FILE
        elif logs and "://" in str(value):
            trusted = value in _TRUSTED_STREAMS
        elif path in ("job.name", "output_subdir"):
            trusted = value is None or _PLAIN_NAME.fullmatch(str(value)) is not None
        elif path.startswith("job.env_set."):
            trusted = False
        if not trusted:
            problems.append(f"hydra.{path}={value!r}: not allowed; configuration is data")
    if problems:
        raise ConfigError("\n".join(problems))


def _hidden_choices(config: DictConfig) -> list[str]:
    """Return a complaint for each chosen file of the user's that bears the name of one of ours.

    Ours would be taken, and theirs silently not.
    """
    own = own_conf()
    chosen = config.hydra.runtime.choices
    return [
        f"{group}={name}: {own / group / name}.yaml bears the name of a choice of the twin's; "
        "give it another"
        for group in GROUPS
        if own is not None
        and (name := chosen.get(group))
        and (own / group / f"{name}.yaml").is_file()
        and (data_dir("conf") / group / f"{name}.yaml").is_file()
    ]


def walk(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(key path, value)`` of every leaf of nested mappings and lists."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from walk(value, f"{path}[{i}]")
    else:
        yield path, data
