"""Fabrics as their files say, not yet sized."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.plants import resolve
from twin.config import parse
from twin.network.base import Fabric

CONF = Path(__file__).resolve().parents[2] / "conf" / "network"
ALL = sorted(path.stem for path in CONF.glob("*.yaml"))


def load(name: str, **changes: Any) -> Fabric:
    """Return the fabric *name* with some keys replaced."""
    keys = yaml.safe_load((CONF / f"{name}.yaml").read_text()) | changes
    return parse(resolve("network", keys["kind"], "network.kind"), keys, "network")
