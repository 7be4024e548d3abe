"""Plants built straight from conf/cooling, and the sums every test of them needs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import yaml

from twin.config import parse
from twin.cooling.base import CoolingPlant, PlantDesign, PlantState

CONF = Path(__file__).resolve().parents[2] / "conf" / "cooling"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


RESETS = (
    ("chilled_air", "reset", "load"),
    ("rear_door", "reset", "load"),
    ("waterside_economizer", "reset", "load"),
    ("waterside_economizer", "reset", "outdoor"),
    ("airside_economizer", "reset", "outdoor"),
    ("indirect_evaporative", "reset", "outdoor"),
    ("direct_liquid_tower", "air__reset", "load"),
)
"""Plants whose set points move: name, where the reset stands in its YAML, what they follow."""


def resetting(name: str, where: str, by: str, **changes: Any) -> tuple[CoolingPlant, Any]:
    """Return a plant whose set points move, and the part of it that moves them."""
    made = plant(name, **{f"{where}__by": by}, **changes)
    return made, (made.air if where.startswith("air__") else made)


def resolve(family: str, kind: str, path: str) -> type:
    """Find a model without the builder, so that these tests know only their family."""
    module, _, cls = kind.partition(".")
    found: type = getattr(importlib.import_module(f"twin.{family}.{module}"), cls)
    return found


def read(name: str) -> dict[str, Any]:
    """Return the keys of a plant's YAML, laid over those of the plant it builds on."""
    own = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    keys: dict[str, Any] = {}
    for base in own.pop("defaults", []):
        if base != "_self_":
            keys |= read(base)
    return keys | own


def settings(name: str, **changes: Any) -> dict[str, Any]:
    """Return the keys of a plant's YAML with dotted *changes* (``tower__approach_k=5``)."""
    keys = read(name)
    for dotted, value in changes.items():
        at = keys
        *path, last = dotted.split("__")
        for part in path:
            at = at[part]
        at[last] = value
    return keys


def design(
    racks: int = 100,
    servers: int = 200,
    rack_kw: float = 13.0,
    altitude_m: float = 18.0,
    drybulb_c: float = 34.8,
    wetbulb_c: float = 26.6,
) -> PlantDesign:
    return PlantDesign(
        heat_w=racks * rack_kw * 1e3,
        racks=racks,
        servers=servers,
        rack_w=rack_kw * 1e3,
        altitude_m=altitude_m,
        pressure_pa=101325.0,
        drybulb_c=drybulb_c,
        wetbulb_c=wetbulb_c,
    )


def parsed(name: str, **changes: Any) -> CoolingPlant:
    keys = settings(name, **changes)
    return parse(resolve("cooling", keys["kind"], "cooling.kind"), keys, "cooling", resolve)


def plant(name: str, sized_for: PlantDesign | None = None, **changes: Any) -> CoolingPlant:
    made = parsed(name, **changes)
    made.size(sized_for or design())
    return made


def residual(state: PlantState, heat_w: float, dt_s: float) -> float:
    """Return what the ledger misses, as a fraction of what came in (at least 1 kW)."""
    came_in = (heat_w + state.power_w) * dt_s
    went_out = (state.ambient_heat_w + state.reused_heat_w) * dt_s + state.stored_j
    return abs(came_in - went_out) / max(came_in, 1e3 * dt_s)


def steady(
    made: CoolingPlant, heat_w: float, drybulb_c: float, wetbulb_c: float, hours: float = 3.0
) -> PlantState:
    """Return the last of enough 5-minute beats for everything to settle."""
    for _ in range(int(hours * 12)):
        state = made.step(heat_w, drybulb_c, wetbulb_c, 300.0)
    return state
