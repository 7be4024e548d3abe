"""The feeds of conf/power as plain data, a file that builds on another merged into it."""

from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[2] / "conf" / "power"


def read_power(name: str) -> dict[str, Any]:
    data = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    for base in data.pop("defaults", []):
        if base != "_self_":
            data = merged(read_power(base), data)
    return data


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        deeper = isinstance(value, dict) and isinstance(under.get(key), dict)
        both[key] = merged(under[key], value) if deeper else value
    return both
