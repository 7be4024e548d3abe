"""What there is to choose from: the configuration groups, their choices, the scenarios."""

from __future__ import annotations

import os
import re
from pathlib import Path

from twin.errors import ConfigError

GROUPS = {
    "facility": "how many GPUs, how much floor, what it draws besides IT",
    "gpu": "the accelerator and the server around it",
    "rack": "rated kW, servers per rack",
    "cooling": "how the heat leaves",
    "power": "from the meter to the rack, loss by loss",
    "network": "switches, optics, what a spread job loses",
    "storage": "bandwidth that jobs share",
    "site": "weather, electricity price, grid carbon",
    "workload": "the jobs and services that arrive",
    "scheduling": "who runs next",
    "economics": "capital, energy, rent: cost per GPU-hour",
    "faults": "what breaks, when, and for how long",
    "clock": "start, length, heartbeat, seed",
    "output": "what is written, how finely",
}
"""The parts of a configuration, in the order of ``conf/config.yaml``, and what each decides."""


def data_dir(name: str) -> Path:
    """Return the folder ``conf`` or ``scenarios``: of the checkout, else of the package."""
    package = Path(__file__).resolve().parent.parent
    if (package.parent / "pyproject.toml").is_file():
        return package.parent / name
    return package / "_data" / name


def own_conf() -> Path | None:
    """Return the folder ``conf`` of the current folder, if it is there and not the twin's own.

    A folder with a ``config.yaml`` is that of a checkout: an installed twin that is called
    there has its own beside it.
    """
    folder = Path("conf").resolve()
    return folder if folder.is_dir() and not (folder / "config.yaml").is_file() else None


def choices(group: str) -> list[str]:
    """Return the names of the choices of a configuration *group*, the user's own included."""
    folders = [folder for folder in (data_dir("conf"), own_conf()) if folder is not None]
    return sorted({path.stem for each in folders for path in (each / group).glob("*.yaml")})


def scenario_folders() -> list[Path]:
    """Return the folders searched for scenarios; the first that has a name wins.

    They are those of ``$TWIN_SCENARIOS``, then ``scenarios`` in the current folder,
    then the one that comes with the twin.
    """
    listed = os.environ.get("TWIN_SCENARIOS", "")
    folders = [Path(part) for part in listed.split(os.pathsep) if part]
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"TWIN_SCENARIOS={listed}: '{folder}' is not a folder")
    folders += [Path("scenarios"), data_dir("scenarios")]
    found = (folder.resolve() for folder in folders if folder.is_dir())
    return list(dict.fromkeys(found))


def scenario_files() -> dict[str, Path]:
    """Return every scenario there is and its file, by name."""
    files: dict[str, Path] = {}
    for folder in scenario_folders():
        for path in sorted(folder.rglob("*.yaml")):
            if path.is_file():
                files.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return dict(sorted(files.items()))


def choice_file(name: str) -> Path | None:
    """Return the file of the choice or scenario ``group/name``; None if there is none."""
    group, _, rest = name.partition("/")
    if group == "scenario":
        return scenario_files().get(rest)
    folders = [folder for folder in (data_dir("conf"), own_conf()) if folder is not None]
    found = (folder / group / f"{rest}.yaml" for folder in folders)
    return next((path for path in found if path.is_file()), None)


def question(path: Path) -> str:
    """Return the question a scenario file answers, or what keeps us from reading it."""
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return str(content["scenario"]["question"])
    except (KeyError, TypeError):
        return "(asks no question)"
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError):
        return f"(cannot be read: {path})"


def about(path: Path) -> str:
    """Return the first sentence of the comment with which a file of ``conf`` begins."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        words.append(text)
    said = re.split(r"(?<=[.?!:])\s", " ".join(words), maxsplit=1)[0]
    return said.rstrip(":.")
