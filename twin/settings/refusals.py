"""What is wrong with a command line or a file, in the user's words.

Hydra, OmegaConf and PyYAML refuse in words of their own; :func:`explain` turns them into
ours. What they would misread or refuse obscurely is caught by :func:`check_words` before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import lru_cache
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import yaml  # type: ignore[import-untyped]
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, Sweep
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedInterpolationType

from twin.errors import ConfigError, TwinError, suggest
from twin.settings.catalogue import GROUPS, choice_file, choices, scenario_files
from twin.settings.hydra_inside import clash

RESOLVERS = (
    "now",
    "hydra",
    "python_version",
    "oc.create",
    "oc.decode",
    "oc.deprecated",
    "oc.dict.keys",
    "oc.dict.values",
    "oc.select",
)
"""What ``${name:...}`` may call in a file: nothing that reads the environment or runs code."""

REFUSALS = (
    HydraException,
    OmegaConfBaseException,
    yaml.YAMLError,
    ValueError,
    OSError,
    RecursionError,
)
"""What reading and composing raise where a file or an override is wrong; see :func:`explain`."""

MOST_NODES = 100_000
"""Keys and values of a file, each alias counted as what it stands for."""

_WRITE = "write group=choice or group.key=value"
_HELP = "twin --help"
_UNLIKE = "Cannot merge DictConfig with ListConfig"
"""What OmegaConf says whichever of them it met."""


# ---- before composing --------------------------------------------------------


def check_words(overrides: Sequence[str]) -> None:
    """Refuse overrides that Hydra would misread, or refuse in words of its own.

    Raises
    ------
    ConfigError
        Naming the override and what to write instead.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        said = str(override.input_line)
        key = str(override.key_or_group)
        if not key:
            raise ConfigError(f"'{said}': names no key; {_WRITE}")
        if key == "hydra.searchpath":  # pkg:// would run what it names
            raise ConfigError(
                f"{said}: not available; choices of your own are found in ./conf/<group>, "
                "scenarios in ./scenarios or a folder of $TWIN_SCENARIOS"
            )
        if key in ("scenario", *GROUPS):
            _check_choice(key, said, override)


def _check_choice(group: str, said: str, override: Override) -> None:
    """Refuse a group that is left out, chosen twice, or set to what is no name."""
    if override.is_delete():
        raise ConfigError(f"{said}: no part can be left out; choose another with {group}=NAME")
    named = list(_names(override))
    if (override.is_add() or override.is_force_add()) and named:
        raise ConfigError(f"{said}: {group} is always chosen; write {group}=NAME")
    for name in named:
        text = name.text if isinstance(name, QuotedString) else name
        if not isinstance(text, str):
            raise ConfigError(
                f"{said}: a group is set to the name of a choice, as {group}="
                f"{suggested(str(text), group)}; a value by its key, as {group}.KEY=VALUE"
            )
        require_name(group, text)


def _names(override: Override) -> Iterator[Any]:
    """Yield what a group is set to, each value of a sweep; not mappings, which set keys."""
    value = override.value()
    each = value.list if isinstance(value, ChoiceSweep) else [value]
    return (name for name in each if not isinstance(name, (dict, Glob, Sweep)))


def load_bounded(path: Path) -> Any:
    """Return what a YAML file holds, as OmegaConf has it.

    Raises
    ------
    ConfigError
        If its aliases unfold to more than any configuration holds, or to no end.
    """
    return deepcopy(_parsed(str(path), path.read_text(encoding="utf-8")))


def load_plain(path: Path) -> Any:
    """Return what a YAML file holds as plain data; it is bounded as in :func:`load_bounded`."""
    return OmegaConf.to_container(_parsed(str(path), path.read_text(encoding="utf-8")))


@lru_cache(maxsize=512)
def _parsed(name: str, text: str) -> Any:
    """Return what *text* holds: a sweep or a validation reads the same files many times."""
    file = StringIO(text)
    file.name = name  # errors tell it
    _require_bounded(file)
    return OmegaConf.load(file)


def _require_bounded(file: TextIO) -> None:
    text = file.read()
    file.seek(0)
    root = yaml.compose(file, Loader=yaml.SafeLoader) if "*" in text and "&" in text else None
    file.seek(0)
    sizes: dict[int, int] = {}

    def unfolded(node: Any) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MOST_NODES + 1  # what it is where it holds itself
            below = node.value if isinstance(node, yaml.CollectionNode) else ()
            parts = chain(*below) if isinstance(node, yaml.MappingNode) else below
            sizes[id(node)] = 1 + sum(map(unfolded, parts))
        return sizes[id(node)]

    if unfolded(root) > MOST_NODES:
        raise ConfigError(f"{file.name}: its aliases unfold to more than {MOST_NODES:,} values")


def require_name(group: str, name: str) -> None:
    """Refuse a path where the name of a choice is wanted.

    Raises
    ------
    ConfigError
        If *name* is absolute or leads out of the folder of its group.
    """
    if name.startswith(("/", "~")) or ".." in name.split("/"):
        folder = "./scenarios" if group == "scenario" else f"./conf/{group}"
        raise ConfigError(
            f"{group}={name}: must be a name, not a path; put a file of your own into {folder}"
        )


def suggested(name: str, group: str) -> str:
    """Return the choice of *group* that is nearest to *name*."""
    options = list(scenario_files()) if group == "scenario" else choices(group)
    return next((option for option in options if option.startswith(name)), options[0])


# ---- explaining ------------------------------------------------------------


def explain(error: BaseException, overrides: Sequence[str] = ()) -> str:
    """Return what is wrong, where, and what would be right, in the user's words.

    *overrides* tell where files that build on each other in a circle began.
    """
    if isinstance(error.__cause__, UnsupportedInterpolationType):
        error = error.__cause__
    if isinstance(error, RecursionError):
        return _explain_circle(overrides)
    for kind, words in _EXPLANATIONS:
        if isinstance(error, kind):
            return words(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    if said.startswith("Config group override must be"):
        return "a group is set to the name of a choice, a value by its key, as group.KEY=value"
    return said


def _explain_composition(error: ConfigCompositionException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if "append to your" not in line] or [type(error).__name__]
    for pattern, words in _COMPOSITION:
        found = re.match(pattern, lines[0])
        if found:
            return words(found)
    met = clash(error.__cause__ or error) if _UNLIKE in str(error.__cause__ or error) else None
    if met is not None:
        return _explain_clash(lines[0], *met)
    if error.__cause__ is not None:
        cause = explain(error.__cause__)
        merging = re.match(r"Error merging override (.+)", lines[0])
        if merging:
            return f"{merging[1].lstrip('+')}: {cause}"
        return f"{lines[0]}; {cause}" if str(error) else cause
    return "; ".join(lines[:3])


def _explain_clash(said: str, key: str, value: object, a_list: bool) -> str:
    """Return what is wrong where a list stands for a mapping, or the other way round."""
    file = re.match(r"In '(.*?)'", said)
    where = f"{choice_file(file[1]) or file[1]}: " if file else ""
    return f"{where}{key}={value}: must be {'a list' if a_list else 'a mapping of keys'}"


def _explain_several(found: re.Match[str]) -> str:
    return (
        f"{found[1].lstrip('+')}: several values; add --multirun to run each, "
        "write key=[a,b] for a list, or quote the text"
    )


def _explain_no_group(file: object, named: str) -> str:
    """Return what is wrong with ``override`` in a *file*: Hydra looks below its own group."""
    last = named.partition("@")[0].rpartition("/")[2]
    if last in GROUPS:
        return f"{file}: override {last}: must have a slash before the group, 'override /{last}'"
    return f"{file}: override /{named}: there is no such group; {suggest(named, GROUPS)}"


_COMPOSITION: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"Could not override '([^']*)'", lambda found: _explain_unknown(found[1])),
    (
        r"In '(.*)': Could not override '([^']*)'",
        lambda found: _explain_no_group(choice_file(found[1]) or found[1], found[2]),
    ),
    (r"Ambiguous value for argument '(.*)'$", _explain_several),
    (r"Sweep parameters '(.*)' requires --multirun", _explain_several),
    (
        r"Could not append to config\. An item is already at '(.*)'\.",
        lambda found: f"+{found[1]}: is there already; write {found[1]}=VALUE",
    ),
    (
        r"Could not delete from config\. '(.*)' does not exist",
        lambda found: f"~{found[1]}: there is no such key to leave out",
    ),
    (
        r"Could not delete '(.*)'\. No match in the defaults list",
        lambda found: f"~{found[1]}: is not chosen, so it cannot be left out",
    ),
    (
        r"Could not delete from config\. The value of '(.*)' is (.*) and not (.*)\.$",
        lambda found: f"~{found[1]}={found[3]}: is {found[2]}; write ~{found[1]} to leave it out",
    ),
    (
        r"(.*) appears more than once in the final defaults list",
        lambda found: (
            f"{found[1]}: is chosen twice; where a scenario chooses, it says "
            f"'override /{found[1]}: NAME'"
        ),
    ),
)
"""What Hydra says of a composition, and what we say instead."""


def _explain_override(error: OverrideParseException) -> str:
    said = error.override.lstrip("+")
    if said in scenario_files():
        return f"'{said}': cannot be read; did you mean scenario={said}?"
    groups = [group for group in GROUPS if said in choices(group)]
    if groups:
        return f"'{said}': cannot be read; did you mean {groups[0]}={said}?"
    how = "write key=value, and a value with blanks or special characters as \"key='a value'\""
    return f"'{said}': cannot be read; {how}"


def _explain_interpolation(error: UnsupportedInterpolationType) -> str:
    name = str(error).splitlines()[0].rpartition(" ")[2]
    return f"{error.full_key}=${{{name}:...}}: not available; {suggest(name, RESOLVERS)}"


def _explain_value(error: OmegaConfBaseException) -> str:
    said = str(error).splitlines()[0]
    if "raised while resolving interpolation" in said:
        said = "what it refers to cannot be worked out; write ${group.key} for another key's value"
    elif said.startswith("Missing mandatory value"):
        said = "is required"
    elif said.startswith("Incompatible key type"):
        said = "every key must be a word or a whole number"
    return f"{error.full_key}: {said}" if error.full_key else said


def _explain_yaml(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "malformed"
    if mark is None:
        return f"malformed YAML: {what}"
    return f"{mark.name}:{mark.line + 1}:{mark.column + 1}: malformed YAML: {what}"


def _explain_file(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _explain_missing(error: MissingConfigException) -> str:
    missing = str(error.missing_cfg_file)
    parts = missing.rpartition("/") if missing.startswith("hydra/") else missing.partition("/")
    group, name = parts[0], parts[2]
    said = str(error).splitlines()[0]
    where = f"{said.split(': ')[0]}: " if said.startswith("In 'scenario/") else ""
    options = list(scenario_files()) if group == "scenario" else choices(group)
    if not options:
        return f"{where}{missing}: there is no such file to build on; {suggest(group, GROUPS)}"
    return f"{where}{group}={name}: there is no such choice; {suggest(name, options, _HELP)}"


def _explain_unknown(key: str) -> str:
    head = key.partition(".")[0]
    if head.partition("/")[0] == "hydra":
        return f"{key}: unknown key of Hydra; `twin --cfg hydra` shows them"
    return f"{key}: unknown key; {suggest(key, ('scenario', *GROUPS))}"


def _explain_circle(overrides: Sequence[str]) -> str:
    """Return which files build on each other in a circle."""
    said = dict(word.lstrip("+").partition("=")[::2] for word in overrides)
    for group in ("scenario", *GROUPS):
        circle = _circle((f"{group}/{said.get(group, '')}",))
        if circle:
            return f"{choice_file(circle[-1])}: builds on itself: {' -> '.join(circle)}"
    return "a file is nested too deeply, or builds on itself"


def _circle(way: tuple[str, ...]) -> tuple[str, ...]:
    """Return the part of a *way* through ``defaults`` that comes back to where it was."""
    if way[-1] in way[:-1]:
        return way[way.index(way[-1]) :]
    found = (_circle((*way, base)) for base in _built_on(way[-1]))
    return next((circle for circle in found if circle), ())


def _built_on(name: str) -> list[str]:
    """Return the choices, as ``group/name``, that the ``defaults`` of one list."""
    path = choice_file(name)
    if path is None:
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except REFUSALS:
        return []
    group = name.rpartition("/")[0]
    bases = []
    for entry in content.get("defaults", ()) if isinstance(content, dict) else ():
        if isinstance(entry, dict):
            key, value = next(iter(entry.items()))
            if str(key).startswith("override "):
                continue
            entry = f"{str(key).removeprefix('optional ')}/{value}"  # noqa: PLW2901
        if isinstance(entry, str) and entry != "_self_":
            bare = entry.partition("@")[0].removesuffix(".yaml")
            bases.append(bare[1:] if bare.startswith("/") else f"{group}/{bare}")
    return bases


_EXPLANATIONS: tuple[tuple[type[BaseException], Callable[[Any], str]], ...] = (
    (TwinError, str),
    (yaml.MarkedYAMLError, _explain_yaml),
    (MissingConfigException, _explain_missing),
    (OverrideParseException, _explain_override),
    (ConfigCompositionException, _explain_composition),
    (UnsupportedInterpolationType, _explain_interpolation),
    (OmegaConfBaseException, _explain_value),
    (OSError, _explain_file),
)
"""From the particular to the general; the first that fits explains."""
