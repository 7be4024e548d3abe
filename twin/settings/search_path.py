"""Where Hydra looks for choices and scenarios: folders that are read once, and checked.

Scenarios are a group of Hydra's like any other, though they lie in folders of their own.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from yaml.reader import ReaderError  # type: ignore[import-untyped]

from twin.errors import ConfigError
from twin.settings.catalogue import GROUPS, data_dir, own_conf, scenario_folders
from twin.settings.refusals import load_bounded


class FolderSource(ConfigSource):
    """A folder of YAML files: each is a choice, and each folder below it a group."""

    @abstractmethod
    def place(self, config_path: str) -> Path | None:
        """Return where a group or the file of a choice lies; None if it cannot lie here."""

    def available(self) -> bool:
        """Return whether the folder is there."""
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        """Return whether *config_path* is a folder."""
        place = self.place(config_path)
        return place is not None and place.is_dir()

    def is_config(self, config_path: str) -> bool:
        """Return whether *config_path* is a file."""
        path = self.place(self._normalize_file_name(config_path))
        return path is not None and path.is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return what a group holds."""
        place = self.place(config_path)
        names: list[str] = []
        if place is not None and place.is_dir():
            for entry in place.iterdir():
                path = f"{config_path}/{entry.name}" if config_path else entry.name
                self._list_add_result(names, path, entry.name, results_filter)
        return sorted(set(names))


class ChoiceSource(FolderSource):
    """A folder ``conf``."""

    @staticmethod
    def scheme() -> str:
        """Return the scheme of search path entries, ``choices://<folder>``."""
        return "choices"

    def place(self, config_path: str) -> Path | None:
        """Return where a group or the file of a choice lies."""
        return Path(self.path, config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one choice, and what its first lines ask of Hydra."""
        path = Path(self.path, self._normalize_file_name(config_path))
        header = self._get_header_dict(path.read_text(encoding="utf-8"))
        return ConfigResult(self.provider, self.full_path(), load_bounded(path), header)


class ScenarioSource(FolderSource):
    """A folder ``scenarios``, mounted as the group ``scenario``.

    Authors need no ``# @package`` line: a scenario speaks of the whole configuration.
    """

    @staticmethod
    def scheme() -> str:
        """Return the scheme of search path entries, ``scenarios://<folder>``."""
        return "scenarios"

    def place(self, config_path: str) -> Path | None:
        """Return where a scenario lies, or a folder of them; never outside of this one."""
        head, _, rest = config_path.strip("/").partition("/")
        outside = rest.startswith("/") or ".." in rest.split("/")
        return Path(self.path) / rest if head == "scenario" and not outside else None

    def is_group(self, config_path: str) -> bool:
        """Return whether *config_path* is the root, ``scenario`` or a folder below it."""
        return config_path == "" or super().is_group(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one scenario; its name is its file's, if it gives itself none."""
        path = self.place(self._normalize_file_name(config_path))
        if path is None or not path.is_file():
            raise ConfigLoadError(f"scenario not found: {config_path}")
        content = _read_scenario(path)
        content.setdefault("scenario", {})
        about = content["scenario"]
        if isinstance(about, DictConfig):  # what it does not say, it does not inherit
            about.setdefault("name", path.stem)
            about.setdefault("published", [])
        header: dict[str, str | None] = {"package": "_global_"}
        return ConfigResult(self.provider, self.full_path(), content, header)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return what the group holds; the root holds the one group."""
        if config_path == "":
            return [] if results_filter == ObjectType.CONFIG else ["scenario"]
        return super().list(config_path, results_filter)


class ScenarioPath(SearchPathPlugin):
    """Puts the scenario folders on Hydra's search path, nearest first, and the user's conf."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append each folder of :func:`scenario_folders`, and :func:`own_conf`."""
        search_path.prepend("twin", f"choices://{data_dir('conf')}")
        for folder in scenario_folders():
            search_path.append("twin", f"scenarios://{folder}")
        own = own_conf()
        if own is not None:
            search_path.append("twin", f"choices://{own}")


def register() -> None:
    """Make these folders known to Hydra."""
    plugins = Plugins.instance()
    plugins.register(ScenarioSource)
    plugins.register(ChoiceSource)
    plugins.register(ScenarioPath)


def _read_scenario(path: Path) -> DictConfig:
    """Return what a scenario says; refuse what is not a mapping of keys."""
    try:
        content = load_bounded(path)
    except (UnicodeDecodeError, ReaderError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(f"{path}: must be text in UTF-8: {said}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deeply") from error
    if not content or not isinstance(content, DictConfig) or _bare_text(content):
        raise ConfigError(f"{path}:1: must be a mapping of keys, as 'scenario: {{...}}'")
    _require_names(path, content)
    return content


def _bare_text(content: DictConfig) -> bool:
    """Return whether a file held nothing but a text, which is read as a key without a value."""
    keys = list(content)
    return len(keys) == 1 and content[keys[0]] is None and keys[0] not in ("scenario", *GROUPS)


def _require_names(path: Path, content: DictConfig) -> None:
    """Refuse a scenario whose ``defaults`` are not names of what it builds on and chooses."""
    entries = OmegaConf.to_container(content).get("defaults")  # type: ignore[union-attr]
    if entries is not None and not isinstance(entries, list):
        raise ConfigError(f"{path}: defaults: {entries}: must be a list, as [mana_oasis, _self_]")
    for entry in entries or []:
        where = f"{path}: defaults: {entry}"
        named = entry if isinstance(entry, dict) else {"": entry}
        key, value = next(iter(named.items()), ("", None))
        if len(named) != 1 or isinstance(value, (bool, int, float, dict)) or entry is None:
            raise ConfigError(f"{where}: must be NAME, or 'override /GROUP: NAME'")
        if str(key).lstrip("/") in GROUPS:
            raise ConfigError(f"{where}: write 'override /{str(key).lstrip('/')}: {value}'")
        if ".." in f"{key}/{value}".split("/"):
            raise ConfigError(f"{where}: must be a name, not a path")
